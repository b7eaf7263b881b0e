"""What one configuration makes of the gateway."""

from __future__ import annotations

from dataclasses import replace

from rig import rig

from ccproxy.gateway.config import GatewayConfig
from ccproxy.testing import Reply, Send


async def test_only_in_process_providers_are_reached_without_the_network() -> None:
    async with rig() as r:
        runtime = r.runtime
        assert runtime.transport(runtime.providers["demo"]) is runtime.local
        assert runtime.transport(runtime.providers["anthropic"]) is runtime.network
        assert runtime.transport(None) is runtime.network


async def test_a_new_runtime_counts_for_the_next_request() -> None:
    async with rig() as r:
        r.provider.reply(Reply(body=[Send(b"{}")]))
        assert (await r.request("POST", "/v1/messages", b"x" * 2000, [("x-api-key", "own")])).status == 200
        r.gateway.use(replace(r.runtime, config=GatewayConfig(max_body_bytes=1024)))
        assert (await r.request("POST", "/v1/messages", b"x" * 2000, [("x-api-key", "own")])).status == 413
