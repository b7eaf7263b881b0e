"""Recording flows in PostgreSQL: what the writer's thread does with the database.

Flows are prepared and compressed as for SQLite, by `insert`, and committed a batch at a time. Several proxies may write to
one database: each has its own places in the order (from a sequence) and tells bodies only by bodies of its own, which it
locks while it refers to them. Retention is done by one proxy at a time. While the database is away flows are journaled on
the proxy's own disk, up to a bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccproxy.errors import StoreError
from ccproxy.flows import insert
from ccproxy.flows.bodies import BODY_VALUES, Packed, Packer, release
from ccproxy.flows.config import FlowsConfig
from ccproxy.flows.insert import Outcome, Ready, Tables
from ccproxy.flows.model import Flow
from ccproxy.flows.postgres import connect, retention, schema, words
from ccproxy.flows.rows import BODY_COLUMNS, FLOW_COLUMNS, HEAD_COLUMNS, ROLES, Written
from ccproxy.flows.writer import Writer
from ccproxy.util.paths import state_dir

if TYPE_CHECKING:
    import psycopg

#: Bytes and files of the journal while the database is away.
_SPOOL = (256 * 1024 * 1024, 500)
_STORED_IN = ", ".join(f"{role}_in" for role in ROLES)


def _insert(table: str, columns: str) -> str:
    return f"INSERT INTO {table} ({columns}) VALUES ({', '.join(['%s'] * len(columns.split(',')))})"  # noqa: S608


_INSERT_FLOW = _insert("flow", f"seq, {FLOW_COLUMNS}, stored")
_INSERT_WIRE = _insert("wire", f"flow, {HEAD_COLUMNS}, {BODY_COLUMNS}, {_STORED_IN}, arrivals")
_INSERT_SAID = _insert("said", "flow, prompt, answer, words")
_INSERT_BODY = _insert("body", BODY_VALUES)


def journal_path(url: str) -> Path:
    """The file beside which a proxy's journal for this database is: one for each database."""
    name = blake2b(connect.shown(url).encode(), digest_size=4).hexdigest()
    return state_dir() / f"flows-{name}"


class PostgresStore(Writer):
    """Records flows in a database.

    Args:
        url: its address, as `connect.connect` takes it.
        path: the file beside which the journal is, if it is not `journal_path`.
        options: those of `Writer`.
    """

    def __init__(self, url: str, *, path: Path | None = None, **options: Any) -> None:
        super().__init__(PostgresDatabase(url), path or journal_path(url), **({"spool": _SPOOL} | options))


