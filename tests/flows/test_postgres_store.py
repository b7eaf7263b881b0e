"""Recording in PostgreSQL: the same flow comes back, several proxies share a database, a server that is away loses little."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from ccproxy.flows import rows
from ccproxy.flows.journal import leftovers
from ccproxy.flows.model import Flow
from ccproxy.flows.postgres.reader import PostgresReader
from ccproxy.flows.postgres.store import PostgresDatabase, PostgresStore, journal_path

from .conftest import Postgres
from .server import PASSWORD, Server, missing
from .support import KEEP_ALL, Watched, make_flow
from .test_retention import big, turns
from .test_rows import flows


def without_nul(flow: Flow) -> Flow:
    """PostgreSQL cannot keep U+0000 in a text."""
    for name in (field.name for field in msgspec.structs.fields(Flow) if field.type is str):
        setattr(flow, name, getattr(flow, name).replace("\0", "\ufffd"))
    return flow


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flow=flows)
def test_any_flow_comes_back_equal(postgres: Postgres, flow: Flow) -> None:
    flow.seq = 0
    session = PostgresDatabase(postgres.url).open()
    session.store([(flow, rows.write(flow))])
    session.close()
    with PostgresReader(postgres.url) as reader:
        found = reader.get(without_nul(flow).id)
        assert found is not None
        assert found.seq == reader.select()[-1].seq
        found.seq = 0
        assert found == flow
    assert postgres.clear(None) == 1


async def test_a_session_comes_back_whole_and_is_told_by_what_is_new(postgres: Postgres) -> None:
    watched = postgres.watched()
    session = [*turns(30), big(101), big(102)]
    assert all(await watched.put(*session))
    with postgres.reader() as reader:
        for flow in session:
            found = reader.get(flow.id)
            assert found is not None
            assert (found.request.body, found.forwarded and found.forwarded.body) == (
                flow.request.body,
                flow.forwarded and flow.forwarded.body,
            )
    connection = PostgresDatabase(postgres.url).open()._connection
    with connection:
        [[stored, size]] = connection.execute("SELECT sum(length(data)), sum(size) FROM body").fetchall()
    assert stored < size / 10


async def test_an_id_is_stored_once(postgres: Postgres) -> None:
    watched = postgres.watched()
    assert await watched.put(make_flow(1), make_flow(1), make_flow(2)) == [True] * 3
    await watched.put(make_flow(2), make_flow(3))
    with postgres.reader() as reader:
        assert [flow.id[-1] for flow in reader.select()] == ["1", "2", "3"]


async def test_several_proxies_write_to_one_database(postgres: Postgres) -> None:
    first, second = postgres.watched(), postgres.watched()
    one, other = turns(20), [msgspec.structs.replace(flow, id=f"f{flow.id[1:]}") for flow in turns(20)]
    for mine, theirs in zip(one, other, strict=True):
        await asyncio.gather(first.put(mine), second.put(theirs))
    with postgres.reader() as reader:
        assert reader.count() == 40
        seqs = [flow.seq for flow in reader.select()]
        assert len(set(seqs)) == 40
        for flow in (*one, *other):
            found = reader.get(flow.id)
            assert found is not None
            assert found.request.body == flow.request.body


async def test_a_body_whose_base_another_proxy_deleted_is_stored_whole(postgres: Postgres) -> None:
    watched = postgres.watched()
    before, after = turns(2)
    await watched.put(before)
    assert postgres.clear(None) == 1
    await watched.put(after)
    with postgres.reader() as reader:
        found = reader.get(after.id)
        assert found is not None
        assert found.request.body == after.request.body


async def test_proxies_that_start_at_once_make_one_store(server: Server, tmp_path: Path) -> None:
    kind = Postgres(tmp_path, server.database())
    opened = [kind.watched() for _ in range(5)]
    await asyncio.gather(*(watched.put(make_flow(number)) for number, watched in enumerate(opened)))
    assert [watched.store.problem for watched in opened] == [""] * 5
    with kind.reader() as reader:
        assert reader.count() == 5
    for watched in opened:
        await asyncio.to_thread(watched.store.close)


@pytest.fixture
def own_server() -> Iterator[Server]:
    """A server that the test may stop."""
    if reason := missing():
        pytest.skip(reason)
    with Server() as server:
        yield server


async def test_what_comes_while_the_server_is_away_is_stored_when_it_is_back(
    own_server: Server, tmp_path: Path
) -> None:
    kind = Postgres(tmp_path, own_server.database())
    watched = kind.watched()
    assert await watched.put(make_flow(1)) == [True]
    own_server.stop()
    assert await watched.store.put(make_flow(2)) is True
    problem = await watched.next_problem()
    assert problem.startswith("the flow store postgresql://admin@/test_1 cannot be used")
    assert await watched.store.put(make_flow(3)) is True
    own_server.start()
    while await watched.next_problem():  # it may say in other words first that the server is away
        pass
    assert await watched.put(make_flow(4)) == [True]
    with kind.reader() as reader:
        assert {flow.id[-1] for flow in reader.select()} == {"1", "2", "3", "4"}
    await asyncio.to_thread(watched.store.close)
    assert list(tmp_path.iterdir()) == []


async def test_what_is_kept_while_the_server_is_away_is_bounded(own_server: Server, tmp_path: Path) -> None:
    kind = Postgres(tmp_path, own_server.database())
    watched = kind.watched(spool=(1_000_000, 3))
    await watched.put(make_flow(0))
    own_server.stop()
    kept = []
    for number in range(1, 10):
        kept.append(await watched.store.put(make_flow(number)))
        await watched.flush()
    assert kept[0] is True
    assert kept[-1] is False
    assert len(leftovers(tmp_path / "journal-0")) <= 4
    own_server.start()
    while await watched.next_problem():
        pass
    await watched.flush()
    with kind.reader() as reader:
        assert reader.count() == 1 + sum(kept)
    await asyncio.to_thread(watched.store.close)


async def test_a_server_that_was_never_there_is_said_without_the_password(tmp_path: Path) -> None:
    address = "postgresql://team:s3cretpassword@127.0.0.1:1/flows?sslpassword=0thers3cret"

    def make(path: Path, *, busy_seconds: float, **options: object) -> PostgresStore:
        return PostgresStore(address, path=path, **options)

    watched = Watched(tmp_path / "journal", make=make)
    problem = await watched.next_problem()
    assert problem.startswith("the flow store postgresql://team@127.0.0.1:1/flows cannot be used: ")
    assert "s3cret" not in problem
    await asyncio.to_thread(watched.store.close)


async def test_a_wrong_password_is_said_without_it(server: Server, tmp_path: Path) -> None:
    address = f"postgresql://admin:wr0ngword@127.0.0.1:{server.port}/postgres"

    def make(path: Path, *, busy_seconds: float, **options: object) -> PostgresStore:
        return PostgresStore(address, path=path, **options)

    watched = Watched(tmp_path / "journal", make=make)
    problem = await watched.next_problem()
    assert "refuses the user or the password" in problem or "password authentication failed" in problem
    assert "wr0ngword" not in problem
    assert PASSWORD not in problem
    await asyncio.to_thread(watched.store.close)


def test_kill_9_before_the_first_commit_loses_no_flow(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = """
import asyncio, os, sys
from ccproxy.flows.postgres.store import PostgresStore
from ccproxy.util.clock import SystemClock
from flows.support import KEEP_ALL, make_flow

async def main():
    store = PostgresStore(sys.argv[1], clock=SystemClock(), config=KEEP_ALL, gather_seconds=3600)
    store.start()
    assert all([await store.put(flow) for flow in (make_flow(1), make_flow(2))])
    os.kill(os.getpid(), 9)

asyncio.run(main())
"""
    monkeypatch.setenv("CCPROXY_CONFIG_DIR", str(tmp_path))
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", script, postgres.url], env=environment, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert len(leftovers(journal_path(postgres.url))) == 1
    with postgres.reader() as reader:
        assert [flow.id for flow in reader.select()] == [f"{1:012x}", f"{2:012x}"]
    assert leftovers(journal_path(postgres.url)) == []


def test_the_journals_of_two_databases_are_apart_and_name_no_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CCPROXY_CONFIG_DIR", str(tmp_path))
    one, other = journal_path("postgresql://a:b@h/x"), journal_path("postgresql://a:b@h/y")
    assert one != other
    assert one == journal_path("postgresql://a:changed@h/x")
    assert one.parent == tmp_path / "state"


def test_the_queue_is_that_of_every_store() -> None:
    store = PostgresStore("postgresql://h/x", path=Path("x"), clock=None, config=KEEP_ALL)
    assert store.problem == ""
