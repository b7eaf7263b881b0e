"""Makes a world for the tests and keeps it: a network namespace with nothing but addresses of its own, and mounts that
lend it an interpreter which other users may read. Prints `up` and lives until its standard input ends.

    inhabit.py SPECIFICATION.json

As root the namespaces are root's, and /dev/net/tun is what udev's rule makes of it (0666); as another user they are in a
user namespace of their own, and the machine's device has to do. Nothing of the machine is changed.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import stat
import struct
import sys
from pathlib import Path


def main() -> None:
    spec = json.loads(Path(sys.argv[1]).read_text())
    sys.path.insert(0, spec["source"])
    from ccproxy.jail import network, syscalls

    as_root = os.geteuid() == 0
    uid, gid = os.getuid(), os.getgid()
    os.unshare(os.CLONE_NEWNET | os.CLONE_NEWNS | (0 if as_root else os.CLONE_NEWUSER))
    if not as_root:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    syscalls.mount(None, "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
    network.loopback_up()
    for number, address in enumerate(spec["addresses"], 1):
        add_address(address, number)
    for source, target in spec["binds"]:
        syscalls.mount(source, target, None, syscalls.MS_BIND | syscalls.MS_REC)
    if as_root:
        syscalls.mount("tmpfs", "/dev/net", "tmpfs", 0, "mode=0755")
        os.mknod("/dev/net/tun", stat.S_IFCHR | 0o666, os.makedev(10, 200))
        Path("/dev/net/tun").chmod(0o666)  # whatever the umask
    sys.argv[1:] = spec["certificate"]
    import runpy

    runpy.run_path(str(Path(__file__).with_name("site.py")), run_name="__main__")


def add_address(address: str, number: int) -> None:
    """Gives `lo` another address."""
    if ":" in address:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as control:
            request = socket.inet_pton(socket.AF_INET6, address) + struct.pack("=Ii", 128, socket.if_nametoindex("lo"))
            fcntl.ioctl(control, 0x8916, request)
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        name = f"lo:{number}".encode()
        for call, value in ((0x8916, address), (0x891C, "255.255.255.255")):
            inet = struct.pack("=HH4s8x", socket.AF_INET, 0, socket.inet_aton(value))
            fcntl.ioctl(control, call, struct.pack("16s", name) + inet.ljust(24, b"\0"))


main()
