"""Making a jail and staying with it: from the lease to the command's end.

    helper (starts in the background) -> lease -> files to cover -> namespaces -> tunnel -> command

Nothing runs before the tunnel stands: a step that fails ends the launcher with 125 and one line. While the command
runs three things are watched: the jail, the helper and the lease. When the interceptor goes, the helper cuts every
connection and takes the device away; the command goes on without a network.
"""

from __future__ import annotations

import base64
import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import termios
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, cast

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from ccproxy.errors import CommandError
from ccproxy.jail import advice, namespace, protocol, trust
from ccproxy.jail.namespace import EXIT_SETUP, Engine, Line, Plan
from ccproxy.jail.protocol import Finish, Grant, LeaseRequest, Refusal, Started

#: Longest wait for a step that another process does, in seconds. The interceptor may have to be started first.
LEASE_SECONDS = 30.0
STEP_SECONDS = 10.0
FINISH_SECONDS = 3.0

_HANDED_ON = (signal.SIGTERM, signal.SIGHUP)
_LEFT_TO_THE_COMMAND = (signal.SIGINT, signal.SIGQUIT)


class SetupError(CommandError):
    """The jail could not be made; no command was run."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint, exit_code=EXIT_SETUP)


class StepError(SetupError):
    """A step inside the jail failed. `step` and `number` (the errno) say which and how."""

    def __init__(self, step: str, number: int, text: str) -> None:
        super().__init__(advice.describe(step, number, text), hint=advice.fix(step, number))
        self.step = step
        self.number = number
        self.text = text


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be run, and how.

    Attributes:
        run: the id of the run, which its flows get.
        command: the command line, for people.
        environment: the command's, before what the jail adds.
        control: the proxy's control socket.
        own_bundle, fallback: see `trust.plan`.
        main: becomes the command, with its final environment.
    """

    run: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    control: Path
    engine: Engine
    redirect_ports: tuple[int, ...]
    own_bundle: Path
    fallback: bytes
    main: Callable[[Mapping[str, str]], int]
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    note: Callable[[str], None] = lambda text: None


@dataclass(slots=True)
class Ending:
    """How a command ended: `status` as waitpid gives it; `cut` if the network went before it did."""

    status: int
    cut: bool = False


@dataclass(slots=True)
class Lease:
    """A way out that lasts as long as its connection."""

    connection: socket.socket
    grant: Grant

    def started(self, pid: int) -> None:
        """Names the jail's first process. A proxy that has gone is noticed elsewhere."""
        with suppress(OSError):
            self.connection.sendall(protocol.encode(Started(pid=pid)))

    def finish(self) -> None:
        """Waits until what the run did can be read, if the proxy is still there to say so."""
        with suppress(OSError):
            self.connection.settimeout(FINISH_SECONDS)
            self.connection.sendall(protocol.encode(Finish()))
            _line(self.connection)

    def close(self) -> None:
        """Gives it back."""
        self.connection.close()


def choose_engine(preference: str, device: str = "/dev/net/tun") -> Engine:
    """The engine for a preference: `auto` is `tun` where its device can be opened."""
    if preference == "auto":
        return "tun" if os.access(device, os.R_OK | os.W_OK) else "redirect"
    return cast("Engine", preference)


def take_lease(control: Path, request: LeaseRequest) -> Lease:
    """Asks the proxy for a way out. Raises SetupError."""
    try:
        connection = protocol.connect(control)
    except OSError as error:
        raise SetupError(
            f"the running proxy cannot be asked for a way out: {control}: {error.strerror or error}",
            hint="restart it with `ccproxy stop` and `ccproxy start --detach`, as the same user",
        ) from None
    try:
        connection.settimeout(LEASE_SECONDS)
        connection.sendall(protocol.encode(request))
        line = _line(connection)
        reply = protocol.decode_reply(line) if line else None
    except TimeoutError:
        connection.close()
        raise SetupError(f"the proxy gave no way out within {LEASE_SECONDS:g} seconds") from None
    except BaseException:
        connection.close()
        raise
    if isinstance(reply, Grant):
        connection.settimeout(None)
        return Lease(connection, reply)
    connection.close()
    if isinstance(reply, Refusal):
        raise SetupError(reply.message, hint=reply.hint)
    raise SetupError("the proxy ended while it was asked for a way out")


def ask_status(control: Path) -> protocol.Status:
    """What the proxy says of its interceptor and jails. Raises OSError."""
    with protocol.connect(control) as connection:
        connection.settimeout(STEP_SECONDS)
        connection.sendall(protocol.encode(protocol.StatusRequest()))
        reply = protocol.decode_reply(_line(connection))
    if not isinstance(reply, protocol.Status):
        raise OSError(0, "an unexpected answer")
    return reply


