"""The way of a request, from the client's first byte to the last one of its answer.

    guard -> local endpoint? -> read the body -> inbound hooks -> route -> convert? -> outbound hooks -> credential
    -> upstream (again? another?) -> relay -> record

Every step is one call below; what it does stands in the module it comes from. Errors of our own tree become an answer
in the client's dialect in one place (`Answer.fail`); a client that goes away cancels the whole way, which closes the
upstream at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterable, Awaitable, Callable
from functools import partial
from typing import Any

from ccproxy.egress.peek import Held
from ccproxy.egress.sender import Candidate, Other, Sender
from ccproxy.egress.transport import UpstreamResponse
from ccproxy.errors import CCProxyError, UpstreamError
from ccproxy.exchange.exchange import Client, Exchange, Failure, ResponseHead, Timings, new_id
from ccproxy.exchange.http import Headers, Snapshot
from ccproxy.exchange.route import Route
from ccproxy.flows.recorder import Recorder, Tape
from ccproxy.gateway import endpoints
from ccproxy.gateway.answer import Answer, Send
from ccproxy.gateway.bodies import Budget, ClientGone, Receive, RequestBody
from ccproxy.gateway.conversion import estimated
from ccproxy.gateway.forms import relay_turned
from ccproxy.gateway.forward import requested_model
from ccproxy.gateway.hooked import Asked, Hooked, hooked
from ccproxy.gateway.listener import EXTENSION, Connection
from ccproxy.gateway.log import log_exchange
from ccproxy.gateway.plan import Plan, fallback, other_models, planned
from ccproxy.gateway.replies import phrase
from ccproxy.gateway.runtime import Runtime
from ccproxy.gateway.steps import admit, destination, facts, handed_over, note_failure, session_of, take_over, too_many
from ccproxy.gateway.translated import Translated
from ccproxy.gateway.websocket import relay_websocket
from ccproxy.routing.detect import Operation
from ccproxy.routing.sentinel import Presented
from ccproxy.util.clock import Clock

_log = logging.getLogger("ccproxy.gateway")

#: What providers answer that have no endpoint for a token count.
_NO_SUCH_ENDPOINT = frozenset({404, 405, 501})


class Gateway:
    """The ASGI application.

    Args:
        runtime: what the configuration says at the start.
        recorder: where exchanges go.
        clock: the time.
        health: makes the document of `/health`.
        sleep: how to wait between tries.
        handoff_secret: what proves that a request was handed over by our interceptor; "" takes none over.
        note: told of every try to reach a provider (see `Sender`).
    """

    def __init__(
        self,
        runtime: Runtime,
        recorder: Recorder,
        clock: Clock,
        health: Callable[[], dict[str, object]],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        *,
        handoff_secret: str = "",
        note: Callable[[str, str], None] | None = None,
    ) -> None:
        self.runtime = runtime
        self.active = 0
        self.total = 0
        self._recorder = recorder
        self._clock = clock
        self._health = health
        self._sender = Sender(clock, sleep, note)
        self._handoff_secret = handoff_secret
        self._budget = Budget(runtime.config.max_buffered_bytes)

    def use(self, runtime: Runtime) -> None:
        """Takes a new configuration for the requests to come."""
        self.runtime = runtime
        self._budget.limit = runtime.config.max_buffered_bytes

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            connection: Connection = scope["extensions"][EXTENSION]
            if connection.target in endpoints.HEALTH and not handed_over(connection.pairs):
                await endpoints.health(self.runtime, connection, scope, send, self._health)
            else:
                await self._exchange(scope, connection, receive, send)
        elif scope["type"] == "websocket":
            self.active += 1
            self.total += 1
            full = self.active > self.runtime.config.max_exchanges
            try:
                await relay_websocket(
                    self.runtime,
                    self._recorder,
                    self._sender,
                    self._clock,
                    scope,
                    receive,
                    send,
                    serve=self._exchange,
                    full=full,
                    handoff_secret=self._handoff_secret,
                )
            finally:
                self.active -= 1

    async def _exchange(self, scope: Any, connection: Connection, receive: Receive, send: Send) -> None:
        """One exchange, whatever becomes of it."""
        runtime = self.runtime
        exchange = begin(scope, connection, self._clock)
        take_over(exchange, self._handoff_secret)
        tape = self._recorder.open(exchange)
        answer = Answer(send, connection, exchange, tape, runtime.dialects, scope["http_version"])
        task = asyncio.current_task()
        if task is not None:
            connection.on_lost = task.cancel
        self.active += 1
        self.total += 1
        body: RequestBody | None = None
        endable = True
        try:
            if self.active > runtime.config.max_exchanges:
                raise too_many()
            operation, credentials = admit(runtime, exchange)
            body = RequestBody(
                receive,
                exchange.request.headers,
                limit=runtime.config.max_body_bytes,
                idle=runtime.config.body_idle_seconds,
                budget=self._budget,
            )
            endable = await self._serve(runtime, exchange, operation, credentials, body, answer, tape)
            exchange.outcome = "complete" if exchange.outcome == "pending" else exchange.outcome
        except CCProxyError as error:
            note_failure(exchange, error)
            endable = await answer.fail(error, close=body is None or not body.complete)
            # The traceback holds frames which hold the error: a cycle with the whole exchange in it.
            error.__traceback__ = error.__context__ = error.__cause__ = None
        except (asyncio.CancelledError, ClientGone):
            exchange.outcome = "client_gone" if connection.lost else "failed"
            if not connection.lost:
                exchange.failure = Failure("shutdown", "ccproxy shut down before the answer was complete")
                connection.abort()
            endable = False
        except Exception:  # noqa: BLE001 - the boundary of one exchange
            _log.exception("exchange %s failed inside ccproxy", exchange.id)
            internal = CCProxyError("an internal error; the log has the details")
            note_failure(exchange, internal)
            endable = not answer.started and await answer.fail(internal, close=True)
            if not endable:
                connection.abort()
        finally:
            connection.on_lost = None
            # A client that left while the last step ended has asked for a cancellation that is of no use any more.
            while task is not None and task.cancelling():
                task.uncancel()
            if body is not None:
                body.release()
        exchange.timings.end = self._clock.mono()
        await tape.finish()
        if endable:
            await answer.end()
        log_exchange(exchange)
        self.active -= 1

    async def _serve(
        self,
        runtime: Runtime,
        exchange: Exchange,
        operation: Operation,
        credentials: Presented,
        body: RequestBody,
        answer: Answer,
        tape: Tape,
    ) -> bool:
        """The steps for a request that was let in. Returns whether the answer can be ended normally."""
        request = exchange.request
        if endpoints.is_preflight(request) and exchange.client.origin:
            return await self._answer_ourselves(exchange, "preflight", endpoints.preflight(request), answer, tape)
        if endpoints.answers_models(exchange, operation, credentials):
            return await self._answer_ourselves(
                exchange, "model list", endpoints.models(runtime, operation), answer, tape
            )
        content = await self._read(request, operation, body)
        exchange.timings.request_read = self._clock.mono()
        if content and not exchange.model:
            exchange.model = requested_model(request)
        asked = Asked(request, operation, credentials, content, exchange.model)
        hooks = hooked(runtime, exchange, self._clock)
        if hooks is not None and (own := await hooks.inbound(asked)) is not None:
            return await self._answer_ourselves(exchange, *own, answer, tape)
        operation = asked.operation
        decided = facts(asked.request, operation, asked.credentials, asked.model, destination(exchange))
        if (choice := asked.choice) is not None:
            route = runtime.router.to(choice.provider, decided, f"hook {choice.by}", model=choice.model)
        else:
            route = runtime.router.resolve(decided)
        exchange.route = route
        plan = await planned(runtime, exchange, asked, hooks, route, body, tape)
        if not isinstance(plan, Plan):
            return await self._answer_ourselves(exchange, *plan, answer, tape)

        async def go_on(entry: tuple[str, str]) -> Plan:
            return await fallback(runtime, exchange, asked, hooks, decided, entry, body, tape)

        plan, upstream = await self._send(exchange, plan, go_on, asked.content)
        try:
            self._begin(exchange, upstream)
            if upstream.status in _NO_SUCH_ENDPOINT and plan.provider is not None and operation.name == "count_tokens":
                upstream = Held(upstream)
                spoken = plan.provider.dialect or operation.dialect
                document = await estimated(runtime, asked.request, operation, asked.content, upstream, spoken)
                if document is not None:
                    reason = f"{route.reason}, estimated: provider {plan.provider.name} answered {upstream.status}"
                    return await self._answer_ourselves(exchange, reason, endpoints.counted(document), answer, tape)
            conversion = plan.conversion
            if hooks is not None:
                conversion = hooks.conversion(conversion, upstream.status)
            if conversion is not None:
                keepalive = runtime.config.keepalive_seconds
                translated = Translated(conversion, exchange, upstream, answer, tape, self._clock, keepalive=keepalive)
                return await translated.relay()
            await self._relay(exchange, operation, upstream, answer, tape, hooks, plan)
        finally:
            await upstream.close()
        return True

    async def _answer_ourselves(
        self, exchange: Exchange, reason: str, ours: tuple[int, Headers, bytes], answer: Answer, tape: Tape
    ) -> bool:
        """Gives an answer that needs no upstream."""
        status, headers, document = ours
        exchange.route = Route(action="local", reason=reason)
        exchange.response = ResponseHead(status, phrase(status), headers)
        tape.response_chunk(document)
        await answer.reply(status, headers.copy(), document)
        return True

    async def _read(self, request: Snapshot, operation: Operation, body: RequestBody) -> bytes | None:
        """The whole body if it is a JSON document, None if it is to stream through."""
        if body.complete:
            request.body = b""
            return b""
        kind = request.headers.text(b"content-type").lower()
        if "json" in kind or (
            (operation.generates or operation.name == "count_tokens") and not kind.startswith("multipart/")
        ):
            request.body = await body.read()
            return request.body
        request.body = None
        return None

    async def _send(
        self, exchange: Exchange, plan: Plan, go_on: Callable[[tuple[str, str]], Awaitable[Plan]], content: bytes | None
    ) -> tuple[Plan, UpstreamResponse]:
        """Sends the request, to other providers too if that is configured, and waits for the head of an answer."""
        plans = [plan]

        async def candidate(entry: tuple[str, str], once: bool) -> Candidate:
            plans.append(await go_on(entry))
            if once:
                plans[-1].only_once()
            return plans[-1].candidate

        provider, pool = plan.provider, plan.candidate.credentials
        entries = provider.fallback if provider is not None else ()
        models = [Other(entry[1], partial(candidate, entry, True), model=True) for entry in other_models(plan)]
        others = [Other(entry[0], partial(candidate, entry, False)) for entry in entries]
        session = session_of(exchange, content) if pool is not None and len(pool) > 1 else ""
        exchange.timings.upstream_sent = self._clock.mono()
        try:
            used, response = await self._sender.send(
                plan.candidate,
                [*models, *others],
                session=session,
                story=exchange.story,
            )
            exchange.timings.upstream_head = self._clock.mono()
            chosen = next(each for each in plans if each.candidate is used)
        except CCProxyError:
            plan.apply()
            raise
        finally:
            for each in plans:
                each.settle()
        chosen.apply()
        return chosen, response

    async def _relay(
        self,
        exchange: Exchange,
        operation: Operation,
        upstream: UpstreamResponse,
        answer: Answer,
        tape: Tape,
        hooks: Hooked | None,
        plan: Plan,
    ) -> None:
        """Passes the answer on as it comes."""
        head = exchange.response
        assert head is not None
        kind = head.headers.text(b"content-type").lower()
        if operation.generates and kind.startswith("text/html"):
            await self._refuse_page(exchange, upstream, tape)
        chunks: AsyncIterable[bytes] = upstream.chunks()
        if hooks is not None:
            chunks = hooks.watched(head, chunks)
        if plan.turn is not None and 200 <= head.status < 300:
            await relay_turned(plan.turn, exchange, self._clock, chunks, answer, tape)
            return
        await answer.begin(head)
        if plan.recalled is not None:
            chunks = plan.recalled.watched(head, chunks)
        async for chunk in chunks:
            if not exchange.timings.first_byte:
                exchange.timings.first_byte = self._clock.mono()
            tape.response_chunk(chunk)
            await answer.write(chunk)

    def _begin(self, exchange: Exchange, upstream: UpstreamResponse) -> None:
        """Notes the head of the upstream's answer. Raises UpstreamError if its status is none that can be passed on."""
        if not 200 <= upstream.status <= 599:
            raise UpstreamError(f"{_upstream_name(exchange)} answered with the unusable status {upstream.status}")
        exchange.response = ResponseHead(upstream.status, upstream.reason, upstream.headers, upstream.http_version)
        exchange.streaming = upstream.headers.text(b"content-type").lower().startswith("text/event-stream")

    async def _refuse_page(self, exchange: Exchange, upstream: UpstreamResponse, tape: Tape) -> None:
        """A web page in place of a model's answer (a gateway's error page, a login wall) becomes a clear error; the
        page itself is recorded."""
        async for chunk in upstream.chunks():
            tape.response_chunk(chunk)
        status = upstream.status
        raise UpstreamError(
            f"{_upstream_name(exchange)} answered {status} with a web page instead of an API answer",
            hint=f"ccproxy flows show {exchange.id} has the page; check the provider's host and path",
            status=status if status >= 400 else 502,
        )


def begin(scope: Any, connection: Connection, clock: Clock) -> Exchange:
    """The exchange of a request whose head has arrived."""
    headers = Headers(connection.pairs)
    address, port = scope["client"] or ("", 0)
    host, local_port = scope["server"] or ("", 0)
    return Exchange(
        id=new_id(),
        client=Client(address=address, port=port, user_agent=headers.text(b"user-agent")),
        request=Snapshot(
            method=scope["method"],
            scheme="http",
            host=host,
            port=local_port or 0,
            target=connection.target,
            http_version=scope["http_version"],
            headers=headers,
            body=None,
        ),
        timings=Timings(started=clock.wall(), begin=clock.mono()),
    )


def _upstream_name(exchange: Exchange) -> str:
    route = exchange.route
    return (route.provider or route.host) if route is not None else "the upstream"
