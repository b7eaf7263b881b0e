"""Making flows go from PostgreSQL: what is too old or too much, and what a person clears.

The rules are those of `ccproxy.flows.retention`; sizes are those that the flows were stored with, because a table does not
get smaller when rows go. One proxy at a time does it. The database reuses the space by itself (autovacuum); clearing
everything gives it back at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import batched
from typing import TYPE_CHECKING

from ccproxy.errors import StoreError
from ccproxy.flows.config import FlowsConfig
from ccproxy.flows.postgres import connect, schema

if TYPE_CHECKING:
    import psycopg

_PER_TRANSACTION = 500
_DAY = 86_400.0
_SWEEP = """
DELETE FROM body WHERE NOT EXISTS (SELECT 1 FROM flow WHERE seq = body.id / 8)
    AND NOT EXISTS (SELECT 1 FROM body AS other WHERE other.base = body.id)
"""
#: The newest flow that is beyond so many bytes.
_BEYOND_BYTES = """
SELECT seq FROM (SELECT seq, sum(stored) OVER (ORDER BY seq DESC) AS total FROM flow) AS counted
WHERE total > %s ORDER BY seq DESC LIMIT 1
"""


def enforce(connection: psycopg.Connection, config: FlowsConfig, now: float) -> int:
    """Deletes what the configuration does not keep, oldest first, and returns how many flows went; none if another proxy is
    at it.

    Args:
        now: seconds since the epoch.
    """
    if not _one(connection, "SELECT pg_try_advisory_lock(%s)::int", (schema.RETENTION_LOCK,)):
        return 0
    try:
        last = 0
        if config.keep_days:
            last = max(last, _last_expired(connection, now - config.keep_days * _DAY, now))
        if config.keep_flows:
            beyond = "SELECT seq FROM flow ORDER BY seq DESC LIMIT 1 OFFSET %s"
            last = max(last, _one(connection, beyond, (config.keep_flows,)))
        if config.keep_bytes:
            last = max(last, _one(connection, _BEYOND_BYTES, (config.keep_bytes,)))
        return _delete_up_to(connection, last) if last else 0
    finally:
        if not connection.closed:
            connection.execute("SELECT pg_advisory_unlock(%s)", (schema.RETENTION_LOCK,))


def sweep(connection: psycopg.Connection) -> int:
    """Deletes bodies that nothing needs any more and returns how many were the last of theirs."""
    return _delete(connection, _SWEEP, ())


def delete_by_id(connection: psycopg.Connection, ids: Sequence[str]) -> int:
    """Deletes flows by their ids and returns how many there were."""
    return sum(
        _delete(connection, "DELETE FROM flow WHERE id = ANY(%s)", (list(some),))
        for some in batched(ids, _PER_TRANSACTION, strict=False)
    )


def delete_all(connection: psycopg.Connection) -> int:
    """Deletes every flow, gives the space back and returns how many there were."""
    with connection.transaction():
        connection.execute("LOCK TABLE flow IN ACCESS EXCLUSIVE MODE")
        deleted = _one(connection, "SELECT count(*) FROM flow")
        connection.execute("TRUNCATE flow, wire, body, said")
    return deleted


def clear(url: str, ids: Sequence[str] | None) -> int:
    """Deletes flows from the database at `url`, beside running proxies or without.

    Args:
        ids: which flows; None for all.

    Returns how many there were. Raises StoreError.
    """
    driver = connect.driver()
    try:
        with connect.connect(url) as connection:
            schema.check(found := schema.version(connection), url, exact=True)
            if not found:
                return 0
            return delete_all(connection) if ids is None else delete_by_id(connection, ids)
    except (driver.Error, OSError) as error:
        raise StoreError(connect.problem(error, url)) from None


def _last_expired(connection: psycopg.Connection, cutoff: float, now: float) -> int:
    """The newest flow that is to go by age, or 0: none before it is young enough to stay."""
    stays = "SELECT seq FROM flow WHERE started BETWEEN %s AND %s ORDER BY seq LIMIT 1"
    if first := _one(connection, stays, (cutoff, now)):
        return _one(connection, "SELECT max(seq) FROM flow WHERE started < %s AND seq < %s", (cutoff, first))
    return _one(connection, "SELECT max(seq) FROM flow WHERE started < %s", (cutoff,))


def _delete_up_to(connection: psycopg.Connection, last: int) -> int:
    oldest = "SELECT seq FROM flow WHERE seq <= %s ORDER BY seq LIMIT %s"
    deleted = 0
    while True:
        count = _delete(connection, f"DELETE FROM flow WHERE seq IN ({oldest})", (last, _PER_TRANSACTION))  # noqa: S608
        if not count:
            return deleted
        deleted += count


def _delete(connection: psycopg.Connection, sql: str, values: Sequence[object]) -> int:
    return connect.repeated(lambda: connection.execute(sql.encode(), values).rowcount)


def _one(connection: psycopg.Connection, sql: str, values: Sequence[object] = ()) -> int:
    """The number that a query gives; 0 for none."""
    row = connection.execute(sql.encode(), values).fetchone()
    return int(row[0]) if row and row[0] is not None else 0
