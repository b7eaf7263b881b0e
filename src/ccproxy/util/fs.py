"""Files that hold private data: created 0600 in 0700 directories, replaced atomically."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path


def private_dir(path: Path) -> Path:
    """Makes `path` and its missing parents with mode 0700 and returns it. An existing directory is left as it is."""
    missing: list[Path] = []
    current = path
    while not current.exists():
        missing.append(current)
        current = current.parent
    for directory in reversed(missing):
        directory.mkdir(mode=0o700, exist_ok=True)
    return path


def atomic_write(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Replaces the file at `path` so that a reader sees the old or the new content, never a part.

    Written to a sibling, flushed to disk, renamed over the target; a link is followed, so the target of a
    linked dotfile is what changes. The file keeps its owner, as far as this process may give files away. Raises OSError.
    """
    target = path.resolve()
    private_dir(target.parent)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            with contextlib.suppress(FileNotFoundError, PermissionError):
                before = target.stat()
                if (before.st_uid, before.st_gid) != (os.getuid(), os.getgid()):
                    os.fchown(file.fileno(), before.st_uid, before.st_gid)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def ensure_private_file(path: Path) -> Path:
    """Creates `path` empty with mode 0600 if it is missing, tightens it to 0600 if it is not, and returns it."""
    private_dir(path.parent)
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)
    return path
