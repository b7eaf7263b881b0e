"""What the store's queue holds: flows on their way, made ready for the journal, in batches."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from ccproxy.flows import journal, rows
from ccproxy.flows.journal import Segment
from ccproxy.flows.model import Flow
from ccproxy.flows.prepare import clean
from ccproxy.flows.redact import Scrubber
from ccproxy.flows.rows import Written

_log = logging.getLogger(__name__)

#: What a flow takes in memory beside its bodies, roughly.
_FLOW_BYTES = 8192


@dataclass(slots=True)
class Item:
    """A flow on its way. `future` answers the caller: when it is journaled, then it is `safe`, or when the database has it.

    `written` and `record` are what was made of it; `impossible` says that nothing can be.
    """

    flow: Flow
    size: int
    scrubber: Scrubber
    future: asyncio.Future[bool]
    written: Written | None = None
    record: Sequence[bytes] = ()
    safe: bool = False
    impossible: bool = False


@dataclass(slots=True)
class Batch:
    """What the writer gets at once. `waiters` are told when it has been dealt with."""

    items: list[Item] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    size: int = 0
    waiters: list[asyncio.Future[bool]] = field(default_factory=list)

    def add(self, other: Batch) -> None:
        """Takes what another holds."""
        self.items += other.items
        self.segments += other.segments
        self.size += other.size
        self.waiters += other.waiters


def prepare(item: Item, *, small: bool = False) -> bool:
    """Cleans a flow and makes its record for the journal.

    Args:
        small: not if it takes more than a moment.

    Returns whether there is a record now.
    """
    flow = item.flow
    if not clean(flow, item.scrubber, small=small):
        return False
    try:
        try:
            item.written = rows.write(flow)
            item.record = journal.encode(flow, item.written)
        except UnicodeEncodeError:
            rows.without_surrogates(flow)
            item.written = rows.write(flow)
            item.record = journal.encode(flow, item.written)
    except (TypeError, ValueError, OverflowError):
        _log.exception("flow %s cannot be stored", flow.id)
        item.written, item.impossible = None, True
        return False
    return True


def size_of(flow: Flow) -> int:
    """Bytes of memory that a flow takes, roughly."""
    size = _FLOW_BYTES + len(flow.request.body)
    if flow.forwarded is not None and flow.forwarded.body is not flow.request.body:
        size += len(flow.forwarded.body)
    if flow.response is not None:
        size += len(flow.response.body)
    if flow.websocket is not None:
        size += sum(len(message.body) for message in flow.websocket.messages)
    return size


def _settle(futures: Sequence[asyncio.Future[bool]], stored: bool) -> None:
    """On the event loop: answers those who still wait."""
    for future in futures:
        if not future.done():
            future.set_result(stored)


def tell(futures: Sequence[asyncio.Future[bool]], stored: bool) -> None:
    """From a thread: answers those who wait, by one call into their event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Future[bool]]] = {}
    for future in futures:
        by_loop.setdefault(future.get_loop(), []).append(future)
    for loop, some in by_loop.items():
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_settle, some, stored)
