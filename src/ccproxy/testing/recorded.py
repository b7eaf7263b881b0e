"""What FakeProvider keeps of a request: everything, byte for byte."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from ccproxy.exchange.http import Headers
from ccproxy.providers.answers.bodies import decode


@dataclass(frozen=True, slots=True)
class Disconnect:
    """The end of a connection: `at` in seconds of the monotonic clock, and whether the client ended it."""

    at: float
    by_client: bool


@dataclass(slots=True)
class Received:
    """A request as FakeProvider got it.

    It is in `FakeProvider.requests` from the moment its head is there; `complete` tells whether all of its body is.

    Attributes:
        index: its place in `FakeProvider.requests`.
        connection: number of the connection it came on, from 0: equal numbers mean a reused connection.
        target: path and query as on the wire.
        headers: names and values in the order and case received.
        head: the bytes of the head, with the empty line.
        content: the body so far, without chunk framing, content-encoding untouched; `body` is the same as bytes.
        framed: of a chunked request the bytes after the head as on the wire, else empty.
        disconnect: set when its connection has ended.
        messages: messages of a WebSocket, from the client.
        close_code: the code of the client's close frame, or None.
    """

    index: int
    connection: int
    method: str
    target: bytes
    http_version: str
    headers: Headers
    head: bytes
    upgrade: bool = False
    complete: bool = False
    framed: bytearray = field(default_factory=bytearray, repr=False)
    content: bytearray = field(default_factory=bytearray, repr=False)
    disconnect: Disconnect | None = None
    messages: list[str | bytes] = field(default_factory=list)
    close_code: int | None = None

    @property
    def body(self) -> bytes:
        """The body without chunk framing, content-encoding untouched."""
        return bytes(self.content)

    @property
    def raw(self) -> bytes:
        """The whole request as on the wire."""
        return self.head + bytes(self.framed or self.content)

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition(b"?")[0].decode("latin-1")

    @property
    def query(self) -> bytes:
        """The query without its question mark."""
        return self.target.partition(b"?")[2]

    def header(self, name: str) -> str:
        """The first value of a header field, or ""."""
        return self.headers.text(name.encode("latin-1"))

    def decoded(self) -> bytes:
        """The body with its content-encoding removed. Raises ValueError where it is not what the header says."""
        return decode(self.header("content-encoding"), self.body)

    def json(self) -> Any:
        """The decoded body as JSON. Raises ValueError if it is none."""
        return msgspec.json.decode(self.decoded())
