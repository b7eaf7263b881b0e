"""Flows in numbers: how many, tokens, cost, times and errors, by model, provider, session, client, hour or day.

Strategy: the store gives one row of numbers for each flow (`Reader.figures`), which are added up here as they come.
Only requests in a dialect count; what else passes through a jail has neither tokens nor a price.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple, get_args

import msgspec
from msgspec import Struct

from ccproxy.errors import CommandError

type By = Literal["model", "provider", "session", "client", "hour", "day"]
BY: tuple[By, ...] = get_args(By.__value__)

#: Generating anything takes longer: answers that come quicker, or are shorter, say nothing about speed.
_SHORTEST = 0.05
_FEWEST = 16
_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)", re.IGNORECASE)
_PRODUCT = re.compile(r"[^\s/(]+")


class Figures(NamedTuple):
    """The numbers of a flow: tokens None if not reported, `status` None if there was no answer, times in seconds."""

    id: str
    started: float
    duration: float
    ttfb: float | None
    streaming: bool
    outcome: str
    status: int | None
    model: str
    answer_model: str
    provider: str
    session: str
    client_key: str
    user_agent: str
    input: int | None
    output: int | None
    cache_read: int | None
    cache_write: int | None
    reasoning: int | None
    cost: float | None
    ttft: float | None
    last: float | None


class _Timings(Struct):
    """The moments that matter here."""

    ttft: float | None = None
    last: float | None = None


_decode_timings = msgspec.json.Decoder(_Timings).decode
_NONE = _Timings()


def figures(row: Sequence[Any]) -> Figures:
    """The numbers from their columns, of which the last holds the timings as JSON."""
    timings = row[-1]
    found = _decode_timings(timings) if timings else _NONE
    return Figures._make((*row[:-1], found.ttft, found.last))


def failed(outcome: str, status: int | None) -> bool:
    """Whether an exchange ended badly. A client that hung up is no failure."""
    return (status or 0) >= 400 or outcome not in {"complete", "client_gone"}


def speed(flow: Figures) -> float | None:
    """Generated tokens per second of a streamed answer, from its first piece to its last; None if that says nothing."""
    output = flow.output or 0
    if not flow.streaming or output < _FEWEST or failed(flow.outcome, flow.status):
        return None
    # Thinking that is not shown comes before the first content, and is in the count.
    begin = flow.ttfb if flow.reasoning or flow.ttft is None else flow.ttft
    took = (flow.last if flow.last is not None else flow.duration) - (begin or 0.0)
    return output / took if took >= _SHORTEST else None


@dataclass(slots=True)
class Tally:
    """Flows added up. `unpriced` are those that used tokens whose price is not known; `gone` those whose client hung up;
    `ttft` and `speed` the times to the first content in seconds, and tokens per second, of streamed answers."""

    requests: int = 0
    errors: int = 0
    gone: int = 0
    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int = 0
    cost: float = 0.0
    priced: int = 0
    unpriced: int = 0
    ttft: array[float] = field(default_factory=lambda: array("d"))
    speed: array[float] = field(default_factory=lambda: array("d"))

    def add(self, flow: Figures) -> None:
        """Adds a flow."""
        self.requests += 1
        if failed(flow.outcome, flow.status):
            self.errors += 1
        elif flow.outcome == "client_gone":
            self.gone += 1
        read, written = flow.input or 0, flow.output or 0
        self.input += read
        self.output += written
        self.cache_read += flow.cache_read or 0
        self.cache_write += flow.cache_write or 0
        self.reasoning += flow.reasoning or 0
        if flow.cost is not None:
            self.priced += 1
            self.cost += flow.cost
        elif read or written:
            self.unpriced += 1
        if flow.ttft is not None:
            self.ttft.append(flow.ttft)
        if (found := speed(flow)) is not None:
            self.speed.append(found)

    @property
    def cached(self) -> float | None:
        """The part of the prompts that came from a cache, 0 to 1; None if there were none."""
        return self.cache_read / self.input if self.input else None

    def json(self) -> dict[str, Any]:
        """All numbers by name. The cost is null if no price is known."""
        return {
            "requests": self.requests,
            "errors": self.errors,
            "error_rate": round(self.errors / self.requests, 6) if self.requests else 0.0,
            "client_gone": self.gone,
            "tokens": {
                "input": self.input,
                "output": self.output,
                "cache_read": self.cache_read,
                "cache_write": self.cache_write,
                "reasoning": self.reasoning,
            },
            "cached": None if self.cached is None else round(self.cached, 6),
            "cost": self.cost if self.priced else None,
            "unpriced": self.unpriced,
            "ttft": _quantiles(self.ttft),
            "tokens_per_second": _quantiles(self.speed),
        }


def quantile(values: Iterable[float], part: float) -> float | None:
    """The value below which `part` (0 to 1) of the values are, interpolated; None of none."""
    ordered = sorted(values)
    if not ordered:
        return None
    place = part * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def _quantiles(values: array[float]) -> dict[str, float | int | None]:
    ordered = array("d", sorted(values))
    found = {f"p{round(part * 100)}": quantile(ordered, part) for part in (0.5, 0.95)}
    return {"count": len(values), **{name: None if one is None else round(one, 6) for name, one in found.items()}}


class Stats(NamedTuple):
    """Groups of flows by their key, in the order to show them in (times in theirs, else the largest number of requests
    first), and all together."""

    by: By
    groups: dict[str, Tally]
    total: Tally

    def json(self) -> dict[str, Any]:
        """The document of `flows stats --json`."""
        groups = [{"key": key, **tally.json()} for key, tally in self.groups.items()]
        return {"by": self.by, "groups": groups, "total": self.total.json()}


def tally(flows: Iterable[Figures], by: By) -> Stats:
    """Adds flows up."""
    groups: dict[str, Tally] = {}
    total, key_of = Tally(), _KEYS[by]
    for flow in flows:
        key = key_of(flow)
        group = groups.get(key)
        if group is None:
            group = groups[key] = Tally()
        group.add(flow)
        total.add(flow)
    in_order = sorted(groups.items()) if by in {"hour", "day"} else sorted(groups.items(), key=_largest)
    return Stats(by, dict(in_order), total)


def _largest(group: tuple[str, Tally]) -> tuple[int, str]:
    return -group[1].requests, group[0]


def _client(flow: Figures) -> str:
    product = _PRODUCT.match(flow.user_agent)
    name = product[0] if product else ""
    return f"{flow.client_key}: {name}" if flow.client_key and name else flow.client_key or name


def _hour(flow: Figures) -> str:
    return f"{datetime.fromtimestamp(flow.started).astimezone():%Y-%m-%d %H:00}"


def _day(flow: Figures) -> str:
    return f"{datetime.fromtimestamp(flow.started).astimezone():%Y-%m-%d}"


_KEYS: dict[By, Callable[[Figures], str]] = {
    "model": lambda flow: flow.answer_model or flow.model,
    "provider": lambda flow: flow.provider,
    "session": lambda flow: flow.session,
    "client": _client,
    "hour": _hour,
    "day": _day,
}


def since(text: str, now: float) -> float:
    """The moment (seconds since the epoch) that people mean by `90s`, `30m`, `24h`, `7d`, `2w`, or a date or time of the
    local clock, `2026-11-24` or `2026-11-24T08:00`. Raises CommandError."""
    found = _AGE.fullmatch(text.strip())
    if found and (unit := _UNITS.get(found[2].lower())):
        return now - float(found[1]) * unit
    try:
        return datetime.fromisoformat(text.strip()).astimezone().timestamp()
    except (ValueError, OverflowError, OSError):
        raise CommandError(
            f"{text!r} is no time", hint="give an age such as 30m, 24h or 7d, or a date such as 2026-11-24", exit_code=2
        ) from None
