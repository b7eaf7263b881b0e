"""Recording exchanges: a tape runs beside each one, and becomes a flow in the store when it ends.

The tape parses nothing. It keeps the pieces that pass, up to `flows.max_body_bytes` of each body and up to a bound over
all open tapes, and counts the rest. At the end heads, targets, texts and plain bodies are cleaned of secrets and the
flow is queued; all further work is the store's thread's. Tapes that end in the same turn of the event loop are recorded
together: what is done several times in a row costs half, and they share one write. A watcher may look at a tape while it
runs; the pieces pass without it.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Protocol

from msgspec.structs import replace

from ccproxy.exchange.exchange import Exchange, ResponseHead, Step, Timings
from ccproxy.exchange.hooks import HookResult
from ccproxy.exchange.http import Snapshot
from ccproxy.flows import delta
from ccproxy.flows.arrivals import Arrivals, note
from ccproxy.flows.config import FlowsConfig
from ccproxy.flows.model import Flow, RequestRecord, ResponseRecord, WebSocketMessage, WebSocketRecord
from ccproxy.flows.redact import HeaderRedactor, Scrubber, clean_body, clean_target, clean_text, is_oauth
from ccproxy.flows.reel import MAX_HELD_BYTES, Account, Reel
from ccproxy.flows.rows import SMALL_BODY
from ccproxy.flows.store import FlowStore
from ccproxy.lightllm.ir.losses import Loss
from ccproxy.util.clock import Clock

_MAX_NAME = 256
_MAX_TEXT = 2000
_MAX_SCRUBBERS = 64


class Watcher(Protocol):
    """Is told of tapes, in the event loop. Must be quick, and must not raise."""

    def began(self, tape: Tape) -> None:
        """A tape runs. What it has so far can be asked for at any time."""

    def ended(self, tape: Tape) -> None:
        """A tape has ended. Its flow is on the way to the store."""


class Tape:
    """Records one exchange; made by `Recorder.open`. Every tape must be finished, however the exchange ends."""

    __slots__ = (
        "_answer",
        "_arrivals",
        "_exchange",
        "_finished",
        "_messages",
        "_mono",
        "_recorder",
        "_request",
        "_response",
        "_websocket",
    )

    def __init__(self, recorder: Recorder, exchange: Exchange) -> None:
        self._recorder = recorder
        self._exchange = exchange
        self._request = recorder.reel()
        self._response = recorder.reel()
        self._answer: Reel | None = None
        self._websocket: Reel | None = None
        self._messages = WebSocketRecord()
        self._arrivals: Arrivals = []
        self._mono = recorder.mono
        self._finished = False

    def request_chunk(self, data: bytes) -> None:
        """A piece of a request body that is streamed (the snapshot's own body is None)."""
        self._request.add(data)

    def response_chunk(self, data: bytes) -> None:
        """A piece of the answer's body, as received now."""
        reel = self._response
        if not reel.truncated:
            note(self._arrivals, reel.size, self._mono())
        reel.add(data)

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
        return await self._recorder.end(self, max_wait)

    def flow(self, scrubber: Scrubber) -> Flow:
        """For the recorder: the flow that this exchange is."""
        return self._recorder.flow(
            self._exchange,
            self._request,
            self._response,
            self._answer,
            self._take_messages(),
            self._arrivals,
            scrubber,
        )

    @property
    def exchange(self) -> Exchange:
        """What is recorded; not to be changed."""
        return self._exchange

    @property
    def received(self) -> int:
        """How many bytes of an answer, or messages of a WebSocket, there are so far."""
        return self._messages.count or self._response.size

    def scrub(self, text: str) -> str:
        """`text` without the secrets of the exchange."""
        return self._recorder.scrubber(self._exchange.secrets).text(text)

    def so_far(self) -> Flow:
        """The flow as it would be if the exchange ended now, without its secrets. Its outcome is `pending`."""
        answer = self._answer.copy() if self._answer is not None else None
        messages = None
        if self._websocket is not None:
            record = self._messages
            messages = replace(record, messages=[replace(message) for message in record.messages])
            messages.size, messages.truncated = self._websocket.size, self._websocket.truncated
        flow = self._recorder.flow(
            self._exchange,
            self._request.copy(),
            self._response.copy(),
            answer,
            messages,
            self._arrivals,
            self._recorder.scrubber(self._exchange.secrets),
        )
        flow.outcome = "pending"
        return flow

    @property
    def secrets(self) -> set[str]:
        """For the recorder: the secrets of the exchange."""
        return self._exchange.secrets

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


def _pass_on(future: asyncio.Future[bool], timer: asyncio.TimerHandle, stored: asyncio.Future[bool]) -> None:
    timer.cancel()
    if not future.done():
        future.set_result(not stored.cancelled() and stored.result())


class Recorder:
    """Opens tapes.

    Args:
        store: where flows go; None records nothing.
        config: `enabled` and `max_body_bytes` matter here. The attribute may be replaced while the recorder works; it
            counts for the tapes opened from then on.
        clock: the one that the exchanges' timings were taken from.
        max_held_bytes: bound on what all open tapes hold.

    `watcher`, if there is one, is told when tapes begin and end.
    """

    def __init__(
        self, store: FlowStore | None, config: FlowsConfig, clock: Clock, *, max_held_bytes: int = MAX_HELD_BYTES
    ) -> None:
        self.store = store
        self.config = config
        self.watcher: Watcher | None = None
        self._clock = clock
        self.mono = clock.mono
        self._account = Account(max_held_bytes)
        self._headers = HeaderRedactor()
        self._scrubbers: dict[frozenset[str], Scrubber] = {}
        self._blank = _BlankTape()
        self._ended: list[tuple[Tape, asyncio.Future[bool], float]] = []

    @property
    def held_bytes(self) -> int:
        """Bytes that open tapes hold at the moment."""
        return self._account.held

    def open(self, exchange: Exchange) -> Tape:
        """A tape for `exchange`, to be finished when the exchange has ended."""
        if self.store is None or not self.config.enabled:
            return self._blank
        tape = Tape(self, exchange)
        if self.watcher is not None:
            self.watcher.began(tape)
        return tape

    def reel(self) -> Reel:
        """For tapes: a new reel on the shared account."""
        return Reel(self._account, self.config.max_body_bytes)

    def moment(self, timings: Timings) -> float:
        """For tapes: now, as seconds since the epoch on the exchange's own scale, which no change of the clock breaks."""
        return timings.started + self._clock.mono() - timings.begin

    def end(self, tape: Tape, max_wait: float) -> asyncio.Future[bool]:
        """For tapes: has the flow recorded in the next turn of the event loop. The future tells whether it is on disk,
        after `max_wait` seconds at the latest."""
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        if not self._ended:
            loop.call_soon(self._record, loop)
        self._ended.append((tape, future, max_wait))
        if self.watcher is not None:
            self.watcher.ended(tape)
        return future

    def _record(self, loop: asyncio.AbstractEventLoop) -> None:
        assert self.store is not None
        ended, self._ended = self._ended, []
        flows: list[tuple[Flow, Scrubber]] = []
        waiting: list[tuple[asyncio.Future[bool], float]] = []
        for tape, future, max_wait in ended:
            scrubber = self.scrubber(tape.secrets)
            try:
                flows.append((tape.flow(scrubber), scrubber))
            except Exception as error:  # noqa: BLE001 - raised where the tape is finished
                future.set_exception(error)
            else:
                waiting.append((future, max_wait))
        for (future, max_wait), stored in zip(waiting, self.store.put_all(flows), strict=True):
            if future.done():
                continue
            if stored.done():
                future.set_result(stored.result())
            elif max_wait <= 0:
                future.set_result(False)
            else:
                timer = loop.call_later(max_wait, _give_up, future)
                stored.add_done_callback(partial(_pass_on, future, timer))

    def scrubber(self, secrets: set[str]) -> Scrubber:
        """For tapes: the scrubber of an exchange; the last ones are kept, as most exchanges have the same secrets."""
        key = frozenset(secrets)
        scrubber = self._scrubbers.get(key)
        if scrubber is None:
            if len(self._scrubbers) >= _MAX_SCRUBBERS:
                self._scrubbers.clear()
            scrubber = self._scrubbers[key] = Scrubber(key)
        return scrubber

    def flow(
        self,
        exchange: Exchange,
        request_reel: Reel,
        response_reel: Reel,
        answer_reel: Reel | None,
        websocket: WebSocketRecord | None,
        arrivals: Arrivals,
        scrubber: Scrubber,
    ) -> Flow:
        """For tapes: the flow that an exchange is."""
        timings, route, client, failure = exchange.timings, exchange.route, exchange.client, exchange.failure
        offset = timings.started - timings.begin  # from the monotonic clock to seconds since the epoch
        duration = max(0.0, (timings.end or self._clock.mono()) - timings.begin)
        oauth = is_oauth(exchange.request.path)
        request = self._request(exchange.request, request_reel, oauth, scrubber)
        request.timestamp_start = timings.started
        request.timestamp_end = offset + timings.request_read if timings.request_read else 0.0
        forwarded = response = answer = shared = None
        if exchange.forwarded is not None:
            forwarded, shared = self._forwarded(exchange.forwarded, exchange.request, request, oauth, scrubber)
            forwarded.timestamp_start = timings.started
            sent = timings.upstream_sent
            forwarded.timestamp_end = offset + sent if sent else request.timestamp_end
        body = response_reel.take()
        begun = timings.upstream_head or timings.first_byte
        if exchange.response is not None:
            response = self._response(exchange.response, body, response_reel, oauth, scrubber)
            response.timestamp_start = offset + begun if begun else 0.0
            response.timestamp_end = timings.started + duration
        if answer_reel is not None:
            body = answer_reel.take()
            if exchange.answer is not None:
                answer = self._response(exchange.answer, body, answer_reel, oauth, scrubber)
                answer.timestamp_start = offset + begun if begun else 0.0
                answer.timestamp_end = timings.started + duration
        if websocket is not None:
            _clean_messages(websocket, scrubber)
        flow = Flow(
            exchange.id,
            timings.started,
            duration,
            exchange.door,
            client.address,
            client.port,
            client.key,
            client.user_agent[:_MAX_TEXT],
            exchange.dialect,
            exchange.operation,
            exchange.model[:_MAX_NAME],
            route.provider if route else "",
            route.action if route else "",
            route.reason if route else "",
            exchange.credential,
            "failed" if exchange.outcome == "pending" else exchange.outcome,
            failure.kind if failure else "",
            clean_text(failure.message, scrubber)[:_MAX_TEXT] if failure else "",
            exchange.streaming,
            max(0.0, timings.first_byte - timings.begin) if timings.first_byte else None,
            request,
            forwarded,
            response,
            websocket=websocket,
            upstream_dialect=exchange.upstream_dialect,
            losses=[_clean_loss(loss, scrubber) for loss in exchange.losses or ()],
            answer=answer,
            story=[_clean_step(step, scrubber) for step in exchange.story],
            run=client.run,
            process=scrubber.text(client.process[:_MAX_TEXT]),
            session=scrubber.text(exchange.session[:_MAX_NAME]),
            hooks=[_clean_hook(hook, scrubber) for hook in exchange.hooks],
            arrivals=[(offset, max(0.0, moment - timings.begin)) for offset, moment in arrivals]
            if exchange.streaming and response is not None
            else [],
            shared=shared,
        )
        if scrubber:
            _scrub_heads(flow, scrubber)
        return flow

    def _request(self, snapshot: Snapshot, reel: Reel, oauth: bool, scrubber: Scrubber) -> RequestRecord:
        kept = reel.take()
        if snapshot.body is None:
            body, size, truncated = kept, reel.size, reel.truncated
        else:
            body, size, truncated = self._cut(snapshot.body)
        cleaned = clean_body(body, scrubber, oauth=oauth, answer=False, truncated=truncated)
        return self._head(snapshot, cleaned, size, truncated, cleaned is not body)

    def _forwarded(
        self, snapshot: Snapshot, original: Snapshot, request: RequestRecord, oauth: bool, scrubber: Scrubber
    ) -> tuple[RequestRecord, tuple[int, int] | None]:
        """The forwarded request, and how much of its body is the client's if that is known."""
        if snapshot.body is None or snapshot.body is original.body:
            return self._head(snapshot, request.body, request.size, request.truncated, request.redacted), None
        body, size, truncated = self._cut(snapshot.body)
        if body is snapshot.body and request.body is original.body and len(body) > SMALL_BODY and not oauth:
            # What is as in the client's clean body need not be searched again.
            begin, end = delta.common(request.body, body)
            margin = scrubber.longest
            changed = body[max(0, begin - margin) : len(body) - max(0, end - margin)]
            if clean_body(changed, scrubber, oauth=False, answer=False) is changed:
                return self._head(snapshot, body, size, False, False), (begin, end)
        cleaned = clean_body(body, scrubber, oauth=oauth, answer=False, truncated=truncated)
        return self._head(snapshot, cleaned, size, truncated, cleaned is not body), None

    def _head(self, snapshot: Snapshot, body: bytes, size: int, truncated: bool, redacted: bool) -> RequestRecord:
        return RequestRecord(
            self._headers.masked(snapshot.headers),
            body,
            size,
            snapshot.http_version,
            truncated,
            redacted,
            0.0,
            0.0,
            snapshot.method,
            snapshot.scheme,
            snapshot.host,
            snapshot.port,
            clean_target(snapshot.target),
        )

    def _response(self, head: ResponseHead, body: bytes, reel: Reel, oauth: bool, scrubber: Scrubber) -> ResponseRecord:
        cleaned = clean_body(body, scrubber, oauth=oauth, answer=True, truncated=reel.truncated)
        return ResponseRecord(
            self._headers.masked(head.headers),
            cleaned,
            reel.size,
            head.http_version,
            reel.truncated,
            cleaned is not body,
            status=head.status,
            reason=head.reason[:_MAX_TEXT],
        )

    def _cut(self, body: bytes) -> tuple[bytes, int, bool]:
        limit = self.config.max_body_bytes
        return (body, len(body), False) if len(body) <= limit else (body[:limit], len(body), True)


def _scrub_heads(flow: Flow, scrubber: Scrubber) -> None:
    """Takes the exchange's secrets out of everything but the bodies. They are hardly ever there: header fields and
    parameters have been judged by their names before."""
    request, forwarded, response = flow.request, flow.forwarded, flow.response
    texts = [flow.user_agent, flow.model, request.target, *[value for _, value in request.headers]]
    if forwarded is not None:
        texts += [forwarded.target, *[value for _, value in forwarded.headers]]
    for answer in (response, flow.answer):
        if answer is not None:
            texts += [answer.reason, *[value for _, value in answer.headers]]
    if not scrubber.finds("\n".join(texts)):
        return
    flow.user_agent, flow.model = scrubber.text(flow.user_agent), scrubber.text(flow.model)
    for message in (request, forwarded, response, flow.answer):
        if message is not None:
            message.headers = [(name, scrubber.text(value)) for name, value in message.headers]
    for asked in (request, forwarded):
        if asked is not None:
            asked.target = scrubber.text(asked.target)
    for answer in (response, flow.answer):
        if answer is not None:
            answer.reason = scrubber.text(answer.reason)


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


def _clean_hook(hook: HookResult, scrubber: Scrubber) -> HookResult:
    return replace(
        hook,
        changed=[scrubber.text(path) for path in hook.changed],
        error=clean_text(hook.error, scrubber)[:_MAX_TEXT],
        notes=[clean_text(note, scrubber)[:_MAX_TEXT] for note in hook.notes],
    )


def _clean_messages(websocket: WebSocketRecord, scrubber: Scrubber) -> None:
    for message in websocket.messages:
        truncated = len(message.body) < message.size
        cleaned = clean_body(message.body, scrubber, oauth=False, answer=not message.from_client, truncated=truncated)
        if cleaned is not message.body:
            message.body, websocket.redacted = cleaned, True
