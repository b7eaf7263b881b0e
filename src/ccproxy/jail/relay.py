"""Engine `redirect`: takes the connections that a jail's listeners accept, and carries each to the interceptor.

In the jail every address is local, so a listener on port 443 takes the connections to every host's port 443, and its
end of each one bears the address that was meant. Runs outside the jail, like the bridge, with the listeners'
descriptors. Each connection is passed on with one line before it that says whence and whither; DNS questions go over
TCP. It ends when the launcher closes the control socket or the interceptor is gone, and cuts what is open.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ccproxy.jail.network import DNS_ADDRESS

_CHUNK = 256 * 1024
_DNS_SECONDS = 10.0
_MAX_QUESTION = 4096


class Relay:
    """The listeners of one jail.

    Args:
        listeners: listening TCP sockets made in the jail.
        dns: the UDP socket on port 53 made in the jail.
        endpoint: where the interceptor takes this jail's connections.
        token: what it recognises them by.
    """

    def __init__(
        self, listeners: list[socket.socket], dns: socket.socket, endpoint: tuple[str, int], token: str
    ) -> None:
        self._listeners = listeners
        self._dns = dns
        self._endpoint = endpoint
        self._token = token
        self._open: set[asyncio.StreamWriter] = set()
        self._questions: set[asyncio.Task[None]] = set()
        self._gone = asyncio.Event()

    async def run(self, control: socket.socket, on_up: Callable[[], None]) -> str:
        """Serves until an end comes. Returns why it ended: "" if the launcher asked for it."""
        loop = asyncio.get_running_loop()
        try:
            _, probe = await asyncio.open_connection(*self._endpoint)
            probe.close()
        except OSError as error:
            return f"the interceptor does not answer: {error.strerror or error}"
        servers = [await asyncio.start_server(self._accepted, sock=listener) for listener in self._listeners]
        self._dns.setblocking(False)
        loop.add_reader(self._dns, self._question)
        on_up()
        control.setblocking(False)
        asked = asyncio.ensure_future(loop.sock_recv(control, 1))
        gone = asyncio.ensure_future(self._gone.wait())
        await asyncio.wait({asked, gone}, return_when=asyncio.FIRST_COMPLETED)
        ended_by_us = asked.done()
        asked.cancel()
        gone.cancel()
        loop.remove_reader(self._dns)
        for server in servers:
            server.close()
        for writer in list(self._open):
            _reset(writer)
        return "" if ended_by_us else "the interceptor is gone"

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        source, target = (_plain(writer.get_extra_info(name)) for name in ("peername", "sockname"))
        try:
            there_reader, there = await self._dial(source, target)
        except OSError:
            _reset(writer)
            return
        self._open.update((writer, there))
        try:
            await asyncio.gather(_copy(reader, there), _copy(there_reader, writer))
        except OSError:
            _reset(writer)
            _reset(there)
        finally:
            self._open.difference_update((writer, there))
            writer.close()
            there.close()

    async def _dial(self, source: Any, target: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            reader, writer = await asyncio.open_connection(*self._endpoint, limit=_CHUNK)
        except ConnectionRefusedError:
            self._gone.set()
            raise
        line = {"token": self._token, "source": list(source), "target": list(target)}
        writer.write(json.dumps(line).encode() + b"\n")
        return reader, writer

    def _question(self) -> None:
        """A DNS question has come."""
        with suppress(OSError):
            question, client = self._dns.recvfrom(_MAX_QUESTION)
            task = asyncio.get_running_loop().create_task(self._answer(question, client))
            self._questions.add(task)
            task.add_done_callback(self._questions.discard)

    async def _answer(self, question: bytes, client: Any) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
            async with asyncio.timeout(_DNS_SECONDS):
                reader, writer = await self._dial(client[:2], (DNS_ADDRESS, 53))
                try:
                    writer.write(len(question).to_bytes(2, "big") + question)
                    size = int.from_bytes(await reader.readexactly(2), "big")
                    self._dns.sendto(await reader.readexactly(size), client)
                finally:
                    writer.close()


def _plain(address: Any) -> tuple[str, int]:
    """Host and port of a socket's name; IPv4 as such, though the listener takes it for IPv6."""
    return address[0].removeprefix("::ffff:"), address[1]


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(_CHUNK):
        writer.write(chunk)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Cuts a connection so that its other end notices at once and takes it for no orderly end."""
    with suppress(OSError):
        endpoint: socket.socket = writer.get_extra_info("socket")
        endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    writer.transport.abort()


def from_orders(orders: dict[str, Any], descriptors: list[int]) -> Relay:
    """The relay that the launcher's orders describe (`jail/helper.py`); the last descriptor is the DNS socket."""
    sockets = [socket.socket(fileno=descriptor) for descriptor in descriptors]
    return Relay(sockets[:-1], sockets[-1], (orders["host"], orders["port"]), orders["token"])
