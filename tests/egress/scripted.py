"""A transport in memory that gives the answers it is told to, and a clock that moves when somebody waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from ccproxy.egress.transport import UpstreamRequest, UpstreamResponse, UpstreamSocket
from ccproxy.errors import UpstreamCut, UpstreamError
from ccproxy.exchange.http import Headers
from ccproxy.util.clock import FakeClock

#: In the place of a piece: the connection breaks, or nothing comes until the test is over.
CUT, HANG = object(), object()


class Answer:
    """A scripted answer."""

    http_version = "1.1"

    def __init__(self, status: int = 200, headers: dict[str, str] | None = None, pieces: Sequence[object] = ()) -> None:
        self.status = status
        self.reason = ""
        self.headers = Headers((name.encode(), value.encode()) for name, value in (headers or {}).items())
        self.pieces = pieces
        self.given = 0
        self.closed = False

    async def chunks(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            if piece is CUT:
                raise UpstreamCut("closed in the middle")
            if piece is HANG:
                await asyncio.Event().wait()
            if isinstance(piece, asyncio.Event):
                await piece.wait()
                continue
            assert isinstance(piece, bytes)
            self.given += 1
            yield piece

    async def close(self) -> None:
        self.closed = True


@dataclass
class Scripted:
    """The transport."""

    answers: list[Answer | UpstreamError]
    requests: list[UpstreamRequest] = field(default_factory=list)

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        self.requests.append(request)
        answer = self.answers[len(self.requests) - 1]
        if isinstance(answer, UpstreamError):
            raise answer
        return answer

    async def open_socket(
        self, request: UpstreamRequest, subprotocols: list[str], *, max_message: int
    ) -> UpstreamSocket | UpstreamResponse:
        raise NotImplementedError

    async def close(self) -> None:
        pass


class Waits:
    """Waiting that takes no time and is remembered."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self.clock.advance(seconds)
