"""One connection of FakeProvider.

Two tasks: one reads all the time, so that a client that goes away is noticed at once, whatever the answer is doing;
the other takes the requests in order and carries out their replies. When the client is gone the second is cancelled.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from dataclasses import dataclass, field
from http import HTTPStatus

from ccproxy.errors import BadRequest
from ccproxy.exchange.http import Pair
from ccproxy.testing.encoding import encode, encoder
from ccproxy.testing.recorded import Disconnect, Received
from ccproxy.testing.reply import Cut, Hang, Pause, Reply, Send, SlowFirstByte, Step, wait_until
from ccproxy.testing.site import Site
from ccproxy.testing.websocket import Socket, SocketSession
from ccproxy.testing.wire import Data, End, Head, RequestReader

_PIECE = 256 * 1024


@dataclass(slots=True)
class _Job:
    request: Received
    complete: asyncio.Event = field(default_factory=asyncio.Event)


class Connection:
    """Serves one client connection until it ends."""

    def __init__(self, site: Site, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        self._site = site
        self._reader = reader
        self._writer = writer
        self._number = number
        self._http = RequestReader()
        self._jobs: asyncio.Queue[_Job | BadRequest] = asyncio.Queue()
        self._current: _Job | None = None
        self._socket: SocketSession | None = None
        self._requests: list[Received] = []
        self._closing = False

    async def run(self) -> None:
        """Returns when the connection is over."""
        worker = asyncio.create_task(self._serve(), name=f"fake provider connection {self._number}")
        worker.add_done_callback(self._served)
        try:
            await self._read()
        except (ConnectionError, ssl.SSLError, TimeoutError):
            pass
        except asyncio.CancelledError:
            self._closing = True
            raise
        finally:
            self._ended()
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)
            self._writer.transport.abort()
        if not worker.cancelled() and (error := worker.exception()) is not None and not _is_network(error):
            raise error

    def _served(self, worker: asyncio.Task[None]) -> None:
        """A reply that cannot be sent (a mistake in a test's script) must not leave the client waiting."""
        if not worker.cancelled() and worker.exception() is not None:
            self._writer.transport.abort()

    def _ended(self) -> None:
        end = Disconnect(self._site.now(), by_client=not self._closing)
        for request in self._requests:
            request.disconnect = end
        self._site.changed()

    # -- reading --

    async def _read(self) -> None:
        while data := await self._reader.read(_PIECE):
            if self._socket is not None:
                self._socket.feed(data)
                continue
            self._http.receive(data)
            try:
                self._take_events()
            except BadRequest as problem:
                self._jobs.put_nowait(problem)
                break
        # After a malformed request what follows is not looked at, but the end of the connection is.
        while await self._reader.read(_PIECE):
            pass

    def _take_events(self) -> None:
        while (event := self._http.next_event()) is not None:
            match event:
                case Head():
                    request = self._site.record(event, self._number)
                    self._requests.append(request)
                    self._current = _Job(request)
                    self._jobs.put_nowait(self._current)
                    if event.upgrade:
                        self._complete(self._current)
                case Data() if self._current is not None:
                    self._current.request.content += event.body
                    if event.raw is not event.body:
                        self._current.request.framed += event.raw
                case End() if self._current is not None:
                    self._complete(self._current)
        self._site.changed()

    def _complete(self, job: _Job) -> None:
        job.request.complete = True
        job.complete.set()
        self._site.changed()

    # -- answering --

    async def _serve(self) -> None:
        goes_on = True
        while goes_on:
            job = await self._jobs.get()
            if isinstance(job, BadRequest):
                await self._write(_refusal(job))
                break
            goes_on = await self._answer(job)
        self._closing = True
        self._writer.close()

    async def _answer(self, job: _Job) -> bool:
        """Answers one request. Returns whether the connection goes on."""
        request = job.request
        chosen = self._site.choose(request)
        reply: Reply | Socket
        if isinstance(chosen, Reply) and chosen.early:
            reply = chosen
        else:
            if request.header("expect").lower() == "100-continue" and not request.complete:
                await self._write(b"HTTP/1.1 100 Continue\r\n\r\n")
            await job.complete.wait()
            reply = await self._site.answer(request, chosen)
        if isinstance(reply, Socket):
            return await self._converse(request, reply)
        goes_on = await self._send(request, reply)
        if goes_on and request.upgrade:
            self._http.proceed()
            self._take_events()
        if not goes_on and not request.complete and not self._closing:
            # An early answer that ends the connection: closing now would reset it under the client's upload.
            if self._writer.can_write_eof():
                self._writer.write_eof()
            await job.complete.wait()
        return goes_on

    async def _converse(self, request: Received, reply: Socket) -> bool:
        session = SocketSession(request, reply, self._writer.write, self._writer.drain, self._site.changed)
        if session.open():
            self._socket = session
            if rest := self._http.take_rest():
                session.feed(rest)
            try:
                cut = await session.run()
            except ConnectionError:
                return False
            except Exception as error:  # noqa: BLE001 - a test's handler: reported where the test sees it
                self._site.failed(error)
                cut = Cut()
            if cut is not None:
                self._cut(cut)
        return False

    async def _send(self, request: Received, reply: Reply) -> bool:
        plan = _Plan(request, reply)
        waiting = plan.head
        for step in plan.steps:
            if isinstance(step, SlowFirstByte):
                await wait_until(step.until)
                continue
            if isinstance(step, Send | bytes):
                data = step if isinstance(step, bytes) else step.data
                await self._write(waiting + plan.framed(data))
                waiting = b""
                continue
            await self._write(waiting)
            waiting = b""
            match step:
                case Pause():
                    await wait_until(step.until)
                case Hang():
                    await asyncio.Event().wait()
                case Cut():
                    self._cut(step)
                    return False
        await self._write(waiting + plan.ending())
        return plan.keeps_alive

    async def _write(self, data: bytes) -> None:
        if data:
            self._writer.write(data)
            await self._writer.drain()

    def _cut(self, step: Cut) -> None:
        self._closing = True
        if step.reset:
            # SO_LINGER 0: closing sends a reset instead of an orderly end.
            raw = self._writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._writer.transport.abort()


class _Plan:
    """How a reply goes onto the wire: its head, its steps, and the framing of their bytes."""

    def __init__(self, request: Received, reply: Reply) -> None:
        bodiless = request.method == "HEAD" or reply.status in {204, 304} or reply.status < 200
        whole = reply.body.encode() if isinstance(reply.body, str) else reply.body
        self.steps: list[Step]
        length: int | None = reply.content_length
        if isinstance(whole, bytes):
            whole = encode(reply.encoding, whole)
            if length is None and reply.framing == "auto":
                length = len(whole)
            self.steps = [Send(whole)]
            self._encoder = encoder("")
        else:
            self.steps = list(whole)
            self._encoder = encoder(reply.encoding)
        if bodiless:
            self.steps = [step for step in self.steps if not isinstance(step, Send | bytes)]
            self._encoder = encoder("")
        old = request.http_version == "1.0"
        raw = reply.framing == "raw"
        self._chunked = length is None and reply.framing == "auto" and not old and not bodiless
        ends = reply.close or reply.framing == "close" or (length is None and old)
        wrong = isinstance(whole, bytes) and reply.content_length is not None and reply.content_length != len(whole)
        asked = old or b"close" in request.headers.tokens(b"connection")
        self.keeps_alive = not (ends or wrong or asked or raw)
        no_length = reply.status == 204 or reply.status < 200
        self.head = b"" if raw else _head(reply, None if no_length else length, self._chunked, ends)

    def framed(self, data: bytes) -> bytes:
        """The bytes on the wire for `data`."""
        return self._chunk(self._encoder.piece(data))

    def ending(self) -> bytes:
        """What ends the body."""
        last = self._chunk(self._encoder.finish())
        return last + b"0\r\n\r\n" if self._chunked else last

    def _chunk(self, data: bytes) -> bytes:
        if not self._chunked or not data:
            return data
        return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def _head(reply: Reply, length: int | None, chunked: bool, ends: bool) -> bytes:
    pairs = reply.pairs()
    given = {name.lower() for name, _ in pairs}
    extra: list[Pair] = []
    if reply.encoding:
        extra.append((b"content-encoding", reply.encoding.encode()))
    if length is not None:
        extra.append((b"content-length", str(length).encode()))
    if chunked:
        extra.append((b"transfer-encoding", b"chunked"))
    if ends:
        extra.append((b"connection", b"close"))
    lines = [f"HTTP/1.1 {reply.status} {reply.reason or _phrase(reply.status)}".encode("latin-1")]
    lines += [name + b": " + value for name, value in [*pairs, *(pair for pair in extra if pair[0] not in given)]]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _refusal(problem: BadRequest) -> bytes:
    text = problem.message.encode()
    head = f"HTTP/1.1 {problem.status} {_phrase(problem.status)}\r\ncontent-length: {len(text)}\r\nconnection: close\r\n\r\n"
    return head.encode() + text


def _is_network(error: BaseException) -> bool:
    return isinstance(error, ConnectionError | ssl.SSLError | TimeoutError)
