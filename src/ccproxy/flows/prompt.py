"""What is new in a recorded request: the words that stand behind the model's last answer. Pure; never an exception out.

An agent sends its whole history with each turn, so the rest was new in an earlier request. New are the messages at the
end that are not the model's own: what the user said, and what tools gave back. Messages before them are not decoded.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ccproxy.flows.conversation import RequestBody

#: Most text that is taken, in characters.
MOST_TEXT = 32 * 1024
_MOST_MESSAGES = 64
#: Members that hold no words.
_NO_WORDS = frozenset(
    {
        "cache_control",
        "call_id",
        "data",
        "encrypted_content",
        "file_id",
        "id",
        "image_url",
        "inlineData",
        "media_type",
        "mimeType",
        "role",
        "signature",
        "source",
        "status",
        "thoughtSignature",
        "tool_call_id",
        "tool_use_id",
        "type",
    }
)
_MODEL = frozenset({"assistant", "model"})
_GARBAGE = (msgspec.MsgspecError, ValueError, RecursionError)

_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode = msgspec.json.Decoder().decode


def new_text(body: RequestBody) -> str:
    """The new words of a request, in the order they stand; "" if there are none or it cannot be read."""
    messages = body.messages or body.input or body.contents
    if not messages:
        return ""
    try:
        with memoryview(messages) as view:
            alone = bytes(view[:1]) == b'"'
        if alone:
            return str(_decode(messages))[:MOST_TEXT]
        found = _decode_list(messages)
        new: list[Any] = []
        for raw in reversed(found[-_MOST_MESSAGES:]):
            message = _decode(raw)
            if _is_models(message):
                break
            new.append(message)
        collector = _Words()
        for message in reversed(new):
            collector.add(message)
        return "\n".join(collector.pieces)
    except _GARBAGE:
        return ""


def _is_models(message: Any) -> bool:
    """Whether the model said it: a message, or in the Responses dialect an item it made."""
    if not isinstance(message, dict):
        return False
    kind, role = message.get("type"), message.get("role")
    return (isinstance(role, str) and role in _MODEL) or (
        isinstance(kind, str) and (kind.endswith("_call") or kind == "reasoning")
    )


class _Words:
    """Texts as they are met in a JSON value."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self._left = MOST_TEXT

    def add(self, value: Any) -> None:
        if isinstance(value, str):
            if value and self._left > 0 and not value.startswith("data:"):
                self.pieces.append(value[: self._left])
                self._left -= len(value)
        elif isinstance(value, list):
            for one in value:
                self.add(one)
        elif isinstance(value, dict):
            for name, one in value.items():
                if name not in _NO_WORDS:
                    self.add(one)
