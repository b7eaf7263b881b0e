"""What the client sent against what went to the provider, change by change, each with what caused it.

Strategy: request lines and header fields are compared by name, JSON bodies by their structure: lists are aligned first,
so that one message more is one change. A change belongs to the hooks that say they wrote its place, else to the route,
the credential or a loss of the conversion. Bodies of two dialects have no places in common; they are compared as text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import msgspec

from ccproxy.flows import coding
from ccproxy.flows.lines import unified
from ccproxy.flows.model import Flow, RequestRecord
from ccproxy.flows.structure import differences
from ccproxy.flows.text import printable
from ccproxy.routing.sentinel import CREDENTIAL_NAMES

#: Fields that belong to one connection or message: of no interest by themselves.
_OWN = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "accept-encoding", "keep-alive", "expect"}
)
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
        identical: the bodies are the same, byte for byte.
    """

    id: str
    changes: tuple[Change, ...]
    losses: tuple[str, ...]
    text: str
    identical: bool


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
        text = unified(f"client:{flow.id}", f"forwarded:{flow.id}", before, after)
        if flow.upstream_dialect:
            sizes = (f"{len(before):,} bytes", f"{len(after):,} bytes")
            changes.append(_change("body", *sizes, (f"conversion from {flow.dialect} to {flow.upstream_dialect}",)))
        else:
            changes += _bodies(flow, before, after)
    losses = tuple(f"{loss.path}: {loss.kind}; {loss.reason}" for loss in flow.losses)
    return Comparison(flow.id, tuple(changes), losses, text, before == after)


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
    for path, was, became in differences("body", old, new):
        causes = _causes(flow, path)
        if not causes and path == "body.model":
            causes = _route(flow)
        if not causes:
            causes = tuple(loss.reason for loss in flow.losses if _overlap(f"body.{loss.path}", path))
        yield _change(path, was, became, causes)


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
        lines += _change_lines(change)
    if comparison.losses:
        lines += ["", heading("Lost in conversion"), *map(_line, comparison.losses)]
    converted = any(change.path == "body" for change in comparison.changes)
    if comparison.text and (raw or converted):
        lines += ["", heading("Bodies"), *(printable(line) for line in comparison.text.splitlines())]
    if len(lines) == 1:
        lines.append(_line("the request went out as it came"))
    if comparison.identical:
        lines.append(identical(comparison))
    return "\n".join(lines) + "\n"


def identical(comparison: Comparison) -> str:
    """What is said of bodies that nothing changed."""
    return printable(f"{comparison.id}: request bodies are identical.")


def cause_lines(comparison: Comparison, *, raw: bool = False) -> list[str]:
    """The changes but for that of the URL, each with what caused it, and its values below it."""
    lines: list[str] = []
    for change in comparison.changes:
        if change.path == "url" or (raw and change.path.startswith("body")):
            continue
        lines += _change_lines(change)
    return lines


def _change_lines(change: Change) -> list[str]:
    cause = f"  ({'; '.join(change.causes)})" if change.causes else ""
    values = [f"  - {_cut(change.before)}"] if change.before else []
    values += [f"  + {_cut(change.after)}"] if change.after else []
    return [_line(line) for line in (f"{change.path} {change.kind}{cause}", *values)]


def _line(text: str) -> str:
    return printable(f"  {text}").replace("\n", "\\n")


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}... ({len(text):,} characters)"
