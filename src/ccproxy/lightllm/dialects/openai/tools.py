"""Tool definitions and tool choice, both ways, the old `functions` and `function_call` among them."""

from __future__ import annotations

from typing import Any

from ccproxy.lightllm.dialects.openai.read import read_cache
from ccproxy.lightllm.dialects.openai.spelling import NAME, said, spelled
from ccproxy.lightllm.fields import Fields, ShapeError, as_object
from ccproxy.lightllm.ir.losses import LossLedger
from ccproxy.lightllm.ir.parts import CacheMark, JsonObject
from ccproxy.lightllm.ir.request import CustomTool, FunctionTool, HostedTool, Request, Tool, ToolChoice

#: The request's field that stands for a tool: the search models' own search.
SEARCH_OPTIONS = "web_search_options"


def read_tools(fields: Fields) -> tuple[Tool, ...]:
    """`tools`, `functions` and `web_search_options` of a request."""
    tools: list[Tool] = [_tool(item, f"tools[{i}]") for i, item in enumerate(fields.items("tools"))]
    for i, item in enumerate(fields.items("functions")):
        tools.append(_function(Fields(item, f"functions[{i}]"), None, {}))
    search = fields.mapping(SEARCH_OPTIONS)
    if search is not None:
        tools.append(HostedTool(NAME, "web_search", "web_search", {SEARCH_OPTIONS: search}))
    return tuple(tools)


def _tool(value: object, path: str) -> Tool:
    fields = Fields(value, path)
    kind = fields.text("type", "function")
    if kind == "function":
        given = fields.fields("function")
        return _function(given, read_cache(fields), fields.rest())
    if kind == "custom":
        given = fields.fields("custom")
        grammar, syntax = _grammar(given)
        title, description = given.required_text("name"), given.text("description")
        return CustomTool(title, description, syntax, grammar, extras=fields.rest() | given.rest())
    raw = as_object(value, path)
    name = raw.get("name")
    return HostedTool(NAME, kind, name if type(name) is str else kind, raw)


def _function(fields: Fields, cache: CacheMark | None, extras: JsonObject) -> FunctionTool:
    return FunctionTool(
        name=fields.required_text("name"),
        schema=fields.mapping("parameters"),
        description=fields.text("description"),
        strict=fields.flag("strict"),
        cache=cache,
        extras=extras | {f"function.{name}": value for name, value in fields.rest().items()},
    )


def _grammar(fields: Fields) -> tuple[str, str]:
    """Grammar and syntax of a freeform tool's `format`."""
    given = fields.fields("format")
    kind = given.text("type", "text")
    if kind == "text":
        return "", ""
    if kind != "grammar":
        raise ShapeError(f"{given.where('type')}: {kind[:40]!r} is not known")
    inner = given.fields("grammar")
    return inner.required_text("definition"), inner.required_text("syntax")


def write_tools(request: Request, ledger: LossLedger) -> JsonObject:
    """The fields that define tools, and the choice among them."""
    written: JsonObject = {}
    tools: list[JsonObject] = []
    for index, tool in enumerate(request.tools):
        match tool:
            case FunctionTool():
                tools.append(_write_function(tool))
            case CustomTool():
                tools.append(_write_custom(tool))
            case HostedTool() if SEARCH_OPTIONS in tool.raw and tool.dialect == NAME:
                written |= tool.raw
            case HostedTool() if tool.dialect == NAME:
                tools.append(tool.raw)
            case HostedTool():
                settings = sorted(name for name in tool.raw if name not in ("type", "name"))
                if settings:
                    ledger.dropped(f"tools[{index}].settings", "they are another provider's", settings)
                written[SEARCH_OPTIONS] = {}
    old = spelled(request.extras, "functions")
    if tools:
        written["functions" if old else "tools"] = [tool["function"] for tool in tools] if old else tools
    choice = request.tool_choice
    if choice is not None and tools:
        written["function_call" if old else "tool_choice"] = _write_choice(choice, request, old)
    elif choice is not None and choice.mode not in ("auto", "none"):
        ledger.dropped("tool_choice", "there is no tool to choose", choice.mode)
    if request.parallel_tools is not None and tools and not old:
        written["parallel_tool_calls"] = request.parallel_tools
    return written


