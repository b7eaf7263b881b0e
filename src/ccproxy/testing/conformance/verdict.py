"""How a law that does not hold is told: one exception, with what was expected and what was found side by side."""

from __future__ import annotations

import difflib

import msgspec

#: The laws by number. (Secrets, the ninth of the architecture, is about logs and stores, not about dialects.)
LAWS = {
    1: "split invariance",
    2: "grammar",
    3: "fold",
    4: "same-dialect identity",
    5: "cross-dialect",
    6: "garbage",
    7: "no leak, no fake success",
    8: "cache prefix",
}

_MOST_LINES = 60


class LawBroken(AssertionError):
    """A law does not hold for a dialect.

    Args:
        law: its number in `LAWS`.
        subject: the check and the case it failed for.
        problem: what is wrong, for a person.
    """

    def __init__(self, law: int, subject: str, problem: str) -> None:
        super().__init__(f"law {law} ({LAWS[law]}), {subject}: {problem}")
        self.law = law
        self.subject = subject
        self.problem = problem


class Difference(AssertionError):
    """Two things are not the same that have to be; the message shows where."""


def require(holds: bool, problem: str) -> None:
    """Raises Difference unless `holds`."""
    if not holds:
        raise Difference(problem)


def require_same(found: object, expected: object, what: str) -> None:
    """Raises Difference unless the two are equal. `what` says what was compared."""
    if found == expected:
        return
    lines = difflib.unified_diff(_lines(expected), _lines(found), "expected", "found", lineterm="", n=2)
    shown = list(lines)[:_MOST_LINES]
    raise Difference("\n".join([what, *(shown or [f"expected {expected!r}", f"found {found!r}"])]))


def _lines(value: object) -> list[str]:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace").splitlines()
    try:
        return msgspec.json.format(msgspec.json.encode(value), indent=2).decode().splitlines()
    except (TypeError, ValueError, msgspec.MsgspecError):
        return [repr(value)]
