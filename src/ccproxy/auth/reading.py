"""Small local files that hold secrets: read in place, and told apart by their version.

A look at a version costs microseconds, so sources look at every request and a changed file is used at once.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

#: Changes whenever the file does.
Version = tuple[int, ...]
_OTHERS_CAN_READ = stat.S_IRGRP | stat.S_IROTH


class Unreadable(Exception):
    """A file that cannot be used; the text completes the sentence "the file …". Never leaves the package."""


class Missing(Unreadable):
    """There is no such file."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a file held at one moment. `mode` is its permission bits."""

    data: bytes = field(repr=False)
    version: Version
    mode: int

    @property
    def exposed(self) -> bool:
        """Whether other users of the machine can read it."""
        return bool(self.mode & _OTHERS_CAN_READ)


def version_of(path: Path) -> Version:
    """The version of a file. Raises Unreadable."""
    try:
        return _version(path.stat())
    except (OSError, ValueError) as error:
        raise _why(error) from None


def read_file(path: Path, limit: int) -> Content:
    """The content of a regular file, up to one byte more than `limit`. Raises Unreadable."""
    try:
        # Not blocking: opening a pipe that nobody writes to would stop everything.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        raise _why(error) from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise Unreadable("is not a regular file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return Content(file.read(limit + 1), _version(status), stat.S_IMODE(status.st_mode))
    except OSError as error:
        raise _why(error) from None
    finally:
        os.close(descriptor)


def expand(name: str) -> Path:
    """The path that a name in the configuration means. Raises Unreadable."""
    try:
        return Path(name).expanduser()
    except RuntimeError:
        raise Unreadable("names a home directory that is not known") from None


def _version(status: os.stat_result) -> Version:
    return status.st_mtime_ns, status.st_size, status.st_ino, status.st_dev


def _why(error: OSError | ValueError) -> Unreadable:
    match error:
        case FileNotFoundError():
            return Missing("does not exist")
        case PermissionError():
            return Unreadable("cannot be read: permission denied")
        case OSError(strerror=str() as reason):
            return Unreadable(f"cannot be read: {reason.lower()}")
        case _:
            return Unreadable("cannot be read: not a path")
