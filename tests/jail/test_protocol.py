"""Messages of the control socket, and the socket itself."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import msgspec
import pytest

from ccproxy.jail import protocol
from ccproxy.jail.protocol import (
    Finish,
    Finished,
    Grant,
    LeaseRequest,
    Refusal,
    RunningJail,
    Started,
    Status,
    StatusRequest,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the jail needs Linux")

REQUESTS = [
    LeaseRequest(run="a1", command=["x", "-y"], engine="tun", public_key="k", allow=["a"], deny=["b"]),
    Started(pid=7),
    Finish(),
    StatusRequest(),
]
REPLIES = [
    Grant(host="127.0.0.1", port=1, authority="/ca", peer_key="p", token="t", refused_udp=[443], keylog="/k"),
    Refusal(message="no", hint="why"),
    Finished(),
    Status(pid=1, authority="/ca", jails=[RunningJail(run="a1", command=["x"], engine="tun", started=1.5)]),
]


@pytest.mark.parametrize("message", REQUESTS)
def test_requests_arrive_as_they_are(message: protocol.Request) -> None:
    line = protocol.encode(message)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert protocol.decode_request(line) == message


@pytest.mark.parametrize("message", REPLIES)
def test_replies_arrive_as_they_are(message: protocol.Reply) -> None:
    assert protocol.decode_reply(protocol.encode(message)) == message


def test_what_is_none_is_an_error() -> None:
    with pytest.raises(msgspec.MsgspecError):
        protocol.decode_request(b'{"type": "other"}')


def test_a_socket_with_a_long_path(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    path = folder / "control.sock"
    path.touch()  # a killed proxy left it
    with protocol.listen(path) as listener, protocol.connect(path) as client:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        accepted, _ = listener.accept()
        with accepted:
            client.sendall(b"x")
            assert accepted.recv(1) == b"x"


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        protocol.connect(tmp_path / "control.sock")
