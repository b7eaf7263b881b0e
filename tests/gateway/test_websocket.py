"""WebSockets through the gateway, with the `websockets` client at one end and FakeProvider at the other."""

from __future__ import annotations

import json

import pytest
import websockets
from rig import KEY, rig
from websockets.asyncio.client import ClientConnection, connect

from ccproxy.gateway.config import GatewayConfig
from ccproxy.testing import CloseSocket, Expect, SendMessage, Socket, native_error

SENTINEL = {"authorization": "Bearer sk-ant-oat-ccproxy-responses"}


def dial(port: int, headers: dict[str, str] | None = None, **options: object) -> connect:
    return connect(
        f"ws://127.0.0.1:{port}/v1/responses?x=1",
        additional_headers=headers if headers is not None else SENTINEL,
        ping_interval=None,
        proxy=None,
        **options,  # type: ignore[arg-type]
    )


async def test_messages_go_both_ways_and_are_recorded() -> None:
    async with rig() as r:
        r.provider.on("/v1/responses", Socket(echo=True, headers=[("x-codex-turn-state", "abc")]))
        async with dial(r.port) as client:
            assert client.response is not None
            assert client.response.headers["x-codex-turn-state"] == "abc"
            flow_id = client.response.headers["x-ccproxy-flow"]
            for message in ("hello", b"\x00\x01", "ü" * 10_000):
                await client.send(message)
                assert await client.recv() == message
        sent = r.provider.requests[0]
        assert sent.target == b"/v1/responses?x=1"
        assert sent.header("authorization") == f"Bearer {KEY}"
        flow = await r.flow()
        assert (flow.id, flow.outcome, flow.provider) == (flow_id, "complete", "responses")
        assert flow.response is not None
        assert flow.response.status == 101
        assert flow.websocket is not None
        assert [message.from_client for message in flow.websocket.messages] == [True, False] * 3


async def test_subprotocols_are_agreed_end_to_end() -> None:
    async with rig() as r:
        r.provider.on("/v1/responses", Socket(echo=True, subprotocols=["b"]))
        async with dial(r.port, subprotocols=["a", "b"]) as client:
            assert client.subprotocol == "b"


@pytest.mark.parametrize("status", [400, 401, 403, 426, 503])
async def test_a_refused_handshake_reaches_the_client_as_it_is(status: int, caplog: pytest.LogCaptureFixture) -> None:
    async with rig() as r:
        r.provider.on("/v1/responses", native_error("openai_responses", status, "use http"))
        with pytest.raises(websockets.InvalidStatus) as refused:
            await dial(r.port)
        response = refused.value.response
        assert response.status_code == status
        assert "use http" in json.loads(response.body)["error"]["message"]
        flow = await r.flow()
        assert flow.response is not None
        assert flow.response.status == status
    assert [record for record in caplog.records if record.levelname == "ERROR"] == [], "a refusal is no fault of ours"


async def test_the_demo_provider_makes_clients_fall_back_to_http() -> None:
    async with rig() as r:
        with pytest.raises(websockets.InvalidStatus) as refused:
            await dial(r.port, {"authorization": "Bearer sk-ant-oat-ccproxy-demo"})
        assert refused.value.response.status_code == 426


async def test_our_own_refusals_are_in_the_clients_dialect() -> None:
    async with rig() as r:
        with pytest.raises(websockets.InvalidStatus) as refused:
            await dial(r.port, {"authorization": "Bearer sk-ant-oat-ccproxy-nobody"})
        assert refused.value.response.status_code == 401
        assert "nobody" in json.loads(refused.value.response.body)["error"]["message"]
        with pytest.raises(websockets.InvalidStatus) as refused:
            await dial(r.port, {**SENTINEL, "origin": "http://evil.example"})
        assert refused.value.response.status_code == 403
        assert r.provider.requests == []


async def test_the_close_of_either_side_reaches_the_other() -> None:
    async with rig() as r:
        r.provider.on("/v1/responses", Socket([SendMessage("bye"), CloseSocket(4001, "enough")]), times=1)
        async with dial(r.port) as client:
            assert await client.recv() == "bye"
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await client.recv()
            assert closed.value.rcvd is not None
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "enough")
        await r.flow(0)
        r.provider.on("/v1/responses", Socket(echo=True))
        client = await dial(r.port)
        await client.close(4002, "done")
        await r.flow(1)
        await r.provider.wait_for_disconnect(1)
        assert r.provider.requests[1].close_code == 4002


async def test_a_client_that_vanishes_ends_the_upstream() -> None:
    async with rig() as r:
        r.provider.on("/v1/responses", Socket([Expect(), Expect()]))
        client: ClientConnection = await dial(r.port)
        await client.send("hi")
        await r.provider.wait_for_message(0, 0)
        client.transport.abort()
        await r.provider.wait_for_disconnect(0)
        assert (await r.flow()).outcome == "client_gone"


async def test_a_message_over_the_limit_closes_with_1009() -> None:
    async with rig(config=GatewayConfig(max_websocket_message_bytes=1024)) as r:
        r.provider.on("/v1/responses", Socket(echo=True))
        async with dial(r.port) as client:
            await client.send("x" * 2000)
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await client.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1009
        await r.flow()


async def test_a_websocket_counts_and_the_limit_holds_for_it() -> None:
    async with rig(config=GatewayConfig(max_exchanges=1)) as r:
        r.provider.on("/v1/responses", Socket(echo=True))
        async with dial(r.port) as client:
            await client.send("hi")
            await client.recv()
            assert (r.gateway.active, r.gateway.total) == (1, 1)
            with pytest.raises(websockets.InvalidStatus) as refused:
                await dial(r.port)
            assert refused.value.response.status_code == 503
        await r.flow(1)
        assert r.gateway.active == 0
