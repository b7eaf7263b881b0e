"""The answer to a client, as ASGI messages."""

from __future__ import annotations

from typing import Any

import pytest

from ccproxy.errors import UpstreamCut
from ccproxy.exchange.exchange import Client, Exchange, ResponseHead, Timings
from ccproxy.exchange.http import Headers, Snapshot
from ccproxy.flows.config import FlowsConfig
from ccproxy.flows.recorder import Recorder
from ccproxy.gateway.answer import Answer, outgoing
from ccproxy.gateway.listener import Connection
from ccproxy.lightllm.registry import Registry
from ccproxy.util.clock import FakeClock


class Channel:
    """Collects what is sent."""

    def __init__(self, *, method: str = "POST", http_version: str = "1.1") -> None:
        self.sent: list[dict[str, Any]] = []
        self.aborted = self.cut = False
        request = Snapshot(method, "http", "h", 1, b"/v1/messages", http_version, Headers())
        self.exchange = Exchange("f1", Client("127.0.0.1", 1), request, Timings(), dialect="anthropic")
        tape = Recorder(None, FlowsConfig(), FakeClock()).open(self.exchange)
        connection = Connection(target=b"/", pairs=[], abort=self._abort, cut=self._cut)
        self.answer = Answer(self._send, connection, self.exchange, tape, Registry(), http_version)

    async def _send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)

    def _abort(self) -> None:
        self.aborted = True

    def _cut(self) -> None:
        self.cut = True

    @property
    def bodies(self) -> list[bytes]:
        return [message["body"] for message in self.sent[1:]]

    @property
    def fields(self) -> Headers:
        return Headers(self.sent[0]["headers"])


def head(*pairs: tuple[bytes, bytes], status: int = 200) -> ResponseHead:
    return ResponseHead(status, "", Headers(pairs))


async def test_the_piece_that_completes_a_body_is_held_until_the_end() -> None:
    channel = Channel()
    await channel.answer.begin(head((b"Content-Length", b"4")))
    await channel.answer.write(b"ab")
    await channel.answer.write(b"cd")
    assert channel.bodies == [b"ab"]
    await channel.answer.end()
    assert channel.bodies == [b"ab", b"cd"]
    assert channel.sent[-1]["more_body"] is False


async def test_a_stream_is_passed_on_at_once() -> None:
    channel = Channel()
    await channel.answer.begin(head((b"Content-Type", b"text/event-stream")))
    await channel.answer.write(b"data: 1\n\n")
    assert channel.bodies == [b"data: 1\n\n"]


@pytest.mark.parametrize("status", [204, 304])
async def test_an_answer_without_body_has_no_length(status: int) -> None:
    channel = Channel()
    await channel.answer.begin(head((b"Content-Length", b"7"), status=status))
    await channel.answer.end()
    assert b"content-length" not in channel.fields
    assert channel.bodies == [b""]


async def test_head_keeps_the_length_of_what_get_would_send() -> None:
    channel = Channel(method="HEAD")
    await channel.answer.begin(head((b"Content-Length", b"7")))
    await channel.answer.end()
    assert channel.fields.get(b"content-length") == b"7"


async def test_an_http_1_0_client_gets_a_length() -> None:
    channel = Channel(http_version="1.0")
    await channel.answer.begin(head())
    await channel.answer.write(b"ab")
    await channel.answer.write(b"cd")
    assert channel.sent == []
    await channel.answer.end()
    assert (channel.fields.get(b"content-length"), channel.bodies) == (b"4", [b"abcd"])


@pytest.mark.parametrize(
    ("last", "gap"),
    [(b"", b""), (b"data: 1\n\n", b""), (b"data: 1\r\n\r\n", b""), (b"data: 1\r\r", b""), (b"data: {", b"\n")],
)
async def test_a_broken_stream_gets_an_error_event_of_its_own(last: bytes, gap: bytes) -> None:
    channel = Channel()
    await channel.answer.begin(head((b"Content-Type", b"text/event-stream; charset=utf-8")))
    await channel.answer.write(last)
    assert not await channel.answer.fail(UpstreamCut("cut"), close=False)
    assert channel.bodies[-1].startswith(gap + b"event: error\ndata: ")
    assert (channel.cut, channel.aborted) == (True, False)


@pytest.mark.parametrize(
    "fields",
    [
        [(b"Content-Type", b"application/json")],
        [(b"Content-Type", b"text/event-stream"), (b"Content-Encoding", b"gzip")],
        [(b"Content-Type", b"text/event-stream"), (b"Content-Length", b"100")],
    ],
)
async def test_where_nothing_can_be_added_the_connection_breaks(fields: list[tuple[bytes, bytes]]) -> None:
    channel = Channel()
    await channel.answer.begin(head(*fields))
    await channel.answer.write(b"half")
    assert not await channel.answer.fail(UpstreamCut("cut"), close=False)
    assert channel.aborted


async def test_a_failure_before_the_answer_is_a_whole_answer_that_is_noted() -> None:
    channel = Channel()
    assert await channel.answer.fail(UpstreamCut("cut"), close=True)
    await channel.answer.end()
    assert channel.sent[0]["status"] == 502
    assert channel.fields.get(b"connection") == b"close"
    assert channel.fields.get(b"x-ccproxy-flow") == b"f1"
    assert channel.exchange.response is not None
    assert channel.exchange.response.status == 502
    assert int(channel.fields.text(b"content-length")) == len(channel.bodies[-1])


def test_what_is_the_upstreams_own_stays() -> None:
    kept = outgoing(
        Headers([(b"Connection", b"X-A"), (b"X-A", b"1"), (b"Alt-Svc", b"h3"), (b"X-CCProxy-Flow", b"x"), (b"B", b"2")])
    )
    assert kept.pairs == [(b"B", b"2")]
