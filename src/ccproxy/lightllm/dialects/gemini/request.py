"""Requests: `generateContent`, `streamGenerateContent` and `countTokens`, read into the IR and written from it, by
themselves or inside of Code Assist's `{"model", "project", "request": {...}}`.

Declared normalisations of reading and writing back: names are in camelCase; the model stands in the path (and in the
envelope); neighbouring contents of one role are one, tool results first; empty texts are left out; the system
instruction has no role; null is absent; neighbouring function declarations are one entry of `tools`, and each tool of
Google's is one; types of `parameters` are in capitals, counts are numbers; arguments are compact JSON; an unsaid mode of
function calling is AUTO.
"""

from __future__ import annotations

import msgspec

from ccproxy.errors import BadRequest, Untranslatable
from ccproxy.lightllm.dialect import Capabilities, Target
from ccproxy.lightllm.dialects.gemini.openapi import from_openapi, to_openapi
from ccproxy.lightllm.dialects.gemini.read import read_part
from ccproxy.lightllm.dialects.gemini.spelling import NAME, camel, fields_of, said
from ccproxy.lightllm.dialects.gemini.thinking import read_thinking, write_thinking
from ccproxy.lightllm.dialects.gemini.tools import read_tool_choice, read_tools, write_tool_choice, write_tools
from ccproxy.lightllm.dialects.gemini.turns import read_turns
from ccproxy.lightllm.dialects.gemini.write import write_parts
from ccproxy.lightllm.fields import Fields, ShapeError, as_list
from ccproxy.lightllm.ir.losses import LossLedger
from ccproxy.lightllm.ir.parts import JsonObject, Opaque, Part, Text, Thinking, ToolCall, ToolResult
from ccproxy.lightllm.ir.request import Message, Output, Request, Sampling, State
from ccproxy.lightllm.jsontext import JsonError, dumps, loads
from ccproxy.lightllm.schema import translate
from ccproxy.lightllm.schema_rules import GEMINI_OPENAPI

#: The mark among a request's extras that it came in an envelope.
ENVELOPE = "request"
_CONFIG = "generationConfig."
_SCHEMA = f"{_CONFIG}responseSchema"
_SAMPLING = {
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "frequency_penalty": "frequencyPenalty",
    "presence_penalty": "presencePenalty",
    "seed": "seed",
}


def read_request(body: bytes, model: str, stream: bool | None) -> Request:
    """The request in `body`. Raises BadRequest that names the field at fault."""
    try:
        return _read(fields_of(loads(body), ""), model, stream)
    except JsonError as problem:
        raise BadRequest(f"the body is not JSON: {problem}") from None
    except ShapeError as problem:
        raise BadRequest(str(problem)) from None
    except RecursionError:
        raise BadRequest("the body is nested too deeply") from None


def _read(fields: Fields, model: str, stream: bool | None) -> Request:
    outer: JsonObject = {}
    if not fields.has("contents"):
        inner = next((name for name in ("request", "generateContentRequest") if fields.has(name)), "")
        if inner:
            given = fields_of(fields.value(inner), inner)
            model = model or fields.text("model")
            fields.value("model")
            if inner == ENVELOPE:
                outer = {ENVELOPE: None} | fields.rest()
            fields = given
    named = fields.text("model").removeprefix("models/")
    config = fields_of(fields.value("generationConfig") or {}, "generationConfig")
    tool_config = fields_of(fields.value("toolConfig") or {}, "toolConfig")
    choice = read_tool_choice(tool_config)
    output, marks = _read_output(config)
    contents = fields.value("contents")
    request = Request(
        model=model.removeprefix("models/") or named,
        dialect=NAME,
        messages=read_turns(contents),
        system=_system(fields.value("systemInstruction")),
        tools=read_tools(fields.items("tools")),
        tool_choice=choice,
        max_tokens=config.integer("maxOutputTokens"),
        sampling=Sampling(
            config.number("temperature"),
            config.number("topP"),
            config.number("topK"),
            config.number("frequencyPenalty"),
            config.number("presencePenalty"),
            config.integer("seed"),
        ),
        stop=config.texts("stopSequences"),
        output=output,
        reasoning=read_thinking(config.value("thinkingConfig"), config.where("thinkingConfig")),
        stream=bool(stream),
        candidates=config.integer("candidateCount"),
        state=State(
            previous_response=fields.text("continuationToken"),
            store=fields.flag("store"),
            prompt=fields.text("cachedContent"),
        ),
        extras=outer | marks,
    )
    for name, value in config.rest().items():
        request.extras[f"{_CONFIG}{name}"] = value
    for name, value in tool_config.rest().items():
        request.extras[f"toolConfig.{name}"] = value
    request.extras.update(fields.rest())
    return request


