"""What a launcher and a running proxy say to each other, over the proxy's control socket.

The socket is a file of the state directory, which only its owner can open. A connection begins with one request, one
line of JSON. `Status` is answered and that is all. `LeaseRequest` is answered by a `Grant` or a `Refusal`; a granted
lease lasts as long as the connection: whichever side ends, for whatever reason, the other one sees it at once. In
between the launcher says `Started` when there is a process to attribute connections to, and at the end `Finish`.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

import msgspec
from msgspec import Struct

from ccproxy.util.paths import state_dir


class LeaseRequest(Struct, tag="lease", tag_field="type", kw_only=True):
    """A launcher wants a way out for a jail.

    Attributes:
        run: the id that the jail's flows get.
        command: the command line, for people.
        public_key: of the tunnel, base64 (engine `tun`).
        allow: if not empty, the only hosts that may be reached, beside the providers'.
        deny: hosts that may not.
    """

    run: str
    command: list[str]
    engine: str
    public_key: str = ""
    allow: list[str] = []
    deny: list[str] = []


class Started(Struct, tag="started", tag_field="type", kw_only=True):
    """The jail's first process, by its id outside."""

    pid: int


class Finish(Struct, tag="finish", tag_field="type"):
    """The command has ended: answered by `Finished` when its flows can be read."""


class StatusRequest(Struct, tag="status", tag_field="type"):
    """What is there?"""


class Grant(Struct, tag="grant", tag_field="type", kw_only=True):
    """A lease.

    Attributes:
        host, port: where the tunnel's other end, or the relay's, listens.
        peer_key: its public key, base64 (engine `tun`).
        token: what a relayed connection begins with (engine `redirect`).
        authority: the certificate that the jail has to trust, a PEM file.
        refused_udp: UDP ports to refuse at once; 0 stands for all but DNS.
        keylog: file for the tunnel's keys, or "".
    """

    host: str
    port: int
    authority: str
    peer_key: str = ""
    token: str = ""
    refused_udp: list[int] = []
    keylog: str = ""


class Refusal(Struct, tag="refusal", tag_field="type", kw_only=True):
    """No lease, and why."""

    message: str
    hint: str = ""


class Finished(Struct, tag="finished", tag_field="type"):
    """The flows of the run are in the store."""


class RunningJail(Struct, kw_only=True):
    """A lease that is held. `started` is seconds since the epoch."""

    run: str
    command: list[str]
    engine: str
    started: float
    pid: int = 0


class Status(Struct, tag="state", tag_field="type", kw_only=True):
    """The interceptor and the jails it serves. `pid` is 0 while it does not run: it starts with the first jail."""

    pid: int
    authority: str
    jails: list[RunningJail] = []
    wireguard: str = ""
    http_proxy: str = ""
    problem: str = ""


Request = LeaseRequest | StatusRequest | Started | Finish
Reply = Grant | Refusal | Status | Finished

decode_request = msgspec.json.Decoder(Request).decode
decode_reply = msgspec.json.Decoder(Reply).decode


def encode(message: Request | Reply) -> bytes:
    """A message as its line."""
    return msgspec.json.encode(message) + b"\n"


def socket_path(port: int) -> Path:
    """The control socket of the proxy on `port`."""
    return state_dir() / f"control-{port}.sock"


def connect(path: Path) -> socket.socket:
    """Connects to a control socket, however long its path is. Raises OSError."""
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            control.connect(f"/proc/self/fd/{directory}/{path.name}")
        except BaseException:
            control.close()
            raise
        return control
    finally:
        os.close(directory)


def listen(path: Path) -> socket.socket:
    """Binds a control socket (0600), taking the place of one that a killed proxy left. Raises OSError."""
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        path.unlink(missing_ok=True)
        control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            control.bind(f"/proc/self/fd/{directory}/{path.name}")
            path.chmod(0o600)
            control.listen(64)
        except BaseException:
            control.close()
            raise
        return control
    finally:
        os.close(directory)
