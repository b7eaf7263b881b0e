"""Reading: with the proxy up, down or dead, without changing anything."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from ccproxy.errors import StoreError
from ccproxy.flows import schema
from ccproxy.flows.lookup import Totals
from ccproxy.flows.reader import Reader

from .support import Watched, make_flow


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "flows.db"


async def record(path: Path, *numbers: int) -> None:
    """Records flows and closes the store, as a proxy that ends properly does."""
    watched = Watched(path)
    assert all(await watched.put(*(make_flow(n) for n in numbers)))
    await asyncio.to_thread(watched.store.close)


async def test_with_the_proxy_down(path: Path) -> None:
    await record(path, *range(10))
    with Reader(path) as reader:
        assert reader.count() == 10
        assert [flow.id for flow in reader.summaries()] == [f"{n:012x}" for n in range(10)]
        assert reader.last() == f"{9:012x}"


async def test_with_the_proxy_up_each_look_shows_what_is_there_now(path: Path) -> None:
    watched = Watched(path)
    await watched.put(make_flow(1))
    with Reader(path) as reader:
        assert reader.count() == 1
        await watched.put(make_flow(2))
        assert reader.count() == 2
    await asyncio.to_thread(watched.store.close)


async def test_after_a_crash_the_log_is_read_too(path: Path) -> None:
    await record(path, 1)
    script = f"""
import os, sqlite3
connection = sqlite3.connect({str(path)!r}, autocommit=True)
connection.execute("UPDATE flow SET model = 'written last'")
os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -9
    assert path.with_name("flows.db-wal").stat().st_size > 0
    path.with_name("flows.db-shm").unlink()
    with Reader(path) as reader:
        assert next(reader.summaries()).model == "written last"


async def test_summaries_have_all_but_the_bodies(path: Path) -> None:
    await record(path, 5)
    with Reader(path) as reader:
        summary = next(reader.summaries())
        whole = reader.get(summary.id)
    assert whole is not None
    assert whole.request == make_flow(5).request
    assert (summary.request.body, summary.request.size) == (b"", whole.request.size)
    whole.request.body = b""
    assert whole.forwarded is not None
    assert whole.response is not None
    whole.forwarded.body = whole.response.body = b""
    assert summary == whole


@pytest.mark.parametrize(("limit", "numbers"), [(0, range(10)), (3, range(7, 10)), (10, range(10)), (99, range(10))])
async def test_the_newest_ones(path: Path, limit: int, numbers: range) -> None:
    await record(path, *range(10))
    with Reader(path) as reader:
        assert [flow.id for flow in reader.summaries(limit)] == [f"{n:012x}" for n in numbers]


async def test_a_look_that_is_broken_off_does_not_disturb_the_next(path: Path) -> None:
    await record(path, *range(10))
    with Reader(path) as reader:
        flows = reader.summaries()
        next(flows)
        flows.close()  # type: ignore[attr-defined]
        assert len(list(reader.summaries())) == 10
        assert reader.get(f"{3:012x}") is not None


async def test_ids_by_their_beginning(path: Path) -> None:
    await record(path, 0x10, 0x11, 0x20)
    with Reader(path) as reader:
        assert reader.find("0" * 10 + "1") == [f"{0x10:012x}", f"{0x11:012x}"]
        assert reader.find("0" * 10 + "2") == [f"{0x20:012x}"]
        assert reader.find("0", limit=3) == [f"{n:012x}" for n in (0x10, 0x11, 0x20)]
        assert reader.find("f") == []
        assert reader.get("nothing") is None


def test_what_does_not_exist_reads_as_empty_and_is_not_made(path: Path) -> None:
    with Reader(path) as reader:
        assert (reader.count(), list(reader.summaries()), reader.last()) == (0, [], None)
        assert (reader.find("a"), reader.get("a")) == ([], None)
    assert not path.exists()


