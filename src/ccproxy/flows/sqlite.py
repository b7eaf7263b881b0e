"""The flow store: one SQLite file, written by one thread.

Flows come from the event loop through a queue that is bounded in number and bytes; what does not fit is dropped and
counted, never waited for. The thread takes whatever is queued, prepares it (usage, hashes, compression) outside of any
transaction and commits it as one: the fewer commits per flow the more there is to do, with no artificial delay. In WAL
mode with synchronous=NORMAL a committed flow survives the death of the process; a waiting caller is released when its
batch is committed, by one call into its event loop per batch.

A store that fails is off: flows are dropped, callers released at once, `problem` says why. It is tried again after a
pause that doubles from time to time, and is on again as soon as a batch has been committed. A file that was deleted or
replaced under the proxy is begun anew without losing the batch at hand.
"""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ccproxy.errors import StoreError
from ccproxy.flows import retention, rows, schema
from ccproxy.flows.bodies import Packed, Packer
from ccproxy.flows.config import FlowsConfig
from ccproxy.flows.model import Flow
from ccproxy.flows.prepare import prepare
from ccproxy.flows.redact import NOTHING, Scrubber
from ccproxy.util.clock import Clock

_log = logging.getLogger(__name__)

_MAX_BATCH_FLOWS = 256
_MAX_BATCH_BYTES = 32 * 1024 * 1024
#: Retention is looked after when so many flows, or bytes of them, have been stored since the last time.
_RETENTION_FLOWS = 200
_RETENTION_BYTES = 32 * 1024 * 1024
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
#: What a flow takes in memory beside its bodies, roughly.
_FLOW_BYTES = 8192

_Identity = tuple[tuple[int, int], tuple[int, int]]


@dataclass(slots=True)
class _Item:
    flow: Flow
    scrubber: Scrubber
    future: asyncio.Future[bool]
    size: int


@dataclass(frozen=True, slots=True)
class StoreStats:
    """Counts since the start: flows stored, dropped for any reason, and waiting (with their bytes)."""

    stored: int
    dropped: int
    queued: int
    queued_bytes: int


class _Replaced(Exception):
    """The file at the store's path is not the one that is open."""


