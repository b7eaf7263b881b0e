"""FakeProvider as a whole: starting, ending, waiting, refusing."""

import asyncio

import pytest

from ccproxy.testing import FakeProvider, Gate, Hang, Pause, Received, Reply, Socket, refused_port, sse
from ccproxy.util.clock import FakeClock

from .raw import ask, connected, get, post


async def test_requests_are_recorded_byte_for_byte() -> None:
    request = post("/v1/messages?beta=true", b'{ "model" :"m"}', "X-Custom: A", "x-custom: b")
    async with FakeProvider() as provider:
        await ask(provider, request)

        recorded = provider.requests[0]
        assert recorded.raw == request
        assert (recorded.method, recorded.target, recorded.http_version) == ("POST", b"/v1/messages?beta=true", "1.1")
        assert recorded.headers.pairs[-2:] == [(b"X-Custom", b"A"), (b"x-custom", b"b")]
        assert recorded.body == b'{ "model" :"m"}'
        assert recorded.json() == {"model": "m"}


async def test_connections_are_numbered() -> None:
    async with FakeProvider() as provider:
        provider.on("/", Reply())
        async with connected(provider) as first, connected(provider) as second:
            for wire in (first, second, first):
                wire.send(get())
                await wire.answer()

        assert [request.connection for request in provider.requests] == [0, 1, 0]
        assert provider.connections == 2


async def test_waiting_for_what_has_not_come_yet() -> None:
    async with FakeProvider() as provider:
        request = asyncio.create_task(provider.wait_for_request(0))
        head = asyncio.create_task(provider.wait_for_head(0))
        body = asyncio.create_task(provider.wait_for_body(0, 3))
        async with connected(provider) as wire:
            wire.send(post("/", b"hello")[:-5])
            await head
            assert not body.done()
            wire.send(b"hel")
            await body
            assert not request.done()
            wire.send(b"lo")
            assert (await request).body == b"hello"
            await wire.answer()


async def test_waiting_in_vain_says_what_came_instead() -> None:
    async with FakeProvider() as provider:
        await ask(provider, get("/something/else"))

        with pytest.raises(TimeoutError, match=r"request 1; requests so far: GET /something/else"):
            await provider.wait_for_request(1, patience=0.01)


async def test_a_disconnect_has_a_time() -> None:
    clock = FakeClock()
    async with FakeProvider(clock=clock) as provider:
        provider.reply(sse([b"x", Hang()]))
        async with connected(provider) as wire:
            wire.send(get())
            await wire.head()
            clock.advance(5.0)

        ended = await provider.wait_for_disconnect()
        assert (ended.at, ended.by_client) == (5.0, True)


async def test_own_conditions_can_be_waited_for() -> None:
    async with FakeProvider() as provider:
        waiting = asyncio.create_task(provider.wait_until(lambda: provider.connections == 1, "a connection"))
        async with connected(provider):
            await waiting


async def test_refusing_and_accepting_again_on_the_same_port() -> None:
    async with FakeProvider() as provider:
        port = provider.port
        async with connected(provider) as open_before:
            open_before.send(get("/v1/models"))
            await open_before.answer()

            await provider.refuse()
            with pytest.raises(ConnectionRefusedError):
                await ask(provider, get("/v1/models"))
            open_before.send(get("/v1/models"))
            assert (await open_before.answer()).status == 200

        await provider.accept()
        assert provider.port == port
        assert (await ask(provider, get("/v1/models"))).status == 200


async def test_a_port_that_refuses() -> None:
    with refused_port() as port, pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_leaving_ends_whatever_is_going_on() -> None:
    async with FakeProvider() as provider:
        provider.reply(sse([b"x", Pause(Gate())]), Reply(framing="raw", body=[Hang()]))
        streaming = connected(provider)
        waiting = connected(provider)
        first, second = await streaming.__aenter__(), await waiting.__aenter__()
        first.send(get())
        second.send(get())
        await first.head()
        await provider.wait_for_request(1)

    assert await first.reader.read() is not None
    await streaming.__aexit__(None, None, None)
    await waiting.__aexit__(None, None, None)


async def test_what_a_handler_raises_is_seen_at_the_end() -> None:
    def handler(request: Received) -> Reply:
        raise KeyError("own mistake")

    async def run() -> None:
        async with FakeProvider() as provider:
            provider.reply(handler)
            assert (await ask(provider, get())).status == 500
            assert len(provider.errors) == 1

    with pytest.raises(KeyError, match="own mistake"):
        await run()


async def test_the_test_s_own_failure_is_not_hidden_by_a_handler_s() -> None:
    def handler(request: Received) -> Socket:
        raise KeyError("second")

    async def run() -> None:
        async with FakeProvider() as provider:
            provider.reply(handler)
            await ask(provider, get())
            raise AssertionError("first")

    with pytest.raises(AssertionError, match="first"):
        await run()


async def test_two_providers_do_not_share_anything() -> None:
    async with FakeProvider() as one, FakeProvider(text="Other.") as other:
        one.reply(Reply(body=b"mine"))
        await ask(other, post("/v1/messages", b"{}"))

        assert one.requests == []
        assert (await ask(one, get())).body == b"mine"
