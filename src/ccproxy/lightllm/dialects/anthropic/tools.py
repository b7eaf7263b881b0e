"""Tool definitions and tool choice, both ways."""

from __future__ import annotations

from collections.abc import Sequence

from ccproxy.lightllm.dialects.anthropic.read import NAME, read_cache
from ccproxy.lightllm.dialects.anthropic.write import write_cache
from ccproxy.lightllm.fields import Fields, ShapeError
from ccproxy.lightllm.ir.losses import LossLedger
from ccproxy.lightllm.ir.parts import JsonObject
from ccproxy.lightllm.ir.request import CustomTool, FunctionTool, HostedTool, Request, Tool, ToolChoice

#: How the versioned types of provider-defined tools begin, and what the tool is in our words.
_KINDS = {
    "web_search_": "web_search",
    "web_fetch_": "web_fetch",
    "code_execution_": "code_execution",
    "bash_": "bash",
    "text_editor_": "text_editor",
    "computer_": "computer",
    "browser_": "browser",
    "memory_": "memory",
    "tool_search_": "tool_search",
}

#: The definition that stands for another dialect's web search.
_WEB_SEARCH = {"type": "web_search_20250305", "name": "web_search"}


def read_tool(value: object, path: str) -> Tool:
    """One entry of `tools`."""
    fields = Fields(value, path)
    kind = fields.text("type")
    if kind in ("", "custom"):
        mark = fields.mapping("cache_control")
        return FunctionTool(
            name=fields.required_text("name"),
            schema=fields.mapping("input_schema"),
            description=fields.text("description"),
            strict=fields.flag("strict"),
            cache=None if mark is None else read_cache(mark, fields.where("cache_control")),
            extras=fields.rest(),
        )
    name = fields.text("name")
    known = next((word for beginning, word in _KINDS.items() if kind.startswith(beginning)), kind)
    return HostedTool(NAME, known, name, {"type": kind, **({"name": name} if name else {}), **fields.rest()})


def write_tools(tools: Sequence[Tool], ledger: LossLedger) -> list[JsonObject]:
    """`tools`, whose names must be unique: another dialect's search gives way to a tool that has its name."""
    taken = {tool.name for tool in tools if not isinstance(tool, HostedTool)}
    written: list[JsonObject] = []
    for index, tool in enumerate(tools):
        path = f"tools[{index}]"
        if isinstance(tool, HostedTool) and tool.dialect != NAME:
            if _WEB_SEARCH["name"] in taken:
                ledger.dropped(f"{path}.web_search", "another tool has its name", tool.name)
                continue
            taken.add(_WEB_SEARCH["name"])
        written.append(_tool(tool, path, ledger))
    return written


def _tool(tool: Tool, path: str, ledger: LossLedger) -> JsonObject:
    match tool:
        case FunctionTool():
            written: JsonObject = {"name": tool.name}
            if tool.description:
                written["description"] = tool.description
            written["input_schema"] = _object_schema(tool.schema)
            if tool.strict is not None:
                written["strict"] = tool.strict
            if tool.cache is not None:
                written["cache_control"] = write_cache(tool.cache, path, ledger)
            return written | tool.extras
        case HostedTool():
            if tool.dialect == NAME:
                return tool.raw
            settings = sorted(name for name in tool.raw if name not in ("type", "name"))
            if settings:
                ledger.dropped(f"{path}.settings", "they are another provider's", settings)
            return _WEB_SEARCH
        case CustomTool():
            raise AssertionError("adapt leaves no freeform tools to a target without them")


def _object_schema(schema: JsonObject | None) -> JsonObject:
    """A schema of an object, as the API demands."""
    if schema is None:
        return {"type": "object", "properties": {}}
    return schema if "type" in schema else {"type": "object", **schema}


def read_tool_choice(fields: Fields) -> tuple[ToolChoice | None, bool | None]:
    """`tool_choice`, and whether parallel calls are allowed."""
    kind = fields.text("type")
    if not kind:
        return None, None
    disabled = fields.flag("disable_parallel_tool_use")
    parallel = None if disabled is None else not disabled
    match kind:
        case "auto":
            return ToolChoice("auto", extras=fields.rest()), parallel
        case "any":
            return ToolChoice("required", extras=fields.rest()), parallel
        case "none":
            return ToolChoice("none", extras=fields.rest()), parallel
        case "tool":
            return ToolChoice("tool", fields.required_text("name"), extras=fields.rest()), parallel
    raise ShapeError(f"{fields.where('type')}: {kind[:40]!r} is not known")


def write_tool_choice(request: Request) -> JsonObject | None:
    """`tool_choice`, or None when nothing was said about it."""
    choice = request.tool_choice
    if choice is None and request.parallel_tools is None:
        return None
    choice = choice or ToolChoice("auto")
    names = {"auto": "auto", "required": "any", "none": "none", "tool": "tool"}
    written: JsonObject = {"type": names[choice.mode]}
    if choice.mode == "tool":
        written["name"] = choice.name
    if request.parallel_tools is not None and choice.mode != "none":
        written["disable_parallel_tool_use"] = not request.parallel_tools
    return written | choice.extras
