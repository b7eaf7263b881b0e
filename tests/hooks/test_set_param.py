"""Fields of the body, set from the configuration."""

from __future__ import annotations

import pytest

from ccproxy.errors import HookError
from ccproxy.hooks.set_param import set_param
from ccproxy.testing import TrackingContext

BODY = b'{ "model":"m", "temperature" : 1 ,"metadata":{"user_id":"u", "k":1} }'


async def test_set_default_remove() -> None:
    params = {
        "set": {"temperature": 0.5, "a.b": [1]},
        "default": {"model": "n", "top_p": 1},
        "remove": ["metadata.user_id", "z"],
    }
    ctx = TrackingContext(set_param, BODY, params=params)
    await ctx.run()
    assert ctx.content == b'{ "model":"m", "temperature" : 0.5 ,"metadata":{ "k":1},"a":{"b":[1]},"top_p":1 }'
    assert ctx.result.changed == ["body.metadata.user_id", "body.temperature", "body.a.b", "body.top_p"]


@pytest.mark.parametrize(("match", "does"), [("^m$", True), ("^x", False)])
async def test_only_for_models_that_match(match: str, does: bool) -> None:
    ctx = TrackingContext(set_param, BODY, params={"set": {"temperature": 0}, "match_model": match})
    await ctx.run()
    assert (ctx.content != BODY) is does


async def test_a_place_that_cannot_be_is_an_error() -> None:
    with pytest.raises(HookError, match=r"body\.model\.x cannot be set"):
        await TrackingContext(set_param, BODY, params={"set": {"model.x": 1}}).run()


async def test_what_is_no_json_is_left_alone() -> None:
    assert not await TrackingContext(set_param, b"x", params={"set": {"a": 1}}).run()
