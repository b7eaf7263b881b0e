"""Whether a port is free, and who holds it if it is not.

"Address already in use" alone has cost users hours; the pid and the command of the holder cost us one look.
"""

from __future__ import annotations

import contextlib
import errno
import socket
from dataclasses import dataclass

import psutil

from ccproxy.cli import runfile
from ccproxy.errors import CommandError
from ccproxy.telemetry.text import printable
from ccproxy.util.redact import redact_text

MAX_COMMAND = 120


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that listens on a port. `command` is its command line without secrets; "" if it may not be seen."""

    pid: int
    command: str


def check_free(host: str, port: int) -> None:
    """Returns if a listener can be bound to `host` and `port` now. Raises CommandError that says why not, naming the
    process in the way."""
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise CommandError(
            f"cannot listen on {host!r}: {error.strerror}", hint="give an address of this machine"
        ) from None
    for family, kind, protocol, _, address in addresses:
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(address)
            except OSError as error:
                raise _refused(error, host, port) from None


def holder(port: int) -> Holder | None:
    """Who listens on `port`, or None if that cannot be seen (another user's process)."""
    for pid, number in _listeners():
        if number == port:
            return Holder(pid, _command(pid))
    return None


def _refused(error: OSError, host: str, port: int) -> CommandError:
    if error.errno == errno.EADDRINUSE:
        return _taken(port)
    if error.errno == errno.EACCES:
        return CommandError(f"port {port} needs privileges", hint="take a port from 1024 on, with --port or `port:`")
    if error.errno == errno.EADDRNOTAVAIL:
        return CommandError(f"{host} is not an address of this machine", hint="give one that is, or 127.0.0.1")
    return CommandError(f"cannot listen on {host}:{port}: {error.strerror}")


def _taken(port: int) -> CommandError:
    found = holder(port)
    if found is None:
        return CommandError(
            f"port {port} is taken by a process of another user",
            hint="choose another with --port or `port:` in the configuration",
        )
    if any(run.pid == found.pid for run in runfile.live()):
        return CommandError(
            f"ccproxy already runs on port {port} (pid {found.pid})",
            hint="`ccproxy status` shows it, `ccproxy stop` ends it, --port starts another beside it",
        )
    return CommandError(
        f"port {port} is taken by pid {found.pid}: {found.command or 'unknown command'}",
        hint="end it, or choose another port with --port or `port:` in the configuration",
    )


def _listeners() -> list[tuple[int, int]]:
    """Process and port of every listening TCP socket that may be seen."""
    found: list[tuple[int, int]] = []
    try:
        found += [
            (item.pid, item.laddr.port)
            for item in psutil.net_connections("tcp")
            if item.pid is not None and item.laddr and item.status == psutil.CONN_LISTEN
        ]
    except psutil.AccessDenied:
        # macOS shows the whole table to root only, but to everyone each of their own processes.
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                connections = process.net_connections("tcp")
                found += [(process.pid, item.laddr.port) for item in connections if item.status == psutil.CONN_LISTEN]
    return found


def _command(pid: int) -> str:
    try:
        text = printable(redact_text(" ".join(psutil.Process(pid).cmdline())))
    except psutil.Error:
        return ""
    return text if len(text) <= MAX_COMMAND else f"{text[: MAX_COMMAND - 1]}…"
