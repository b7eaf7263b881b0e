"""Bringing into the database what a process that died left in its journal.

The proxy does it when it starts, and every command that reads or clears flows before it does so: whoever comes first
takes a segment (they are locked one by one), commits it and deletes it. A flow that the database has already, because
the process died between commit and deletion, is passed over by its id.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from itertools import batched
from pathlib import Path

from ccproxy.errors import StoreError
from ccproxy.flows import insert, schema
from ccproxy.flows.bodies import Packer
from ccproxy.flows.insert import Outcome
from ccproxy.flows.journal import Segment, UnknownJournal, leftovers
from ccproxy.flows.model import Flow
from ccproxy.flows.rows import Written

_log = logging.getLogger(__name__)

_PER_TRANSACTION = 256

Storing = Callable[[Sequence[tuple[Flow, Written]]], Outcome]


def bring_in(store: Storing, segment: Segment) -> int:
    """Commits the flows of a segment that the database does not have and deletes the segment. Returns how many.

    Raises what `store` raises, and OSError; then the segment is still there.

    Args:
        store: commits flows.
    """
    count = 0
    for flows in batched(segment.flows(), _PER_TRANSACTION, strict=False):
        count += len(store(flows).stored)
    segment.remove()
    return count


def bring_in_leftovers(store: Storing, beside: Path) -> int:
    """`bring_in` for every segment beside this file whose process is gone. A file of another version stays, with a
    warning. Raises what `store` raises, and OSError."""
    count = 0
    for path in leftovers(beside):
        segment = Segment.claim(path)
        if segment is None:
            continue
        try:
            count += bring_in(store, segment)
        except UnknownJournal as error:
            _log.warning("%s; it is left alone", error)
        finally:
            segment.close()
    return count


def recover(store: Path, *, busy_seconds: float) -> None:
    """Brings in leftovers, for a command; the store must not be open for writing in this process.

    Where that is not possible (no permission, a store of another version) a warning says what is missing.
    """
    if not leftovers(store):
        return
    try:
        claimed = [segment for path in leftovers(store) if (segment := Segment.claim(path)) is not None]
        for segment in claimed:
            segment.close()
        if not claimed:
            return  # they belong to a running proxy
        with closing(_open(store, busy_seconds)) as connection:
            bring_in_leftovers(partial(insert.store, connection, Packer()), store)
    except (sqlite3.Error, OSError, StoreError) as error:
        _log.warning("flows that a killed ccproxy left behind cannot be read: %s", schema.problem(error, store))


def _open(store: Path, busy_seconds: float) -> sqlite3.Connection:
    """An existing store is not upgraded on the side; one that the dead process had not begun is made."""
    if store.exists():
        connection = schema.open_existing(store, read_only=False, busy_seconds=busy_seconds)
        if connection is not None:
            return connection
    return schema.open_for_writing(store, busy_seconds=busy_seconds)
