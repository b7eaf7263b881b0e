"""A provider refuses a signature of the history: one more try without it, on the same account."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rig import KEY, rig

from ccproxy.testing import Received, Reply, native_error

JSON = ("Content-Type", "application/json")
REFUSED = "messages.1.content.0: Invalid `signature` in `thinking` block"


def asked(signature: str = "Zm9yZWlnbg==") -> bytes:
    thinking = {"type": "thinking", "thinking": "hm", "signature": signature}
    return json.dumps(
        {
            "model": "claude-x",
            "max_tokens": 9000,
            "messages": [
                {"role": "user", "content": "one"},
                {"role": "assistant", "content": [thinking, {"type": "text", "text": "two"}]},
                {"role": "user", "content": "three"},
            ],
        }
    ).encode()


def refusing(answer: Any) -> Any:
    def reply(request: Received) -> Reply:
        if b"signature" in request.body:
            return native_error("anthropic", 400, REFUSED)
        done: Reply = answer(request)
        return done

    return reply


@pytest.mark.parametrize("key", ["sk-ant-oat-ccproxy-anthropic", "sk-own-0123456789"])
async def test_it_is_sent_again_without_what_was_signed(key: str) -> None:
    async with rig() as r:
        r.provider.on(".*", refusing(r.provider.answer))
        answer = await r.request("POST", "/v1/messages", asked(), [JSON, ("x-api-key", key)])
        assert answer.status == 200
        first, second = r.provider.requests
        assert first.body == asked()
        assert second.json()["messages"][1]["content"] == "two"
        assert first.header("x-api-key") == second.header("x-api-key") == (KEY if "ccproxy" in key else key)
        flow = await r.flow()
        assert [(loss.path, loss.kind) for loss in flow.losses] == [("messages.signature", "dropped")]
        assert [(step.status, step.then) for step in flow.story] == [(400, "left out what was refused"), (200, "")]
        assert flow.request.body == asked()


async def test_once_and_then_the_providers_own_error() -> None:
    async with rig() as r:
        r.provider.on(".*", native_error("anthropic", 400, REFUSED))
        answer = await r.request("POST", "/v1/messages", asked(), [JSON, ("x-api-key", "own")])
        assert (answer.status, REFUSED in answer.body.decode()) == (400, True)
        assert len(r.provider.requests) == 2


@pytest.mark.parametrize(
    ("message", "body"),
    [("max_tokens: too large", asked()), (REFUSED, b'{"model":"m","max_tokens":1,"messages":[]}'), (REFUSED, b"{")],
)
async def test_any_other_refusal_passes_as_it_is(message: str, body: bytes) -> None:
    async with rig() as r:
        r.provider.on(".*", native_error("anthropic", 400, message))
        answer = await r.request("POST", "/v1/messages", body, [JSON, ("x-api-key", "own")])
        assert (answer.status, json.loads(answer.body)["error"]["message"]) == (400, message)
        assert len(r.provider.requests) == 1
        assert (await r.flow()).losses == []


async def test_the_client_is_told_and_strict_mode_does_without() -> None:
    async with rig() as r:
        r.provider.on(".*", refusing(r.provider.answer))
        told = await r.request("POST", "/v1/messages", asked(), [JSON, ("x-api-key", "own")])
        assert told.headers["x-ccproxy-losses"] == "1; signature=dropped"
        fields = [JSON, ("x-api-key", "own"), ("x-ccproxy-strict", "1")]
        strict = await r.request("POST", "/v1/messages", asked(), fields)
        assert (strict.status, len(r.provider.requests)) == (400, 3)
        assert REFUSED in strict.body.decode()
