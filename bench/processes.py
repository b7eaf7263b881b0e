"""The processes of the bench: each is started here, waited for, measured from outside and ended.

Everything is a child process on 127.0.0.1 with a port of its own, so that the cost of one is never part of another's
figure. CPU seconds are the kernel's, user and system, of the process and of its children.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import psutil

from bench import bodies
from bench.load import Job, Outcome

_ROOT = Path(__file__).resolve().parent.parent
_READY_SECONDS = 30.0


class BenchError(Exception):
    """A process of the bench did not do what it must; the message holds the end of what it printed."""


def free_port() -> int:
    """A port of the loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment(home: Path) -> dict[str, str]:
    """The environment of every child: a home of its own, and nothing from the user's settings."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "SSL_CERT_FILE", "SSL_CERT_DIR") if name in os.environ}
    return kept | {"HOME": str(home), "PYTHONPATH": str(_ROOT), "NO_COLOR": "1"}


class Server:
    """A running server.

    Args:
        name: what the table calls it.
        command: its command line.
        port: where it will listen.
        home: its home directory; its output goes to `NAME.log` there.
    """

    def __init__(
        self, name: str, command: list[str], port: int, home: Path, extra: dict[str, str] | None = None
    ) -> None:
        self.name = name
        self.port = port
        self.home = home
        self._log = home / f"{name.replace(' ', '-')}.log"
        started = time.monotonic()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment(home) | (extra or {}),
                cwd=home,
            )
        self._observed = psutil.Process(self._process.pid)
        try:
            self._wait_ready(started + _READY_SECONDS)
        except BaseException:
            self.stop()
            raise
        #: Seconds from starting the process to the first answered request.
        self.seconds_to_ready = time.monotonic() - started

    def _wait_ready(self, deadline: float) -> None:
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise BenchError(f"{self.name} ended with {self._process.returncode}: {self.tail()}")
            if self._answers():
                return
            time.sleep(0.002)
        raise BenchError(f"{self.name} did not answer within {_READY_SECONDS:g} s: {self.tail()}")

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
                connection.sendall(b"GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")
                return connection.recv(16).startswith(b"HTTP/1.1 ")
        except OSError:
            return False

    def tail(self) -> str:
        """The end of what the process printed."""
        return self._log.read_text(errors="replace")[-1500:].strip() or "(it printed nothing)"

    def cpu(self) -> float:
        """CPU seconds used so far."""
        total = 0.0
        for process in [self._observed, *self._observed.children(recursive=True)]:
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system
            if process is self._observed:
                total += times.children_user + times.children_system
        return total

    def memory(self) -> int:
        """Resident bytes of the process itself."""
        resident: int = self._observed.memory_info().rss
        return resident

    def stop(self) -> None:
        """Ends the process; by force if it does not go."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class Client:
    """The process that sends requests; see `bench.load`."""

    def __init__(self, home: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.load"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(home),
            cwd=_ROOT,
        )
        self._number = 0

    def send(self, server: Server | int, requests: int, connections: int, **settings: object) -> Outcome:
        """Sends requests to a server and waits for the outcome.

        Raises:
            BenchError: an answer was missing or was not a 200: a figure of failures would be worthless.
        """
        port = server if isinstance(server, int) else server.port
        job = msgspec.convert(
            {"port": port, "requests": requests, "connections": connections, "first": self._number, **settings}, Job
        )
        if "first" not in settings:
            self._number += requests
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode(job) + b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise BenchError("the client process ended")
        outcome = msgspec.json.decode(line, type=Outcome)
        if outcome.errors:
            said = "" if isinstance(server, int) else f": {server.tail()}"
            name = "the upstream" if isinstance(server, int) else server.name
            raise BenchError(f"{name} failed: {json.dumps(outcome.errors)}{said}")
        return outcome

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _home(base: Path, name: str) -> Path:
    home = base / f"{name}-{time.monotonic_ns()}"
    home.mkdir(parents=True)
    return home


def start_upstream(base: Path) -> Server:
    """The fake provider."""
    port = free_port()
    return Server("upstream", [sys.executable, "-m", "bench.upstream", str(port)], port, _home(base, "upstream"))


def start_relay(base: Path, upstream: int) -> Server:
    """Bare uvicorn and aiohttp."""
    port = free_port()
    command = [sys.executable, "-m", "bench.relay", str(port), str(upstream)]
    return Server("uvicorn+aiohttp", command, port, _home(base, "relay"))


def mitmdump() -> str | None:
    """The mitmdump to compare with: `$BENCH_MITMDUMP`, or the one on PATH, or None."""
    return os.environ.get("BENCH_MITMDUMP") or shutil.which("mitmdump")


def start_mitmproxy(base: Path, upstream: int, executable: str) -> Server:
    """A bare mitmproxy reverse listener: nothing printed, streams and large bodies passed on as they come."""
    port = free_port()
    home = _home(base, "mitmproxy")
    command = [executable, "--quiet", "--mode", f"reverse:http://127.0.0.1:{upstream}", "--listen-host", "127.0.0.1"]
    command += ["--listen-port", str(port), "--set", f"confdir={home}", "--set", "flow_detail=0"]
    command += ["--scripts", str(_ROOT / "bench" / "mitmproxy_stream.py"), "--set", "stream_large_bodies=100k"]
    # Not our interpreter: our path and packages are not for it.
    return Server("mitmproxy", command, port, home, {"PYTHONPATH": ""})


def write_config(home: Path, port: int, upstream: int) -> dict[str, str]:
    """Writes ccproxy's configuration for the bench and returns the environment that selects it."""
    config = {
        "port": port,
        "providers": {
            "bench": {
                "type": "anthropic",
                "base_url": f"http://127.0.0.1:{upstream}",
                "auth": {"type": "command", "command": "echo bench-secret-key", "header": "x-api-key"},
            }
        },
        "inspector": {
            "transforms": [
                {"match_model": f"^{bodies.RENAMED_MODEL}$", "dest_provider": "bench", "dest_model": bodies.MODEL}
            ]
        },
    }
    # JSON is YAML.
    (home / "ccproxy.yaml").write_text(json.dumps({"ccproxy": config}, indent=2))
    return {"CCPROXY_CONFIG_DIR": str(home)}


def start_ccproxy(base: Path, upstream: int) -> Server:
    """ccproxy with a provider, a routing rule and recording on."""
    port = free_port()
    home = _home(base, "ccproxy")
    extra = write_config(home, port, upstream)
    return Server("ccproxy", [sys.executable, "-m", "ccproxy", "start"], port, home, extra)