def _write_function(tool: FunctionTool) -> JsonObject:
    function: JsonObject = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    if tool.schema is not None:
        function["parameters"] = tool.schema
    if tool.strict is not None:
        function["strict"] = tool.strict
    written: JsonObject = {"type": "function", "function": function}
    if tool.cache is not None:
        written |= write_cache(tool.cache)
    for name, value in tool.extras.items():
        holder, _, inner = name.rpartition(".")
        (function if holder else written)[inner] = value
    return written


def _write_custom(tool: CustomTool) -> JsonObject:
    custom: JsonObject = {"name": tool.name}
    if tool.description:
        custom["description"] = tool.description
    if tool.grammar:
        custom["format"] = {"type": "grammar", "grammar": {"definition": tool.grammar, "syntax": tool.syntax}}
    return {"type": "custom", "custom": custom | tool.extras}


def write_cache(mark: CacheMark) -> JsonObject:
    """A mark in the spelling it came in; another dialect's as the servers spell it that take it."""
    if spelled(mark.extras, "prompt_cache_breakpoint"):
        ttl = {"ttl": mark.ttl} if mark.ttl else {}
        return {"prompt_cache_breakpoint": {"mode": "explicit", **ttl, **said(mark.extras)}}
    return {"cache_control": {"type": "ephemeral", **({"ttl": mark.ttl} if mark.ttl else {}), **mark.extras}}


# Choice


def read_tool_choice(fields: Fields) -> ToolChoice | None:
    """`tool_choice`, or the old `function_call`."""
    given = fields.value("tool_choice")
    old = fields.value("function_call")
    if given is None:
        given = {"type": "function", "function": old} if type(old) is dict else old
    if given is None:
        return None
    if type(given) is str:
        modes: dict[str, Any] = {"auto": "auto", "none": "none", "required": "required", "any": "required"}
        if given not in modes:
            raise ShapeError(f"tool_choice: {given[:40]!r} is not known")
        return ToolChoice(modes[given])
    choice = Fields(given, "tool_choice")
    kind = choice.text("type", "function")
    if kind == "allowed_tools":
        allowed = choice.fields("allowed_tools")
        mode = allowed.text("mode", "auto")
        if mode not in ("auto", "required"):
            raise ShapeError(f"{allowed.where('mode')}: {mode[:40]!r} is not known")
        names = [
            _named(Fields(item, f"{allowed.where('tools')}[{i}]"))[0] for i, item in enumerate(allowed.items("tools"))
        ]
        return ToolChoice(mode, allowed=tuple(names), extras=choice.rest() | allowed.rest())  # type: ignore[arg-type]
    choice.put_back("type", kind)
    name, rest = _named(choice)
    return ToolChoice("tool", name, extras=rest)


def _named(fields: Fields) -> tuple[str, JsonObject]:
    """The tool that a choice names."""
    kind = fields.text("type", "function")
    if kind not in ("function", "custom"):
        raise ShapeError(f"{fields.where('type')}: {kind[:40]!r} is not known")
    given = fields.fields(kind)
    return given.required_text("name"), fields.rest() | given.rest()


def _write_choice(choice: ToolChoice, request: Request, old: bool) -> object:
    custom = {tool.name for tool in request.tools if isinstance(tool, CustomTool)}

    def named(name: str) -> JsonObject:
        kind = "custom" if name in custom else "function"
        return {"type": kind, kind: {"name": name}}

    if choice.mode == "tool":
        return {"name": choice.name} if old else named(choice.name) | choice.extras
    if choice.allowed:
        allowed = {"mode": choice.mode, "tools": [named(name) for name in choice.allowed]}
        return {"type": "allowed_tools", "allowed_tools": allowed | choice.extras}
    return "auto" if old and choice.mode == "required" else choice.mode
