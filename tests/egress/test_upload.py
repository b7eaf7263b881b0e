from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator

import pytest

from ccproxy.egress.upload import WHOLE, pieces
from ccproxy.errors import BadRequest, UpstreamError
from ccproxy.testing import FakeProvider, Reply, no_answer
from egress.support import PATIENCE, ask, network, stream, whole


async def test_pieces_are_the_body_and_small() -> None:
    body = os.urandom(200_001)

    cut = [piece async for piece in pieces(body)]

    assert b"".join(cut) == body
    assert max(map(len, cut)) <= 65536


class TestFraming:
    async def test_chunks_are_those_of_the_source_and_empty_ones_do_not_end_the_body(self) -> None:
        async with FakeProvider() as provider, network() as transport:
            provider.reply(Reply(204))

            body = stream(b"hello", b"", b"w" * 300)
            await whole(await transport.send(ask(provider.port, method="POST", body=body)))

        [request] = provider.requests
        assert request.header("transfer-encoding") == "chunked"
        assert bytes(request.framed) == b"5\r\nhello\r\n12c\r\n" + b"w" * 300 + b"\r\n0\r\n\r\n"

    async def test_no_pieces_at_all(self) -> None:
        async with FakeProvider() as provider, network() as transport:
            provider.reply(Reply(204))

            await whole(await transport.send(ask(provider.port, method="POST", body=stream())))

        assert bytes(provider.requests[0].framed) == b"0\r\n\r\n"

    async def test_a_given_length_is_kept(self) -> None:
        async with FakeProvider() as provider, network() as transport:
            provider.reply(Reply(204), Reply(204))
            for _ in range(2):
                headers = [(b"Content-Length", b"6")]
                body = stream(b"abc", b"def")
                await whole(await transport.send(ask(provider.port, method="PUT", headers=headers, body=body)))

        assert [request.body for request in provider.requests] == [b"abcdef", b"abcdef"]
        assert b"transfer-encoding" not in provider.requests[0].headers
        assert provider.connections == 1

    async def test_a_piece_goes_out_before_the_next_is_there(self) -> None:
        more = asyncio.Event()
        async with FakeProvider() as provider, network() as transport:
            provider.reply(Reply(204))
            sending = asyncio.create_task(
                transport.send(ask(provider.port, method="POST", body=stream(b"first", more, b"second")))
            )
            await provider.wait_for_body(0, len(b"first"))
            more.set()

            await whole(await sending)

        assert provider.requests[0].body == b"firstsecond"

    async def test_a_large_one_is_sent_again_on_a_fresh_connection(self) -> None:
        body = os.urandom(WHOLE * 3)
        async with FakeProvider() as provider, network() as transport:
            provider.reply(Reply(body=b"ok"), no_answer(), Reply(body=b"ok"))
            await whole(await transport.send(ask(provider.port)))

            await whole(await transport.send(ask(provider.port, method="POST", body=body)))

        assert provider.requests[-1].body == body


class TestLengthsThatAreNotKept:
    @pytest.mark.parametrize(
        ("parts", "message"),
        [((b"abc", b"def"), "longer than its Content-Length of 5"), ((b"abc",), "ended after 3 of 5 bytes")],
    )
    async def test_the_request_never_completes(self, parts: tuple[bytes, ...], message: str) -> None:
        headers = [(b"content-length", b"5")]
        async with FakeProvider() as provider, network() as transport:
            with pytest.raises(BadRequest, match=message):
                await transport.send(ask(provider.port, method="POST", headers=headers, body=stream(*parts)))

            assert (await provider.wait_for_disconnect()).by_client

        assert not provider.requests[0].complete


class TestTheSource:
    async def test_is_let_go_of_when_the_provider_answers_early(self) -> None:
        done = asyncio.Event()

        async def source() -> AsyncIterator[bytes]:
            try:
                yield b"begun"
                await asyncio.Event().wait()
            finally:
                done.set()

        async with FakeProvider() as provider, network() as transport:
            provider.reply(Reply(413, body=b"no", early=True))
            response = await transport.send(ask(provider.port, method="POST", body=source()))
            await whole(response)

            assert done.is_set()

    async def test_is_let_go_of_when_the_connection_breaks(self) -> None:
        done = asyncio.Event()

        async def source() -> AsyncIterator[bytes]:
            try:
                while True:
                    yield b"x" * 65536
            finally:
                done.set()

        async with FakeProvider() as provider, network() as transport:
            provider.reply(Reply(framing="raw", body=no_answer(reset=True).body, early=True))

            with pytest.raises(UpstreamError, match="without an answer"):
                await transport.send(ask(provider.port, method="POST", body=source()))

            await asyncio.wait_for(done.wait(), PATIENCE)

    async def test_is_asked_no_faster_than_the_provider_takes(self) -> None:
        asked = 0

        async def source() -> AsyncIterator[bytes]:
            nonlocal asked
            while asked < 4000:
                asked += 1
                yield b"x" * 65536

        async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await go.wait()
            writer.close()

        go = asyncio.Event()
        listener = await asyncio.start_server(mute, "127.0.0.1", 0, limit=1024)
        async with listener, network() as transport:
            sending = asyncio.create_task(
                transport.send(ask(listener.sockets[0].getsockname()[1], method="POST", body=source()))
            )
            before = -1
            while asked != before or not asked:  # until it is stuck
                before = asked
                await asyncio.sleep(0.05)
            assert asked < 1000
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            go.set()
