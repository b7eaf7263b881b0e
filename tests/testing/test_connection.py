"""What a scripted answer looks like on the wire."""

import asyncio
import zlib

import brotli
import pytest
import zstandard

from ccproxy.testing import (
    Cut,
    FakeProvider,
    Gate,
    Hang,
    Pause,
    Reply,
    Send,
    SlowFirstByte,
    html,
    no_answer,
    no_last_blank,
    one_byte,
    silence,
    split_utf8,
    sse,
    with_bom,
)

from .raw import ask, connected, get, post

FRAMES = [b"data: one\n\n", "data: wörld\n\n".encode()]


async def test_bytes_are_sent_with_their_length() -> None:
    async with FakeProvider() as provider:
        provider.reply(Reply(201, {"X-A": "1"}, b"hello"))

        async with connected(provider) as wire:
            wire.send(get("/", "Connection: close"))

            assert await wire.rest() == b"HTTP/1.1 201 Created\r\nX-A: 1\r\ncontent-length: 5\r\n\r\nhello"


async def test_status_and_reason_are_as_said() -> None:
    async with FakeProvider() as provider:
        provider.reply(Reply(529, reason="Site is overloaded"), Reply(299))

        async with connected(provider) as wire:
            wire.send(get())
            assert await wire.reader.readline() == b"HTTP/1.1 529 Site is overloaded\r\n"
        async with connected(provider) as wire:
            wire.send(get())
            assert await wire.reader.readline() == b"HTTP/1.1 299 \r\n"


@pytest.mark.parametrize(
    "pieces", [FRAMES, one_byte(FRAMES), split_utf8(FRAMES), with_bom(FRAMES), no_last_blank(FRAMES)]
)
async def test_each_piece_of_a_stream_is_a_chunk(pieces: list[bytes]) -> None:
    async with FakeProvider() as provider:
        provider.reply(sse(pieces))

        answer = await ask(provider, post("/", b"x"))

        assert answer.chunks == pieces
        assert answer.complete
        assert answer.headers["content-type"] == "text/event-stream"


async def test_a_pause_holds_back_what_follows_and_not_the_head() -> None:
    async with FakeProvider() as provider:
        gate = Gate()
        provider.reply(sse([Pause(gate), Send(b"late")]))
        async with connected(provider) as wire:
            wire.send(get())
            status, _ = await wire.head()
            waiting = asyncio.create_task(wire.chunk())
            await provider.wait_for_request()

            assert status == 200
            assert not waiting.done()
            gate.open()
            assert await waiting == b"late"


async def test_a_slow_first_byte_holds_back_the_head() -> None:
    async with FakeProvider() as provider:
        event = asyncio.Event()
        provider.reply(sse([SlowFirstByte(event), b"late"]))
        async with connected(provider) as wire:
            wire.send(get())
            waiting = asyncio.create_task(wire.head())
            await provider.wait_for_request()

            assert not waiting.done()
            event.set()
            assert (await waiting)[0] == 200


async def test_a_pause_in_seconds() -> None:
    async with FakeProvider() as provider:
        provider.reply(sse([SlowFirstByte(0), b"one", Pause(0.0), b"two"]))

        assert (await ask(provider, get())).body == b"onetwo"


async def test_a_cut_ends_the_body_early_and_in_order() -> None:
    async with FakeProvider() as provider:
        provider.reply(sse([b"one", Cut()]))

        answer = await ask(provider, get())

        assert (answer.chunks, answer.complete) == ([b"one"], False)
        assert not (await provider.wait_for_disconnect()).by_client


async def test_a_reset_is_a_reset() -> None:
    async with FakeProvider() as provider:
        gate = Gate()
        provider.reply(sse([b"one", Pause(gate), Cut(reset=True)]))
        async with connected(provider) as wire:
            wire.send(get())
            await wire.head()
            assert await wire.chunk() == b"one"

            gate.open()

            with pytest.raises(ConnectionResetError):
                await wire.rest()


