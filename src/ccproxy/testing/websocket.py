"""The WebSocket side of FakeProvider, on the sans-I/O protocol of `websockets`.

A `Socket` accepts the upgrade and runs a script: a list of steps, or a function that talks with the client. To refuse
an upgrade answer it with an ordinary `Reply` (status 426, 401, ...), which is also what happens where nothing is said.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from ccproxy.testing.recorded import Received
from ccproxy.testing.reply import Cut, Fields, Hang, Pause, Reply, wait_until

Message = str | bytes


@dataclass(frozen=True, slots=True)
class SendMessage:
    """Sends a message: text for `str`, binary for `bytes`."""

    message: Message


@dataclass(frozen=True, slots=True)
class Expect:
    """Waits for the client's next message."""


@dataclass(frozen=True, slots=True)
class CloseSocket:
    """Closes with a code and a reason."""

    code: int = 1000
    reason: str = ""


SocketStep = SendMessage | Expect | CloseSocket | Pause | Cut | Hang
SocketHandler = Callable[["SocketSession"], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Socket:
    """Accepts an upgrade.

    Attributes:
        script: what to do then. After its end the socket is closed with 1000, unless it echoes.
        echo: sends every message back, after the script.
        subprotocols: those the server knows, the preferred one first.
        headers: further fields of the 101 answer.
        compression: accept `permessage-deflate` where it is offered.
    """

    script: Sequence[SocketStep] | SocketHandler = ()
    echo: bool = False
    subprotocols: Sequence[str] = ()
    headers: Fields = ()
    compression: bool = True


class SocketSession:
    """An open WebSocket, as a handler function sees it."""

    def __init__(
        self,
        request: Received,
        socket: Socket,
        write: Callable[[bytes], None],
        drain: Callable[[], Awaitable[None]],
        changed: Callable[[], None],
    ) -> None:
        self.request = request
        self._socket = socket
        self._write = write
        self._drain = drain
        self._changed = changed
        self._messages: asyncio.Queue[Message | None] = asyncio.Queue()
        self._over = asyncio.Event()
        self._parts: list[bytes] = []
        self._opcode = Opcode.TEXT
        self._protocol = ServerProtocol(
            subprotocols=[Subprotocol(name) for name in socket.subprotocols] or None,
            extensions=[ServerPerMessageDeflateFactory()] if socket.compression else None,
            max_size=None,
        )

    def open(self) -> bool:
        """Answers the handshake. False if the client's handshake was wrong; it has then been told so."""
        protocol = self._protocol
        protocol.receive_data(self.request.head)
        for event in protocol.events_received():
            assert isinstance(event, Request)
            response = protocol.accept(event)
            for name, value in Reply(headers=self._socket.headers).pairs():
                response.headers[name.decode("latin-1")] = value.decode("latin-1")
            protocol.send_response(response)
            self._flush()
            return response.status_code == 101
        return False

    def feed(self, data: bytes) -> None:
        """Takes bytes from the connection."""
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            assert isinstance(event, Frame)
            self._frame(event)
        self._flush()

    async def receive(self) -> Message | None:
        """The client's next message, or None once it has closed."""
        message = await self._messages.get()
        if message is None:
            self._messages.put_nowait(None)
        return message

    async def send(self, message: Message) -> None:
        """Sends a message. Raises ConnectionError once the socket has been closed."""
        if self._protocol.state is not State.OPEN:
            raise ConnectionError("the WebSocket is closed")
        if isinstance(message, str):
            self._protocol.send_text(message.encode())
        else:
            self._protocol.send_binary(message)
        self._flush()
        await self._drain()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Closes and waits for the client to do likewise."""
        if not self._over.is_set() and self._protocol.close_sent is None:
            self._protocol.send_close(code, reason)
            self._flush()
        await self._over.wait()

    async def run(self) -> Cut | None:
        """Runs the script. Returns the Cut that ended it, if one did; else the socket is closed in order."""
        script = self._socket.script
        if callable(script):
            await script(self)
        else:
            for step in script:
                match step:
                    case SendMessage():
                        await self.send(step.message)
                    case Expect():
                        await self.receive()
                    case CloseSocket():
                        await self.close(step.code, step.reason)
                    case Pause():
                        await wait_until(step.until)
                    case Hang():
                        await self._over.wait()
                    case Cut():
                        return step
        while self._socket.echo and (message := await self.receive()) is not None:
            await self.send(message)
        await self.close()
        return None

    def _frame(self, frame: Frame) -> None:
        match frame.opcode:
            case Opcode.TEXT | Opcode.BINARY:
                self._opcode, self._parts = frame.opcode, [bytes(frame.data)]
            case Opcode.CONT:
                self._parts.append(bytes(frame.data))
            case Opcode.CLOSE:
                received = self._protocol.close_rcvd
                self.request.close_code = received.code if received is not None else None
                self._messages.put_nowait(None)
                self._over.set()
                self._changed()
                return
            case _:
                return
        if frame.fin:
            whole = b"".join(self._parts)
            message: Message = whole.decode() if self._opcode is Opcode.TEXT else whole
            self.request.messages.append(message)
            self._messages.put_nowait(message)
            self._changed()

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:  # an empty piece asks for the end of the connection, which comes when the script is over
                self._write(data)
