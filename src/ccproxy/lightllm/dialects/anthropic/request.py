"""Requests: `POST /v1/messages` (and `count_tokens`) read into the IR and written from it.

Declared normalisations of reading and writing back: content that is one plain text is a string; null is absent;
consecutive messages of one role are one; system messages at the head join `system`, later ones follow the next user
message; `is_error: false` and empty `content` of a result are absent; `output_format` is `output_config.format`; empty
texts are left out; tool input is compact JSON.
"""

from __future__ import annotations

from typing import Any

from ccproxy.errors import BadRequest, Untranslatable
from ccproxy.lightllm.dialect import Capabilities, Target
from ccproxy.lightllm.dialects.anthropic.read import BILLING_PREFIX, NAME, read_cache, read_content
from ccproxy.lightllm.dialects.anthropic.thinking import read_thinking, write_thinking_config
from ccproxy.lightllm.dialects.anthropic.tools import (
    read_tool,
    read_tool_choice,
    write_tool_choice,
    write_tools,
)
from ccproxy.lightllm.dialects.anthropic.write import short, write_cache, write_content, write_thinking
from ccproxy.lightllm.fields import Fields, ShapeError, as_list
from ccproxy.lightllm.ir.losses import LossLedger
from ccproxy.lightllm.ir.parts import JsonObject, Opaque, Part, Text, Thinking, ToolCall, ToolResult, described
from ccproxy.lightllm.ir.request import Message, Output, Request, Role, Sampling, State
from ccproxy.lightllm.jsontext import JsonError, dumps, loads

_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system"}


def read_request(body: bytes, model: str, stream: bool | None) -> Request:
    """The request in `body`. Raises BadRequest that names the field at fault."""
    try:
        return _read(Fields(loads(body), ""), model, stream)
    except JsonError as problem:
        raise BadRequest(f"the body is not JSON: {problem}") from None
    except ShapeError as problem:
        raise BadRequest(str(problem)) from None
    except RecursionError:
        raise BadRequest("the body is nested too deeply") from None


def _read(fields: Fields, model: str, stream: bool | None) -> Request:
    metadata = fields.fields("metadata")
    config = fields.fields("output_config")
    schema = config.mapping("format") or fields.mapping("output_format")
    effort = config.text("effort")
    choice, parallel = read_tool_choice(fields.fields("tool_choice"))
    mark = fields.mapping("cache_control")
    streams = fields.flag("stream")
    request = Request(
        model=fields.text("model") or model,
        dialect=NAME,
        messages=tuple(_messages(fields.value("messages"))),
        system=_system(fields.value("system")),
        tools=tuple(read_tool(item, f"tools[{i}]") for i, item in enumerate(fields.items("tools"))),
        tool_choice=choice,
        parallel_tools=parallel,
        max_tokens=fields.integer("max_tokens"),
        sampling=Sampling(fields.number("temperature"), fields.number("top_p"), fields.number("top_k")),
        stop=fields.texts("stop_sequences"),
        output=_output(schema),
        reasoning=read_thinking(fields.fields("thinking"), effort),
        cache=None if mark is None else read_cache(mark, "cache_control"),
        stream=bool(streams if stream is None else stream),
        user=metadata.text("user_id"),
        state=State(thread=fields.has("thread")),
        extras=fields.rest(),
    )
    for name, rest in (("metadata", metadata.rest()), ("output_config", config.rest())):
        if rest:
            request.extras[name] = rest
    return request


def _messages(value: object) -> list[Message]:
    messages: list[Message] = []
    if value is None:
        raise ShapeError("messages: is missing")
    for index, item in enumerate(as_list(value, "messages")):
        path = f"messages[{index}]"
        fields = Fields(item, path)
        role = fields.required_text("role")
        if role not in _ROLES:
            raise ShapeError(f"{path}.role: expected user, assistant or system")
        parts = read_content(fields.value("content"), f"{path}.content")
        messages.append(Message(_ROLES[role], parts, extras=fields.rest()))
    return messages


def _system(value: object) -> tuple[Part, ...]:
    return tuple(
        Opaque(NAME, "billing_header", {"type": "text", "text": part.text}, for_provider=True)
        if type(part) is Text and part.text.startswith(BILLING_PREFIX) and part == Text(part.text)
        else part
        for part in read_content(value, "system")
    )


def _output(given: JsonObject | None) -> Output:
    if given is None:
        return Output()
    fields = Fields(given, "output_config.format")
    kind = fields.required_text("type")
    if kind != "json_schema":
        raise ShapeError(f"output_config.format.type: {kind[:40]!r} is not known")
    # Anthropic always holds to the schema.
    return Output("schema", fields.mapping("schema") or {}, strict=True)


# Writing


def write_request(request: Request, target: Target, capabilities: Capabilities, ledger: LossLedger) -> bytes:
    """The body of a generation. `request` is adapted. Messages stand last, so that what a conversation repeats is a
    prefix of the next request."""
    body: JsonObject = {"model": request.model}
    messages, system = _conversation(request, capabilities, ledger)
    thinking = write_thinking_config(request, capabilities, target.default_max_tokens, ledger)
    body["max_tokens"] = thinking.max_tokens
    if request.stop:
        body["stop_sequences"] = list(request.stop)
    for name in ("temperature", "top_p", "top_k"):
        value = getattr(thinking.sampling, name)
        if value is not None:
            body[name] = value
    if request.stream:
        body["stream"] = True
    _common(body, request, thinking.config, thinking.effort, system, messages, ledger)
    return dumps(body)


