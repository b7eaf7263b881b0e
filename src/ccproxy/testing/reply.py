"""Scripted answers of FakeProvider: a status, header fields and a body that is bytes or a list of steps.

    Reply(body=b'{"ok": true}')
    sse([frame, Pause(gate), frame, Cut()])

Before the first step that is not `SlowFirstByte` the head is sent, so `[SlowFirstByte(gate), Send(x)]` holds back the
head and `[Pause(gate), Send(x)]` only the body.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import msgspec

from ccproxy.exchange.http import Pair
from ccproxy.providers.answers import gemini
from ccproxy.providers.answers.respond import WRITERS, error
from ccproxy.testing.encoding import Encoding

Fields = Mapping[str, str] | Sequence[tuple[str, str] | Pair]


class Waitable(Protocol):
    """Something to wait for: an `asyncio.Event` of the server's loop, or a `Gate`."""

    async def wait(self) -> object: ...


class Gate:
    """A barrier that any thread may open, once and for all."""

    def __init__(self) -> None:
        self._future: concurrent.futures.Future[None] = concurrent.futures.Future()

    def open(self) -> None:
        """Lets everybody through who waits, now and later."""
        if not self._future.done():
            self._future.set_result(None)

    @property
    def is_open(self) -> bool:
        return self._future.done()

    async def wait(self) -> None:
        """Returns when the gate is open."""
        await asyncio.shield(asyncio.wrap_future(self._future))


@dataclass(frozen=True, slots=True)
class Send:
    """Sends bytes in one piece (one chunk of a chunked body)."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Pause:
    """Waits for an event or a gate, or for a number of seconds (tests should prefer the former)."""

    until: Waitable | float


@dataclass(frozen=True, slots=True)
class SlowFirstByte:
    """Like `Pause`, before the status line."""

    until: Waitable | float


@dataclass(frozen=True, slots=True)
class Cut:
    """Ends the connection in the middle: an orderly end of TCP, or with `reset` an RST."""

    reset: bool = False


@dataclass(frozen=True, slots=True)
class Hang:
    """Sends nothing more until the client gives up."""


Step = Send | Pause | SlowFirstByte | Cut | Hang | bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to one request.

    Attributes:
        headers: field names and values, sent as given; framing fields are added where they are missing.
        body: bytes (sent with a Content-Length) or steps (sent chunked, a chunk for each Send).
        reason: the reason phrase; "" is the usual one.
        encoding: content-encoding to apply; steps are compressed as they go and flushed.
        framing: `auto` as said for `body`; `close` sends neither length nor chunks, the end of the connection ends the
            body; `raw` sends no head at all, the steps are everything.
        content_length: the number to write into Content-Length, right or wrong. After a wrong one the connection ends.
        close: the connection ends after the answer, which says so.
        early: answers as soon as the head of the request is there; the body is still read and recorded.
    """

    status: int = 200
    headers: Fields = ()
    body: bytes | str | Sequence[Step] = b""
    reason: str = ""
    encoding: Encoding = ""
    framing: Literal["auto", "close", "raw"] = "auto"
    content_length: int | None = None
    close: bool = False
    early: bool = False

    @property
    def pieces(self) -> list[bytes]:
        """The bytes of the body, piece by piece, without the other steps: the frames of a stream."""
        if isinstance(self.body, str | bytes):
            return [_bytes(self.body)] if self.body else []
        return [step if isinstance(step, bytes) else step.data for step in self.body if isinstance(step, Send | bytes)]

    def pairs(self) -> list[Pair]:
        """The header fields as bytes."""
        given = self.headers.items() if isinstance(self.headers, Mapping) else self.headers
        return [(_bytes(name, "latin-1"), _bytes(value, "latin-1")) for name, value in given]


async def wait_until(until: Waitable | float) -> None:
    """Waits for what a `Pause` names."""
    if isinstance(until, int | float):
        await asyncio.sleep(until)
    else:
        await until.wait()


def sse(
    frames: Sequence[Step],
    *,
    status: int = 200,
    headers: Fields = (),
    encoding: Encoding = "",
    framing: Literal["auto", "close"] = "auto",
) -> Reply:
    """A `text/event-stream` answer."""
    pairs = [(b"content-type", b"text/event-stream"), *Reply(headers=headers).pairs()]
    return Reply(status, pairs, list(frames), encoding=encoding, framing=framing)


def json_reply(value: object, *, status: int = 200, headers: Fields = (), encoding: Encoding = "") -> Reply:
    """A JSON document."""
    pairs = [(b"content-type", b"application/json"), *Reply(headers=headers).pairs()]
    return Reply(status, pairs, msgspec.json.encode(value), encoding=encoding)


def html(status: int = 200, title: str = "502 Bad Gateway") -> Reply:
    """What a load balancer or a captive portal answers."""
    page = f"<html>\r\n<head><title>{title}</title></head>\r\n<body><h1>{title}</h1></body>\r\n</html>\r\n"
    return Reply(status, [(b"content-type", b"text/html; charset=utf-8")], page.encode())


def native_error(
    dialect: str,
    status: int,
    message: str = "",
    *,
    kind: str = "",
    retry_after: float | None = None,
    headers: Fields = (),
) -> Reply:
    """An error answer in the shape of `dialect`.

    Args:
        kind: overrides the word that belongs to the status (`error.type` of Anthropic, `error.code` of OpenAI,
            `error.status` of Gemini).
        retry_after: seconds, sent as the dialect's provider does.
    """
    answer = error(dialect, status, kind, message)
    pairs = [*answer.headers, *Reply(headers=headers).pairs()]
    body = answer.body
    if retry_after is not None:
        if dialect == "gemini":
            body = gemini.error(status, kind, message, details=[gemini.retry_info(retry_after)])
        else:
            pairs.append((b"retry-after", f"{retry_after:g}".encode()))
    return Reply(status, pairs, body)


def error_in_stream(dialect: str, status: int, message: str = "", *, kind: str = "") -> bytes:
    """The frame with which `dialect` reports an error inside a stream."""
    return WRITERS[dialect].error_event(status, kind, message)


def no_answer(*, reset: bool = False) -> Reply:
    """Ends the connection without an answer."""
    return Reply(framing="raw", body=[Cut(reset)])


def silence() -> Reply:
    """Never answers."""
    return Reply(framing="raw", body=[Hang()])


def _bytes(value: str | bytes, encoding: str = "utf-8") -> bytes:
    return value.encode(encoding) if isinstance(value, str) else value
