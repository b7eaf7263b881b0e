"""Inside a jail: from a forked process to the command, step by step, each named so that a failure can be told.

Three processes: the first makes the namespaces and waits; the second, process 1 of the new process-id namespace, reaps
whatever is left behind and hands signals on (as process 1 itself a command would ignore them); the third becomes the
command. Each dies with the one above it, and with process 1 everything in the jail. They share the launcher's terminal,
session and process group, so that job control is what it would be without a jail.

The launcher and the jail talk over a SOCK_SEQPACKET pair, one JSON object a message.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn

from ccproxy.errors import CCProxyError, CommandError
from ccproxy.jail import mounts, network, seccomp, syscalls

EXIT_SETUP = 125
_MAX_MESSAGE = 65536
_TERMINAL = (signal.SIGINT, signal.SIGQUIT)
_FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)

Engine = Literal["tun", "redirect"]
_Handlers = dict[signal.Signals, Any]
#: What becomes the command: replaces the process, or returns an exit code, or raises a CommandError.
Main = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Plan:
    """What kind of jail.

    Attributes:
        files: content by the path of the file that it covers.
        hidden: files and sockets that are not to be used from inside; those that are not there are passed over.
        redirect_ports: TCP ports that get a listener (engine `redirect`).
    """

    engine: Engine
    files: Mapping[str, bytes] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()
    redirect_ports: tuple[int, ...] = ()


class Line:
    """One end of the launcher's connection with its jail."""

    def __init__(self, end: socket.socket) -> None:
        self.socket = end

    def tell(self, message: Mapping[str, object], descriptors: list[int] | None = None) -> None:
        data = json.dumps(message).encode()
        if descriptors:
            socket.send_fds(self.socket, [data], descriptors)
        else:
            self.socket.send(data)

    def hear(self) -> tuple[dict[str, Any], list[int]]:
        """The next message and the descriptors with it; an empty one when the other side is gone."""
        try:
            data, descriptors, _, _ = socket.recv_fds(self.socket, _MAX_MESSAGE, 128)
        except ConnectionResetError:
            return {}, []
        return (json.loads(data) if data else {}), descriptors


class _Step:
    """Names what is being tried, for the message if it fails."""

    def __init__(self) -> None:
        self.name = "fork"


def enter(plan: Plan, line: Line, parent: int, main: Main) -> NoReturn:
    """The life of the jail's first process. Never returns; exits with what the command exits with.

    Args:
        line: the jail's end.
        parent: the launcher's process id.
        main: becomes the command.
    """
    step = _Step()
    # While the jail is made, and after that in all but the command, the terminal's signals are not ours to obey.
    own = {number: signal.signal(number, signal.SIG_IGN) for number in _TERMINAL}
    try:
        syscalls.die_with_parent(parent)
        _make(plan, line, step, parent)
        line.tell({"at": "ready"})
        if line.hear()[0].get("say") != "go":
            os._exit(EXIT_SETUP)
        code = _init(line, step, main, own)
    except OSError as error:
        _report(line, step, error)
        os._exit(EXIT_SETUP)
    os._exit(code)


