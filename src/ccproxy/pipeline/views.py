"""What hooks hold of a request's head and body: `ctx.headers` and `ctx.body`.

Both look like mappings, and every edit through them is noted for the hook that made it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ccproxy.errors import BadRequest, HookError
from ccproxy.exchange.http import HOP_BY_HOP
from ccproxy.lightllm.jsontext import JsonError, loads
from ccproxy.pipeline.draft import Draft
from ccproxy.pipeline.places import Place
from ccproxy.pipeline.splice import Path, shown

#: Told of every access: whether it writes, and where.
type Touch = Callable[[bool, Place], None]

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
#: Fields that follow from the connection and the body.
_FRAMING = HOP_BY_HOP | {b"host", b"content-length", b"content-encoding", b"expect"}


class HeaderView:
    """Header fields as text, by names whose case does not matter."""

    __slots__ = ("_draft", "_touch", "_tracked")

    def __init__(self, draft: Draft, touch: Touch, tracked: bool = True) -> None:
        self._draft = draft
        self._touch = touch
        #: Whether reading is of interest, and not only writing.
        self._tracked = tracked

    def __getitem__(self, name: str) -> str:
        found = self.get(name)
        if found is None:
            raise KeyError(name)
        return found

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def __iter__(self) -> Iterator[str]:
        if self._tracked:
            self._touch(False, ("headers",))
        return iter([name.decode("latin-1") for name, _ in self._draft.headers])

    def get(self, name: str, default: str | None = None) -> str | None:
        """The first value of a field, or `default`."""
        if self._tracked:
            self._touch(False, ("headers", name.lower()))
        found = self._draft.headers.get(name.encode("latin-1"))
        return default if found is None else found.decode("latin-1")

    def all(self, name: str) -> list[str]:
        """Every value of a field, in order."""
        if self._tracked:
            self._touch(False, ("headers", name.lower()))
        return [value.decode("latin-1") for value in self._draft.headers.all(name.encode("latin-1"))]

    def items(self) -> list[tuple[str, str]]:
        """All fields in the order and case they came in."""
        if self._tracked:
            self._touch(False, ("headers",))
        return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self._draft.headers]

    def __setitem__(self, name: str, value: str) -> None:
        """Replaces a field where it stands, or adds it at the end. Raises HookError for what no field may hold."""
        raw_name, raw_value = field(name, value)
        if self._draft.headers.all(raw_name) != [raw_value]:
            self._touch(True, ("headers", name.lower()))
            self._draft.edit_headers().set(raw_name, raw_value)

    def add(self, name: str, value: str) -> None:
        """Adds a field, beside those of the same name."""
        raw_name, raw_value = field(name, value)
        self._touch(True, ("headers", name.lower()))
        self._draft.edit_headers().add(raw_name, raw_value)

    def __delitem__(self, name: str) -> None:
        """Removes a field and its repetitions, if it is there."""
        raw_name, _ = field(name, "")
        if raw_name in self._draft.headers:
            self._touch(True, ("headers", name.lower()))
            headers = self._draft.edit_headers()
            headers.pairs = headers.without((raw_name.lower(),)).pairs


class BodyView:
    """The JSON body by path: `ctx.body["metadata.user_id"]`, `ctx.body["messages.0.content"] = "…"`.

    A path is words joined with dots; a number is a position in a list, and the one behind the last adds an element. As
    a tuple, `("a.b", 0)`, a path may name keys with dots in them. What is read is the reader's own: changing it changes
    nothing. What is set changes those bytes of the body and no others.
    """

    __slots__ = ("_draft", "_touch", "_tracked")

    def __init__(self, draft: Draft, touch: Touch, tracked: bool = True) -> None:
        self._draft = draft
        self._touch = touch
        #: Whether reading is of interest, and not only writing.
        self._tracked = tracked

    @property
    def is_json(self) -> bool:
        """Whether there is a JSON object to be read and edited."""
        return self._draft.visible and self._draft.body.is_object

    @property
    def raw(self) -> bytes:
        """The bytes, content-encoding removed; b"" if the body streams through."""
        if self._tracked:
            self._touch(False, ("body",))
        return self._draft.body.raw

    def __getitem__(self, path: str | Path) -> Any:
        steps = _steps(path)
        found = self._find(steps)
        if found is None:
            raise KeyError(shown(steps))
        return _value(steps, found)

    def __contains__(self, path: str | Path) -> bool:
        return self._find(_steps(path)) is not None

    def get(self, path: str | Path, default: Any = None) -> Any:
        """The value at a path, or `default` where there is none. Raises BadRequest for one that cannot be parsed."""
        steps = _steps(path)
        found = self._find(steps)
        return default if found is None else _value(steps, found)

    def tree(self) -> dict[str, Any]:
        """The whole body. Raises BadRequest if it is no JSON object."""
        if self._tracked:
            self._touch(False, ("body",))
        return self._draft.body.tree()

    def __setitem__(self, path: str | Path, value: object) -> None:
        """Sets the value at a path; objects missing on the way are made. Raises HookError, BadRequest."""
        steps = _steps(path)
        try:
            if self._draft.put(steps, value):
                self._touch(True, ("body", *map(str, steps)))
        except LookupError as error:
            raise HookError(f"body.{shown(steps)} cannot be set: {error.args[0]}") from None

    def __delitem__(self, path: str | Path) -> None:
        """Removes the value at a path, if it is there."""
        steps = _steps(path)
        if self._draft.remove(steps):
            self._touch(True, ("body", *map(str, steps)))

    def replace(self, raw: bytes, changed: Iterable[str] = ()) -> None:
        """Puts another body in place of this one. `changed` are the paths at which it differs, to be told with the
        flow, where they are known."""
        for path in dict.fromkeys(changed) or [""]:
            self._touch(True, ("body", *path.split(".")) if path else ("body",))
        self._draft.replace(raw)

    def _find(self, steps: Path) -> bytes | None:
        if self._tracked:
            self._touch(False, ("body", *map(str, steps)))
        return self._draft.text(steps) if self._draft.visible else None


def _steps(path: str | Path) -> Path:
    steps: Path = tuple(path.split(".")) if isinstance(path, str) else tuple(path)
    if not steps or "" in steps:
        raise HookError(f"{path!r} is no path in a body")
    return steps


def _value(steps: Path, raw: bytes) -> Any:
    try:
        return loads(raw)
    except JsonError as problem:
        raise BadRequest(f"the body's field {shown(steps)!r} cannot be read: {problem}") from None


def field(name: str, value: str) -> tuple[bytes, bytes]:
    """A header field as bytes. Raises HookError where it would not be one, or belongs to the connection."""
    if not _NAME.fullmatch(name):
        raise HookError(f"{name!r} is no name of a header field")
    raw = name.encode()
    if raw.lower() in _FRAMING:
        raise HookError(f"the header field {name} follows from the connection and the body and cannot be edited")
    if any(sign in value for sign in "\r\n\0"):
        raise HookError(f"a value of the header field {name} cannot have line breaks")
    try:
        return raw, value.encode("latin-1")
    except UnicodeEncodeError:
        raise HookError(f"a value of the header field {name} has characters that a header cannot carry") from None
