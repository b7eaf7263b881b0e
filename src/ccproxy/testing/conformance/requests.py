"""What must be the same of a request before and after it went through another dialect: equal, or declared.

Each aspect names the losses that excuse it. The values that two dialects measure in different units (effort words and
budgets of thinking) are not compared, only whether they were asked for.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ccproxy.lightllm.dialect import Encoded
from ccproxy.lightllm.ir.parts import (
    Audio,
    Document,
    Image,
    JsonObject,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from ccproxy.lightllm.ir.request import CustomTool, FunctionTool, HostedTool, Request
from ccproxy.lightllm.toolargs import to_object, wrap_custom
from ccproxy.lightllm.toolnames import Kind

_SAMPLING = ("temperature", "top_p", "top_k", "frequency_penalty", "presence_penalty", "seed")


def gaps(source: Request, encoded: Encoded, arrived: Request, *, thinks: bool = True) -> list[str]:
    """What of `source` is neither in `arrived` (what the target's dialect reads in `encoded.body`) nor among the losses.
    `thinks` says whether the target can think at all: if not, nothing need tell it not to."""
    paths = [loss.path for loss in encoded.losses]
    lost = {loss.name for loss in encoded.losses}
    missing: list[str] = []

    def same(what: str, before: object, after: object, *excuses: str) -> None:
        if before != after and not lost & set(excuses):
            missing.append(f"{what}: {before!r} became {after!r}")

    missing += _texts(source, arrived)
    same("tool calls", _calls(source, encoded), _calls(arrived, None), "arguments")
    same("the calls that results belong to", _answered(source), _answered(arrived))
    same("images and recordings", _media(source), _media(arrived))
    if not lost & {"document", "context"}:
        missing += [f"the document {data!r}" for data in (_documents(source) - _documents(arrived))]
    if _thinking(source) and not lost & {"thinking", "signature", "reasoning_content"}:
        there = "\n".join(_thinking(arrived))
        missing += [f"thinking: {text!r}" for text in _thinking(source) if text not in there]
    missing += _tools(source, encoded, arrived, lost, paths)
    missing += _knobs(source, encoded, arrived, lost, paths)
    wanted, asked = _thinks(source), _thinks(arrived)
    if (wanted or (thinks and wanted is False)) and not lost & {"reasoning", "mode", "effort", "budget", "summary"}:
        same("thinking", wanted, asked)
    for name, value in source.extras.items():
        if value is not None and name not in paths and source.dialect != arrived.dialect:
            missing.append(f"{name}: {value!r}, which only the {source.dialect} dialect knows")
    return missing


def _knobs(source: Request, encoded: Encoded, arrived: Request, lost: set[str], paths: Sequence[str]) -> list[str]:
    missing: list[str] = []

    def same(what: str, before: object, after: object, *excuses: str) -> None:
        if before not in (None, "", {}, ()) and before != after and not lost & set(excuses):
            missing.append(f"{what}: {before!r} became {after!r}")

    for name in _SAMPLING:
        same(name, getattr(source.sampling, name), getattr(arrived.sampling, name), name)
    same("max_tokens", source.max_tokens, arrived.max_tokens, "max_tokens")
    watched = {*arrived.stop, *encoded.stop}
    missing += [f"the stop sequence {stop!r}" for stop in source.stop if stop and stop not in watched]
    if (
        source.parallel_tools is False
        and source.tools
        and not (source.tool_choice and source.tool_choice.mode == "none")
    ):
        same("parallel tools", False, arrived.parallel_tools, "parallel_tool_calls", "tool_choice")
    if source.output.form != "text":
        same("the form of the answer", source.output.form, arrived.output.form, "schema", "form")
        if not any(path.startswith("output") for path in paths):
            same("the schema of the answer", _unnamed(source.output.schema), _unnamed(arrived.output.schema))
    same("verbosity", source.output.verbosity, arrived.output.verbosity, "verbosity")
    same("cache key", source.cache_key, arrived.cache_key, "prompt_cache_key")
    same("user", source.user, arrived.user, "user")
    same("metadata", source.metadata, arrived.metadata, "metadata")
    return missing


def _unnamed(schema: JsonObject | None) -> JsonObject:
    """A schema without its title and description, where dialects without a place for a name keep it."""
    return {name: value for name, value in (schema or {}).items() if name not in ("title", "description")}


def _tools(source: Request, encoded: Encoded, arrived: Request, lost: set[str], paths: Sequence[str]) -> list[str]:
    missing: list[str] = []
    after = {tool.name: tool for tool in arrived.tools if isinstance(tool, FunctionTool | CustomTool)}
    for index, tool in enumerate(source.tools):
        if isinstance(tool, HostedTool):
            there = any(isinstance(other, HostedTool) and other.kind == tool.kind for other in arrived.tools)
            if not there and tool.kind not in lost:
                missing.append(f"the tool {tool.kind}")
            continue
        kind: Kind = "custom" if isinstance(tool, CustomTool) else "function"
        found = after.get(encoded.names.target(tool.name, tool.namespace, kind))
        if found is None:
            missing.append(f"the tool {tool.name}")
            continue
        if tool.description not in found.description:
            missing.append(f"the description of the tool {tool.name}")
        declared = any(path.startswith((f"tools[{index}].schema", f"tools[{index}].strict")) for path in paths)
        if isinstance(tool, FunctionTool) and isinstance(found, FunctionTool) and not declared:
            properties = (tool.schema or {}).get("properties")
            if properties and properties != (found.schema or {}).get("properties"):
                missing.append(f"the schema of the tool {tool.name}")
    choice = source.tool_choice.mode if source.tool_choice else "auto"
    arrived_choice = arrived.tool_choice.mode if arrived.tool_choice else "auto"
    # `none` may be said by leaving the tools out.
    unsaid = not source.tools or (choice == "none" and not arrived.tools)
    if choice != arrived_choice and not unsaid and not lost & {"tool_choice", "allowed", "name"}:
        missing.append(f"the choice of tools: {choice} became {arrived_choice}")
    return missing


def _texts(source: Request, arrived: Request) -> list[str]:
    """Texts that did not arrive. Within the turns of the conversation they have to arrive in their order."""
    everything = "\n".join(_said(arrived.system, *(message.parts for message in arrived.messages)))
    missing = [
        f"text: {text!r}"
        for text in _said(source.system, *(message.parts for message in source.messages))
        if not text.isspace() and text not in everything
    ]
    for role in ("user", "assistant"):
        place = 0
        turns = "\n".join(
            _said(*(message.parts for message in arrived.messages if message.role == role), results=False)
        )
        for text in _said(*(message.parts for message in source.messages if message.role == role), results=False):
            if text.isspace() or f"text: {text!r}" in missing:
                continue
            found = turns.find(text, place)
            if found < 0:
                missing.append(f"text in its order ({role}): {text!r}")
                break
            place = found + len(text)
    return missing


def _said(*groups: Iterable[Part], results: bool = True) -> Iterator[str]:
    for parts in groups:
        for part in parts:
            match part:
                case Text() | Refusal():
                    if part.text:
                        yield part.text
                case ToolResult() if results:
                    yield from _said(part.content)
                case Document():
                    yield from _said(part.parts)
                case _:
                    pass


def _parts(request: Request) -> Iterator[Part]:
    for message in request.messages:
        for part in message.parts:
            yield part
            if isinstance(part, ToolResult):
                yield from part.content


def _calls(request: Request, encoded: Encoded | None) -> list[tuple[str, Any]]:
    """Name (as the target knows it) and arguments of each call."""
    found: list[tuple[str, Any]] = []
    for part in _parts(request):
        if not isinstance(part, ToolCall):
            continue
        name, args = part.name, part.args
        if encoded is not None:
            name = encoded.names.target(part.name, part.namespace, part.kind)
            went = next(
                (one for one in _parts(encoded.request) if isinstance(one, ToolCall) and one.id == part.id), part
            )
            if part.kind == "custom" and went.kind == "function":
                args = wrap_custom(args)
        found.append((name, to_object(args)[0]))
    return found


def _answered(request: Request) -> list[int | None]:
    """For each tool result, which of the calls it belongs to."""
    calls = [part.id for part in _parts(request) if isinstance(part, ToolCall)]
    return [
        calls.index(part.call_id) if part.call_id in calls else None
        for part in _parts(request)
        if isinstance(part, ToolResult)
    ]


def _media(request: Request) -> list[str]:
    return sorted(part.source.data for part in _parts(request) if isinstance(part, Image | Audio))


def _documents(request: Request) -> Counter[str]:
    """The documents' content. A text is the same in plain and as base64."""
    return Counter(
        base64.b64encode(part.source.data.encode()).decode() if part.source.kind == "text" else part.source.data
        for part in _parts(request)
        if isinstance(part, Document) and part.source is not None
    )


def _thinking(request: Request) -> list[str]:
    return [part.text for part in _parts(request) if isinstance(part, Thinking) and part.text]


def _thinks(request: Request) -> bool | None:
    reasoning = request.reasoning
    if not reasoning.mode and not reasoning.effort and reasoning.budget is None:
        return None
    return reasoning.mode != "off"