def _read_output(config: Fields) -> tuple[Output, JsonObject]:
    kind = config.text("responseMimeType")
    schema = config.mapping("responseJsonSchema")
    marks: JsonObject = {}
    if schema is None and (given := config.mapping("responseSchema")) is not None:
        schema, marks = from_openapi(given), {_SCHEMA: None}
    if kind not in ("", "application/json"):
        # text/plain, or text/x.enum with a schema of its own kind.
        marks[f"{_CONFIG}responseMimeType"] = kind
    if schema is not None:
        return Output("schema", schema), marks
    return Output("json" if kind == "application/json" else "text"), marks


def _system(value: object) -> tuple[Part, ...]:
    if value is None:
        return ()
    if type(value) is str:
        return (Text(value),)
    fields = fields_of(value, "systemInstruction")
    items = fields.value("parts")
    items = [items] if type(items) is dict else [] if items is None else as_list(items, "systemInstruction.parts")
    return tuple(read_part(item, f"systemInstruction.parts[{i}]") for i, item in enumerate(items))


# Writing


def write_request(request: Request, target: Target, capabilities: Capabilities, ledger: LossLedger) -> bytes:
    """The body of a generation. `request` is adapted. Contents stand last, so that what a conversation repeats is a
    prefix of the next request."""
    body = _body(request, capabilities, ledger)
    extras = said(request.extras)
    config: JsonObject = {}
    if request.max_tokens is not None:
        config["maxOutputTokens"] = request.max_tokens
    for name, word in _SAMPLING.items():
        value = getattr(request.sampling, name)
        if value is not None:
            config[word] = value
    if request.stop:
        config["stopSequences"] = list(request.stop)
    if request.candidates is not None:
        config["candidateCount"] = request.candidates
    config |= _write_output(request, capabilities, ledger)
    if (thinking := write_thinking(request.reasoning, capabilities, ledger)) is not None:
        config["thinkingConfig"] = thinking
    holders: dict[str, JsonObject] = {"generationConfig": config, "toolConfig": body.pop("toolConfig", {})}
    outer: JsonObject = {}
    wrapped = _wrapped(request, capabilities)
    state = request.state
    for name, given in (
        ("cachedContent", state.prompt),
        ("store", state.store),
        ("continuationToken", state.previous_response),
        ("session_id", request.cache_key if wrapped else ""),
    ):
        if given:
            outer[name] = given
    envelope: JsonObject = {}
    for name, value in extras.items():
        holder, dot, inner = name.partition(".")
        if dot and holder in holders:
            holders[holder][inner] = value
        elif wrapped and name in ("project", "userPromptId", "enabledCreditTypes"):
            envelope[_ENVELOPE_NAMES[name]] = value
        elif name == "sessionId" and wrapped:
            outer["session_id"] = value
        elif not wrapped and (name in _ENVELOPE_NAMES or name == "sessionId"):
            ledger.dropped("request.envelope", "only Code Assist has it", name)
        else:
            outer[name] = value
    written: JsonObject = {}
    for name, holder_value in holders.items():
        if holder_value:
            written[name] = holder_value
    written |= outer | body
    written["contents"] = written.pop("contents")
    if wrapped:
        return dumps({"model": request.model, **envelope, "request": written})
    return dumps(written)


#: Fields of the envelope, as the API spells them.
_ENVELOPE_NAMES = {
    "project": "project",
    "userPromptId": "user_prompt_id",
    "enabledCreditTypes": "enabled_credit_types",
}


def _wrapped(request: Request, capabilities: Capabilities) -> bool:
    return ENVELOPE in request.extras if capabilities.envelope is None else capabilities.envelope


