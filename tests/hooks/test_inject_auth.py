"""The name of what the gateway does itself."""

from __future__ import annotations

from ccproxy.hooks.inject_auth import inject_auth
from ccproxy.testing import TrackingContext


async def test_it_is_a_name_that_cannot_be_switched_off() -> None:
    assert (inject_auth.marker, inject_auth.locked, inject_auth.every) == (True, True, True)
    ctx = TrackingContext(inject_auth, {"a": 1}, headers={"x-api-key": "sk-ant-oat-ccproxy-demo"})
    await ctx.run()
    assert ctx.result.changed == []
