"""Tool definitions and tool choice, both ways.

Function declarations are single tools in the IR; neighbours are one entry of `tools` again when written. A schema came in
`parametersJsonSchema`, or in `parameters` (OpenAPI), which is kept as the tool's spelling.
"""

from __future__ import annotations

from ccproxy.lightllm.dialect import Capabilities
from ccproxy.lightllm.dialects.gemini.openapi import from_openapi, to_openapi
from ccproxy.lightllm.dialects.gemini.spelling import NAME, camel, fields_of, said
from ccproxy.lightllm.fields import Fields, ShapeError
from ccproxy.lightllm.ir.losses import LossLedger
from ccproxy.lightllm.ir.parts import JsonObject
from ccproxy.lightllm.ir.request import CustomTool, FunctionTool, HostedTool, Request, Tool, ToolChoice
from ccproxy.lightllm.schema import translate
from ccproxy.lightllm.schema_rules import GEMINI_OPENAPI

#: Fields of `tools[]` that stand for tools of Google's, in our words.
_KINDS = {
    "googleSearch": "web_search",
    "googleSearchRetrieval": "web_search",
    "enterpriseWebSearch": "web_search",
    "urlContext": "web_fetch",
    "codeExecution": "code_execution",
    "computerUse": "computer",
    "fileSearch": "file_search",
    "mcpServers": "mcp",
}

#: What stands for another dialect's tool of that kind.
_OURS: dict[str, JsonObject] = {
    "web_search": {"googleSearch": {}},
    "web_fetch": {"urlContext": {}},
    "code_execution": {"codeExecution": {}},
}

HOSTED = frozenset(_OURS)


def read_tools(values: list[object]) -> tuple[Tool, ...]:
    """`tools`."""
    tools: list[Tool] = []
    for index, value in enumerate(values):
        path = f"tools[{index}]"
        fields = fields_of(value, path)
        for number, item in enumerate(fields.items("functionDeclarations")):
            tools.append(_function(fields_of(item, f"{path}.functionDeclarations[{number}]")))
        for name, given in fields.rest().items():
            if given is not None:
                tools.append(HostedTool(NAME, _KINDS.get(name, name), name, {name: given}))
    return tuple(tools)


def _function(fields: Fields) -> FunctionTool:
    name, description = fields.required_text("name"), fields.text("description")
    schema = fields.mapping("parametersJsonSchema")
    extras: JsonObject = {}
    if schema is None and (given := fields.mapping("parameters")) is not None:
        schema, extras = from_openapi(given), {"parameters": None}
    return FunctionTool(name, schema, description, extras=fields.rest() | extras)


def write_tools(request: Request, capabilities: Capabilities, ledger: LossLedger) -> list[JsonObject]:
    """`tools`."""
    written: list[JsonObject] = []
    for index, tool in enumerate(request.tools):
        path = f"tools[{index}]"
        match tool:
            case FunctionTool():
                declaration = _declaration(tool, path, capabilities, ledger)
                if written and "functionDeclarations" in written[-1]:
                    written[-1]["functionDeclarations"].append(declaration)
                else:
                    written.append({"functionDeclarations": [declaration]})
            case HostedTool():
                if tool.dialect == NAME:
                    written.append(tool.raw)
                    continue
                if request.tool_choice is not None and request.tool_choice.mode == "none":
                    # Only functions can be forbidden in words.
                    continue
                settings = sorted(name for name in tool.raw if name not in ("type", "name"))
                if settings:
                    ledger.dropped(f"{path}.settings", "they are another provider's", settings)
                written.append(dict(_OURS[tool.kind]))
            case CustomTool():
                raise AssertionError("adapt leaves no freeform tools to a target without them")
    return written


def _declaration(tool: FunctionTool, path: str, capabilities: Capabilities, ledger: LossLedger) -> JsonObject:
    written: JsonObject = {"name": tool.name}
    if tool.description:
        written["description"] = tool.description
    if tool.strict:
        ledger.dropped(f"{path}.strict", "Gemini binds no single tool to its schema", True)
    schema = tool.schema
    if schema is not None:
        if "parameters" in tool.extras:
            written["parameters"] = to_openapi(schema)
        elif capabilities.schema == GEMINI_OPENAPI:
            # An object without a property is one the API refuses; saying nothing means the same.
            if schema.get("properties"):
                within = translate(schema, GEMINI_OPENAPI, f"{path}.schema", ledger)
                written["parameters"] = to_openapi(within)
        else:
            written["parametersJsonSchema"] = schema
    return written | said(tool.extras)


# Choice


def read_tool_choice(config: Fields) -> ToolChoice | None:
    """`toolConfig.functionCallingConfig`."""
    given = config.value("functionCallingConfig")
    if given is None:
        return None
    where = config.where("functionCallingConfig")
    fields = Fields(camel(given, where), where)
    mode = fields.text("mode", "AUTO").upper()
    allowed = fields.texts("allowedFunctionNames")
    match mode:
        case "AUTO" | "MODE_UNSPECIFIED":
            return ToolChoice("auto", allowed=allowed, extras=fields.rest())
        case "VALIDATED":
            mark: JsonObject = {} if allowed else {"mode": mode}
            return ToolChoice("auto", allowed=allowed, extras=fields.rest() | mark)
        case "ANY":
            if len(allowed) == 1:
                return ToolChoice("tool", allowed[0], extras=fields.rest())
            return ToolChoice("required", allowed=allowed, extras=fields.rest())
        case "NONE":
            return ToolChoice("none", extras=fields.rest())
    raise ShapeError(f"{fields.where('mode')}: {mode[:40]!r} is not known")


def write_tool_choice(request: Request, ledger: LossLedger) -> JsonObject | None:
    """`functionCallingConfig`; None where nothing was said, or there is no function to choose: the API refuses it."""
    choice = request.tool_choice
    if choice is None:
        return None
    names = {tool.name for tool in request.tools if isinstance(tool, FunctionTool)}
    if not names:
        if choice.mode not in ("auto", "none"):
            ledger.dropped("tool_choice", "there is no function to choose", choice.mode)
        return None
    wanted = [choice.name] if choice.mode == "tool" else list(choice.allowed)
    allowed = [name for name in wanted if name in names]
    mode = choice.mode
    if len(allowed) < len(wanted):
        others = [name for name in wanted if name not in names]
        ledger.approximated("tool_choice.name", "Gemini's own tools cannot be chosen", others, allowed or "auto")
        mode = mode if allowed else "auto"
    modes = {"auto": "VALIDATED" if allowed else "AUTO", "required": "ANY", "tool": "ANY", "none": "NONE"}
    written: JsonObject = {"mode": modes[mode]}
    if allowed:
        written["allowedFunctionNames"] = allowed
    return written | choice.extras
