"""The flow store's way into its database: a queue, a journal, and one thread that writes.

A flow comes from the event loop, is cleaned, and is appended to the journal there and then: from that moment it survives
the death of the process, and nobody waits for the database. Flows gather until a batch is due, by time, number or size,
and go to the writer's thread together with their journal's segment; the thread prepares them (usage, hashes,
compression) outside of any transaction, commits the batch as one and deletes the segment. So a flow costs no change of
threads, and a batch few. What takes longer than the event loop may be held up (large bodies, large compressed ones that
have to be searched for secrets) is cleaned and journaled by a helper thread, in a segment of its own, and waited for.

Long because the queue, the hand-over of journal segments and the writer share one state that must stay together; what
the queue holds is in `batch`.

The queue is bounded in number and bytes; what does not fit is dropped and counted, never waited for. A flow that cannot
be journaled is waited for until the database has it.

A store that fails is off: flows are dropped, callers released at once, `problem` says why. It is tried again after a
pause that doubles from time to time; what was journaled before is brought in first. Where the database is on another
machine flows are journaled all the same meanwhile, up to a bound, and brought in when it is back. A file that was deleted
or replaced under the proxy is begun anew without losing the batch at hand.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ccproxy.flows import recovery
from ccproxy.flows.batch import Batch, Item, prepare, size_of, tell
from ccproxy.flows.config import FlowsConfig
from ccproxy.flows.database import Database, Replaced, Session
from ccproxy.flows.journal import Segment, UnknownJournal
from ccproxy.flows.model import Flow
from ccproxy.flows.redact import NOTHING, Scrubber
from ccproxy.util.clock import Clock

_log = logging.getLogger(__name__)

#: A batch goes to the writer after so many seconds, or as soon as it is so large. While flows come at a high rate (per
#: second) they gather so many times longer: the price of a batch (changes of threads above all) is shared by more.
_GATHER_SECONDS = 0.02
_HIGH_RATE = 500
_LONGER = 10
_MAX_BATCH_FLOWS = 512
_MAX_BATCH_BYTES = 6 * 1024 * 1024
#: Larger flows are journaled by the helper thread.
_LARGE_BYTES = 1024 * 1024
#: Retention is looked after when so many flows, or bytes of them, have been stored since the last time, or so many
#: seconds have passed. Its price grows with the number of flows that are kept.
_RETENTION_FLOWS = 5_000
_RETENTION_BYTES = 32 * 1024 * 1024
_RETENTION_SECONDS = 600.0
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0


@dataclass(frozen=True, slots=True)
class StoreStats:
    """Counts since the start: flows stored, dropped for any reason, and waiting (with their bytes)."""

    stored: int
    dropped: int
    queued: int
    queued_bytes: int


class Writer:
    """Records flows in a database.

    Args:
        database: where they go.
        path: the file beside which the journal is; its directory is created 0700 when it is first needed.
        clock: for retention by age.
        config: what is kept and for how long.
        max_queued, max_queued_bytes: bounds of the queue.
        gather_seconds: how long flows gather before they go to the database together.
        pause: seconds before the first new attempt after a failure, and the longest pause.
        spool: how many bytes, and files, are journaled at most while the database cannot be written; none if it is on the
            same disk.
        on_problem: called from the writer's thread whenever `problem` changes.
    """

    def __init__(
        self,
        database: Database,
        path: Path,
        *,
        clock: Clock,
        config: FlowsConfig,
        max_queued: int = 10_000,
        max_queued_bytes: int = 64 * 1024 * 1024,
        gather_seconds: float = _GATHER_SECONDS,
        pause: tuple[float, float] = (_FIRST_PAUSE, _LONGEST_PAUSE),
        spool: tuple[int, int] = (0, 0),
        on_problem: Callable[[str], None] | None = None,
    ) -> None:
        self._database = database
        self.path = path
        #: May be replaced while the store runs.
        self.config = config
        self._clock = clock
        self._max_queued, self._max_queued_bytes = max_queued, max_queued_bytes
        self._gather_seconds = gather_seconds
        self._first_pause, self._longest_pause = pause
        self._spool_bytes, self._spool_files = spool
        self._on_problem = on_problem
        self._queue: queue.SimpleQueue[Batch | None] = queue.SimpleQueue()
        self._lock = threading.Lock()  # guards the counters, what gathers, and `_closed`
        self._queued = self._queued_bytes = 0
        self._stored = self._dropped = 0
        self._gathered = Batch()
        self._segment: Segment | None = None  # where flows that gather are journaled; the last one of `_gathered`
        self._period = gather_seconds  # how long the batch gathers that comes next
        self._closed = False
        self._accepting = True
        self._overflowing = self._overflow_said = False
        self._problem = ""
        self._lost_before = 0
        self._helper = ThreadPoolExecutor(1, thread_name_prefix="flow-journal")
        self._thread: threading.Thread | None = None
        # The writer's own:
        self._batch = Batch()
        self._owed: list[tuple[Segment, int]] = []
        self._reopened = False
        self._new_flows = self._new_bytes = 0
        self._maintained = 0.0

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
        """`put_all` for one flow."""
        return self.put_all([(flow, scrubber)])[0]

    def put_all(self, flows: Sequence[tuple[Flow, Scrubber]]) -> list[asyncio.Future[bool]]:
        """Takes flows, which are journaled together; to be called on an event loop. A flow must not be changed any more.

        Returns for each a future that becomes True when the flow survives the death of the process: nearly always at
        once, as it is in the journal then. False when it is dropped: at once if the store is off or its queue full.
        """
        loop = asyncio.get_running_loop()
        taken = [Item(flow, size_of(flow), scrubber, loop.create_future()) for flow, scrubber in flows]
        if self._accepting:
            for item in taken:
                if item.size <= _LARGE_BYTES:
                    prepare(item, small=True)
        with self._lock:
            accepted = [item for item in taken if self._accept(item)]
            here = [item for item in accepted if item.record]
            if here:
                self._gather(here, loop)
            first_overflow = self._overflowing and not self._overflow_said
            self._overflow_said = self._overflowing
        if first_overflow:
            _log.warning("the flow store cannot keep up: flows are dropped until it has caught up")
        if len(here) < len(accepted):
            for item in accepted:
                if item.written is None:
                    self._helper.submit(self._journal_apart, item)
        return [item.future for item in taken]

    def _accept(self, item: Item) -> bool:
        """Counts a flow in, or out if it cannot be stored or there is no room for it. Under the lock."""
        full = self._queued > 0 and (
            self._queued >= self._max_queued or self._queued_bytes + item.size > self._max_queued_bytes
        )
        if not self._accepting or self._closed or full or item.impossible:
            self._dropped += 1
            self._overflowing = self._overflowing or full
            item.future.set_result(False)
            return False
        self._queued += 1
        self._queued_bytes += item.size
        return True

    def flush(self) -> asyncio.Future[bool]:
        """Hands over what has gathered. The future becomes True when the database has everything that was put before,
        False if it could not take it. To be called on an event loop."""
        future = asyncio.get_running_loop().create_future()
        with self._lock:
            if self._closed:
                future.set_result(False)
            else:
                self._gathered.waiters.append(future)
                self._hand_over()
        return future

    def close(self) -> None:
        """Writes what is queued, closes the file and ends the thread. Blocks until then, so on an event loop it belongs
        into `asyncio.to_thread`. May be called twice."""
        with self._lock:
            closing, self._closed = not self._closed, True
        if closing:
            self._helper.shutdown()
            with self._lock:
                self._hand_over()
                self._queue.put(None)
        if self._thread is not None:
            self._thread.join()

    def _gather(self, items: Sequence[Item], loop: asyncio.AbstractEventLoop) -> None:
        """Journals flows, by one write, and adds them to what gathers. Under the lock."""
        gathered = self._gathered
        records = [piece for item in items for piece in item.record]
        try:
            if self._segment is None:
                self._segment = Segment.create(self.path)
                gathered.segments.append(self._segment)
            self._segment.append(records)
            safe = True
        except OSError:
            safe = False  # the database has the last word, and says what is wrong
        begun = not gathered.items
        for item in items:
            item.record = ()
            gathered.size += item.size
            if safe:
                item.safe = True
                item.future.set_result(True)
        gathered.items += items
        if not safe or len(gathered.items) >= _MAX_BATCH_FLOWS or gathered.size >= _MAX_BATCH_BYTES:
            self._hand_over()
        elif begun:
            loop.call_later(self._period, self._due, gathered)

    def _due(self, gathered: Batch) -> None:
        with self._lock:
            if gathered is self._gathered:
                self._hand_over()

    def _hand_over(self) -> None:
        """Gives the writer what has gathered. Under the lock."""
        batch = self._gathered
        if batch.items or batch.waiters:
            self._gathered, self._segment = Batch(), None
            full = len(batch.items) >= _MAX_BATCH_FLOWS or batch.size >= _MAX_BATCH_BYTES
            busy = full or len(batch.items) >= _HIGH_RATE * self._period
            self._period = self._gather_seconds * (_LONGER if busy else 1)
            self._queue.put(batch)

    def _journal_apart(self, item: Item) -> None:
        """In the helper's thread: cleans and journals a flow for which the event loop has no time."""
        segment: Segment | None = None
        try:
            prepare(item)
        except Exception:  # noqa: BLE001 - logged; the boundary of the background thread
            _log.exception("flow %s cannot be stored", item.flow.id)
            item.written = None
        if item.written is None:
            self._settle_account([item], stored=0)
            tell([item.future], False)
            return
        try:
            segment = Segment.create(self.path)
            segment.append(item.record)
            item.safe = True
        except OSError:
            if segment is not None:
                segment.remove()
            segment = None
        item.record = ()
        with self._lock:
            self._gathered.items.append(item)
            self._gathered.size += item.size
            if segment is not None:
                self._gathered.segments.insert(0, segment)
            self._hand_over()
        if item.safe:
            tell([item.future], True)

    # Everything below runs in the writer's thread.

    def _work(self) -> None:
        pause = self._first_pause
        while True:
            try:
                session = self._database.open()
                try:
                    self._bring_in(session)
                    session.sweep()
                    self._maintain(session)
                    session.begin()
                    self._accepting = True
                    self._serve(session)
                    return
                except Replaced:
                    session.let_go()
                    raise
                finally:
                    session.close()
            except Replaced:
                if not self._reopened:
                    self._reopened = True
                    _log.warning("the flow store %s was deleted or replaced; a new one is begun", self.path)
                    continue
                problem = f"the flow store {self.path} is replaced again and again"
            except self._database.failures as error:
                problem = self._database.problem(error)
            except Exception as error:  # noqa: BLE001 - the boundary of the background thread
                _log.exception("the flow store's writer failed")
                problem = self._database.problem(error)
            if not self._problem:
                pause = self._first_pause
            self._switch_off(problem)
            if self._wait(pause):
                self._give_back()
                return
            pause = min(pause * 2, self._longest_pause)

    def _bring_in(self, session: Session) -> None:
        """What processes before this one, and this one while the store was off, could only journal."""
        found = recovery.bring_in_leftovers(session.store, self.path)
        if found:
            _log.info("%d flows of a ccproxy that was killed were brought in", found)
        while self._owed:
            segment, _ = self._owed[0]
            try:
                count = recovery.bring_in(session.store, segment)
            except UnknownJournal as error:
                _log.error("%s", error)
                segment.close()
                count = 0
            self._owed.pop(0)
            with self._lock:
                self._stored += count
            if self._problem and count:
                self._switch_on()

    def _serve(self, session: Session) -> None:
        """Stores batch after batch; returns when the store is closed."""
        while True:
            last = False
            if not self._batch.items:
                last = self._take()
            if self._batch.items:
                self._write(session)
            else:
                self._end_batch(True)
            if last:
                return

    def _take(self) -> bool:
        """Waits for work and takes what there is. Returns whether it was the last."""
        batch = self._queue.get()
        while batch is not None:
            self._batch.add(batch)
            if len(self._batch.items) >= _MAX_BATCH_FLOWS or self._batch.size >= _MAX_BATCH_BYTES:
                return False
            try:
                batch = self._queue.get_nowait()
            except queue.Empty:
                return False
        return True

    def _write(self, session: Session) -> None:
        """Commits the batch, deletes its journal and releases its callers. Raises with the batch still at hand."""
        items = self._batch.items
        flows = [(item.flow, item.written) for item in items if item.written is not None]
        outcome = session.store(flows)
        if outcome.known:
            # Ids are random, so this is about a caller's mistake.
            _log.error("flows are already stored and not stored again: %s", ", ".join(sorted(outcome.known)))
        for segment in self._batch.segments:
            segment.remove()
        self._reopened = False
        self._settle_account(items, stored=len(outcome.stored))
        for item in items:
            if not item.safe:
                tell([item.future], item.flow.id in outcome.stored and item.flow.id not in outcome.known)
        self._end_batch(True)
        if outcome.stored and self._problem:
            self._switch_on()
        self._new_flows += len(outcome.stored)
        self._new_bytes += sum(item.size for item in items)
        due = min(_RETENTION_FLOWS, self.config.keep_flows // 10 + 1) if self.config.keep_flows else _RETENTION_FLOWS
        if (
            self._new_flows >= due
            or self._new_bytes >= _RETENTION_BYTES
            or self._clock.mono() - self._maintained >= _RETENTION_SECONDS
        ):
            self._maintain(session)

    def _maintain(self, session: Session) -> None:
        self._new_flows = self._new_bytes = 0
        self._maintained = self._clock.mono()
        deleted = session.maintain(self.config, self._clock.wall())
        if deleted:
            _log.debug("retention removed %d flows", deleted)

    def _end_batch(self, stored: bool) -> None:
        """Leaves the batch behind."""
        batch, self._batch = self._batch, Batch()
        tell(batch.waiters, stored)

    def _settle_account(self, items: Sequence[Item], *, stored: int, owed: int = 0) -> None:
        """Takes `items` off the queue's account: so many are stored, so many wait in the journal, the others are lost."""
        with self._lock:
            self._queued -= len(items)
            self._queued_bytes -= sum(item.size for item in items)
            self._stored += stored
            self._dropped += len(items) - stored - owed
            caught_up = self._overflowing and self._queued == 0
            if caught_up:
                self._overflowing = self._overflow_said = False
            dropped = self._dropped
        if caught_up:
            _log.warning("the flow store has caught up; %d flows were dropped since the start", dropped)

    def _switch_off(self, problem: str) -> None:
        with self._lock:
            self._accepting = self._spools()
            if not self._problem:
                self._lost_before = self._dropped
        self._put_aside()
        changed, self._problem = problem != self._problem, problem
        if changed:
            _log.warning("recording is off: %s", problem)
            if self._on_problem is not None:
                self._on_problem(problem)

    def _put_aside(self) -> None:
        """Lets go of the batch at hand: what is journaled is owed, the rest lost."""
        batch = self._batch
        waiting = [item for item in batch.items if not item.safe]
        owed = len(batch.items) - len(waiting) if batch.segments else 0
        if batch.segments:
            self._owed += [(segment, segment.size) for segment in batch.segments]
        with self._lock:
            self._accepting = self._accepting and self._spools()
        self._settle_account(batch.items, stored=0, owed=owed)
        tell([item.future for item in waiting], False)
        self._end_batch(False)

    def _spools(self) -> bool:
        """Whether there is room in the journal for flows that the database cannot take at the moment."""
        owed = self._owed
        return len(owed) < self._spool_files and sum(size for _, size in owed) < self._spool_bytes

    def _switch_on(self) -> None:
        with self._lock:
            lost = self._dropped - self._lost_before
        self._problem = ""
        _log.warning("recording is on again: %d flows were not recorded", lost)
        if self._on_problem is not None:
            self._on_problem("")

    def _wait(self, seconds: float) -> bool:
        """Pauses, putting aside whatever still came in. Returns whether the store is to be closed."""
        deadline = self._clock.mono() + seconds
        while True:
            try:
                batch = self._queue.get(timeout=max(0.0, deadline - self._clock.mono()))
            except queue.Empty:
                return False
            if batch is None:
                return True
            self._batch = batch
            self._put_aside()

    def _give_back(self) -> None:
        """Leaves what is owed to the next process."""
        for segment, _ in self._owed:
            segment.close()
