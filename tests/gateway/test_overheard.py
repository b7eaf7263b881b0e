"""What is understood of a WebSocket that passes as it is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rig import rig
from websockets.asyncio.client import connect

from ccproxy.flows.model import Flow
from ccproxy.testing import Expect, SendMessage, Socket

COMPLETED = {"type": "response.completed", "response": {"id": "r", "model": "m", "output": [], "usage": None}}
FAILED = {"type": "response.failed", "response": {"id": "r", "error": {"code": "server_error", "message": "it broke"}}}
LIMIT = {"type": "error", "status": 429, "error": {"type": "usage_limit_reached", "message": "come back tomorrow"}}


async def talk(asked: list[str | bytes], *answers: Any) -> Flow:
    """The flow of a socket on which each message gets its answer."""
    async with rig() as r:
        steps: list[Any] = []
        for answer in answers:
            steps += [Expect(), SendMessage(answer if isinstance(answer, str | bytes) else json.dumps(answer))]
        r.provider.on("^/v1/responses", Socket(steps))
        fields = {"authorization": "Bearer sk-ant-oat-ccproxy-responses"}
        async with connect(f"ws://127.0.0.1:{r.port}/v1/responses", additional_headers=fields, proxy=None) as client:
            for message, answer in zip(asked, answers, strict=True):
                await client.send(message)
                heard = await client.recv()
                assert heard == (answer if isinstance(answer, str | bytes) else json.dumps(answer)), (
                    "it passes as it is"
                )
        return await r.flow()


def create(**fields: Any) -> str:
    return json.dumps({"type": "response.create", **fields})


async def test_the_model_is_that_of_the_first_request() -> None:
    flow = await talk([create(model="gpt-5.1-codex", input=[]), create(model="another")], COMPLETED, COMPLETED)
    assert (flow.model, flow.outcome) == ("gpt-5.1-codex", "complete")


@pytest.mark.parametrize("message", ["hello", "[]", b'{"model":"m"}', '{"model":3}'])
async def test_what_names_none_names_none(message: str | bytes) -> None:
    flow = await talk([message], COMPLETED)
    assert (flow.model, flow.outcome) == ("", "complete")


@pytest.mark.parametrize(("answer", "says"), [(FAILED, "it broke"), (LIMIT, "come back tomorrow")])
async def test_an_answer_that_ends_in_an_error_is_seen(answer: Any, says: str) -> None:
    flow = await talk([create(model="m")], answer)
    assert (flow.outcome, flow.error_kind) == ("upstream_error", "upstream_error")
    assert says in flow.error


async def test_one_that_is_made_good_is_none() -> None:
    flow = await talk([create(model="m"), create(model="m")], LIMIT, COMPLETED)
    assert (flow.outcome, flow.error) == ("complete", "")


@pytest.mark.parametrize(
    "answer",
    [
        {"type": "response.output_text.delta", "delta": '{"type":"error"}'},
        '{"type": "error"',
        b'{"type":"error"}',
        '["type", "error"]',
    ],
)
async def test_talk_of_errors_is_none(answer: Any) -> None:
    assert (await talk([create(model="m")], answer)).outcome == "complete"
