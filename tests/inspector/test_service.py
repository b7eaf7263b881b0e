"""The inspector's place in the proxy: it binds, or says why not, and never stands in the proxy's way."""

from __future__ import annotations

import http.client
import json
import logging
import os
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ccproxy.inspector.service import Inspector
from ccproxy.lightllm.registry import Registry
from inspector.world import free_port, world


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(os.environ, "CCPROXY_CONFIG_DIR", str(tmp_path))
    return tmp_path / "state"


def make(port: int | None, folder: Path) -> Inspector:
    return Inspector(port, folder / "flows.db", Registry(), lambda: ["team.example"], lambda: {"port": 4000})


@pytest.fixture
async def served(state: Path) -> AsyncIterator[Inspector]:
    made = make(free_port(), state)
    made.bind()
    await made.start()
    yield made
    await made.close()


async def test_it_is_up_and_says_where(served: Inspector) -> None:
    assert served.report() == {"up": True, "url": served.url, "problem": ""}
    assert served.login_url().startswith(f"{served.url}/#login=")


async def test_before_it_serves_it_is_bound(state: Path) -> None:
    made = make(free_port(), state)
    made.bind()
    assert made.report() == {"up": False, "url": made.url, "problem": ""}
    await made.close()
    await made.start()  # comes too late, and does nothing
    assert made.report()["up"] is False


async def test_a_port_that_is_taken_costs_the_inspector_alone(state: Path, caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as other, caplog.at_level(logging.WARNING, "ccproxy.inspector"):
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        made = make(port, state)
        made.bind()
        await made.start()
        assert made.problem == f"port {port} cannot be had: Address already in use"
        assert made.login_url() == ""
        assert f"no inspector: port {port} cannot be had" in caplog.text
        assert "inspector.port" in caplog.text
        await made.close()


async def test_switched_off(state: Path) -> None:
    made = make(None, state)
    assert not made.wanted
    made.bind()
    await made.start()
    await made.close()
    assert made.report() == {"up": False, "url": "", "problem": "switched off (inspector.port)"}
    assert not (state / "inspector.key").exists()


async def test_a_key_that_cannot_be_read(state: Path) -> None:
    (state / "inspector.key").mkdir(parents=True)
    made = make(free_port(), state)
    made.bind()
    assert "inspector.key cannot be had: Is a directory" in made.problem
    await made.close()


def test_a_second_proxy_serves_without_an_inspector(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with world(tmp_path) as first:
        assert stat.S_IMODE((tmp_path / "state" / "inspector.key").stat().st_mode) == 0o600
        connection = http.client.HTTPConnection("::1", first.web)
        connection.request("GET", "/", headers={"Host": "localhost"})
        assert connection.getresponse().status == 200
        connection.close()
        with world(other, web=first.web) as second:
            connection = http.client.HTTPConnection("127.0.0.1", second.port)
            connection.request("GET", "/health")
            report = json.loads(connection.getresponse().read())["inspector"]
            connection.close()
            assert report == {
                "up": False,
                "url": "",
                "problem": f"port {first.web} cannot be had: Address already in use",
            }
            status, _, _ = second.ask({"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]})
            assert status == 200
