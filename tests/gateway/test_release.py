"""Bodies are large: a reference cycle through one would keep it until a garbage collection that may be long in coming."""

from __future__ import annotations

import asyncio
import gc

import pytest
from rig import rig

from ccproxy.exchange.exchange import Exchange
from ccproxy.pipeline.config import HooksConfig
from ccproxy.routing.config import TransformRule
from ccproxy.testing import Reply, native_error, no_answer

MESSAGE = b'{"model":"claude-x","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}'
STREAM = MESSAGE[:-1] + b',"stream":true}'
SENT = [("Content-Type", "application/json"), ("x-api-key", "sk-ant-oat-ccproxy-anthropic")]
OTHER_MODEL = TransformRule(match_path="/v1/messages", dest_provider="anthropic", dest_model="claude-y")
CONVERTED = TransformRule(match_path="/v1/messages", action="transform", dest_provider="openai", dest_model="gpt-x")
HOOKS = HooksConfig(inbound=["extract_session_id", "inject_auth"], outbound=["verbose_mode"])


@pytest.mark.parametrize("body", [MESSAGE, STREAM], ids=["document", "stream"])
@pytest.mark.parametrize(
    ("rules", "hooks", "reply"),
    [
        ([], None, None),
        ([], HOOKS, None),
        ([OTHER_MODEL], None, None),
        ([CONVERTED], HOOKS, None),
        ([], None, native_error("anthropic", 529)),
        ([], None, no_answer()),
    ],
    ids=["passed on", "hooks", "other model", "converted", "error", "no answer"],
)
async def test_nothing_of_an_exchange_waits_for_the_garbage_collector(
    rules: list[TransformRule], hooks: HooksConfig | None, reply: Reply | None, body: bytes
) -> None:
    async with rig(rules=rules, hooks=hooks) as r:
        if reply is not None:
            r.provider.on("/", reply)
        await r.request("POST", "/v1/messages", body, SENT)  # what is made once and kept
        await r.flow(0)
        gc.collect()
        gc.disable()
        try:
            await r.request("POST", "/v1/messages", body, SENT)
            await r.flow(1)
            for _ in range(50):  # the connection's own last steps
                await asyncio.sleep(0)
            left = [each for each in gc.get_objects() if isinstance(each, Exchange)]
            assert [exchange.id for exchange in left] == []
        finally:
            gc.enable()
