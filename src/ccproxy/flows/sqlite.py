"""The flow store in one SQLite file: what the writer's thread does with it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ccproxy.errors import StoreError
from ccproxy.flows import insert, retention, schema
from ccproxy.flows.bodies import Packer
from ccproxy.flows.config import FlowsConfig
from ccproxy.flows.database import Replaced
from ccproxy.flows.insert import Outcome
from ccproxy.flows.model import Flow
from ccproxy.flows.rows import Written
from ccproxy.flows.writer import Writer

_Identity = tuple[tuple[int, int], tuple[int, int]]


class SqliteStore(Writer):
    """Records flows in the file at `path`.

    Args:
        path: the file; created 0600, its directory 0700, when the store starts.
        busy_seconds: how long to wait for another program's lock.
        options: those of `Writer`.
    """

    def __init__(self, path: Path, *, busy_seconds: float = 5.0, **options: Any) -> None:
        super().__init__(SqliteDatabase(path, busy_seconds), path, **options)


class SqliteDatabase:
    """The file at `path`."""

    failures: tuple[type[Exception], ...] = (sqlite3.Error, OSError, StoreError)

    def __init__(self, path: Path, busy_seconds: float) -> None:
        self._path = path
        self._busy_seconds = busy_seconds
        self._packer = Packer()

    def open(self) -> SqliteSession:
        """Opens the file, which is made or brought up to date."""
        connection = schema.open_for_writing(self._path, busy_seconds=self._busy_seconds)
        return SqliteSession(connection, self._packer, self._path)

    def problem(self, error: Exception) -> str:
        """What a failure means for a person."""
        return schema.problem(error, self._path)


class SqliteSession:
    """The open file, for one thread."""

    def __init__(self, connection: sqlite3.Connection, packer: Packer, path: Path) -> None:
        self._connection = connection
        self._packer = packer
        self._path = path
        self._identity: _Identity | None = None

    def begin(self) -> None:
        """Finds out whether the file can be written, and from now on whether it is still the one at its path."""
        with schema.transaction(self._connection):
            self._identity = _identity(self._path)

    def store(self, flows: Sequence[tuple[Flow, Written]]) -> Outcome:
        """Commits flows. Raises Replaced if the file is no longer the one at its path."""
        return insert.store(self._connection, self._packer, flows, check=self._check)

    def sweep(self) -> None:
        """Deletes what other programs left without an owner."""
        retention.sweep(self._connection)

    def maintain(self, config: FlowsConfig, now: float) -> int:
        """Has go what is not to be kept. Returns how many flows that were."""
        deleted = retention.enforce(self._connection, config, now)
        retention.release_some(self._connection)
        return deleted

    def let_go(self) -> None:
        """Completes a file that is no longer at its path."""
        if self._identity is not None:
            _let_go(self._connection, self._path, self._identity)

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    def _check(self) -> None:
        if self._identity is not None and _identity(self._path) != self._identity:
            raise Replaced


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
