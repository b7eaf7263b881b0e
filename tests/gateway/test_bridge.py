"""WebSockets whose messages are answered by HTTP, with the `websockets` client at one end and FakeProvider at the other."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rig import KEY, Rig, rig
from websockets.asyncio.client import ClientConnection, connect

from ccproxy.gateway.config import GatewayConfig
from ccproxy.pipeline.config import HookEntry, HooksConfig
from ccproxy.testing import (
    Cut,
    Gate,
    Hang,
    Pause,
    Received,
    Reply,
    Script,
    Send,
    Text,
    ToolCall,
    Usage,
    html,
    native_error,
    no_answer,
    sse,
)

SAID = Script("said-by", [Text("hello there")], Usage(input=11, output=7))


def dial(r: Rig, name: str = "anthropic", **headers: str) -> connect:
    fields = {"authorization": f"Bearer sk-ant-oat-ccproxy-{name}", **headers}
    return connect(f"ws://127.0.0.1:{r.port}/v1/responses", additional_headers=fields, ping_interval=None, proxy=None)


async def say(client: ClientConnection, text: str = "hi", **more: Any) -> None:
    asked = {"type": "response.create", "model": "m", "input": [{"role": "user", "content": text}], **more}
    await client.send(json.dumps(asked))


async def hear(client: ClientConnection) -> list[dict[str, Any]]:
    """The messages up to the last of an answer."""
    heard: list[dict[str, Any]] = []
    while not heard or heard[-1]["type"] not in {"response.completed", "response.failed", "error"}:
        message = await client.recv()
        assert isinstance(message, str)
        heard.append(json.loads(message))
    return heard


@pytest.mark.parametrize("name", ["anthropic", "openai", "gemini"])
async def test_a_conversation_with_a_provider_of_another_dialect(name: str) -> None:
    async with rig() as r:
        r.provider.reply(SAID, SAID)
        async with dial(r, name) as client:
            await say(client, "base", generate=False)
            warm = (await hear(client))[-1]["response"]
            assert (warm["status"], warm["output"], r.provider.requests) == ("completed", [], [])
            await say(client, "one", previous_response_id=warm["id"])
            first = (await hear(client))[-1]["response"]
            assert first["output"][0]["content"][0]["text"] == "hello there"
            assert first["usage"]["input_tokens"] == 11
            await say(client, "two", previous_response_id=first["id"])
            await hear(client)
        texts = r.provider.requests[1].body.decode()
        assert [texts.count(word) for word in ("base", "one", "hello there", "two")] == [1, 1, 1, 1]
        assert all(b"ccproxy" not in request.raw for request in r.provider.requests)
        assert all(KEY in request.head.decode() for request in r.provider.requests)
        socket = await r.flow(-1)
        assert socket.websocket is not None
        assert (socket.outcome, [m.from_client for m in socket.websocket.messages].count(True)) == ("complete", 3)
        assert [flow.action for flow in r.store.flows] == ["transform"] * 3
        assert [flow.outcome for flow in r.store.flows] == ["complete"] * 3


async def test_tools_and_the_clients_own_names_for_its_streams() -> None:
    async with rig() as r:
        r.provider.reply(Script("m", [ToolCall("clock", "{}")], Usage(1, 1)))
        async with dial(r) as client:
            tool = {"type": "function", "name": "clock", "parameters": {"type": "object", "properties": {}}}
            await say(client, tools=[tool], stream_id="s-1")
            heard = await hear(client)
            assert {message["stream_id"] for message in heard} == {"s-1"}
            assert heard[-1]["response"]["output"][0]["name"] == "clock"


async def test_hooks_see_what_would_have_gone_past_them() -> None:
    hooks = HooksConfig(inbound=[HookEntry(hook="set_model", params={"model": "by-hook"})])
    async with rig(hooks=hooks) as r:
        async with dial(r, "responses") as client:
            await say(client)
            await hear(client)
        assert (r.provider.requests[0].method, r.provider.requests[0].json()["model"]) == ("POST", "by-hook")


@pytest.mark.parametrize(
    ("reply", "status", "words"),
    [
        (native_error("anthropic", 429, "slow down", retry_after=3), 429, "slow down"),
        (native_error("anthropic", 529, "busy"), 503, "busy"),
        (html(), 502, "web page"),
        (no_answer(), 502, "ccproxy"),
    ],
)
async def test_an_error_is_a_message_and_the_socket_goes_on(reply: Reply, status: int, words: str) -> None:
    async with rig() as r:
        r.provider.reply(reply, SAID)
        async with dial(r) as client:
            await say(client)
            error = (await hear(client))[-1]
            assert (error["type"], error["status"]) == ("error", status)
            assert words in error["error"]["message"]
            await say(client)
            assert (await hear(client))[-1]["type"] == "response.completed"


async def test_a_stream_that_breaks_off_is_no_success() -> None:
    async with rig() as r:

        def broken(request: Received) -> Reply:
            return sse([*r.provider.write(request, SAID).pieces[:3], Cut()])

        r.provider.reply(broken)
        async with dial(r) as client:
            await say(client)
            heard = await hear(client)
            while heard[-1]["type"] != "response.failed":
                heard += await hear(client)
            assert [m["type"] for m in heard].count("response.completed") == 0
            # What failed cannot be gone on from.
            await say(client, previous_response_id=heard[0]["response"]["id"])
            assert (await hear(client))[-1]["error"]["code"] == "previous_response_not_found"


@pytest.mark.parametrize(
    "message", ["", "[]", '{"type":"response.steer"}', '{"type":"response.create","input":5}', b"\xff"]
)
async def test_what_is_no_request_is_an_error(message: str | bytes) -> None:
    async with rig() as r:
        async with dial(r) as client:
            await client.send(message)
            error = (await hear(client))[-1]
            assert (error["type"], error["status"]) == ("error", 400)
        assert r.provider.requests == []


async def test_our_own_refusals_reach_the_client_as_messages() -> None:
    async with rig(config=GatewayConfig(max_exchanges=1)) as r, dial(r) as client:
        await say(client)
        error = (await hear(client))[-1]
        assert (error["status"], "gateway.max_exchanges" in error["error"]["message"]) == (503, True)


async def test_a_client_that_leaves_ends_the_answer() -> None:
    async with rig() as r:

        def forever(request: Received) -> Reply:
            return sse([*r.provider.write(request, SAID).pieces[:3], Hang()])

        r.provider.reply(forever)
        async with dial(r) as client:
            await say(client)
            await client.recv()
        assert (await r.provider.wait_for_disconnect()).by_client
        flow = await r.flow(0)
        assert (flow.request.method, flow.outcome) == ("POST", "client_gone")


async def test_messages_wait_for_their_turn() -> None:
    gate = Gate()
    async with rig() as r:

        def slow(request: Received) -> Reply:
            first, *rest = r.provider.write(request, SAID).pieces
            return sse([Send(first), Pause(gate), *rest])

        r.provider.reply(slow, SAID)
        async with dial(r) as client:
            await say(client, "one")
            await say(client, "two")
            await r.provider.wait_for_request(0)
            gate.open()
            assert [(await hear(client))[-1]["type"] for _ in range(2)] == ["response.completed"] * 2
        assert [request.json()["messages"][0]["content"] for request in r.provider.requests] == ["one", "two"]


HOOKS = HooksConfig(inbound=[HookEntry(hook="set_model", params={"model": "by-hook"})])


@pytest.mark.parametrize("length", [None, 9999])
async def test_a_stream_of_the_clients_own_dialect_that_has_no_last_event_is_an_error(length: int | None) -> None:
    async with rig(hooks=HOOKS) as r:

        def broken(request: Received) -> Reply:
            frames = b"".join(r.provider.write(request, SAID).pieces[:3])
            return Reply(headers=[("content-type", "text/event-stream")], body=frames, content_length=length)

        r.provider.reply(broken, SAID)
        async with dial(r, "responses") as client:
            await say(client)
            heard = await hear(client)
            assert heard[-1]["type"] == "error"
            assert len(heard) == 4
            await say(client)
            assert (await hear(client))[-1]["type"] == "response.completed"
