"""What goes from a team's store and what stays: the rules are those of every store."""

from __future__ import annotations

import psycopg
import pytest

from ccproxy.errors import StoreError
from ccproxy.flows.config import FlowsConfig
from ccproxy.flows.postgres import connect, retention, schema
from ccproxy.flows.postgres.store import PostgresDatabase

from .conftest import Postgres
from .support import START
from .test_retention import DAY, at_days, big, limits, turns


def numbers(postgres: Postgres) -> list[float]:
    with postgres.reader() as reader:
        return [(flow.started - START) / DAY for flow in reader.select()]


@pytest.mark.parametrize(
    ("days", "stay"),
    [
        ([0, 1, 2, 3, 4], [2, 3, 4]),
        ([3, 4, 0, 1, 2], [3, 4, 0, 1, 2]),
        ([0, 99, 1, 3, 4], [3, 4]),
        ([0, 0, 1, 1, 1], []),
    ],
)
async def test_by_age_in_the_order_of_recording(postgres: Postgres, days: list[float], stay: list[float]) -> None:
    await postgres.watched().put(*at_days(*days))
    session = PostgresDatabase(postgres.url).open()
    deleted = session.maintain(limits(days=2), START + 4 * DAY)
    session.close()
    assert (deleted, numbers(postgres)) == (len(days) - len(stay), stay)


async def test_by_number_and_size(postgres: Postgres) -> None:
    watched = postgres.watched()
    for number in range(20):
        await watched.put(big(number))
    session = PostgresDatabase(postgres.url).open()
    assert session.maintain(limits(flows=15), START) == 5
    assert session.maintain(limits(size=200_000), START) == 6
    assert session.maintain(limits(size=10_000_000, flows=1_000), START) == 0
    session.close()
    with postgres.reader() as reader:
        assert [int(flow.id, 16) for flow in reader.select()] == list(range(11, 20))


async def test_what_later_bodies_are_told_by_stays_until_they_go(postgres: Postgres) -> None:
    session = turns(20)
    await postgres.watched().put(*session)
    assert postgres.clear([flow.id for flow in session[:15]]) == 15
    with postgres.reader() as reader:
        for flow in session[15:]:
            found = reader.get(flow.id)
            assert found is not None
            assert found.request.body == flow.request.body
    assert postgres.clear([flow.id for flow in session[15:]]) == 5
    with psycopg.connect(postgres.url) as connection:
        for table in ("flow", "wire", "said", "body"):
            assert connection.execute(f"SELECT count(*) FROM ccproxy.{table}").fetchone() == (0,)


async def test_sweeping_takes_what_nobody_has(postgres: Postgres) -> None:
    await postgres.watched().put(*turns(5))
    session = PostgresDatabase(postgres.url).open()
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("INSERT INTO ccproxy.body VALUES (8000000, NULL, 'raw', 1, NULL, 'x')")
        connection.execute("INSERT INTO ccproxy.body VALUES (8000008, 8000000, 'raw', 1, NULL, 'x')")
        before = connection.execute("SELECT count(*) FROM ccproxy.body").fetchone()
        session.sweep()
        after = connection.execute("SELECT count(*) FROM ccproxy.body").fetchone()
    session.close()
    assert before is not None
    assert after == (before[0] - 2,)


async def test_one_proxy_at_a_time(postgres: Postgres) -> None:
    await postgres.watched().put(*at_days(0, 1, 2))
    session = PostgresDatabase(postgres.url).open()
    with psycopg.connect(postgres.url, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", (schema.RETENTION_LOCK,))
        assert session.maintain(limits(flows=1), START) == 0
        other.execute("SELECT pg_advisory_unlock(%s)", (schema.RETENTION_LOCK,))
    assert session.maintain(limits(flows=1), START) == 2
    assert session.maintain(FlowsConfig(keep_days=0, keep_flows=0, keep_bytes=0), START) == 0
    session.close()


async def test_clearing_everything_gives_the_space_back(postgres: Postgres) -> None:
    await postgres.watched().put(*(big(number) for number in range(50)))
    assert postgres.clear(None) == 50
    with psycopg.connect(postgres.url) as connection:
        size = connection.execute("SELECT pg_total_relation_size('ccproxy.body')").fetchone()
    assert size is not None
    assert size[0] < 100_000


def test_clearing_what_is_not_there(postgres: Postgres) -> None:
    assert postgres.clear(None) == 0
    with pytest.raises(StoreError, match="cannot be used"):
        retention.clear("postgresql://127.0.0.1:1/x", None)


def test_a_connection_of_its_own_reads_only_if_asked(postgres: Postgres) -> None:
    with (
        connect.connect(postgres.url, read_only=True) as connection,
        pytest.raises(psycopg.errors.ReadOnlySqlTransaction),
    ):
        connection.execute("CREATE TABLE x (a int)")
