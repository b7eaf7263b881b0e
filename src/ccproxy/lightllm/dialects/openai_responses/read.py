"""Items as messages: the reading of `input`. `write.py` is the way back.

Responses has a flat list of items; the IR has turns. Consecutive items of the model (its messages, reasoning, calls) are
one assistant message, consecutive results one user message, every other message item one message. What only this dialect
says about an item is in the extras of the (first) part that the item became, or of the message.
"""

from __future__ import annotations

import msgspec

from ccproxy.lightllm.dialects.openai_responses import builtin
from ccproxy.lightllm.dialects.openai_responses.content import NAME, read_content
from ccproxy.lightllm.fields import Fields, ShapeError, as_list, as_object, as_text
from ccproxy.lightllm.ir.parts import (
    Image,
    JsonObject,
    Opaque,
    Part,
    Refusal,
    ServerTool,
    Signature,
    Source,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from ccproxy.lightllm.ir.request import Message, Role
from ccproxy.lightllm.jsontext import dumps_text
from ccproxy.lightllm.signatures import unwrap

_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system", "developer": "developer"}

#: Items of tools that OpenAI runs.
SERVER_ITEMS = frozenset({"web_search_call", "file_search_call", "code_interpreter_call", "mcp_call", "mcp_list_tools"})

#: How the id of an item without one begins in the IR. It only keeps the item's parts together and is never written.
UNNAMED = "#"

#: An item that brings tools into a conversation. They are among the request's, too (`tools.additional_tools`).
ADDITIONAL_TOOLS = "additional_tools"

#: The extra of a message whose one part is an item of its own, not the content of a message.
AS_ITEM = "item"


def read_input(value: object) -> tuple[Message, ...]:
    """`input`: a text, or items. Raises ShapeError."""
    if value is None:
        return ()
    if type(value) is str:
        return (Message("user", (Text(value),)),)
    turns = _Turns()
    for index, item in enumerate(as_list(value, "input")):
        turns.item(as_object(item, f"input[{index}]"), f"input[{index}]", f"{UNNAMED}{index}")
    return turns.done()


class _Turns:
    """Collects items into messages."""

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._role: Role = "user"
        self._parts: list[Part] = []
        #: The signature of the next tool call, which came in a reasoning item before it.
        self._pending: Signature | None = None

    def done(self) -> tuple[Message, ...]:
        self._close()
        return tuple(self._messages)

    def item(self, raw: JsonObject, path: str, unnamed: str) -> None:
        kind = raw.get("type")
        if kind is None:
            kind = "message" if "role" in raw else "item_reference"
        kind = as_text(kind, f"{path}.type")
        fields = Fields(raw, path)
        fields.value("type")
        if kind == "message":
            self._message(fields, unnamed, raw)
        elif kind == "reasoning":
            self._reasoning(fields, unnamed, raw)
        elif kind.endswith("_output") and (result := read_result(kind, fields)) is not None:
            self._add("user", [result])
        elif (part := read_item(kind, fields, raw)) is not None:
            if self._pending is not None and isinstance(part, ToolCall):
                part, self._pending = msgspec.structs.replace(part, signature=self._pending), None
            self._add("assistant", [part])
        else:
            self._close()
            part = Opaque(NAME, kind, raw, moved=kind == ADDITIONAL_TOOLS)
            self._messages.append(Message(_role_of(kind), (part,), extras={AS_ITEM: None}))

    def _message(self, fields: Fields, unnamed: str, raw: JsonObject) -> None:
        role = fields.required_text("role")
        if role not in _ROLES:
            raise ShapeError(f"{fields.where('role')}: expected user, assistant, system or developer")
        item = fields.text("id")
        content = fields.value("content")
        extras = said(fields)
        if role == "assistant":
            if not item and type(content) is list and len(content) > 1:
                item = unnamed
            self._add("assistant", message_parts(content, fields.where("content"), item, extras, raw))
            return
        parts = read_content(content, fields.where("content"))
        if item:
            named = next((i for i, part in enumerate(parts) if type(part) is Text), None)
            if named is None:
                extras["id"] = item
            else:
                parts = (*parts[:named], msgspec.structs.replace(parts[named], item=item), *parts[named + 1 :])
        self._close()
        self._messages.append(Message(_ROLES[role], parts, extras=extras))

    def _reasoning(self, fields: Fields, unnamed: str, raw: JsonObject) -> None:
        sealed = raw.get("encrypted_content")
        if isinstance(sealed, str) and sealed:
            signature, place = unwrap(sealed, NAME)
            if place == "next":
                self._pending = signature
                return
        self._add("assistant", reasoning_parts(fields, unnamed, raw))

    def _add(self, role: Role, parts: list[Part]) -> None:
        if self._role != role:
            self._close()
            self._role = role
        self._parts += parts

    def _close(self) -> None:
        if self._parts:
            self._messages.append(Message(self._role, tuple(self._parts)))
            self._parts = []
        self._role = "user"


def _role_of(kind: str) -> Role:
    """Who says an item that only this dialect knows."""
    return "assistant" if kind.endswith("_call") or kind in ("compaction", "program") else "user"


def said(fields: Fields) -> JsonObject:
    """The fields of an item that were not taken, without what goes without saying."""
    return {
        name: value
        for name, value in fields.rest().items()
        if value is not None and (name, value) != ("status", "completed")
    }


def message_parts(content: object, path: str, item: str, extras: JsonObject, raw: JsonObject) -> list[Part]:
    """The content of a message of the model's. With content of an unknown type, the whole of it is for this dialect."""
    parts = list(read_content(content, path, item)) or [Text("", item=item)]
    for part in parts:
        if not isinstance(part, Text | Refusal):
            kind = part.type if isinstance(part, Opaque) else type(part).__name__.lower()
            return [Opaque(NAME, kind, {"type": "message", **raw})]
    if extras:
        parts[0] = msgspec.structs.replace(parts[0], extras={**getattr(parts[0], "extras", {}), **extras})
    return parts


def reasoning_parts(fields: Fields, unnamed: str, raw: JsonObject) -> list[Part]:
    """A reasoning item: a part for each text, the signature on the last. One without texts is its signature; one that
    has neither is known to the provider alone, by its id."""
    item = fields.text("id") or unnamed
    texts: list[tuple[str, str]] = []
    for name, form in (("summary", "summary"), ("content", "full")):
        for i, part in enumerate(fields.items(name)):
            texts.append((form, Fields(part, fields.where(f"{name}[{i}]")).text("text")))
    sealed = fields.text("encrypted_content")
    extras = said(fields)
    if not texts and not sealed:
        return [Opaque(NAME, "reasoning", raw, for_provider=True)]
    signature: Signature | None = None
    whole = False
    if sealed:
        signature, place = unwrap(sealed, NAME)
        whole = place == "whole" or signature.value == sealed
    if not texts:
        return [Thinking("", signature, "redacted" if whole else "", item, extras)]
    parts: list[Part] = [Thinking(text, None, form, item) for form, text in texts]  # type: ignore[arg-type]
    parts[-1] = msgspec.structs.replace(parts[-1], signature=signature)
    if extras:
        parts[0] = msgspec.structs.replace(parts[0], extras=extras)
    return parts


def read_item(kind: str, fields: Fields, raw: JsonObject) -> Part | None:
    """An item of the model's that becomes one part; None for one that only this dialect knows."""
    if kind == "function_call":
        return read_call(fields)
    if kind == "custom_tool_call":
        return _custom_call(fields)
    if kind in builtin.CALLS:
        return builtin.read_call(builtin.CALLS[kind], fields)
    if kind in SERVER_ITEMS:
        return ServerTool(NAME, kind, raw)
    result = raw.get("result")
    if kind == "image_generation_call" and isinstance(result, str) and result:
        return read_image(raw, result)
    return None


def read_call(fields: Fields) -> ToolCall:
    """A function call. Some servers give its arguments as an object."""
    given = fields.value("arguments")
    args = dumps_text(given) if type(given) is dict else as_text(given or "", fields.where("arguments"))
    item, call_id = fields.text("id"), fields.text("call_id")
    name, namespace = fields.required_text("name"), fields.text("namespace")
    return ToolCall(call_id or item, name, args, namespace=namespace, item=item, extras=said(fields))


def _custom_call(fields: Fields) -> ToolCall:
    item, call_id = fields.text("id"), fields.text("call_id")
    name, text, namespace = fields.required_text("name"), fields.text("input"), fields.text("namespace")
    return ToolCall(call_id or item, name, text, "custom", namespace, item=item, extras=said(fields))


def read_image(raw: JsonObject, data: str) -> Image:
    """A picture the model made. Its item is kept for this dialect, without the picture itself."""
    form = raw.get("output_format")
    media_type = f"image/{form}" if isinstance(form, str) and form != "svg" else ""
    rest = {name: value for name, value in raw.items() if name not in ("type", "result") and value is not None}
    return Image(Source("base64", data, media_type), extras={"image_generation_call": rest})


def read_result(kind: str, fields: Fields) -> ToolResult | None:
    """A result of a tool that the client ran, or None if it is of another kind."""
    if kind in builtin.OUTPUTS:
        return builtin.read_output(builtin.OUTPUTS[kind], fields)
    if kind not in ("function_call_output", "custom_tool_call_output"):
        return None
    output = fields.value("output")
    content = read_content(output, fields.where("output")) if output != "" else ()
    return ToolResult(
        fields.text("call_id"),
        content,
        name=fields.text("name"),
        kind="custom" if kind.startswith("custom") else "function",
        item=fields.text("id"),
        extras=said(fields),
    )