def _line(connection: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\n"):
        piece = connection.recv(65536)
        if not piece:
            return b""
        data += piece
    return data


class Helper:
    """The process that carries the jail's traffic. Starting it takes a while, so it is started first."""

    def __init__(self) -> None:
        self.control, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "ccproxy.jail.helper"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                # A session of its own: Ctrl-C in the terminal is the command's.
                start_new_session=True,
            )

    def begin(self, orders: Mapping[str, object], descriptors: list[int]) -> None:
        """Hands over the jail's descriptors and waits until traffic can flow. Raises SetupError."""
        try:
            socket.send_fds(self.control, [json.dumps(orders).encode()], descriptors)
            self.control.settimeout(STEP_SECONDS)
            line = _line(self.control)
        except TimeoutError:
            raise SetupError(
                f"the tunnel to the interceptor did not come up within {STEP_SECONDS:g} seconds",
                hint="`ccproxy namespace doctor` looks for the reason",
            ) from None
        except OSError:
            line = b""
        answer: dict[str, Any] = json.loads(line) if line else {"problem": "the helper process ended"}
        if problem := answer.get("problem"):
            raise SetupError(f"the tunnel to the interceptor did not come up: {problem}")
        self.control.settimeout(None)

    def close(self) -> None:
        """Ends it: it cuts what is open and goes."""
        self.control.close()
        try:
            self.process.wait(STEP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class HandedOn:
    """Signals that the command is to get, by way of process 1 of its jail. Those that come before that is known wait."""

    def __init__(self, kill: Callable[[int, int], None] = os.kill) -> None:
        self._kill = kill
        self._pid = 0
        self._waiting: list[int] = []

    def to(self, pid: int) -> None:
        """From now on they go to this process."""
        self._pid = pid
        for number in self._waiting:
            self._send(number)

    def handler(self, number: int, _frame: object) -> None:
        """For `signal.signal`."""
        if self._pid:
            self._send(number)
        else:
            self._waiting.append(number)

    def _send(self, number: int) -> None:
        with suppress(ProcessLookupError):
            self._kill(self._pid, number)


class Jail:
    """A jail from the outside.

    Args:
        plan: what kind.
        main: becomes the command.
    """

    def __init__(self, plan: Plan, main: namespace.Main) -> None:
        self.without_ipv6 = ""
        self._status: int | None = None
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        launcher = os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            ours.close()
            namespace.enter(plan, Line(theirs), launcher, main)
        theirs.close()
        self.line = Line(ours)
        self.first = 0
        self.signals = HandedOn()

    def network(self) -> list[int]:
        """Goes with the jail until it has a network; returns the descriptors it hands out. Raises StepError."""
        self._expect("user")
        self._map_identity()
        self.line.tell({"say": "mapped"})
        message, descriptors = self._expect("network")
        self.without_ipv6 = message["without_ipv6"]
        return descriptors

    def ready(self) -> None:
        """Waits until everything is in place but the command. Raises StepError."""
        self._expect("ready")

    def go(self) -> None:
        """Has the command run. Raises StepError if process 1 cannot be made."""
        self.line.tell({"say": "go"})
        self.first = self._expect("started")[0]["pid"]
        self.signals.to(self.first)

    def listen(self) -> bool:
        """Takes a message from the jail. False when process 1 has gone."""
        message, _ = self.line.hear()
        if message.get("at") == "ended":
            self._status = message["status"]
        elif message.get("at") == "failed":
            raise StepError(message["step"], message["errno"], message["text"])
        return bool(message)

    def wait(self) -> int:
        """The command's wait status, when the jail has ended."""
        status = os.waitpid(self.pid, 0)[1]
        self.pid = 0
        return status if self._status is None else self._status

    def close(self) -> None:
        """Ends whatever still runs in it."""
        self.line.socket.close()
        if self.pid:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = 0

    def _expect(self, stage: str) -> tuple[dict[str, Any], list[int]]:
        message, descriptors = self.line.hear()
        if message.get("at") == "failed":
            raise StepError(message["step"], message["errno"], message["text"])
        if message.get("at") != stage:
            raise StepError(f"before {stage}", 0, "the jail's process ended")
        return message, descriptors

    def _map_identity(self) -> None:
        """The same user and group inside as outside."""
        root = Path("/proc") / str(self.pid)
        try:
            (root / "setgroups").write_text("deny")
            (root / "uid_map").write_text(f"{os.getuid()} {os.getuid()} 1")
            (root / "gid_map").write_text(f"{os.getgid()} {os.getgid()} 1")
        except OSError as error:
            raise StepError("identity", error.errno or 0, error.strerror or str(error)) from None


@dataclass(slots=True)
class _Parts:
    """What has been started so far, to be ended in the opposite order."""

    helper: Helper | None = None
    lease: Lease | None = None
    jail: Jail | None = None
    descriptors: list[int] = field(default_factory=list)

    def close(self) -> None:
        for descriptor in self.descriptors:
            os.close(descriptor)
        if self.jail is not None:
            self.jail.close()
        if self.helper is not None:
            self.helper.close()
        if self.lease is not None:
            self.lease.close()


def run(order: Order) -> Ending:
    """Runs a command in a jail. Raises SetupError if there could be none; then the command was not run."""
    parts = _Parts()
    try:
        parts.helper = helper = Helper()
        private = X25519PrivateKey.generate()
        parts.lease = lease = take_lease(order.control, _request(order, private))
        wanted = trust.plan(order.environment, Path(lease.grant.authority), order.own_bundle, order.fallback)
        environment = {**order.environment, **wanted.variables}
        files = {**wanted.files, **resolver()}
        parts.jail = jail = Jail(
            Plan(order.engine, files, hidden(order.control, lease.grant), order.redirect_ports),
            lambda: order.main(environment),
        )
        parts.descriptors = jail.network()
        helper.begin(orders(order.engine, lease.grant, private), parts.descriptors)
        while parts.descriptors:
            os.close(parts.descriptors.pop())
        jail.ready()
        with _signals(jail):
            jail.go()
            lease.started(jail.first)
            cut = _watch(jail, helper, lease, order.note)
            status = jail.wait()
            if not cut:
                lease.finish()
            return Ending(status, cut)
    finally:
        parts.close()


def hidden(control: Path, grant: Grant) -> tuple[str, ...]:
    """What a command in a jail has no business with: the socket that gives ways out, and the keys of the authority."""
    authority = Path(grant.authority)
    keys = [path for path in authority.parent.glob("mitmproxy-ca*") if "-cert" not in path.name]
    return str(control), *map(str, keys), str(authority.parent / "wireguard-keys.json")


def resolver() -> dict[str, bytes]:
    """The file that sends DNS questions into the tunnel, if the machine has one to be covered."""
    from ccproxy.jail.network import DNS_ADDRESS

    path = "/etc/resolv.conf"
    text = f"nameserver {DNS_ADDRESS}\noptions ndots:0 timeout:5 attempts:2\n"
    return {path: text.encode()} if Path(path).exists() else {}


def orders(engine: Engine, grant: Grant, private: X25519PrivateKey) -> dict[str, object]:
    """What the helper is told."""
    return {
        "engine": engine,
        "host": grant.host,
        "port": grant.port,
        "private_key": base64.b64encode(private.private_bytes_raw()).decode(),
        "peer_key": grant.peer_key,
        "token": grant.token,
        "refused_udp": grant.refused_udp,
        "keylog": grant.keylog,
    }


def _request(order: Order, private: X25519PrivateKey) -> LeaseRequest:
    return LeaseRequest(
        run=order.run,
        command=list(order.command),
        engine=order.engine,
        public_key=base64.b64encode(private.public_key().public_bytes_raw()).decode(),
        allow=list(order.allow),
        deny=list(order.deny),
    )


class _signals:  # noqa: N801 - used like the functions of contextlib
    """While the command runs, the terminal's signals are its own, and others are handed on to it."""

    def __init__(self, jail: Jail) -> None:
        self._jail = jail
        self._before: dict[int, Any] = {}

    def __enter__(self) -> None:
        for number in _HANDED_ON:
            self._before[number] = signal.signal(number, self._jail.signals.handler)
        for number in _LEFT_TO_THE_COMMAND:
            self._before[number] = signal.signal(number, signal.SIG_IGN)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


def _watch(jail: Jail, helper: Helper, lease: Lease, note: Callable[[str], None]) -> bool:
    """Waits for the command to end. Returns whether its network ended before."""
    poll = select.poll()
    ends = {jail.line.socket.fileno(), helper.control.fileno(), lease.connection.fileno()}
    for descriptor in ends:
        poll.register(descriptor, select.POLLIN | select.POLLHUP)
    cut = False
    while True:
        ready = {descriptor for descriptor, _ in poll.poll()}
        if jail.line.socket.fileno() in ready and not jail.listen():
            return cut
        if ready & {helper.control.fileno(), lease.connection.fileno()}:
            for end in (helper.control, lease.connection):
                poll.unregister(end.fileno())
            helper.close()
            # A proxy that ends because the command has just ended is none of the user's business.
            cut = True
            note("the interceptor is gone: the command goes on without a network")


def end_like(status: int) -> NoReturn:
    """Ends this process as the command ended: with its exit code, or by its signal."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        with suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else EXIT_SETUP)


class Terminal:
    """The terminal's foreground process group, to be given back after a command that had job control of its own."""

    def __init__(self, descriptor: int = 0) -> None:
        self._descriptor = descriptor
        try:
            self._ours = os.tcgetpgrp(descriptor) == os.getpgrp()
        except OSError:
            self._ours = False

    def take_back(self) -> None:
        """Makes this process's group the foreground one, if it was."""
        if not self._ours:
            return
        before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        with suppress(OSError, termios.error):
            os.tcsetpgrp(self._descriptor, os.getpgrp())
        signal.signal(signal.SIGTTOU, before)
