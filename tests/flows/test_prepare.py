"""What is done to a flow that needs its bodies decompressed."""

from __future__ import annotations

import gzip

from ccproxy.flows import coding
from ccproxy.flows.model import Usage, WebSocketMessage, WebSocketRecord
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
