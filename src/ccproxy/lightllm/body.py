"""`JsonBody`: a request or response body of which only what is asked for is parsed and only what is set is rewritten.

Strategy: the first question finds the values of the top-level members in one pass (msgspec skips over them without
building them). Only an edit, or a question about order, finds their places too: each member becomes three pieces, the
bytes before its value, the value, the bytes after. Setting a field replaces one piece; `raw` joins the pieces. So every
byte that was not set is the byte that came, whitespace, key order, number forms and escapes included.

Contract: any bytes are a legal body. What is not a JSON object is never touched: `is_object` is False, `error` says
why, `get` gives the default, and writing raises BadRequest. A repeated key reads as its last value, as JSON parsers
do; setting or deleting it changes every repetition, so that no reader of the result can see the old one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from ccproxy.errors import BadRequest
from ccproxy.lightllm.jsontext import JsonError, dumps, lenient_decoder, loads

_BOM = b"\xef\xbb\xbf"
_SPACE = re.compile(rb"[ \t\n\r]*")
_KEY = re.compile(rb'"((?:[^"\\]|\\.)*)"[ \t\n\r]*:[ \t\n\r]*', re.DOTALL)
_TEXT_SPACE = re.compile(r"[ \t\n\r]*")
_KINDS = {"[": "an array", '"': "a string", "t": "a boolean", "f": "a boolean", "n": "null"}
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class _Member:
    """One `"name": value` with the bytes around it: `lead` runs from the comma or brace to the value."""

    __slots__ = ("lead", "name", "tail", "value")

    def __init__(self, name: str, lead: bytes, value: bytes | msgspec.Raw, tail: bytes) -> None:
        self.name = name
        self.lead = lead
        self.value = value
        self.tail = tail


class JsonBody:
    """A body, parsed as far as it is asked about.

    Args:
        raw: the bytes, content-encoding removed. They are kept, not copied.
    """

    __slots__ = ("_close", "_dirty", "_error", "_found", "_head", "_members", "_raw")

    def __init__(self, raw: bytes) -> None:
        self._raw: bytes | None = raw
        self._dirty = False
        #: The values by name, between the first question and the finding of the places.
        self._found: dict[str, msgspec.Raw] | None = None
        #: None until the places are found, or it is known that there are none; "" for an object.
        self._error: str | None = None
        self._members: list[_Member] = []
        self._head = b""
        self._close = b""

    def copy(self) -> JsonBody:
        """The same body, to be edited apart from this one. What is known of it need not be found again."""
        twin = JsonBody(b"")
        twin._raw, twin._dirty, twin._found, twin._error = self._raw, self._dirty, self._found, self._error
        twin._members = [_Member(each.name, each.lead, each.value, each.tail) for each in self._members]
        twin._head, twin._close = self._head, self._close
        return twin

    # What it is

    @property
    def raw(self) -> bytes:
        """The current bytes: the very object given, as long as nothing was changed."""
        if self._raw is None:
            parts: list[bytes | msgspec.Raw] = [self._head]
            for member in self._members:
                parts += (b",", member.lead, member.value, member.tail)
            if self._members:
                del parts[1]
            parts.append(self._close)
            self._raw = b"".join(parts)
        return self._raw

    @property
    def dirty(self) -> bool:
        """Whether any byte was changed since construction."""
        return self._dirty

    @property
    def is_object(self) -> bool:
        """Whether the body is a JSON object. Its structure is checked; the texts in it (UTF-8) when they are read."""
        return self._look() is not None or self._find() == ""

    @property
    def error(self) -> str:
        """Why this is not a JSON object, for a person; "" if it is one. Never quotes the body."""
        return "" if self._look() is not None else self._find()

    @property
    def duplicates(self) -> list[str]:
        """Top-level names that occur more than once, in the order of their repetition."""
        seen: set[str] = set()
        repeated: dict[str, None] = {}
        for name in self:
            if name in seen:
                repeated[name] = None
            seen.add(name)
        return list(repeated)

    # Reading

    def __iter__(self) -> Iterator[str]:
        """Top-level names in order, repetitions included; none if this is not an object."""
        self._find()
        return iter([member.name for member in self._members])

    def __contains__(self, name: str) -> bool:
        return self._value(name) is not None

    def get(self, name: str, default: Any = None) -> Any:
        """The value of one top-level field, parsed now and owned by the caller; `default` if it is absent or this is
        no object. Raises BadRequest if that value cannot be parsed."""
        value = self._value(name)
        if value is None:
            return default
        try:
            return loads(value)
        except JsonError as problem:
            raise BadRequest(f"the body's field {name!r} cannot be read: {problem}") from None

    def get_raw(self, name: str) -> bytes | None:
        """The bytes of one top-level value exactly as they stand, or None."""
        value = self._value(name)
        return None if value is None else bytes(value)

    def tree(self) -> dict[str, Any]:
        """The whole object, parsed; changing it changes nothing here until `replace_tree`. Raises BadRequest."""
        self._require_object()
        return {name: self.get(name) for name in self}

    # Writing

    def __setitem__(self, name: str, value: object) -> None:
        """Gives a top-level field a value: its bytes are replaced where they stand, a new field goes to the end in the
        body's own style. Setting what is already there changes nothing. Raises BadRequest."""
        self._require_object()
        encoded = _encoded(name, value)
        found = False
        for member in self._members:
            if member.name == name:
                found = True
                if _canonical(member.value) != encoded:
                    member.value = encoded
                    self._changed()
        if not found:
            self._append(name, encoded)

    def set_raw(self, name: str, value: bytes) -> None:
        """Gives a top-level field the bytes of a value, which must be JSON: they are not looked at. Raises
        BadRequest."""
        self._require_object()
        found = False
        for member in self._members:
            if member.name == name:
                member.value = value
                found = True
        if found:
            self._changed()
        else:
            self._append(name, value)

    def delete(self, name: str) -> bool:
        """Removes a top-level field with its comma; says whether it was there. Raises BadRequest."""
        self._require_object()
        kept = [member for member in self._members if member.name != name]
        if len(kept) == len(self._members):
            return False
        if kept and self._members[-1].name == name:
            kept[-1].tail = self._members[-1].tail  # the line break before the closing brace
        self._members = kept
        self._changed()
        return True

    def replace_tree(self, tree: dict[str, Any]) -> None:
        """Makes the object equal to `tree`; top-level fields whose value is unchanged keep their bytes. Raises
        BadRequest."""
        self._require_object()
        for name in [name for name in self if name not in tree]:
            self.delete(name)
        for name, value in tree.items():
            self[name] = value

    # Inside

    def _look(self) -> dict[str, msgspec.Raw] | None:
        """The values by name, as long as nobody needed their places; else None. None too for what has to be looked at
        by `_find`."""
        if self._error is None and self._found is None:
            raw = self._raw or b""
            try:
                self._found = _members(memoryview(raw)[len(_BOM) :] if raw.startswith(_BOM) else raw)
            except (RecursionError, msgspec.MsgspecError, UnicodeError):
                self._find()
        return self._found

    def _find(self) -> str:
        if self._error is None:
            self._error = self._index()
            self._found = None
        return self._error

    def _require_object(self) -> None:
        if problem := self._find():
            raise BadRequest(f"the body cannot be edited: it is {problem}")

    def _value(self, name: str) -> bytes | msgspec.Raw | None:
        """The last value of that name."""
        if (found := self._look()) is not None:
            return found.get(name)
        for member in reversed(self._members):
            if member.name == name:
                return member.value
        return None

    def _changed(self) -> None:
        self._raw = None
        self._dirty = True

    def _append(self, name: str, encoded: bytes) -> None:
        key = _encoded(name, name)
        if self._members:
            model = self._members[-1]
            quote = model.lead.index(b'"')
            gap, colon = model.lead[:quote], model.lead[_end_of_key(model.lead, quote) :]
            if not gap and len(self._members) == 1 and colon.endswith(b" "):
                gap = b" "
            added = _Member(name, gap + key + colon, encoded, model.tail)
            model.tail = b""
        else:
            added = _Member(name, key + b":", encoded, b"")
        self._members.append(added)
        self._changed()

    def _index(self) -> str:
        """Fills the table of members; the returned text says why there is none, or is ""."""
        raw = self._raw or b""
        start = len(_BOM) if raw.startswith(_BOM) else 0
        text: bytes | memoryview = memoryview(raw)[start:] if start else raw
        try:
            found = _members(text) if self._found is None else self._found
        except RecursionError:
            return "JSON nested too deeply"
        except (msgspec.MsgspecError, UnicodeError) as problem:
            return self._index_slowly(raw, start, problem)
        position = _skip_space(raw, start) + 1
        self._head = raw[:position]
        members: list[_Member] = []
        while (key := _KEY.match(raw, _skip_space(raw, position))) is not None:
            name = key[1].decode("utf-8") if b"\\" not in key[1] else loads(raw[key.start() : key.end(1) + 1])
            value = found.get(name)
            begin = key.end()
            # Only the last of repeated keys is in `found`. A value is where the text says exactly it and nothing more.
            if value is None or not raw.startswith(value, begin):
                return self._index_slowly(raw, start, None)
            end = begin + memoryview(value).nbytes
            after = _skip_space(raw, end)
            members.append(_Member(name, raw[position:begin], value, raw[end:after]))
            position = after + 1
            if raw[after] == 0x7D:  # }
                self._members = members
                self._close = raw[after:]
                return ""
            if raw[after] != 0x2C:  # the longer value of a repeated key had this one as its beginning
                return self._index_slowly(raw, start, None)
        self._head, self._close = raw[:position], raw[position:]
        return ""

    def _index_slowly(self, raw: bytes, start: int, problem: Exception | None) -> str:
        """The same with the standard library, for repeated keys and for what msgspec does not read."""
        try:
            text = raw[start:].decode("utf-8")
        except UnicodeDecodeError:
            return "not UTF-8"
        position = _TEXT_SPACE.match(text, 0).end()  # type: ignore[union-attr]
        if position == len(text):
            return "empty"
        if text[position] != "{":
            return _not_an_object(text)
        try:
            members, position = _scan(text, position + 1)
        except RecursionError:
            return "JSON nested too deeply"
        except (ValueError, IndexError):
            return f"not JSON: {_reason(problem)}"
        if text[position:].strip(" \t\n\r") != "}":
            return "not JSON: trailing characters"
        self._head = raw[: start + len(text[: _TEXT_SPACE.match(text, 0).end() + 1].encode())]  # type: ignore[union-attr]
        self._close = text[position:].encode()
        self._members = members
        return ""


