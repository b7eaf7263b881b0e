"""Reading a team's store: what is missing, lost, older or newer is said; what a reader may do is reading."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from ccproxy.errors import StoreError
from ccproxy.flows.lookup import Totals
from ccproxy.flows.postgres.reader import PostgresReader
from ccproxy.flows.query import Facets, Query

from .conftest import Kind, Postgres
from .server import Server
from .support import make_flow
from .test_postgres_store import own_server

__all__ = ["own_server"]


def test_an_empty_database_reads_as_an_empty_store(server: Server) -> None:
    with PostgresReader(server.database()) as reader:
        assert (reader.count(), reader.select(), list(reader.summaries()), reader.last()) == (0, [], [], None)
        assert (reader.get("x"), reader.find("x"), reader.search("x"), reader.facets()) == (None, [], [], Facets())
        assert reader.totals("x") == Totals()


async def test_a_store_that_is_made_later_is_seen(postgres: Postgres) -> None:
    with postgres.reader() as reader:
        assert reader.count() == 0
        await postgres.watched().put(make_flow(1))
        assert reader.count() == 1


async def test_ids_by_their_beginning(kind: Kind) -> None:
    await kind.watched().put(*(make_flow(1, id=name) for name in ("ab1", "ab2", "Ab3", "ac")))
    with kind.reader() as reader:
        assert reader.find("ab", 5) == ["ab1", "ab2"]
        assert reader.find("ab", 1) == ["ab1"]
        assert reader.find("") == ["Ab3", "ab1"]
        assert reader.last() == "ac"


async def test_a_run_in_numbers(kind: Kind) -> None:
    flows = [make_flow(1, run="a"), make_flow(2, run="a", outcome="refused", response=None), make_flow(3)]
    await kind.watched().put(*flows)
    with kind.reader() as reader:
        totals = reader.totals("a")
        assert (totals.flows, totals.failed, totals.input, totals.output) == (2, 1, 3, 2)
        assert totals.hosts == (("localhost", 2),)
        assert reader.totals("b") == Totals()


async def test_a_lost_connection_is_made_again(own_server: Server, tmp_path: Path) -> None:
    kind = Postgres(tmp_path, own_server.database())
    with kind.reader() as reader:
        own_server.stop()
        with pytest.raises(StoreError, match="cannot be used"):
            reader.count()
        with pytest.raises(StoreError):
            reader.count()
        own_server.start()
        assert reader.count() == 0


async def test_a_reader_cannot_write(postgres: Postgres) -> None:
    await postgres.watched().put(make_flow(1))
    with postgres.reader() as reader, pytest.raises(StoreError):
        reader._rows("DELETE FROM flow")
    with postgres.reader() as reader:
        assert reader.count() == 1


async def test_a_damaged_body_is_said(postgres: Postgres) -> None:
    flow = make_flow(1)
    flow.request.body = b"x" * 10_000
    await postgres.watched().put(flow)
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("UPDATE ccproxy.body SET crc = crc + 1")
    with postgres.reader() as reader, pytest.raises(StoreError, match="damaged"):
        reader.get(flow.id)


@pytest.mark.parametrize(("number", "words"), [(99, "newer"), (0, "")])
async def test_another_version_is_refused(postgres: Postgres, number: int, words: str) -> None:
    await postgres.watched().put(make_flow(1))
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("UPDATE ccproxy.version SET number = %s", (number,))
    if words:
        with pytest.raises(StoreError, match=words):
            postgres.reader()
        with pytest.raises(StoreError, match=words):
            postgres.clear(None)
        assert words in await postgres.watched().next_problem()
    else:
        with postgres.reader() as reader:
            assert reader.count() == 0


def test_a_database_that_does_not_exist_is_said(server: Server) -> None:
    with pytest.raises(StoreError, match="does not exist"):
        PostgresReader(server.database().replace("/test_", "/absent_"))


async def test_pages_are_those_of_the_query(kind: Kind) -> None:
    await kind.watched().put(*(make_flow(number, model=f"m{number % 2}") for number in range(500)))
    with kind.reader() as reader:
        assert [int(flow.id, 16) for flow in reader.summaries(query=Query(model="m1"))] == list(range(1, 500, 2))
        assert [int(flow.id, 16) for flow in reader.summaries(3)] == [497, 498, 499]
