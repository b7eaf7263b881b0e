"""Reading the flow store of a team, with proxies running or not. Changes nothing in it, but for bringing in first what a
proxy of this machine that was killed left in its journal."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ccproxy.errors import StoreError
from ccproxy.flows import bodies, insert, recovery
from ccproxy.flows.journal import leftovers
from ccproxy.flows.lookup import ALL, FROM, SUMMARY, SUMMARY_VALUES, FlowReader, Row, contents
from ccproxy.flows.model import Flow
from ccproxy.flows.postgres import connect, schema, words
from ccproxy.flows.postgres.store import PostgresDatabase, journal_path
from ccproxy.flows.query import Sql
from ccproxy.flows.rows import BODY_COLUMNS, ROLES
from ccproxy.flows.search import Hit

if TYPE_CHECKING:
    import psycopg

_log = logging.getLogger(__name__)

_STORED_IN = ", ".join(f"{role}_in" for role in ROLES)
_WHOLE = f"SELECT {SUMMARY}, {BODY_COLUMNS}, {_STORED_IN}, arrivals {FROM} WHERE id = %s"
_BODY = "SELECT base, encoding, size, crc, data FROM body WHERE id = %s"
_SEARCH = """
SELECT flow.id, flow.seq, prompt, answer FROM said JOIN flow ON flow.seq = said.flow
WHERE words @@ %s::tsquery ORDER BY said.flow DESC LIMIT %s
"""
_SAID = "seq IN (SELECT flow FROM said WHERE words @@ ?::tsquery)"


class PostgresReader(FlowReader):
    """A view of the database at `url`. A connection that was lost is made again with the next question.

    The constructor also raises StoreError if there is no connection, or a store of another version.
    """

    sql = Sql(_SAID, words.expression, "strpos")

    def __init__(self, url: str) -> None:
        self._url = url
        self._driver = connect.driver()
        self._connection: psycopg.Connection | None = None
        self._empty = True
        _recover(url)
        try:
            with self._open():
                pass
        except StoreError:
            self.close()
            raise

    @property
    def name(self) -> str:
        return connect.shown(self._url)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def search(self, text: str, limit: int = 50) -> list[Hit]:
        expression = words.expression(text)
        if expression is None:
            return []
        with self._open() as connection:
            found = connection.execute(_SEARCH, (expression, limit or ALL)).fetchall() if not self._empty else []
        return [words.hit(flow_id, seq, prompt, answer, text) for flow_id, seq, prompt, answer in reversed(found)]

    def get(self, flow_id: str) -> Flow | None:
        with self._open() as connection:
            if self._empty:
                return None
            with connection.transaction():
                connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                row = connection.execute(_WHOLE, (flow_id,)).fetchone()
                if row is None:
                    return None

                def read(number: int) -> bytes:
                    return bodies.assemble(number, fetch, lambda _: None)

                def fetch(number: int | None) -> bodies.Row | None:
                    found: bodies.Row | None = connection.execute(_BODY, (number,)).fetchone()
                    return found

                *kept, arrived = row[SUMMARY_VALUES:]
                return self._flow(row, contents(_together(kept), read), arrived)

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        with self._open() as connection:
            if self._empty:
                return []
            return [*connection.execute(sql.replace("?", "%s").encode(), values)]

    @contextmanager
    def _open(self) -> Iterator[psycopg.Connection]:
        """The connection, made if there is none."""
        try:
            if self._connection is None or self._connection.closed:
                self._connection = connect.connect(self._url, read_only=True)
            if self._empty:
                schema.check(found := schema.version(self._connection), self._url, exact=True)
                self._empty = not found
            yield self._connection
        except (self._driver.Error, OSError) as error:
            raise StoreError(connect.problem(error, self._url)) from None


def _together(kept: Sequence[Any]) -> list[bytes | int | str | None]:
    """What stands for each body, from its two columns."""
    inline, elsewhere = kept[: len(ROLES)], kept[len(ROLES) :]
    return [
        body if number is None else number or insert.SAME_BODY for body, number in zip(inline, elsewhere, strict=True)
    ]


def _recover(url: str) -> None:
    """Brings in what a process of this machine that is gone left in its journal."""
    path = journal_path(url)
    if not leftovers(path):
        return
    database = PostgresDatabase(url)
    try:
        session = database.open()
        try:
            recovery.bring_in_leftovers(session.store, path)
        finally:
            session.close()
    except database.failures as error:
        _log.warning("flows that a killed ccproxy left behind cannot be read: %s", database.problem(error))
