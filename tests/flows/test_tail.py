"""Following a store: nothing missed, nothing twice, whatever happens to its file."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from ccproxy.errors import StoreError
from ccproxy.flows import retention
from ccproxy.flows.postgres import connect
from ccproxy.flows.table import rows
from ccproxy.flows.tail import Tail, line
from ccproxy.flows.views import flow_json

from .conftest import Postgres
from .support import START, Watched, at, make_flow

BEGAN = START + 1_000


def ids(tail: Tail) -> list[int]:
    """The numbers of the flows that a tail has, to the last one."""
    found: list[int] = []
    while some := tail.poll():
        found += [int(flow.id, 16) for flow in some]
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "flows.db"


async def write(path: Path, *numbers: int) -> None:
    """Stores flows as a proxy does that starts and ends. They end when the tail has begun."""
    watched = Watched(path)
    try:
        await watched.put(*(make_flow(number, started=BEGAN + number) for number in numbers))
    finally:
        watched.store.close()


async def test_what_comes_after_it_began(path: Path) -> None:
    await write(path, 1, 2)
    tail = Tail(path, at(BEGAN))
    assert ids(tail) == []
    await write(path, 3, 4)
    assert ids(tail) == [3, 4]
    assert ids(tail) == []
    tail.close()


@pytest.mark.parametrize(("last", "first"), [(0, []), (2, [2, 3]), (9, [1, 2, 3])])
async def test_it_begins_with_the_newest(path: Path, last: int, first: list[int]) -> None:
    await write(path, 1, 2, 3)
    tail = Tail(path, at(BEGAN), last=last)
    assert ids(tail) == first
    await write(path, 4)
    assert ids(tail) == [4]
    tail.close()


async def test_while_a_proxy_writes(path: Path) -> None:
    watched = Watched(path)
    tail = Tail(path, at(BEGAN))
    found = []
    for begin in range(0, 600, 150):
        await watched.put(*(make_flow(begin + number) for number in range(150)))
        found += ids(tail)
    assert found == list(range(600))
    watched.store.close()
    tail.close()


async def test_a_store_that_comes_later(path: Path) -> None:
    tail = Tail(path, at(BEGAN))
    assert ids(tail) == []
    path.touch()
    assert ids(tail) == []
    await write(path, 1)
    assert ids(tail) == [1]
    tail.close()


async def test_clearing_is_no_news(path: Path) -> None:
    await write(path, 1, 2)
    tail = Tail(path, at(BEGAN))
    retention.clear(path, None)
    assert ids(tail) == []
    await write(path, 3)
    assert ids(tail) == [3]
    tail.close()


async def test_a_deleted_store_is_read_to_its_end(path: Path) -> None:
    await write(path, 1)
    tail = Tail(path, at(BEGAN))
    assert ids(tail) == []
    await write(path, 2)
    for file in path.parent.iterdir():
        file.unlink()
    assert ids(tail) == [2]
    await write(path, 3)
    assert ids(tail) == [3]
    tail.close()


async def test_a_copy_put_in_its_place_goes_on(path: Path, tmp_path: Path) -> None:
    await write(path, 1, 2)
    tail = Tail(path, at(BEGAN))
    assert ids(tail) == []
    await write(path, 3)
    copy = tmp_path / "copy.db"
    connection = sqlite3.connect(path)
    connection.execute("VACUUM INTO ?", (str(copy),))
    connection.close()
    for file in tmp_path.glob("flows.db*"):  # its log belongs to the old file
        file.unlink()
    copy.replace(path)
    assert ids(tail) == [3]
    await write(path, 4)
    assert ids(tail) == [4]
    tail.close()


async def test_of_another_store_only_what_ended_since(path: Path, tmp_path: Path) -> None:
    await write(path, 1, 2)
    tail = Tail(path, at(BEGAN))
    assert ids(tail) == []
    other = tmp_path / "other.db"
    watched = Watched(other)
    await watched.put(make_flow(7, started=BEGAN - 500), make_flow(8, started=BEGAN + 5))
    watched.store.close()
    for file in tmp_path.glob("flows.db*"):
        file.unlink()
    other.replace(path)
    assert ids(tail) == [8]
    tail.close()


async def test_a_store_that_cannot_be_read_for_a_moment(path: Path, tmp_path: Path) -> None:
    await write(path, 1)
    tail = Tail(path, at(BEGAN))
    kept = path.rename(tmp_path / "kept.db")
    path.write_bytes(b"half of a copy" * 100)
    assert [tail.poll() for _ in range(10)] == [[]] * 10
    kept.replace(path)
    await write(path, 2)
    assert ids(tail) == [2]

    path.rename(tmp_path / "gone.db")
    path.write_bytes(b"this stays as it is" * 100)
    with pytest.raises(StoreError):
        [tail.poll() for _ in range(100)]
    tail.close()


def test_a_line_for_a_terminal() -> None:
    [row] = rows([flow_json(make_flow(1))])
    shown = line(row, 200, lambda text, bad: f"<{text} {bad}>")
    assert shown.startswith("00000000  ")
    assert "  <200 False>  POST  api.anthropic.com/v1/messages?beta=true  claude-x  1.50 s" in shown


def test_a_line_fits_the_terminal() -> None:
    [row] = rows([flow_json(make_flow(1))])
    assert len(line(row, 40, lambda text, bad: text)) == 40


async def test_in_a_database_of_several_proxies_a_late_number_is_not_missed(postgres: Postgres) -> None:
    """A proxy may commit flows with smaller numbers than another has committed before."""
    watched = postgres.watched()
    await watched.put(make_flow(1, started=BEGAN + 1))
    tail = Tail(postgres.url, at(BEGAN))
    assert ids(tail) == []
    with connect.connect(postgres.url) as slow:
        slow.execute("SELECT nextval(pg_get_serial_sequence('flow', 'seq'))")
        await watched.put(make_flow(3, started=BEGAN + 3))
        assert ids(tail) == [3]
        changes = "jsonb_build_object('seq', seq - 1, 'id', %s::text)"
        copy = f"SELECT (jsonb_populate_record(flow, {changes})).* FROM flow WHERE id = %s"
        slow.execute(f"INSERT INTO flow {copy}", (make_flow(2).id, make_flow(3).id))
        slow.execute("UPDATE wire SET flow = flow - 1 WHERE flow = (SELECT max(flow) FROM wire)")
        slow.execute("DELETE FROM flow WHERE id = %s", (make_flow(3).id,))
    assert ids(tail) == [2]
    assert ids(tail) == []
    tail.close()
