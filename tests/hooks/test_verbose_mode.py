"""Thinking in full: one word is taken out of one header field."""

from __future__ import annotations

import pytest

from ccproxy.hooks.verbose_mode import verbose_mode
from ccproxy.testing import TrackingContext


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a,redact-thinking-2026-02-12,b", "a,b"),
        ("a , redact-thinking-x", "a"),
        ("redact-thinking-x", None),
        ("a, b", "a, b"),
    ],
)
async def test_the_word_is_taken_out(before: str, after: str | None) -> None:
    ctx = TrackingContext(verbose_mode, headers={"Anthropic-Beta": before, "x": "1"})
    assert await ctx.run()
    assert ctx.headers.get("anthropic-beta") == after
    assert ctx.headers["x"] == "1"


async def test_of_other_dialects_nothing_is_touched() -> None:
    assert not await TrackingContext(
        verbose_mode, dialect="openai", headers={"anthropic-beta": "redact-thinking-x"}
    ).run()
