"""Flows fall into columns of time, and the dearest names have columns of their own."""

from __future__ import annotations

import pytest

from ccproxy.flows.stats import Figures
from ccproxy.inspector.series import MOST_NAMES, REST, series, width_of

START = 1_700_006_400.0  # midnight


def figures(started: float = START, **changes: object) -> Figures:
    facts = {
        "id": "a",
        "started": started,
        "duration": 1.0,
        "ttfb": 0.1,
        "streaming": True,
        "outcome": "complete",
        "status": 200,
        "model": "m",
        "answer_model": "m",
        "provider": "p",
        "session": "",
        "client_key": "",
        "user_agent": "",
        "input": 10,
        "output": 2,
        "cache_read": 4,
        "cache_write": None,
        "reasoning": None,
        "cost": 0.5,
        "ttft": 0.2,
        "last": 0.9,
    }
    return Figures(**(facts | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("span", "width"), [(60, 60), (3600, 60), (86_400, 1800), (7 * 86_400, 3 * 3600), (30 * 86_400, 12 * 3600)]
)
def test_at_most_sixty_columns(span: float, width: int) -> None:
    assert width_of(span) == width
    assert span / width_of(span) <= 60


def test_a_span_of_ten_years_has_columns_too() -> None:
    assert 10 * 365 * 86_400 / width_of(10 * 365 * 86_400) <= 60


def test_values_are_added_up_by_column_and_name() -> None:
    flows = [figures(), figures(START + 1), figures(START + 70, model="n", cost=None), figures(START - 1)]
    found = series(flows, "model", START, START + 3600)
    assert found["names"] == ["m", "n"]
    assert found["columns"][0] == {"at": START, "values": {"m": [2, 1.0, 20, 4, 8], "n": [0, 0, 0, 0, 0]}}
    assert found["columns"][1]["values"]["n"] == [1, 0.0, 10, 2, 4]
    assert [total["name"] for total in found["totals"]] == ["m", "n"]
    assert found["totals"][0]["cost"] == 1.0
    assert found["totals"][1]["unpriced"] == 1


def test_by_provider_and_without_a_name() -> None:
    assert series([figures(provider="")], "provider", START, START + 60)["names"] == ["unknown"]


def test_many_names_share_the_last_colour() -> None:
    flows = [figures(model=f"m{number}", cost=float(number)) for number in range(MOST_NAMES + 3)]
    found = series(flows, "model", START, START + 60)
    assert found["names"][0] == f"m{MOST_NAMES + 2}"
    assert found["names"][-1] == REST
    assert found["columns"][0]["values"][REST][1] == 0.0 + 1.0 + 2.0
    assert len(found["totals"]) == MOST_NAMES + 3


def test_days_begin_at_local_midnight() -> None:
    found = series([], "model", START + 3600, START + 50 * 86_400, offset=3600)
    assert (found["columns"][0]["at"] + 3600) % found["width"] == 0
