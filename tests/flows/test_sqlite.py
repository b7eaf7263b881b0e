"""The store's writer: nothing committed is lost, nothing blocks, and trouble is survived and said."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from ccproxy.flows import journal, retention, schema
from ccproxy.flows.config import FlowsConfig
from ccproxy.flows.reader import Reader
from ccproxy.flows.redact import NOTHING, Scrubber
from ccproxy.util.clock import FakeClock

from .support import PATIENCE, START, Watched, make_flow

HERE = Path(__file__).parent

Start = Callable[..., Watched]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "flows.db"


@pytest.fixture
async def start(path: Path) -> AsyncIterator[Start]:
    running: list[Watched] = []

    def make(**options: Any) -> Watched:
        watched = Watched(path, **options)
        running.append(watched)
        return watched

    yield make
    for watched in running:
        await asyncio.to_thread(watched.store.close)


def ids(path: Path) -> list[str]:
    with Reader(path) as reader:
        return [flow.id for flow in reader.summaries()]


def locked(path: Path) -> sqlite3.Connection:
    """Another program that keeps the store locked until its connection is closed."""
    connection = sqlite3.connect(path, autocommit=True)
    connection.execute("BEGIN IMMEDIATE")
    return connection


async def test_what_is_answered_with_true_can_be_read(start: Start, path: Path) -> None:
    watched = start()
    assert await watched.put(*(make_flow(n) for n in range(50))) == [True] * 50
    assert ids(path) == [f"{n:012x}" for n in range(50)]
    with Reader(path) as reader:
        found = reader.get(f"{7:012x}")
    assert found is not None
    assert found.request == make_flow(7).request
    assert watched.store.stats().stored == 50
    assert watched.store.stats().queued_bytes == 0


async def test_usage_is_read_and_compressed_secrets_are_removed_before_anything_is_written(
    start: Start, path: Path
) -> None:
    import gzip

    secret = "sk-ant-api03-0123456789abcdefghij"
    flow = make_flow(1)
    flow.response.headers.append(("Content-Encoding", "gzip"))
    flow.response.body = gzip.compress(b'{"model":"m","echo":"%s","usage":{"input_tokens":3}}' % secret.encode())
    watched = start()
    assert await watched.store.put(flow, Scrubber([secret]))
    assert await watched.flush()
    with Reader(path) as reader:
        found = reader.get(flow.id)
    assert found.usage.input == 3
    assert found.answer_model == "m"
    assert found.response.redacted
    assert secret.encode() not in gzip.decompress(found.response.body)


async def test_a_body_that_is_sent_again_takes_next_to_nothing(start: Start, path: Path) -> None:
    request = make_flow(0).request
    request.body = random.Random(1).randbytes(10_000)
    await start().put(*(make_flow(n, request=request, forwarded=None) for n in range(5)))
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT sum(length(data)) < 10200 FROM body").fetchone() == (1,)
    connection.close()


async def test_small_bodies_stand_with_their_flow_and_forwarded_ones_as_their_difference(
    start: Start, path: Path
) -> None:
    alike, changed, other = make_flow(1), make_flow(2), make_flow(3)
    for number, flow in enumerate((alike, changed, other)):
        flow.request.body = flow.forwarded.body = random.Random(number).randbytes(5_000).hex().encode()
    changed.forwarded.body = b"Xother start " + changed.request.body[3:]
    other.forwarded.body = random.Random(9).randbytes(5_000)
    await start().put(alike, changed, other)
    connection = sqlite3.connect(path)
    query = "SELECT typeof(request_body), forwarded_body, typeof(response_body) FROM wire ORDER BY flow"
    assert connection.execute(query).fetchall() == [
        ("integer", "request", "blob"),
        ("integer", 2 * 8 + 1, "blob"),
        ("integer", 3 * 8 + 1, "blob"),
    ]
    query = "SELECT id, base, encoding, length(data) < 100 FROM body WHERE id % 8 = 1"
    assert connection.execute(query).fetchall() == [(17, 16, "delta", 1), (25, None, "raw", 0)]
    connection.close()
    with Reader(path) as reader:
        assert [reader.get(flow.id).forwarded for flow in (alike, changed, other)] == [
            flow.forwarded for flow in (alike, changed, other)
        ]


async def test_flows_put_together_are_journaled_by_one_write_and_dropped_one_by_one(start: Start, path: Path) -> None:
    watched = start(gather_seconds=3600.0)
    bad = make_flow(2)
    bad.request.headers = [("x", object())]  # type: ignore[list-item]
    large = make_flow(4)
    large.request.body = bytes(2_000_000)
    futures = watched.store.put_all([(flow, NOTHING) for flow in (make_flow(1), bad, make_flow(3), large)])
    assert [future.done() for future in futures] == [True, True, True, False]
    assert await asyncio.wait_for(asyncio.gather(*futures), PATIENCE) == [True, False, True, True]
    assert await watched.flush()
    assert sorted(ids(path)) == [f"{number:012x}" for number in (1, 3, 4)]
    assert watched.store.stats().queued_bytes == 0


async def test_a_batch_costs_the_event_loop_no_wakening(start: Start, path: Path) -> None:
    watched = start()
    await watched.put(make_flow(0))
    loop = asyncio.get_running_loop()
    calls: list[Any] = []
    original = loop.call_soon_threadsafe

    def counting(callback: Any, *args: Any, **options: Any) -> Any:
        if threading.current_thread().name == "flow-store":
            calls.append(callback)
        return original(callback, *args, **options)

    loop.call_soon_threadsafe = counting  # type: ignore[method-assign]
    futures = [watched.store.put(make_flow(n)) for n in range(1, 101)]
    assert all(future.done() and future.result() for future in futures), "nobody waits for the database"
    assert await watched.flush()
    assert len(calls) == 1, "the answer to `flush`"
    assert len(ids(path)) == 101


async def test_flows_gather_for_a_while_and_then_go_by_themselves(start: Start, path: Path) -> None:
    watched = start(gather_seconds=0.0)
    assert await watched.flush(), "the file is there"
    assert await watched.store.put(make_flow(0))
    async with asyncio.timeout(PATIENCE):
        while not ids(path):
            await asyncio.sleep(0)


@pytest.mark.parametrize(("count", "size"), [(512, 100), (7, 1_000_000)])
async def test_a_batch_that_is_large_enough_goes_at_once(start: Start, path: Path, count: int, size: int) -> None:
    watched = start(gather_seconds=3600.0)
    flows = [make_flow(number) for number in range(count)]
    for flow in flows:
        flow.request.body = bytes(size)
    assert all(await asyncio.gather(*(watched.store.put(flow) for flow in flows)))
    async with asyncio.timeout(PATIENCE):
        while len(ids(path)) < count:
            await asyncio.sleep(0)


async def test_a_full_queue_drops_counts_and_says_so_without_waiting(
    start: Start, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    watched = start(busy_seconds=PATIENCE, max_queued=3)
    await watched.put(make_flow(0))
    lock = locked(path)
    futures = [watched.store.put(make_flow(n)) for n in range(1, 6)]
    assert [future.result() for future in futures] == [True, True, True, False, False]
    assert watched.store.stats().dropped == 2
    assert watched.store.stats().queued == 3
    lock.close()
    await watched.flush()
    assert len(ids(path)) == 4
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == [
        "the flow store cannot keep up: flows are dropped until it has caught up",
        "the flow store has caught up; 2 flows were dropped since the start",
    ]


async def test_the_queue_is_bounded_in_bytes_but_takes_any_one_flow(start: Start, path: Path) -> None:
    watched = start(busy_seconds=PATIENCE, max_queued_bytes=100_000)
    await watched.put(make_flow(0))
    large = [make_flow(n) for n in (1, 2)]
    for flow in large:
        flow.request.body = bytes(200_000)
    lock = locked(path)
    first, second = (watched.store.put(flow) for flow in large)
    assert second.done()
    assert not second.result()
    lock.close()
    assert await first


async def test_a_second_flow_of_the_same_id_is_dropped_alone(start: Start, path: Path) -> None:
    watched = start()
    await watched.put(make_flow(1))
    await watched.put(make_flow(1), make_flow(2), make_flow(2))
    assert ids(path) == [f"{1:012x}", f"{2:012x}"]
    assert watched.store.stats().dropped == 2


async def test_a_flow_that_cannot_be_stored_is_dropped_alone(start: Start, path: Path) -> None:
    watched = start()
    odd = make_flow(1)
    odd.request.headers = [("x", object())]  # type: ignore[list-item]
    assert await watched.put(odd, make_flow(2)) == [False, True]
    assert watched.store.problem == ""


async def test_a_locked_store_is_off_and_comes_back_with_what_was_journaled(
    start: Start, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    watched = start()
    await watched.put(make_flow(0))
    lock = locked(path)
    assert await watched.store.put(make_flow(1)), "it is in the journal"
    assert not await watched.flush()
    assert "locked" in await watched.next_problem()
    assert "locked" in watched.store.problem
    future = watched.store.put(make_flow(2))
    assert future.done(), "a store that is off makes nobody wait"
    assert not future.result()
    lock.close()
    assert await watched.next_problem() == ""
    assert watched.store.problem == ""
    assert ids(path) == [f"{0:012x}", f"{1:012x}"]
    assert (watched.store.stats().stored, watched.store.stats().dropped) == (2, 1)
    assert [record.message for record in caplog.records if "on again" in record.message] == [
        "recording is on again: 1 flows were not recorded"
    ]


async def test_one_trouble_is_one_warning(start: Start, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    watched = start()
    await watched.put(make_flow(0))
    lock = locked(path)
    await watched.put(make_flow(1))
    await watched.next_problem()
    opened = watched.store.stats().dropped
    for number in range(2, 200):
        assert not await watched.store.put(make_flow(number))
    assert watched.store.stats().dropped == opened + 198
    lock.close()
    assert len([record for record in caplog.records if "recording is off" in record.message]) == 1


async def test_a_damaged_store_is_left_alone_and_said(start: Start, path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is no database, but a long text " * 100)
    watched = start()
    assert "damaged" in await watched.next_problem()
    assert await watched.put(make_flow()) == [False]
    assert path.read_bytes().startswith(b"this is no database")
    path.unlink()
    while not await watched.store.put(make_flow(1)):
        await asyncio.sleep(0)
    assert await watched.flush()
    assert await watched.next_problem() == ""


async def test_a_store_of_a_newer_version_is_refused_in_a_clear_line(start: Start, path: Path) -> None:
    schema.open_for_writing(path, migrations=(*schema.MIGRATIONS, "CREATE TABLE one (a);")).close()
    problem = await start().next_problem()
    assert "newer ccproxy" in problem
    assert "\n" not in problem


async def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    watched = Watched(tmp_path / "file" / "flows.db")
    assert "cannot be opened" in await watched.next_problem()
    assert await watched.put(make_flow()) == [False]
    await asyncio.to_thread(watched.store.close)


@pytest.mark.parametrize("victim", ["flows.db", "flows.db-wal", ""])
async def test_files_deleted_under_the_proxy_cost_no_flow(
    start: Start, path: Path, victim: str, caplog: pytest.LogCaptureFixture
) -> None:
    watched = start()
    assert await watched.put(make_flow(0)) == [True]
    if victim:
        (path.parent / victim).unlink()
    else:
        shutil.rmtree(path.parent)
    assert await watched.put(make_flow(1)) == [True]
    assert ids(path)[-1] == f"{1:012x}"
    assert watched.store.problem == ""
    assert "deleted or replaced" in caplog.text


async def test_a_file_that_was_moved_away_is_whole_and_the_new_one_holds_only_what_came_later(
    start: Start, path: Path, tmp_path: Path
) -> None:
    watched = start()
    await watched.put(make_flow(0))
    path.rename(tmp_path / "kept.db")
    assert await watched.put(make_flow(1)) == [True]
    assert ids(tmp_path / "kept.db") == [f"{0:012x}"]
    assert ids(path) == [f"{1:012x}"]


async def test_a_file_that_was_put_in_its_place_is_taken_over(start: Start, path: Path, tmp_path: Path) -> None:
    schema.open_for_writing(tmp_path / "other.db").close()
    watched = start()
    await watched.put(make_flow(0))
    (tmp_path / "other.db").replace(path)
    assert await watched.put(make_flow(1)) == [True]
    assert ids(path) == [f"{1:012x}"]


async def test_retention_runs_while_flows_come(start: Start, path: Path) -> None:
    config = FlowsConfig(keep_days=0, keep_flows=50, keep_bytes=0)
    watched = start(config=config)
    for first in range(0, 300, 10):
        await watched.put(*(make_flow(n) for n in range(first, first + 10)))
    await asyncio.to_thread(watched.store.close)
    left = ids(path)
    assert 50 <= len(left) <= 60
    assert left[-1] == f"{299:012x}"


async def test_retention_runs_at_the_start(start: Start, path: Path) -> None:
    watched = start()
    await watched.put(*(make_flow(n) for n in range(5)))
    await asyncio.to_thread(watched.store.close)
    later = FakeClock(START + 100 * 86_400)
    again = start(clock=later, config=FlowsConfig(keep_days=14))
    await again.put(make_flow(99, started=later.wall()))
    assert ids(path) == [f"{99:012x}"]


async def test_order_is_that_of_recording_when_the_clock_goes_backwards(start: Start, path: Path) -> None:
    watched = start(clock=FakeClock(START + 500), config=FlowsConfig(keep_days=1))
    for number, moment in enumerate((500, 100, -1e9, 300)):
        await watched.put(make_flow(number, started=START + moment))
    assert ids(path) == [f"{n:012x}" for n in range(4)]


async def test_closing_writes_what_is_queued_and_leaves_one_file(start: Start, path: Path) -> None:
    watched = start()
    futures = [watched.store.put(make_flow(n)) for n in range(300)]
    await asyncio.to_thread(watched.store.close)
    assert await asyncio.gather(*futures) == [True] * 300
    assert [file.name for file in path.parent.iterdir()] == ["flows.db"]
    assert await watched.put(make_flow(999)) == [False]
    watched.store.close()


async def test_closing_while_off_does_not_wait_for_the_pause(start: Start, path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"no database " * 100)
    watched = start(pause=(3600.0, 3600.0))
    await watched.next_problem()
    before = time.monotonic()
    await asyncio.to_thread(watched.store.close)
    assert time.monotonic() - before < PATIENCE


async def test_reading_and_clearing_while_writing(start: Start, path: Path) -> None:
    watched = start(busy_seconds=PATIENCE)
    await watched.put(make_flow(0))

    def read_and_clear() -> tuple[int, int]:
        seen = 0
        for _ in range(20):
            with Reader(path) as reader:
                found = list(reader.summaries())
                seen = max(seen, len(found))
                for flow in found[:3]:
                    whole = reader.get(flow.id)
                    assert whole is not None
                    assert whole.request.body
        return seen, retention.clear(path, None)

    other = asyncio.get_running_loop().run_in_executor(None, read_and_clear)
    number = 0
    stored = [True]
    while not other.done():
        batch = [make_flow(n) for n in range(number + 1, number + 11)]
        number += 10
        stored += await watched.put(*batch)
    seen, cleared = await other
    assert all(stored)
    assert seen > 0
    assert cleared + len(ids(path)) == number + 1
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_kill_9_loses_no_committed_flow(path: Path) -> None:
    reported: list[str] = []
    for _ in range(3):
        child = subprocess.Popen([sys.executable, str(HERE / "crash.py"), str(path)], stdout=subprocess.PIPE)
        assert child.stdout is not None
        lines: list[str] = []
        try:
            while len(lines) < 150:
                line = child.stdout.readline().decode()
                assert line, "the child ended by itself"
                lines.append(line.strip())
        finally:
            child.kill()
            lines += child.stdout.read().decode().split()
            child.stdout.close()
            assert child.wait() == -9
        reported += lines
        with Reader(path) as reader:
            for flow_id in lines:
                flow = reader.get(flow_id)
                assert flow is not None, "a flow that was reported as committed is gone"
                assert json.loads(flow.request.body)["n"] == int(flow_id, 16)
        path.rename(path.with_suffix(f".{len(reported)}"))
        for companion in ("-wal", "-shm"):
            path.with_name(path.name + companion).unlink(missing_ok=True)


def test_a_full_disk_turns_recording_off_until_there_is_room(tmp_path: Path) -> None:
    script = 'mount -t tmpfs -o size=2m tmpfs "$1" && exec "$2" "$3" "$1"'
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh"]
    probe = ["unshare", "--map-root-user", "--mount", "sh", "-c", 'mount -t tmpfs -o size=2m tmpfs "$1"', "sh"]
    if (
        not shutil.which("unshare")
        or subprocess.run([*probe, str(tmp_path)], capture_output=True, check=False).returncode
    ):
        pytest.skip("no small disk can be mounted here")
    done = subprocess.run(
        [*command, str(tmp_path), sys.executable, str(HERE / "disk_full.py")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["stored"] > 10
    assert "is full" in report["problem"]
    assert "ccproxy flows clear" in report["problem"]
    assert report["recovered"] == ""


@pytest.mark.parametrize("repeats", [1, 2_000, 400_000], ids=["on the loop", "too much for the loop", "large"])
async def test_no_secret_is_in_a_segment(path: Path, repeats: int) -> None:
    import gzip
    import random

    canary = b"canary-0123456789-abcdefghij"
    noise = random.Random(1).randbytes(20_000).hex().encode() if repeats > 1 else b""
    flow = make_flow(1)
    flow.response.headers.append(("Content-Encoding", "gzip"))
    flow.response.body = gzip.compress(noise + b'{"echo":"%s"}' % canary * min(repeats, 100) + b" " * repeats)
    watched = Watched(path, gather_seconds=3600.0)
    await watched.put(make_flow(0))
    lock = locked(path)  # so that the segment stays for us to look at
    assert await asyncio.wait_for(watched.store.put(flow, Scrubber([canary.decode()])), PATIENCE)
    [file] = journal.leftovers(path)
    [(found, _)] = journal.records(file.read_bytes())
    assert found.response.redacted
    assert canary not in gzip.decompress(found.response.body)
    lock.close()
    await watched.flush()
    await asyncio.to_thread(watched.store.close)
    with Reader(path) as reader:
        stored = reader.get(flow.id)
    assert stored.response.redacted
    assert canary not in gzip.decompress(stored.response.body)


async def test_a_flow_of_more_than_a_megabyte_is_journaled_apart(start: Start, path: Path) -> None:
    watched = start(gather_seconds=3600.0)
    flow = make_flow(1)
    flow.request.body = bytes(2_000_000)
    future = watched.store.put(flow)
    assert not future.done(), "the event loop does not wait for it"
    assert await asyncio.wait_for(future, PATIENCE)
    assert await watched.flush()
    assert ids(path) == [flow.id]
    assert journal.leftovers(path) == []


async def test_without_a_journal_the_database_is_waited_for(start: Start, path: Path) -> None:
    watched = start()
    await watched.put(make_flow(0))
    for number in range(200):
        path.with_name(f"{path.name}.pending-{os.getpid()}-{number}").touch()
    future = watched.store.put(make_flow(1))
    assert not future.done()
    assert await asyncio.wait_for(future, PATIENCE)
    assert ids(path) == [f"{0:012x}", f"{1:012x}"]


async def test_the_journal_of_a_batch_goes_with_its_commit(start: Start, path: Path) -> None:
    watched = start(gather_seconds=3600.0)
    assert await watched.store.put(make_flow(1))
    assert len(journal.leftovers(path)) == 1
    assert await watched.flush()
    assert journal.leftovers(path) == []


async def test_what_is_owed_at_the_end_is_left_to_the_next(start: Start, path: Path) -> None:
    watched = start(pause=(3600.0, 3600.0))
    await watched.put(make_flow(0))
    lock = locked(path)
    assert await watched.store.put(make_flow(1))
    assert not await watched.flush()
    await asyncio.to_thread(watched.store.close)
    lock.close()
    assert len(journal.leftovers(path)) == 1
    assert ids(path) == [f"{0:012x}", f"{1:012x}"]
