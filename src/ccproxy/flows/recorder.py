"""Recording exchanges: a tape runs beside each one, and becomes a flow in the store when it ends.

The tape parses nothing. It keeps the pieces that pass, up to `flows.max_body_bytes` of each body and up to a bound over
all open tapes, and counts the rest. At the end heads, targets, texts and plain bodies are cleaned of secrets and the
flow is queued; all further work is the store's thread's.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from msgspec.structs import replace

from ccproxy.exchange.exchange import Exchange, ResponseHead, Step, Timings
from ccproxy.exchange.http import Snapshot
from ccproxy.flows.config import FlowsConfig
from ccproxy.flows.model import Flow, RequestRecord, ResponseRecord, WebSocketMessage, WebSocketRecord
from ccproxy.flows.redact import HeaderRedactor, Scrubber, clean_body, clean_target, clean_text, is_oauth
from ccproxy.flows.store import FlowStore
from ccproxy.lightllm.ir.losses import Loss
from ccproxy.util.clock import Clock

#: Most bytes held by all open tapes together.
MAX_HELD_BYTES = 128 * 1024 * 1024

_MAX_NAME = 256
_MAX_TEXT = 2000
_MAX_SCRUBBERS = 64


@dataclass(slots=True)
class _Account:
    """Bytes held by open tapes."""

    limit: int
    held: int = 0


class _Reel:
    """The beginning of one body, and its whole size."""

    __slots__ = ("_account", "_limit", "held", "pieces", "size", "truncated")

    def __init__(self, account: _Account, limit: int) -> None:
        self._account = account
        self._limit = limit
        self.pieces: list[bytes] = []
        self.held = 0
        self.size = 0
        self.truncated = False

    def add(self, data: bytes) -> bytes:
        """Counts `data` and returns as much of it as is kept."""
        size = len(data)
        self.size += size
        if self.truncated:
            return b""
        account = self._account
        if self.held + size > self._limit or account.held + size > account.limit:
            self.truncated = True
            size = max(0, min(self._limit - self.held, account.limit - account.held))
            data = data[:size]
        self.held += size
        account.held += size
        self.pieces.append(data)
        return data

    def take(self) -> bytes:
        """What was kept, in one piece. The account is settled."""
        self._account.held -= self.held
        self.held = 0
        pieces, self.pieces = self.pieces, []
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class Tape:
    """Records one exchange; made by `Recorder.open`. Every tape must be finished, however the exchange ends."""

    __slots__ = ("_answer", "_exchange", "_finished", "_messages", "_recorder", "_request", "_response", "_websocket")

    def __init__(self, recorder: Recorder, exchange: Exchange) -> None:
        self._recorder = recorder
        self._exchange = exchange
        self._request = recorder.reel()
        self._response = recorder.reel()
        self._answer: _Reel | None = None
        self._websocket: _Reel | None = None
        self._messages = WebSocketRecord()
        self._finished = False

    def request_chunk(self, data: bytes) -> None:
        """A piece of a request body that is streamed (the snapshot's own body is None)."""
        self._request.add(data)

    def response_chunk(self, data: bytes) -> None:
        """A piece of the answer's body, as received."""
        self._response.add(data)

    def answer_chunk(self, data: bytes) -> None:
        """A piece of the body that the client gets, where the upstream's is converted."""
        if self._answer is None:
            self._answer = self._recorder.reel()
        self._answer.add(data)

    def websocket_message(self, from_client: bool, data: str | bytes) -> None:
        """A whole WebSocket message."""
        if self._websocket is None:
            self._websocket = self._recorder.reel()
        body = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
        record = self._messages
        record.last = self._recorder.moment(self._exchange.timings)
        record.count += 1
        kept = self._websocket.add(body)
        if kept or not body:
            text = isinstance(data, str)
            record.messages.append(WebSocketMessage(from_client, text, kept, len(body), record.last))

    async def finish(self, max_wait: float = 1.0) -> bool:
        """Ends the recording: a flow is built from the exchange as it is now, and queued.

        Waits until the flow is on disk, at most `max_wait` seconds and not at all if the store is off. Returns whether
        it is on disk. A second call does nothing and returns False.
        """
        if self._finished:
            return False
        self._finished = True
        future = self._recorder.record(
            self._exchange, self._request, self._response, self._answer, self._take_messages()
        )
        if future.done():
            return future.result()
        if max_wait <= 0:
            return False
        timer = future.get_loop().call_later(max_wait, _give_up, future)
        try:
            return await future
        finally:
            timer.cancel()

    def _take_messages(self) -> WebSocketRecord | None:
        if self._websocket is None:
            return None
        self._messages.size = self._websocket.size
        self._messages.truncated = self._websocket.truncated
        self._websocket.take()
        return self._messages


class _BlankTape(Tape):
    """Records nothing."""

    __slots__ = ()

    def __init__(self) -> None:
        pass

    def request_chunk(self, data: bytes) -> None:
        pass

    def response_chunk(self, data: bytes) -> None:
        pass

    def answer_chunk(self, data: bytes) -> None:
        pass

    def websocket_message(self, from_client: bool, data: str | bytes) -> None:
        pass

    async def finish(self, max_wait: float = 1.0) -> bool:
        return False


def _give_up(future: asyncio.Future[bool]) -> None:
    if not future.done():
        future.set_result(False)


class Recorder:
    """Opens tapes.

    Args:
        store: where flows go; None records nothing.
        config: `enabled` and `max_body_bytes` matter here. The attribute may be replaced while the recorder works; it
            counts for the tapes opened from then on.
        clock: the one that the exchanges' timings were taken from.
        max_held_bytes: bound on what all open tapes hold.
    """

    def __init__(
        self, store: FlowStore | None, config: FlowsConfig, clock: Clock, *, max_held_bytes: int = MAX_HELD_BYTES
    ) -> None:
        self.store = store
        self.config = config
        self._clock = clock
        self._account = _Account(max_held_bytes)
        self._headers = HeaderRedactor()
        self._scrubbers: dict[frozenset[str], Scrubber] = {}
        self._blank = _BlankTape()

    @property
    def held_bytes(self) -> int:
        """Bytes that open tapes hold at the moment."""
        return self._account.held

    def open(self, exchange: Exchange) -> Tape:
        """A tape for `exchange`, to be finished when the exchange has ended."""
        if self.store is None or not self.config.enabled:
            return self._blank
        return Tape(self, exchange)

    def reel(self) -> _Reel:
        """For tapes: a new reel on the shared account."""
        return _Reel(self._account, self.config.max_body_bytes)

    def moment(self, timings: Timings) -> float:
        """For tapes: now, as seconds since the epoch on the exchange's own scale, which no change of the clock breaks."""
        return timings.started + self._clock.mono() - timings.begin

    def record(
        self,
        exchange: Exchange,
        request: _Reel,
        response: _Reel,
        answer: _Reel | None,
        websocket: WebSocketRecord | None,
    ) -> asyncio.Future[bool]:
        """For tapes: builds the flow and queues it."""
        assert self.store is not None
        scrubber = self._scrubber(exchange.secrets)
        return self.store.put(self._flow(exchange, request, response, answer, websocket, scrubber), scrubber)

    def _scrubber(self, secrets: set[str]) -> Scrubber:
        """The scrubber of an exchange; the last ones are kept, as most exchanges have the same secrets."""
        key = frozenset(secrets)
        scrubber = self._scrubbers.get(key)
        if scrubber is None:
            if len(self._scrubbers) >= _MAX_SCRUBBERS:
                self._scrubbers.clear()
            scrubber = self._scrubbers[key] = Scrubber(key)
        return scrubber

    def _flow(
        self,
        exchange: Exchange,
        request_reel: _Reel,
        response_reel: _Reel,
        answer_reel: _Reel | None,
        websocket: WebSocketRecord | None,
        scrubber: Scrubber,
    ) -> Flow:
        timings, route, client, failure = exchange.timings, exchange.route, exchange.client, exchange.failure
        duration = max(0.0, (timings.end or self._clock.mono()) - timings.begin)
        oauth = is_oauth(exchange.request.path)
        request = self._request(exchange.request, request_reel, oauth, timings, scrubber)
        forwarded = None
        if exchange.forwarded is not None:
            forwarded = self._forwarded(exchange.forwarded, exchange.request, request, oauth, timings, scrubber)
        body = response_reel.take()
        response, answer = None, None
        if exchange.response is not None:
            response = self._response(exchange.response, body, response_reel, oauth, timings, scrubber)
            response.timestamp_end = timings.started + duration
        if answer_reel is not None:
            body = answer_reel.take()
            if exchange.answer is not None:
                answer = self._response(exchange.answer, body, answer_reel, oauth, timings, scrubber)
                answer.timestamp_end = timings.started + duration
        if websocket is not None:
            _clean_messages(websocket, scrubber)
        return Flow(
            id=exchange.id,
            started=timings.started,
            duration=duration,
            door=exchange.door,
            client_address=client.address,
            client_port=client.port,
            client_key=client.key,
            user_agent=scrubber.text(client.user_agent[:_MAX_TEXT]),
            dialect=exchange.dialect,
            operation=exchange.operation,
            model=scrubber.text(exchange.model[:_MAX_NAME]),
            provider=route.provider if route else "",
            action=route.action if route else "",
            reason=route.reason if route else "",
            credential=exchange.credential,
            outcome="failed" if exchange.outcome == "pending" else exchange.outcome,
            error_kind=failure.kind if failure else "",
            error=clean_text(failure.message, scrubber)[:_MAX_TEXT] if failure else "",
            streaming=exchange.streaming,
            ttfb=max(0.0, timings.first_byte - timings.begin) if timings.first_byte else None,
            request=request,
            forwarded=forwarded,
            response=response,
            websocket=websocket,
            upstream_dialect=exchange.upstream_dialect,
            losses=[_clean_loss(loss, scrubber) for loss in exchange.losses or ()],
            answer=answer,
            story=[_clean_step(step, scrubber) for step in exchange.story],
            run=client.run,
            process=scrubber.text(client.process[:_MAX_TEXT]),
        )

    def _request(
        self, snapshot: Snapshot, reel: _Reel, oauth: bool, timings: Timings, scrubber: Scrubber
    ) -> RequestRecord:
        kept = reel.take()
        if snapshot.body is None:
            body, size, truncated = kept, reel.size, reel.truncated
        else:
            body, size, truncated = self._cut(snapshot.body)
        record = self._head(snapshot, scrubber)
        record.body = clean_body(body, scrubber, oauth=oauth, answer=False, truncated=truncated)
        record.size, record.truncated, record.redacted = size, truncated, record.body is not body
        record.timestamp_start = timings.started
        record.timestamp_end = _at(timings, timings.request_read)
        return record

    def _forwarded(
        self,
        snapshot: Snapshot,
        original: Snapshot,
        request: RequestRecord,
        oauth: bool,
        timings: Timings,
        scrubber: Scrubber,
    ) -> RequestRecord:
        record = self._head(snapshot, scrubber)
        if snapshot.body is None or snapshot.body is original.body:
            record.body, record.size = request.body, request.size
            record.truncated, record.redacted = request.truncated, request.redacted
        else:
            body, record.size, record.truncated = self._cut(snapshot.body)
            record.body = clean_body(body, scrubber, oauth=oauth, answer=False, truncated=record.truncated)
            record.redacted = record.body is not body
        record.timestamp_start = timings.started
        record.timestamp_end = _at(timings, timings.upstream_sent) or request.timestamp_end
        return record

    def _head(self, snapshot: Snapshot, scrubber: Scrubber) -> RequestRecord:
        return RequestRecord(
            headers=self._headers.pairs(snapshot.headers, scrubber),
            body=b"",
            size=0,
            http_version=snapshot.http_version,
            method=snapshot.method,
            scheme=snapshot.scheme,
            host=snapshot.host,
            port=snapshot.port,
            target=clean_target(snapshot.target, scrubber),
        )

    def _response(
        self, head: ResponseHead, body: bytes, reel: _Reel, oauth: bool, timings: Timings, scrubber: Scrubber
    ) -> ResponseRecord:
        cleaned = clean_body(body, scrubber, oauth=oauth, answer=True, truncated=reel.truncated)
        return ResponseRecord(
            headers=self._headers.pairs(head.headers, scrubber),
            body=cleaned,
            size=reel.size,
            http_version=head.http_version,
            truncated=reel.truncated,
            redacted=cleaned is not body,
            timestamp_start=_at(timings, timings.upstream_head) or _at(timings, timings.first_byte),
            status=head.status,
            reason=scrubber.text(head.reason[:_MAX_TEXT]),
        )

    def _cut(self, body: bytes) -> tuple[bytes, int, bool]:
        limit = self.config.max_body_bytes
        return (body, len(body), False) if len(body) <= limit else (body[:limit], len(body), True)


def _at(timings: Timings, moment: float) -> float:
    """A moment of the monotonic clock as seconds since the epoch; 0.0 for one that did not happen."""
    return timings.started + moment - timings.begin if moment else 0.0


def _clean_loss(loss: Loss, scrubber: Scrubber) -> Loss:
    return replace(
        loss,
        path=scrubber.text(loss.path),
        source=scrubber.text(loss.source),
        target=scrubber.text(loss.target),
        reason=scrubber.text(loss.reason),
    )


def _clean_step(step: Step, scrubber: Scrubber) -> Step:
    return replace(step, problem=scrubber.text(step.problem), then=scrubber.text(step.then))


def _clean_messages(websocket: WebSocketRecord, scrubber: Scrubber) -> None:
    for message in websocket.messages:
        truncated = len(message.body) < message.size
        cleaned = clean_body(message.body, scrubber, oauth=False, answer=not message.from_client, truncated=truncated)
        if cleaned is not message.body:
            message.body, websocket.redacted = cleaned, True