async def test_no_answer_at_all() -> None:
    async with FakeProvider() as provider:
        provider.reply(no_answer(), no_answer(reset=True))
        async with connected(provider) as wire:
            wire.send(get())
            assert await wire.rest() == b""
        async with connected(provider) as wire:
            wire.send(get())
            with pytest.raises(ConnectionResetError):
                await wire.rest()


async def test_silence_lasts_until_the_client_gives_up() -> None:
    async with FakeProvider() as provider:
        provider.reply(silence(), sse([b"one", Hang()]))
        async with connected(provider) as wire:
            wire.send(get())
            await provider.wait_for_request(0)
        assert (await provider.wait_for_disconnect(0)).by_client
        async with connected(provider) as wire:
            wire.send(get())
            await wire.head()
            assert await wire.chunk() == b"one"
        assert (await provider.wait_for_disconnect(1)).by_client


async def test_a_client_that_leaves_while_the_answer_waits_is_noticed() -> None:
    async with FakeProvider() as provider:
        provider.reply(sse([b"one", Pause(Gate()), b"two"]))
        async with connected(provider) as wire:
            wire.send(get())
            await wire.head()

        assert (await provider.wait_for_disconnect()).by_client


async def test_raw_replies_are_everything() -> None:
    async with FakeProvider() as provider:
        provider.reply(Reply(framing="raw", body=[b"SSH-2.0-OpenSSH\r\n"]))
        async with connected(provider) as wire:
            wire.send(get())

            assert await wire.rest() == b"SSH-2.0-OpenSSH\r\n"


async def test_a_body_that_ends_with_the_connection() -> None:
    async with FakeProvider() as provider:
        provider.reply(sse(FRAMES, framing="close"))

        answer = await ask(provider, get())

        assert answer.body == b"".join(FRAMES)
        assert not {"content-length", "transfer-encoding"} & set(answer.headers)
        assert answer.headers["connection"] == "close"


@pytest.mark.parametrize(("length", "body", "complete"), [(9, b"hello", False), (2, b"he", True)])
async def test_a_wrong_content_length(length: int, body: bytes, complete: bool) -> None:
    async with FakeProvider() as provider:
        provider.reply(Reply(body=b"hello", content_length=length))

        answer = await ask(provider, get())

        assert (answer.body, answer.complete) == (body, complete)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
async def test_a_stream_is_compressed_piece_by_piece(encoding) -> None:
    decode = {
        "gzip": lambda: zlib.decompressobj(wbits=31).decompress,
        "deflate": lambda: zlib.decompressobj().decompress,
        "br": lambda: brotli.Decompressor().process,
        "zstd": lambda: zstandard.ZstdDecompressor().decompressobj().decompress,
    }[encoding]()
    async with FakeProvider() as provider:
        gate = Gate()
        provider.reply(sse([FRAMES[0], Pause(gate), FRAMES[1]], encoding=encoding))
        async with connected(provider) as wire:
            wire.send(get())
            _, headers = await wire.head()

            assert headers["content-encoding"] == encoding
            assert decode(await wire.chunk()) == FRAMES[0]
            gate.open()
            assert decode(await wire.chunk()) == FRAMES[1]


async def test_a_document_is_compressed_and_its_length_fits() -> None:
    async with FakeProvider() as provider:
        provider.reply(Reply(body=b"hello" * 100, encoding="gzip"))

        answer = await ask(provider, get())

        assert zlib.decompress(answer.body, wbits=31) == b"hello" * 100
        assert answer.complete


async def test_html_where_json_was_expected() -> None:
    async with FakeProvider() as provider:
        provider.reply(html(502))

        answer = await ask(provider, get())

        assert (answer.status, answer.headers["content-type"]) == (502, "text/html; charset=utf-8")
        assert answer.body.startswith(b"<html>")


