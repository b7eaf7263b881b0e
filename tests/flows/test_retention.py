"""What goes and what stays, also when the clock lies; and space that is really given back."""

from __future__ import annotations

import random
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from ccproxy.errors import StoreError
from ccproxy.flows import insert, retention, rows, schema
from ccproxy.flows.bodies import Packer
from ccproxy.flows.config import FlowsConfig
from ccproxy.flows.model import Flow
from ccproxy.flows.reader import Reader
from ccproxy.flows.schema import open_for_writing

from .support import START, make_flow

DAY = 86_400.0
#: A store in which nothing is has some pages for each table and index.
EMPTY = 260_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "flows.db"


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    opened = open_for_writing(path)
    yield opened
    opened.close()


def fill(connection: sqlite3.Connection, flows: Iterable[Flow]) -> None:
    insert.store(connection, Packer(), [(flow, rows.write(flow)) for flow in flows])


def started(connection: sqlite3.Connection) -> list[float]:
    return [row[0] for row in connection.execute("SELECT started FROM flow ORDER BY seq")]


def big(number: int, size: int = 20_000) -> Flow:
    """A flow with a body that cannot be compressed."""
    flow = make_flow(number)
    flow.request.body = random.Random(number).randbytes(size)
    return flow


def limits(*, days: float = 0, flows: int = 0, size: int = 0) -> FlowsConfig:
    return FlowsConfig(keep_days=days, keep_flows=flows, keep_bytes=size)


def at_days(*days: float) -> list[Flow]:
    return [make_flow(n, started=START + day * DAY) for n, day in enumerate(days)]


@pytest.mark.parametrize(
    ("days", "now", "kept"),
    [
        pytest.param([0, 1, 2, 9, 10], 10, [2, 9, 10], id="what is older than eight days goes"),
        pytest.param([0, 1], 30, [], id="all of it if need be"),
        pytest.param(
            [9, -20_000, 10], 10, [9, -20_000, 10], id="the clock was at 1970 for a while: it is not that old"
        ),
        pytest.param([0, 27_000, 1, 9], 10, [9], id="the clock was far ahead for a while: it goes with its neighbours"),
        pytest.param([9, 27_000, 10], 10, [9, 27_000, 10], id="the clock was far ahead: it stays with its neighbours"),
        pytest.param([9, 10], -20_000, [9, 10], id="the clock is at 1970 now: nothing is old"),
        pytest.param([], 10, [], id="an empty store"),
    ],
)
def test_age(connection: sqlite3.Connection, days: list[float], now: float, kept: list[float]) -> None:
    fill(connection, at_days(*days))
    deleted = retention.enforce(connection, limits(days=8), START + now * DAY)
    assert started(connection) == [START + day * DAY for day in kept]
    assert deleted == len(days) - len(kept)


def test_number(connection: sqlite3.Connection) -> None:
    fill(connection, (make_flow(n) for n in range(500)))
    assert retention.enforce(connection, limits(flows=120), START) == 380
    assert started(connection) == [START + n for n in range(380, 500)]
    assert retention.enforce(connection, limits(flows=120), START) == 0


def test_bytes(connection: sqlite3.Connection) -> None:
    fill(connection, (big(n) for n in range(600)))
    limit = 7_000_000
    deleted = retention.enforce(connection, limits(size=limit), START)
    assert retention.used_bytes(connection) <= limit
    assert 0 < deleted < 600
    assert started(connection) == [START + n for n in range(deleted, 600)]


def test_no_limits_keep_all(connection: sqlite3.Connection) -> None:
    fill(connection, at_days(0, 1, 2))
    assert retention.enforce(connection, limits(), START + 10_000 * DAY) == 0


def test_clearing_gives_the_space_back_beside_an_open_writer(path: Path, connection: sqlite3.Connection) -> None:
    fill(connection, (big(n) for n in range(300)))
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    full = path.stat().st_size
    assert retention.clear(path, [f"{n:012x}" for n in range(0, 300, 2)] + ["unknown"]) == 150
    half = path.stat().st_size
    assert half < full * 0.7  # some pages are half full
    assert retention.clear(path, None) == 150
    assert path.stat().st_size < EMPTY
    assert connection.execute("SELECT count(*) FROM body").fetchone() == (0,)


def turns(count: int) -> list[Flow]:
    """A session: each request repeats the one before it and says 20 KB more that cannot be compressed."""
    flows = [make_flow(number) for number in range(count)]
    said = b""
    for number, flow in enumerate(flows):
        said += random.Random(number).randbytes(20_000)
        flow.request.body = said
        flow.forwarded = None
    return flows


def contents(path: Path) -> dict[str, bytes]:
    with Reader(path) as reader:
        ids = [flow.id for flow in reader.summaries()]
        found = [reader.get(flow_id) for flow_id in ids]
        return {flow.id: flow.request.body for flow in found if flow is not None}


