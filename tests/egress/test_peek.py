"""The beginning of an answer: errors inside of it are found, nothing of it is changed, nothing is held for long."""

from __future__ import annotations

import asyncio
import gzip
import json

import pytest

from ccproxy.egress.peek import MOST_HELD, Held, hidden_error, read_error
from ccproxy.errors import UpstreamCut
from ccproxy.lightllm.registry import Registry
from ccproxy.providers.answers.respond import WRITERS
from ccproxy.testing import error_in_stream

from .scripted import CUT, HANG, Answer

DIALECTS = Registry()
SSE = {"content-type": "text/event-stream; charset=utf-8"}
JSON = {"content-type": "application/json"}

PREAMBLES = {
    "anthropic": [
        b'event: message_start\ndata: {"type":"message_start","message":{"id":"m","type":"message","role":"assistant",'
        b'"model":"x","content":[],"stop_reason":null,"usage":{"input_tokens":1,"output_tokens":1}}}\n\n',
        b'event: ping\ndata: {"type":"ping"}\n\n',
    ],
    "openai": [
        b": OPENROUTER PROCESSING\n\n",
        b'data: {"id":"c","object":"chat.completion.chunk","model":"x","choices":[{"index":0,"delta":{"role":"assistant"'
        b',"content":""}}]}\n\n',
    ],
    "openai_responses": [
        b'event: response.created\ndata: {"type":"response.created","response":{"id":"r","model":"x","status":'
        b'"in_progress","output":[]}}\n\n',
        b'event: response.in_progress\ndata: {"type":"response.in_progress","response":{"id":"r","status":"in_progress"'
        b',"output":[]}}\n\n',
    ],
    "gemini": [b": waiting\n\n"],
}
CONTENT = {
    "anthropic": b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":'
    b'"text","text":""}}\n\n',
    "openai": b'data: {"id":"c","object":"chat.completion.chunk","model":"x","choices":[{"index":0,"delta":{"content":'
    b'"Hi"}}]}\n\n',
    "openai_responses": b'event: response.output_item.added\ndata: {"type":"response.output_item.added","output_index":0,'
    b'"item":{"id":"i","type":"message","role":"assistant","content":[]}}\n\n'
    b'event: response.content_part.added\ndata: {"type":"response.content_part.added","item_id":"i","output_index":0,'
    b'"content_index":0,"part":{"type":"output_text","text":""}}\n\n',
    "gemini": b'data: {"candidates":[{"content":{"role":"model","parts":[{"text":"Hi"}]}}]}\n\n',
}


async def everything(held: Held) -> bytes:
    return b"".join([piece async for piece in held.chunks()])


@pytest.mark.parametrize("dialect", list(PREAMBLES))
class TestStreams:
    async def test_an_error_before_any_content_is_found_and_the_stream_stays_whole(self, dialect: str) -> None:
        pieces = [*PREAMBLES[dialect], error_in_stream(dialect, 529, "We are full.")]
        held = Held(Answer(200, SSE, pieces))

        error = await hidden_error(held, DIALECTS.get(dialect), seconds=5)

        assert error is not None
        assert error.message == "We are full."
        assert error.kind in {"overloaded", "api"}
        assert await everything(held) == b"".join(pieces)

    async def test_byte_by_byte_it_is_the_same(self, dialect: str) -> None:
        stream = b"".join([*PREAMBLES[dialect], error_in_stream(dialect, 429, "Slow down.")])
        held = Held(Answer(200, SSE, [bytes([byte]) for byte in stream]))

        error = await hidden_error(held, DIALECTS.get(dialect), seconds=5)

        assert error is not None
        assert error.message == "Slow down."
        assert await everything(held) == stream

    async def test_content_lets_it_go_at_once(self, dialect: str) -> None:
        gate = asyncio.Event()
        error = error_in_stream(dialect, 529, "Too late.")
        answer = Answer(200, SSE, [*PREAMBLES[dialect], CONTENT[dialect], gate, error])
        held = Held(answer)

        assert await hidden_error(held, DIALECTS.get(dialect), seconds=5) is None

        assert answer.given == len(PREAMBLES[dialect]) + 1
        gate.set()
        assert (await everything(held)).endswith(error)

    async def test_one_that_ends_before_it_has_said_anything_is_cut(self, dialect: str) -> None:
        error = await hidden_error(Held(Answer(200, SSE, [])), DIALECTS.get(dialect), seconds=5)

        assert error is not None
        assert error.kind == "cut"

    async def test_one_that_breaks_off_there_raises(self, dialect: str) -> None:
        held = Held(Answer(200, SSE, [*PREAMBLES[dialect], CUT]))

        with pytest.raises(UpstreamCut):
            await hidden_error(held, DIALECTS.get(dialect), seconds=5)

    async def test_silence_is_held_for_a_limited_time_and_goes_on_where_it_was(self, dialect: str) -> None:
        gate = asyncio.Event()
        held = Held(Answer(200, SSE, [*PREAMBLES[dialect], gate, CONTENT[dialect]]))

        assert await hidden_error(held, DIALECTS.get(dialect), seconds=0) is None
        gate.set()

        assert await everything(held) == b"".join([*PREAMBLES[dialect], CONTENT[dialect]])

    async def test_an_ordinary_answer_is_none(self, dialect: str) -> None:
        held = Held(Answer(200, JSON, [b'{"id":"x","error":null,"choices":[],"content":[],"output":[]}']))

        assert await hidden_error(held, DIALECTS.get(dialect), seconds=5) is None

    async def test_an_error_in_place_of_a_document(self, dialect: str) -> None:
        body = WRITERS[dialect].error(503, "", "No.")
        held = Held(Answer(200, JSON, [body[:10], body[10:]]))

        error = await hidden_error(held, DIALECTS.get(dialect), seconds=5)

        assert error is not None
        assert error.message == "No."
        assert await everything(held) == body


