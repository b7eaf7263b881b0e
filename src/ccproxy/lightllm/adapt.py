"""Brings a request within what its target accepts, before the target's dialect writes it.

Here is everything about "the target cannot say that" that does not depend on how a dialect spells things: one place, so
the rulings hold for every pair of dialects. What may not be left out raises Untranslatable, which names it; what may
be is left out or put another way and recorded. Dialects then write what they get, and record only what is special to
their own spelling.

Strategy: one pass over the messages that copies only what changes (`adapt_parts`), then the tools, then one small
function per field (`adapt_knobs`).
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from ccproxy.errors import Untranslatable
from ccproxy.lightllm.adapt_knobs import adapt_knobs
from ccproxy.lightllm.adapt_parts import PartAdapter
from ccproxy.lightllm.dialect import Capabilities, Target
from ccproxy.lightllm.ir.losses import LossLedger
from ccproxy.lightllm.ir.parts import Opaque, Part, Text, ToolCall, ToolResult
from ccproxy.lightllm.ir.request import CustomTool, FunctionTool, HostedTool, Message, Request, Tool, ToolChoice
from ccproxy.lightllm.json_word import with_json_word
from ccproxy.lightllm.repair import repaired
from ccproxy.lightllm.schema import strict_problem, translate
from ccproxy.lightllm.toolargs import CUSTOM_INPUT
from ccproxy.lightllm.toolnames import Kind, Original, ToolNames

replace = msgspec.structs.replace


class Adapted(msgspec.Struct, frozen=True):
    """A request within the target's capabilities, and what has to be undone or done on the way back."""

    request: Request
    names: ToolNames
    stop: tuple[str, ...]


def adapt(request: Request, dialect: str, target: Target, capabilities: Capabilities, ledger: LossLedger) -> Adapted:
    """`request` for a target of `dialect`. Raises Untranslatable."""
    crossing = request.dialect != dialect
    if target.repair:
        request = replace(request, messages=repaired(request.messages, ledger))
    changes: dict[str, object] = {}
    if target.model:
        changes["model"] = target.model
    if target.stream is not None:
        changes["stream"] = target.stream
    if crossing:
        refuse_unportable(request)
        _drop_extras(request, ledger)
        changes |= {"extras": {}, "dialect": dialect}
        if request.reasoning.extras:
            changes["reasoning"] = replace(request.reasoning, extras={})
    names = ToolNames(capabilities.tool_name, namespaces=capabilities.namespaces, custom=capabilities.custom_tools)
    names.learn(_tools_of(request))
    parts = PartAdapter(dialect, crossing, target.origin or dialect, capabilities, names, ledger)
    if request.system:
        changes["system"] = parts.all(request.system, "system")
    changes["messages"] = _messages(request, crossing, parts, capabilities, ledger)
    tools = _tools(request, dialect, crossing, capabilities, names, ledger)
    changes["tools"] = tools
    if not capabilities.namespaces:
        for name, description in request.namespaces.items():
            if description:
                ledger.dropped(f"namespaces.{name}", "the target has no groups of tools", description)
        changes["namespaces"] = {}
    stop = adapt_knobs(request, capabilities, ledger, changes, crossing=crossing)
    _tool_choice(request, tools, names, capabilities, ledger, changes)
    adapted = replace(request, **changes)
    return Adapted(with_json_word(adapted, capabilities, ledger) if crossing else adapted, names, stop)


def refuse_unportable(request: Request) -> None:
    """Raises Untranslatable for what only the provider of the request's own dialect can do."""
    state = request.state
    for value, what in (
        (state.previous_response, "previous_response_id"),
        (state.conversation, "conversation"),
        (state.background, "background"),
        (state.store, "store"),
        (state.prompt, "prompt"),
        (state.thread, "thread"),
    ):
        if value:
            raise Untranslatable(
                f"{what} refers to what only the provider of the {request.dialect} dialect keeps",
                hint="send the whole conversation, without it",
                param=what,
            )
    if request.candidates is not None and request.candidates > 1:
        raise Untranslatable(
            f"{request.candidates} candidates are asked for and the provider's dialect gives one",
            hint="ask for one, several times",
        )


def _drop_extras(request: Request, ledger: LossLedger) -> None:
    """Records the request's own extras; those of parts are recorded where they stand."""
    reason = f"only the {request.dialect} dialect knows it"
    for name, value in request.extras.items():
        if value is not None:
            ledger.dropped(name, reason, value)
    for name, value in request.reasoning.extras.items():
        if value is not None:
            ledger.dropped(f"reasoning.{name}", reason, value)
    if request.tool_choice is not None:
        for name, value in request.tool_choice.extras.items():
            ledger.dropped(f"tool_choice.{name}", reason, value)


