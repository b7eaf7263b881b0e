"""The way to the provider's WebSocket: credentials, tries, and what is answered by HTTP instead."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
import websockets
from rig import Rig, rig
from websockets.asyncio.client import ClientConnection, connect

from ccproxy.auth.base import Credential, SourceStatus, StaticSource
from ccproxy.auth.pool import CredentialPool
from ccproxy.errors import CredentialError
from ccproxy.pipeline.config import HookEntry, HooksConfig
from ccproxy.providers.config import ProviderConfig, Retry
from ccproxy.testing import (
    Expect,
    FakeProvider,
    Gate,
    Pause,
    Received,
    Reply,
    Script,
    SendMessage,
    Socket,
    Text,
    native_error,
    silence,
)
from ccproxy.util.clock import FakeClock

SOCKET = "^/v1/responses"


def dial(port: int, **headers: str) -> connect:
    fields = {"authorization": "Bearer sk-ant-oat-ccproxy-responses", **headers}
    return connect(f"ws://127.0.0.1:{port}/v1/responses", additional_headers=fields, ping_interval=None, proxy=None)


class Login:
    """A credential that can be renewed."""

    label = "login"

    def __init__(self, *, renews: bool = True) -> None:
        self.number = 1
        self.renews = renews

    async def get(self) -> Credential:
        return Credential(f"sk-login-{self.number}")

    async def refresh(self, rejected: Credential | None = None) -> Credential:
        if not self.renews:
            raise CredentialError("the login has ended")
        if rejected is None or rejected.value == f"sk-login-{self.number}":
            self.number += 1
        return await self.get()

    async def look(self) -> None:
        pass

    def status(self) -> SourceStatus:
        return SourceStatus()

    async def close(self) -> None:
        pass


class Doors:
    """Upgrades get what is said of their key: a status, or a socket that echoes. Keeps the keys in order."""

    def __init__(self, provider: FakeProvider, **statuses: int) -> None:
        self.statuses = statuses
        self.keys: list[str] = []
        self.after = "7"
        self._provider = provider
        provider.on(SOCKET, self, method="GET")

    def __call__(self, request: Received) -> Reply | Socket:
        key = request.header("authorization").removeprefix("Bearer sk-")
        self.keys.append(key)
        status = self.statuses.get(key.replace("-", "_"))
        if status is None:
            return Socket(echo=True)
        return native_error(
            "openai_responses", status, "not you", retry_after=int(self.after) if status == 429 else None
        )


def pool(*values: str, clock: FakeClock | None = None) -> CredentialPool:
    sources = [StaticSource(Credential(f"sk-{value}"), value) for value in values]
    return CredentialPool(sources, clock=clock or FakeClock())


async def echoes(client: ClientConnection) -> bool:
    await client.send("hello")
    return await client.recv() == "hello"


class TestCredentials:
    async def test_one_that_is_refused_is_renewed_once_before_the_client_is_answered(self) -> None:
        async with rig(pools={"responses": CredentialPool([Login()], clock=FakeClock())}) as r:
            doors = Doors(r.provider, login_1=401)
            async with dial(r.port) as client:
                assert await echoes(client)
            assert doors.keys == ["login-1", "login-2"]
            flow = await r.flow()
            assert [(step.status, step.then) for step in flow.story] == [(401, "renewed the credential"), (101, "")]

    async def test_still_401_is_the_providers_refusal(self) -> None:
        async with rig(pools={"responses": CredentialPool([Login()], clock=FakeClock())}) as r:
            doors = Doors(r.provider, login_1=401, login_2=401)
            with pytest.raises(websockets.InvalidStatus) as refused:
                await dial(r.port)
            assert refused.value.response.status_code == 401
            assert json.loads(refused.value.response.body)["error"]["message"] == "not you"
            assert doors.keys == ["login-1", "login-2"]

    @pytest.mark.parametrize(("status", "rests"), [(401, 300.0), (429, 7.0)])
    async def test_the_next_one_is_taken_and_the_first_rests(self, status: int, rests: float) -> None:
        keys = pool("one", "two")
        async with rig(pools={"responses": keys}) as r:
            doors = Doors(r.provider, one=status)
            async with dial(r.port) as client:
                assert await echoes(client)
            assert doors.keys == ["one", "two"]
            assert keys.resting(keys.members[0]) == rests
            async with dial(r.port) as client:
                assert await echoes(client)
            assert doors.keys == ["one", "two", "two"]
            flow = await r.flow(0)
            assert flow.credential == "two"
            assert [step.then for step in flow.story] == ["took the next credential", ""]

    async def test_a_full_provider_is_full_for_all(self) -> None:
        async with rig(pools={"responses": pool("one", "two")}) as r:
            doors = Doors(r.provider, one=529, two=529)
            with pytest.raises(websockets.InvalidStatus):
                await dial(r.port)
            assert doors.keys == ["one"]

    async def test_a_conversation_keeps_to_its_own(self) -> None:
        async with rig(pools={"responses": pool("one", "two", "three")}) as r:
            doors = Doors(r.provider)
            for _ in range(3):
                async with dial(r.port, session_id="11111111-2222-3333-4444-555555555555"):
                    pass
            assert len(set(doors.keys)) == 1

    @pytest.mark.parametrize(
        ("error", "rests"),
        [
            ({"type": "usage_limit_reached", "message": "later", "resets_in_seconds": 90}, 90.0),
            ({"type": "rate_limit_error", "code": "rate_limit_exceeded", "message": "slowly"}, 60.0),
        ],
    )
    async def test_a_limit_that_is_met_on_the_socket_lets_the_next_one_have_another(
        self, error: dict[str, object], rests: float
    ) -> None:
        said = json.dumps({"type": "error", "status": 429, "error": error})
        keys = pool("one", "two")
        async with rig(pools={"responses": keys}) as r:
            r.provider.on(SOCKET, Socket([Expect(), SendMessage(said)]), times=1)
            async with dial(r.port) as client:
                await client.send("{}")
                assert await client.recv() == said, "this one is the client's to know"
            await r.flow(0)
            assert keys.resting(keys.members[0]) == rests
            doors = Doors(r.provider)
            async with dial(r.port) as client:
                assert await echoes(client)
            assert doors.keys == ["two"]

    async def test_an_answer_that_fails_otherwise_says_nothing_of_the_credential(self) -> None:
        said = json.dumps({"type": "response.failed", "response": {"error": {"code": "server_error", "message": "x"}}})
        keys = pool("one", "two")
        async with rig(pools={"responses": keys}) as r:
            r.provider.on(SOCKET, Socket([Expect(), SendMessage(said)]))
            async with dial(r.port) as client:
                await client.send("{}")
                await client.recv()
            await r.flow(0)
            assert keys.resting(keys.members[0]) == 0

    async def test_when_all_are_refused_the_client_gets_the_first_refusal(self) -> None:
        async with rig(pools={"responses": pool("one", "two")}) as r:
            Doors(r.provider, one=429, two=401)
            with pytest.raises(websockets.InvalidStatus) as refused:
                await dial(r.port)
            assert refused.value.response.status_code == 429
            assert refused.value.response.headers["retry-after"] == "7"


class TestTries:
    async def test_a_handshake_is_tried_again_as_configured(self) -> None:
        waits: list[float] = []

        async def sleep(seconds: float) -> None:
            waits.append(seconds)

        async with FakeProvider() as provider:
            config = ProviderConfig(type="openai_responses", base_url=provider.url, retry=Retry(attempts=3))
            async with rig(types={"responses": config}, sleep=sleep) as r:
                answers: list[Any] = [native_error("openai_responses", 503, "full", retry_after=2), Socket(echo=True)]
                provider.on(SOCKET, lambda _: answers.pop(0))
                async with dial(r.port) as client:
                    assert await echoes(client)
                assert waits == [2.0]

    async def test_after_the_client_was_answered_nothing_is_tried_again(self) -> None:
        async with rig(pools={"responses": pool("one", "two")}) as r:
            doors = Doors(r.provider)
            async with dial(r.port) as client:
                assert await echoes(client)
                r.provider.on(SOCKET, native_error("openai_responses", 500, "gone"))
                await client.send("more")
                await client.recv()
            assert doors.keys == ["one"]
            assert r.provider.requests[0].messages == ["hello", "more"]


class TestAClientThatLeaves:
    """Before its handshake is answered."""

    async def test_it_ends_the_handshake_with_the_provider(self) -> None:
        async with rig() as r:
            r.provider.on(SOCKET, silence())
            await leave(r)
            await r.provider.wait_for_disconnect(0)
            assert (await r.flow()).outcome == "client_gone"

    async def test_its_flow_is_recorded_though_the_refusal_does_not_reach_it(self) -> None:
        async with rig() as r:
            r.provider.on(SOCKET, Reply(101, body=[Pause(Gate())]))  # no valid handshake
            await leave(r)
            flow = await r.flow()
            assert (flow.outcome, flow.error_kind) in {("upstream_error", "upstream_error"), ("client_gone", "")}

    async def test_it_ends_the_waiting_for_another_try(self) -> None:
        waiting = asyncio.Event()

        async def sleep(seconds: float) -> None:
            waiting.set()
            await asyncio.Event().wait()

        async with FakeProvider() as fake:
            fake.on(SOCKET, native_error("openai_responses", 503, "full"))
            config = ProviderConfig(type="openai_responses", base_url=fake.url, retry=Retry())
            async with rig(types={"responses": config}, sleep=sleep) as r:
                await leave(r, waiting)
                assert (await r.flow()).outcome == "client_gone"
            assert len(fake.requests) == 1


async def leave(r: Rig, when: asyncio.Event | None = None) -> None:
    """A client that asks for a socket and leaves when the provider has been asked."""
    _, writer = await r.open()
    writer.write(
        b"GET /v1/responses HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
        b"Authorization: Bearer sk-ant-oat-ccproxy-responses\r\n\r\n"
    )
    if when is not None:
        await when.wait()
    else:
        await r.provider.wait_for_head(0)
    writer.close()


class TestByHttp:
    """Where the provider has no WebSockets, or others stand by for it."""

    @pytest.mark.parametrize("status", [404, 405, 501])
    async def test_a_provider_without_websockets_is_asked_by_http(self, status: int) -> None:
        async with rig() as r:
            r.provider.on(SOCKET, native_error("openai_responses", status, "no such thing"), method="GET")
            r.provider.on(
                SOCKET, lambda asked: r.provider.write(asked, Script("m", [Text("hello there")])), method="POST"
            )
            async with dial(r.port) as client:
                assert await spoken(client) == "hello there"
            handshake = await r.flow(-1)
            assert [(step.status, step.then) for step in handshake.story] == [(status, "went on by HTTP")]

    @pytest.mark.parametrize("status", [401, 429, 503, 529])
    async def test_one_that_fails_and_has_others_behind_it(self, status: int) -> None:
        async with FakeProvider() as broken:
            broken.on(".*", native_error("openai_responses", status, "broken"))
            config = ProviderConfig(type="openai_responses", base_url=broken.url, fallback=["anthropic/claude"])
            async with rig(types={"responses": config}) as r:
                r.provider.reply(Script("claude", [Text("from elsewhere")]))
                async with dial(r.port) as client:
                    assert await spoken(client) == "from elsewhere"
                assert [request.path for request in r.provider.requests] == ["/v1/messages"]

    async def test_one_that_is_not_there_and_has_others_behind_it(self) -> None:
        config = ProviderConfig(type="openai_responses", base_url="http://127.0.0.1:9", fallback=["anthropic/claude"])
        async with rig(types={"responses": config}) as r:
            r.provider.reply(Script("claude", [Text("from elsewhere")]))
            async with dial(r.port) as client:
                assert await spoken(client) == "from elsewhere"

    async def test_the_clients_own_upstream_is_what_it_is(self) -> None:
        async with rig() as r:
            r.provider.on(SOCKET, native_error("openai_responses", 404, "no such thing"), method="GET")
            with pytest.raises(websockets.InvalidStatus) as refused:
                await dial(r.port, authorization="Bearer sk-own-key-0123456789")
            assert refused.value.response.status_code == 404


class TestRefusals:
    """What cannot be had is refused with 426, at which clients turn to HTTP, and nobody is asked first."""

    @pytest.mark.parametrize("provider", ["openai", "gemini"])
    async def test_a_dialect_without_websockets(self, provider: str) -> None:
        async with rig() as r:
            with pytest.raises(websockets.InvalidStatus) as refused:
                fields = {"x-api-key": f"sk-ant-oat-ccproxy-{provider}", "anthropic-version": "2023-06-01"}
                await connect(f"ws://127.0.0.1:{r.port}/v1/messages", additional_headers=fields, proxy=None)
            assert refused.value.response.status_code == 426
            assert r.provider.connections == 0

    async def test_a_hook_that_must_see_what_only_http_shows(self) -> None:
        hooks = HooksConfig(outbound=[HookEntry(hook="ccproxy.hooks.set_model", params={"model": "other"})])
        async with rig(hooks=hooks) as r:
            with pytest.raises(websockets.InvalidStatus) as refused:
                fields = {"x-api-key": "sk-ant-oat-ccproxy-anthropic", "anthropic-version": "2023-06-01"}
                await connect(f"ws://127.0.0.1:{r.port}/v1/messages", additional_headers=fields, proxy=None)
            assert refused.value.response.status_code == 426
            assert r.provider.connections == 0


async def test_the_flow_has_the_handshake_as_it_went_out() -> None:
    async with rig() as r:
        r.provider.on(SOCKET, Socket(echo=True))
        async with dial(r.port, **{"x-thing": "1"}) as client:
            assert await echoes(client)
        flow = await r.flow()
        assert flow.forwarded is not None
        assert flow.forwarded.url.startswith("ws://127.0.0.1:")
        received = [(n.decode().lower(), v.decode()) for n, v in r.provider.requests[0].headers.pairs]
        recorded = [(n.lower(), v) for n, v in flow.forwarded.headers]
        assert [name for name, _ in recorded] == [name for name, _ in received]
        assert ("upgrade", "websocket") in recorded
        assert ("x-thing", "1") in recorded


async def test_a_refused_one_too() -> None:
    async with rig() as r:
        r.provider.on(SOCKET, native_error("openai_responses", 403, "no"))
        with pytest.raises(websockets.InvalidStatus):
            await dial(r.port)
        flow = await r.flow()
        assert flow.forwarded is not None
        assert "upgrade" in {name.lower() for name, _ in flow.forwarded.headers}


async def spoken(client: ClientConnection) -> str:
    """What a response says to a request."""
    asked = {"type": "response.create", "model": "m", "input": [{"role": "user", "content": "hi"}]}
    await client.send(json.dumps(asked))
    while True:
        heard = json.loads(await client.recv())
        if heard["type"] == "response.completed":
            return "".join(part["text"] for item in heard["response"]["output"] for part in item.get("content", ()))
        assert heard["type"] != "error", heard
