"""The control socket: leases begin and end with connections."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from ccproxy.interceptor.control import Control
from ccproxy.interceptor.supervisor import InterceptorError
from ccproxy.jail import protocol
from ccproxy.jail.protocol import Finish, Finished, Grant, LeaseRequest, Refusal, Started, Status, StatusRequest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the jail needs Linux")

REQUEST = LeaseRequest(run="a1", command=["x"], engine="redirect")
GRANT = Grant(host="127.0.0.1", port=5, authority="/ca", token="t")


class Leases:
    """Stands in for the supervisor, and notes what it is asked."""

    def __init__(self) -> None:
        self.noted: list[object] = []
        self.refuse = False
        self.lost: Callable[[], None] = lambda: None
        self.released = asyncio.Event()

    async def lease(self, request: LeaseRequest, lost: Callable[[], None]) -> Grant:
        if self.refuse:
            raise InterceptorError("no way out", hint="none at all")
        self.lost = lost
        return GRANT

    def attribute(self, run: str, pid: int) -> None:
        self.noted.append((run, pid))

    async def finish(self, run: str) -> None:
        self.noted.append(f"finish {run}")

    def release(self, run: str) -> None:
        self.released.set()

    def status(self) -> Status:
        return Status(pid=7, authority="/ca")


@pytest.fixture
def leases() -> Leases:
    return Leases()


@pytest.fixture
async def path(leases: Leases, tmp_path: Path) -> AsyncIterator[Path]:
    control = Control(leases, tmp_path / "control.sock")  # type: ignore[arg-type]
    await control.start()
    yield tmp_path / "control.sock"
    await control.close()
    assert not (tmp_path / "control.sock").exists()


class Launcher:
    """A client of the socket."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def __aenter__(self) -> Launcher:
        self.reader, self.writer = await asyncio.open_unix_connection(sock=protocol.connect(self._path))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()

    async def ask(self, message: protocol.Request) -> protocol.Reply | None:
        self.writer.write(protocol.encode(message))
        line = await self.reader.readline()
        return protocol.decode_reply(line) if line else None


async def test_a_lease_lasts_as_long_as_its_connection(path: Path, leases: Leases) -> None:
    async with Launcher(path) as launcher:
        assert await launcher.ask(REQUEST) == GRANT
        launcher.writer.write(protocol.encode(Started(pid=99)))
        assert await launcher.ask(Finish()) == Finished()
        assert leases.noted == [("a1", 99), "finish a1"]
        assert not leases.released.is_set()
    await leases.released.wait()


async def test_a_lost_lease_ends_its_connection(path: Path, leases: Leases) -> None:
    async with Launcher(path) as launcher:
        await launcher.ask(REQUEST)
        leases.lost()
        assert await launcher.reader.read() == b""


async def test_a_refusal(path: Path, leases: Leases) -> None:
    leases.refuse = True
    async with Launcher(path) as launcher:
        assert await launcher.ask(REQUEST) == Refusal(message="no way out", hint="none at all")


async def test_the_status(path: Path) -> None:
    async with Launcher(path) as launcher:
        assert await launcher.ask(StatusRequest()) == Status(pid=7, authority="/ca")


async def test_what_is_no_request_ends_the_connection(path: Path) -> None:
    async with Launcher(path) as launcher:
        launcher.writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert await launcher.reader.read() == b""
