"""The bytes that are sent and answered: shaped like real Anthropic calls, the same in every run.

Bodies of a size are made of seeded words, so that they compress about as text does. A request differs from the one
before it in a few bytes near its end, as the requests of a conversation do.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from functools import cache

MODEL = "bench-model"
#: Requests for this model get their model replaced by a rule.
RENAMED_MODEL = "bench-renamed"
#: Selects the provider `bench` of the temporary configuration.
KEY = "sk-ant-oat-ccproxy-bench"

#: A message that uses tools carries a few KB like these; what the SDKs send on every call.
HEADERS = {
    "accept": "application/json",
    "accept-encoding": "identity",
    "anthropic-version": "2023-06-01",
    "content-type": "application/json",
    "user-agent": "Anthropic/Python 2.12.0",
    "x-api-key": KEY,
    "x-stainless-arch": "x64",
    "x-stainless-async": "false",
    "x-stainless-lang": "python",
    "x-stainless-os": "Linux",
    "x-stainless-package-version": "2.12.0",
    "x-stainless-retry-count": "0",
    "x-stainless-runtime": "CPython",
    "x-stainless-runtime-version": "3.13.0",
    "x-stainless-timeout": "600",
}


@cache
def text(size: int, seed: int = 1) -> str:
    """About `size` bytes of words, always the same for a seed."""
    source = random.Random(seed)
    words = ["".join(source.choices("abcdefghijklmnopqrstuvwxyz", k=source.randint(2, 9))) for _ in range(3000)]
    parts: list[str] = []
    length = 0
    while length < size:
        word = source.choice(words)
        parts.append(word)
        length += len(word) + 1
    return " ".join(parts)[:size]


def _message(model: str, messages: list[dict[str, str]], *, stream: bool) -> bytes:
    body = {"model": model, "max_tokens": 1024, "stream": stream, "messages": messages}
    return json.dumps(body, separators=(",", ":")).encode()


@cache
def _template(kind: str) -> tuple[bytes, bytes]:
    """Everything before and after the number that makes a request its own."""
    size, model, stream = {
        "small": (300, MODEL, False),
        "stream": (300, MODEL, True),
        "large": (200_000, RENAMED_MODEL, False),
        "huge": (1_000_000, MODEL, False),
    }[kind]
    body = _message(
        model,
        [{"role": "user", "content": text(size)}, {"role": "user", "content": "number @@"}],
        stream=stream,
    )
    before, _, after = body.partition(b"@@")
    return before, after


@cache
def _turns(count: int, turn_bytes: int) -> list[str]:
    half = turn_bytes // 2
    said = [json.dumps({"role": "user", "content": text(turn_bytes, 0)})]
    for seed in range(1, count):
        answer, question = text(half, 2 * seed), text(turn_bytes - half, 2 * seed + 1)
        said.append(f'{{"role": "assistant", "content": "{answer}"}},{{"role": "user", "content": "{question}"}}')
    return said


def body(kind: str, index: int) -> bytes:
    """The body of request `index`.

    Kinds: `small` (about 0.4 KB), `stream` (the same, asking for a stream), `large` (200 KB, its model is one that a
    rule replaces), `huge` (1 MB), and `turn:BYTES`: the request of turn `index` of a session in which each turn adds
    BYTES and sends everything before it again.
    """
    if kind.startswith("turn:"):
        turns = ",".join(_turns(1000, int(kind[5:]))[: index + 1])
        return f'{{"model":"{MODEL}","max_tokens":1024,"messages":[{turns}]}}'.encode()
    before, after = _template(kind)
    return b"%s%06d%s" % (before, index, after)


def request(kind: str, index: int, target: str, port: int) -> bytes:
    """A whole HTTP/1.1 request."""
    content = body(kind, index)
    head = [f"POST {target} HTTP/1.1", f"host: 127.0.0.1:{port}", f"content-length: {len(content)}"]
    head += [f"{name}: {value}" for name, value in HEADERS.items()]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + content


def answer() -> bytes:
    """A whole HTTP/1.1 answer with a body of about 1 KB."""
    content = json.dumps(
        {
            "id": "msg_bench",
            "type": "message",
            "role": "assistant",
            "model": MODEL,
            "content": [{"type": "text", "text": text(780)}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 100, "output_tokens": 200},
        }
    ).encode()
    head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nrequest-id: req_bench\r\n"
    return f"{head}content-length: {len(content)}\r\n\r\n".encode() + content


STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"
    b"request-id: req_bench\r\ntransfer-encoding: chunked\r\n\r\n"
)


def _event(name: str, data: Mapping[str, object]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()


def chunked(data: bytes) -> bytes:
    """`data` as one chunk of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def stream_start() -> bytes:
    """The events before the first delta, one chunk."""
    message = {"id": "msg_bench", "type": "message", "role": "assistant", "model": MODEL, "content": []}
    usage = {"input_tokens": 100, "output_tokens": 1}
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    return chunked(
        _event("message_start", {"type": "message_start", "message": {**message, "usage": usage}})
        + _event("content_block_start", block)
    )


def stream_end() -> bytes:
    """The events after the last delta and the end of the body."""
    delta = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 200}}
    return (
        chunked(
            _event("content_block_stop", {"type": "content_block_stop", "index": 0})
            + _event("message_delta", delta)
            + _event("message_stop", {"type": "message_stop"})
        )
        + b"0\r\n\r\n"
    )


#: What stands before the time in a delta; the time is the sender's monotonic clock in nanoseconds, 20 digits.
TIME_MARK = b'"sent":'


def delta(nanoseconds: int) -> bytes:
    """One text delta, about 150 bytes, that says when it was sent."""
    return chunked(
        b"event: content_block_delta\n"
        b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"some words"},'
        b'"sent":"%020d"}\n\n' % nanoseconds
    )
