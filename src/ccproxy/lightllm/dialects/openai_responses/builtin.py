"""Tools that OpenAI defines and the client runs: `local_shell`, `shell`, `apply_patch`.

To other dialects they are functions with a schema of ours, so that a client that relies on them works with any
provider: the definition, the calls and results of the history, and the calls of the answer are mapped both ways. In the
IR the extras of the tool, call or result keep the type of its item. (A `shell` that runs in OpenAI's containers is a
hosted tool.)
"""

from __future__ import annotations

import msgspec

from ccproxy.lightllm.fields import Fields
from ccproxy.lightllm.ir.parts import JsonObject, Text, ToolCall, ToolResult, text_of
from ccproxy.lightllm.ir.request import FunctionTool, Request
from ccproxy.lightllm.jsontext import dumps_text, loads_or_none
from ccproxy.lightllm.toolargs import to_object


class Builtin(msgspec.Struct, frozen=True):
    """One of these tools. `field` of its call's item holds what to do, as `schema` describes it; `fixed` is what the
    field holds besides; `item` is how ids of its items begin."""

    type: str
    call: str
    output: str
    field: str
    item: str
    description: str
    schema: JsonObject
    fixed: JsonObject = {}


def _object(required: list[str], **properties: JsonObject) -> JsonObject:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


_STRINGS = {"type": "array", "items": {"type": "string"}}

_ALL = (
    Builtin(
        "local_shell",
        "local_shell_call",
        "local_shell_call_output",
        "action",
        "lsh",
        "Runs a command on the user's machine and returns its output.",
        _object(
            ["command"],
            command={**_STRINGS, "description": "The program and its arguments."},
            env={"type": "object", "additionalProperties": {"type": "string"}},
            timeout_ms={"type": "integer"},
            user={"type": "string"},
            working_directory={"type": "string"},
        ),
        {"type": "exec"},
    ),
    Builtin(
        "shell",
        "shell_call",
        "shell_call_output",
        "action",
        "sh",
        "Runs shell commands on the user's machine and returns their output.",
        _object(
            ["commands"],
            commands={**_STRINGS, "description": "Command lines, run one after the other."},
            timeout_ms={"type": "integer"},
            max_output_length={"type": "integer"},
        ),
    ),
    Builtin(
        "apply_patch",
        "apply_patch_call",
        "apply_patch_call_output",
        "operation",
        "apc",
        "Creates, updates or deletes one file.",
        _object(
            ["type", "path"],
            type={"type": "string", "enum": ["create_file", "update_file", "delete_file"]},
            path={"type": "string"},
            diff={"type": "string", "description": "The new content or the change, as a V4A diff."},
        ),
    ),
)

TOOLS = {builtin.type: builtin for builtin in _ALL}
CALLS = {builtin.call: builtin for builtin in _ALL}
OUTPUTS = {builtin.output: builtin for builtin in _ALL}


def read_tool(raw: JsonObject) -> FunctionTool | None:
    """The definition as a function, or None if the tool does not run at the client."""
    builtin = TOOLS.get(str(raw.get("type")))
    environment = raw.get("environment")
    if builtin is None or (isinstance(environment, dict) and environment.get("type") != "local"):
        return None
    return FunctionTool(builtin.type, builtin.schema, builtin.description, extras=raw)


def of_request(request: Request | None) -> dict[str, Builtin]:
    """The tools of this kind that a client defined, by name."""
    if request is None:
        return {}
    return {
        tool.name: TOOLS[str(tool.extras["type"])]
        for tool in request.tools
        if isinstance(tool, FunctionTool) and tool.extras.get("type") in TOOLS
    }


def read_call(builtin: Builtin, fields: Fields) -> ToolCall:
    """A call's item, without its type."""
    action = fields.mapping(builtin.field) or {}
    arguments = {
        name: value for name, value in action.items() if name not in builtin.fixed and value not in (None, {}, [])
    }
    item, call_id = fields.text("id"), fields.text("call_id")
    extras = {"type": builtin.call, **_said(fields)}
    return ToolCall(call_id or item, builtin.type, dumps_text(arguments), item=item, extras=extras)


def write_call(builtin: Builtin, call: ToolCall, item: str) -> JsonObject:
    """A call's item; `item` is its id, or ""."""
    written = call_item(builtin, call.id, call.args, item)
    return written | {name: value for name, value in call.extras.items() if name != "type"}


def call_item(builtin: Builtin, call_id: str, args: str, item: str, status: str = "completed") -> JsonObject:
    """The item of a call with these arguments (JSON text)."""
    arguments = to_object(args)[0]
    if builtin.type == "local_shell":
        arguments = {"command": [], "env": {}} | arguments
    elif builtin.type == "shell":
        arguments = {"commands": []} | arguments
    else:
        arguments = {"type": "update_file", "path": ""} | arguments
        if arguments["type"] != "delete_file":
            arguments.setdefault("diff", "")
    identity = {"id": item} if item else {}
    field: JsonObject = {builtin.field: builtin.fixed | arguments}
    return {"type": builtin.call, **identity, "call_id": call_id, **field, "status": status}


def read_output(builtin: Builtin, fields: Fields) -> ToolResult:
    """A result's item, without its type. The output of `shell` is a list, which is kept as its JSON."""
    output = fields.value("output")
    item = fields.text("id")
    call_id = fields.text("call_id") or item
    text = output if isinstance(output, str) else dumps_text(output) if output is not None else ""
    failed = False
    if builtin.type == "apply_patch":
        failed = fields.text("status") == "failed"
    content = (Text(text),) if text else ()
    return ToolResult(call_id, content, failed, item=item, extras={"type": builtin.output, **_said(fields)})


def write_output(builtin: Builtin, result: ToolResult) -> JsonObject:
    """A result's item."""
    text = text_of(result.content, "\n")
    written: JsonObject = {"type": builtin.output}
    if result.item:
        written["id"] = result.item
    if builtin.type != "local_shell":
        written["call_id"] = result.call_id
    else:
        written["id"] = result.item or result.call_id
        if result.item and result.item != result.call_id:
            written["call_id"] = result.call_id
    if builtin.type == "apply_patch":
        written["status"] = "failed" if result.is_error else "completed"
        if text:
            written["output"] = text
    elif builtin.type == "shell":
        output = loads_or_none(text) if text else []
        written["output"] = output if isinstance(output, list) else [_ran(text)]
    else:
        written["output"] = text
    return written | {name: value for name, value in result.extras.items() if name != "type"}


def _ran(text: str) -> JsonObject:
    return {"stdout": text, "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}


def _said(fields: Fields) -> JsonObject:
    """The other fields, without what goes without saying."""
    return {
        name: value
        for name, value in fields.rest().items()
        if value is not None and (name, value) != ("status", "completed")
    }
