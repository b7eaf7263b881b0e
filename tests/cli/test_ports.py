"""A port that is taken is taken by someone with a name."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ccproxy.cli import ports, runfile
from ccproxy.errors import CommandError

LISTEN = (
    "import socket, sys; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True); input()"
)


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CCPROXY_CONFIG_DIR", str(tmp_path))


def test_a_free_port_is_free(free_port: int) -> None:
    ports.check_free("127.0.0.1", free_port)
    ports.check_free("localhost", free_port)


def test_the_holder_is_named_with_its_command_but_without_its_secrets() -> None:
    key = "sk-ant-api03-" + "c4n4ry" * 8
    with subprocess.Popen(
        [sys.executable, "-c", LISTEN, "--key", key], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        found = ports.holder(port)
        with pytest.raises(CommandError) as caught:
            ports.check_free("127.0.0.1", port)
        process.communicate("")
    assert found is not None
    assert found.pid == process.pid
    assert str(caught.value).startswith(f"port {port} is taken by pid {process.pid}: {sys.executable} -c")
    assert "--port" in caught.value.hint
    assert key not in f"{found.command}{caught.value}"


def test_a_running_proxy_in_the_way_is_called_by_its_name() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        runfile.write(runfile.of_this_process(host="127.0.0.1", port=port, version="1", config=None, log=Path("/log")))
        with pytest.raises(CommandError, match=rf"ccproxy already runs on port {port} \(pid {os.getpid()}\)"):
            ports.check_free("127.0.0.1", port)


def test_nobody_holds_a_free_port(free_port: int) -> None:
    assert ports.holder(free_port) is None


@pytest.mark.parametrize(
    ("host", "message"), [("192.0.2.1", "not an address of this machine"), ("no such host", "cannot listen on")]
)
def test_an_address_that_is_not_ours_is_said(host: str, message: str, free_port: int) -> None:
    with pytest.raises(CommandError, match=message):
        ports.check_free(host, free_port)
