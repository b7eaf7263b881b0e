"""Making flows go: what is too old or too much, and what a person clears; and giving the space back to the disk.

Order is that of `seq`, never of a clock. By age a flow goes only if no flow before it is young enough to stay, so that
a clock that was wrong for a while (in either direction) neither removes what is new nor keeps what is old for good.
Everything happens in small transactions, so that another writer never waits long.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from itertools import batched
from pathlib import Path

from ccproxy.errors import StoreError
from ccproxy.flows import recovery, schema
from ccproxy.flows.config import FlowsConfig

_PER_TRANSACTION = 200
_PAGES_PER_STEP = 512
#: Between the transactions of `clear`, so that the proxy's writer, which waits in steps, gets its turn.
_BREATH = 0.005
_DAY = 86_400.0
#: A full-text index takes a third to a half of its text. From here on it is worth the while to tidy it.
_INDEX_PART = 1.0
_SMALL_INDEX = 4 * 1024 * 1024
_PAGES_PER_MERGE = 1000
_COUNT = "SELECT count(*) FROM flow"
_AVERAGE_TEXT = (
    "SELECT avg(length(CAST(prompt AS BLOB)) + length(CAST(answer AS BLOB))) "
    "FROM (SELECT prompt, answer FROM said ORDER BY flow DESC LIMIT 200)"
)
_INDEX_BYTES = "SELECT total(length(block)) FROM said_index_data"
_SWEEP = """
DELETE FROM body WHERE NOT EXISTS (SELECT 1 FROM flow WHERE seq = body.id / 8)
    AND NOT EXISTS (SELECT 1 FROM body AS other WHERE other.base = body.id)
"""


def enforce(connection: sqlite3.Connection, config: FlowsConfig, now: float) -> int:
    """Deletes what the configuration does not keep, oldest first, and returns how many flows went.

    Args:
        now: seconds since the epoch.
    """
    deleted = 0
    if config.keep_days:
        deleted += _delete_up_to(connection, _last_expired(connection, now - config.keep_days * _DAY, now))
    if config.keep_flows:
        deleted += _delete_up_to(connection, _last_beyond(connection, config.keep_flows))
    if deleted:
        tidy_index(connection)
    if config.keep_bytes and used_bytes(connection) > config.keep_bytes:
        tidy_index(connection)
        while used_bytes(connection) > config.keep_bytes:
            count = delete(connection, _oldest(connection, _PER_TRANSACTION))
            if not count:
                break
            deleted += count
    return deleted


def tidy_index(connection: sqlite3.Connection, breath: float = 0.0) -> None:
    """Has the search index give up what deleted flows take in it, once that is much: it keeps them, and a note of each
    deletion, until its parts are merged.

    Args:
        breath: seconds to leave to others after each step.
    """
    flows, average = (connection.execute(query).fetchone()[0] or 0 for query in (_COUNT, _AVERAGE_TEXT))
    if connection.execute(_INDEX_BYTES).fetchone()[0] <= flows * average * _INDEX_PART + _SMALL_INDEX:
        return
    step = -_PAGES_PER_MERGE  # the first of a series of steps; it tells the others which parts to merge
    while True:
        before = connection.total_changes
        with schema.transaction(connection):
            connection.execute("INSERT INTO said_index (said_index, rank) VALUES ('merge', ?)", (step,))
        if connection.total_changes - before < 2:
            return
        step = _PAGES_PER_MERGE
        time.sleep(breath)


def sweep(connection: sqlite3.Connection) -> int:
    """Deletes bodies that nothing needs any more and returns how many: what another program left when it deleted flows
    without recursive triggers."""
    with schema.transaction(connection):
        before = connection.total_changes
        connection.execute(_SWEEP)
        return connection.total_changes - before


def free_pages(connection: sqlite3.Connection) -> int:
    """Pages of the store's file that hold nothing."""
    return int(connection.execute("PRAGMA freelist_count").fetchone()[0])


