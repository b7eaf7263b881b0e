import asyncio

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from ccproxy.testing import (
    CloseSocket,
    Cut,
    Expect,
    FakeProvider,
    Gate,
    Hang,
    Pause,
    Reply,
    SendMessage,
    Socket,
    SocketSession,
)

from .raw import ask, connected, get


def url(provider: FakeProvider, path: str = "/v1/responses") -> str:
    return f"ws://127.0.0.1:{provider.port}{path}"


@pytest.mark.parametrize("compression", ["deflate", None])
async def test_echo(compression: str | None) -> None:
    async with FakeProvider() as provider:
        provider.reply(Socket(echo=True))
        async with connect(url(provider), compression=compression, proxy=None) as socket:
            for message in ["hello", "wörld " * 1000, b"\x00\x01"]:
                await socket.send(message)
                assert await socket.recv() == message

        await provider.wait_for_disconnect()
        assert provider.requests[0].messages == ["hello", "wörld " * 1000, b"\x00\x01"]
        assert provider.requests[0].close_code == 1000


async def test_fragments_make_one_message() -> None:
    async with FakeProvider() as provider:
        provider.reply(Socket(echo=True))
        async with connect(url(provider), proxy=None) as socket:
            await socket.send(["one ", "two ", "three"])

            assert await socket.recv() == "one two three"


async def test_a_script_of_steps() -> None:
    async with FakeProvider() as provider:
        gate = Gate()
        steps = [SendMessage("first"), Expect(), Pause(gate), SendMessage(b"second"), CloseSocket(4001, "done")]
        provider.reply(Socket(steps))
        async with connect(url(provider), proxy=None) as socket:
            assert await socket.recv() == "first"
            await socket.send("go on")
            assert await provider.wait_for_message(0, 0) == "go on"
            gate.open()
            assert await socket.recv() == b"second"
            with pytest.raises(ConnectionClosedError):
                await socket.recv()

            assert (socket.close_code, socket.close_reason) == (4001, "done")


async def test_a_function_as_the_script() -> None:
    async def script(session: SocketSession) -> None:
        while (message := await session.receive()) is not None:
            await session.send(f"{session.request.path} heard {message!r}")

    async with FakeProvider() as provider:
        provider.on("/ws$", Socket(script))
        async with connect(url(provider, "/ws"), proxy=None) as socket:
            await socket.send("a")
            assert await socket.recv() == "/ws heard 'a'"


async def test_a_function_that_fails_fails_the_test() -> None:
    async def script(session: SocketSession) -> None:
        raise KeyError("own mistake")

    async def run() -> None:
        async with FakeProvider() as provider:
            provider.reply(Socket(script))
            async with connect(url(provider), proxy=None) as socket:
                with pytest.raises(ConnectionClosedError):
                    await socket.recv()

    with pytest.raises(KeyError, match="own mistake"):
        await run()


async def test_sending_to_a_client_that_has_closed_is_no_failure_of_the_test() -> None:
    async def script(session: SocketSession) -> None:
        assert await session.receive() is None
        assert await session.receive() is None
        await session.send("too late")

    async with FakeProvider() as provider:
        provider.reply(Socket(script))
        async with connect(url(provider), proxy=None):
            pass
        await provider.wait_for_disconnect()


async def test_a_cut_is_no_close() -> None:
    async with FakeProvider() as provider:
        provider.reply(Socket([SendMessage("one"), Cut()]))
        async with connect(url(provider), proxy=None) as socket:
            assert await socket.recv() == "one"
            with pytest.raises(ConnectionClosedError):
                await socket.recv()

            assert socket.close_code == 1006


async def test_hanging_lasts_until_the_client_closes() -> None:
    async with FakeProvider() as provider:
        provider.reply(Socket([Hang()]))
        async with connect(url(provider), proxy=None):
            pass

        await provider.wait_for_disconnect()
        assert provider.requests[0].close_code == 1000


async def test_subprotocols_and_headers_of_the_handshake() -> None:
    async with FakeProvider() as provider:
        provider.reply(Socket(subprotocols=["b", "a"], headers={"x-models-etag": "v1"}))
        async with connect(url(provider), subprotocols=["a", "b"], proxy=None) as socket:  # type: ignore[list-item]
            assert socket.subprotocol == "b"
            assert socket.response is not None
            assert socket.response.headers["x-models-etag"] == "v1"


@pytest.mark.parametrize(("reply", "status"), [(None, 426), (Reply(401, body=b"no"), 401)])
async def test_an_upgrade_is_refused_with_a_status(reply: Reply | None, status: int) -> None:
    async with FakeProvider() as provider:
        if reply is not None:
            provider.reply(reply)

        with pytest.raises(InvalidStatus) as refused:
            await connect(url(provider), proxy=None)

        assert refused.value.response.status_code == status


async def test_the_connection_goes_on_after_a_refused_upgrade() -> None:
    async with FakeProvider() as provider, connected(provider) as wire:
        wire.send(get("/v1/responses", "Connection: Upgrade", "Upgrade: websocket"))
        assert (await wire.answer()).status == 426

        wire.send(get("/v1/models"))
        assert (await wire.answer()).status == 200


async def test_a_handshake_that_is_wrong_is_refused() -> None:
    async with FakeProvider() as provider:
        provider.reply(Socket(echo=True))

        answer = await ask(provider, get("/", "Connection: Upgrade", "Upgrade: websocket"))

        assert answer.status == 400


async def test_a_socket_cannot_answer_a_plain_request() -> None:
    async def run() -> None:
        async with FakeProvider() as provider:
            provider.reply(Socket(echo=True))
            assert (await ask(provider, get())).status == 500

    with pytest.raises(TypeError, match="no upgrade"):
        await run()


async def test_frames_that_come_with_the_handshake_are_read() -> None:
    async with FakeProvider() as provider:
        provider.reply(Socket(echo=True))
        handshake = get(
            "/ws",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        )
        async with connected(provider) as wire:
            wire.send(handshake + b"\x81\x82\x00\x00\x00\x00hi")  # a masked text frame, the mask being zero
            assert (await wire.head())[0] == 101

            assert await asyncio.wait_for(wire.reader.readexactly(4), 10) == b"\x81\x02hi"
