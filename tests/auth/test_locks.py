from __future__ import annotations

import os
from pathlib import Path

import pytest

from ccproxy.auth.locks import FlockLock, FolderLock, hold
from ccproxy.util.clock import FakeClock


class Waiting:
    """A clock that time passes on while somebody waits."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.naps = 0
        self.finished = False

    async def sleep(self, seconds: float) -> None:
        self.naps += 1
        self.clock.advance(seconds)

    async def done(self) -> bool:
        return self.finished


def test_a_folder_is_locked_by_one_at_a_time(tmp_path: Path) -> None:
    first, second = FlockLock(tmp_path), FlockLock(tmp_path)

    assert first.take()
    assert not second.take()
    first.release()
    assert second.take()
    second.release()
    assert list(tmp_path.iterdir()) == []


def test_what_does_not_exist_cannot_be_locked(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FlockLock(tmp_path / "none").take()


def test_a_lock_folder_keeps_others_out_until_it_is_stale(tmp_path: Path) -> None:
    clock = FakeClock()
    path = tmp_path / ".oauth_refresh.lock"
    path.mkdir()
    os.utime(path, (clock.wall(), clock.wall()))
    lock = FolderLock(path, stale=60, clock=clock)

    assert not lock.take()
    clock.advance(60)
    assert not lock.take()
    clock.advance(1)
    assert not lock.take()  # removed by this look
    assert lock.take()
    assert path.is_dir()
    lock.release()
    assert not path.exists()


def test_where_no_folder_can_be_made_there_is_nobody_to_respect(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path / "none" / "x.lock", stale=60, clock=FakeClock())

    assert lock.take()
    lock.release()


async def test_all_are_held_in_order_and_given_back(tmp_path: Path) -> None:
    w = Waiting()
    folder = tmp_path / "x.lock"

    async with hold(
        [FlockLock(tmp_path), FolderLock(folder, stale=60, clock=w.clock)],
        limit=1,
        clock=w.clock,
        sleep=w.sleep,
        done=w.done,
    ) as held:
        assert held
        assert folder.is_dir()
        assert not FlockLock(tmp_path).take()

    assert not folder.exists()
    assert FlockLock(tmp_path).take()


async def test_a_wait_has_an_end_and_gives_back_what_it_had(tmp_path: Path) -> None:
    w = Waiting()
    folder = tmp_path / "x.lock"
    folder.mkdir()
    os.utime(folder, (w.clock.wall(), w.clock.wall()))

    with pytest.raises(TimeoutError):
        async with hold(
            [FlockLock(tmp_path), FolderLock(folder, stale=60, clock=w.clock)],
            limit=1,
            clock=w.clock,
            sleep=w.sleep,
            done=w.done,
        ):
            raise AssertionError

    assert FlockLock(tmp_path).take()
    assert folder.is_dir()


async def test_a_wait_ends_when_the_work_is_done(tmp_path: Path) -> None:
    w = Waiting()
    other = FlockLock(tmp_path)
    other.take()
    w.finished = True

    async with hold([FlockLock(tmp_path)], limit=1, clock=w.clock, sleep=w.sleep, done=w.done) as held:
        assert not held
    assert w.naps == 0


async def test_a_lock_given_back_is_taken(tmp_path: Path) -> None:
    w = Waiting()
    other = FlockLock(tmp_path)
    other.take()

    async def sleep(seconds: float) -> None:
        await w.sleep(seconds)
        if w.naps == 3:
            other.release()

    async with hold([FlockLock(tmp_path)], limit=1, clock=w.clock, sleep=sleep, done=w.done) as held:
        assert held
