"""A recorded stream is cut into its events again, each with the time of the piece that completed it."""

from __future__ import annotations

import gzip

import pytest

from ccproxy.flows.model import ResponseRecord
from ccproxy.inspector.frames import Frame, frames, frames_of
from flows.support import make_flow

STREAM = b"event: a\ndata: 1\n\n: ping\n\ndata: 2\n\n"


def test_events_and_comments() -> None:
    assert frames("text/event-stream", STREAM) == [
        Frame(b"1", "a"),
        Frame(b"ping", comment=True),
        Frame(b"2"),
    ]


def test_the_body_tells_where_the_head_does_not() -> None:
    assert frames("", b"data: 1") == [Frame(b"1")]
    assert frames("text/plain", b"hello") is None
    assert frames("application/json", b'{"a":1}') is None


def test_a_json_array_is_a_stream() -> None:
    assert frames("application/json; charset=UTF-8", b'[{"a":1},\n{"b":2}]') == [Frame(b'{"a":1}'), Frame(b'{"b":2}')]


def test_what_is_broken_ends_the_list() -> None:
    assert frames("application/json", b'[{"a":1} oops') == [Frame(b'{"a":1}')]


@pytest.mark.parametrize("first", range(1, len(STREAM)))
def test_an_event_comes_with_the_piece_that_completes_it(first: int) -> None:
    found = frames("text/event-stream", STREAM, [(0, 1.0), (first, 2.0)])
    assert found is not None
    ends = [STREAM.index(b"\n\n", place) + 2 for place in (0, STREAM.index(b":" + b" ping"), len(STREAM) - 9)]
    assert [frame.at for frame in found] == [1.0 if end <= first else 2.0 for end in ends]


def test_what_came_before_the_first_noted_piece_has_no_time() -> None:
    found = frames("text/event-stream", STREAM, [(18, 2.0)])
    assert found is not None
    assert [frame.at for frame in found] == [None, 2.0, 2.0]


def test_times_of_a_compressed_stream() -> None:
    body = gzip.compress(STREAM)
    response = ResponseRecord(
        headers=[("content-type", "text/event-stream"), ("content-encoding", "gzip")],
        body=body,
        size=len(body),
        status=200,
    )
    flow = make_flow(response=response, streaming=True, arrivals=[(0, 0.25), (len(body) - 8, 0.5)])
    found = frames_of(flow)
    assert found is not None
    assert [frame.data for frame in found] == [b"1", b"ping", b"2"]
    assert all(frame.at in {0.25, 0.5} for frame in found)


def test_a_flow_without_an_answer_or_with_one_in_an_unknown_coding() -> None:
    assert frames_of(make_flow(response=None)) is None
    strange = ResponseRecord(headers=[("content-encoding", "strange")], body=b"x", size=1, status=200)
    assert frames_of(make_flow(response=strange)) is None
