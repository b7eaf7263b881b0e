"""The inspector's place in the proxy: bound at the start, served when the proxy is ready, gone before it ends.

Binding takes no time; what serves the page is imported afterwards, so that the proxy is not ready any later. A port that
is taken costs the inspector, not the proxy: `problem` says so.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ccproxy.errors import CommandError
from ccproxy.flows.store import Place
from ccproxy.gateway.config import GatewayConfig
from ccproxy.gateway.guard import Guard
from ccproxy.gateway.server import Server, bind, url_of
from ccproxy.inspector.access import key_path, login_url, read_key
from ccproxy.inspector.hub import Hub

if TYPE_CHECKING:
    from ccproxy.inspector.reading import Reading
    from ccproxy.lightllm.registry import Registry

_log = logging.getLogger("ccproxy.inspector")

#: The inspector is for this machine.
HOST = "127.0.0.1"
_DRAIN_SECONDS = 1.0


class Inspector:
    """The web inspector of one proxy.

    Args:
        port: where to listen; None for no inspector.
        store: where the flow store is.
        dialects: what conversations are read in.
        hosts: gives the Host names that may be used beside loopback and addresses.
        state: facts about the proxy, for the page.
    """

    def __init__(
        self,
        port: int | None,
        store: Place,
        dialects: Registry,
        hosts: Callable[[], list[str]],
        state: Callable[[], dict[str, object]],
    ) -> None:
        self.hub = Hub()
        self.problem = "switched off (inspector.port)" if port is None else ""
        self.url = ""
        self._port = port
        self._store = store
        self._dialects = dialects
        self._hosts = hosts
        self._state = state
        self._key = b""
        self._closed = False
        self._sockets: list[socket.socket] = []
        self._server: Server | None = None
        self._reading: Reading | None = None

    @property
    def wanted(self) -> bool:
        """Whether there is to be one."""
        return self._port is not None

    def bind(self) -> None:
        """Takes the port, if it can be had."""
        if self._port is None:
            return
        try:
            self._key = read_key(key_path())
            self._sockets = bind(HOST, self._port)
        except CommandError as error:
            cause = error.__cause__
            reason = os.strerror(cause.errno) if isinstance(cause, OSError) and cause.errno else error.message
            self.problem = f"port {self._port} cannot be had: {reason}"
        except OSError as error:
            self.problem = f"its key {key_path()} cannot be had: {error.strerror}"
        else:
            self.url = url_of(self._sockets[0])
        if self.problem:
            _log.warning("no inspector: %s (choose another port with inspector.port)", self.problem)

    def login_url(self) -> str:
        """An address that logs a browser in once; "" where there is no inspector."""
        return login_url(self.url, self._key, time.time()) if self.url else ""

    async def start(self) -> None:
        """Serves the page."""
        if not self._sockets or self._closed:
            return
        from ccproxy.inspector.access import Access
        from ccproxy.inspector.pages import Pages
        from ccproxy.inspector.reading import Reading

        self._reading = Reading(self._store, self._dialects)
        self.hub.connect(self._reading.rows_of)
        pages = Pages(
            self._reading,
            self.hub,
            Access(self._key, time.time),
            self._guard,
            self._state,
            f"ccproxy-inspector-{self._sockets[0].getsockname()[1]}",
        )
        self._server = Server(pages, GatewayConfig(max_header_bytes=32 * 1024, max_headers=100))
        await self._server.serve(self._sockets)
        _log.info("the inspector is at %s (`ccproxy inspector` gives a link that logs you in)", self.url)

    async def close(self) -> None:
        """Lets go of pages, port and store."""
        self._closed = True
        await self.hub.close()
        if self._server is not None:
            await self._server.drain(_DRAIN_SECONDS, asyncio.Event())
        for one in self._sockets:
            one.close()
        if self._reading is not None:
            await self._reading.close()

    def report(self) -> dict[str, object]:
        """For `/health`."""
        return {"up": self._server is not None, "url": self.url, "problem": self.problem}

    def _guard(self) -> Guard:
        """The Host names of the gateway; of origins its own alone."""
        return Guard(hosts=frozenset(name.lower() for name in self._hosts()), origins=frozenset(), client_keys={})