def _make(plan: Plan, line: Line, step: _Step, parent: int) -> None:
    step.name = "user namespace"
    os.unshare(os.CLONE_NEWUSER)
    line.tell({"at": "user"})
    if line.hear()[0].get("say") != "mapped":
        os._exit(EXIT_SETUP)
    syscalls.die_with_parent(parent)  # again: the change of namespace may have made the kernel forget it
    step.name = "network namespace"
    os.unshare(os.CLONE_NEWNET)
    step.name = "other namespaces"
    os.unshare(os.CLONE_NEWNS | os.CLONE_NEWIPC | os.CLONE_NEWPID)
    step.name = "loopback"
    network.loopback_up()
    if plan.engine == "tun":
        step.name = "tun device"
        descriptors = [network.open_tun()]
        step.name = "addresses"
        without_ipv6 = network.configure_tun()
    else:
        step.name = "routes"
        without_ipv6 = network.everything_is_local()
        step.name = "listeners"
        descriptors = _listeners(plan.redirect_ports, ipv6=not without_ipv6)
    line.tell({"at": "network", "without_ipv6": without_ipv6}, descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    step.name = "mount namespace"
    mounts.keep_to_ourselves()
    step.name = "files"
    for path, content in plan.files.items():
        mounts.cover(path, content)
    for path in (*mounts.NAME_SERVICES, *plan.hidden):
        mounts.hide(path)


def _listeners(ports: tuple[int, ...], *, ipv6: bool) -> list[int]:
    """A listening socket for each port, and the one for DNS, as descriptors."""
    found = []
    for port in ports:
        # One socket for both families, where there are two.
        listener = socket.create_server(
            ("", port), family=socket.AF_INET6 if ipv6 else socket.AF_INET, dualstack_ipv6=ipv6, backlog=512
        )
        found.append(listener.detach())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as dns:
        dns.bind(("", 53))
        found.append(dns.detach())
    return found


def _init(line: Line, step: _Step, main: Main, own: _Handlers) -> int:
    """The first process, once the jail is made: waits for process 1."""
    step.name = "process namespace"
    # The launcher has them from whoever sent them, and hands them on. Sent to the whole process group they must not end
    # this process, nor be lost on process 1 before it can do something about them.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED)
    alive, ours = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ours)
        _first_process(line, step, main, _Signals(own, mask), alive)
    os.close(alive)
    line.tell({"at": "started", "pid": child})
    # Nobody else may hold an end: the launcher has to notice when process 1 is gone.
    line.socket.close()
    status = os.waitpid(child, 0)[1]
    return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


@dataclass(frozen=True, slots=True)
class _Signals:
    """What the command is to find: the handlers of those of the terminal, and which signals are blocked."""

    handlers: _Handlers
    mask: set[Any]


def _first_process(line: Line, step: _Step, main: Main, found: _Signals, alive: int) -> NoReturn:
    """Process 1: makes the command's process, then reaps until that one ends. `alive` is a pipe that the parent holds."""
    try:
        # Seen from here the parent has the number 0, alive or not.
        syscalls.die_with_parent(0)
        os.set_blocking(alive, False)
        with suppress(BlockingIOError):
            if os.read(alive, 1) == b"":
                os._exit(EXIT_SETUP)
        step.name = "/proc"
        mounts.own_proc()
        child = os.fork()
    except OSError as error:
        _report(line, step, error)
        os._exit(EXIT_SETUP)
    if child == 0:
        _command(line, step, main, found)

    def hand_on(number: int, _frame: object) -> None:
        with suppress(ProcessLookupError):  # it has just ended
            os.kill(child, number)

    for number in _FORWARDED:
        signal.signal(number, hand_on)
    signal.pthread_sigmask(signal.SIG_SETMASK, found.mask)
    while True:
        ended, status = os.waitpid(-1, 0)
        if ended == child:
            break
    # The launcher has this from us, since the exit code of process 1 could not tell 143 from SIGTERM.
    line.tell({"at": "ended", "status": status})
    os._exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))


def _command(line: Line, step: _Step, main: Main, found: _Signals) -> NoReturn:
    """The third process: what the command is to see of signals and privileges, and then the command."""
    try:
        step.name = "privileges"
        syscalls.give_up_privileges()
        seccomp.forbid_vsock()
        for number, handler in found.handlers.items():
            signal.signal(number, signal.SIG_IGN if handler is signal.SIG_IGN else signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, found.mask)
        line.socket.close()
        code = main()
    except CommandError as error:
        _complain(str(error))
        os._exit(error.exit_code)
    except CCProxyError as error:
        _complain(str(error))
        os._exit(EXIT_SETUP)
    except OSError as error:
        _complain(f"{step.name}: {error}")
        os._exit(EXIT_SETUP)
    sys.stdout.flush()
    os._exit(code)


def _complain(text: str) -> None:
    sys.stderr.write(f"ccproxy: {text}\n")
    sys.stderr.flush()


def _report(line: Line, step: _Step, error: OSError) -> None:
    try:
        line.tell({"at": "failed", "step": step.name, "errno": error.errno or 0, "text": error.strerror or str(error)})
    except OSError:
        return
