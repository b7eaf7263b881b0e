"""What happens now, for pages that are open: exchanges begin, their answers grow, flows are stored.

Strategy: the way of a request only enters its tape here and takes it out again. While a page listens, the hub looks at
the running tapes a few times a second, reads from the store what has ended, and tells all pages what changed, in one
message that is encoded once. With no page open it does nothing.

A page that does not read is not waited for: beyond a few messages it is told to load everything again. So what a slow
page costs is bounded.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec

from ccproxy.errors import CCProxyError, Overloaded
from ccproxy.flows.model import Flow
from ccproxy.flows.recorder import Tape
from ccproxy.flows.redact import clean_target

TICK_SECONDS = 0.25
KEEPALIVE_SECONDS = 15.0
MAX_PAGES = 16
#: Messages that wait for a page; and flows that one message brings.
MAX_WAITING = 32
MAX_FLOWS = 200
#: How many looks at the store a flow that ended is given to turn up there.
MAX_LOOKS = 20
#: Running exchanges that pages are told of.
MAX_RUNNING = 1000

RESYNC = b"event: resync\ndata: {}\n\n"
_KEEPALIVE = b": still here\n\n"

_encode = msgspec.json.Encoder().encode

type Json = dict[str, Any]
#: Gives flows of the store without bodies, as rows, by their ids.
type RowsOf = Callable[[list[str]], Awaitable[dict[str, Json]]]


class _Page:
    """One page that listens."""

    def __init__(self) -> None:
        self.waiting: deque[bytes] = deque()
        self.more = asyncio.Event()

    def put(self, message: bytes) -> None:
        if len(self.waiting) >= MAX_WAITING:
            self.waiting.clear()
            self.waiting.append(RESYNC)
        if not self.waiting or self.waiting[-1] is not message:
            self.waiting.append(message)
        self.more.set()


class Hub:
    """Knows the running tapes and the pages. It is the recorder's watcher.

    Args:
        tick_seconds: how often to look while a page listens.
    """

    def __init__(self, *, tick_seconds: float = TICK_SECONDS) -> None:
        self._tick_seconds = tick_seconds
        self._running: dict[str, Tape] = {}
        self._shown: dict[str, tuple[object, ...]] = {}
        self._ended: dict[str, int] = {}
        self._pages: list[_Page] = []
        self._closed = False
        self._task: asyncio.Task[None] | None = None
        self._rows: RowsOf | None = None

    def connect(self, rows: RowsOf) -> None:
        """From now on pages may listen; `rows` reads the store."""
        self._rows = rows

    def began(self, tape: Tape) -> None:
        """A tape runs."""
        self._running[tape.exchange.id] = tape

    def ended(self, tape: Tape) -> None:
        """A tape has ended, and its flow is on the way to the store."""
        flow_id = tape.exchange.id
        self._running.pop(flow_id, None)
        if self._pages:
            self._ended[flow_id] = 0

    def running(self) -> list[Json]:
        """The exchanges that run, as rows, the oldest first."""
        return [running_row(tape) for tape in list(self._running.values())[-MAX_RUNNING:]]

    def so_far(self, flow_id: str) -> Flow | None:
        """A running exchange as a flow."""
        tape = self._running.get(flow_id)
        return None if tape is None else tape.so_far()

    def awaited(self, flow_id: str) -> bool:
        """Whether a flow has ended and did not yet turn up in the store."""
        return flow_id in self._ended

    async def listen(self) -> AsyncIterator[bytes]:
        """The messages for one page, as Server-Sent Events. Raises Overloaded if there are too many pages."""
        if len(self._pages) >= MAX_PAGES:
            raise Overloaded(f"{MAX_PAGES} pages of the inspector are open", hint="close some of them")
        page = _Page()
        self._pages.append(page)
        if self._task is None or self._task.done():
            self._shown = {}
            self._task = asyncio.create_task(self._look(), name="inspector feed")
        return self._messages(page)

    async def close(self) -> None:
        """Ends all pages' streams."""
        self._closed = True
        for page in self._pages:
            page.more.set()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _messages(self, page: _Page) -> AsyncIterator[bytes]:
        try:
            yield b"retry: 1000\n" + RESYNC
            while not self._closed:
                try:
                    async with asyncio.timeout(KEEPALIVE_SECONDS):
                        await page.more.wait()
                except TimeoutError:
                    yield _KEEPALIVE
                    continue
                page.more.clear()
                while page.waiting:
                    yield page.waiting.popleft()
        finally:
            self._pages.remove(page)

    async def _look(self) -> None:
        """Looks again and again, until no page listens."""
        while self._pages:
            message = await self._changes()
            for page in self._pages if message else ():
                page.put(message)
            await asyncio.sleep(self._tick_seconds)
        self._ended.clear()

    async def _changes(self) -> bytes:
        """What changed since the last look, as a message; b"" for nothing."""
        began: list[Json] = []
        progress: list[Json] = []
        shown = dict(self._shown)
        for tape in list(self._running.values())[-MAX_RUNNING:]:
            state = _state(tape)
            before = shown.pop(tape.exchange.id, None)
            if before is None:
                began.append(running_row(tape))
            elif before != state:
                progress.append(running_row(tape))
            self._shown[tape.exchange.id] = state
        stored, gone = await self._stored()
        if len(stored) > MAX_FLOWS:
            self._shown = {}
            return RESYNC
        for flow_id in shown:
            if flow_id not in self._running:
                del self._shown[flow_id]
                # One that is stored replaces its running row; others stay until they turn up.
        if not (began or progress or stored or gone):
            return b""
        data = _encode({"began": began, "progress": progress, "stored": stored, "gone": gone})
        return b"event: changes\ndata: " + data + b"\n\n"

    async def _stored(self) -> tuple[list[Json], list[str]]:
        """Rows of flows that have turned up in the store, and ids of those that do not."""
        if not self._ended or self._rows is None:
            return [], []
        wanted = list(self._ended)
        try:
            found = await self._rows(wanted)
        except CCProxyError:
            found = {}
        gone = []
        for flow_id in wanted:
            self._ended[flow_id] += 1
            if flow_id in found or self._ended[flow_id] > MAX_LOOKS:
                del self._ended[flow_id]
                if flow_id not in found:
                    gone.append(flow_id)
        return sorted(found.values(), key=lambda row: row["seq"]), gone


def _state(tape: Tape) -> tuple[object, ...]:
    """What a page would see change."""
    exchange = tape.exchange
    status = exchange.response.status if exchange.response else 0
    return (exchange.model, exchange.route, status, tape.received, exchange.session)


def running_row(tape: Tape) -> Json:
    """A running exchange as a row of the list; the names are those of `views.row`."""
    exchange = tape.exchange
    scrub = tape.scrub
    timings = exchange.timings
    return {
        "id": exchange.id,
        "running": True,
        "started": timings.started,
        "ttfb": timings.first_byte - timings.begin if timings.first_byte else None,
        "method": exchange.request.method,
        "path": scrub(clean_target(exchange.request.target)).partition("?")[0],
        "host": exchange.forwarded.host if exchange.forwarded else "",
        "dialect": exchange.dialect,
        "operation": exchange.operation,
        "model": scrub(exchange.model[:256]),
        "provider": exchange.route.provider if exchange.route else "",
        "status": exchange.response.status if exchange.response else None,
        "outcome": "pending",
        "streaming": exchange.streaming,
        "session": scrub(exchange.session[:256]),
        "received": tape.received,
    }