def write_count_request(request: Request, target: Target, capabilities: Capabilities, ledger: LossLedger) -> bytes:
    """The body of a token count: what counts, and nothing of how to generate. Thoughts do not count, and the method
    refuses them."""
    messages = tuple(
        msgspec.structs.replace(message, parts=tuple(part for part in message.parts if not isinstance(part, Thinking)))
        for message in request.messages
    )
    body = _body(msgspec.structs.replace(request, messages=messages), capabilities, ledger)
    model = f"models/{request.model}"
    if _wrapped(request, capabilities):
        return dumps({"request": {"model": model, "contents": body["contents"]}})
    return dumps({"generateContentRequest": {"model": model, **body}})


def _body(request: Request, capabilities: Capabilities, ledger: LossLedger) -> JsonObject:
    """Tools, system instruction and contents."""
    body: JsonObject = {}
    contents, system = _conversation(request, ledger)
    if tools := write_tools(request, capabilities, ledger):
        body["tools"] = tools
    if (choice := write_tool_choice(request, ledger)) is not None:
        body["toolConfig"] = {"functionCallingConfig": choice}
    if system:
        body["systemInstruction"] = {"parts": system}
    body["contents"] = contents
    return body


def _write_output(request: Request, capabilities: Capabilities, ledger: LossLedger) -> JsonObject:
    output = request.output
    if output.form == "text":
        return {}
    written: JsonObject = {"responseMimeType": "application/json"}
    if output.form == "json" or output.schema is None:
        return written
    schema = dict(output.schema)
    if output.name:
        schema.setdefault("title", output.name)
    if output.description:
        schema.setdefault("description", output.description)
    if output.strict is False:
        ledger.approximated("output.strict", "Gemini always holds to the schema", False, True)
    if _SCHEMA in request.extras:
        written["responseSchema"] = to_openapi(schema)
    elif capabilities.output_schema == GEMINI_OPENAPI:
        written["responseSchema"] = to_openapi(translate(schema, GEMINI_OPENAPI, "output.schema", ledger))
    else:
        written["responseJsonSchema"] = schema
    return written


def _conversation(request: Request, ledger: LossLedger) -> tuple[list[JsonObject], list[JsonObject]]:
    """Contents and the parts of the system instruction."""
    system = write_parts(request.system, "system", ledger)
    contents: list[JsonObject] = []
    names: dict[str, str] = {}
    for index, message in enumerate(request.messages):
        path = f"messages[{index}]"
        names |= {part.id: part.name for part in message.parts if isinstance(part, ToolCall)}
        if message.name:
            ledger.dropped(f"{path}.name", "Gemini has no names of speakers", message.name)
        if message.role in ("system", "developer"):
            _require_text(message, path)
            parts = write_parts(message.parts, f"{path}.parts", ledger)
            if not contents:
                system += parts
                continue
            role = "user"
        else:
            ordered = _results_first(message, path, ledger) if message.role == "user" else message.parts
            parts = write_parts(ordered, f"{path}.parts", ledger, names)
            role = "model" if message.role == "assistant" else "user"
        if not parts:
            ledger.repaired(f"messages[{index}]", "a message without content, which Gemini does not take")
        elif contents and contents[-1]["role"] == role and not message.extras:
            contents[-1]["parts"] += parts
        else:
            contents.append({"role": role, "parts": parts, **camel(message.extras, path)})
    return contents, system


def _require_text(message: Message, path: str) -> None:
    for part in message.parts:
        if not isinstance(part, Text | Opaque):
            raise Untranslatable(
                f"{path}: a {type(part).__name__.lower()} in a system message; Gemini takes text there"
            )


def _results_first(message: Message, path: str, ledger: LossLedger) -> tuple[Part, ...]:
    """Tool results before everything else of a turn: the API wants them right after the calls."""
    kinds = [isinstance(part, ToolResult) for part in message.parts]
    if kinds == sorted(kinds, reverse=True):
        return message.parts
    ledger.approximated(f"{path}.parts", "tool results come first in Gemini's turns", "in between", "first")
    first = [part for part in message.parts if isinstance(part, ToolResult)]
    return (*first, *(part for part in message.parts if not isinstance(part, ToolResult)))
