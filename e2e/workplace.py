"""One client's workplace: a stand-in provider, a real proxy in front of it, and a home directory for every run.

The proxy is started, asked and stopped with the commands a person would use. Every process that was started here
belongs to a group of its own, which is ended when its run is over, whatever it has started itself.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ccproxy.flows.model import Flow, Message
from ccproxy.flows.reader import Reader
from ccproxy.providers.answers.bodies import decode
from ccproxy.testing import FakeProvider, Received, Reply, Socket, ThreadedProvider, TokenEndpoint
from ccproxy.testing.tls import make_certificates
from clients import (
    ACCOUNT,
    HOSTS,
    IMPATIENT,
    LOGINS,
    MARKING_HOOK,
    QUIET,
    Case,
    configuration,
    jailed_configuration,
)
from google_hosts import google

BIN = Path(__file__).resolve().parent / "node_modules" / ".bin"
#: Seconds that a client may take; those that retry take long.
PATIENCE = 150.0
#: Seconds that a client may take to end after it was interrupted.
MANNERS = 15.0


class Trouble(Exception):
    """Something is not as it should be: one line that says what."""


@dataclass(frozen=True)
class Ended:
    """A client's run that is over. `code` is negative for a signal."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """All of it."""
        return f"{self.out}\n{self.err}"

    @property
    def tail(self) -> str:
        """Its end, in one line."""
        return f"exit {self.code}, {' '.join(self.said.split())[-240:]!r}"


class Running:
    """A client that runs, in a process group of its own."""

    def __init__(self, line: Sequence[str], env: Mapping[str, str], cwd: Path, output: Path) -> None:
        self._out, self._err = output.with_suffix(".out"), output.with_suffix(".err")
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._process = subprocess.Popen(
                line, env=dict(env), cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
            )

    def signal(self, number: signal.Signals) -> None:
        """Signals the whole group, as a terminal does."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def wait(self, seconds: float) -> Ended:
        """Waits for the client, then ends what it left behind. Raises Trouble if it does not end in time."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Trouble(f"the client did not end within {seconds:g} seconds: {self._read().tail}") from None
        finally:
            self.end()
        return self._read(code)

    def end(self) -> None:
        """Ends the group at once."""
        self.signal(signal.SIGKILL)
        self._process.wait()

    def _read(self, code: int = 124) -> Ended:
        return Ended(code, self._out.read_text(errors="replace"), self._err.read_text(errors="replace"))