def write_count_request(request: Request, target: Target, capabilities: Capabilities, ledger: LossLedger) -> bytes:
    """The body of a token count: what counts, and nothing of how to generate."""
    body: JsonObject = {"model": request.model}
    messages, system = _conversation(request, capabilities, ledger)
    thinking = write_thinking_config(request, capabilities, target.default_max_tokens, LossLedger())
    _common(body, request, thinking.config, thinking.effort, system, messages, ledger)
    for name in ("metadata", "service_tier"):
        body.pop(name, None)
    return dumps(body)


def _common(
    body: JsonObject,
    request: Request,
    thinking: JsonObject | None,
    effort: str,
    system: list[JsonObject],
    messages: list[JsonObject],
    ledger: LossLedger,
) -> None:
    extras = dict(request.extras)
    metadata: JsonObject = {"user_id": request.user} if request.user else {}
    metadata |= extras.pop("metadata", {})
    if metadata:
        body["metadata"] = metadata
    config: JsonObject = {"effort": effort} if effort else {}
    if request.output.form == "schema":
        config["format"] = {"type": "json_schema", "schema": _schema(request.output, ledger)}
    config |= extras.pop("output_config", {})
    if config:
        body["output_config"] = config
    if thinking is not None:
        body["thinking"] = thinking
    body |= extras
    if request.cache is not None:
        body["cache_control"] = write_cache(request.cache, "request", ledger)
    if request.tools:
        body["tools"] = write_tools(request.tools, ledger)
        if choice := write_tool_choice(request):
            body["tool_choice"] = choice
    if system:
        body["system"] = short(system)
    body["messages"] = messages


def _schema(output: Output, ledger: LossLedger) -> JsonObject:
    """The schema; a name and a description given beside it go inside."""
    schema = dict(output.schema or {})
    if output.name:
        schema.setdefault("title", output.name)
    if output.description:
        schema.setdefault("description", output.description)
    if output.strict is False:
        ledger.approximated("output.strict", "Anthropic always holds to the schema", False, True)
    return schema


def _conversation(
    request: Request, capabilities: Capabilities, ledger: LossLedger
) -> tuple[list[JsonObject], list[JsonObject]]:
    """Messages and system blocks. The API takes a system message only behind a user's."""
    system = write_content(request.system, "system", ledger)
    messages: list[JsonObject] = []
    waiting: list[JsonObject] = []
    for index, message in enumerate(request.messages):
        path = f"messages[{index}]"
        role = "system" if message.role == "developer" else message.role
        if role == "system":
            _require_text(message, path)
        parts = _results_first(message, path, ledger) if role == "user" else message.parts
        blocks = write_content(parts, f"{path}.content", ledger)
        if capabilities.demands_thinking and _thinking_is_gone(message):
            ledger.repaired(f"{path}.thinking", "the target demands the thinking before a call, which is gone")
            blocks.insert(0, write_thinking(Thinking("")))
        if message.name:
            ledger.dropped(f"{path}.name", "Anthropic has no names of speakers", message.name)
        if role == "system" and not messages:
            system += blocks
        elif not blocks:
            ledger.repaired(f"messages[{index}]", "a message without content, which Anthropic does not take")
        elif role == "system" and messages[-1]["role"] == "assistant":
            ledger.approximated(f"{path}.place", "Anthropic takes instructions behind what the user says")
            waiting.append({"role": role, "content": blocks, **message.extras})
        else:
            if waiting and messages[-1]["role"] == "user" != role:
                messages += waiting
                waiting = []
            if messages and messages[-1]["role"] == role and not message.extras:
                messages[-1]["content"] += blocks
            else:
                messages.append({"role": role, "content": blocks, **message.extras})
    messages += waiting
    for written in messages:
        written["content"] = short(written["content"])
    return messages, system


def _thinking_is_gone(message: Message) -> bool:
    """Whether an answer of the history calls a tool and does not say why."""
    return (
        message.role == "assistant"
        and any(isinstance(part, ToolCall) for part in message.parts)
        and not any(isinstance(part, Thinking) for part in message.parts)
    )


def _require_text(message: Message, path: str) -> None:
    for part in message.parts:
        if not isinstance(part, Text | Opaque):
            raise Untranslatable(f"{path}: {described(part)} in a system message; Anthropic takes text there")


def _results_first(message: Message, path: str, ledger: LossLedger) -> tuple[Part, ...]:
    """Tool results before everything else of a turn: the API's order."""
    kinds = [isinstance(part, ToolResult) for part in message.parts]
    if kinds == sorted(kinds, reverse=True):
        return message.parts
    ledger.approximated(f"{path}.parts", "tool results come first in Anthropic's turns", "in between", "first")
    results: list[Any] = [part for part in message.parts if isinstance(part, ToolResult)]
    return (*results, *(part for part in message.parts if not isinstance(part, ToolResult)))