def test_a_store_that_was_never_written_reads_as_empty(tmp_path: Path) -> None:
    (tmp_path / "flows.db").touch()
    with Reader(tmp_path / "flows.db") as reader:
        assert reader.count() == 0


def test_an_older_store_says_what_to_do(path: Path, tmp_path: Path) -> None:
    schema.open_for_writing(path).close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {len(schema.MIGRATIONS) + 1}")
    connection.close()
    with pytest.raises(StoreError, match="newer ccproxy"):
        Reader(path)


def test_what_is_no_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "flows.db").write_bytes(b"no database at all " * 50)
    with pytest.raises(StoreError, match="damaged"):
        Reader(tmp_path / "flows.db")
    (tmp_path / "folder.db").mkdir()
    with pytest.raises(StoreError, match=r"folder\.db"):
        Reader(tmp_path / "folder.db")


async def test_damage_is_said_when_it_is_met(path: Path) -> None:
    await record(path, 1, 2)
    connection = sqlite3.connect(path, autocommit=True)
    connection.execute("DELETE FROM wire WHERE flow = 1")
    connection.close()
    with Reader(path) as reader, pytest.raises(StoreError, match="damaged"):
        list(reader.summaries())


async def test_reading_writes_nothing(path: Path) -> None:
    await record(path, 1)
    before = path.read_bytes()
    with Reader(path) as reader:
        list(reader.summaries())
    assert path.read_bytes() == before
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in path.parent.iterdir())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody without write access")
async def test_in_a_directory_that_cannot_be_written(path: Path, tmp_path: Path) -> None:
    await record(path, 1)
    path.chmod(0o644)
    path.parent.chmod(0o755)
    script = f"""
import os
from pathlib import Path
from ccproxy.flows.reader import Reader
os.setuid(65534)
with Reader(Path({str(path)!r})) as reader:
    print(reader.count())
"""
    for folder in (path.parent, *path.parents):
        if folder.is_relative_to(tmp_path.parents[1]):
            folder.chmod(0o755)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout == "1\n", done.stderr


async def test_a_run_in_numbers(path: Path) -> None:
    watched = Watched(path)
    flows = [make_flow(n, run="a1") for n in range(3)]
    flows += [make_flow(4, run="a1", outcome="refused", response=None), make_flow(5, run="b2"), make_flow(6)]
    assert flows[0].response is not None
    flows[0].response.body = flows[0].response.body.replace(b"claude-x-2", b"claude-opus-5")
    assert all(await watched.put(*flows))
    await asyncio.to_thread(watched.store.close)
    with Reader(path) as reader:
        host = flows[0].request.host
        totals = reader.totals("a1")
        assert (totals.flows, totals.failed, totals.hosts) == (4, 1, ((host, 4),))
        usages = [flow.usage for flow in reader.summaries() if flow.run == "a1" and flow.usage is not None]
        assert totals.input == sum(usage.input or 0 for usage in usages) > 0
        assert totals.output == sum(usage.output or 0 for usage in usages) > 0
        assert totals.cost == pytest.approx((3 * 5 + 2 * 25) / 1_000_000)
        assert totals.unpriced == 2
        assert reader.totals("b2").flows == 1
        assert reader.totals("") == reader.totals("c3") == Totals()
    with Reader(path.with_name("none.db")) as reader:
        assert reader.totals("a1") == Totals()


async def test_what_came_after_a_flow(path: Path) -> None:
    await record(path, *range(5))
    with Reader(path) as reader:
        assert reader.newest() == 5
        assert [flow.seq for flow in reader.after(2, 2)] == [3, 4]
        assert [flow.seq for flow in reader.after(2, 9)] == [3, 4, 5]
        version = reader.version()
        assert reader.version() == version
        await record(path, 9)
        assert reader.version() != version


def test_nothing_comes_after_the_flows_of_no_store(tmp_path: Path) -> None:
    with Reader(tmp_path / "flows.db") as reader:
        assert (reader.newest(), reader.version(), reader.after(0, 9)) == (0, 0, [])
