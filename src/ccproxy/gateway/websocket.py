"""WebSockets: the same way as for a request (guard, route, credential), then messages in both directions.

The upstream is dialled before the client's handshake is answered, so that a refusal (a status the client may take as
"use HTTP instead") and the upstream's handshake fields reach the client as they are.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from typing import Any

from uvicorn.protocols.utils import ClientDisconnected

from ccproxy.egress.sender import Sender
from ccproxy.egress.transport import UpstreamResponse, UpstreamSocket
from ccproxy.errors import CCProxyError
from ccproxy.exchange.exchange import Client, Exchange, Failure, ResponseHead, Timings, new_id
from ccproxy.exchange.http import Headers, Snapshot
from ccproxy.flows.recorder import Recorder, Tape
from ccproxy.gateway.answer import Send, outgoing
from ccproxy.gateway.bodies import Receive
from ccproxy.gateway.bridge import Bridge, Serve
from ccproxy.gateway.dial import Dialled, dial
from ccproxy.gateway.log import log_exchange
from ccproxy.gateway.overheard import Overheard
from ccproxy.gateway.replies import error_document, error_headers, phrase
from ccproxy.gateway.runtime import Runtime
from ccproxy.gateway.steps import note_failure, take_over, too_many
from ccproxy.lightllm.dialect import Dialect
from ccproxy.util.clock import Clock

_log = logging.getLogger("ccproxy.gateway")

#: Close codes that stand for "no code" and "connection broken" and may not be sent (RFC 6455 7.4.1).
_NO_CODE, _BROKEN = 1005, 1006
#: Fields of the handshake itself, which the listener writes.
_HANDSHAKE = frozenset(
    {b"sec-websocket-accept", b"sec-websocket-protocol", b"sec-websocket-extensions", b"content-length", b"date"}
)


async def relay_websocket(
    runtime: Runtime,
    recorder: Recorder,
    sender: Sender,
    clock: Clock,
    scope: Any,
    receive: Receive,
    send: Send,
    *,
    serve: Serve,
    full: bool,
    handoff_secret: str = "",
) -> None:
    """One WebSocket, from handshake to close, recorded as one flow; refused if the gateway is `full`.

    Args:
        sender: makes the handshake with the provider.
        serve: the way of a request, for messages that cannot be relayed.
    """
    exchange = _begin(scope, clock)
    take_over(exchange, handoff_secret)
    tape = recorder.open(exchange)
    await receive()  # websocket.connect
    try:
        if full:
            raise too_many()
        found = await _unless_left(receive, dial(runtime, exchange, sender, clock, scope["subprotocols"]))
        if isinstance(found, Dialect):
            await Bridge(found, serve, exchange, tape, scope, receive, send).run()
        elif isinstance(found, Dialled):
            known = exchange.dialect in runtime.dialects
            dialect = runtime.dialects.get(exchange.dialect) if known else None
            overheard = Overheard(exchange, dialect, found.on_error)
            await _relay(exchange, found.socket, overheard, tape, receive, send)
        else:
            await _refuse(exchange, found, tape, send)
        exchange.outcome = "complete" if exchange.outcome == "pending" else exchange.outcome
    except CCProxyError as error:
        note_failure(exchange, error)
        if exchange.response is None:
            document = error_document(runtime.dialects, exchange.dialect, error, exchange.id)
            headers = error_headers(error)
            exchange.response = ResponseHead(error.status, phrase(error.status), headers.copy())
            tape.response_chunk(document)
            with contextlib.suppress(ClientDisconnected):
                await _answer(exchange, send, error.status, headers, document)
        else:
            with contextlib.suppress(ClientDisconnected):
                await send({"type": "websocket.close", "code": 1014, "reason": error.message[:120]})
    except asyncio.CancelledError:
        exchange.outcome = "failed"
        exchange.failure = Failure("shutdown", "ccproxy shut down while the WebSocket was open")
    except ClientDisconnected:
        exchange.outcome = "client_gone"
    except Exception:  # noqa: BLE001 - the boundary of one connection
        _log.exception("websocket %s failed inside ccproxy", exchange.id)
        exchange.failure = Failure("internal_error", "an internal error; the log has the details")
        exchange.outcome = "failed"
    exchange.timings.end = clock.mono()
    await tape.finish()
    log_exchange(exchange)
    if exchange.response is not None and exchange.response.status != 101:
        # uvicorn takes a refused handshake for a forgotten one and logs an error, unless it is left like this.
        raise ClientDisconnected


async def _unless_left[T](receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """What `work` gives. If the client leaves before, the work is ended and ClientDisconnected raised: until the
    handshake is answered a client has nothing to say but that."""
    doing, leaving = asyncio.create_task(work), asyncio.ensure_future(receive())
    try:
        await asyncio.wait({doing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            raise ClientDisconnected
        return doing.result()
    finally:
        for task in (doing, leaving):
            task.cancel()
        await asyncio.gather(doing, leaving, return_exceptions=True)


async def _relay(
    exchange: Exchange, socket: UpstreamSocket, overheard: Overheard, tape: Tape, receive: Receive, send: Send
) -> None:
    """Messages in both directions until either side closes; the other side gets the same code and reason."""
    headers = outgoing(socket.headers).without(_HANDSHAKE)
    headers.add(b"x-ccproxy-flow", exchange.id.encode())
    exchange.response = ResponseHead(101, "Switching Protocols", socket.headers)
    try:
        await send({"type": "websocket.accept", "subprotocol": socket.subprotocol, "headers": headers.pairs})
    except ClientDisconnected:
        await socket.close(1001)
        raise
    upward = asyncio.create_task(
        _client_to_upstream(socket, overheard, tape, receive), name=f"websocket {exchange.id} up"
    )
    downward = asyncio.create_task(
        _upstream_to_client(socket, overheard, tape, send), name=f"websocket {exchange.id} down"
    )
    try:
        done, _ = await asyncio.wait({upward, downward}, return_when=asyncio.FIRST_COMPLETED)
        if upward in done:
            code, reason = upward.result()
            if exchange.outcome == "pending":
                exchange.outcome = "client_gone" if code == _BROKEN else "complete"
            await socket.close(1001 if code == _BROKEN else 1000 if code == _NO_CODE else code, reason)
        else:
            downward.result()
            code = socket.close_code
            code = 1000 if code in {0, _NO_CODE} else 1014 if code == _BROKEN else code
            await send({"type": "websocket.close", "code": code, "reason": socket.close_reason})
    finally:
        for task in (upward, downward):
            task.cancel()
        await asyncio.gather(upward, downward, return_exceptions=True)
        await socket.close()


async def _client_to_upstream(
    socket: UpstreamSocket, overheard: Overheard, tape: Tape, receive: Receive
) -> tuple[int, str]:
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            # uvicorn gives a reason, empty or not, exactly where a close frame came.
            return (message["code"], message["reason"] or "") if "reason" in message else (_BROKEN, "")
        text = message.get("text")
        content = text if text is not None else message["bytes"]
        tape.websocket_message(True, content)
        overheard.asked(content)
        await socket.send(content)


async def _upstream_to_client(socket: UpstreamSocket, overheard: Overheard, tape: Tape, send: Send) -> None:
    async for content in socket.messages():
        tape.websocket_message(False, content)
        overheard.answered(content)
        key = "text" if isinstance(content, str) else "bytes"
        await send({"type": "websocket.send", key: content})


async def _refuse(exchange: Exchange, answer: UpstreamResponse, tape: Tape, send: Send) -> None:
    """The upstream refused the handshake: its answer goes to the client."""
    exchange.response = ResponseHead(answer.status, answer.reason, answer.headers)
    pieces = []
    try:
        async for chunk in answer.chunks():
            tape.response_chunk(chunk)
            pieces.append(chunk)
    finally:
        await answer.close()
    await _answer(exchange, send, answer.status, outgoing(answer.headers), b"".join(pieces))


async def _answer(exchange: Exchange, send: Send, status: int, headers: Headers, body: bytes) -> None:
    """An HTTP answer in place of the handshake."""
    headers = headers.without((b"content-length", b"content-encoding"))
    headers.add(b"x-ccproxy-flow", exchange.id.encode())
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers.pairs})
    await send({"type": "websocket.http.response.body", "body": body, "more_body": False})


def _begin(scope: Any, clock: Clock) -> Exchange:
    headers = Headers(scope["headers"])
    address, port = scope["client"] or ("", 0)
    host, local_port = scope["server"] or ("", 0)
    query = scope["query_string"]
    return Exchange(
        id=new_id(),
        client=Client(address=address, port=port, user_agent=headers.text(b"user-agent")),
        request=Snapshot(
            method="GET",
            scheme="ws",
            host=host,
            port=local_port or 0,
            target=scope["raw_path"] + (b"?" + query if query else b""),
            http_version="1.1",
            headers=headers,
        ),
        timings=Timings(started=clock.wall(), begin=clock.mono()),
        streaming=True,
    )
