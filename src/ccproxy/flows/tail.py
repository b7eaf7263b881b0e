"""Flows as they are stored: following the store, whether it is there yet or not.

Strategy: a poll asks SQLite whether another connection has committed (`PRAGMA data_version`, some microseconds) and only
then reads what has a larger `seq` than the last flow. One writer gives numbers in the order of its commits and never one
twice, so nothing is missed or seen twice, `flows clear` included. A file that was deleted or replaced is read to its end,
then the new one is opened: from the same flow on if it holds that, else what ended since the tail began.

Several proxies that write to one database may commit in another order than that of their numbers. There each poll looks
at the last numbers again and leaves out those that were seen.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ccproxy.errors import StoreError
from ccproxy.flows.lookup import FlowReader
from ccproxy.flows.model import Flow
from ccproxy.flows.open import open_reader
from ccproxy.flows.reader import Reader
from ccproxy.flows.store import Place
from ccproxy.flows.table import Row
from ccproxy.flows.text import clock_time
from ccproxy.util.clock import Clock

_PER_POLL = 200
#: A store that was opened before may be unreadable for so many polls, while it is replaced.
_PATIENCE = 50
#: Polls without news after which a killed proxy's journal is looked for.
_QUIET = 20
#: How far back in a database of several proxies a flow may appear late.
_LATE = 200


class Tail:
    """The flows of the store at `place` that end from now on.

    Args:
        last: begin with so many of the newest flows that are there.
    """

    def __init__(self, place: Place, clock: Clock, *, last: int = 0) -> None:
        self._place = place
        self._late = 0 if isinstance(place, Path) else _LATE
        self._seen: set[int] = set()
        self._began = clock.wall()
        self._seq, self._id = 0, ""
        self._reader: FlowReader | None = None
        self._identity: tuple[int, int] | None = None
        self._version = 0
        self._more = False
        self._strange = False
        self._failures = self._quiet = 0
        self._first: list[Flow] = []
        with open_reader(place) as reader:
            # The number first: a flow that comes between the two is among the new ones, and not shown twice.
            self._seq = reader.newest()
            newest = [flow for flow in reader.summaries(max(last, 1)) if flow.seq <= self._seq]
            if newest and newest[-1].seq == self._seq:
                self._id = newest[-1].id
            self._first = newest if last else []
            if self._late:
                self._seen = {flow.seq for flow in reader.after(self._seq - self._late, self._late)}

    def poll(self) -> list[Flow]:
        """What has come since the last call, the oldest first, without bodies; at most some hundreds at once.

        Raises StoreError for a store that cannot be read, not at once if it could be before.
        """
        if self._first:
            first, self._first = self._first, []
            return first
        try:
            found = self._poll()
        except StoreError:
            self._close()
            self._failures += 1
            if self._failures > _PATIENCE:
                raise
            return []
        self._failures = 0
        return found

    def close(self) -> None:
        """Closes the file."""
        self._close()

    def _poll(self) -> list[Flow]:
        identity = _identity(self._place)
        if self._reader is not None and identity != self._identity:
            if rest := self._read(self._reader):
                return rest
            self._close()
            self._strange = True
        if self._reader is None:
            if identity is None:
                return []
            self._open(identity)
            if self._reader is None:
                return []
        if isinstance(self._reader, Reader):
            version = self._reader.version()
            if version == self._version and not self._more:
                self._look_for_leftovers()
                return []
            self._version, self._quiet = version, 0
            if self._reader.newest() < self._seq:  # another store was written over this one
                self._strange, self._seq, self._id = True, 0, ""
        return self._read(self._reader)

    def _open(self, identity: tuple[int, int]) -> None:
        reader = open_reader(self._place)
        if not reader.there:
            reader.close()
            return
        self._reader, self._identity = reader, identity
        self._version = 0
        if self._strange and self._seq:
            there = reader.after(self._seq - 1, 1)
            if there and there[0].id == self._id:
                self._strange = False
            else:
                self._seq, self._id = 0, ""

    def _read(self, reader: FlowReader) -> list[Flow]:
        found = reader.after(self._seq - self._late, _PER_POLL + self._late)
        self._more = len(found) == _PER_POLL + self._late
        if found:
            self._seq, self._id = found[-1].seq, found[-1].id
        if self._late:
            found = [flow for flow in found if flow.seq not in self._seen]
            self._seen |= {flow.seq for flow in found}
            self._seen = {seq for seq in self._seen if seq > self._seq - self._late}
        if self._strange:
            found = [flow for flow in found if flow.started + flow.duration >= self._began]
        return found

    def _look_for_leftovers(self) -> None:
        self._quiet += 1
        if self._quiet >= _QUIET:
            self._quiet = 0
            open_reader(self._place).close()  # opening it brings in what a killed proxy left

    def _close(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None


def _identity(place: Place) -> tuple[int, int] | None:
    if not isinstance(place, Path):
        return 0, 0
    try:
        found = place.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def line(row: Row, width: int, paint: Callable[[str, bool], str]) -> str:
    """A flow in one line for a terminal of `width` columns, its time and status first.

    Args:
        paint: colours the status; its second argument is whether it is a bad one.
    """
    time = "" if row.started is None else clock_time(row.started)
    where = f"{row.host}{row.path}" if row.host else row.process
    rest = "  ".join(part for part in (where, row.model, row.tokens, row.duration) if part)
    lead = f"{row.id[:8]:8}  {time}  "
    status = f"{row.code:>3}"
    tail = f"  {row.method:<4}  {rest}"
    return f"{lead}{paint(status, row.bad)}{tail[: max(0, width - len(lead) - len(status))]}"