def used_bytes(connection: sqlite3.Connection) -> int:
    """Bytes of the store's file that hold something."""
    pages, size = (int(connection.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_count", "page_size"))
    return (pages - free_pages(connection)) * size


def _last_expired(connection: sqlite3.Connection, cutoff: float, now: float) -> int:
    """The newest flow that is to go by age, or 0. The search begins at the oldest and ends at the first that stays."""
    row = connection.execute(
        "SELECT seq FROM flow WHERE started BETWEEN ? AND ? ORDER BY seq LIMIT 1", (cutoff, now)
    ).fetchone()
    if row is None:
        row = connection.execute("SELECT max(seq) FROM flow WHERE started < ?", (cutoff,)).fetchone()
    else:
        row = connection.execute("SELECT max(seq) FROM flow WHERE started < ? AND seq < ?", (cutoff, row[0])).fetchone()
    return row[0] or 0


def _last_beyond(connection: sqlite3.Connection, keep: int) -> int:
    row = connection.execute("SELECT seq FROM flow ORDER BY seq DESC LIMIT 1 OFFSET ?", (keep,)).fetchone()
    return row[0] if row else 0


def _oldest(connection: sqlite3.Connection, count: int) -> list[int]:
    return [row[0] for row in connection.execute("SELECT seq FROM flow ORDER BY seq LIMIT ?", (count,))]


def _delete_up_to(connection: sqlite3.Connection, last: int, breath: float = 0.0) -> int:
    deleted = 0
    while True:
        chosen = [seq for seq in _oldest(connection, _PER_TRANSACTION) if seq <= last]
        if not chosen:
            return deleted
        deleted += delete(connection, chosen, breath)


def delete(connection: sqlite3.Connection, chosen: Sequence[int], breath: float = 0.0) -> int:
    """Deletes flows by `seq` and returns how many there were.

    Args:
        breath: seconds to leave to others after each transaction.
    """
    deleted = 0
    for some in batched(chosen, _PER_TRANSACTION, strict=False):
        with schema.transaction(connection):
            marks = ", ".join("?" * len(some))
            deleted += connection.execute(f"DELETE FROM flow WHERE seq IN ({marks})", some).rowcount  # noqa: S608
        time.sleep(breath)
    return deleted


def delete_by_id(connection: sqlite3.Connection, ids: Sequence[str]) -> int:
    """Deletes flows by their ids and returns how many there were."""
    found: list[int] = []
    for some in batched(ids, _PER_TRANSACTION, strict=False):
        marks = ", ".join("?" * len(some))
        found += [row[0] for row in connection.execute(f"SELECT seq FROM flow WHERE id IN ({marks})", some)]  # noqa: S608
    return delete(connection, found, _BREATH)


def delete_all(connection: sqlite3.Connection) -> int:
    """Deletes every flow and returns how many there were. Tables are emptied as a whole, which is a matter of a second
    where row by row takes minutes."""
    connection.setconfig(sqlite3.SQLITE_DBCONFIG_ENABLE_TRIGGER, False)
    try:
        with schema.transaction(connection):
            deleted = int(connection.execute("SELECT count(*) FROM flow").fetchone()[0])
            connection.execute("INSERT INTO said_index (said_index) VALUES ('delete-all')")
            for table in ("said", "wire", "body", "old_body", "flow"):
                connection.execute(f"DELETE FROM {table}")  # noqa: S608
    finally:
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_ENABLE_TRIGGER, True)
    return deleted


def clear(path: Path, ids: Sequence[str] | None, *, busy_seconds: float = 10.0) -> int:
    """Deletes flows from the store at `path`, beside a running proxy or without one, and frees their disk space.

    Args:
        ids: which flows; None for all.

    Returns how many there were. Raises StoreError.
    """
    recovery.recover(path, busy_seconds=busy_seconds)
    if not path.exists():
        return 0
    try:
        connection = schema.open_existing(path, read_only=False, busy_seconds=busy_seconds)
        if connection is None:
            return 0
        with closing(connection):
            deleted = delete_all(connection) if ids is None else delete_by_id(connection, ids)
            sweep(connection)
            tidy_index(connection, _BREATH)
            release_all(connection)
            return deleted
    except (sqlite3.Error, OSError) as error:
        raise StoreError(schema.problem(error, path)) from error


def release_some(connection: sqlite3.Connection) -> None:
    """Gives free pages back to the disk, a few at a time, once they are a quarter of the file. Free space below that
    is used by the next flows anyway."""
    free = free_pages(connection)
    pages = int(connection.execute("PRAGMA page_count").fetchone()[0])
    if free > _PAGES_PER_STEP and free * 4 > pages:
        _vacuum(connection)


def release_all(connection: sqlite3.Connection) -> None:
    """Gives every free page back to the disk and empties the write-ahead log, as far as other users of the file allow."""
    if connection.execute("SELECT NOT EXISTS (SELECT 1 FROM flow)").fetchone()[0]:
        with suppress(sqlite3.OperationalError):  # another writer
            connection.execute("VACUUM")  # of a file in which nothing is, a matter of milliseconds
    before = free_pages(connection) + 1
    while 0 < (free := free_pages(connection)) < before:
        before = free
        _vacuum(connection)
        time.sleep(_BREATH)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _vacuum(connection: sqlite3.Connection) -> None:
    # A statement that frees one page per step: it has to be run to its end.
    connection.execute(f"PRAGMA incremental_vacuum({_PAGES_PER_STEP})").fetchall()
