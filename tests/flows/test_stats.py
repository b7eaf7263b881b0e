"""Flows added up."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from ccproxy.errors import CommandError
from ccproxy.flows.query import Query
from ccproxy.flows.reader import Reader
from ccproxy.flows.stats import BY, Figures, Tally, failed, quantile, since, speed, tally

from .conftest import Kind
from .support import START, make_flow

FIRST = Figures(
    id="1", started=START, duration=3.0, ttfb=0.5, streaming=True, outcome="complete", status=200, model="asked",
    answer_model="answered", provider="anthropic", session="s", client_key="", user_agent="claude-cli/2.1 (external)",
    input=100, output=50, cache_read=80, cache_write=10, reasoning=0, cost=0.25, ttft=1.0, last=2.0,
)  # fmt: skip


def numbers(**changes: Any) -> Figures:
    return FIRST._replace(**changes)


def test_everything_is_added_up() -> None:
    flows = [
        numbers(),
        numbers(status=529, cost=None, input=None, output=None, cache_read=None, ttft=None),
        numbers(outcome="client_gone", cost=None, ttft=3.0, streaming=False),
    ]
    total = tally(flows, "model").total
    assert total.json() == {
        "requests": 3,
        "errors": 1,
        "error_rate": 0.333333,
        "client_gone": 1,
        "tokens": {"input": 200, "output": 100, "cache_read": 160, "cache_write": 30, "reasoning": 0},
        "cached": 0.8,
        "cost": 0.25,
        "unpriced": 1,
        "ttft": {"count": 2, "p50": 2.0, "p95": 2.9},
        "tokens_per_second": {"count": 1, "p50": 50.0, "p95": 50.0},
    }


def test_nothing_has_no_quotients() -> None:
    document = Tally().json()
    assert (document["error_rate"], document["cached"], document["cost"]) == (0.0, None, None)
    assert document["ttft"] == {"count": 0, "p50": None, "p95": None}


def test_a_free_answer_costs_nothing_and_an_unknown_one_is_no_free_one() -> None:
    assert tally([numbers(cost=0.0)], "model").total.json()["cost"] == 0.0
    assert tally([numbers(cost=None)], "model").total.json()["cost"] is None


@pytest.mark.parametrize(
    ("by", "keys"),
    [
        ("model", ["answered", "asked"]),
        ("provider", ["anthropic", "openai"]),
        ("session", ["s", ""]),
        ("client", ["claude-cli", "laptop: codex"]),
    ],
)
def test_groups_stand_by_their_size(by: Any, keys: list[str]) -> None:
    other = numbers(answer_model="", provider="openai", session="", client_key="laptop", user_agent="codex/1 (Linux)")
    assert list(tally([other, numbers(), numbers()], by).groups) == keys


def test_hours_and_days_stand_in_their_order() -> None:
    flows = [numbers(started=START + hours * 3600) for hours in (50, 0, 1, 50, 50)]
    for by, form in (("hour", "%Y-%m-%d %H:00"), ("day", "%Y-%m-%d")):
        expected = {f"{datetime.fromtimestamp(flow.started).astimezone():{form}}" for flow in flows}
        assert list(tally(flows, by).groups) == sorted(expected)


@pytest.mark.parametrize(
    ("outcome", "status", "bad"),
    [
        ("complete", 200, False), ("client_gone", 200, False), ("client_gone", None, False), ("complete", 429, True),
        ("upstream_cut", 200, True), ("refused", None, True), ("complete", None, False),
    ],
)  # fmt: skip
def test_what_a_failure_is(outcome: str, status: int | None, bad: bool) -> None:
    assert failed(outcome, status) is bad


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, 50.0),
        ({"last": None}, 25.0),
        ({"reasoning": 9}, 50 / 1.5),  # it may have come before the first content
        ({"ttft": None}, 50 / 1.5),
        ({"streaming": False}, None),
        ({"output": 3}, None),
        ({"status": 500}, None),
        ({"last": 1.01}, None),
    ],
)
def test_speed_is_that_of_the_stream(changes: dict[str, Any], expected: float | None) -> None:
    assert speed(numbers(**changes)) == (None if expected is None else pytest.approx(expected))


def test_quantiles_are_interpolated() -> None:
    assert [quantile([4, 1, 3, 2], part) for part in (0, 0.5, 0.95, 1)] == [1, 2.5, pytest.approx(3.85), 4]
    assert quantile([], 0.5) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30m", 1800), ("1.5h", 5400), ("7d", 604_800), ("2 W", 1_209_600), ("5min", 300)],
)
def test_ages_are_understood(text: str, seconds: float) -> None:
    assert since(text, START) == START - seconds


def test_dates_are_those_of_the_local_clock() -> None:
    assert since("2026-11-24", START) == datetime(2026, 11, 24).astimezone().timestamp()
    assert since("2026-11-24T08:00+00:00", START) == 1_795_507_200


@pytest.mark.parametrize("text", ["", "yesterday", "5 parsecs", "2026-13-01", "-3h"])
def test_other_words_are_no_time(text: str) -> None:
    with pytest.raises(CommandError, match="is no time"):
        since(text, START)


async def test_the_store_gives_the_numbers(kind: Kind) -> None:
    flows = [make_flow(n, timings={"ttft": 0.75, "last": 1.25}) for n in range(3)]
    flows[1].response = None
    flows[2].dialect = ""
    await kind.watched().put(*flows)
    with kind.reader() as reader:
        first, second = reader.figures()
        assert (first.id, first.status, first.input, first.ttft, first.last) == (flows[0].id, 200, 3, 0.75, 1.25)
        assert (second.status, second.input, second.cost) == (None, None, None)
        assert [one.id for one in reader.figures(Query(since=START + 1))] == [flows[1].id]
        assert reader.ids() == [flow.id for flow in flows]
        assert reader.ids(Query(since=START + 2)) == [flows[2].id]
        assert set(BY) == {"model", "provider", "session", "client", "hour", "day"}


def test_a_store_that_does_not_exist_has_none(tmp_path: Path) -> None:
    with Reader(tmp_path / "none.db") as reader:
        assert list(reader.figures()) == reader.ids() == []