class SqliteStore:
    """Records flows in the file at `path`.

    Args:
        path: the file; created 0600, its directory 0700, when the store starts.
        clock: for retention by age.
        config: what is kept and for how long.
        max_queued, max_queued_bytes: bounds of the queue.
        pause: seconds before the first new attempt after a failure, and the longest pause.
        busy_seconds: how long to wait for another program's lock.
        on_problem: called from the writer's thread whenever `problem` changes.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Clock,
        config: FlowsConfig,
        max_queued: int = 10_000,
        max_queued_bytes: int = 64 * 1024 * 1024,
        pause: tuple[float, float] = (_FIRST_PAUSE, _LONGEST_PAUSE),
        busy_seconds: float = 5.0,
        on_problem: Callable[[str], None] | None = None,
    ) -> None:
        self.path = path
        #: May be replaced while the store runs.
        self.config = config
        self._clock = clock
        self._max_queued, self._max_queued_bytes = max_queued, max_queued_bytes
        self._first_pause, self._longest_pause = pause
        self._busy_seconds = busy_seconds
        self._on_problem = on_problem
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._lock = threading.Lock()  # guards the counters and `_closed`
        self._queued = self._queued_bytes = 0
        self._stored = self._dropped = 0
        self._closed = False
        self._accepting = True
        self._overflowing = False
        self._problem = ""
        self._lost_before = 0
        self._batch: list[_Item] = []
        self._reopened = False
        self._new_flows = self._new_bytes = 0
        self._thread: threading.Thread | None = None

    @property
    def problem(self) -> str:
        """Why nothing is recorded at the moment, in one line, or ""."""
        return self._problem

    def stats(self) -> StoreStats:
        """The counts at this moment."""
        with self._lock:
            return StoreStats(self._stored, self._dropped, self._queued, self._queued_bytes)

    def start(self) -> None:
        """Starts the writer, which opens the file. `close` must be called before the process can end."""
        assert self._thread is None, "a store is started once"
        self._thread = threading.Thread(target=self._work, name="flow-store", daemon=False)
        self._thread.start()

    def put(self, flow: Flow, scrubber: Scrubber = NOTHING) -> asyncio.Future[bool]:
        """Queues a flow; to be called on an event loop. The flow must not be changed any more.

        Returns a future that becomes True when the flow is committed, and False when it is dropped: at once if the
        store is off or its queue full, else when its batch fails.
        """
        future = asyncio.get_running_loop().create_future()
        size = _size(flow)
        with self._lock:
            full = self._queued > 0 and (
                self._queued >= self._max_queued or self._queued_bytes + size > self._max_queued_bytes
            )
            accepted = self._accepting and not self._closed and not full
            if accepted:
                self._queued += 1
                self._queued_bytes += size
                # Under the lock, so that nothing comes after the mark that `close` puts last.
                self._queue.put(_Item(flow, scrubber, future, size))
            else:
                self._dropped += 1
                first_overflow = full and not self._overflowing
                self._overflowing = self._overflowing or full
        if not accepted:
            if first_overflow:
                _log.warning("the flow store cannot keep up: flows are dropped until it has caught up")
            future.set_result(False)
        return future

    def close(self) -> None:
        """Writes what is queued, closes the file and ends the thread. Blocks until then, so on an event loop it belongs
        into `asyncio.to_thread`. May be called twice."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        if self._thread is not None:
            self._thread.join()

    # Everything below runs in the writer's thread.

    def _work(self) -> None:
        packer = Packer()
        pause = self._first_pause
        while True:
            try:
                connection = schema.open_for_writing(self.path, busy_seconds=self._busy_seconds)
                try:
                    self._maintain(connection)
                    with retention.transaction(connection):  # can it be written?
                        identity = _identity(self.path)
                    self._accepting = True
                    self._serve(connection, packer, identity)
                    return
                except _Replaced:
                    _let_go(connection, self.path, identity)
                    raise
                finally:
                    connection.close()
            except _Replaced:
                if not self._reopened:
                    self._reopened = True
                    _log.warning("the flow store %s was deleted or replaced; a new one is begun", self.path)
                    continue
                problem = f"the flow store {self.path} is replaced again and again"
            except (sqlite3.Error, OSError, StoreError) as error:
                problem = schema.problem(error, self.path)
            except Exception as error:  # noqa: BLE001 - the boundary of the background thread
                _log.exception("the flow store's writer failed")
                problem = schema.problem(error, self.path)
            if not self._problem:
                pause = self._first_pause
            self._switch_off(problem)
            if self._wait(pause):
                return
            pause = min(pause * 2, self._longest_pause)

    def _serve(self, connection: sqlite3.Connection, packer: Packer, identity: _Identity) -> None:
        """Stores batch after batch; returns when the store is closed."""
        while True:
            last = False
            if not self._batch:
                last = self._take()
            if self._batch:
                self._write(connection, packer, identity)
            if last:
                return

    def _take(self) -> bool:
        """Waits for work and takes what there is. Returns whether it was the last."""
        size = 0
        item = self._queue.get()
        while item is not None:
            self._batch.append(item)
            size += item.size
            if len(self._batch) >= _MAX_BATCH_FLOWS or size >= _MAX_BATCH_BYTES:
                return False
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return False
        return True

    def _write(self, connection: sqlite3.Connection, packer: Packer, identity: _Identity) -> None:
        """Commits the batch and releases its callers. Raises with the batch still at hand."""
        packed = [_pack(connection, packer, item) for item in self._batch]
        with retention.transaction(connection):
            if _identity(self.path) != identity:
                raise _Replaced
            taken = _known_ids(connection, [item.flow.id for item in self._batch])
            stored: list[_Item] = []
            failed: list[_Item] = []
            chosen: list[_Packed] = []
            for item, messages in zip(self._batch, packed, strict=True):
                if messages is None or item.flow.id in taken:
                    failed.append(item)
                    continue
                taken.add(item.flow.id)
                stored.append(item)
                chosen.append((item.flow, messages))
            _insert(connection, packer, chosen)
        self._batch = []
        self._reopened = False
        self._release(stored, True)
        self._release(failed, False)
        if stored and self._problem:
            self._switch_on()
        self._new_flows += len(stored)
        self._new_bytes += sum(item.size for item in stored)
        due = min(_RETENTION_FLOWS, self.config.keep_flows // 10 + 1) if self.config.keep_flows else _RETENTION_FLOWS
        if self._new_flows >= due or self._new_bytes >= _RETENTION_BYTES:
            self._maintain(connection)

    def _maintain(self, connection: sqlite3.Connection) -> None:
        self._new_flows = self._new_bytes = 0
        deleted = retention.enforce(connection, self.config, self._clock.wall())
        retention.release_some(connection)
        if deleted:
            _log.debug("retention removed %d flows", deleted)

    def _release(self, items: Sequence[_Item], stored: bool) -> None:
        """Settles the account of `items` and tells their callers."""
        if not items:
            return
        with self._lock:
            self._queued -= len(items)
            self._queued_bytes -= sum(item.size for item in items)
            if stored:
                self._stored += len(items)
            else:
                self._dropped += len(items)
            caught_up = self._overflowing and self._queued == 0
            if caught_up:
                self._overflowing = False
            dropped = self._dropped
        if caught_up:
            _log.warning("the flow store has caught up; %d flows were dropped since the start", dropped)
        by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Future[bool]]] = {}
        for item in items:
            by_loop.setdefault(item.future.get_loop(), []).append(item.future)
        for loop, futures in by_loop.items():
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(_settle, futures, stored)

    def _switch_off(self, problem: str) -> None:
        with self._lock:
            self._accepting = False
            if not self._problem:
                self._lost_before = self._dropped
        batch, self._batch = self._batch, []
        changed, self._problem = problem != self._problem, problem
        self._release(batch, False)
        if changed:
            _log.warning("recording is off: %s", problem)
            if self._on_problem is not None:
                self._on_problem(problem)

    def _switch_on(self) -> None:
        with self._lock:
            lost = self._dropped - self._lost_before
        self._problem = ""
        _log.warning("recording is on again: %d flows were not recorded", lost)
        if self._on_problem is not None:
            self._on_problem("")

    def _wait(self, seconds: float) -> bool:
        """Pauses, releasing whoever still came in. Returns whether the store is to be closed."""
        deadline = self._clock.mono() + seconds
        while True:
            try:
                item = self._queue.get(timeout=max(0.0, deadline - self._clock.mono()))
            except queue.Empty:
                return False
            if item is None:
                return True
            self._release([item], False)


