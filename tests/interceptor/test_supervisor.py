"""The process from the proxy's side: it starts when it is needed, and its end is noticed by whoever depends on it."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import certifi
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from ccproxy.errors import ConfigError
from ccproxy.interceptor.config import InterceptorConfig, MitmproxyConfig
from ccproxy.interceptor.messages import Settings, Targets
from ccproxy.interceptor.supervisor import InterceptorError, Supervisor, write_trust
from ccproxy.jail.protocol import LeaseRequest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs sockets that are handed on")


def settings(folder: Path, **config: object) -> Settings:
    return Settings(
        config=InterceptorConfig(**config),  # type: ignore[arg-type]
        mitmproxy=MitmproxyConfig(),
        gateway=("127.0.0.1", 9),
        secret="s",
        targets=Targets(hosts=["api.test"]),
        directory=str(folder),
        trust=certifi.where(),
    )


def request(run: str, **changes: object) -> LeaseRequest:
    key = base64.b64encode(X25519PrivateKey.generate().public_key().public_bytes_raw()).decode()
    return LeaseRequest(**{"run": run, "command": ["x"], "engine": "tun", "public_key": key, **changes})  # type: ignore[arg-type]


@pytest.fixture
async def supervisor(tmp_path: Path) -> AsyncIterator[Supervisor]:
    made = Supervisor(lambda: settings(tmp_path), None)
    yield made
    await made.close()


async def test_a_life(supervisor: Supervisor) -> None:
    assert supervisor.status().pid == 0
    lost: list[str] = []
    first = await supervisor.lease(request("a"), lambda: lost.append("a"))
    second = await supervisor.lease(request("b", engine="redirect"), lambda: lost.append("b"))
    assert (first.host, len(base64.b64decode(first.peer_key)), first.refused_udp) == ("127.0.0.1", 32, [443])
    assert second.token
    assert first.port != second.port
    assert Path(first.authority).exists()
    # One run can have but one way out, and a key has to be one.
    with pytest.raises(InterceptorError, match="there is a run a already"):
        await supervisor.lease(request("a"), lambda: None)
    with pytest.raises(InterceptorError, match="is no WireGuard key"):
        await supervisor.lease(request("c", public_key="short"), lambda: None)
    with pytest.raises(InterceptorError, match=r"'\*' is no host"):
        await supervisor.lease(request("d", deny=["*"]), lambda: None)
    supervisor.attribute("a", os.getpid())
    status = supervisor.status()
    assert [(jail.run, jail.pid) for jail in status.jails] == [("a", os.getpid()), ("b", 0)]
    await supervisor.finish("a")
    assert [jail.run for jail in supervisor.status().jails] == ["b"]
    # A crash: who held a lease is told, and the next one starts another process.
    before = status.pid
    os.kill(before, signal.SIGKILL)
    while not lost:
        await asyncio.sleep(0.01)
    assert lost == ["b"]
    await supervisor.lease(request("e"), lambda: None)
    assert supervisor.status().pid not in {0, before}
    after = supervisor.status().pid
    await supervisor.close()
    with pytest.raises(ProcessLookupError):
        os.kill(after, 0)


async def test_one_that_cannot_start_says_why(tmp_path: Path) -> None:
    supervisor = Supervisor(lambda: settings(tmp_path, scripts=[str(tmp_path / "missing.py")]), None)
    with pytest.raises(InterceptorError, match="No such script"):
        await supervisor.start()
    assert "does not start" in supervisor.status().problem
    await supervisor.close()


def test_trust_in_one_file(tmp_path: Path) -> None:
    one, other = tmp_path / "one.pem", tmp_path / "other.pem"
    one.write_bytes(b"one")
    other.write_bytes(b"other\n\n")
    assert Path(write_trust(tmp_path / "all.pem", [one, other])).read_bytes() == b"one\nother\n"
    with pytest.raises(ConfigError, match="cannot read"):
        write_trust(tmp_path / "all.pem", [tmp_path / "missing"])
