"""The control socket of a running proxy: launchers get their leases here (`jail/protocol.py`).

A file in the state directory, for its owner alone; who connects is checked besides. A connection that has a lease holds
it: when the connection ends, whatever ended it, the lease is given back, and when the interceptor ends, it is closed.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import struct
from pathlib import Path

import msgspec

from ccproxy.errors import CCProxyError
from ccproxy.interceptor.supervisor import Supervisor
from ccproxy.jail import protocol
from ccproxy.jail.protocol import Finish, Finished, LeaseRequest, Refusal, Started, StatusRequest

_log = logging.getLogger("ccproxy.interceptor")

_MAX_LINE = 256 * 1024
_PEER = struct.Struct("iII")


class Control:
    """The server.

    Args:
        supervisor: gives leases.
        path: of the socket.
    """

    def __init__(self, supervisor: Supervisor, path: Path) -> None:
        self._supervisor = supervisor
        self._path = path
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Listens. Raises OSError."""
        listener = protocol.listen(self._path)
        self._server = await asyncio.start_unix_server(
            self._serve,
            sock=listener,
            limit=_MAX_LINE,
            cleanup_socket=False,  # the name that it was bound by is good for that moment only
        )

    async def close(self) -> None:
        """Stops listening and ends every connection."""
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)
        for writer in list(self._writers):
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            if not _is_ours(writer):
                return
            request = await _read(reader)
            if isinstance(request, StatusRequest):
                writer.write(protocol.encode(self._supervisor.status()))
                await writer.drain()
            elif isinstance(request, LeaseRequest):
                await self._lease(request, reader, writer)
        except ConnectionError:
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _lease(self, request: LeaseRequest, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            grant = await self._supervisor.lease(request, writer.close)
        except CCProxyError as error:
            writer.write(protocol.encode(Refusal(message=error.message, hint=error.hint)))
            await writer.drain()
            return
        _log.info("run %s begins: engine %s", request.run, request.engine)
        try:
            writer.write(protocol.encode(grant))
            await writer.drain()
            while (message := await _read(reader)) is not None:
                if isinstance(message, Started):
                    self._supervisor.attribute(request.run, message.pid)
                elif isinstance(message, Finish):
                    await self._supervisor.finish(request.run)
                    writer.write(protocol.encode(Finished()))
                    await writer.drain()
        finally:
            self._supervisor.release(request.run)
            _log.info("run %s ends", request.run)


async def _read(reader: asyncio.StreamReader) -> protocol.Request | None:
    """The next request; None at the end, or for what is none."""
    try:
        line = await reader.readline()
        return protocol.decode_request(line) if line else None
    except (ValueError, msgspec.MsgspecError, ConnectionError):
        return None


def _is_ours(writer: asyncio.StreamWriter) -> bool:
    """Whether the other side is the user that the proxy runs as, or root."""
    connection: socket.socket = writer.get_extra_info("socket")
    _, uid, _ = _PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    return uid in {os.getuid(), 0}
