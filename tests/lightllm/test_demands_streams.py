"""What users of such proxies complain of: streams. What needs a network around it (aborts, failover, timers) is tried
where the gateway is."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from ccproxy.lightllm.errors import ErrorInfo
from ccproxy.lightllm.ir.events import Failed, PartStart, Start, TextDelta
from ccproxy.lightllm.ir.parts import Text, ToolCall

from .demands import (
    DIALECTS,
    pairs,
    streamed,
    translator,
)
from .kit import (
    checked,
    context,
    decode_stream,
    encode_stream,
    essence,
)

WIDE = "Grüße 東京 🦊 שלום e\u0301"


class Test10BrokenCharacters:
    @pairs
    def test_a_stream_cut_at_every_byte_is_the_same(self, client: str, upstream: str) -> None:
        raw = streamed(upstream, Text(WIDE), ToolCall("t1", "f", json.dumps({"q": WIDE}, ensure_ascii=False)))
        whole = translator(upstream, client)
        expected = whole.feed(raw) + whole.eof()
        assert "\ufffd" not in expected.decode()
        read = checked(decode_stream(DIALECTS[client], [expected]))
        assert essence(read)["text"] == WIDE
        assert essence(read)["calls"][0][2] == {"q": WIDE}
        for point in range(len(raw)):
            halves = translator(upstream, client)
            assert halves.feed(raw[:point]) + halves.feed(raw[point:]) + halves.eof() == expected
        bytewise = translator(upstream, client)
        assert b"".join(bytewise.feed(raw[i : i + 1]) for i in range(len(raw))) + bytewise.eof() == expected


class Test11StreamsHeldBack:
    @pairs
    def test_the_first_words_are_given_out_before_the_next_come(self, client: str, upstream: str) -> None:
        """The gateway's part: the first event reaches the client before the upstream sends the second."""
        events = [Start("i", "m", dialect=upstream), PartStart(0, Text("")), TextDelta("first"), TextDelta("second")]
        encoder = DIALECTS[upstream].encoder(context())
        live = translator(upstream, client)
        seen = b""
        for event in events[:3]:
            for frame in encoder.event(event):
                seen += live.message(frame.data if isinstance(frame.data, bytes) else json.dumps(frame.data).encode())
        assert b"first" in seen
        assert b"second" not in seen


class Test12SilentThinking:
    @pairs
    def test_a_silent_upstream_has_keep_alives_that_the_client_can_read(self, client: str, upstream: str) -> None:
        """The gateway's part: when they are sent, and that passthrough has none."""
        raw = streamed(upstream, Text("done"))
        live = translator(upstream, client)
        alive = live.keepalive()
        rest = live.feed(raw) + live.eof()
        assert bool(alive) == (client != "gemini")
        read = checked(decode_stream(DIALECTS[client], [alive + rest]))
        assert essence(read)["text"] == "done"
        assert live.keepalive() == b""


class Test13DeathsThatLookLikeSuccess:
    @pairs
    def test_a_stream_cut_anywhere_ends_as_an_error(self, client: str, upstream: str) -> None:
        raw = streamed(upstream, Text("some words"), ToolCall("t1", "f", '{"a": 1}'))
        complete = essence(checked(decode_stream(DIALECTS[upstream], [raw])))
        for point in range(0, len(raw), 7):
            live = translator(upstream, client)
            out = live.feed(raw[:point]) + live.eof()
            if live.early_error is not None:
                assert out == b""
                out = live.commit()
            read = checked(decode_stream(DIALECTS[client], [out]))
            if live.error is None:
                # Everything was said: only the last word is missing.
                assert essence(read) == complete
            else:
                assert read.error is not None

    @pairs
    @pytest.mark.parametrize("kind", ["overloaded", "api", "timeout", "rate_limit"])
    def test_an_error_after_content_is_the_clients_own_event_and_the_last(
        self, client: str, upstream: str, kind: Any
    ) -> None:
        raw = streamed(upstream, Text("half an answer"))
        live = translator(upstream, client)
        cut = raw.index(b"half an answer")
        out = live.feed(raw[: raw.index(b"\n", cut) + 2]) + live.fail(ErrorInfo(kind, "it broke"))
        assert live.feed(raw) == b""
        assert live.eof() == b""
        read = checked(decode_stream(DIALECTS[client], [out]))
        assert read.error is not None
        assert "it broke" in read.error.message
        assert essence(read)["text"].startswith("half")


class Test15OverloadInsideOfASuccess:
    @pairs
    def test_before_content_another_can_be_asked_and_after_it_the_client_is_told(
        self, client: str, upstream: str
    ) -> None:
        """The gateway's part: it does ask another, and two failures give the first one's status."""
        overload = ErrorInfo("overloaded", "too busy")
        there = DIALECTS[upstream]
        starts = {
            "first frame": [],
            "after the start": [Start("i", "m", dialect=upstream)],
            "after content": [Start("i", "m", dialect=upstream), PartStart(0, Text("")), TextDelta("words")],
        }
        for when, before in starts.items():
            live = translator(upstream, client)
            out = live.feed(encode_stream(there, [*before, Failed(overload)])) + live.eof()
            if when == "after content":
                assert live.early_error is None
                error = checked(decode_stream(DIALECTS[client], [out])).error
                assert error is not None
                assert "too busy" in error.message
            else:
                assert out == b""
                assert live.early_error is not None
                assert live.early_error.kind in ("overloaded", "api")
                assert live.early_error.http_status >= 500


class Test16HalfFrames:
    @pytest.mark.parametrize("upstream", DIALECTS)
    def test_every_framing_of_the_protocol_is_read(self, upstream: str) -> None:
        raw = streamed(upstream, Text("one\ntwo"), ToolCall("t1", "f", '{"a": 1}'))
        expected = decode_stream(DIALECTS[upstream], [raw])
        if DIALECTS[upstream].stream_form != "sse":
            assert decode_stream(DIALECTS[upstream], [raw[i : i + 1] for i in range(len(raw))]) == expected
            return
        framings = {
            "LF": raw,
            "CRLF": raw.replace(b"\n", b"\r\n"),
            "CR": raw.replace(b"\n", b"\r"),
            "BOM": b"\xef\xbb\xbf" + raw,
            "comments": b": hello\n\n" + raw.replace(b"\n\n", b"\n\n: still here\n\n"),
            "no space": raw.replace(b"data: ", b"data:"),
            "several lines": re.sub(rb"^data: \{(.*)$", rb"data: {\ndata: \1", raw, flags=re.MULTILINE),
            "no last blank line": raw.rstrip(b"\n"),
        }
        for name, framed in framings.items():
            for chunks in ([framed], [framed[i : i + 1] for i in range(len(framed))]):
                assert decode_stream(DIALECTS[upstream], chunks) == expected, name
