"""Another model, where the client's has a match."""

from __future__ import annotations

from typing import Any

import pytest

from ccproxy.errors import ConfigError
from ccproxy.hooks.set_model import pattern, set_model
from ccproxy.testing import TrackingContext


@pytest.mark.parametrize(
    ("params", "model"),
    [
        ({"model": "new"}, "new"),
        ({"model": "new", "match": "^claude-.*haiku"}, "new"),
        ({"model": "new", "match": "^gpt"}, "claude-haiku"),
    ],
)
async def test_the_model(params: dict[str, Any], model: str) -> None:
    ctx = TrackingContext(set_model, b'{"model" : "claude-haiku" , "x":1}', params=params)
    await ctx.run()
    assert ctx.content == f'{{"model" : "{model}" , "x":1}}'.encode()


async def test_a_request_without_one_gets_none() -> None:
    ctx = TrackingContext(set_model, b'{"x":1}', params={"model": "new"})
    await ctx.run()
    assert ctx.content == b'{"x":1}'


def test_an_expression_that_is_none_is_found_at_the_start() -> None:
    assert pattern("a+").search("caat")
    with pytest.raises(ConfigError, match="not a regular expression"):
        pattern("(")
