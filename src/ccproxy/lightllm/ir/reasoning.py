"""How hard to think: words and token budgets, in one monotone table.

Dialects ask by word (`low`, `high`) or by budget. Words become budgets by the table, budgets the nearest word; a word
that a target lacks becomes the nearest it has. Going there and back never changes a word.
"""

from __future__ import annotations

from collections.abc import Sequence

#: Effort words in rising order, with the budget in tokens each stands for.
BUDGETS: dict[str, int] = {
    "minimal": 1024,
    "low": 2048,
    "medium": 8192,
    "high": 16384,
    "xhigh": 32768,
    "max": 65536,
}

EFFORTS: tuple[str, ...] = tuple(BUDGETS)


def budget_of(effort: str) -> int:
    """The budget in tokens that an effort word stands for; an unknown word counts as `medium`."""
    return BUDGETS.get(effort, BUDGETS["medium"])


def effort_of(budget: int) -> str:
    """The effort word whose budget is nearest; of two equally near ones the lower."""
    return min(BUDGETS, key=lambda effort: (abs(BUDGETS[effort] - budget), BUDGETS[effort]))


def nearest_effort(effort: str, allowed: Sequence[str]) -> str:
    """`effort` if `allowed` has it, else the allowed word nearest in the table's order (the lower of two). An unknown
    word stays as it is if nothing is allowed."""
    if effort in allowed or not allowed:
        return effort
    wanted = EFFORTS.index(effort) if effort in BUDGETS else EFFORTS.index("medium")
    known = [word for word in allowed if word in BUDGETS]
    if not known:
        return allowed[0]
    return min(known, key=lambda word: (abs(EFFORTS.index(word) - wanted), EFFORTS.index(word)))
