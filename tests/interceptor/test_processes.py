"""Who opened a connection: this very process, and a machine made of files."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ccproxy.interceptor import processes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")

CHILD = "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); sys.stdin.read()"


def test_a_child_of_ours() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(server.getsockname()[1])], stdin=subprocess.PIPE)
        connection, (_, port) = server.accept()
        with connection:
            found = processes.owner(os.getpid(), "tcp", port)
        assert child.stdin is not None
        child.stdin.close()
        child.wait()
    assert found == f"{child.pid} {Path(sys.executable).name}"


def test_nobody() -> None:
    assert processes.owner(os.getpid(), "tcp", 1) == ""
    assert processes.owner(2**22 + 1, "tcp", 80) == ""


class Machine:
    """A /proc of files."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def process(self, pid: int, command: list[str], children: list[int], sockets: tuple[int, ...] = ()) -> None:
        task = self.root / str(pid) / "task" / str(pid)
        task.mkdir(parents=True)
        (task / "children").write_text(" ".join(map(str, children)) + " ")
        (self.root / str(pid) / "cmdline").write_text("\0".join(command) + "\0")
        (self.root / str(pid) / "fd").mkdir()
        for number, inode in enumerate(sockets):
            (self.root / str(pid) / "fd" / str(number)).symlink_to(f"socket:[{inode}]")

    def connection(self, pid: int, port: int, inode: int) -> None:
        net = self.root / str(pid) / "net"
        net.mkdir(exist_ok=True)
        line = f"   0: 0100000A:{port:04X} 0A7100CB:01BB 01 00000000:00000000 00:00000000 00000000  1000        0 {inode} 1"
        (net / "tcp").write_text(f"  sl  local_address\n{line}\n")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path)
    made.process(10, ["python"], [20])
    made.process(20, ["/bin/bash"], [30], (555,))
    made.process(30, ["/usr/bin/git", "fetch", "--all"], [40], (555,))
    made.process(40, ["/usr/lib/git-remote-https", "origin", "https://u:p@x.test"], [], (555, 777))
    made.connection(10, 40000, 777)
    return made


def test_the_chain_of_parents_up_to_the_first_process(machine: Machine, tmp_path: Path) -> None:
    found = processes.owner(10, "tcp", 40000, tmp_path)
    assert found == "40 git-remote-https origin < 30 git fetch < 20 bash"


def test_a_socket_that_was_handed_down_is_the_last_one_s(machine: Machine, tmp_path: Path) -> None:
    machine.connection(10, 40001, 555)
    assert processes.owner(10, "tcp", 40001, tmp_path).startswith("40 ")


def test_arguments_that_may_be_secrets_are_left_out(machine: Machine, tmp_path: Path) -> None:
    machine.process(50, ["curl", "-H", "x-api-key: sk-ant-api03-secretsecret"], [], (888,))
    (tmp_path / "10" / "task" / "10" / "children").write_text("50 ")
    machine.connection(10, 40002, 888)
    assert processes.owner(10, "tcp", 40002, tmp_path) == "50 curl"
