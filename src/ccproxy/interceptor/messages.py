"""What the proxy and its interceptor process say to each other, over a socket pair: length, then MessagePack.

The proxy begins with `Settings`; the interceptor answers `Ready`. After that either side speaks when it has something
to say; nothing but `Open` and `Close` is answered. The end of the stream is the end of the other process.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Self

import msgspec
from msgspec import Struct

from ccproxy.flows.model import Flow
from ccproxy.interceptor.config import InterceptorConfig, MitmproxyConfig

#: Bytes that may wait for the other side before a sender has to.
_HIGH_WATER = 8 * 1024 * 1024


class Targets(Struct, tag=True, kw_only=True):
    """Whose requests are handed to the gateway.

    Attributes:
        hosts: names of providers, lower case.
        patterns: regular expressions of routing rules, tried on names.
    """

    hosts: list[str]
    patterns: list[str] = []


class Settings(Struct, tag=True, kw_only=True):
    """Everything the interceptor has to know at its start.

    Attributes:
        gateway: address and port to hand requests to, and `secret`, which proves that they are.
        own_ports: ports of this machine that are never reached from a jail.
        directory: where the certificate authority is, or is made.
        trust: PEM file of the authorities that upstreams are verified with.
        keylog: file for TLS keys, or "".
        max_body_bytes: most bytes recorded of a body; -1 records nothing.
        host_ports: loopback ports that jails may reach by name.
    """

    config: InterceptorConfig
    mitmproxy: MitmproxyConfig
    gateway: tuple[str, int]
    secret: str
    targets: Targets
    directory: str
    trust: str
    keylog: str = ""
    wireguard_keylog: str = ""
    max_body_bytes: int = -1
    own_ports: list[int] = []
    host_ports: list[int] = []


class Ready(Struct, tag=True, kw_only=True):
    """The interceptor serves.

    Attributes:
        authority: its certificate, a PEM file.
        wireguard: the configuration of a client beyond this machine, or "".
        http_proxy: the URL of the proxy listener, or "".
    """

    authority: str
    wireguard: str = ""
    http_proxy: str = ""


class Unable(Struct, tag=True, kw_only=True):
    """The interceptor cannot start, and why."""

    message: str


class Open(Struct, tag=True, kw_only=True):
    """A run needs a way out. `public_key` is raw, b"" for a relay."""

    run: str
    public_key: bytes
    allow: list[str] = []
    deny: list[str] = []


class Opened(Struct, tag=True, kw_only=True):
    """The way out of a run: a WireGuard server with `peer_key`, or a relay's endpoint with `token`."""

    run: str
    host: str
    port: int
    peer_key: bytes = b""
    token: str = ""


class NotOpened(Struct, tag=True, kw_only=True):
    """There is no way out for a run, and why."""

    run: str
    message: str


class Attribute(Struct, tag=True, kw_only=True):
    """The first process of a run's jail, by its id outside."""

    run: str
    pid: int


class Close(Struct, tag=True, kw_only=True):
    """A run is over."""

    run: str


class Closed(Struct, tag=True, kw_only=True):
    """Everything that a run did has been told."""

    run: str


class Recorded(Struct, tag=True, kw_only=True):
    """A flow that went by, and the secrets that are to be taken out of its compressed bodies."""

    flow: Flow
    secrets: list[str] = []


class Said(Struct, tag=True, kw_only=True):
    """A line for the log. `level` is a number of the logging module."""

    level: int
    text: str


Message = Settings | Targets | Ready | Unable | Open | Opened | NotOpened | Attribute | Close | Closed | Recorded | Said

_decode = msgspec.msgpack.Decoder(Message).decode
_encode = msgspec.msgpack.Encoder().encode


class Channel:
    """One end of the connection between the two processes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        writer.transport.set_write_buffer_limits(_HIGH_WATER)

    @classmethod
    async def open(cls, connection: socket.socket) -> Self:
        """Over a connected socket."""
        reader, writer = await asyncio.open_unix_connection(sock=connection)
        return cls(reader, writer)

    async def receive(self) -> Message | None:
        """The next message; None when the other side is gone."""
        try:
            size = int.from_bytes(await self._reader.readexactly(4), "big")
            message: Message = _decode(await self._reader.readexactly(size))
            return message
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    def send(self, message: Message) -> None:
        """Queues a message. What is said to a side that has gone is lost."""
        data = _encode(message)
        self._writer.write(len(data).to_bytes(4, "big"))
        self._writer.write(data)

    async def drain(self) -> None:
        """Waits while too much is queued."""
        try:
            await self._writer.drain()
        except ConnectionError:
            return

    def close(self) -> None:
        """Ends the connection; the other side sees it."""
        self._writer.close()