async def test_a_connection_is_kept_and_requests_may_come_ahead() -> None:
    async with FakeProvider() as provider:
        provider.reply(Reply(body=b"first"), sse([b"second"]), Reply(body=b"third"))
        async with connected(provider) as wire:
            wire.send(get("/1") + post("/2", b"body") + get("/3"))

            assert [(await wire.answer()).body for _ in range(3)] == [b"first", b"second", b"third"]
        assert [request.connection for request in provider.requests] == [0, 0, 0]
        assert provider.requests[1].raw == post("/2", b"body")


@pytest.mark.parametrize(
    "request_bytes", [get("/", "Connection: close"), b"GET / HTTP/1.0\r\n\r\n", post("/", b"", "Connection: close")]
)
async def test_a_connection_ends_when_the_client_says_so(request_bytes: bytes) -> None:
    async with FakeProvider() as provider:
        provider.reply(Reply(body=b"x"))
        async with connected(provider) as wire:
            wire.send(request_bytes)

            assert (await wire.rest()).endswith(b"x")


async def test_a_connection_ends_when_the_reply_says_so() -> None:
    async with FakeProvider() as provider:
        provider.reply(Reply(body=b"x", close=True))
        async with connected(provider) as wire:
            wire.send(get())

            assert b"connection: close" in await wire.rest()


async def test_http_1_0_gets_no_chunks() -> None:
    async with FakeProvider() as provider:
        provider.reply(sse(FRAMES))
        async with connected(provider) as wire:
            wire.send(b"GET / HTTP/1.0\r\n\r\n")

            head, _, body = (await wire.rest()).partition(b"\r\n\r\n")
        assert b"transfer-encoding" not in head
        assert body == b"".join(FRAMES)


@pytest.mark.parametrize(
    ("method", "reply", "length"),
    [("HEAD", Reply(body=b"hello"), b"content-length: 5"), ("GET", Reply(204), b""), ("GET", Reply(304), b"")],
)
async def test_answers_without_a_body(method: str, reply: Reply, length: bytes) -> None:
    async with FakeProvider() as provider:
        provider.reply(reply)
        async with connected(provider) as wire:
            wire.send(get("/", "Connection: close").replace(b"GET", method.encode()))

            answer = await wire.rest()
        assert answer.endswith(b"\r\n\r\n")
        assert length in answer
        assert b"chunked" not in answer


async def test_an_early_answer_does_not_wait_for_the_body() -> None:
    async with FakeProvider() as provider:
        provider.reply(Reply(413, body=b"too large", early=True, close=True))
        async with connected(provider) as wire:
            wire.send(post("/", b"x" * 10)[:-5])

            answer = await wire.answer()
            assert (answer.status, answer.body) == (413, b"too large")
            assert not provider.requests[0].complete
            wire.send(b"x" * 5)
            assert await wire.rest() == b""
        assert provider.requests[0].body == b"x" * 10


async def test_expecting_clients_are_told_to_continue() -> None:
    async with FakeProvider() as provider:
        provider.reply(Reply(body=b"got it"))
        async with connected(provider) as wire:
            wire.send(post("/", b"body", "Expect: 100-continue")[:-4])

            assert await wire.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            wire.send(b"body")
            assert (await wire.answer()).body == b"got it"


async def test_what_is_not_http_is_told_so() -> None:
    async with FakeProvider() as provider:
        async with connected(provider) as wire:
            wire.send(b"hello there\r\n\r\n")

            assert (await wire.rest()).startswith(b"HTTP/1.1 400 ")
        assert provider.requests == []


async def test_a_request_that_is_cut_is_recorded_as_incomplete() -> None:
    async with FakeProvider() as provider:
        async with connected(provider) as wire:
            wire.send(post("/", b"x" * 10)[:-5])
            await provider.wait_for_body(0, 5)
        await provider.wait_for_disconnect()

        assert not provider.requests[0].complete
        assert provider.requests[0].body == b"x" * 5


async def test_chunked_requests_are_recorded_as_sent_and_as_meant() -> None:
    async with FakeProvider() as provider:
        framed = b"5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"
        request = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + framed
        provider.reply(Reply())

        await ask(provider, request)

        assert provider.requests[0].body == b"hello!"
        assert provider.requests[0].raw == request