class PostgresDatabase:
    """The database at `url`."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._packer = Packer()

    @property
    def failures(self) -> tuple[type[Exception], ...]:
        try:
            return connect.driver().Error, OSError, StoreError
        except StoreError:
            return OSError, StoreError

    def open(self) -> PostgresSession:
        """Connects, and makes the tables or brings them up to date."""
        connection = connect.connect(self._url)
        try:
            schema.prepare(connection, self._url)
        except BaseException:
            connection.close()
            raise
        return PostgresSession(connection, self._packer)

    def problem(self, error: Exception) -> str:
        """What a failure means for a person."""
        return connect.problem(error, self._url)


class PostgresSession:
    """A connection, for one thread."""

    def __init__(self, connection: psycopg.Connection, packer: Packer) -> None:
        self._connection = connection
        self._packer = packer

    def begin(self) -> None:
        """Finds out whether the database can be written."""
        self._connection.execute("UPDATE version SET number = number")

    def store(self, flows: Sequence[tuple[Flow, Written]]) -> Outcome:
        """Commits flows in one transaction; one whose id is taken, or that cannot be stored, is left out."""
        ready: list[Ready] = []
        impossible: set[str] = set()
        for flow, written in flows:
            if (made := insert.pack(self._packer, flow, written)) is None:
                impossible.add(flow.id)
            else:
                ready.append((flow, written, *made))
        stored, known = connect.repeated(lambda: self._store(ready))
        return Outcome(stored, known, impossible)

    def _store(self, ready: Sequence[Ready]) -> tuple[set[str], set[str]]:
        """Commits flows. Returns the ids of those that are stored now, and of those that were there."""
        with self._connection.transaction():
            known = self._known([flow.id for flow, *_ in ready])
            chosen: dict[str, Ready] = {}
            for one in ready:
                flow_id = one[0].id
                if flow_id in chosen:
                    known.add(flow_id)
                elif flow_id not in known:
                    chosen[flow_id] = one
            tables = insert.laid_out(chosen.values(), self._places(len(chosen)))
            self._insert(tables)
        release(tables.packed)
        return set(chosen), known

    def sweep(self) -> None:
        """Deletes bodies that nothing needs any more."""
        retention.sweep(self._connection)

    def maintain(self, config: FlowsConfig, now: float) -> int:
        """Has go what is not to be kept. Returns how many flows that were."""
        return retention.enforce(self._connection, config, now)

    def let_go(self) -> None:
        """Nothing: a database cannot be replaced by another while it is open."""

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()

    def _known(self, ids: list[str]) -> set[str]:
        return {row[0] for row in self._connection.execute("SELECT id FROM flow WHERE id = ANY(%s)", (ids,))}

    def _places(self, count: int) -> list[int]:
        """Places in the order that no other proxy has."""
        sql = "SELECT nextval(pg_get_serial_sequence('flow', 'seq')) FROM generate_series(1, %s)"
        return [row[0] for row in self._connection.execute(sql, (count,))]

    def _insert(self, tables: Tables) -> None:
        bodies = self._packer.ready(tables.packed, self._there(tables.packed).__contains__)
        stored = _sizes(tables)
        with self._connection.cursor() as cursor:
            cursor.executemany(_INSERT_FLOW, [_clean((*row, stored[row[0]])) for row in tables.flow])
            cursor.executemany(_INSERT_WIRE, [_clean(_wire(row)) for row in tables.wire])
            cursor.executemany(
                _INSERT_SAID,
                [
                    (seq, spoken.prompt, spoken.answer, words.vector(spoken.prompt, spoken.answer))
                    for seq, spoken in tables.said
                ],
            )
            cursor.executemany(_INSERT_BODY, bodies)

    def _there(self, packed: Sequence[Packed]) -> set[Packed]:
        """The bodies by which these are told that are still there. Until the end of the transaction nobody deletes them."""
        bases = {one.base.id: one.base for one in packed if one.base is not None and one.base.id}
        sql = "SELECT id, size, crc FROM body WHERE id = ANY(%s) ORDER BY id FOR KEY SHARE"
        found = self._connection.execute(sql, (list(bases),)).fetchall() if bases else []
        return {base for number, *known in found if (base := bases[number]) and known == [base.size, base.crc]}


def _wire(row: Sequence[Any]) -> tuple[Any, ...]:
    """A row of `wire`: what stands for a body is in two columns, by its type."""
    heads = 1 + len(ROLES)
    bodies = row[heads : heads + len(ROLES)]
    inline = (body if isinstance(body, bytes) else None for body in bodies)
    elsewhere = (body if isinstance(body, int) else 0 if body == insert.SAME_BODY else None for body in bodies)
    return (*row[:heads], *inline, *elsewhere, row[-1])


def _sizes(tables: Tables) -> dict[int, int]:
    """About how many bytes each flow takes."""
    sizes = {row[0]: sum(len(value) for value in row if isinstance(value, str)) for row in tables.flow}
    for row in tables.wire:
        sizes[row[0]] += sum(len(value) for value in row if isinstance(value, str | bytes))
    for seq, spoken in tables.said:
        sizes[seq] += 2 * (len(spoken.prompt) + len(spoken.answer))
    for packed in tables.packed:
        sizes[packed.id // 8] += len(packed.data)
    return sizes


def _clean(row: Sequence[Any]) -> list[Any]:
    """A row without the one character that PostgreSQL cannot keep."""
    return [value.replace("\0", "\ufffd") if isinstance(value, str) and "\0" in value else value for value in row]
