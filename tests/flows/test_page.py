"""The page of one flow: everything a person needs at two in the morning."""

from __future__ import annotations

import json

import pytest

from ccproxy.exchange.exchange import Step
from ccproxy.exchange.hooks import HookResult
from ccproxy.flows import coding
from ccproxy.flows.model import Flow, Usage, WebSocketMessage, WebSocketRecord
from ccproxy.flows.page import content_lines, render

from .support import START, make_flow


def page(flow: Flow) -> str:
    return render(flow, now=START + 60)


def test_the_tries_of_a_flow() -> None:
    story = [Step("one", "key a", 529, "status 529", "went on to two", 0.25), Step("two", status=200, seconds=1.0)]
    text = page(make_flow(story=story))

    assert "Tries" in text
    assert "one with key a: status 529, after 0.25 s; went on to two" in text
    assert "two: status 200, after 1.00 s" in text
    assert "Tries" not in page(make_flow())


def test_the_story_of_a_flow() -> None:
    flow = make_flow(usage=Usage(12_096, 210, 11_000, 96, 64), answer_model="claude-x-2", streaming=True)
    text = page(flow)
    for words in (
        "Flow 000000000000",
        "1 minute ago",
        'client   127.0.0.1:50000, test/1.0, key "laptop"',
        "asked    POST http://localhost:4000/v1/messages?beta=true",
        "sent to  https://api.anthropic.com/v1/messages?beta=true",
        "because  sentinel, redirect to provider anthropic, credential: command",
        "kind     anthropic messages",
        "model    claude-x, answered by claude-x-2",
        "outcome  200 OK, complete, streamed",
        "timing   first byte after 0.50 s, 1.50 s in all",
        "usage    12,096 tokens in (11,000 from cache, 96 written to cache), 210 tokens out (64 of them reasoning)",
        "POST /v1/messages?beta=true HTTP/1.1",
        "Host: localhost:4000",
        "Forwarded to api.anthropic.com",
        "x-api-key: …abcd",
        "The body is the client's.",
        "HTTP/1.1 200 OK",
        '    "model": "claude-x",',
    ):
        assert words in text, words
    assert "error " not in text


def test_its_place_and_what_was_done_to_it() -> None:
    flow = make_flow(session="ses_1", kind="subagent", parent="ses_0", cost=0.0125)
    flow.hooks = [
        HookResult("inject", "inbound", 1, 2.0, changed=["body.system"]),
        HookResult("odd", "outbound", 1, error="no"),
    ]
    text = render(flow, now=START)
    assert "  session  subagent of ses_1, started from ses_0\n" in text
    assert "  cost     $0.0125\n" in text
    assert "  hook     inject (inbound) in 2.0 ms, changed body.system\n" in text
    assert "  hook     odd (outbound) in 0.0 ms, failed: no\n" in text


def test_a_flow_that_went_nowhere() -> None:
    text = page(make_flow(forwarded=None, response=None, outcome="refused", error_kind="forbidden", error="wrong key"))
    assert "sent to  nobody" in text
    assert "outcome  no answer, refused" in text
    assert "error    forbidden: wrong key" in text


def test_a_changed_body_is_shown_on_both_sides() -> None:
    flow = make_flow()
    assert flow.forwarded is not None
    flow.forwarded.body = b'{"model":"other"}'
    flow.forwarded.size = len(flow.forwarded.body)
    text = page(flow)
    assert '"model": "claude-x"' in text
    assert '"model": "other"' in text
    assert "The body is the client's" not in text


def test_what_is_not_whole_says_so() -> None:
    flow = make_flow()
    flow.request.body, flow.request.size = b'{"a": "b', 5_000_000
    flow.request.truncated = flow.request.redacted = True
    text = page(flow)
    assert "Body: 5,000,000 bytes; only the first 8 bytes are recorded; secrets overwritten" in text
    assert '{"a": "b' in text


def test_compressed_bodies_are_decoded() -> None:
    flow = make_flow()
    assert flow.response is not None
    plain = flow.response.body
    flow.response.headers.append(("content-encoding", "zstd"))
    flow.response.body = coding.encode(plain, "zstd")
    flow.response.size = len(flow.response.body)
    assert f"zstd, {len(plain)} bytes decoded" in page(flow)
    flow.response.body = b"no zstd"
    assert "zstd, which cannot be decoded" in page(flow)
    flow.response.headers[-1] = ("content-encoding", "gzip")
    flow.response.body = coding.encode(bytes(100_000), "gzip")[:-20]
    assert "damaged or too large: this is the beginning" in page(flow)


def test_a_stream_is_shown_event_by_event() -> None:
    stream = b'event: message_start\r\ndata: {"type":"message_start"}\r\n\r\n: ping\r\n\r\ndata: a\r\ndata:b\r\n\r\n'
    assert list(content_lines(stream, "text/event-stream; charset=utf-8")) == [
        "  [1] message_start",
        '      {"type":"message_start"}',
        "  [2]",
        "      : ping",
        "  [3]",
        "      a",
        "      b",
    ]


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (
            b'{"b":1.50,"a":[1,2],"b":12345678901234567890}',
            ["{", '  "b": 1.50,', '  "a": [', "    1,", "    2", "  ],"],
        ),
        (b'{"cut": "in the mid', ['{"cut": "in the mid']),
        (b"plain\ntext", ["plain", "text"]),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\r", ["(binary)"]),
        ("cut in a character: é".encode()[:-1], ["cut in a character: �"]),
        (b"evil \x1b]0;title\x07", ["evil \\x1b]0;title\\x07"]),
        (b"", []),
    ],
)
def test_contents(content: bytes, lines: list[str]) -> None:
    shown = [line.removeprefix("  ") for line in content_lines(content, "application/json")]
    assert shown[: len(lines)] == lines


def test_a_websocket_message_by_message() -> None:
    messages = [
        WebSocketMessage(True, True, b'{"type":"response.create"}', 26, START + 1),
        WebSocketMessage(False, False, b"\xff", 900, START + 2.5),
    ]
    flow = make_flow(websocket=WebSocketRecord(messages, count=7, size=5_000, last=START + 3, truncated=True))
    text = page(flow)
    assert "WebSocket: 7 messages; 5,000 bytes; only the first 2 messages are recorded" in text
    assert "[1] client → 26 bytes, after 1.00 s" in text
    assert '"type": "response.create"' in text
    assert "[2] ← server 900 bytes, cut to 1 byte, after 2.50 s" in text


def test_nothing_in_a_flow_can_drive_the_terminal() -> None:
    evil = "\x1b[2J\r\n\x9b31m"
    flow = make_flow(user_agent=evil, model=evil, error=evil, reason=evil, client_key=evil, id=evil)
    flow.request.headers = [(evil, evil)]
    flow.request.target = flow.request.method = flow.request.host = evil
    flow.request.body = json.dumps({"a": evil}, ensure_ascii=False).encode() + evil.encode()
    assert flow.response is not None
    assert flow.forwarded is not None
    flow.response.reason = flow.forwarded.host = evil
    text = page(flow)
    assert not {"\x1b", "\x9b", "\r"} & set(text)


def test_headings_can_stand_out() -> None:
    text = render(make_flow(), now=START, heading=lambda words: f"<{words}>")
    assert "<Client request>" in text
    assert "<Answer>" in text
