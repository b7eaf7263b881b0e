"""SSE: one table of cases, each run whole, byte by byte and cut at every point."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.errors import UpstreamError
from ccproxy.lightllm.sse import SSE_COMMENT, SseEvent, SSEFramer, sse_event

from .streams import cuttings

CASES: dict[str, tuple[bytes, list[SseEvent]]] = {
    "data only": (b"data: a\n\n", [SseEvent(b"a")]),
    "no space after the colon": (b"data:a\n\n", [SseEvent(b"a")]),
    "only one space is removed": (b"data:  a\n\n", [SseEvent(b" a")]),
    "named": (b"event: ping\ndata: {}\n\n", [SseEvent(b"{}", "ping")]),
    "name after data": (b"data: {}\nevent: ping\n\n", [SseEvent(b"{}", "ping")]),
    "id and retry": (b"id: 7\nretry: 10\ndata: x\n\n", [SseEvent(b"x", id="7")]),
    "several lines": (b"data: a\ndata\ndata: b\n\n", [SseEvent(b"a\n\nb")]),
    "empty data": (b"data:\n\ndata\n\n", [SseEvent(b""), SseEvent(b"")]),
    "no data is no event": (b"event: x\n\nid: 3\n\n\n\n", []),
    "crlf": (b"event: a\r\ndata: 1\r\n\r\ndata: 2\r\n\r\n", [SseEvent(b"1", "a"), SseEvent(b"2")]),
    "cr": (b"event: a\rdata: 1\r\rdata: 2\r\r", [SseEvent(b"1", "a"), SseEvent(b"2")]),
    "mixed line ends": (b"data: 1\r\n\ndata: 2\n\r\ndata: 3\r\r\ndata: 4\n\r", [SseEvent(b"%d" % n) for n in (1, 2, 3, 4)]),
    "a cr that ends the chunk": (b"data: 1\r\ndata: 2\r\n\r\n", [SseEvent(b"1\n2")]),
    "byte order mark": (b"\xef\xbb\xbfdata: 1\n\n", [SseEvent(b"1")]),
    "a mark that is none": (b"\xef\xbbdata: 1\n\ndata: 2\n\n", [SseEvent(b"2")]),
    "comments": (
        b": OPENROUTER PROCESSING\n\n:\n\n: x\ndata: 1\n\n",
        [SseEvent(b"OPENROUTER PROCESSING", comment=True), SseEvent(b"", comment=True), SseEvent(b"x", comment=True), SseEvent(b"1")],
    ),
    "unknown field": (b"foo: bar\ndata: 1\nfoo\n\n", [SseEvent(b"1")]),
    "extra blank lines": (b"\n\n\ndata: 1\n\n\n\n\ndata: 2\n\n", [SseEvent(b"1"), SseEvent(b"2")]),
    "no last blank line": (b"data: 1\n\nevent: e\ndata: 2", [SseEvent(b"1"), SseEvent(b"2", "e")]),
    "one line end at the end": (b"data: 1\n", [SseEvent(b"1")]),
    "utf-8": ("data: ä€😀\n\n".encode(), [SseEvent("ä€😀".encode())]),
    "not utf-8": (b"data: \xff\nevent: \xff\n\n", [SseEvent(b"\xff", "�")]),
    "done": (b"data: [DONE]\n\n", [SseEvent(b"[DONE]")]),
    "colon in data": (b'data: {"a": "b: c"}\n\n', [SseEvent(b'{"a": "b: c"}')]),
    "nothing": (b"", []),
}  # fmt: skip


def read(chunks: list[bytes]) -> list[SseEvent]:
    framer = SSEFramer()
    events = [event for chunk in chunks for event in framer.feed(chunk)]
    return events + framer.eof()


@pytest.mark.parametrize("name", CASES)
def test_cases_however_they_are_cut(name: str) -> None:
    raw, expected = CASES[name]
    for chunks in cuttings(raw):
        assert read(chunks) == expected, chunks


def test_all_cases_in_one_stream() -> None:
    whole = [case for name, case in CASES.items() if case[0].endswith((b"\n\n", b"\r\n\r\n")) and "mark" not in name]
    raw = b"".join(part for part, _ in whole)
    for chunks in cuttings(raw):
        assert read(chunks) == [event for _, events in whole for event in events]


@given(st.text(alphabet="data:event \n\r\ufeffxä", max_size=60).map(str.encode) | st.binary(max_size=60))
def test_any_bytes_in_any_cutting_give_the_same_events(raw: bytes) -> None:
    expected = read([raw])
    for chunks in cuttings(raw):
        assert read(chunks) == expected


@given(st.none() | st.sampled_from(["ping", "message_start"]), st.text(max_size=20).map(str.encode))
def test_what_is_written_is_read(name: str | None, data: bytes) -> None:
    lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    assert read([sse_event(name, data)]) == [SseEvent(lines, name)]


def test_a_comment_is_read_as_one() -> None:
    assert read([SSE_COMMENT]) == [SseEvent(b"keep-alive", comment=True)]


def test_an_event_comes_out_with_its_last_byte() -> None:
    framer = SSEFramer()
    assert framer.feed(b"data: 1\n") == []
    assert framer.feed(b"\ndata: 2") == [SseEvent(b"1")]
    crlf = SSEFramer()
    assert crlf.feed(b"data: 1\r\n\r") == [SseEvent(b"1")]
    assert crlf.feed(b"\ndata: 2\r\r") == [SseEvent(b"2")]


def test_an_endless_event_is_refused() -> None:
    framer = SSEFramer(max_event=100)
    assert framer.feed(b"data: " + b"x" * 90) == []
    with pytest.raises(UpstreamError, match="more than 100 bytes"):
        framer.feed(b"x" * 10)
    assert framer.eof() == []
