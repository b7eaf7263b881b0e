"""Proxies with an interceptor that clients on this machine use as an HTTP proxy, so that no jail is needed."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import select
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ccproxy.testing import FakeProvider
from ccproxy.testing.threaded import ThreadedProvider

TIMEOUT = 60.0

CONFIG = """\
ccproxy:
  port: {port}
  egress: {{ca_file: {ca}}}
  gateway: {{drain_seconds: 0}}
  providers:
    ours: {{type: anthropic, base_url: "{url}", auth: "echo the-provider-s-own-key"}}
  interceptor:
    http_proxy_port: {door}
{interceptor}
"""


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class Intercepted:
    """A running proxy and its interceptor, and a provider that it knows by the name localhost."""

    def __init__(self, folder: Path, provider: ThreadedProvider, interceptor: str, more: str) -> None:
        self.config = folder / "conf"
        self.config.mkdir()
        self.provider = provider
        self.door = free_port()
        url = f"https://localhost:{provider.port}"
        text = CONFIG.format(port=free_port(), ca=provider.ca_file, url=url, door=self.door, interceptor=interceptor)
        (self.config / "ccproxy.yaml").write_text(text + more)
        started = self.ccproxy("start", "--detach")
        assert started.returncode == 0, started.stderr
        end = time.monotonic() + TIMEOUT
        while not self.status()["http_proxy"]:
            assert time.monotonic() < end, (self.config / "state").glob("*.log")
            select.select([], [], [], 0.05)

    def ccproxy(self, *words: str) -> subprocess.CompletedProcess[str]:
        environment = {"HOME": str(self.config), "PATH": os.environ["PATH"], "CCPROXY_CONFIG_DIR": str(self.config)} | {
            "CCPROXY_INSPECTOR__PORT": "null"
        }
        return subprocess.run(
            [sys.executable, "-P", "-m", "ccproxy", *words],
            env=environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=TIMEOUT,
            check=False,
        )

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.ccproxy("namespace", "status", "--json").stdout)["interceptor"]
        return found

    def ask(
        self, host: str, target: str, body: bytes | None = None, headers: dict[str, str] | None = None, port: int = 0
    ) -> Answer:
        """A request over TLS through the interceptor, to the port of the provider unless another is given."""
        context = ssl.create_default_context(cafile=self.config / "mitmproxy-ca-cert.pem")
        connection = http.client.HTTPSConnection("127.0.0.1", self.door, timeout=TIMEOUT, context=context)
        connection.set_tunnel(host, port or self.provider.port)
        with contextlib.closing(connection):
            connection.request("GET" if body is None else "POST", target, body, headers or {})
            answer = connection.getresponse()
            return Answer(answer.status, {n.lower(): v for n, v in answer.getheaders()}, answer.read())

    def flow(self) -> dict[str, Any]:
        """The newest flow, bodies included. A flow of the interceptor is there a moment after its answer."""
        shown = self.ccproxy("flows", "show", "last", "--json")
        found: dict[str, Any] = json.loads(shown.stdout) if shown.returncode == 0 else {}
        return found

    def flow_of(self, target: str) -> dict[str, Any]:
        """The flow of a request for this target, once it is there."""
        end = time.monotonic() + TIMEOUT
        while (flow := self.flow()).get("request", {}).get("path") != target:
            assert time.monotonic() < end, f"no flow of {target}, the last one is {flow}"
            select.select([], [], [], 0.05)
        return flow


@pytest.fixture(scope="session")
def provider() -> Iterator[ThreadedProvider]:
    with FakeProvider.in_thread(tls=True) as fake:
        yield fake


@contextlib.contextmanager
def running(folder: Path, provider: ThreadedProvider, interceptor: str = "", more: str = "") -> Iterator[Intercepted]:
    made = Intercepted(folder, provider, interceptor, more)
    try:
        yield made
    finally:
        made.ccproxy("stop")


@pytest.fixture(scope="session")
def intercepted(tmp_path_factory: pytest.TempPathFactory, provider: ThreadedProvider) -> Iterator[Intercepted]:
    with running(tmp_path_factory.mktemp("intercepted"), provider) as made:
        yield made
