"""Reads HTTP/1.1 requests without losing a byte: bytes in, events out, no I/O.

`receive` takes what came, `next_event` gives the events in order until it returns None. llhttp (httptools) judges the
head, so a request that a strict server would refuse is refused here too; bodies are cut out by hand because the
recorder wants the bytes as on the wire. After the head of an upgrade the reader stands still until `proceed`.
"""

from __future__ import annotations

from dataclasses import dataclass

import httptools

from ccproxy.errors import BadRequest
from ccproxy.exchange.http import Headers, Pair

MAX_HEAD = 4 * 1024 * 1024
_MAX_LINE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Head:
    """A request head. `raw` ends with the empty line."""

    method: str
    target: bytes
    http_version: str
    headers: Headers
    raw: bytes
    upgrade: bool


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes after the head: `raw` as on the wire, `body` what they add to the body."""

    raw: bytes
    body: bytes


@dataclass(frozen=True, slots=True)
class End:
    """The request is complete."""


Event = Head | Data | End


class RequestReader:
    """The requests of one connection. `next_event` raises BadRequest where the bytes are not HTTP/1.1."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._state = "head"
        self._left = 0

    def receive(self, data: bytes) -> None:
        """Adds bytes from the connection."""
        self._buffer += data

    def next_event(self) -> Event | None:
        """The next event, or None until more bytes come."""
        match self._state:
            case "head":
                return self._head()
            case "length" | "chunk":
                return self._counted()
            case "size":
                return self._size()
            case "trailers":
                return self._trailers()
            case "end":
                self._state = "head"
                return End()
            case _:
                return None

    def proceed(self) -> None:
        """Goes on with the next request after an upgrade that was refused."""
        if self._state == "upgrade":
            self._state = "head"

    def take_rest(self) -> bytes:
        """The bytes after the head of an upgrade; they are no longer HTTP."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest

    def _take(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def _head(self) -> Head | None:
        while self._buffer.startswith(b"\r\n"):  # RFC 9112 2.2: empty lines before a request are ignored
            del self._buffer[:2]
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > MAX_HEAD:
                raise BadRequest("the request head is too large", status=431)
            return None
        head = _parse(self._take(end + 4))
        codings = head.headers.tokens(b"transfer-encoding")
        lengths = set(head.headers.all(b"content-length"))
        if head.upgrade:
            self._state = "upgrade"
        elif codings:
            if codings != {b"chunked"} or lengths:
                raise BadRequest("the request's framing is ambiguous or not supported")
            self._state = "size"
        elif lengths:
            text = lengths.pop()
            if lengths or not text.isdigit():
                raise BadRequest("the request's Content-Length is not one number")
            self._left = int(text)
            self._state = "length" if self._left else "end"
        else:
            self._state = "end"
        return head

    def _counted(self) -> Data | None:
        """Body bytes of a known number. A chunk's CRLF belongs to it, so `_left` counts it in."""
        chunked = self._state == "chunk"
        if not self._buffer:
            return None
        raw = self._take(self._left)
        before = self._left
        self._left -= len(raw)
        if not chunked:
            if self._left == 0:
                self._state = "end"
            return Data(raw, raw)
        if self._left == 0:
            self._state = "size"
        body = raw[: max(0, before - 2)]
        expected = b"\r\n"[max(0, 2 - before) :]
        if not expected.startswith(raw[len(body) :]):
            raise BadRequest("a chunk is longer than its size says")
        return Data(raw, body)

    def _line(self) -> bytes | None:
        end = self._buffer.find(b"\r\n")
        if end < 0:
            if len(self._buffer) > _MAX_LINE:
                raise BadRequest("a chunk's first line is too long")
            return None
        return self._take(end + 2)

    def _size(self) -> Data | None:
        line = self._line()
        if line is None:
            return None
        digits = line.partition(b";")[0].strip()
        try:
            size = int(digits, 16)
        except ValueError:
            raise BadRequest("a chunk's size is not a number") from None
        self._left = size + 2
        self._state = "chunk" if size else "trailers"
        return Data(line, b"")

    def _trailers(self) -> Data | None:
        line = self._line()
        if line is None:
            return None
        if line == b"\r\n":
            self._state = "end"
        return Data(line, b"")


class _Collector:
    """What httptools reports about one head."""

    def __init__(self) -> None:
        self.target = b""
        self.pairs: list[Pair] = []

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.pairs.append((name, value.rstrip(b" \t")))


def _parse(raw: bytes) -> Head:
    collector = _Collector()
    parser = httptools.HttpRequestParser(collector)
    upgrade = False
    try:
        parser.feed_data(raw)
    except httptools.HttpParserUpgrade:
        upgrade = True
    except httptools.HttpParserError as error:
        raise BadRequest(f"the request is not HTTP/1.1: {error}") from None
    headers = Headers(collector.pairs)
    return Head(
        method=parser.get_method().decode("ascii"),
        target=collector.target,
        http_version=parser.get_http_version(),
        headers=headers,
        raw=raw,
        upgrade=upgrade and b"websocket" in headers.tokens(b"upgrade"),
    )
