"""Tool-call ids: kept as they came; made only where a provider gives none; unique within a conversation.

Ids that are made carry a mark, so that they are left out again towards a provider without ids. A second call with an
id that is taken gets the same id with a counter after it. Providers that limit the alphabet of ids get a rewriting that
is the same for the call and its result.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from ccproxy.lightllm.ir.parts import ToolCall
from ccproxy.lightllm.ir.request import Message

_MADE = "call_ccp"
_UNSAFE = re.compile(r"[^a-zA-Z0-9_-]")


def is_made(call_id: str) -> bool:
    """Whether `ToolIds` made this id."""
    return call_id.startswith(_MADE)


def safe(call_id: str, limit: int = 64) -> str:
    """`call_id` in letters, digits, `_` and `-`, at most `limit` long, distinct for distinct ids."""
    if call_id and len(call_id) <= limit and not _UNSAFE.search(call_id):
        return call_id
    spelled = _UNSAFE.sub(lambda found: f"_{ord(found[0]):x}", call_id)
    if spelled and len(spelled) <= limit:
        return spelled
    # Too long: a checksum of the whole keeps it apart from its like.
    import zlib

    digest = f"{zlib.crc32(call_id.encode('utf-8', 'surrogatepass')):08x}"
    return f"{spelled[: limit - 9]}_{digest}"


class ToolIds:
    """The ids in use in one conversation.

    Args:
        messages: the history, whose ids are taken.
        new_id: gives a random token.
    """

    __slots__ = ("_new", "_taken")

    def __init__(self, messages: Iterable[Message], new_id: Callable[[], str]) -> None:
        self._new = new_id
        self._taken = {
            part.id for message in messages for part in message.parts if isinstance(part, ToolCall) and part.id
        }

    def claim(self, call_id: str) -> str:
        """The id for a new call: `call_id` itself, with a counter if it is taken, or a made one if it is ""."""
        if not call_id:
            call_id = f"{_MADE}{self._new()}"
        unique, n = call_id, 1
        while unique in self._taken:
            n += 1
            unique = f"{call_id}_{n}"
        self._taken.add(unique)
        return unique
