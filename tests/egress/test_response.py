from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator

import pytest

from ccproxy.egress.transport import Timeouts
from ccproxy.errors import UpstreamCut, UpstreamError, UpstreamTimeout
from ccproxy.testing import Cut, FakeProvider, Gate, Hang, Pause, Reply, Send, SlowFirstByte, silence, sse
from egress.support import PATIENCE, SOON, Wire, ask, network, server, stream, whole

#: For answers that begin in time and then fall silent.
IMPATIENT = Timeouts(idle=SOON)
#: For answers that do not begin.
NO_WAIT = Timeouts(first_byte=SOON)


class TestTheBody:
    async def test_each_piece_comes_when_it_is_sent(self) -> None:
        gates = [Gate(), Gate()]
        async with FakeProvider() as provider, network() as transport:
            provider.reply(sse([Send(b"data: 1\n\n"), Pause(gates[0]), Send(b"data: 2\n\n"), Pause(gates[1])]))
            response = await transport.send(ask(provider.port))
            chunks = aiter(response.chunks())

            assert await anext(chunks) == b"data: 1\n\n"
            gates[0].open()
            assert await anext(chunks) == b"data: 2\n\n"
            gates[1].open()
            assert await anext(chunks, None) is None
            await response.close()

    async def test_the_head_comes_before_the_body(self) -> None:
        gate = Gate()
        async with FakeProvider() as provider, network() as transport:
            provider.reply(sse([Pause(gate), Send(b"data: 1\n\n")]))

            response = await transport.send(ask(provider.port))

            assert response.status == 200
            assert not gate.is_open
            gate.open()
            assert await whole(response) == b"data: 1\n\n"

    @pytest.mark.parametrize("framing", ["auto", "close"])
    async def test_both_ways_of_ending(self, framing: str) -> None:
        async with FakeProvider() as provider, network() as transport:
            provider.reply(Reply(body=[Send(b"a" * 70_000), Send(b"b" * 70_000)], framing=framing))  # type: ignore[arg-type]

            assert await whole(await transport.send(ask(provider.port))) == b"a" * 70_000 + b"b" * 70_000

    async def test_http_1_0(self) -> None:
        async def old(wire: Wire) -> None:
            await wire.head()
            await wire.send(b"HTTP/1.0 200 OK\r\n\r\nold")

        async with server(old) as port, network() as transport:
            response = await transport.send(ask(port))

            assert response.http_version == "1.0"
            assert await whole(response) == b"old"

    async def test_a_provider_is_not_read_faster_than_its_reader(self) -> None:
        sent = 0

        async def endless(wire: Wire) -> None:
            nonlocal sent
            await wire.head()
            await wire.send(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n")
            while True:
                await wire.send(b"x" * 65536)
                sent += 65536
                await asyncio.sleep(0)

        async with server(endless) as port, network() as transport:
            response = await transport.send(ask(port))
            before = -1
            while sent != before:  # until the provider is stuck
                before = sent
                await asyncio.sleep(SOON)
            assert sent < 32 * 1024 * 1024  # the buffers of the kernel
            await response.close()


class TestLettingGo:
    @pytest.mark.parametrize("read", [0, 1])
    async def test_the_provider_sees_it_at_once(self, read: int) -> None:
        async with FakeProvider() as provider, network() as transport:
            provider.reply(sse([Send(b"data: 1\n\n"), Hang()]))
            response = await transport.send(ask(provider.port))
            chunks = aiter(response.chunks())
            for _ in range(read):
                await anext(chunks)
            begun = asyncio.get_running_loop().time()

            await response.close()

            assert (await provider.wait_for_disconnect()).by_client
            assert asyncio.get_running_loop().time() - begun < 0.25

    async def test_also_while_somebody_is_reading(self) -> None:
        async with FakeProvider() as provider, network() as transport:
            provider.reply(sse([Hang()]))
            response = await transport.send(ask(provider.port))
            reading = asyncio.create_task(whole(response))
            await asyncio.sleep(0)

            await response.close()

            with pytest.raises(UpstreamCut, match="given up"):
                await reading
            assert (await provider.wait_for_disconnect()).by_client

    async def test_also_while_the_request_is_stuck(self) -> None:
        # The provider answers and takes no more of the request: closing in order would wait for it forever.
        ended = asyncio.Event()

        async def stuck(wire: Wire) -> None:
            await wire.head()
            wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
            await wire.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n")
            await proceed.wait()
            wire.writer.transport.resume_reading()  # type: ignore[attr-defined]
            await wire.end()
            ended.set()

        proceed = asyncio.Event()
        async with server(stuck) as port, network() as transport:
            response = await transport.send(ask(port, method="POST", body=b"x" * 20_000_000))

            await asyncio.wait_for(response.close(), PATIENCE)

            proceed.set()
            await asyncio.wait_for(ended.wait(), PATIENCE)

    async def test_a_cancelled_reader_can_let_go(self) -> None:
        async with FakeProvider() as provider, network() as transport:
            provider.reply(sse([Hang()]))
            response = await transport.send(ask(provider.port))
            reading = asyncio.create_task(whole(response))
            await asyncio.sleep(0)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading

            await response.close()

            assert (await provider.wait_for_disconnect()).by_client

    async def test_twice_and_after_the_end(self) -> None:
        async with FakeProvider() as provider, network() as transport:
            provider.reply(Reply(body=b"ok"), Reply(body=b"ok"))
            response = await transport.send(ask(provider.port))
            await whole(response)
            await response.close()
            await response.close()
            assert [chunk async for chunk in response.chunks()] == []

            await whole(await transport.send(ask(provider.port)))

        assert provider.connections == 1

    async def test_an_answer_that_is_all_here_need_not_be_read(self) -> None:
        async with FakeProvider() as provider, network() as transport:
            for _ in range(2):
                provider.reply(Reply(body=b"ok"))
                response = await transport.send(ask(provider.port))
                await provider.wait_for_request(-1)
                async for _ in response.chunks():
                    break
                await response.close()

        assert provider.connections == 1

    async def test_nothing_is_left_behind(self) -> None:
        async with FakeProvider() as provider, network() as transport:
            provider.reply(Reply(body=b"ok"), sse([Hang()]), silence())
            await whole(await transport.send(ask(provider.port)))
            await (await transport.send(ask(provider.port))).close()
            with pytest.raises(UpstreamTimeout):
                await transport.send(ask(provider.port, timeouts=NO_WAIT))
        gc.collect()  # an unclosed connection would warn

        assert {task.get_name() for task in asyncio.all_tasks()} == {asyncio.current_task().get_name()}  # type: ignore[union-attr]


class TestTimeLimits:
    async def test_no_answer(self) -> None:
        async with FakeProvider() as provider, network() as transport:
            provider.reply(silence())

            with pytest.raises(UpstreamTimeout) as caught:
                await transport.send(ask(provider.port, timeouts=NO_WAIT))

            assert str(caught.value) == (
                f"127.0.0.1:{provider.port} did not begin to answer within 0.05 seconds (see egress.first_byte_seconds)"
            )
            assert (await provider.wait_for_disconnect()).by_client

    async def test_silence_in_the_answer(self) -> None:
        async with FakeProvider() as provider, network() as transport:
            provider.reply(sse([Send(b"data: 1\n\n"), Hang()]))
            response = await transport.send(ask(provider.port, timeouts=IMPATIENT))

            with pytest.raises(UpstreamTimeout) as caught:
                await whole(response)

            assert str(caught.value) == (
                f"127.0.0.1:{provider.port} sent nothing for 0.05 seconds, after 9 bytes of the answer"
                " (see egress.idle_seconds)"
            )
            assert (await provider.wait_for_disconnect()).by_client
            await response.close()

    async def test_an_answer_may_take_longer_than_its_silences(self) -> None:
        async def steady(wire: Wire) -> None:
            await wire.head()
            await wire.send(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n")
            for _ in range(10):
                await asyncio.sleep(3 * SOON)
                await wire.send(b"x")

        async with server(steady) as port, network() as transport:
            response = await transport.send(ask(port, timeouts=Timeouts(idle=20 * SOON)))

            assert await whole(response) == b"x" * 10

    async def test_a_slow_reader_is_not_the_providers_silence(self) -> None:
        async with FakeProvider() as provider, network() as transport:
            gate = Gate()
            provider.reply(sse([Send(b"data: 1\n\n"), Pause(gate), Send(b"data: 2\n\n")]))
            response = await transport.send(ask(provider.port, timeouts=IMPATIENT))
            chunks = aiter(response.chunks())
            assert await anext(chunks) == b"data: 1\n\n"

            await asyncio.sleep(4 * SOON)  # the reader's own time
            gate.open()

            assert await anext(chunks) == b"data: 2\n\n"
            await response.close()

    async def test_zero_is_no_limit(self) -> None:
        gate, more = Gate(), Gate()
        loop = asyncio.get_running_loop()
        async with FakeProvider() as provider, network() as transport:
            provider.reply(sse([SlowFirstByte(gate), Send(b"a"), Pause(more), Send(b"b")]))
            loop.call_later(2 * SOON, gate.open)
            loop.call_later(4 * SOON, more.open)

            response = await transport.send(ask(provider.port, timeouts=Timeouts(0, 0, 0)))

            assert await whole(response) == b"ab"

    async def test_waiting_for_the_client_is_not_waiting_for_the_provider(self) -> None:
        more = asyncio.Event()
        async with FakeProvider() as provider, network() as transport:
            provider.reply(Reply(body=b"ok"))
            asyncio.get_running_loop().call_later(12 * SOON, more.set)

            body = stream(b"a", more, b"b")
            response = await transport.send(
                ask(provider.port, method="POST", body=body, timeouts=Timeouts(first_byte=4 * SOON))
            )

            assert await whole(response) == b"ok"

    async def test_a_provider_that_takes_nothing_more(self) -> None:
        async def stuck(wire: Wire) -> None:
            await wire.head()
            wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
            await done.wait()

        done = asyncio.Event()
        async with server(stuck) as port, network() as transport:
            with pytest.raises(UpstreamTimeout, match=r"took no more of the request for 0.05 seconds"):
                await transport.send(
                    ask(port, method="POST", body=b"x" * 50_000_000, timeouts=Timeouts(first_byte=SOON))
                )
            done.set()


class TestFailures:
    @pytest.mark.parametrize("reset", [False, True])
    @pytest.mark.parametrize("length", [None, 100])
    async def test_a_cut_names_how_much_came(self, reset: bool, length: int | None) -> None:
        gate = Gate()
        async with FakeProvider() as provider, network() as transport:
            cut = Reply(body=[Send(b"12345"), Pause(gate), Cut(reset)], content_length=length)
            provider.reply(cut)
            response = await transport.send(ask(provider.port))
            chunks = aiter(response.chunks())
            assert await anext(chunks) == b"12345"
            gate.open()

            with pytest.raises(UpstreamCut) as caught:
                await anext(chunks)

        assert caught.value.message == (
            f"127.0.0.1:{provider.port} closed the connection in the middle of the answer, after 5 bytes"
        )

    async def test_what_came_before_a_cut_is_not_lost_on_a_busy_reader(self) -> None:
        gate = Gate()
        async with FakeProvider() as provider, network() as transport:
            provider.reply(sse([Send(b"data: 1\n\n"), Pause(gate), Send(b"data: 2\n\n"), Cut()]))
            response = await transport.send(ask(provider.port))
            chunks = aiter(response.chunks())
            assert await anext(chunks) == b"data: 1\n\n"
            gate.open()
            await provider.wait_for_disconnect()
            await asyncio.sleep(SOON)  # the reader's own time

            assert await anext(chunks) == b"data: 2\n\n"
            with pytest.raises(UpstreamCut, match="after 18 bytes"):
                await anext(chunks)

    async def test_a_reset_never_looks_like_the_end_of_an_unframed_body(self) -> None:
        gate = Gate()
        async with FakeProvider() as provider, network() as transport:
            provider.reply(Reply(body=[Send(b"12345"), Pause(gate), Cut(reset=True)], framing="close"))
            response = await transport.send(ask(provider.port))
            chunks = aiter(response.chunks())
            await anext(chunks)
            gate.open()

            with pytest.raises(UpstreamCut, match="after 5 bytes"):
                await anext(chunks)

    async def test_broken_chunks(self) -> None:
        async def broken(wire: Wire) -> None:
            await wire.head()
            await wire.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n")
            await go.wait()
            await wire.send(b"zz\r\n")
            await wire.end()

        go = asyncio.Event()
        async with server(broken) as port, network() as transport:
            response = await transport.send(ask(port))
            chunks = aiter(response.chunks())
            assert await anext(chunks) == b"ok"
            go.set()

            with pytest.raises(UpstreamCut, match="broke the framing of the answer, after 2 bytes"):
                await anext(chunks)
            await response.close()

    async def test_what_the_source_of_the_body_raises_comes_through_as_it_is(self) -> None:
        class Gone(Exception):
            pass

        async def broken() -> AsyncIterator[bytes]:
            yield b"begun"
            raise Gone

        async with FakeProvider() as provider, network() as transport:
            with pytest.raises(Gone):
                await transport.send(ask(provider.port, method="POST", body=broken()))

            assert (await provider.wait_for_disconnect()).by_client
        assert not provider.requests[0].complete

    async def test_even_if_it_looks_like_a_broken_connection(self) -> None:
        async def broken() -> AsyncIterator[bytes]:
            yield b"begun"
            raise ConnectionResetError("the client's")

        async with FakeProvider() as provider, network() as transport:
            with pytest.raises(ConnectionResetError, match="the client's"):
                await transport.send(ask(provider.port, method="POST", body=broken()))

    async def test_a_source_that_fails_after_the_head_ends_the_answer(self) -> None:
        go = asyncio.Event()

        async def broken() -> AsyncIterator[bytes]:
            yield b"begun"
            await go.wait()
            raise RuntimeError("the source")

        async with FakeProvider() as provider, network() as transport:
            provider.reply(Reply(body=[Send(b"early"), Hang()], early=True))
            response = await transport.send(ask(provider.port, method="POST", body=broken()))
            chunks = aiter(response.chunks())
            assert await anext(chunks) == b"early"
            go.set()

            with pytest.raises(UpstreamCut, match="the request ended"):
                await anext(chunks)
            assert (await provider.wait_for_disconnect()).by_client

    async def test_no_library_exception_gets_out(self) -> None:
        async with FakeProvider() as provider, network() as transport:
            for answer in (b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n", b"\0\0\0"):
                provider.reply(Reply(framing="raw", body=[Send(answer), Cut()] if answer else [Cut(reset=True)]))

                with pytest.raises(UpstreamError):
                    await whole(await transport.send(ask(provider.port)))


class TestEarlyAnswers:
    @pytest.mark.parametrize("size", [100_000, 30_000_000])
    async def test_before_the_request_is_sent(self, size: int) -> None:
        async def full(wire: Wire) -> None:
            await wire.head()
            await wire.send(b"HTTP/1.1 413 Too Large\r\ncontent-length: 9\r\nconnection: close\r\n\r\ntoo large")
            await wire.end()

        async with server(full) as port, network() as transport:
            response = await transport.send(ask(port, method="POST", body=b"x" * size))

            assert response.status == 413
            assert await whole(response) == b"too large"

    async def test_and_the_rest_of_the_request_is_not_waited_for(self) -> None:
        never = asyncio.Event()
        async with FakeProvider() as provider, network() as transport:
            provider.reply(Reply(413, body=b"too large", early=True), Reply(body=b"ok"))

            response = await transport.send(ask(provider.port, method="POST", body=stream(b"begun", never)))
            assert response.status == 413
            assert await whole(response) == b"too large"

            # The connection is in the middle of a request: it cannot carry another one.
            assert await whole(await transport.send(ask(provider.port))) == b"ok"
        assert provider.connections == 2

    async def test_a_conversation_in_both_directions(self) -> None:
        more = asyncio.Event()
        async with FakeProvider() as provider, network() as transport:
            provider.reply(Reply(body=[Send(b"early"), Pause(more), Send(b"late")], early=True))
            request = ask(provider.port, method="POST", body=stream(b"a", more, b"b"))
            response = await transport.send(request)
            chunks = aiter(response.chunks())
            assert await anext(chunks) == b"early"
            more.set()

            assert b"".join([chunk async for chunk in chunks]) == b"late"
            await response.close()
