"""What a killed proxy left behind is there when somebody looks, once, and only there."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from ccproxy.flows import insert, journal, recovery, retention, rows, schema
from ccproxy.flows.bodies import Packer
from ccproxy.flows.journal import Segment, leftovers
from ccproxy.flows.model import Flow
from ccproxy.flows.reader import Reader

from .support import Watched, make_flow


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "flows.db"


def left(store: Path, *flows: Flow) -> Path:
    """A segment that its process has left."""
    segment = Segment.create(store)
    for flow in flows:
        segment.append(journal.encode(flow, rows.write(flow)))
    segment.close()
    return segment.path


def ids(path: Path) -> list[str]:
    with Reader(path) as reader:
        return [flow.id for flow in reader.summaries()]


def test_a_reader_brings_leftovers_in_and_makes_the_store_if_need_be(path: Path) -> None:
    left(path, make_flow(1), make_flow(2))
    left(path, make_flow(3))
    assert ids(path) == [f"{n:012x}" for n in (1, 2, 3)]
    assert leftovers(path) == []
    with Reader(path) as reader:
        found = reader.get(f"{1:012x}")
    assert found is not None
    assert (found.request, found.answer_model) == (make_flow(1).request, "claude-x-2")


async def test_the_next_proxy_brings_leftovers_in_before_its_own(path: Path) -> None:
    left(path, make_flow(1))
    watched = Watched(path)
    await watched.put(make_flow(2))
    await asyncio.to_thread(watched.store.close)
    assert leftovers(path) == []
    assert ids(path) == [f"{1:012x}", f"{2:012x}"]


def test_killed_between_commit_and_deletion_gives_no_duplicate(path: Path) -> None:
    left(path, make_flow(1), make_flow(2))
    connection = schema.open_for_writing(path)
    insert.store(connection, Packer(), [(flow, rows.write(flow)) for flow in (make_flow(1), make_flow(2))])
    connection.close()
    left(path, make_flow(2), make_flow(3))
    assert ids(path) == [f"{n:012x}" for n in (1, 2, 3)]
    assert leftovers(path) == []


def test_a_torn_end_costs_only_itself(path: Path) -> None:
    segment = left(path, make_flow(1), make_flow(2))
    segment.write_bytes(segment.read_bytes()[:-5])
    assert ids(path) == [f"{1:012x}"]
    assert leftovers(path) == []


def test_the_segment_of_a_running_proxy_is_left_alone(path: Path) -> None:
    schema.open_for_writing(path).close()
    segment = Segment.create(path)
    segment.append(journal.encode(make_flow(1), rows.write(make_flow(1))))
    assert ids(path) == []
    assert leftovers(path) == [segment.path]
    segment.close()


def test_what_is_cleared_does_not_come_back_from_the_journal(path: Path) -> None:
    left(path, make_flow(1))
    assert retention.clear(path, None) == 1
    assert ids(path) == []


def test_a_file_of_another_version_is_left_alone_and_said(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    segment = left(path, make_flow(1))
    segment.write_bytes(b"ccproxy flows 9\n")
    left(path, make_flow(2))
    assert ids(path) == [f"{2:012x}"]
    assert leftovers(path) == [segment]
    assert "left alone" in caplog.text


def test_a_store_that_is_locked_is_said_and_nothing_is_lost(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    schema.open_for_writing(path).close()
    segment = left(path, make_flow(1))
    connection = sqlite3.connect(path, autocommit=True)
    connection.execute("BEGIN IMMEDIATE")
    recovery.recover(path, busy_seconds=0.01)
    connection.close()
    assert "cannot be read" in caplog.text
    assert "locked" in caplog.text
    assert leftovers(path) == [segment]
    assert ids(path) == [f"{1:012x}"]


def test_kill_9_before_the_first_commit_loses_no_flow(path: Path) -> None:
    script = """
import asyncio, os, sys
from pathlib import Path
from ccproxy.flows.sqlite import SqliteStore
from ccproxy.util.clock import SystemClock
from flows.support import KEEP_ALL, make_flow

async def main():
    store = SqliteStore(Path(sys.argv[1]), clock=SystemClock(), config=KEEP_ALL, gather_seconds=3600)
    store.start()
    assert all([await store.put(flow) for flow in (make_flow(1), make_flow(2))])
    os.kill(os.getpid(), 9)

asyncio.run(main())
"""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", script, str(path)], env=environment, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert ids(path) == [f"{1:012x}", f"{2:012x}"]
