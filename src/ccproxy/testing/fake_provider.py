"""FakeProvider: a stand-in for LLM providers on a loopback port, for tests.

    async with FakeProvider() as provider:
        client = AsyncAnthropic(base_url=provider.url, api_key="dummy")
        ...
        assert provider.requests[0].json()["model"] == "claude-x"

Unless told otherwise it answers any path of the four dialects as their provider would: with a tool call if the
request offers a tool and holds no tool result yet, else with text; buffered or streamed as asked. `reply` and `on`
put scripted answers before that. Everything a test may want to know is recorded, everything it may want to wait for
can be awaited; nothing needs a sleep.
"""

from __future__ import annotations

import asyncio
import re
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ccproxy.providers.answers.script import Script
from ccproxy.testing.connection import Connection
from ccproxy.testing.recorded import Disconnect, Received
from ccproxy.testing.reply import Reply
from ccproxy.testing.site import PATIENCE, Responder, Rule, Site
from ccproxy.testing.tls import Certificates, make_certificates
from ccproxy.util.clock import Clock, SystemClock

if TYPE_CHECKING:
    from ccproxy.testing.threaded import ThreadedProvider

#: What the default answers say.
TEXT = "Hello from the fake provider."


class FakeProvider:
    """The server. An async context manager; see `in_thread` for tests that are not async.

    Args:
        text: what the default answers say.
        models: names in the model lists.
        tls: serve https: True makes an authority and a certificate for the run (needs the `openssl` command),
            `Certificates` uses those given. Clients must trust `ca_file`.
        port: the port to listen on; 0 is a free one.
        clock: where the times of disconnects come from.
    """

    def __init__(
        self,
        *,
        text: str = TEXT,
        models: Sequence[str] = ("fake-1",),
        tls: bool | Certificates = False,
        port: int = 0,
        clock: Clock | None = None,
    ) -> None:
        self._site = Site(text, models, clock or SystemClock())
        self._tls = tls
        self._certificates = tls if isinstance(tls, Certificates) else None
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self._port = port
        self._connections = 0
        self._servers: list[asyncio.Server] = []
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    # -- life --

    @classmethod
    def in_thread(
        cls, *, text: str = TEXT, models: Sequence[str] = ("fake-1",), tls: bool | Certificates = False
    ) -> AbstractContextManager[ThreadedProvider]:
        """A FakeProvider in a thread of its own, for tests without an event loop: a context manager that gives a
        `ThreadedProvider`, which has the same methods, blocking."""
        from ccproxy.testing.threaded import in_thread

        return in_thread(lambda: cls(text=text, models=models, tls=tls))

    async def __aenter__(self) -> Self:
        if self._tls and self._certificates is None:
            self._directory = tempfile.TemporaryDirectory(prefix="ccproxy-fake-provider-")
            self._certificates = make_certificates(Path(self._directory.name))
        await self.accept()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.refuse()
        tasks = list(self._open)
        for task, writer in list(self._open.items()):
            task.cancel()
            writer.transport.abort()
        await asyncio.gather(*tasks, return_exceptions=True)
        for server in self._servers:
            await server.wait_closed()
        if self._directory is not None:
            self._directory.cleanup()
        if self.errors and error is None:
            raise self.errors[0]

    async def accept(self) -> None:
        """Listens; after `refuse` on the same port as before."""
        if self._certificates is None:
            server = await asyncio.start_server(self._connected, "127.0.0.1", self._port)
        else:
            context = self._certificates.server_context()
            server = await asyncio.start_server(
                self._connected, "127.0.0.1", self._port, ssl=context, ssl_handshake_timeout=PATIENCE
            )
        self._servers.append(server)
        self._port = server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Stops listening: new connections are refused, open ones go on."""
        loop = asyncio.get_running_loop()
        for server in self._servers:
            for listening in server.sockets:
                loop.remove_reader(listening.fileno())
        # A server that closes forgets a connection that was accepted and is not yet set up: those come first.
        for _ in range(3):
            await asyncio.sleep(0)
        for server in self._servers:
            server.close()

    @property
    def port(self) -> int:
        """The TCP port on 127.0.0.1."""
        return self._port

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT` (or https), without a path."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}"

    @property
    def ca_file(self) -> Path:
        """With `tls`: PEM file of the authority that signed the server's certificate."""
        if self._certificates is None:
            raise ValueError("FakeProvider has a CA file only with tls=True, and only while it runs")
        return self._certificates.ca

    # -- what came --

    @property
    def requests(self) -> list[Received]:
        """Every request, in the order in which their heads came."""
        return self._site.requests

    @property
    def connections(self) -> int:
        """How many connections have been opened so far."""
        return self._connections

    @property
    def errors(self) -> list[Exception]:
        """What handler functions raised. The first is raised again on leaving, so that no test passes by accident."""
        return self._site.errors

    # -- what to answer --

    def reply(self, *responders: Responder) -> None:
        """Queues answers: each is used once, for the next request, whatever its path.

        A responder is a `Reply`, a `Script` (rendered in the dialect of the request), a `Socket` (for an upgrade), or
        a function of the `Received` request, async or not, that returns one of these.
        """
        self._site.queue.extend(responders)

    def on(self, pattern: str, responder: Responder, *, method: str = "", times: int | None = None) -> None:
        """Answers requests whose path (without query) matches the regular expression `pattern` (`re.search`).

        Queued replies come first; of several rules that match the latest decides. `times` limits how often it is used.
        """
        self._site.rules.insert(0, Rule(re.compile(pattern), method.upper(), responder, times))

    def answer(self, request: Received) -> Reply:
        """The default answer to a complete request, for handlers that want to change something about it."""
        return self._site.default(request)

    def write(self, request: Received, script: Script) -> Reply:
        """`script` in the dialect of `request`, buffered or streamed as it asks. Raises ValueError if the request does
        not ask for a generation."""
        return self._site.write(request, script)

    # -- what to wait for --

    async def wait_for_request(self, index: int = 0, *, patience: float = PATIENCE) -> Received:
        """Waits until `requests[index]` is there with its whole body. Raises TimeoutError after `patience` seconds."""
        await self.wait_until(lambda: self._has(index) and self.requests[index].complete, f"request {index}", patience)
        return self.requests[index]

    async def wait_for_head(self, index: int = 0, *, patience: float = PATIENCE) -> Received:
        """Waits until the head of `requests[index]` is there."""
        await self.wait_until(lambda: self._has(index), f"the head of request {index}", patience)
        return self.requests[index]

    async def wait_for_body(self, index: int, size: int, *, patience: float = PATIENCE) -> Received:
        """Waits until at least `size` bytes of the body of `requests[index]` are there."""
        await self.wait_until(
            lambda: self._has(index) and len(self.requests[index].content) >= size,
            f"{size} bytes of the body of request {index}",
            patience,
        )
        return self.requests[index]

    async def wait_for_disconnect(self, index: int = 0, *, patience: float = PATIENCE) -> Disconnect:
        """Waits until the connection of `requests[index]` has ended, whoever ended it."""
        await self.wait_until(
            lambda: self._has(index) and self.requests[index].disconnect is not None,
            f"the end of the connection of request {index}",
            patience,
        )
        ended = self.requests[index].disconnect
        assert ended is not None
        return ended

    async def wait_for_message(self, index: int, number: int, *, patience: float = PATIENCE) -> str | bytes:
        """Waits for message `number` (from 0) that the client sends on the WebSocket of `requests[index]`."""
        await self.wait_until(
            lambda: self._has(index) and len(self.requests[index].messages) > number,
            f"message {number} of request {index}",
            patience,
        )
        return self.requests[index].messages[number]

    async def wait_until(self, condition: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
        """Waits until `condition()` holds. It is asked whenever something has happened here; `what` names it in the
        TimeoutError."""
        await self._site.wait_until(condition, what, patience)

    def _has(self, index: int) -> bool:
        return len(self.requests) > index

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number, self._connections = self._connections, self._connections + 1
        connection = Connection(self._site, reader, writer, number)
        task = asyncio.get_running_loop().create_task(connection.run(), name=f"fake provider connection {number}")
        self._open[task] = writer
        task.add_done_callback(self._forget)
        self._site.changed()

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._open.pop(task, None)
        if not task.cancelled() and isinstance(error := task.exception(), Exception):
            self._site.failed(error)


@contextmanager
def refused_port() -> Iterator[int]:
    """A loopback port on which connections are refused, and which nobody else gets meanwhile."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]