class Workplace:
    """The workplace of one client.

    Attributes:
        root: its folder. `needle` is the file that the client has to read.
        provider: the stand-in, which hands every request to the play of the moment.
        version: what the client calls itself.
        things: what is to be ended with it.
        endpoints: the token endpoints of the proxy's own logins.

    Args:
        authority: what the proxy trusts, where clients are in a jail; otherwise None.
    """

    def __init__(
        self,
        root: Path,
        provider: ThreadedProvider,
        tokens: ThreadedProvider,
        needle: str,
        things: ExitStack,
        authority: Path | None = None,
    ) -> None:
        self.root = root
        self.things = things
        self.provider = provider
        claims = {"exp": _NEVER, "https://api.openai.com/auth": {"chatgpt_account_id": ACCOUNT}}
        self.endpoints = {
            name: TokenEndpoint(tokens, path=login.endpoint, prefix=login.tokens, jwt=name == "codex", claims=claims)
            for name, login in LOGINS.items()
        }
        self.project = root / "project"
        self.needle = self.project / "needle.txt"
        self.version = ""
        self._runs = 0
        self._env = {
            "CCPROXY_CONFIG_DIR": str(root / "proxy"),
            "CCPROXY_INSPECTOR__PORT": "null",
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            **QUIET,
        }
        self._seen = 0
        self._google: dict[str, str] = {}
        self.project.mkdir(parents=True)
        self.needle.write_text(f"{needle}\n")
        (root / "proxy").mkdir(mode=0o700)
        for name in LOGINS:
            self.sign_in(name)
        config = root / "proxy" / "ccproxy.yaml"
        port = _free_port()
        self._url = f"http://127.0.0.1:{port}"
        document = configuration(port, provider.url, tokens.url, root / "proxy")
        if authority is not None:
            document = jailed_configuration(document, authority)
            (root / "proxy" / "mark.py").write_text(MARKING_HOOK)
        config.write_text(json.dumps(document))  # JSON is YAML
        config.chmod(0o600)

    # -- the proxy --

    def ccproxy(self, *words: str, seconds: float = 60.0) -> str:
        """Runs a ccproxy command to its end and returns its stdout. Raises Trouble if it fails or breaks."""
        env = {"HOME": str(self.root), **self._env}
        done = subprocess.run(
            [*_CCPROXY, *words], env=env, cwd=self.root, capture_output=True, text=True, timeout=seconds, check=False
        )
        if done.returncode or "Traceback" in done.stdout + done.stderr:
            raise Trouble(f"ccproxy {' '.join(words)}: exit {done.returncode}, {(done.stdout + done.stderr)[-400:]!r}")
        return done.stdout

    def flows(self, count: int) -> list[Flow]:
        """The flows since the last call, bodies included. There must be one for each of the `count` requests that the
        provider got; an exchange is recorded when it has ended, so they are waited for."""
        deadline = time.monotonic() + MANNERS
        while True:
            with Reader(self.root / "proxy" / "state" / "flows.db") as reader:
                new = [flow for flow in reader.summaries() if flow.seq > self._seen]
                if sum(flow.forwarded is not None for flow in new) >= count:
                    self._seen = max((flow.seq for flow in new), default=self._seen)
                    return [whole for flow in new if (whole := reader.get(flow.id)) is not None]
            if time.monotonic() > deadline:
                raise Trouble(f"the provider got {count} requests, and only {len(new)} flows are recorded")
            time.sleep(0.05)

    def sign_in(self, name: str, *, expired: bool = False) -> None:
        """Gives the proxy another login, which has `expired` or has not."""
        endpoint, login = self.endpoints[name], LOGINS[name]
        tokens = endpoint.sign_in()
        endpoint.renewals.clear()
        path = self.root / "proxy" / login.file
        path.write_text(json.dumps(login.content(tokens.access, tokens.refresh, 1e9 if expired else _NEVER)))
        path.chmod(0o600)

    # -- clients --

    def start(self, case: Case, play: Callable[[Received], Reply | Socket], *, patient: bool = True) -> Running:
        """Starts a client, in a new home, against a provider that plays as `play` says."""
        self.provider.on(".*", play)
        self._runs += 1
        name = f"{self._runs:02d}-{case.command}-{case.mode}".replace(" ", "-").replace(",", "")
        home = self.root / "homes" / name
        home.mkdir(parents=True)
        for place, content in case.files.items():
            path = home / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(content))
            path.chmod(0o600)
        if case.google and not self._google:
            self._google = self.things.enter_context(google(self.root / "google"))
        hosts = self._google if case.google else {}
        own = {name: value.replace("{proxy}", self._url) for name, value in case.env.items()}
        env = {**self._env, "HOME": str(home), **({} if patient else IMPATIENT), **hosts, **own}
        return Running(
            [*_CCPROXY, "run", *case.options, "--", case.command, *case.words], env, self.project, home / "client"
        )

    def read_version(self, command: str) -> None:
        """Asks the client for its version."""
        done = subprocess.run(
            [BIN / command, "--version"], env={"HOME": str(self.root), **self._env}, capture_output=True, text=True, timeout=60, check=False
        )  # fmt: skip
        self.version = next((word for word in done.stdout.split() if word[:1].isdigit()), "?")

    # -- what is left --

    def errors_logged(self) -> list[str]:
        """The lines of the proxy's log that speak of an error inside the proxy, tracebacks included."""
        logs = (self.root / "proxy" / "state").glob("*.log")
        lines = [line for log in logs for line in log.read_text(errors="replace").splitlines()]
        return [line for line in lines if " ERROR " in line or line.startswith("    |")]

    def end_strays(self) -> None:
        """Ends what a client has started outside its process group: on Linux it is known by its environment."""
        mark = f"CCPROXY_CONFIG_DIR={self.root / 'proxy'}".encode()
        for environ in Path("/proc").glob("[0-9]*/environ"):
            with suppress(OSError):
                if mark in environ.read_bytes().split(b"\0"):
                    os.kill(int(environ.parent.name), signal.SIGKILL)

    def places_of(self, words: Sequence[str], flows: Sequence[Flow]) -> list[str]:
        """Where one of these words stands: in flows, with their bodies decoded, and in the files of the proxy's state."""
        wanted = [word.encode() for word in words]

        def holds(text: bytes) -> bool:
            return any(word in text for word in wanted)

        found = [f"flow {flow.id}: {place}" for flow in flows for place, text in _texts(flow) if holds(text)]
        files = sorted(path for path in (self.root / "proxy" / "state").rglob("*") if path.is_file())
        return found + [f"file {path.name}" for path in files if holds(path.read_bytes())]


