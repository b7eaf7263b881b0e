"""The journal: what was appended whole comes back, whatever became of the process."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ccproxy.flows import journal, rows
from ccproxy.flows.journal import MAGIC, Segment, UnknownJournal, leftovers
from ccproxy.flows.model import Flow, WebSocketMessage, WebSocketRecord

from .support import make_flow


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "state" / "flows.db"


def written(store: Path, *flows: Flow) -> Path:
    """A segment that its process has left."""
    segment = Segment.create(store)
    for flow in flows:
        segment.append(journal.encode(flow, rows.write(flow)))
    segment.close()
    return segment.path


def record(number: int) -> bytes:
    flow = make_flow(number)
    return b"".join(journal.encode(flow, rows.write(flow)))


def read(path: Path) -> list[Flow]:
    segment = Segment.claim(path)
    assert segment is not None
    try:
        return [flow for flow, _ in segment.flows()]
    finally:
        segment.close()


def test_flows_come_back_equal_and_in_order(store: Path) -> None:
    message = WebSocketMessage(True, False, b"\x00\xff", 2, 1.5)
    flows = [
        make_flow(1),
        make_flow(2, forwarded=None, response=None, ttfb=None),
        make_flow(3, websocket=WebSocketRecord([message], 1, 2, 1.5)),
    ]
    found = read(written(store, *flows))
    assert found == flows
    assert found[0].forwarded is not None
    assert found[0].forwarded.body is found[0].request.body


def test_a_body_that_both_requests_share_is_written_once_and_the_flow_is_as_before(store: Path) -> None:
    flow = make_flow()
    assert flow.forwarded is not None
    flow.request.body = flow.forwarded.body = b"x" * 100_000
    assert len(b"".join(journal.encode(flow, rows.write(flow)))) < 110_000
    assert flow.forwarded.body is flow.request.body


def test_files_and_directory_are_private(store: Path) -> None:
    before = os.umask(0)
    try:
        segment = Segment.create(store)
    finally:
        os.umask(before)
    assert segment.path.stat().st_mode & 0o777 == 0o600
    assert store.parent.stat().st_mode & 0o777 == 0o700
    segment.remove()
    assert list(store.parent.iterdir()) == []


def test_a_torn_record_ends_the_segment_wherever_it_is_torn(store: Path) -> None:
    path = written(store, make_flow(1), make_flow(2))
    whole = path.read_bytes()
    first = len(MAGIC) + len(record(1))
    for size in range(first, len(whole)):
        path.write_bytes(whole[:size])
        assert [flow.id for flow in read(path)] == [f"{1:012x}"], size
    for size in range(len(MAGIC)):
        path.write_bytes(whole[:size])
        assert read(path) == [], size


def test_a_damaged_record_ends_the_segment(store: Path) -> None:
    path = written(store, make_flow(1), make_flow(2))
    whole = path.read_bytes()
    for position in range(len(MAGIC) + len(record(1)), len(whole)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x55]) + whole[position + 1 :])
        assert [flow.id for flow in read(path)] == [f"{1:012x}"], position


def test_what_is_no_segment_is_not_read(store: Path) -> None:
    path = written(store)
    path.write_bytes(b"ccproxy flows 9\n" + b"x" * 100)
    with pytest.raises(UnknownJournal):
        read(path)


def test_a_segment_in_use_cannot_be_claimed(store: Path) -> None:
    segment = Segment.create(store)
    assert leftovers(store) == [segment.path]
    assert Segment.claim(segment.path) is None
    segment.close()
    claimed = Segment.claim(segment.path)
    assert claimed is not None
    claimed.remove()
    assert Segment.claim(segment.path) is None
    assert leftovers(store) == []


def test_the_segment_of_a_killed_process_can_be_claimed(store: Path) -> None:
    script = (
        "import os; from pathlib import Path; from ccproxy.flows.journal import Segment\n"
        f"Segment.create(Path({str(store)!r})); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -9
    [path] = leftovers(store)
    assert read(path) == []


def test_names_that_are_taken_are_passed_over(store: Path) -> None:
    one, other = Segment.create(store), Segment.create(store)
    assert one.path != other.path
    one.remove()
    other.remove()


def test_a_record_that_does_not_fit_leaves_nothing_behind(store: Path) -> None:
    import resource
    import signal

    segment = Segment.create(store)
    segment.append((record(1),))
    before = segment.path.stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (before + 100, limits[1]))
    try:
        with pytest.raises(OSError) as caught:
            segment.append((record(2),))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert caught.value.errno == errno.EFBIG
    assert segment.path.stat().st_size == before
    segment.append((record(3),))
    segment.close()
    assert [flow.id for flow in read(segment.path)] == [f"{1:012x}", f"{3:012x}"]
