"""Reading the flow store's SQLite file, with the proxy running or not. Opens the file read-only and changes nothing in it,
but for bringing in first what a proxy that was killed left in its journal."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from ccproxy.errors import StoreError
from ccproxy.flows import bodies, schema, search
from ccproxy.flows.lookup import ALL, FROM, SUMMARY, SUMMARY_VALUES, FlowReader, Row, contents
from ccproxy.flows.model import Flow
from ccproxy.flows.recovery import recover
from ccproxy.flows.rows import BODY_COLUMNS
from ccproxy.flows.search import Hit

_WHOLE = f"SELECT {SUMMARY}, {BODY_COLUMNS}, arrivals {FROM} WHERE id = ?"
_SNIPPETS = ", ".join(f"snippet(said_index, {n}, '{search.BEGIN}', '{search.END}', '…', 24)" for n in (0, 1))
#: The newest are chosen first: a snippet costs more than a match.
_SEARCH = f"""
SELECT flow.id, flow.seq, {_SNIPPETS} FROM said_index JOIN flow ON flow.seq = said_index.rowid
WHERE said_index MATCH ? ORDER BY said_index.rowid DESC LIMIT ?
"""  # noqa: S608


class Reader(FlowReader):
    """A view of the store at `path`.

    The constructor also raises StoreError if the file is no flow store, or one of another version.

    Args:
        busy_seconds: how long to wait while another process recovers the file after a crash.
    """

    def __init__(self, path: Path, *, busy_seconds: float = 2.0) -> None:
        self._path = path
        self._connection = _open(path, busy_seconds)

    @property
    def name(self) -> str:
        return str(self._path)

    @property
    def there(self) -> bool:
        return self._connection is not None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def search(self, text: str, limit: int = 50) -> list[Hit]:
        expression = search.expression(text)
        if expression is None:
            return []
        return [search.hit(*row) for row in reversed(self._rows(_SEARCH, (expression, limit or ALL)))]

    def get(self, flow_id: str) -> Flow | None:
        connection = self._connection
        if connection is None:
            return None
        with self._errors():
            connection.execute("BEGIN")
            try:
                row = connection.execute(_WHOLE, (flow_id,)).fetchone()
                if row is None:
                    return None
                *kept, arrived = row[SUMMARY_VALUES:]
                return self._flow(row, contents(kept, partial(bodies.read, connection)), arrived)
            finally:
                connection.execute("ROLLBACK")

    def newest(self) -> int:
        """The largest `seq` that was ever used, 0 for none."""
        found = self._rows("SELECT seq FROM sqlite_sequence WHERE name = 'flow'")
        return int(found[0][0]) if found else 0

    def version(self) -> int:
        """A number that changes with every commit of another connection; 0 if there is no file. Cheap."""
        found = self._rows("PRAGMA data_version")
        return int(found[0][0]) if found else 0

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        if self._connection is None:
            return []
        with self._errors():
            return self._connection.execute(sql, values).fetchall()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(schema.problem(error, self._path)) from error


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