async def test_a_compressed_stream_is_looked_into_and_passed_on_as_it_is() -> None:
    stream = gzip.compress(error_in_stream("anthropic", 529, "We are full."))
    held = Held(Answer(200, SSE | {"content-encoding": "gzip"}, [stream]))

    error = await hidden_error(held, DIALECTS.get("anthropic"), seconds=5)

    assert error is not None
    assert await everything(held) == stream


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, SSE | {"content-encoding": "gzip"}, [b"not gzip"]),
        Answer(200, SSE | {"content-encoding": "own"}, [b"data: {}\n\n"]),
        Answer(200, {"content-type": "text/plain"}, [b'{"error":{}}']),
        Answer(200, SSE, [b"data: [1,2]\n\n", b"data: what is this\n\n", b"unknown"]),
        Answer(200, SSE, [b": " + b"x" * 70_000 + b"\n\n"] * 10),
        Answer(200, JSON, [b"x" * 70_000] * 10),
        Answer(200, JSON, [b'{"error":', HANG]),
        Answer(200, JSON, [b' [{"candidates":', HANG]),
        Answer(200, JSON | {"content-encoding": "gzip"}, [b'{"error":{"message":"m"}}']),
    ],
)
async def test_what_is_not_understood_is_good(answer: Answer) -> None:
    held = Held(answer)

    seconds = 5 if b"candidates" in b"".join(each for each in answer.pieces if isinstance(each, bytes)) else 0.02
    assert await hidden_error(held, DIALECTS.get("openai"), seconds=seconds) is None
    assert len(held.kept) <= MOST_HELD + 70_100
    await held.close()
    assert answer.closed


class TestErrors:
    async def test_an_error_answer_is_read_and_kept(self) -> None:
        body = json.dumps({"type": "error", "error": {"type": "rate_limit_error", "message": "m"}}).encode()
        held = Held(Answer(429, JSON, [body[:5], body[5:]]))

        error = await read_error(held, DIALECTS.get("anthropic"), seconds=5)

        assert error is not None
        assert (error.kind, error.message) == ("rate_limit", "m")
        assert await everything(held) == body

    async def test_one_of_nobody_knows_whose_dialect_is_not_read(self) -> None:
        assert await read_error(Held(Answer(500, JSON, [b"{}"])), None, seconds=5) is None

    async def test_one_that_breaks_off_is_passed_on_with_its_break(self) -> None:
        held = Held(Answer(500, JSON, [b"{", CUT]))

        assert await read_error(held, DIALECTS.get("anthropic"), seconds=5) is None
        with pytest.raises(UpstreamCut):
            await everything(held)

    async def test_one_that_does_not_end_is_let_go(self) -> None:
        answer = Answer(500, JSON, [b"{", HANG])
        held = Held(answer)

        assert await read_error(held, DIALECTS.get("anthropic"), seconds=0.02) is None
        assert (held.status, held.headers, held.reason, held.http_version) == (500, answer.headers, "", "1.1")
        await held.close()
        await held.close()
        assert answer.closed


async def test_who_leaves_while_a_late_piece_is_awaited_ends_the_reading() -> None:
    held = Held(Answer(200, SSE, [HANG]))
    await hidden_error(held, DIALECTS.get("openai"), seconds=0)
    reading = asyncio.create_task(everything(held))
    await asyncio.sleep(0)
    reading.cancel()

    with pytest.raises(asyncio.CancelledError):
        await reading
    await held.close()
