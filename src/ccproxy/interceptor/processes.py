"""Which process of a jail opened a connection: from the client's port to a process and its parents, through /proc.

Called while the connection is open, so its process lives (or was its first owner's child). Only the jail's own
processes are looked at. Everything in /proc may vanish between two looks: what does is passed over.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from ccproxy.util.redact import redact_text

_TABLES = {"tcp": ("tcp", "tcp6"), "udp": ("udp", "udp6")}
_PLAIN = re.compile(r"[\w@+./][\w@+./-]{0,59}")
_MAX_PARENTS = 6


def owner(first: int, protocol: str, port: int, proc: Path = Path("/proc")) -> str:
    """The process behind a local port: `1234 git fetch < 1230 bash`, nearest first; "" if there is none.

    Args:
        first: the jail's first process, by its id outside.
        protocol: `tcp` or `udp`.
    """
    inode = _inode(proc / str(first) / "net", protocol, port)
    if not inode:
        return ""
    wanted = f"socket:[{inode}]"
    # The youngest first: a socket that was inherited is the child's to use.
    for chain in sorted(_chains(first, proc), key=lambda chain: chain[0], reverse=True):
        if _has(proc / str(chain[0]) / "fd", wanted):
            return " < ".join(f"{pid} {_command(proc, pid)}" for pid in chain[:_MAX_PARENTS])
    return ""


def _inode(net: Path, protocol: str, port: int) -> str:
    ending = f":{port:04X}"
    for table in _TABLES[protocol]:
        for line in _read(net / table).splitlines()[1:]:
            fields = line.split()
            if len(fields) > 9 and fields[1].endswith(ending) and fields[9] != "0":
                return fields[9]
    return ""


def _chains(first: int, proc: Path) -> Iterator[list[int]]:
    """Every process below the jail's first one, each with its parents up to there."""
    stack = [[first]]
    while stack:
        chain = stack.pop()
        for task in _entries(proc / str(chain[0]) / "task"):
            for child in _read(proc / str(chain[0]) / "task" / task / "children").split():
                below = [int(child), *(chain if chain != [first] else [])]
                stack.append(below)
                yield below


def _has(folder: Path, wanted: str) -> bool:
    for name in _entries(folder):
        try:
            if os.readlink(folder / name) == wanted:  # noqa: PTH115 - a Path of "socket:[1]" would be no link's text
                return True
        except OSError:
            continue
    return False


def _command(proc: Path, pid: int) -> str:
    """The program, and its subcommand or script. Further arguments may hold secrets, and are left out."""
    words = _read(proc / str(pid) / "cmdline").split("\0")
    name = os.path.basename(words[0]) if words[0] else "?"  # noqa: PTH119
    if len(words) > 1 and _PLAIN.fullmatch(words[1]):
        name = f"{name} {words[1]}"
    return redact_text(name)


def _entries(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except OSError:
        return []


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
