"""A network that ends at this machine, for clients that would otherwise look for updates, plugins and accounts.

On Linux the process moves into a network namespace of its own, in which only loopback exists; everything it starts is
in there too. Nothing has to be trusted to leave the network alone, and a client that cannot live without it shows.
For clients in a jail the providers' names lead to addresses in there.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
from collections.abc import Mapping
from pathlib import Path

from ccproxy.jail import mounts

_SIOCSIFFLAGS = 0x8914
_SIOCSIFADDR = 0x8916
_SIOCSIFNETMASK = 0x891C
_IFF_UP_AND_RUNNING = 0x1 | 0x40


def raise_fence(hosts: Mapping[str, str] | None = None) -> str:
    """Cuts this process and its children to come off from every network but loopback. Call it before any thread is
    started. Returns "" or, where that cannot be done, why.

    Args:
        hosts: IPv4 addresses by the names that lead to them; they become this network's own.
    """
    if not hasattr(os, "unshare"):
        return "there are no network namespaces on this system"
    user, group = os.geteuid(), os.getegid()
    wanted = os.CLONE_NEWNET | (os.CLONE_NEWNS if hosts else 0)
    try:
        if user == 0:
            os.unshare(wanted)
        else:
            os.unshare(os.CLONE_NEWUSER | wanted)
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
            Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
        with socket.socket() as any_socket:
            fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP_AND_RUNNING))
            for number, address in enumerate(sorted(set((hosts or {}).values())), 1):
                for call, value in ((_SIOCSIFADDR, address), (_SIOCSIFNETMASK, "255.255.255.255")):
                    place = struct.pack("=HH4s8x", socket.AF_INET, 0, socket.inet_aton(value))
                    fcntl.ioctl(any_socket, call, struct.pack("16s24s", f"lo:{number}".encode(), place))
        if hosts:
            lines = "".join(f"{address} {name}\n" for name, address in hosts.items())
            mounts.keep_to_ourselves()
            mounts.cover("/etc/hosts", f"127.0.0.1 localhost\n::1 localhost\n{lines}".encode())
    except OSError as error:
        return f"no network namespace can be made here: {error.strerror}"
    return ""
