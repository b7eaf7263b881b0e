"""A network that ends at this machine, for clients that would otherwise look for updates, plugins and accounts.

On Linux the process moves into a network namespace of its own, in which only loopback exists; everything it starts is
in there too. Nothing has to be trusted to leave the network alone, and a client that cannot live without it shows.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
from pathlib import Path

_SIOCSIFFLAGS = 0x8914
_IFF_UP_AND_RUNNING = 0x1 | 0x40


def raise_fence() -> str:
    """Cuts this process and its children to come off from every network but loopback. Call it before any thread is
    started. Returns "" or, where that cannot be done, why."""
    if not hasattr(os, "unshare"):
        return "there are no network namespaces on this system"
    user, group = os.geteuid(), os.getegid()
    try:
        if user == 0:
            os.unshare(os.CLONE_NEWNET)
        else:
            os.unshare(os.CLONE_NEWUSER | os.CLONE_NEWNET)
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
            Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
        with socket.socket() as any_socket:
            fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP_AND_RUNNING))
    except OSError as error:
        return f"no network namespace can be made here: {error.strerror}"
    return ""
