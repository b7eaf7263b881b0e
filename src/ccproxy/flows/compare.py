"""What the client sent against what went to the provider, change by change, each with what caused it.

Strategy: request lines and header fields are compared by name, JSON bodies by their structure: lists are aligned first,
so that one message more is one change. A change belongs to the hooks that say they wrote its place, else to the route,
the credential or a loss of the conversion. Bodies of two dialects have no places in common; they are compared as text.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Literal

import msgspec

from ccproxy.flows import coding
from ccproxy.flows.model import Flow, RequestRecord
from ccproxy.flows.text import printable
from ccproxy.routing.sentinel import CREDENTIAL_NAMES

#: Fields that belong to one connection or message: of no interest by themselves.
_OWN = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "accept-encoding", "keep-alive", "expect"}
)
_CONTEXT = 3
#: Most characters of a value on the page.
_LONGEST = 300


class Change(msgspec.Struct, frozen=True):
    """One difference.

    Attributes:
        path: where: `url`, `method`, `headers.x-team`, `body.messages.3.content`.
        kind: what became of it.
        before, after: the values as compact JSON, "" where there is none.
        causes: what did it: `hook set_model (inbound)`, `route: rule 2`, `credential`, ...
    """

    path: str
    kind: Literal["added", "removed", "changed"]
    before: str
    after: str
    causes: tuple[str, ...]


class Comparison(msgspec.Struct, frozen=True):
    """A flow's two requests.

    Attributes:
        changes: in the order of the request; of a converted body only that it is another.
        losses: what the conversion could not carry over, a line each.
        text: the bodies as a unified diff, "" where they are equal or no text.
    """

    id: str
    changes: tuple[Change, ...]
    losses: tuple[str, ...]
    text: str


def compare(flow: Flow) -> Comparison | None:
    """The comparison; None for a flow of which nothing went to a provider."""
    forwarded = flow.forwarded
    if forwarded is None:
        return None
    request = flow.request
    changes: list[Change] = []
    if request.method != forwarded.method:
        changes.append(_change("method", request.method, forwarded.method, _causes(flow, "method")))
    if request.url != forwarded.url:
        changes.append(_change("url", request.url, forwarded.url, _causes(flow, "target") or _route(flow)))
    changes += _headers(flow, request, forwarded)
    before, after = _content(request), _content(forwarded)
    text = ""
    if before != after:
        text = _text_diff(flow.id, before, after)
        if flow.upstream_dialect:
            sizes = (f"{len(before):,} bytes", f"{len(after):,} bytes")
            changes.append(_change("body", *sizes, (f"conversion from {flow.dialect} to {flow.upstream_dialect}",)))
        else:
            changes += _bodies(flow, before, after)
    losses = tuple(f"{loss.path}: {loss.kind}; {loss.reason}" for loss in flow.losses)
    return Comparison(flow.id, tuple(changes), losses, text)


def _headers(flow: Flow, request: RequestRecord, forwarded: RequestRecord) -> Iterator[Change]:
    before, after = _by_name(request), _by_name(forwarded)
    for name in dict.fromkeys([*before, *after]):
        old, new = before.get(name, []), after.get(name, [])
        if old == new or name in _OWN:
            continue
        path = f"headers.{name}"
        causes = _causes(flow, path)
        if not causes and name.encode("latin-1", "replace") in CREDENTIAL_NAMES:
            causes = ("credential",)
        if not causes and flow.upstream_dialect:
            causes = (f"conversion from {flow.dialect} to {flow.upstream_dialect}",)
        if not causes:
            causes = tuple(loss.reason for loss in flow.losses if loss.path == path)
        yield _change(path, ", ".join(old), ", ".join(new), causes)


def _by_name(request: RequestRecord) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in request.headers:
        found.setdefault(name.lower(), []).append(value)
    return found


def _bodies(flow: Flow, before: bytes, after: bytes) -> Iterator[Change]:
    try:
        old, new = msgspec.json.decode(before), msgspec.json.decode(after)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        yield _change("body", f"{len(before):,} bytes", f"{len(after):,} bytes", _causes(flow, "body"))
        return
    for path, was, became in _walk("body", old, new):
        causes = _causes(flow, path)
        if not causes and path == "body.model":
            causes = _route(flow)
        if not causes:
            causes = tuple(loss.reason for loss in flow.losses if _overlap(f"body.{loss.path}", path))
        yield _change(path, was, became, causes)


_NOTHING = object()


def _walk(path: str, old: Any, new: Any) -> Iterator[tuple[str, str, str]]:
    """The places at which two JSON values differ, with both values as text."""
    if type(old) is dict and type(new) is dict:
        for name in dict.fromkeys([*old, *new]):
            was, became = old.get(name, _NOTHING), new.get(name, _NOTHING)
            if was is _NOTHING or became is _NOTHING:
                yield f"{path}.{name}", _short(was), _short(became)
            else:
                yield from _walk(f"{path}.{name}", was, became)
    elif type(old) is list and type(new) is list:
        yield from _walk_lists(path, old, new)
    elif type(old) is not type(new) or old != new:
        yield path, _short(old), _short(new)


def _walk_lists(path: str, old: list[Any], new: list[Any]) -> Iterator[tuple[str, str, str]]:
    first, second = [_key(item) for item in old], [_key(item) for item in new]
    matcher = difflib.SequenceMatcher(None, first, second, autojunk=False)
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag == "equal":
            continue
        paired = min(b - a, d - c)
        for offset in range(paired):
            yield from _walk(f"{path}.{c + offset}", old[a + offset], new[c + offset])
        for index in range(a + paired, b):
            yield f"{path}.{index}", _short(old[index]), ""
        for index in range(c + paired, d):
            yield f"{path}.{index}", "", _short(new[index])


def _key(item: Any) -> bytes:
    return msgspec.json.encode(item)


def _short(value: Any) -> str:
    return "" if value is _NOTHING else msgspec.json.encode(value).decode()


def _change(path: str, before: str, after: str, causes: tuple[str, ...]) -> Change:
    kind: Literal["added", "removed", "changed"] = "changed" if before and after else "added" if after else "removed"
    return Change(path, kind, before, after, causes)


def _causes(flow: Flow, path: str) -> tuple[str, ...]:
    """The hooks that wrote this place, or one inside of it or around it."""
    return tuple(
        f"hook {hook.name} ({hook.stage})"
        for hook in flow.hooks
        if any(_overlap(place, path) for place in hook.changed)
    )


def _overlap(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")


def _route(flow: Flow) -> tuple[str, ...]:
    return (f"route: {flow.reason}",) if flow.reason else ()


def _content(request: RequestRecord) -> bytes:
    decoded = coding.decode(request.body, request.header("content-encoding"))
    return request.body if decoded is None else decoded.data


def _text_diff(name: str, before: bytes, after: bytes) -> str:
    try:
        old, new = _lines(before), _lines(after)
    except UnicodeDecodeError:
        return ""
    diff = difflib.unified_diff(old, new, f"client:{name}", f"forwarded:{name}", lineterm="", n=_CONTEXT)
    return "\n".join(diff)


def _lines(content: bytes) -> Sequence[str]:
    with suppress(msgspec.MsgspecError, RecursionError):  # if it is no JSON, it is compared as it is
        content = msgspec.json.format(content, indent=2)
    return content.decode().splitlines()


def render(comparison: Comparison, *, raw: bool = False, heading: Callable[[str], str] = str) -> str:
    """The page for a person, safe for a terminal.

    Args:
        raw: bodies as a text diff in place of their changes.
        heading: how a heading is made to stand out.
    """
    lines = [heading(printable(f"Flow {comparison.id}: client and forwarded request"))]
    changes = comparison.changes
    if raw:
        changes = tuple(change for change in changes if not change.path.startswith("body"))
    for change in changes:
        cause = f"  ({'; '.join(change.causes)})" if change.causes else ""
        lines.append(_line(f"{change.path} {change.kind}{cause}"))
        if change.before:
            lines.append(_line(f"  - {_cut(change.before)}"))
        if change.after:
            lines.append(_line(f"  + {_cut(change.after)}"))
    if comparison.losses:
        lines += ["", heading("Lost in conversion"), *map(_line, comparison.losses)]
    converted = any(change.path == "body" for change in comparison.changes)
    if comparison.text and (raw or converted):
        lines += ["", heading("Bodies"), *(printable(line) for line in comparison.text.splitlines())]
    if len(lines) == 1:
        lines.append(_line("the request went out as it came"))
    return "\n".join(lines) + "\n"


def _line(text: str) -> str:
    return printable(f"  {text}").replace("\n", "\\n")


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}... ({len(text):,} characters)"