def _size(flow: Flow) -> int:
    size = _FLOW_BYTES + len(flow.request.body)
    if flow.forwarded is not None and flow.forwarded.body is not flow.request.body:
        size += len(flow.forwarded.body)
    if flow.response is not None:
        size += len(flow.response.body)
    if flow.websocket is not None:
        size += sum(len(message.body) for message in flow.websocket.messages)
    return size


def _identity(path: Path) -> _Identity:
    """Which files the path and its write-ahead log lead to."""
    return _file(str(path)), _file(f"{path}-wal")


def _let_go(connection: sqlite3.Connection, path: Path, identity: _Identity) -> None:
    """Completes the file that is no longer at the path (it may have been moved away to be kept), and removes its
    write-ahead log, which SQLite would apply to whatever file stands there now."""
    with suppress(sqlite3.Error):
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    now = _identity(path)
    if now[0] != identity[0] and now[1] == identity[1]:
        for companion in ("-wal", "-shm"):
            path.with_name(f"{path.name}{companion}").unlink(missing_ok=True)


def _file(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)  # noqa: PTH116 - half the price of Path.stat, for every batch
    except FileNotFoundError:
        return 0, 0
    return status.st_dev, status.st_ino


def _settle(futures: Sequence[asyncio.Future[bool]], stored: bool) -> None:
    """On the event loop: answers those who still wait."""
    for future in futures:
        if not future.done():
            future.set_result(stored)


_Messages = list[tuple[rows.MessageRow, Packed | None]]
_Packed = tuple[Flow, _Messages]


def _pack(connection: sqlite3.Connection, packer: Packer, item: _Item) -> _Messages | None:
    """All about a flow that can be done before the transaction; None if the flow cannot be stored."""
    try:
        prepare(item.flow, item.scrubber)
        known: dict[int, Packed] = {}
        messages: _Messages = []
        for row in rows.message_rows(item.flow):
            content = row[1]
            if content and id(content) not in known:
                known[id(content)] = packer.pack(connection, content)
            messages.append((row, known[id(content)] if content else None))
        return messages
    except sqlite3.Error:
        raise
    except Exception:  # noqa: BLE001 - logged; the boundary of the background thread
        _log.exception("flow %s cannot be stored", item.flow.id)
        return None


def _known_ids(connection: sqlite3.Connection, ids: Sequence[str]) -> set[str]:
    """Which ids are taken. They are random, so this is about a caller's mistake."""
    marks = ", ".join("?" * len(ids))
    taken = {row[0] for row in connection.execute(f"SELECT id FROM flow WHERE id IN ({marks})", ids)}  # noqa: S608
    if taken:
        _log.error("flows are already stored and not stored again: %s", ", ".join(sorted(taken)))
    return taken


def _insert(connection: sqlite3.Connection, packer: Packer, chosen: Sequence[_Packed]) -> None:
    packer.store(connection, [body for _, messages in chosen for _, body in messages if body is not None])
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'flow'").fetchone()
    first = (row[0] if row else 0) + 1
    flow_rows = [rows.flow_row(seq, flow) for seq, (flow, _) in enumerate(chosen, first)]
    message_rows = [
        (seq, *values, None if body is None else body.hash)
        for seq, (_, messages) in enumerate(chosen, first)
        for (values, _), body in messages
    ]
    rows.insert(connection, rows.INSERT_FLOWS, flow_rows)
    rows.insert(connection, rows.INSERT_MESSAGES, message_rows)
