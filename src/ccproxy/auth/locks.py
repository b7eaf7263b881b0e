"""Locks between processes around the renewal of a login.

Two kinds: an advisory lock on the folder of the file (`flock`, gone with its process, leaves nothing behind) among
processes of ccproxy, and the lock folders that Claude Code makes around its own renewals, so that the two tools do not
use up the same refresh token. A lock folder whose owner has died counts as free when it is old enough.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Protocol

from ccproxy.util.clock import Clock

Sleep = Callable[[float], Awaitable[object]]
#: Seconds between two looks at a lock that is taken.
STEP = 0.05


class Lock(Protocol):
    """A lock that is tried for."""

    def take(self) -> bool:
        """Whether it is ours now. Raises OSError if it cannot be had at all."""
        ...

    def release(self) -> None:
        """Gives it back."""
        ...


class FlockLock:
    """`flock` on a folder, or on any file that exists. Works on read-only ones."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1

    def take(self) -> bool:
        descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        os.close(self._descriptor)
        self._descriptor = -1


class FolderLock:
    """A folder that exists while somebody holds the lock.

    Args:
        path: the folder.
        stale: seconds without a change of its time after which its owner counts as dead.
        clock: measures that; folder times are wall time.
    """

    def __init__(self, path: Path, *, stale: float, clock: Clock) -> None:
        self._path = path
        self._stale = stale
        self._clock = clock

    def take(self) -> bool:
        try:
            self._path.mkdir()
        except FileExistsError:
            self._remove_stale()
            return False
        except OSError:
            # Where no folder can be made the owner of the file cannot lock either: nothing to respect.
            return not self._path.exists()
        return True

    def release(self) -> None:
        with contextlib.suppress(OSError):
            self._path.rmdir()

    def _remove_stale(self) -> None:
        with contextlib.suppress(OSError):
            if self._clock.wall() - self._path.stat().st_mtime > self._stale:
                self._path.rmdir()


@contextlib.asynccontextmanager
async def hold(
    locks: Sequence[Lock], *, limit: float, clock: Clock, sleep: Sleep, done: Callable[[], Awaitable[bool]]
) -> AsyncIterator[bool]:
    """Holds all the locks, taken in order, and gives True; or False as soon as `done()` says, while they are taken by
    others, that they are not needed any more.

    Args:
        limit: longest wait in seconds.

    Raises TimeoutError after that, OSError if a lock cannot be had at all.
    """
    held: list[Lock] = []
    end = clock.mono() + limit
    try:
        for lock in locks:
            while not lock.take():
                if await done():
                    yield False
                    return
                if clock.mono() >= end:
                    raise TimeoutError
                await sleep(STEP)
            held.append(lock)
        yield True
    finally:
        for lock in reversed(held):
            lock.release()
