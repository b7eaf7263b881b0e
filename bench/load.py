"""The client of the bench: a process that sends requests over raw keep-alive connections and times the answers.

    python -m bench.load

Takes jobs as JSON, one a line, on standard input, and writes one line of JSON for each when it is done: see `Job` and
`Outcome`. It is a process of its own so that its cost is not part of anything that is measured. Every job is bounded in
requests and in time.
"""

from __future__ import annotations

import asyncio
import sys
import time
from array import array
from collections import Counter
from itertools import count

import httptools
import msgspec
import uvloop

from bench import bodies


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What to send. `first` is the number of the first request, so that no two requests of a run are alike."""

    port: int
    requests: int
    connections: int
    kind: str = "small"
    target: str = "/v1/messages"
    first: int = 0
    #: Seconds after which the job is broken off and counts what is missing as errors.
    limit: float = 120.0


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """A distribution, in seconds."""

    p50: float = 0.0
    p99: float = 0.0
    worst: float = 0.0
    samples: int = 0


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came back. `first_byte` runs from sending a request to the first byte of its body; `delay` is how long
    deltas of a stream were under way."""

    seconds: float
    errors: dict[str, int]
    deltas: int
    received: int
    first_byte: Spread
    delay: Spread


class Tally:
    """What all connections of a job have seen."""

    def __init__(self) -> None:
        self.errors: Counter[str] = Counter()
        self.first_byte = array("q")
        self.delay = array("q")
        self.received = 0


class Connection(asyncio.Protocol):
    """One keep-alive connection, one request at a time."""

    def __init__(self, tally: Tally, *, streams: bool) -> None:
        self._tally = tally
        self._streams = streams
        self._answer: asyncio.Future[int] | None = None
        self._lost: str | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport

    async def ask(self, data: bytes) -> int:
        """Sends a request and returns the status when the answer is complete. Raises ConnectionError."""
        if self._lost is not None:
            raise ConnectionError(self._lost)
        self._answer = asyncio.get_running_loop().create_future()
        self._parser = httptools.HttpResponseParser(self)
        self._rest = b""
        self._body_begun = False
        self._sent = time.monotonic_ns()
        self._transport.write(data)
        return await self._answer

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._end(ConnectionError(f"not HTTP: {error}"))
            self._transport.abort()

    def on_body(self, body: bytes) -> None:
        now = time.monotonic_ns()
        if not self._body_begun:
            self._body_begun = True
            self._tally.first_byte.append(now - self._sent)
        self._tally.received += len(body)
        if not self._streams:
            return
        *events, self._rest = (self._rest + body).split(b"\n\n")
        for event in events:
            _, mark, sent = event.partition(bodies.TIME_MARK)
            if mark:
                self._tally.delay.append(now - int(sent[1:21]))

    def on_message_complete(self) -> None:
        self._end(self._parser.get_status_code())

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = f"connection closed ({exc or 'end of stream'})"
        self._end(ConnectionError(self._lost))

    def _end(self, result: int | Exception) -> None:
        if self._answer is None or self._answer.done():
            return
        if isinstance(result, Exception):
            self._answer.set_exception(result)
        else:
            self._answer.set_result(result)

    def close(self) -> None:
        self._transport.close()


async def _connect(job: Job, tally: Tally) -> Connection:
    loop = asyncio.get_running_loop()
    streams = job.kind == "stream"
    _, connection = await loop.create_connection(lambda: Connection(tally, streams=streams), "127.0.0.1", job.port)
    return connection


async def _worker(job: Job, numbers: count[int], tally: Tally) -> None:
    """Sends requests, one after the other, as long as there are numbers; a lost connection is opened again."""
    last = job.first + job.requests
    connection: Connection | None = None
    try:
        while (number := next(numbers)) < last:
            request = bodies.request(job.kind, number, job.target, job.port)
            try:
                connection = connection or await _connect(job, tally)
                status = await connection.ask(request)
            except OSError as error:
                tally.errors[str(error)] += 1
                connection = None
            else:
                if status != 200:
                    tally.errors[f"status {status}"] += 1
    finally:
        if connection is not None:
            connection.close()


def _spread(samples: array[int]) -> Spread:
    if not samples:
        return Spread()
    ordered = sorted(samples)
    return Spread(
        p50=ordered[len(ordered) // 2] / 1e9,
        p99=ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)] / 1e9,
        worst=ordered[-1] / 1e9,
        samples=len(ordered),
    )


async def perform(job: Job) -> Outcome:
    """Carries out one job."""
    tally = Tally()
    numbers = count(job.first)
    started = time.monotonic()
    try:
        async with asyncio.timeout(job.limit), asyncio.TaskGroup() as group:
            for _ in range(job.connections):
                group.create_task(_worker(job, numbers, tally))
    except TimeoutError:
        tally.errors[f"not done after {job.limit:g} s"] += 1
    return Outcome(
        seconds=time.monotonic() - started,
        errors=dict(tally.errors),
        deltas=len(tally.delay),
        received=tally.received,
        first_byte=_spread(tally.first_byte),
        delay=_spread(tally.delay),
    )


def _serve() -> None:
    for line in sys.stdin.buffer:
        outcome = uvloop.run(perform(msgspec.json.decode(line, type=Job)))
        sys.stdout.buffer.write(msgspec.json.encode(outcome) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    _serve()
