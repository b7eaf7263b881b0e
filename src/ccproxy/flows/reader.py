"""Reading the flow store, with the proxy running or not. Opens the file read-only and changes nothing in it, but for
bringing in first what a proxy that was killed left in its journal."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Self

from ccproxy.errors import StoreError
from ccproxy.flows import bodies, schema
from ccproxy.flows.model import Flow
from ccproxy.flows.recovery import recover
from ccproxy.flows.rows import FLOW_COLUMNS, MESSAGE_COLUMNS, build_flow

_SELECT_FLOW = f"SELECT {FLOW_COLUMNS} FROM flow"  # noqa: S608
_SELECT_MESSAGE = f"SELECT {MESSAGE_COLUMNS} FROM message"  # noqa: S608


@dataclass(frozen=True, slots=True)
class Totals:
    """A run in numbers. `failed` counts what did not end well, refusals included; `hosts` are the most asked first."""

    flows: int = 0
    failed: int = 0
    input: int = 0
    output: int = 0
    hosts: tuple[tuple[str, int], ...] = ()


class Reader:
    """A view of the store at `path`, to be closed after use; a context manager.

    A store that does not exist reads as an empty one. Every method raises StoreError if the file cannot be read; the
    constructor also if it is no flow store, or one of another version.

    Args:
        busy_seconds: how long to wait while another process recovers the file after a crash.
    """

    def __init__(self, path: Path, *, busy_seconds: float = 2.0) -> None:
        self._path = path
        self._connection = _open(path, busy_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def count(self) -> int:
        """How many flows there are."""
        if self._connection is None:
            return 0
        with self._errors():
            return int(self._connection.execute("SELECT count(*) FROM flow").fetchone()[0])

    def summaries(self, limit: int = 0) -> Iterator[Flow]:
        """The flows without their bodies, the newest last.

        Args:
            limit: only so many of the newest; 0 for all.
        """
        connection = self._connection
        if connection is None:
            return
        with self._errors():
            connection.execute("BEGIN")  # one state of the store for both queries
            try:
                first = _first(connection, limit)
                flows = connection.execute(f"{_SELECT_FLOW} WHERE seq >= ? ORDER BY seq", (first,))
                messages = connection.execute(f"{_SELECT_MESSAGE} WHERE flow >= ? ORDER BY flow", (first,))
                # Every flow has at least its request, so the two go in step.
                for flow, (seq, parts) in zip(flows, groupby(messages, key=itemgetter("flow")), strict=True):
                    if flow["seq"] != seq:
                        raise StoreError(f"the flow store {self._path} is damaged: flow {seq} has no request")
                    yield build_flow(flow, parts, None)
            finally:
                connection.execute("ROLLBACK")

    def find(self, prefix: str, limit: int = 2) -> list[str]:
        """The ids that begin with `prefix`, at most `limit` of them."""
        if self._connection is None:
            return []
        with self._errors():
            # The largest code point ends the range, so that the index on `id` serves it.
            found = self._connection.execute(
                "SELECT id FROM flow WHERE id >= ? AND id < ? ORDER BY id LIMIT ?",
                (prefix, f"{prefix}\U0010ffff", limit),
            )
            return [row["id"] for row in found]

    def last(self) -> str | None:
        """The id of the newest flow."""
        if self._connection is None:
            return None
        with self._errors():
            row = self._connection.execute("SELECT id FROM flow ORDER BY seq DESC LIMIT 1").fetchone()
            return None if row is None else str(row["id"])

    def get(self, flow_id: str) -> Flow | None:
        """The flow with this id, bodies included."""
        connection = self._connection
        if connection is None:
            return None
        with self._errors():
            connection.execute("BEGIN")
            try:
                row = connection.execute(f"{_SELECT_FLOW} WHERE id = ?", (flow_id,)).fetchone()
                if row is None:
                    return None
                messages = connection.execute(f"{_SELECT_MESSAGE} WHERE flow = ?", (row["seq"],)).fetchall()
                return build_flow(row, messages, partial(bodies.read, connection))
            finally:
                connection.execute("ROLLBACK")

    def totals(self, run: str) -> Totals:
        """What the jail of a run did, summed up."""
        connection = self._connection
        if connection is None:
            return Totals()
        with self._errors():
            row = connection.execute(
                "SELECT count(*) AS flows, coalesce(sum(outcome != 'complete'), 0) AS failed, "
                "coalesce(sum(input_tokens), 0) AS input, coalesce(sum(output_tokens), 0) AS output "
                "FROM flow WHERE run = ? AND run != ''",
                (run,),
            ).fetchone()
            hosts = connection.execute(
                "SELECT host, count(*) AS count FROM flow JOIN message ON message.flow = flow.seq AND role = 'request' "
                "WHERE run = ? AND run != '' GROUP BY host ORDER BY count DESC, host",
                (run,),
            )
            found = tuple((host["host"], host["count"]) for host in hosts)
            return Totals(row["flows"], row["failed"], row["input"], row["output"], found)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(schema.problem(error, self._path)) from error


def _first(connection: sqlite3.Connection, limit: int) -> int:
    """The `seq` from which on there are `limit` flows."""
    if limit <= 0:
        return 0
    row = connection.execute("SELECT seq FROM flow ORDER BY seq DESC LIMIT 1 OFFSET ?", (limit - 1,)).fetchone()
    return 0 if row is None else int(row["seq"])


def _open(path: Path, busy_seconds: float) -> sqlite3.Connection | None:
    """None if there is no store."""
    recover(path, busy_seconds=busy_seconds)
    try:
        if not path.exists():
            return None
        try:
            connection = schema.open_existing(path, read_only=True, busy_seconds=busy_seconds)
        except sqlite3.OperationalError:
            # Without write access to the directory SQLite cannot use a write-ahead log; if there is none to be used,
            # the file alone is the whole store.
            log = path.with_name(f"{path.name}-wal")
            if log.exists() and log.stat().st_size:
                raise
            connection = schema.open_existing(path, read_only=True, busy_seconds=busy_seconds, immutable=True)
    except (sqlite3.Error, OSError) as error:
        raise StoreError(schema.problem(error, path)) from error
    if connection is not None:
        connection.row_factory = sqlite3.Row
    return connection
