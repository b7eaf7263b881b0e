"""The page of `flows cache`: each request on a line, and below it who broke the cache for it, and how."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from ccproxy.flows.cache import Blame, Turn
from ccproxy.flows.culprits import Cause
from ccproxy.flows.text import count, dollars, printable, short

#: Characters of a model's name, and of a place in the words of a culprit.
_MODEL = 26
_SAID = {
    "client": "the client",
    "hook": "a hook",
    "conversion": "the conversion",
    "proxy": "ccproxy",
    "model": "another model",
    "provider": "another provider",
    "credential": "another credential",
    "expired": "time",
    "breakpoints": "breakpoints",
    "too_short": "a short prompt",
    "in_flight": "haste",
    "unexplained": "nobody known",
}


def render(found: Blame, title: str, *, heading: Callable[[str], str] = str) -> str:
    """The page, safe for a terminal.

    Args:
        title: what was looked at.
        heading: how a heading is made to stand out.
    """
    lines = [heading(printable(title)), f"  {_summary(found)}"]
    if found.causes:
        lines += [_cause_line(kind, *sums) for kind, sums in found.causes.items()]
    lines.append("")
    for turn in found.turns:
        lines += map(_one_line, _turn(turn))
    return "\n".join(lines) + "\n"


def _summary(found: Blame) -> str:
    share = f", {found.read / found.prompt:.0%} of them from the cache" if found.prompt else ""
    said = f"{count(len(found.turns), 'request')}, {short(found.prompt)} prompt tokens{share}"
    if not found.lost:
        return f"{said}; nothing lost"
    unpriced = f", {found.unpriced} of them of unknown price" if found.unpriced else ""
    return f"{said}; {short(found.lost)} lost for {dollars(found.dollars)}{unpriced}"


def _cause_line(kind: str, requests: int, lost: int, price: float) -> str:
    times = "once" if requests == 1 else f"{requests} times"
    if not lost:
        return f"  not cached, because of {_SAID.get(kind, kind)}: {times}"
    return (
        f"  broken by {_SAID.get(kind, kind)}: {times}, {short(lost)} tokens{f' for {dollars(price)}' if price else ''}"
    )


def _turn(turn: Turn) -> Iterator[str]:
    begun = f"{datetime.fromtimestamp(turn.started).astimezone():%H:%M:%S}"
    prompt = f"{short(turn.prompt)} in" if turn.prompt is not None else "? in"
    cached = f"{turn.read / turn.prompt:4.0%} cached" if turn.prompt and turn.read is not None else "   ? cached"
    kind = f", {turn.kind}" if turn.kind not in {"", "main"} else ""
    yield f"  {turn.id[:8]}  {begun}  {turn.model[:_MODEL]:<{_MODEL}} {prompt:>10}  {cached}  {_verdict(turn)}{kind}"
    if turn.note:
        yield f"      {turn.note}"
    if turn.cause is not None:
        yield from (f"      {line}" for line in _cause(turn.cause))


def _verdict(turn: Turn) -> str:
    if turn.verdict == "miss" and turn.lost:
        price = f" for {dollars(turn.dollars)}" if turn.dollars is not None else ""
        return f"lost {short(turn.lost)} of {short(max(turn.reusable, turn.lost))}{price}"
    return {"first": "the first", "hit": "", "miss": "nothing to be used", "unknown": "not known"}[turn.verdict]


def _cause(cause: Cause) -> Iterator[str]:
    place = f" (at {cause.path}" if cause.path else ""
    if place:
        place += f", the client's {cause.client_path})" if cause.client_path not in {"", cause.path} else ")"
    yield f"{cause.who}: {cause.what}{place}"
    if cause.before:
        yield f"  - {cause.before}"
    if cause.after:
        yield f"  + {cause.after}"


def _one_line(text: str) -> str:
    return printable(text).replace("\n", "\\n").replace("\t", "\\t").rstrip()