#: A time of expiry that no test lives to see, in epoch seconds.
_NEVER = 4_102_444_800
_CCPROXY = (sys.executable, "-P", "-m", "ccproxy")


@contextmanager
def workplace(root: Path, needle: str, *, jail: bool = False) -> Iterator[Workplace]:
    """A workplace under `root`, with the proxy running; all of it is ended on leaving. Raises Trouble if the proxy does
    not start, or no longer runs at the end.

    Args:
        jail: the stand-in is found under the names of providers, too, by clients in a jail.
    """
    with ExitStack() as things:
        tokens = things.enter_context(FakeProvider.in_thread())
        if jail:
            root.mkdir(parents=True)
            certificates = make_certificates(root, ("127.0.0.1", *HOSTS))
            provider = things.enter_context(FakeProvider.in_thread(tls=certificates))
            for address in HOSTS.values():
                things.enter_context(_forwarded(address, provider.port))
        else:
            provider = things.enter_context(FakeProvider.in_thread())
        made = Workplace(root, provider, tokens, needle, things, certificates.ca if jail else None)
        made.ccproxy("start", "--detach")
        try:
            yield made
        finally:
            try:
                made.ccproxy("stop")
            finally:
                made.end_strays()


class _Forwarder(socketserver.ThreadingTCPServer):
    """Connects whoever comes with a port of loopback."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, address: str, port: int) -> None:
        super().__init__((address, 443), socketserver.BaseRequestHandler)
        self._port = port

    def finish_request(self, request: object, client_address: object) -> None:
        assert isinstance(request, socket.socket)
        with request, socket.create_connection(("127.0.0.1", self._port)) as there:
            back = threading.Thread(target=_copy, args=(there, request), daemon=True)
            back.start()
            _copy(request, there)
            back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for end, how in ((source, socket.SHUT_RD), (target, socket.SHUT_WR)):
        with suppress(OSError):
            end.shutdown(how)


@contextmanager
def _forwarded(address: str, port: int) -> Iterator[None]:
    with _Forwarder(address, port) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def _texts(flow: Flow) -> Iterator[tuple[str, bytes]]:
    sides: dict[str, Message | None] = {"request": flow.request, "forwarded": flow.forwarded, "response": flow.response}
    for name, side in sides.items():
        if side is not None:
            yield f"{name} headers", repr(side.headers).encode()
            yield f"{name} body", _plain(side)
    for message in flow.websocket.messages if flow.websocket else ():
        yield "WebSocket message", message.body


def _plain(message: Message) -> bytes:
    try:
        return decode(message.header("content-encoding"), message.body)
    except ValueError:
        return message.body


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])
