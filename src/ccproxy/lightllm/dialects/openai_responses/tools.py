"""Tool definitions and tool choice, both ways.

Groups (`namespace`) are taken apart in the IR, where each tool names its group, and put together again: neighbours of
one group are one entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ccproxy.lightllm.dialects.openai_responses import builtin
from ccproxy.lightllm.dialects.openai_responses.content import NAME
from ccproxy.lightllm.fields import Fields, ShapeError, as_list, as_object, as_text
from ccproxy.lightllm.ir.losses import LossLedger
from ccproxy.lightllm.ir.parts import JsonObject, Opaque
from ccproxy.lightllm.ir.request import CustomTool, FunctionTool, HostedTool, Message, Request, Tool, ToolChoice

#: How the types of tools that OpenAI defines begin, and what the tool is in our words.
_KINDS = {
    "web_search": "web_search",
    "code_interpreter": "code_execution",
    "computer": "computer",
    "file_search": "file_search",
    "image_generation": "image_generation",
    "tool_search": "tool_search",
    "mcp": "mcp",
}


def read_tools(values: list[Any], groups: dict[str, JsonObject], where: str = "tools") -> tuple[Tool, ...]:
    """`tools`. What is said about each group goes to `groups`, by name."""
    tools: list[Tool] = []
    for index, value in enumerate(values):
        path = f"{where}[{index}]"
        raw = as_object(value, path)
        if raw.get("type") != "namespace":
            tools.append(_read(raw, path, ""))
            continue
        fields = Fields(raw, path)
        fields.value("type")
        name, inner = fields.required_text("name"), fields.items("tools")
        groups[name] = fields.rest()
        tools += [
            _read(as_object(one, f"{path}.tools[{i}]"), f"{path}.tools[{i}]", name) for i, one in enumerate(inner)
        ]
    named = {tool.name for tool in tools if isinstance(tool, FunctionTool | CustomTool) and "type" not in tool.extras}
    return tuple(
        _hosted(tool.extras)
        if isinstance(tool, FunctionTool) and "type" in tool.extras and tool.name in named
        else tool
        for tool in tools
    )


def _read(raw: JsonObject, path: str, namespace: str) -> Tool:
    kind = as_text(raw.get("type"), f"{path}.type")
    fields = Fields(raw, path)
    fields.value("type")
    if kind == "function":
        strict = fields.flag("strict")
        tool = FunctionTool(
            name=fields.required_text("name"),
            schema=fields.mapping("parameters"),
            description=fields.text("description"),
            strict=strict,
            namespace=namespace,
            extras=fields.rest(),
        )
        if strict is None:
            # Absent is not false here: OpenAI then tries to be strict.
            tool.extras["strict"] = None
        return tool
    if kind == "custom":
        given = fields.fields("format")
        form = given.text("type", "text")
        if form not in ("text", "grammar"):
            raise ShapeError(f"{path}.format.type: {form[:40]!r} is not known")
        return CustomTool(
            name=fields.required_text("name"),
            description=fields.text("description"),
            syntax=given.text("syntax"),
            grammar=given.text("definition"),
            namespace=namespace,
            extras=fields.rest(),
        )
    if namespace:
        return HostedTool(NAME, kind, "", {"type": "namespace", "name": namespace, "tools": [raw]})
    return builtin.read_tool(raw) or _hosted(raw)


def _hosted(raw: JsonObject) -> HostedTool:
    kind = str(raw["type"])
    known = next((word for beginning, word in _KINDS.items() if kind.startswith(beginning)), kind)
    label = raw.get("server_label")
    return HostedTool(NAME, known, label if kind == "mcp" and isinstance(label, str) else known, raw)


def additional_tools(messages: Sequence[Message], groups: dict[str, JsonObject]) -> tuple[Tool, ...]:
    """The tools that items of the conversation bring; of several with one name the last counts."""
    found: dict[tuple[str, str], Tool] = {}
    for index, message in enumerate(messages):
        for part in message.parts:
            if not isinstance(part, Opaque) or not part.moved:
                continue
            where = f"input.{part.type}[{index}].tools"
            for tool in read_tools(as_list(part.raw.get("tools") or [], where), groups, where):
                group = "" if isinstance(tool, HostedTool) else tool.namespace
                found[group, tool.name] = tool
    return tuple(found.values())


def write_tools(request: Request, ledger: LossLedger) -> list[JsonObject]:
    """`tools`, without those that items of the conversation bring, which are the first ones."""
    written: list[JsonObject] = []
    open_group = ""
    brought = len(additional_tools(request.messages, {}))
    seen = {tool.namespace for tool in request.tools[:brought] if not isinstance(tool, HostedTool)}
    for index, tool in enumerate(request.tools):
        if index < brought:
            continue
        namespace = "" if isinstance(tool, HostedTool) else tool.namespace
        entry = write_tool(tool, f"tools[{index}]", ledger)
        if not namespace:
            written.append(entry)
        elif namespace == open_group:
            written[-1]["tools"].append(entry)
        else:
            seen.add(namespace)
            written.append(_group(namespace, request, [entry]))
        open_group = namespace
    return written + [_group(name, request, []) for name in request.namespaces if name not in seen]


def _group(name: str, request: Request, tools: list[JsonObject]) -> JsonObject:
    description = request.namespaces.get(name) or f"Tools of {name}."
    further: JsonObject = (request.extras.get("namespaces") or {}).get(name, {})
    return {"type": "namespace", "name": name, "description": description, **further, "tools": tools}


def write_tool(tool: Tool, path: str, ledger: LossLedger) -> JsonObject:
    """One tool, without its group."""
    match tool:
        case FunctionTool():
            if tool.extras.get("type") in builtin.TOOLS:
                return dict(tool.extras)
            return _function(tool)
        case CustomTool():
            written: JsonObject = {"type": "custom", "name": tool.name}
            if tool.description:
                written["description"] = tool.description
            if tool.grammar:
                written["format"] = {"type": "grammar", "syntax": tool.syntax, "definition": tool.grammar}
            return written | tool.extras
        case HostedTool():
            if tool.dialect == NAME:
                return tool.raw
            settings = sorted(name for name in tool.raw if name not in ("type", "name"))
            if settings:
                ledger.dropped(f"{path}.settings", "they are another provider's", settings)
            return {"type": "web_search"}


def _function(tool: FunctionTool) -> JsonObject:
    schema = tool.schema or {}
    if schema.get("type") != "object" or "properties" not in schema:
        schema = {**schema, "type": "object", "properties": schema.get("properties", {})}
    written: JsonObject = {"type": "function", "name": tool.name}
    if tool.description:
        written["description"] = tool.description
    return {**written, "parameters": schema, "strict": bool(tool.strict), **tool.extras}


# Choice


def read_tool_choice(value: object, tools: tuple[Tool, ...]) -> ToolChoice | None:
    """`tool_choice`: a word, or an object."""
    if value is None:
        return None
    if isinstance(value, str):
        if value in ("auto", "required", "none"):
            return ToolChoice(value)  # type: ignore[arg-type]
        raise ShapeError(f"tool_choice: {value[:40]!r} is not known")
    fields = Fields(value, "tool_choice")
    kind = fields.required_text("type")
    if kind in ("function", "custom"):
        return ToolChoice("tool", fields.required_text("name"), extras=fields.rest())
    if kind == "allowed_tools":
        mode = fields.text("mode", "auto")
        if mode not in ("auto", "required"):
            raise ShapeError(f"tool_choice.mode: {mode[:40]!r} is not known")
        allowed = [_name(one, f"tool_choice.tools[{i}]") for i, one in enumerate(fields.items("tools"))]
        return ToolChoice(mode, allowed=tuple(allowed), extras=fields.rest())  # type: ignore[arg-type]
    if kind == "mcp":
        return ToolChoice("tool", fields.required_text("server_label"), extras=fields.rest())
    return ToolChoice("tool", _name({"type": kind}, "tool_choice"), extras=fields.rest())


def _name(value: object, path: str) -> str:
    """What the tool that an entry means is called in the IR."""
    fields = Fields(value, path)
    kind = fields.required_text("type")
    if kind in ("function", "custom", "namespace"):
        return fields.required_text("name")
    if kind in builtin.TOOLS:
        return kind
    return fields.text("server_label") or _hosted({"type": kind}).name


def write_tool_choice(request: Request) -> object:
    """`tool_choice`, or None when nothing was said about it."""
    choice = request.tool_choice
    if choice is None:
        return None
    if choice.mode == "tool":
        return _entry(choice.name, request.tools) | choice.extras
    if choice.allowed:
        tools = [_entry(name, request.tools) for name in choice.allowed]
        return {"type": "allowed_tools", "mode": choice.mode, "tools": tools, **choice.extras}
    return choice.mode


def _entry(name: str, tools: tuple[Tool, ...]) -> JsonObject:
    for tool in tools:
        if tool.name != name:
            continue
        if isinstance(tool, HostedTool):
            kind = tool.raw["type"] if tool.dialect == NAME else "web_search"
            return {"type": kind, **({"server_label": name} if kind == "mcp" else {})}
        if tool.extras.get("type") in builtin.TOOLS:
            return {"type": tool.extras["type"]}
        return {"type": "custom" if isinstance(tool, CustomTool) else "function", "name": name}
    return {"type": "function", "name": name}
