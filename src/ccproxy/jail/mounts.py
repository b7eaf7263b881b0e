"""What a jail sees in place of some of the machine's files. The mounts live in the jail's own namespace: the files
themselves stay as they are, and nothing is left when the jail ends.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from ccproxy.jail import syscalls

_READ_ONLY = syscalls.MS_BIND | syscalls.MS_REMOUNT | syscalls.MS_RDONLY | syscalls.MS_NOSUID | syscalls.MS_NODEV

#: Local name services that would answer from outside; without them libc asks the DNS.
NAME_SERVICES = ("/run/systemd/resolve/io.systemd.Resolve", "/run/nscd/socket")


def keep_to_ourselves() -> None:
    """From here on no mount leaves this namespace."""
    syscalls.mount(None, "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)


def cover(path: str, content: bytes) -> None:
    """Shows `content`, read-only, where the file `path` is. Links are followed. Raises OSError."""
    target = os.path.realpath(path)
    descriptor, name = tempfile.mkstemp(prefix="ccproxy-jail-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), 0o444)
        syscalls.mount(name, target, None, syscalls.MS_BIND)
    finally:
        os.unlink(name)  # noqa: PTH108 - the mount holds on to the file
    syscalls.mount(None, target, None, _READ_ONLY)


def hide(path: str) -> None:
    """Has a socket refuse connections, and a file be empty. Passed over if it is not there."""
    if Path(path).exists():
        syscalls.mount("/dev/null", os.path.realpath(path), None, syscalls.MS_BIND)


def own_proc() -> None:
    """A /proc of this process-id namespace. Raises OSError."""
    flags = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
    syscalls.mount("proc", "/proc", "proc", flags)