def _tools_of(request: Request) -> list[Original]:
    """Every tool that the request defines or remembers."""
    found: list[Original] = []
    for tool in request.tools:
        if isinstance(tool, FunctionTool | CustomTool):
            found.append(Original(tool.namespace, tool.name, _kind(tool)))
    found += [
        Original(part.namespace, part.name, part.kind)
        for message in request.messages
        for part in message.parts
        if isinstance(part, ToolCall)
    ]
    return found


def _kind(tool: FunctionTool | CustomTool) -> Kind:
    return "custom" if isinstance(tool, CustomTool) else "function"


# Messages


def _messages(
    request: Request, crossing: bool, parts: PartAdapter, capabilities: Capabilities, ledger: LossLedger
) -> tuple[Message, ...]:
    messages: list[Message] = []
    leading = True
    for index, message in _turns(request.messages) if crossing else enumerate(request.messages):
        path = f"messages[{index}]"
        if crossing and message.parts and all(isinstance(part, Opaque) and part.moved for part in message.parts):
            parts.message(message, path)  # records it
            continue
        if message.role in ("user", "assistant"):
            leading = False
        changed = parts.message(message, path)
        if not leading and message.role in ("system", "developer") and not capabilities.system_anywhere:
            ledger.approximated(
                f"{path}.role", "the target takes instructions only at the beginning", message.role, "user"
            )
            changed = Message("user", _between_tags(changed.parts))
        if crossing and not capabilities.result_media and message.role == "user":
            messages += _media_after_results(changed, path, ledger)
        else:
            messages.append(changed)
    return tuple(messages)


def _turns(messages: tuple[Message, ...]) -> Iterator[tuple[int, Message]]:
    """The messages with their numbers. Results that come in a later message of the same turn join the first: targets
    want all results of a turn together, before what else the user says."""
    index = 0
    while index < len(messages):
        first, message = index, messages[index]
        index += 1
        while index < len(messages) and _goes_on(message, messages[index]):
            message = replace(message, parts=(*message.parts, *messages[index].parts))
            index += 1
        yield first, message


def _goes_on(message: Message, after: Message) -> bool:
    return (
        message.role == after.role == "user"
        and any(isinstance(part, ToolResult) for part in after.parts)
        and (message.name, message.extras) == (after.name, after.extras)
    )


