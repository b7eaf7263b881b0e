"""What is different from one request to the next: by structure (which messages, tools and settings), and line by line."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from ccproxy.flows import coding, sanitise
from ccproxy.flows.lines import unified
from ccproxy.flows.model import Flow
from ccproxy.flows.structure import differences

#: Most characters of a value in a summary, and most places that it names.
_LONGEST = 60
_MOST_PLACES = 3


class Difference(msgspec.Struct, frozen=True):
    """One place in a body.

    Attributes:
        path: `messages.3.content.0.text`; an index is that of the newer list, of a removed item that of the older.
        before, after: compact JSON, "" where there is none.
    """

    path: str
    kind: Literal["added", "removed", "changed"]
    before: str
    after: str


class Pair(msgspec.Struct, frozen=True):
    """Two requests, `old` and `new` being the ids of their flows.

    Attributes:
        summary: the differences in a line, for a person.
        changes: the differences, where both bodies are JSON.
        text: the unified diff of the bodies, "" if they are equal or no text.
    """

    old: str
    new: str
    summary: str
    changes: tuple[Difference, ...]
    text: str


class Side(msgspec.Struct, frozen=True):
    """A flow's request, as `diff` needs it: read once, compared with the one before it and the one after it.
    `document` is None if the body is no JSON."""

    id: str
    body: bytes
    document: Any


def side(flow: Flow, *, client: bool = False) -> Side:
    """The request of a flow: the forwarded one if there is one, else (or with `client`) the client's. Without what looks
    like a secret."""
    request = flow.request if client else flow.forwarded or flow.request
    decoded = coding.decode(request.body, request.header("content-encoding"))
    body = sanitise.body(request.body if decoded is None else decoded.data, "", request.header("content-type"))
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        document = None
    return Side(flow.id, body, document)


def diff(old: Side, new: Side, *, raw: bool = False, text: bool = True) -> Pair:
    """The differences between two requests.

    Args:
        raw: the text diff is of the bodies as they are, not of indented JSON.
        text: whether the text diff is wanted.
    """
    changes: tuple[Difference, ...] = ()
    if old.body == new.body:
        summary = "request bodies are identical"
    elif old.document is None or new.document is None:
        summary = f"{len(old.body):,} bytes became {len(new.body):,}"
    else:
        changes = tuple(_difference(*found) for found in differences("", old.document, new.document))
        summary = _summary(changes, old.document, new.document) or "the same JSON, written differently"
    made = unified(f"flow:{old.id}", f"flow:{new.id}", old.body, new.body, raw=raw) if text else ""
    return Pair(old.id, new.id, summary, changes, made)


def _difference(path: str, before: str, after: str) -> Difference:
    kind: Literal["added", "removed", "changed"] = "changed" if before and after else "added" if after else "removed"
    return Difference(path, kind, before, after)


def _summary(changes: tuple[Difference, ...], old: Any, new: Any) -> str:
    """`messages: 2 added (3 assistant, 4 user), 1 changed (0.content.0.text); max_tokens: 100 -> 200`."""
    groups: dict[str, list[Difference]] = {}
    for change in changes:
        groups.setdefault(change.path.partition(".")[0], []).append(change)
    return "; ".join(
        f"{name}: {_group(name, group, old, new)}" if name else group[0].kind for name, group in groups.items()
    )


def _group(name: str, group: list[Difference], old: Any, new: Any) -> str:
    first = group[0]
    if len(group) == 1 and first.path == name:
        values = [_cut(value) for value in (first.before, first.after)]
        return f"{values[0]} -> {values[1]}" if first.kind == "changed" else first.kind
    parts = []
    for kind in ("added", "removed"):
        document = old if kind == "removed" else new
        items = [change for change in group if change.kind == kind and _is_item(change.path, document)]
        if items:
            parts.append(f"{len(items)} {kind} ({_places([_label(change, document) for change in items])})")
    rest = [change for change in group if change.kind == "changed" or not _is_item(change.path, _of(change, old, new))]
    if rest:
        places = [
            f"{change.path[len(name) + 1 :]}{'' if change.kind == 'changed' else f' {change.kind}'}" for change in rest
        ]
        parts.append(f"{len(rest)} changed ({_places(places)})")
    return ", ".join(parts)


def _of(change: Difference, old: Any, new: Any) -> Any:
    return old if change.kind == "removed" else new


def _is_item(path: str, document: Any) -> bool:
    """Whether a path is that of an item of a list at the top: a message, a tool."""
    name, _, index = path.partition(".")
    return index.isdigit() and isinstance(document, dict) and isinstance(document.get(name), list)


def _label(change: Difference, document: Any) -> str:
    """`4 user`, `2 Bash`: where an item is, and who or what it is."""
    name, _, index = change.path.partition(".")
    item = document[name][int(index)]
    if isinstance(item, dict):
        for key in ("role", "name", "type"):
            if isinstance(item.get(key), str):
                return f"{index} {_cut(item[key])}"
        function = item.get("function")
        if isinstance(function, dict) and isinstance(function.get("name"), str):
            return f"{index} {_cut(function['name'])}"
    return index


def _places(names: list[str]) -> str:
    more = len(names) - _MOST_PLACES
    return ", ".join(names) if more <= 1 else f"{', '.join(names[:_MOST_PLACES])} and {more} more"


def _cut(value: str) -> str:
    return value if len(value) <= _LONGEST else f"{value[:_LONGEST]}..."
