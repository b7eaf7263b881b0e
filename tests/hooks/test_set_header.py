"""Header fields, set from the configuration."""

from __future__ import annotations

from ccproxy.hooks.set_header import set_header
from ccproxy.testing import TrackingContext


async def test_set_default_remove() -> None:
    params = {"set": {"X-A": "1"}, "default": {"x-b": "2", "x-d": "3"}, "remove": ["X-C", "x-none"]}
    ctx = TrackingContext(set_header, headers={"x-a": "0", "X-B": "0", "x-c": "0"}, params=params)
    await ctx.run()
    assert ctx.headers.items() == [("x-a", "1"), ("X-B", "0"), ("x-d", "3")]
    assert ctx.result.changed == ["headers.x-c", "headers.x-a", "headers.x-d"]
