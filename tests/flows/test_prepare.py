"""What is done to a flow that needs its bodies decompressed."""

from __future__ import annotations

import gzip
import random

import pytest

from ccproxy.flows import coding
from ccproxy.flows.model import ResponseRecord, Usage, WebSocketMessage, WebSocketRecord
from ccproxy.flows.prepare import clean, read_bodies
from ccproxy.flows.redact import NOTHING, Scrubber

from .support import make_flow

SECRET = "sk-ant-api03-0123456789abcdefghij"


def test_usage_and_model_come_from_the_answer() -> None:
    flow = make_flow()
    read_bodies(flow)
    assert flow.usage == Usage(input=3, output=2)
    assert flow.answer_model == "claude-x-2"


def test_no_answer_no_usage() -> None:
    flow = make_flow(response=None)
    read_bodies(flow)
    assert (flow.usage, flow.answer_model) == (None, "")


def test_a_compressed_body_that_both_requests_share_is_cleaned_once_and_stays_shared() -> None:
    flow = make_flow()
    assert flow.forwarded is not None
    body = coding.encode(b'{"key":"%s"}' % SECRET.encode(), "zstd")
    for request in (flow.request, flow.forwarded):
        request.headers.append(("Content-Encoding", "zstd"))
        request.body = body
    clean(flow, Scrubber([SECRET]))
    assert flow.forwarded.body is flow.request.body
    assert flow.request.redacted
    assert flow.forwarded.redacted
    decoded = coding.decode(flow.request.body, "zstd")
    assert decoded is not None
    assert SECRET.encode() not in decoded.data


def test_compressed_tokens_of_an_oauth_answer_go() -> None:
    flow = make_flow()
    assert flow.response is not None
    flow.response.headers.append(("content-encoding", "gzip"))
    flow.response.body = gzip.compress(b'{"access_token":"abcdefgh"}')
    clean(flow, NOTHING)
    assert gzip.decompress(flow.response.body) == b'{"access_token":"********"}'


def test_a_second_time_changes_nothing() -> None:
    flow = make_flow()
    clean(flow, Scrubber([SECRET]))
    body = flow.request.body
    clean(flow, Scrubber([SECRET]))
    assert flow.request.body is body


def test_usage_of_a_websocket() -> None:
    answer = b'{"type":"response.completed","response":{"model":"gpt-x","usage":{"input_tokens":4,"total_tokens":4}}}'
    record = WebSocketRecord(
        messages=[
            WebSocketMessage(True, True, answer, len(answer), 0.0),
            WebSocketMessage(False, True, answer, len(answer), 0.0),
        ]
    )
    flow = make_flow(websocket=record)
    read_bodies(flow)
    assert (flow.usage, flow.answer_model) == (Usage(input=4), "gpt-x")


def _streamed(*events: bytes, content_encoding: str = "") -> tuple[list[bytes], list[tuple[str, str]]]:
    """The pieces in which a stream comes: one per event, or one per 40 bytes of the compressed body."""
    if not content_encoding:
        return list(events), []
    body = coding.encode(b"".join(events), content_encoding)
    return [body[at : at + 40] for at in range(0, len(body), 40)], [("content-encoding", content_encoding)]


def _event(text: bytes) -> bytes:
    return b'data: {"type":"content_block_delta","delta":{"type":"text_delta","text":"%s"}}\n\n' % text


@pytest.mark.parametrize("content_encoding", ["", "gzip", "zstd"])
def test_the_moments_of_a_stream(content_encoding: str) -> None:
    words = [random.Random(number).randbytes(400).hex().encode() for number in range(3)]
    events = [b'data: {"type":"message_start","message":{}}\n\n', *map(_event, words), b'data: {"type":"ping"}\n\n' * 9]
    pieces, headers = _streamed(*events, content_encoding=content_encoding)
    body, offset, arrivals = b"".join(pieces), 0, []
    for number, piece in enumerate(pieces, 1):
        arrivals.append((offset, float(number)))
        offset += len(piece)
    flow = make_flow(streaming=True, arrivals=arrivals, response=ResponseRecord(headers, body, len(body), status=200))
    spoken = read_bodies(flow)
    assert spoken.answer == b"".join(words).decode()
    if content_encoding:
        # Some codings give many bytes back at once, late.
        assert 1 < flow.timings["ttft"] <= flow.timings["last"] <= len(pieces)
        assert content_encoding == "zstd" or flow.timings["ttft"] < len(pieces) * 0.6
    else:
        assert flow.timings == {"ttft": 2.0, "last": 4.0}


def test_an_answer_in_one_piece_has_no_moments() -> None:
    flow = make_flow()
    read_bodies(flow)
    assert flow.timings == {}


def test_tools_and_words() -> None:
    flow = make_flow()
    assert flow.response is not None
    flow.request.body = b'{"messages":[{"role":"user","content":"list \x00 them"}]}'.replace(b"\x00", b"\\u0000")
    flow.response.body = b'{"type":"message","content":[{"type":"tool_use","name":"Bash","input":{"c":"ls"}}]}'
    assert read_bodies(flow) == ("list   them", 'Bash {"c":"ls"}')
    assert flow.tools == ["Bash"]


def test_the_words_of_a_count_are_those_of_the_request_that_follows() -> None:
    flow = make_flow(operation="count_tokens")
    flow.request.body = b'{"messages":[{"role":"user","content":"hello"}]}'
    assert read_bodies(flow).prompt == ""
    assert flow.kind == "count_tokens"


def test_the_words_of_a_websocket() -> None:
    asked = b'{"type":"response.create","input":[{"role":"user","content":"hello"}]}'
    answered = b'{"type":"response.output_text.delta","output_index":0,"delta":"hi"}'
    record = WebSocketRecord(
        messages=[
            WebSocketMessage(True, True, asked, len(asked), 0.0),
            WebSocketMessage(False, True, answered, len(answered), 0.0),
            WebSocketMessage(False, False, b"\xff", 1, 0.0),
        ]
    )
    assert read_bodies(make_flow(websocket=record)) == ("hello", "hi")
