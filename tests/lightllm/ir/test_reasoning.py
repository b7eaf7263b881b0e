"""The effort table is monotone, and words survive it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.lightllm.ir.reasoning import BUDGETS, EFFORTS, budget_of, effort_of, nearest_effort


def test_words_rise_with_their_budgets() -> None:
    assert list(BUDGETS.values()) == sorted(set(BUDGETS.values()))
    assert [BUDGETS[word] for word in ("minimal", "low", "medium", "high", "xhigh")] == [1024, 2048, 8192, 16384, 32768]


@pytest.mark.parametrize("effort", EFFORTS)
def test_a_word_survives_its_budget(effort: str) -> None:
    assert effort_of(budget_of(effort)) == effort


@given(st.integers(0, 200_000), st.integers(0, 200_000))
def test_more_budget_is_never_less_effort(low: int, high: int) -> None:
    low, high = sorted((low, high))
    assert EFFORTS.index(effort_of(low)) <= EFFORTS.index(effort_of(high))


@pytest.mark.parametrize(
    ("effort", "allowed", "nearest"),
    [
        ("high", ("low", "high"), "high"),
        ("minimal", ("low", "medium", "high"), "low"),
        ("max", ("low", "medium", "high"), "high"),
        ("medium", ("low", "high"), "low"),
        ("turbo", ("low", "medium"), "medium"),
        ("high", (), "high"),
        ("high", ("on",), "on"),
    ],
)
def test_a_word_the_target_lacks_becomes_the_nearest(effort: str, allowed: tuple[str, ...], nearest: str) -> None:
    assert nearest_effort(effort, allowed) == nearest


def test_an_unknown_word_is_in_the_middle() -> None:
    assert budget_of("turbo") == budget_of("medium")
