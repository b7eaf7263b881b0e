"""Editing JSON text in its depth: the value at a path is replaced, and no other byte changes.

A path is a tuple of names (of objects) and positions (of lists). Each level is cut into its pieces, the piece that the
path goes through is edited in turn, and the pieces are joined again. `merge` carries the difference of two values over
to a text that says the first of them in its own spelling.

Raises BadRequest for what is not JSON, and LookupError for a path that leads nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from ccproxy.errors import BadRequest
from ccproxy.lightllm.body import JsonBody
from ccproxy.lightllm.jsontext import dumps, lenient_decoder

type Step = str | int
type Path = tuple[Step, ...]

_SPACE = re.compile(rb"[ \t\n\r]*")
_TEXT_SPACE = re.compile(r"[ \t\n\r]*")
_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode


class JsonList:
    """The elements of a JSON list with the bytes between them."""

    __slots__ = ("_between", "items")

    def __init__(self, raw: bytes) -> None:
        self.items: list[bytes] = []
        #: What stands before each element (from the bracket or comma on), and after the last.
        self._between: list[bytes] = []
        at = _skip(raw, 0) + 1
        for item in _cut(raw):
            start = _skip(raw, at)
            end = start + memoryview(item).nbytes
            self._between.append(raw[at:start])
            self.items.append(bytes(item))
            after = _skip(raw, end)
            self._between.append(raw[end:after])
            at = after + 1
        if not self.items:
            self._between.append(raw[at : raw.rindex(b"]")])

    @property
    def raw(self) -> bytes:
        """The list as text."""
        if not self.items:
            return b"[%b]" % b"".join(self._between)
        parts = [b"["]
        for number, item in enumerate(self.items):
            parts += (b"," if number else b"", self._between[2 * number], item, self._between[2 * number + 1])
        parts.append(b"]")
        return b"".join(parts)

    def append(self, item: bytes) -> None:
        """Adds an element in the style of the last one."""
        self.insert(len(self.items), item)

    def insert(self, position: int, item: bytes) -> None:
        """Puts an element before the one at `position`."""
        if not self.items:
            self._between = [b"", b""]
        elif position == len(self.items):
            lead = self._between[-2] if len(self.items) > 1 else self._between[0]
            self._between[-1:] = [b"", lead, self._between[-1]]
        else:
            self._between[2 * position : 2 * position] = [self._between[2 * position], b""]
        self.items.insert(position, item)

    def remove(self, position: int) -> None:
        """Takes an element out, with its comma."""
        last = position == len(self.items) - 1
        tail = self._between[-1]
        del self.items[position]
        del self._between[2 * position : 2 * position + 2]
        if not self.items:
            self._between = [b""]
        elif last:
            self._between[-1] = tail


def get(raw: bytes, path: Path) -> bytes:
    """The text of the value at `path`. Raises LookupError."""
    for number, step in enumerate(path):
        if _is_list(raw):
            items = JsonList(raw).items
            raw = items[_position(step, len(items), path)]
        else:
            found = JsonBody(raw).get_raw(step) if isinstance(step, str) else None
            if found is None:
                raise LookupError(f"there is no {shown(path[: number + 1])}")
            raw = found
    return raw


def put(raw: bytes, path: Path, value: bytes) -> bytes:
    """The text with the value at `path` replaced. Objects that are missing on the way are made; in a list, the
    position behind the last element adds one. Raises LookupError."""
    if not path:
        return value
    step, rest = path[0], path[1:]
    if _is_list(raw):
        found = JsonList(raw)
        if rest == () and str(step) == str(len(found.items)):
            found.append(value)
        else:
            position = _position(step, len(found.items), path)
            found.items[position] = put(found.items[position], rest, value)
        return found.raw
    body = _object(raw, step, path)
    inner = body.get_raw(str(step)) if rest else None
    body.set_raw(str(step), put(inner if inner is not None else b"{}", rest, value))
    return body.raw


def remove(raw: bytes, path: Path) -> bytes:
    """The text without the value at `path`. Raises LookupError."""
    step, rest = path[0], path[1:]
    if _is_list(raw):
        found = JsonList(raw)
        position = _position(step, len(found.items), path)
        if rest:
            found.items[position] = remove(found.items[position], rest)
        else:
            found.remove(position)
        return found.raw
    body = _object(raw, step, path)
    inner = body.get_raw(str(step))
    if inner is None:
        raise LookupError(f"there is no {shown(path)}")
    if rest:
        body.set_raw(str(step), remove(inner, rest))
    else:
        body.delete(str(step))
    return body.raw


def merge(raw: bytes, before: Any, after: Any) -> bytes:
    """Carries the step from `before` to `after` over to `raw`, a text of the same thing that may be spelled otherwise.
    What is equal in both keeps its bytes; what differs is replaced as far down as the text still has the form of
    `before`."""
    if before == after and type(before) is type(after):
        return raw
    if isinstance(before, dict) and isinstance(after, dict) and raw.lstrip()[:1] == b"{":
        body = JsonBody(raw)
        for name in before.keys() - after.keys():
            body.delete(name)
        for name, value in after.items():
            if name in before and before[name] == value and type(before[name]) is type(value):
                continue
            old = body.get_raw(name)
            body.set_raw(name, dumps(value) if old is None or name not in before else merge(old, before[name], value))
        return body.raw
    if isinstance(before, list) and isinstance(after, list) and _is_list(raw):
        found = JsonList(raw)
        if len(found.items) == len(before):
            _merge_lists(found, before, after)
            return found.raw
    return dumps(after)


def _merge_lists(found: JsonList, before: list[Any], after: list[Any]) -> None:
    """The elements at the beginning and at the end that are the same stay; those between are replaced."""
    shorter = min(len(before), len(after))
    start = 0
    while start < shorter and before[start] == after[start]:
        start += 1
    end = 0
    while end < shorter - start and before[-1 - end] == after[-1 - end]:
        end += 1
    old, new = len(before) - end, len(after) - end
    for position in range(start, min(old, new)):
        found.items[position] = merge(found.items[position], before[position], after[position])
    for position in range(old, new):
        found.insert(position, dumps(after[position]))
    for position in reversed(range(new, old)):
        found.remove(position)


def shown(path: Path) -> str:
    """A path as dotted words."""
    return ".".join(map(str, path))


def _is_list(raw: bytes) -> bool:
    return raw[:1] == b"[" or raw.lstrip()[:1] == b"["


def _position(step: Step, count: int, path: Path) -> int:
    position = int(step) if isinstance(step, int) or step.isdigit() else -1
    if not 0 <= position < count:
        raise LookupError(f"there is no {shown(path)}")
    return position


def _object(raw: bytes, step: Step, path: Path) -> JsonBody:
    body = JsonBody(raw)
    if isinstance(step, int) or not body.is_object:
        raise LookupError(f"there is no {shown(path)}")
    return body


def _cut(raw: bytes) -> Sequence[bytes | msgspec.Raw]:
    """The elements of a list, each exactly as it stands. Raises BadRequest."""
    try:
        return _elements(raw)
    except RecursionError:
        raise BadRequest("the body cannot be edited: JSON nested too deeply") from None
    except (msgspec.MsgspecError, UnicodeError):
        pass
    # The standard library reads what msgspec does not: half of a surrogate pair.
    try:
        text = raw.decode("utf-8")
        decoder, found = lenient_decoder(), []
        at = _TEXT_SPACE.match(text, text.index("[") + 1).end()  # type: ignore[union-attr]
        while text[at] != "]":
            _, end = decoder.raw_decode(text, at)
            found.append(text[at:end].encode())
            at = _TEXT_SPACE.match(text, end).end()  # type: ignore[union-attr]
            if text[at] == ",":
                at = _TEXT_SPACE.match(text, at + 1).end()  # type: ignore[union-attr]
    except (ValueError, IndexError, RecursionError):
        raise BadRequest("the body cannot be edited: it is not JSON") from None
    return found


def _skip(raw: bytes, at: int) -> int:
    found = _SPACE.match(raw, at)
    return found.end() if found else at
