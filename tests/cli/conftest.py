"""Commands run as a user runs them: real processes, with a home and a configuration directory of their own."""

from __future__ import annotations

import http.server
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

TIMEOUT = 30.0


@dataclass
class Sandbox:
    """A user's machine: `home`, `config` (the configuration directory) and nothing of the real environment."""

    home: Path
    config: Path
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def state(self) -> Path:
        return self.config / "state"

    def env(self, **more: str) -> dict[str, str]:
        return {
            "HOME": str(self.home),
            "CCPROXY_CONFIG_DIR": str(self.config),
            "CCPROXY_INSPECTOR__PORT": "null",
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            **more,
        }

    def write_config(self, text: str) -> Path:
        path = self.config / "ccproxy.yaml"
        path.write_text(text)
        return path

    def ccproxy(self, *args: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Runs one command to its end."""
        return subprocess.run(
            [sys.executable, "-P", "-m", "ccproxy", *args],
            env=self.env(**(env or {})),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=TIMEOUT,
            check=False,
        )

    def spawn(self, *args: str, env: Mapping[str, str] | None = None, **options: Any) -> subprocess.Popen[bytes]:
        """Starts a command that is killed at the end of the test if it still runs."""
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL} | options
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "ccproxy", *args], env=self.env(**(env or {})), **options
        )
        self.started.append(process)
        return process

    def close(self) -> None:
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    stream.close()


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    home, config = tmp_path / "home", tmp_path / "config"
    home.mkdir()
    config.mkdir()
    made = Sandbox(home, config)
    yield made
    made.close()


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Stub:
    """Something that listens on loopback and answers every GET with `status` and `body`."""

    def __init__(self) -> None:
        stub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                stub.paths.append(self.path)
                self.send_response(stub.status)
                self.send_header("content-length", str(len(stub.body)))
                self.end_headers()
                self.wfile.write(stub.body)

            def log_message(self, *_: object) -> None:
                pass

        self.status = 200
        self.paths: list[str] = []
        self.report: dict[str, Any] = {"status": "ok", "version": "9.9", "pid": 4242}
        self.body = json.dumps(self.report).encode()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def says(self, **more: Any) -> None:
        """Adds to the `/health` report."""
        self.report |= more
        self.body = json.dumps(self.report).encode()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()


@pytest.fixture
def stub() -> Iterator[Stub]:
    made = Stub()
    yield made
    made.close()