def test_what_later_flows_are_told_by_stays_until_they_go(path: Path, connection: sqlite3.Connection) -> None:
    session = turns(30)
    fill(connection, session)
    assert retention.enforce(connection, limits(flows=1), START) == 29
    assert contents(path) == {session[-1].id: session[-1].request.body}
    assert retention.used_bytes(connection) > 500_000
    assert retention.clear(path, None) == 1
    assert connection.execute("SELECT count(*) FROM body").fetchone() == (0,)
    assert path.stat().st_size < EMPTY


def test_bytes_are_those_on_disk_and_not_those_that_were_sent(path: Path, connection: sqlite3.Connection) -> None:
    session = turns(60)  # 36 MB sent
    fill(connection, session)
    assert retention.enforce(connection, limits(size=3_000_000), START) == 0
    assert contents(path) == {flow.id: flow.request.body for flow in session}


def test_flows_in_the_middle_can_go(path: Path, connection: sqlite3.Connection) -> None:
    session = turns(20)
    fill(connection, session)
    retention.delete_by_id(connection, [flow.id for flow in session[5:15]])
    assert contents(path) == {flow.id: flow.request.body for flow in (*session[:5], *session[15:])}


def test_what_another_program_left_is_swept(path: Path, connection: sqlite3.Connection) -> None:
    fill(connection, turns(20))
    other = sqlite3.connect(path, autocommit=True)
    other.execute("DELETE FROM flow")
    assert other.execute("SELECT count(*) FROM body").fetchone()[0] > 10
    other.close()
    assert retention.sweep(connection) > 10
    assert connection.execute("SELECT count(*) FROM body").fetchone() == (0,)


def test_sweeping_leaves_what_flows_have(path: Path, connection: sqlite3.Connection) -> None:
    flows = [*turns(5), *(big(number) for number in range(100, 120))]
    fill(connection, flows)
    assert retention.sweep(connection) == 0
    assert contents(path) == {flow.id: flow.request.body for flow in flows}


def test_the_search_index_gives_up_what_is_deleted(path: Path, connection: sqlite3.Connection) -> None:
    def say(first: int, count: int) -> None:
        source = random.Random(first)
        flows = [make_flow(n) for n in range(first, first + count)]
        for flow in flows:
            words = " ".join(f"{source.getrandbits(20):x}" for _ in range(2_000))
            flow.request.body = b'{"messages":[{"role":"user","content":"%s"}]}' % words.encode()
        fill(connection, flows)

    def index_bytes() -> int:
        return int(connection.execute("SELECT total(length(block)) FROM said_index_data").fetchone()[0])

    say(0, 100)
    for first in range(100, 1_500, 100):
        say(first, 100)
        retention.enforce(connection, limits(flows=100), START)
    assert index_bytes() < 7_000_000
    [row] = connection.execute("SELECT prompt FROM said ORDER BY flow LIMIT 1").fetchall()
    with Reader(path) as reader:
        assert len(reader.search(row[0].split()[0])) == 1
    retention.clear(path, None)
    assert index_bytes() < 1_000


def test_everything_is_cleared_in_one_piece_and_triggers_work_afterwards(
    path: Path, connection: sqlite3.Connection
) -> None:
    fill(connection, turns(20))
    assert retention.delete_all(connection) == 20
    for table in ("flow", "wire", "body", "said"):
        assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    session = turns(20)
    fill(connection, session)
    retention.delete_by_id(connection, [flow.id for flow in session])
    for table in ("flow", "wire", "body", "said"):
        assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


def test_clearing_beside_a_writer_that_goes_on(path: Path, connection: sqlite3.Connection) -> None:
    fill(connection, (make_flow(n) for n in range(2_000)))
    cleared: list[int] = []
    thread = threading.Thread(target=lambda: cleared.append(retention.clear(path, None)))
    thread.start()
    for number in range(2_000, 2_100):
        fill(connection, [make_flow(number)])
    thread.join()
    left = len(started(connection))
    assert cleared[0] + left == 2_100
    assert cleared[0] >= 2_000


def test_clearing_what_is_not_there(path: Path) -> None:
    assert retention.clear(path, None) == 0
    assert not path.exists()
    path.touch()
    assert retention.clear(path, None) == 0


def test_clearing_a_locked_store_says_so(path: Path, connection: sqlite3.Connection) -> None:
    fill(connection, [make_flow()])
    connection.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked"):
        retention.clear(path, None, busy_seconds=0.01)
    connection.execute("ROLLBACK")


def test_free_pages_are_given_back_a_few_at_a_time(path: Path, connection: sqlite3.Connection) -> None:
    fill(connection, (big(n) for n in range(300)))
    retention.delete_all(connection)
    before = retention.free_pages(connection)
    retention.release_some(connection)
    assert 0 < before - retention.free_pages(connection) < 1_000


def test_a_failed_transaction_leaves_nothing_behind(connection: sqlite3.Connection) -> None:
    with pytest.raises(ZeroDivisionError), schema.transaction(connection):
        connection.execute("INSERT INTO body (encoding, size, data) VALUES ('raw', 0, x'')")
        _ = 1 / 0
    assert not connection.in_transaction
    assert connection.execute("SELECT count(*) FROM body").fetchone() == (0,)