def _scan(text: str, position: int) -> tuple[list[_Member], int]:
    """Members of the object whose brace ends before `position`, and where its closing brace stands. Raises ValueError,
    IndexError, RecursionError."""
    decoder = lenient_decoder()
    members: list[_Member] = []
    while True:
        opening = _TEXT_SPACE.match(text, position).end()  # type: ignore[union-attr]
        if text[opening] == "}" and not members:
            return members, position
        if text[opening] != '"':
            raise ValueError("no key")
        name, after_key = decoder.raw_decode(text, opening)
        colon = _TEXT_SPACE.match(text, after_key).end()  # type: ignore[union-attr]
        if text[colon] != ":":
            raise ValueError("no colon")
        begin = _TEXT_SPACE.match(text, colon + 1).end()  # type: ignore[union-attr]
        _, end = decoder.raw_decode(text, begin)
        after = _TEXT_SPACE.match(text, end).end()  # type: ignore[union-attr]
        members.append(_Member(name, text[position:begin].encode(), text[begin:end].encode(), text[end:after].encode()))
        if text[after] == "}":
            return members, after
        if text[after] != ",":
            raise ValueError("no comma")
        position = after + 1


def _skip_space(raw: bytes, position: int) -> int:
    match = _SPACE.match(raw, position)
    return match.end() if match else position


def _end_of_key(lead: bytes, quote: int) -> int:
    match = _KEY.match(lead, quote)
    return match.end(1) + 1 if match else len(lead)


def _encoded(name: str, value: object) -> bytes:
    try:
        return dumps(value)
    except JsonError as problem:
        raise BadRequest(f"the field {name!r} cannot be written as JSON: {problem}") from None


def _canonical(value: bytes | msgspec.Raw) -> bytes | None:
    try:
        return dumps(loads(value))
    except JsonError:
        return None


def _not_an_object(text: str) -> str:
    try:
        loads(text)
    except JsonError as problem:
        return f"not JSON: {problem}"
    first = text.lstrip(" \t\n\r")[0]
    return f"{_KINDS.get(first, 'a number')}, not a JSON object"


def _reason(problem: Exception | None) -> str:
    return str(problem).removeprefix("JSON is malformed: ") if problem else "malformed"
