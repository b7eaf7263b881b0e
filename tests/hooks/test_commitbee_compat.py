"""commitbee's instruction gets a sentence more; nothing else does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ccproxy.hooks.commitbee_compat import commitbee_compat
from ccproxy.testing import TrackingContext

SIGN = "You generate Conventional Commit messages from git diffs. More."
BODIES: list[tuple[str, dict[str, Any]]] = [
    ("anthropic", {"model": "m", "max_tokens": 5, "system": SIGN, "messages": [{"role": "user", "content": "q"}]}),
    (
        "anthropic",
        {
            "model": "m",
            "max_tokens": 5,
            "system": [{"type": "text", "text": "x"}, {"type": "text", "text": SIGN}],
            "messages": [],
        },
    ),
    ("openai", {"model": "m", "messages": [{"role": "system", "content": SIGN}, {"role": "user", "content": SIGN}]}),
    ("openai_responses", {"model": "m", "instructions": SIGN, "input": "q"}),
]


@pytest.mark.parametrize(("dialect", "body"), BODIES)
async def test_its_instruction_asks_for_bare_json(dialect: str, body: dict[str, Any]) -> None:
    ctx = TrackingContext(commitbee_compat, {**body, "x": 1}, dialect=dialect)
    assert await ctx.run()
    text = ctx.content.decode()
    assert text.count("Answer with the JSON object alone") == 1
    assert text.index(SIGN) < text.index("Answer with the JSON object alone")
    assert json.loads(text)["x"] == 1
    again = TrackingContext(commitbee_compat, ctx.content, dialect=dialect)
    await again.run()
    assert again.content == ctx.content


async def test_others_are_left_alone() -> None:
    ctx = TrackingContext(commitbee_compat, {"model": "m", "max_tokens": 5, "system": "be kind", "messages": []})
    assert not await ctx.run()


async def test_what_a_user_says_is_no_instruction() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": SIGN}]}
    ctx = TrackingContext(commitbee_compat, body, dialect="openai")
    content = ctx.content
    await ctx.run()
    assert ctx.content == content
