"""Contents as messages: who says what, in which turn, and which result belongs to which call.

Clients of a stream keep what they got as they got it, each chunk as a content of its own, and send it back like that. So
neighbouring contents of the model are one message, in which pieces of one text, or of one thought up to its signature,
are one part again: other dialects take back signed thinking only whole.
"""

from __future__ import annotations

import itertools

import msgspec

from ccproxy.lightllm.dialects.gemini.read import read_part
from ccproxy.lightllm.dialects.gemini.spelling import NAME, fields_of
from ccproxy.lightllm.fields import ShapeError, as_list
from ccproxy.lightllm.ir.parts import Part, Text, Thinking, ToolCall, ToolResult
from ccproxy.lightllm.ir.request import Message, Role
from ccproxy.lightllm.toolids import ToolIds

_ROLES: dict[str, Role] = {
    "user": "user",
    "model": "assistant",
    "assistant": "assistant",
    "function": "user",
    "tool": "user",
    "system": "system",
}


def read_turns(value: object) -> tuple[Message, ...]:
    """`contents`: a text, a content, or a list of them. Raises ShapeError."""
    if value is None:
        raise ShapeError("contents: is missing")
    if type(value) is str:
        return (Message("user", (Text(value),)),)
    items = [value] if type(value) is dict else as_list(value, "contents")
    ids = _Ids()
    messages: list[Message] = []
    for index, item in enumerate(items):
        path = f"contents[{index}]"
        fields = fields_of(item, path)
        role = fields.text("role", "user")
        if role not in _ROLES:
            raise ShapeError(f"{path}.role: expected user or model")
        given = fields.value("parts")
        given = [given] if type(given) is dict else [] if given is None else as_list(given, f"{path}.parts")
        parts = [ids.named(read_part(part, f"{path}.parts[{i}]")) for i, part in enumerate(given)]
        message = Message(_ROLES[role], tuple(parts), extras=fields.rest())
        if message.role == "assistant":
            last = messages[-1] if messages else None
            goes_on = last is not None and last.role == "assistant" and not last.extras and not message.extras
            before = messages.pop().parts if goes_on else ()
            message = msgspec.structs.replace(message, parts=_joined(before, message.parts))
        messages.append(message)
    return tuple(messages)


def _joined(before: tuple[Part, ...], after: tuple[Part, ...]) -> tuple[Part, ...]:
    """What the model said in `before` and goes on with in `after`, without empty texts. Parts of one content are parts
    that the client keeps apart; only a signature of its own takes the whole thought in front of it."""
    joined = list(before)
    at_the_seam = bool(before)
    for part in after:
        if part == Text(""):
            continue
        while joined and (at_the_seam or _is_seal(part)) and (whole := _together(joined[-1], part)) is not None:
            part, at_the_seam = whole, False
            joined.pop()
        at_the_seam = False
        joined.append(part)
    return tuple(joined)


def _together(one: Part, other: Part) -> Part | None:
    """Two pieces of one part as one; None if they are not."""
    match one, other:
        case Text(signature=None), Text(signature=None) if not one.extras and not other.extras:
            return Text(one.text + other.text)
        case Thinking(signature=None, form="summary"), Thinking(form="summary") if not one.extras and not other.extras:
            if other.signature is None or _is_seal(other):
                return msgspec.structs.replace(other, text=one.text + other.text)
    return None


def _is_seal(part: Part) -> bool:
    """Whether this ends a thought with its signature, as our answers do. Google's own signatures prove no text before
    them and stay where they are."""
    return isinstance(part, Thinking) and part.signature is not None and part.signature.origin != NAME


class _Ids:
    """Ids for calls and results that have none: by their place in the conversation, so that they are the same in every
    request. A result belongs to the first call of its tool that waits for one."""

    def __init__(self) -> None:
        numbers = itertools.count(1)
        self._ids = ToolIds((), lambda: f"{next(numbers):04d}")
        #: Calls without a result, in order: id and name.
        self._waiting: list[tuple[str, str]] = []

    def named(self, part: Part) -> Part:
        """The part with its id, if it is a call or a result."""
        if isinstance(part, ToolCall):
            call_id = part.id or self._ids.claim("")
            self._waiting.append((call_id, part.name))
            return part if part.id else msgspec.structs.replace(part, id=call_id)
        if isinstance(part, ToolResult):
            wanted = [one for one in self._waiting if (one[0] == part.call_id if part.call_id else one[1] == part.name)]
            if wanted:
                self._waiting.remove(wanted[0])
            if not part.call_id:
                return msgspec.structs.replace(part, call_id=wanted[0][0] if wanted else self._ids.claim(""))
        return part
