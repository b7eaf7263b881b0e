"""What the decoder remembers of an answer under way, and how it finds its way in an event."""

from __future__ import annotations

from typing import Any

from ccproxy.lightllm.dialects.openai_responses.read import said
from ccproxy.lightllm.fields import Fields, as_list
from ccproxy.lightllm.ir.events import ArgsDelta, TextDelta, ThinkingDelta
from ccproxy.lightllm.ir.parts import JsonObject, Refusal, Text, Thinking, ToolCall

#: Fields of a response that repeat the request, or that are read elsewhere.
_KNOWN = frozenset({
    "id", "object", "created_at", "completed_at", "status", "background", "error", "incomplete_details",
    "instructions", "max_output_tokens", "max_tool_calls", "model", "output", "output_text", "parallel_tool_calls",
    "previous_response_id", "prompt", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "reasoning",
    "safety_identifier", "store", "temperature", "text", "tool_choice", "tools", "top_logprobs", "top_p", "truncation",
    "usage", "user", "metadata", "conversation", "tool_usage", "presence_penalty", "frequency_penalty", "image",
    "access_programs",
})  # fmt: skip

#: Service tiers that go without saying.
_PLAIN_TIERS = (None, "", "auto", "default")

#: Where items of the final response are counted from that the stream did not have.
LATER = 1 << 20

#: Fields of a message or reasoning item that are read.
_READ_OF_ITEMS = ("type", "id", "role", "status", "content", "summary", "encrypted_content")

#: Index of the item, what the part is in it (`part`, `summary`, `call`, `item`), and its index there.
type Key = tuple[int, str, int]
type Growing = Text | Refusal | Thinking | ToolCall


class OpenPart:
    """A part that gets text: what came of it so far, and whether it is complete."""

    __slots__ = ("citations", "delta", "done", "pieces")

    def __init__(self, part: Growing) -> None:
        match part:
            case Thinking():
                self.delta: type[TextDelta] | type[ThinkingDelta] | type[ArgsDelta] = ThinkingDelta
            case ToolCall():
                self.delta = ArgsDelta
            case _:
                self.delta = TextDelta
        self.pieces: list[str] = []
        self.citations = 0
        self.done = False


class OpenItem:
    """An output item under way: its id, its fields that its first part is to have, and the object as it began."""

    __slots__ = ("done", "extras", "id", "raw")

    def __init__(self, item: JsonObject) -> None:
        item_id = item.get("id")
        self.id = item_id if isinstance(item_id, str) else ""
        self.raw = item
        self.done = False
        self.extras: JsonObject = {}
        if item.get("type") in ("message", "reasoning"):
            self.extras = said(Fields({n: v for n, v in item.items() if n not in _READ_OF_ITEMS}, "item"))


def besides(fields: Fields) -> JsonObject:
    """What a response says besides; nothing of it repeats the request."""
    tier = fields.value("service_tier")
    extras: JsonObject = {} if tier in _PLAIN_TIERS else {"service_tier": tier}
    for name, value in fields.rest().items():
        if name not in _KNOWN and value not in (None, [], {}, ""):
            extras[name] = value
    return extras


def names_of(item: JsonObject) -> list[str]:
    """The id of an item and of its call."""
    return [name for name in (item.get("id"), item.get("call_id")) if isinstance(name, str) and name]


def list_of(value: JsonObject, name: str) -> list[Any]:
    """An array of an item or response; empty when absent. Raises ShapeError."""
    found = value.get(name)
    return [] if found is None else as_list(found, name)


def _int(value: object) -> int:
    return value if type(value) is int else 0


def index_of(event: JsonObject) -> int:
    """The index of the item that an event is about."""
    return _int(event.get("output_index"))


def content_key(event: JsonObject) -> Key:
    """The key of a content part."""
    return _int(event.get("output_index")), "part", _int(event.get("content_index"))


def summary_key(event: JsonObject) -> Key:
    """The key of a part of a reasoning summary."""
    return _int(event.get("output_index")), "summary", _int(event.get("summary_index"))


def call_key(event: JsonObject) -> Key:
    """The key of a call."""
    return _int(event.get("output_index")), "call", 0
