"""A client's WebSocket whose messages are answered by HTTP: the provider speaks another dialect, or has no WebSockets.

    message -> POST, the whole way of a request -> event stream -> messages

Strategy: each message that asks for an answer goes the way that it would have gone by HTTP, in this process: hooks,
route, conversion, credential, recording. So there is one way, and nothing that holds of it can fail to hold here. What
the socket alone knows (which response it goes on from) is the dialect's `SocketConversation`.

Messages are answered one after the other. A client that goes away ends the answer that is under way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from ccproxy.errors import BadRequest, UpstreamError
from ccproxy.exchange import handoff
from ccproxy.exchange.exchange import Exchange, ResponseHead
from ccproxy.exchange.http import Headers, Pair
from ccproxy.flows.recorder import Tape
from ccproxy.gateway.answer import Send
from ccproxy.gateway.bodies import Receive
from ccproxy.gateway.listener import EXTENSION, Connection
from ccproxy.lightllm.dialect import Context, Dialect, SocketRequest
from ccproxy.lightllm.errors import ErrorInfo, info_of
from ccproxy.lightllm.sse import SSEFramer

#: Serves one request: scope, connection, receive, send.
Serve = Callable[[Any, Connection, Receive, Send], Awaitable[None]]

#: Fields of a handshake that no request has, and those that a request has of its own.
_HANDSHAKE = (b"sec-websocket-",)
_OWN = frozenset({b"connection", b"upgrade", b"content-length", b"content-type", b"accept", b"accept-encoding"})
#: Messages that may wait for their answers.
_MOST_WAITING = 16
#: Largest answer that is no stream: an error.
_MOST_BYTES = 1024 * 1024


class Bridge:
    """One WebSocket.

    Args:
        dialect: the client's; it has a `conversation`.
        serve: the way of a request.
        scope, receive, send: the socket.
    """

    def __init__(
        self, dialect: Dialect, serve: Serve, exchange: Exchange, tape: Tape, scope: Any, receive: Receive, send: Send
    ) -> None:
        assert dialect.conversation is not None
        self._dialect = dialect
        self._conversation = dialect.conversation()
        self._serve = serve
        self._exchange = exchange
        self._tape = tape
        self._scope = scope
        self._receive = receive
        self._send = send
        self._gone = False
        self._waiting: asyncio.Queue[str | bytes] = asyncio.Queue(_MOST_WAITING)

    async def run(self) -> None:
        """Serves the socket until the client closes it."""
        headers = Headers([(b"x-ccproxy-flow", self._exchange.id.encode())])
        self._exchange.response = ResponseHead(101, "Switching Protocols", headers)
        await self._send({"type": "websocket.accept", "subprotocol": None, "headers": headers.pairs})
        reader = asyncio.create_task(self._read(), name=f"websocket {self._exchange.id} reader")
        worker = asyncio.create_task(self._work(), name=f"websocket {self._exchange.id} worker")
        try:
            await asyncio.wait({reader, worker}, return_when=asyncio.FIRST_COMPLETED)
            if worker.done():
                worker.result()
            self._exchange.outcome = "complete"
        finally:
            for task in (reader, worker):
                task.cancel()
            await asyncio.gather(reader, worker, return_exceptions=True)

    async def _read(self) -> None:
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                self._gone = True
                return
            text = message.get("text")
            content = text if text is not None else message["bytes"]
            self._tape.websocket_message(True, content)
            await self._waiting.put(content)

    async def _work(self) -> None:
        while True:
            await self._one(await self._waiting.get())

    async def _one(self, message: str | bytes) -> None:
        """Answers one message."""
        try:
            request = self._conversation.create(message)
            if isinstance(request, ErrorInfo):
                await self._say(self._conversation.error(request, ""))
            elif request.generate:
                await self._generate(request)
            else:
                context = Context(request=self._dialect.decode_request(request.body))
                for answer in self._conversation.prewarmed(context, request.stream_id):
                    await self._say(answer)
        except BadRequest as error:
            await self._say(self._conversation.error(info_of(error), ""))

    async def _generate(self, request: SocketRequest) -> None:
        answer = _Answer(self._dialect)
        connection = Connection(
            target=self._exchange.request.target,
            pairs=self._fields(request.body),
            abort=_nothing,  # there is no connection to break: an answer without a last event gets one below
            cut=_nothing,
        )
        scope = {
            "type": "http",
            "method": "POST",
            "http_version": "1.1",
            "client": self._scope["client"],
            "server": self._scope["server"],
            "extensions": {EXTENSION: connection},
        }
        body = [{"type": "http.request", "body": request.body, "more_body": False}]

        async def receive() -> Any:
            return body.pop() if body else await asyncio.get_running_loop().create_future()

        async def send(event: Any) -> None:
            for data in answer.take(event):
                if (said := self._conversation.event(data, request.stream_id)) is not None:
                    await self._say(said)

        serving = asyncio.ensure_future(self._serve(scope, connection, receive, send))
        try:
            await asyncio.shield(serving)
        except asyncio.CancelledError:
            # The exchange is told as by its own connection, and comes to its end.
            connection.lost = self._gone
            if connection.on_lost is not None:
                connection.on_lost()
            await asyncio.gather(serving, return_exceptions=True)
            raise
        if not self._conversation.ended:
            await self._say(self._conversation.error(answer.error(), request.stream_id))

    def _fields(self, body: bytes) -> list[Pair]:
        """The header fields of the request: those of the handshake that any request could have."""
        kept = [
            pair
            for pair in self._exchange.request.headers
            if (name := pair[0].lower()) not in _OWN and not name.startswith(_HANDSHAKE)
        ]
        if self._exchange.handoff:
            kept.append((handoff.FIELD, self._exchange.handoff))
        return [
            *kept,
            (b"content-type", b"application/json"),
            (b"accept", b"text/event-stream"),
            (b"content-length", str(len(body)).encode()),
        ]

    async def _say(self, message: bytes) -> None:
        text = message.decode()
        self._tape.websocket_message(False, text)
        await self._send({"type": "websocket.send", "text": text})


def _nothing() -> None:
    pass


class _Answer:
    """What comes back from the way of a request: a stream's events, or an error."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._framer: SSEFramer | None = None
        self._status = 0
        self._body = bytearray()

    def take(self, event: Any) -> list[bytes]:
        """The data of the events in a message of the answer."""
        if event["type"] == "http.response.start":
            self._status = event["status"]
            kind = Headers(event["headers"]).text(b"content-type").lower()
            if self._status == 200 and kind.startswith("text/event-stream"):
                self._framer = SSEFramer()
            return []
        chunk: bytes = event.get("body", b"")
        if self._framer is None:
            self._body += chunk[: max(0, _MOST_BYTES - len(self._body))]
            return []
        found = [*self._framer.feed(chunk), *(() if event.get("more_body") else self._framer.eof())]
        return [one.data for one in found if not one.comment]

    def error(self) -> ErrorInfo:
        """What a client is told whose answer had no last event."""
        if self._framer is not None or not self._status:
            return _BROKEN
        if self._status == 200:
            return info_of(UpstreamError("the provider answered a WebSocket's request with no stream"))
        return self._dialect.decode_error(self._status, bytes(self._body))


_BROKEN = ErrorInfo("cut", "ccproxy: the provider's answer was cut", 502)