def _between_tags(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """Instructions as part of what the user says. A mark at their end stays there."""
    last = parts[-1] if parts else None
    mark = last.cache if isinstance(last, Text) else None
    if all(isinstance(part, Text) for part in parts):
        text = "\n\n".join(part.text for part in parts if isinstance(part, Text))
        return (Text(f"<system>\n{text}\n</system>", cache=mark),)
    return (Text("<system>"), *parts, Text("</system>"))


def _media_after_results(message: Message, path: str, ledger: LossLedger) -> list[Message]:
    """Images and documents of tool results follow in one user message, each under the id of its call."""
    moved: list[Part] = []
    kept: list[Part] = []
    for position, part in enumerate(message.parts):
        if not isinstance(part, ToolResult) or all(isinstance(inner, Text) for inner in part.content):
            kept.append(part)
            continue
        media = [inner for inner in part.content if not isinstance(inner, Text)]
        texts = [inner for inner in part.content if isinstance(inner, Text)]
        for inner in media:
            moved += (Text(f"From the result of tool call {part.call_id}:"), inner)
        note = Text("The result is in the message after the tool results.")
        kept.append(replace(part, content=tuple(texts) or (note,)))
        ledger.approximated(
            f"{path}.parts[{position}].content",
            "tool results of the target hold text only; the rest follows in a user message",
            f"{len(media)} of {len(part.content)} parts",
            "a user message",
        )
    if not moved:
        return [message]
    results = [part for part in kept if isinstance(part, ToolResult)]
    others = [part for part in kept if not isinstance(part, ToolResult)]
    return [replace(message, parts=tuple(results)), replace(message, parts=(*moved, *others))]


# Tools


def _tools(
    request: Request,
    dialect: str,
    crossing: bool,
    capabilities: Capabilities,
    names: ToolNames,
    ledger: LossLedger,
) -> tuple[Tool, ...]:
    tools: list[Tool] = []
    for index, tool in enumerate(request.tools):
        path = f"tools[{index}]"
        match tool:
            case HostedTool():
                if tool.dialect != dialect and tool.kind not in capabilities.hosted_tools:
                    ledger.dropped(f"{path}.{tool.kind}", f"only the {tool.dialect} dialect has this tool", tool.name)
                    continue
                tools.append(tool)
            case FunctionTool():
                if crossing and tool.extras:
                    _drop_tool_extras(tool.extras, path, request.dialect, ledger)
                    tool = replace(tool, extras={})
                if tool.cache is not None and crossing and not capabilities.cache_marks:
                    ledger.dropped(f"{path}.cache_control", "the target has no cache marks", tool.cache.ttl or None)
                    tool = replace(tool, cache=None)
                if crossing:
                    tool = _schema_of_tool(tool, path, capabilities, ledger)
                tools.append(_named(tool, names, capabilities))
            case CustomTool():
                if crossing and tool.extras:
                    _drop_tool_extras(tool.extras, path, request.dialect, ledger)
                    tool = replace(tool, extras={})
                tools.append(_custom(tool, path, names, capabilities, ledger))
    return tuple(tools)


def _drop_tool_extras(extras: dict[str, object], path: str, dialect: str, ledger: LossLedger) -> None:
    for name, value in extras.items():
        if value is not None:
            ledger.dropped(f"{path}.{name}", f"only the {dialect} dialect knows it", value)


def _schema_of_tool(tool: FunctionTool, path: str, capabilities: Capabilities, ledger: LossLedger) -> FunctionTool:
    """The tool with a schema that the target takes; not strict where the target cannot be bound to it."""
    strict = tool.strict
    if tool.schema is None:
        return tool
    if strict and (reason := strict_problem(tool.schema, capabilities.strict_schema)):
        ledger.approximated(f"{path}.strict", f"the target's strict schemas are narrower: {reason}", True, False)
        strict = False
    rules = capabilities.strict_schema if strict else capabilities.schema
    schema = translate(tool.schema, rules, f"{path}.schema", ledger)
    return tool if schema is tool.schema and strict is tool.strict else replace(tool, schema=schema, strict=strict)


def _named(tool: FunctionTool, names: ToolNames, capabilities: Capabilities) -> FunctionTool:
    name = names.target(tool.name, tool.namespace)
    if name == tool.name and (capabilities.namespaces or not tool.namespace):
        return tool
    return replace(tool, name=name, namespace=tool.namespace if capabilities.namespaces else "")


def _custom(
    tool: CustomTool, path: str, names: ToolNames, capabilities: Capabilities, ledger: LossLedger
) -> CustomTool | FunctionTool:
    name = names.target(tool.name, tool.namespace, "custom")
    namespace = tool.namespace if capabilities.namespaces else ""
    if capabilities.custom_tools:
        return replace(tool, name=name, namespace=namespace)
    description = tool.description
    if tool.grammar:
        ledger.approximated(f"{path}.format", "the target cannot bind a tool's text to a grammar", tool.syntax)
        description = f"{description}\n\nThe input must match this {tool.syntax} grammar:\n{tool.grammar}".strip()
    schema = {
        "type": "object",
        "properties": {CUSTOM_INPUT: {"type": "string", "description": "The tool's input, as plain text."}},
        "required": [CUSTOM_INPUT],
        "additionalProperties": False,
    }
    return FunctionTool(name, schema, description, namespace=namespace)


def _tool_choice(
    request: Request,
    tools: tuple[Tool, ...],
    names: ToolNames,
    capabilities: Capabilities,
    ledger: LossLedger,
    changes: dict[str, object],
) -> None:
    choice = request.tool_choice
    if choice is not None:
        if request.dialect != changes.get("dialect", request.dialect):
            choice = replace(choice, extras={})
        kinds = {tool.name: tool for tool in request.tools if isinstance(tool, FunctionTool | CustomTool)}

        def renamed(name: str) -> str:
            tool = kinds.get(name)
            return names.target(name, tool.namespace, _kind(tool)) if tool is not None else name

        if choice.name:
            choice = replace(choice, name=renamed(choice.name))
        if choice.allowed:
            if not capabilities.allowed_tools:
                ledger.approximated(
                    "tool_choice.allowed", "the target cannot narrow the choice to several tools", list(choice.allowed)
                )
                choice = replace(choice, allowed=())
            else:
                choice = replace(choice, allowed=tuple(renamed(name) for name in choice.allowed))
        left = {tool.name for tool in tools}
        if request.tools and not tools:
            ledger.dropped("tool_choice", "no tool is left to choose", choice.mode)
            choice = None
        elif choice.mode == "tool" and choice.name not in left and request.tools:
            ledger.approximated("tool_choice.name", "the target does not have this tool", choice.name, "auto")
            choice = ToolChoice("auto")
        elif choice.mode in ("required", "tool") and not capabilities.forced_calls:
            ledger.approximated("tool_choice", "the target cannot be made to call a tool", choice.mode, "auto")
            choice = ToolChoice("auto")
        changes["tool_choice"] = choice
    if request.parallel_tools is False and not capabilities.parallel_control:
        ledger.dropped("parallel_tool_calls", "the target cannot forbid parallel calls", False)
        changes["parallel_tools"] = None
