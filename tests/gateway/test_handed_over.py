"""Requests that the interceptor hands over: what they keep, and who is not believed."""

from __future__ import annotations

import json

from rig import HANDOFF_SECRET, Rig, rig
from websockets.asyncio.client import connect

from ccproxy.exchange import handoff
from ccproxy.exchange.handoff import Handoff

MESSAGE = b'{"model": "claude-x",  "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}'
JSON = ("Content-Type", "application/json")
OWN = ("x-api-key", "sk-ant-api03-the-client-s-own")


def handed(r: Rig, secret: str = HANDOFF_SECRET, **changes: object) -> tuple[str, str]:
    """The field of a request that was on its way to the fake provider."""
    said: dict[str, object] = {"scheme": "http", "host": "127.0.0.1", "port": r.provider.port, "run": "a1b2"}
    note = Handoff(**{**said, "address": "10.0.0.1", "source_port": 40_000, "process": "7 claude", **changes})
    return handoff.FIELD.decode(), handoff.field(note, secret).decode()


async def test_it_goes_where_it_was_going_as_it_is() -> None:
    async with rig(defaults={"anthropic": None}) as r:
        answer = await r.request("POST", "/v1/messages?beta=true", MESSAGE, [JSON, OWN, handed(r)])
        assert answer.status == 200
        sent = r.provider.requests[0]
        assert (sent.body, sent.target) == (MESSAGE, b"/v1/messages?beta=true")
        assert sent.header("x-api-key") == OWN[1]
        assert b"ccproxy" not in sent.raw.lower()
        flow = await r.flow()
        assert (flow.door, flow.run, flow.process, flow.reason) == ("interceptor", "a1b2", "7 claude", "intercepted")
        assert (flow.client_address, flow.client_port) == ("10.0.0.1", 40_000)
        assert flow.request.url == f"http://127.0.0.1:{r.provider.port}/v1/messages?beta=true"
        assert not [name for name, _ in flow.request.headers if "ccproxy" in name.lower()]


async def test_its_host_is_another_s_and_its_paths_are_not_ours() -> None:
    async with rig() as r:
        for path in ("/health", "/v1/models"):
            name, value = handed(r)
            answer = await r.raw(f"GET {path} HTTP/1.1\r\nHost: api.test\r\n{name}: {value}\r\n\r\n".encode())
            assert "x-ccproxy-error" not in answer.headers
            assert (await r.flow()).request.target == path
        assert [request.path for request in r.provider.requests] == ["/health", "/v1/models"]


async def test_a_sentinel_and_rules_are_looked_at_as_ever() -> None:
    async with rig() as r:
        key = ("x-api-key", "sk-ant-oat-ccproxy-anthropic")
        answer = await r.request("POST", "/v1/messages", MESSAGE, [JSON, key, handed(r, host="elsewhere.test")])
        assert answer.status == 200
        assert (await r.flow()).reason == "sentinel"


async def test_who_knows_no_secret_is_not_believed() -> None:
    async with rig() as r:
        name, value = handed(r, secret="guessed")
        answer = await r.raw(f"GET /v1/messages HTTP/1.1\r\nHost: api.test\r\n{name}: {value}\r\n\r\n".encode())
        assert answer.status == 403
        assert "is not served here" in json.loads(answer.body)["error"]["message"]
        flow = await r.flow()
        assert (flow.door, flow.run) == ("gateway", "")
        assert not r.provider.requests


async def test_a_websocket_whose_messages_are_answered_by_http() -> None:
    async with rig() as r:
        name, value = handed(r, host="api.test")
        fields = {"authorization": "Bearer sk-ant-oat-ccproxy-anthropic", name: value}
        url = f"ws://127.0.0.1:{r.port}/v1/responses"
        async with connect(url, additional_headers=fields, ping_interval=None, proxy=None) as client:
            asked = {"type": "response.create", "model": "m", "input": [{"role": "user", "content": "hi"}]}
            await client.send(json.dumps(asked))
            while json.loads(await client.recv())["type"] != "response.completed":
                pass
        message, socket = await r.flow(0), await r.flow(1)
        assert {message.run, socket.run} == {"a1b2"}
        assert {message.door, socket.door} == {"interceptor"}
        assert {message.request.host, socket.request.host} == {"api.test"}
        assert socket.websocket is not None
        assert b"handoff" not in r.provider.requests[0].raw
