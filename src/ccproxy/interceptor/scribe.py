"""The mitmproxy addon that records what is let through or refused, as exchanges like the gateway's own.

Bodies stream: what passes is copied up to the configured size, not held. Connections that are not HTTP are recorded as
events: where to, how much, how long, never what. Requests that were handed to the gateway are recorded there.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from mitmproxy import flow as mitmproxy_flow
from mitmproxy import http, tcp, udp
from mitmproxy.net.http import status_codes

from ccproxy.errors import BadRequest
from ccproxy.exchange.exchange import Client, Exchange, Failure, Outcome, ResponseHead, Timings, new_id
from ccproxy.exchange.http import Headers, Snapshot
from ccproxy.exchange.route import Route
from ccproxy.flows.recorder import Recorder, Tape
from ccproxy.interceptor.gatekeeper import HANDED, OURS, REFUSED
from ccproxy.interceptor.ways import LOOPBACK, Ways
from ccproxy.jail.network import HOST_NAME
from ccproxy.routing.detect import detect
from ccproxy.routing.sentinel import presented
from ccproxy.util.clock import Clock


class _Take:
    """The recording of one flow that goes on."""

    __slots__ = ("exchange", "received", "sent", "tape")

    def __init__(self, exchange: Exchange, tape: Tape) -> None:
        self.exchange = exchange
        self.tape = tape
        self.sent = 0
        self.received = 0


class Scribe:
    """The addon.

    Args:
        stream_requests: pass request bodies on as they come; not where a user's script may want to read them whole.
    """

    def __init__(self, ways: Ways, recorder: Recorder, clock: Clock, *, stream_requests: bool) -> None:
        self._ways = ways
        self._recorder = recorder
        self._clock = clock
        self._stream_requests = stream_requests
        self._takes: dict[str, _Take] = {}

    async def requestheaders(self, flow: http.HTTPFlow) -> None:
        """A request begins."""
        if flow.metadata.get(HANDED):
            flow.request.stream = True
            return
        if flow.metadata.get(OURS):
            return
        exchange = await self._exchange(flow, _snapshot(flow.request))
        host = flow.request.pretty_host
        exchange.route = Route(
            action="passthrough",
            reason="intercepted",
            scheme=flow.request.scheme,
            host=host,
            port=flow.request.port,
            target=exchange.request.target,
            keep_credential=True,
        )
        operation = detect(exchange.request.path, exchange.request.query, exchange.request.headers)
        if operation.generates:
            exchange.dialect, exchange.operation, exchange.model = operation.dialect, operation.name, operation.model
        with suppress(BadRequest):  # two sentinels: they name providers and are no secrets
            exchange.secrets.update(presented(exchange.request.headers, exchange.request.query).secrets)
        if reason := flow.metadata.get(REFUSED):
            exchange.route = Route(action="local", reason="policy")
            exchange.outcome = "refused"
            exchange.failure = Failure("denied", reason)
        else:
            exchange.forwarded = exchange.request
        take = self._begin(flow, exchange)
        if flow.response is None and self._stream_requests:
            flow.request.stream = _copying(take.tape.request_chunk)

    def request(self, flow: http.HTTPFlow) -> None:
        """A request is complete."""
        if take := self._takes.get(flow.id):
            take.exchange.timings.request_read = self._clock.mono()
            if not flow.request.stream and flow.request.raw_content:
                take.tape.request_chunk(flow.request.raw_content)

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        """An answer begins."""
        response = flow.response
        if response is None:
            return
        take = self._takes.get(flow.id)
        if take is None:
            response.stream = bool(flow.metadata.get(HANDED))
            return
        now = self._clock.mono()
        exchange = take.exchange
        exchange.timings.upstream_head = now
        exchange.response = ResponseHead(
            response.status_code,
            response.reason or status_codes.RESPONSES.get(response.status_code, ""),
            Headers(response.headers.fields),
            _version(response.http_version),
        )
        exchange.streaming = response.headers.get("content-type", "").lower().startswith("text/event-stream")
        if REFUSED in flow.metadata:
            take.tape.response_chunk(response.raw_content or b"")
            return

        def copy(data: bytes) -> None:
            if not exchange.timings.first_byte:
                exchange.timings.first_byte = self._clock.mono()
            take.tape.response_chunk(data)

        if self._stream_requests or exchange.streaming:
            response.stream = _copying(copy)

    async def response(self, flow: http.HTTPFlow) -> None:
        """An answer is complete."""
        take = self._takes.get(flow.id)
        if take is None or flow.websocket is not None:
            return
        if flow.response is not None and not flow.response.stream and REFUSED not in flow.metadata:
            take.tape.response_chunk(flow.response.raw_content or b"")
        await self._end(flow, "complete")

    async def error(self, flow: http.HTTPFlow) -> None:
        """A request or its answer broke off."""
        await self._broken(flow)

    def websocket_message(self, flow: http.HTTPFlow) -> None:
        """A message of a WebSocket."""
        assert flow.websocket is not None
        message = flow.websocket.messages[-1]
        if take := self._takes.get(flow.id):
            take.tape.websocket_message(message.from_client, message.text if message.is_text else message.content)
        flow.websocket.messages.clear()  # mitmproxy would keep them all

    async def websocket_end(self, flow: http.HTTPFlow) -> None:
        """A WebSocket is over."""
        await self._end(flow, "complete")

    async def tcp_start(self, flow: tcp.TCPFlow) -> None:
        """A connection that is not HTTP begins."""
        await self._event(flow, "tcp")

    def tcp_message(self, flow: tcp.TCPFlow) -> None:
        """Data on such a connection."""
        self._count(flow, flow.messages)

    async def tcp_end(self, flow: tcp.TCPFlow) -> None:
        """Such a connection is over."""
        await self._counted(flow)

    async def tcp_error(self, flow: tcp.TCPFlow) -> None:
        """Such a connection broke."""
        await self._broken(flow)

    async def udp_start(self, flow: udp.UDPFlow) -> None:
        """UDP between two addresses begins."""
        await self._event(flow, "udp")

    def udp_message(self, flow: udp.UDPFlow) -> None:
        """A datagram."""
        self._count(flow, flow.messages)

    async def udp_end(self, flow: udp.UDPFlow) -> None:
        """UDP between two addresses is over."""
        await self._counted(flow)

    async def udp_error(self, flow: udp.UDPFlow) -> None:
        """UDP between two addresses broke."""
        await self._broken(flow)

    async def _exchange(self, flow: mitmproxy_flow.Flow, request: Snapshot) -> Exchange:
        client = flow.client_conn
        address, port = client.peername[:2]
        way = self._ways.of(client)
        return Exchange(
            id=new_id(),
            client=Client(
                address=address,
                port=port,
                user_agent=request.headers.text(b"user-agent"),
                run=way.run if way is not None else "",
                process=await self._ways.owner(client),
            ),
            request=request,
            timings=Timings(started=self._clock.wall(), begin=self._clock.mono()),
            door="interceptor",
        )

    def _begin(self, flow: mitmproxy_flow.Flow, exchange: Exchange) -> _Take:
        take = self._takes[flow.id] = _Take(exchange, self._recorder.open(exchange))
        return take

    async def _end(self, flow: mitmproxy_flow.Flow, outcome: Outcome) -> None:
        take = self._takes.pop(flow.id, None)
        if take is None:
            return
        exchange = take.exchange
        exchange.timings.end = self._clock.mono()
        exchange.outcome = outcome if exchange.outcome == "pending" else exchange.outcome
        await take.tape.finish(0)

    async def _broken(self, flow: mitmproxy_flow.Flow) -> None:
        take = self._takes.get(flow.id)
        if take is None:
            return
        text = flow.error.msg if flow.error is not None else "the connection broke"
        outcome: Outcome = "upstream_error" if take.exchange.response is None else "upstream_cut"
        if not flow.client_conn.connected:
            outcome = "client_gone"
        elif take.exchange.failure is None:
            take.exchange.failure = Failure("upstream_error", text)
        await self._end(flow, outcome)

    async def _event(self, flow: tcp.TCPFlow | udp.UDPFlow, kind: str) -> None:
        host, port = (flow.server_conn.address or ("", 0))[:2]
        # Of this machine only the ports under this name are ever reached from a jail.
        name = flow.client_conn.sni or (HOST_NAME if host == LOOPBACK else host)
        request = Snapshot(kind.upper(), kind, name, port, b"", "", body=b"")
        exchange = await self._exchange(flow, request)
        exchange.forwarded = request
        exchange.route = Route(action="passthrough", reason="intercepted", scheme=kind, host=host, port=port)
        self._begin(flow, exchange)

    def _count(self, flow: tcp.TCPFlow | udp.UDPFlow, messages: list[tcp.TCPMessage] | list[udp.UDPMessage]) -> None:
        if messages and (take := self._takes.get(flow.id)):
            message = messages[-1]
            if message.from_client:
                take.sent += len(message.content)
            else:
                take.received += len(message.content)
        messages.clear()  # mitmproxy would keep them all

    async def _counted(self, flow: tcp.TCPFlow | udp.UDPFlow) -> None:
        if (take := self._takes.get(flow.id)) and (route := take.exchange.route):
            reason = f"intercepted: {take.sent:,} bytes sent, {take.received:,} received"
            take.exchange.route = Route(route.action, reason, scheme=route.scheme, host=route.host, port=route.port)
        await self._end(flow, "complete")


def _copying(keep: Callable[[bytes], None]) -> Callable[[bytes], bytes]:
    """A function for mitmproxy's `stream`: passes every piece on as it is."""

    def copy(data: bytes) -> bytes:
        if data:
            keep(data)
        return data

    return copy


def _snapshot(request: http.Request) -> Snapshot:
    return Snapshot(
        method=request.method,
        scheme=request.scheme,
        host=request.pretty_host,
        port=request.port,
        target=request.path.encode("utf-8", "surrogateescape"),
        http_version=_version(request.http_version),
        headers=Headers(request.headers.fields),
        body=None,
    )


def _version(text: str) -> str:
    """`1.1`, `2` or `3`, out of mitmproxy's `HTTP/1.1`, `HTTP/2.0` and `HTTP/3`."""
    return text.removeprefix("HTTP/").removesuffix(".0") if text != "HTTP/1.0" else "1.0"
