"""From an upstream's bytes to a client's: streams, documents, failures early and late, encodings, filters."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from ccproxy.errors import UpstreamTimeout
from ccproxy.lightllm.dialect import Frame, Target
from ccproxy.lightllm.errors import ErrorInfo
from ccproxy.lightllm.ir.events import Stop
from ccproxy.lightllm.ir.usage import Usage
from ccproxy.lightllm.stops import StopCutter
from ccproxy.lightllm.translate import (
    CONTENT_TYPES,
    ArrayReader,
    ArrayWriter,
    DocumentTranslator,
    SseReader,
    SseWriter,
    StreamTranslator,
    filters_of,
)

from .kit import CASES, REGISTRY, context
from .streams import cuttings

ANTHROPIC = REGISTRY.get("anthropic")
TEXT = (CASES / "anthropic/text/stream.txt").read_bytes()
TOOLS = (CASES / "anthropic/tools/stream.txt").read_bytes()
FAILING = (CASES / "anthropic/stream-error/stream.txt").read_bytes()
DOCUMENT = (CASES / "anthropic/text/document.json").read_bytes()
OVERLOADED = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"busy"}}\n\n'


def stream(**options: Any) -> StreamTranslator:
    return StreamTranslator(ANTHROPIC, ANTHROPIC, context(), **options)


def document(**options: Any) -> DocumentTranslator:
    return DocumentTranslator(ANTHROPIC, ANTHROPIC, context(), **options)


def through(translator: StreamTranslator, chunks: list[bytes]) -> bytes:
    return b"".join(map(translator.feed, chunks)) + translator.eof()


def kinds(raw: bytes) -> list[str]:
    return [line.removeprefix("event: ") for line in raw.decode().splitlines() if line.startswith("event: ")]


def test_any_cutting_gives_the_client_the_same_bytes() -> None:
    expected = through(stream(), [TEXT])
    assert kinds(expected)[0] == "message_start"
    assert kinds(expected)[-1] == "message_stop"
    for chunks in cuttings(TEXT, every_split_up_to=100):
        assert through(stream(), chunks) == expected


def test_it_knows_about_the_answer_when_it_is_over() -> None:
    translator = stream()
    assert not translator.done
    through(translator, [TEXT])
    assert translator.done
    assert translator.stop == Stop("stop_sequence", "STOP", "stop_sequence")
    assert translator.usage is not None
    assert (translator.usage.input, translator.usage.output) == (135, 15)
    assert translator.model == "claude-sonnet-4-5-20250929"
    assert translator.error is None
    assert translator.feed(b"event: ping\ndata: {}\n\n") == b""


def test_content_comes_out_at_once_and_nothing_before_it() -> None:
    translator = stream()
    start, rest = TEXT.split(b"event: content_block_start", 1)
    assert translator.feed(start) == b""
    assert not translator.committed
    out = translator.feed(b"event: content_block_start" + rest.split(b"event: ping")[0])
    assert kinds(out) == ["message_start", "content_block_start"]
    assert translator.committed
    assert kinds(translator.feed(b"event: ping\ndata: {}\n\n")) == ["ping"]


@pytest.mark.parametrize("before", [b"", TEXT.split(b"event: content_block_start")[0]])
def test_a_failure_before_content_gives_no_bytes(before: bytes) -> None:
    translator = stream()
    assert translator.feed(before + OVERLOADED) == b""
    assert translator.eof() == b""
    assert translator.done
    assert translator.early_error is not None
    assert (translator.early_error.kind, translator.early_error.status) == ("overloaded", 529)
    # A caller that has already sent its head can still tell the client.
    assert kinds(translator.commit()) == ["message_start", "error"]
    assert translator.early_error is None


def test_a_failure_after_content_is_an_error_event_and_no_ending() -> None:
    translator = stream()
    out = through(translator, [FAILING])
    assert kinds(out)[-1] == "error"
    assert "message_stop" not in kinds(out)
    assert translator.early_error is None
    assert translator.error is not None
    assert translator.error.kind == "overloaded"


def test_a_cut_stream_says_so() -> None:
    translator = stream()
    out = through(translator, [TEXT[: TEXT.index(b"event: content_block_stop")]])
    assert kinds(out)[-1] == "error"
    assert b"was cut" in out


@pytest.mark.parametrize("end", [b"event: content_block_delta\ndata: ", b'data: {"type":"content_bl'])
def test_a_stream_cut_in_the_middle_of_a_frame_says_so_too(end: bytes) -> None:
    translator = stream()
    out = through(translator, [TEXT[: TEXT.index(b"event: content_block_stop")] + end])
    assert kinds(out)[-1] == "error"
    assert b"was cut" in out
    assert translator.error is not None
    assert translator.error.kind == "cut"


def test_the_caller_can_end_it() -> None:
    translator = stream()
    translator.feed(TEXT[: TEXT.index(b"event: content_block_stop")])
    out = translator.fail(UpstreamTimeout("no byte for 300 s"))
    assert kinds(out) == ["error"]
    assert b"no byte for 300 s" in out
    assert translator.eof() == b""
    early = stream()
    assert early.fail(ErrorInfo("timeout", "slow")) == b""
    assert early.early_error is not None


def test_keep_alives_are_the_clients_own_and_commit() -> None:
    translator = stream()
    translator.feed(TEXT.split(b"event: content_block_start")[0])
    assert kinds(translator.keepalive()) == ["message_start", "ping"]
    out = translator.feed(OVERLOADED)
    assert kinds(out) == ["error"]
    assert translator.keepalive() == b""


def test_an_upstream_comment_becomes_the_clients_keep_alive() -> None:
    translator = stream()
    translator.feed(b": processing\n\n")
    translator.feed(TEXT[: TEXT.index(b"event: ping")])
    assert kinds(translator.feed(b": processing\n\n")) == ["ping"]


@pytest.mark.parametrize("make", [stream, document])
def test_compressed_answers_are_decoded_as_they_come(make: Any) -> None:
    raw = gzip.compress(TEXT, mtime=0)
    translator = make(encoding="gzip")
    if isinstance(translator, StreamTranslator):
        assert through(translator, [raw[i : i + 10] for i in range(0, len(raw), 10)]) == through(stream(), [TEXT])
        damaged, cut, unknown = stream(encoding="gzip"), stream(encoding="gzip"), stream(encoding="rot13")
        damaged.feed(b"not gzip at all")
        cut.feed(raw[:20])
        cut.eof()
        unknown.feed(TEXT)
        assert all(one.error is not None and one.error.status == 502 for one in (damaged, cut, unknown))
    else:
        assert translator.translate(gzip.compress(DOCUMENT)).status == 200
        assert document(encoding="gzip").translate(b"not gzip").status == 502
        assert document(encoding="gzip").translate(gzip.compress(DOCUMENT)[:-5]).status == 502


def test_a_document_is_the_same_from_a_body_and_from_a_stream() -> None:
    whole = document().translate(DOCUMENT)
    streamed = document()
    for chunk in (TEXT[:100], TEXT[100:]):
        streamed.feed(chunk)
    answer = streamed.answer()
    assert whole.status == answer.status == 200
    assert json.loads(answer.body) == json.loads(whole.body) == json.loads(DOCUMENT)
    assert streamed.stop == Stop("stop_sequence", "STOP", "stop_sequence")


def test_a_document_for_a_client_that_wants_a_stream() -> None:
    assert kinds(stream().document(DOCUMENT)) == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


@pytest.mark.parametrize("body", [b"<html>Bad gateway</html>", b"", b"[]", b'{"object": "list"}', b"null"])
def test_a_success_that_is_none_is_a_502(body: bytes) -> None:
    answer = document().translate(body)
    assert answer.status == 502
    assert json.loads(answer.body)["type"] == "error"


def test_a_failed_document_has_a_status_and_no_content() -> None:
    translator = document()
    translator.feed(FAILING)
    answer = translator.answer()
    assert answer.status == 529
    assert json.loads(answer.body)["error"]["type"] == "overloaded_error"
    cut = document()
    cut.feed(TEXT[:300])
    assert cut.answer(UpstreamTimeout("slow")).status == 504


def test_stop_sequences_are_cut_and_the_upstream_is_done() -> None:
    translator = stream(filters=[StopCutter(["aus"])])
    out = translator.feed(TEXT)
    assert translator.done
    assert translator.stop == Stop("stop_sequence", "aus")
    assert kinds(out)[-1] == "message_stop"
    assert "東京" not in out.decode()
    assert '"stop_sequence":"aus"' in out.decode()


def test_filters_come_from_the_request_that_was_sent() -> None:
    body = {
        "messages": [],
        "stop_sequences": ["\n"],
        "tools": [{"name": "get.weather"}],
    }
    encoded = ANTHROPIC.encode_request(ANTHROPIC.decode_request(json.dumps(body).encode()), Target())
    assert json.loads(encoded.body)["tools"][0]["name"] == "get_weather"
    translator = stream(filters=filters_of(encoded))
    out = through(translator, [TOOLS])
    assert b'"name":"get.weather"' in out
    assert filters_of(ANTHROPIC.encode_request(ANTHROPIC.decode_request(b'{"messages":[]}'), Target())) == []


def test_a_websocket_message_is_a_frame() -> None:
    translator = stream()
    messages = [line[6:] for line in TEXT.split(b"\n") if line.startswith(b"data: ")]
    assert b"".join(map(translator.message, messages)) == through(stream(), [TEXT])


def test_readers_and_writers_of_both_forms() -> None:
    frames = [Frame({"a": 1}, "x"), Frame(None), Frame(b"[DONE]")]
    sse = SseWriter()
    assert sse.write(frames) + sse.close() == b'event: x\ndata: {"a":1}\n\n: keep-alive\n\ndata: [DONE]\n\n'
    reader = SseReader()
    assert reader.feed(sse.write(frames)) == [("x", b'{"a":1}'), (None, None), (None, b"[DONE]")]
    array = ArrayWriter()
    raw = array.write([Frame({"a": 1}), Frame(None)]) + array.write([Frame({"b": 2})]) + array.close()
    assert json.loads(raw) == [{"a": 1}, {"b": 2}]
    splitter = ArrayReader()
    assert [*splitter.feed(raw), *splitter.eof()] == [(None, b'{"a":1}'), (None, b'{"b":2}')]
    assert set(CONTENT_TYPES) == {"sse", "json_array"}


def test_usage_is_what_was_reported_last() -> None:
    translator = stream()
    through(translator, [TOOLS])
    assert translator.usage == Usage(472, 89)
