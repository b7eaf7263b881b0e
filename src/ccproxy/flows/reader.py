"""Reading the flow store, with the proxy running or not. Opens the file read-only and changes nothing in it, but for
bringing in first what a proxy that was killed left in its journal."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import batched
from pathlib import Path
from typing import Any, Self

import msgspec

from ccproxy.errors import StoreError
from ccproxy.flows import bodies, rows, schema, search
from ccproxy.flows.model import Flow
from ccproxy.flows.query import Facets, Query, conditions
from ccproxy.flows.recovery import recover
from ccproxy.flows.rows import BODY_COLUMNS, FLOW_COLUMNS, FORWARDED, HEAD_COLUMNS, REQUEST
from ccproxy.flows.search import Hit

_COLUMNS = f"{FLOW_COLUMNS}, {HEAD_COLUMNS}"
_FROM = "FROM flow LEFT JOIN wire ON wire.flow = flow.seq"
_SELECT = f"SELECT seq, {_COLUMNS} {_FROM}"
_SELECT_WHOLE = f"SELECT seq, {_COLUMNS}, {BODY_COLUMNS}, arrivals {_FROM}"
_FACTS = 1 + len(rows.FACTS.split(","))
_DERIVED = _FACTS + len(rows.DERIVED.split(","))
_HEADS = _DERIVED + len(rows.ROLES)
_EVERY = Query()
_PER_PAGE = 200
_MOST_SESSIONS = 200
_SESSIONS = f"""
SELECT session, count(*), max(seq) AS newest FROM flow WHERE session != ''
GROUP BY session ORDER BY newest DESC LIMIT {_MOST_SESSIONS}
"""  # noqa: S608
_SNIPPETS = ", ".join(f"snippet(said_index, {n}, '{search.BEGIN}', '{search.END}', '…', 24)" for n in (0, 1))
#: The newest are chosen first: a snippet costs more than a match.
_SEARCH = f"""
SELECT flow.id, flow.seq, {_SNIPPETS} FROM said_index JOIN flow ON flow.seq = said_index.rowid
WHERE said_index MATCH ? ORDER BY said_index.rowid DESC LIMIT ?
"""  # noqa: S608

_decode_names = msgspec.json.Decoder(list[str]).decode


@dataclass(frozen=True, slots=True)
class Totals:
    """A run in numbers. `failed` counts what did not end well, refusals included; `hosts` are the most asked first;
    `cost` is US dollars, without the `unpriced` flows that used tokens at a price that is not known."""

    flows: int = 0
    failed: int = 0
    input: int = 0
    output: int = 0
    hosts: tuple[tuple[str, int], ...] = ()
    cost: float = 0.0
    unpriced: int = 0


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

    def summaries(self, limit: int = 0, query: Query = _EVERY) -> Iterator[Flow]:
        """The flows that meet `query` without their bodies, the newest last, read as they are asked for: what is deleted
        meanwhile is left out.

        Args:
            limit: only so many of the newest; 0 for all.

        Raises CommandError for a query that makes no sense.
        """
        connection = self._connection
        condition, values = conditions(query)
        if connection is None:
            return
        with self._errors():
            sql = f"SELECT seq FROM flow WHERE {condition} ORDER BY seq DESC LIMIT ?"  # noqa: S608
            chosen = [row[0] for row in connection.execute(sql, (*values, limit or -1))]
        chosen.reverse()
        # Page by page: whoever reads slowly keeps no state of the file from being given up.
        for some in batched(chosen, _PER_PAGE, strict=False):
            with self._errors():
                sql = f"{_SELECT} WHERE seq IN ({', '.join('?' * len(some))}) ORDER BY seq"
                page = connection.execute(sql, some).fetchall()
            for row in page:
                yield self._flow(row, None)

    def select(self, query: Query = _EVERY, *, before: int | None = None, limit: int = 0) -> list[Flow]:
        """The flows that meet `query`, without their bodies, the newest last.

        Args:
            before: only flows with a smaller `seq`: the next page, towards older ones.
            limit: only so many of the newest; 0 for all.

        Raises CommandError for a query that makes no sense.
        """
        condition, values = conditions(query)
        if before is not None:
            condition, values = f"{condition} AND seq < ?", [*values, before]
        # The flows are chosen before anything is read of them but what the conditions are about.
        chosen = f"SELECT seq FROM flow WHERE {condition} ORDER BY seq DESC LIMIT ?"  # noqa: S608
        sql = f"{_SELECT} WHERE seq IN ({chosen}) ORDER BY seq"
        if self._connection is None:
            return []
        with self._errors():
            return [self._flow(row, None) for row in self._connection.execute(sql, (*values, limit or -1))]

    def after(self, seq: int, limit: int) -> list[Flow]:
        """The flows whose `seq` is larger, without their bodies, the oldest first, at most `limit` of them."""
        if self._connection is None:
            return []
        with self._errors():
            rows_found = self._connection.execute(
                f"{_SELECT} WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit)
            ).fetchall()
        return [self._flow(row, None) for row in rows_found]

    def newest(self) -> int:
        """The largest `seq` that was ever used, 0 for none."""
        if self._connection is None:
            return 0
        with self._errors():
            row = self._connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'flow'").fetchone()
            return 0 if row is None else int(row[0])

    def version(self) -> int:
        """A number that changes with every commit of another connection; cheap."""
        if self._connection is None:
            return 0
        with self._errors():
            return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def matching(self, query: Query) -> int:
        """How many flows meet `query`. Raises CommandError for one that makes no sense."""
        condition, values = conditions(query)
        if self._connection is None:
            return 0
        with self._errors():
            sql = f"SELECT count(*) FROM flow WHERE {condition}"  # noqa: S608
            return int(self._connection.execute(sql, values).fetchone()[0])

    def facets(self) -> Facets:
        """What flows there are."""
        connection = self._connection
        if connection is None:
            return Facets()
        with self._errors():
            counted = {name: _counted(connection, name) for name in ("model", "provider", "dialect", "kind", "status")}
            tools: Counter[str] = Counter()
            for names, count in _counted(connection, "tools"):
                tools.update(dict.fromkeys(_decode_names(names), count))
            sessions = connection.execute(_SESSIONS).fetchall()
        return Facets(
            models=counted["model"],
            providers=counted["provider"],
            dialects=counted["dialect"],
            kinds=counted["kind"],
            statuses=tuple((str(status), count) for status, count in counted["status"]),
            tools=tuple(tools.most_common()),
            sessions=tuple((session, count) for session, count, _ in sessions),
        )

    def search(self, text: str, limit: int = 50) -> list[Hit]:
        """The flows in whose prompt or answer all words and quoted phrases of `text` are, the newest last.

        Args:
            text: as a person types it; nothing in it is wrong.
            limit: only so many of the newest; 0 for all.
        """
        expression = search.expression(text)
        if self._connection is None or expression is None:
            return []
        with self._errors():
            found = self._connection.execute(_SEARCH, (expression, limit or -1)).fetchall()
        return [search.hit(*row) for row in reversed(found)]

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
            return [row[0] for row in found]

    def last(self) -> str | None:
        """The id of the newest flow."""
        if self._connection is None:
            return None
        with self._errors():
            row = self._connection.execute("SELECT id FROM flow ORDER BY seq DESC LIMIT 1").fetchone()
            return None if row is None else str(row[0])

    def get(self, flow_id: str) -> Flow | None:
        """The flow with this id, bodies included."""
        connection = self._connection
        if connection is None:
            return None
        with self._errors():
            connection.execute("BEGIN")
            try:
                row = connection.execute(f"{_SELECT_WHOLE} WHERE id = ?", (flow_id,)).fetchone()
                return None if row is None else self._flow(row, _bodies(connection, row[_HEADS:-1]))
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
                "coalesce(sum(input_tokens), 0) AS input, coalesce(sum(output_tokens), 0) AS output, "
                "coalesce(sum(cost), 0) AS cost, "
                "coalesce(sum(cost IS NULL AND (input_tokens > 0 OR output_tokens > 0)), 0) AS unpriced "
                "FROM flow WHERE run = ? AND run != ''",
                (run,),
            ).fetchone()
            hosts = connection.execute(
                "SELECT host, count(*) AS count FROM flow JOIN message ON message.flow = flow.seq AND role = 'request' "
                "WHERE run = ? AND run != '' GROUP BY host ORDER BY count DESC, host",
                (run,),
            )
            found = tuple((host, count) for host, count in hosts)
            flows, failed, read, written, cost, unpriced = row
            return Totals(flows, failed, read, written, found, float(cost), unpriced)

    def _flow(self, row: Sequence[Any], contents: list[bytes] | None) -> Flow:
        try:
            arrived = row[-1] if contents is not None else None
            return rows.read(row[1:_FACTS], row[_FACTS:_DERIVED], row[_DERIVED:_HEADS], contents, row[0], arrived)
        except (msgspec.MsgspecError, TypeError) as error:
            raise StoreError(f"the flow store {self._path} is damaged: flow {row[0]}: {error}") from error

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(schema.problem(error, self._path)) from error


def _bodies(connection: sqlite3.Connection, kept: Sequence[bytes | int | str | None]) -> list[bytes]:
    """The bodies of a flow from their columns."""
    contents: list[bytes] = []
    for role, value in enumerate(kept):
        match value:
            case bytes():
                contents.append(value)
            case int():
                contents.append(bodies.read(connection, value))
            case str() if role == FORWARDED:
                contents.append(contents[REQUEST])
            case _:
                contents.append(b"")
    return contents


def _counted(connection: sqlite3.Connection, column: str) -> tuple[tuple[Any, int], ...]:
    """The values of a column of `flow` that has an index, and how many flows have them, the most frequent first."""
    sql = (
        f"SELECT {column}, count(*) AS count FROM flow WHERE {column} IS NOT NULL GROUP BY {column} "  # noqa: S608
        f"ORDER BY count DESC, {column}"
    )
    return tuple((value, count) for value, count in connection.execute(sql) if value != "")


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
    return connection
