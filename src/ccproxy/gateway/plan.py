"""What goes out for one request to one destination, made anew for each try because each may have another credential.

A request has a plan for where its route leads, and one more for each provider it may go on to; the plan whose answer
the client gets is the one that is noted on the exchange.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import partial

from ccproxy.auth.base import Credential
from ccproxy.egress.retry import Policy
from ccproxy.egress.sender import Candidate
from ccproxy.egress.transport import UpstreamRequest, UpstreamResponse
from ccproxy.errors import BadRequest, NotSupported
from ccproxy.exchange.exchange import Exchange
from ccproxy.exchange.http import Headers, Snapshot
from ccproxy.exchange.route import Route
from ccproxy.flows.recorder import Tape
from ccproxy.gateway import endpoints
from ccproxy.gateway.bodies import RequestBody
from ccproxy.gateway.conversion import Conversion, convert, fold, is_strict
from ccproxy.gateway.forms import Turn, completed, formed
from ccproxy.gateway.forward import MAX_DECODED, forwarded_snapshot, set_model
from ccproxy.gateway.hooked import Asked, Hooked
from ccproxy.gateway.projects import QUESTION, question
from ccproxy.gateway.recall import Recall, recall
from ccproxy.gateway.runtime import Runtime
from ccproxy.gateway.steps import prepare
from ccproxy.lightllm.body import JsonBody
from ccproxy.lightllm.compression import decode
from ccproxy.lightllm.dialect import Target
from ccproxy.lightllm.errors import ErrorInfo
from ccproxy.lightllm.ir.losses import LossLedger
from ccproxy.lightllm.signatures import is_refused_signature, without_signatures
from ccproxy.routing.detect import Operation
from ccproxy.routing.resolve import Facts


class Plan:
    """One destination of one request.

    Args:
        content: the body to send; None streams the client's body through.
        headers: the header fields of a request that was converted or went through hooks, in place of the client's.
        recalled: what is put into the request for this provider, and kept of its answer.
        conversion: where the answer is to be converted; with `encoded` the request was, too.
        turn: where the answer comes in another form than the client's.
        losses: what a request in another form of its dialect has lost.

    Attributes:
        candidate: the destination as the sender sees it.
        model: what is asked for there, as far as that is known.
    """

    def __init__(
        self,
        runtime: Runtime,
        exchange: Exchange,
        operation: Operation,
        route: Route,
        content: bytes | None,
        body: RequestBody,
        tape: Tape,
        conversion: Conversion | None = None,
        headers: Headers | None = None,
        recalled: Recall | None = None,
        turn: Turn | None = None,
        losses: LossLedger | None = None,
    ) -> None:
        self.provider = provider = runtime.providers.get(route.provider)
        self._converted = conversion is not None and conversion.encoded is not None
        self._runtime = runtime
        self._exchange = exchange
        self._asked = exchange.request.headers
        self._content = content
        self._headers = headers
        self._body = body
        self._tape = tape
        self._losses = losses or None
        if conversion is not None and conversion.encoded is not None:
            self._losses = conversion.encoded.losses
        elif recalled is not None and recalled.losses:
            self._losses = recalled.losses
        self._made = False
        self._strict = is_strict(runtime, exchange.request.headers)
        self._adapts = operation.generates and (
            self._converted or operation.rest == (provider.main if provider else "")
        )
        self._forwarded: Snapshot | None = None
        self._credential = ""
        self.model = route.model or exchange.model
        self.route = route
        self.conversion = conversion
        self.recalled = recalled
        self.turn = turn
        self._project = ""
        self.candidate = Candidate(
            name=route.provider or route.host,
            make=self._make,
            transport=runtime.transport(provider),
            credentials=provider.credentials if provider is not None and not route.keep_credential else None,
            resendable=content is not None,
            repeatable=operation.generates
            or operation.name == "count_tokens"
            or exchange.request.method in {"GET", "HEAD"},
        )
        if provider is not None:
            full = runtime.capacity.enabled and operation.generates and provider.dialect == "gemini"
            self.candidate.policy = Policy(provider.retry, runtime.capacity if full else None)
            self.candidate.breaker = runtime.breakers.get(provider.name)
            if provider.wire == "code_assist" and operation.generates and operation.wire != "code_assist":
                self.candidate.before = self._find_project
        name = conversion.source.name if conversion is not None else operation.dialect
        if operation.generates and name in runtime.dialects and not (provider is not None and provider.type.in_process):
            self.candidate.dialect = runtime.dialects.get(name)
            self.candidate.mend = self._mend if content else None

    def only_once(self) -> None:
        """Has it tried once, whatever comes of it."""
        self.candidate.policy = Policy()

    def apply(self) -> None:
        """Notes on the exchange that this is the way it went."""
        exchange = self._exchange
        exchange.route = self.route
        exchange.losses = self._losses
        exchange.upstream_dialect = (
            self.conversion.source.name if self.conversion is not None and self._converted else ""
        )
        if self._forwarded is not None:
            exchange.forwarded = self._forwarded
            exchange.credential = self._credential

    def settle(self) -> None:
        """Lets the candidate go, when there is nothing more to send. It refers back to its plan, and the two would keep
        the bodies of the exchange until the garbage collector comes."""
        del self.candidate

    def _make(self, credential: Credential | None, label: str) -> UpstreamRequest:
        """The request. Raises CCProxyError."""
        exchange, route, provider = self._exchange, self.route, self.provider
        losses = LossLedger()
        adapt = provider.type.adapt if provider is not None and self._adapts else None
        change: Callable[[JsonBody], None] | None = self._put_project if self._project else None
        if adapt is not None:
            change = partial(_adapt, adapt, losses)
        headers, content = prepare(exchange, route, provider, credential, self._content, self._headers, change)
        if self._strict:
            losses.require_empty()
        if adapt is not None and headers.text(b"accept") == "application/json":
            headers.set(b"accept", b"text/event-stream")
        if provider is not None and credential is not None and provider.type.amend is not None:
            for addition in provider.type.amend(headers.pairs, credential):
                losses.defaulted(f"headers.{addition.name}", addition.reason, addition.value)
        self._record(losses)
        self._forwarded, self._credential = exchange.forwarded, label
        exchange.credential = label
        outgoing: bytes | AsyncIterator[bytes] | None = content or (b"" if self._body.expected else None)
        if content is None:
            outgoing = self._body.stream(self._tape.request_chunk)
        return UpstreamRequest(
            method=exchange.request.method,
            scheme=route.scheme,
            host=route.host,
            port=route.port,
            target=route.target,
            headers=headers,
            body=outgoing,
            timeouts=self._runtime.timeouts,
            verify=provider.verify if provider is not None else True,
        )

    async def _find_project(self, credential: Credential | None, label: str) -> UpstreamResponse | None:
        """Finds out the project that Code Assist wants named; an answer without one is the provider's."""
        provider, runtime, exchange = self.provider, self._runtime, self._exchange
        assert provider is not None
        if provider.project:
            self._project = provider.project
            return None
        client = self._headers if self._headers is not None else self._asked
        asking = question(provider, credential, client.get(b"user-agent") or b"", runtime.timeouts)
        if credential is not None:
            exchange.secrets.add(credential.value)
            exchange.secrets.update(value.decode("latin-1") for _, value in credential.companions)
        found = await runtime.projects.find(provider, credential, asking, self.candidate.transport)
        if isinstance(found, str):
            self._project = found
            return None
        route = replace(self.route, target=asking.target)
        self._forwarded = forwarded_snapshot(exchange.request, route, asking.headers, QUESTION)
        self._credential = label
        return found

    def _put_project(self, body: JsonBody) -> None:
        body["project"] = self._project

    def _mend(self, error: ErrorInfo) -> bool:
        """Leaves out the signatures of a history if the provider has refused one. Done once."""
        dialect, content = self.candidate.dialect, self._content
        if not is_refused_signature(error) or dialect is None or content is None or self._strict:
            return False
        self.candidate.mend = None
        client = self._headers if self._headers is not None else self._asked
        try:
            plain = decode(content, client.text(b"content-encoding"), MAX_DECODED)
            request = dialect.decode_request(plain)
        except BadRequest:
            return False
        stripped = without_signatures(request)
        if stripped is request:
            return False
        losses = LossLedger()
        losses.dropped("messages.signature", "the provider refused it; sent again without what was signed")
        model = self.route.model if self._headers is None else ""
        body = JsonBody(dialect.encode_request(stripped, Target(model=model), losses=losses).body)
        if "model" not in JsonBody(plain):
            body.delete("model")  # it stands in the path alone
        self._content = body.raw
        self._headers = client.without((b"content-encoding",))
        self._headers.set(b"content-length", str(len(self._content)).encode())
        self._add(losses)
        return True

    def _record(self, losses: LossLedger) -> None:
        """Adds what was changed for the provider to what a conversion lost, once for all tries."""
        if self._made or not losses:
            return
        self._made = True
        self._add(losses)

    def _add(self, losses: LossLedger) -> None:
        if self._losses is None:
            self._losses = LossLedger()
        for loss in losses:
            self._losses.add(loss)


def _adapt(adapt: Callable[[JsonBody, LossLedger], None], losses: LossLedger, body: JsonBody) -> None:
    adapt(body, losses)


#: An answer in place of a provider's: why, and its status, header fields and body.
Own = tuple[str, tuple[int, Headers, bytes]]


async def planned(
    runtime: Runtime,
    exchange: Exchange,
    asked: Asked,
    hooks: Hooked | None,
    route: Route,
    body: RequestBody,
    tape: Tape,
) -> Plan | Own:
    """The plan for a route: converted where that must be, and past the outbound hooks; or an answer that needs no
    provider. Raises CCProxyError where the request cannot go there."""
    operation, content = asked.operation, asked.content
    conversion, headers, recalled, form = None, None, None, None
    provider = runtime.providers.get(route.provider)
    if route.action == "transform":
        if operation.name == "model":
            return route.reason, endpoints.model(runtime, operation)
        assert provider is not None
        conversion, route = await convert(runtime, exchange, asked.request, operation, route, provider, content or b"")
        conversion, route = completed(exchange, conversion, route, provider)
        if conversion.encoded is None:
            return route.reason, endpoints.counted(conversion.estimate())
        content, headers = conversion.encoded.body, conversion.headers(asked.request.headers)
    elif provider is not None and (form := formed(exchange, asked.request, operation, route, provider, content or b"")):
        asked = replace(asked, request=replace(asked.request, headers=form.headers), content=form.content)
        route, content = form.route, form.content
        if is_strict(runtime, exchange.request.headers):
            form.losses.require_empty()
    elif content and operation.generates and provider is not None:
        if provider.type.streams:
            conversion = fold(runtime, exchange, asked.request, operation, content)
        recalled = recall(runtime, exchange, asked.request, operation, provider, content)
    if recalled is not None and recalled.content is not None:
        asked = replace(asked, request=replace(asked.request, headers=recalled.headers(asked.request.headers)))
        asked.content = content = recalled.content
    if hooks is not None:
        route, headers, content, own = await hooks.outbound(asked, route, conversion, headers)
        if own is not None:
            return own
    elif form is not None:
        headers = form.headers
    elif recalled is not None and recalled.content is not None:
        headers = asked.request.headers
        content = set_model(headers, recalled.content, route.model) if route.model else content
    turn, losses = (form.turn, form.losses) if form is not None else (None, None)
    return Plan(runtime, exchange, operation, route, content, body, tape, conversion, headers, recalled, turn, losses)


def other_models(plan: Plan) -> list[tuple[str, str]]:
    """The provider with each of the models to ask where the client's is full."""
    provider, capacity = plan.provider, plan.candidate.policy.capacity
    if provider is None or capacity is None:
        return []
    return [(provider.name, model) for model in capacity.fallback_models if model != plan.model]


async def fallback(
    runtime: Runtime,
    exchange: Exchange,
    asked: Asked,
    hooks: Hooked | None,
    facts: Facts,
    entry: tuple[str, str],
    body: RequestBody,
    tape: Tape,
) -> Plan:
    """The plan for a provider to go on to. Raises CCProxyError where the request cannot go there.

    Args:
        entry: the provider's name, and the model to ask it for or "".
    """
    name, model = entry
    before = _name(exchange)
    reason = f"another model of {name}" if name == before else f"fallback of {before}"
    route = runtime.router.to(name, facts, reason, model=model)
    plan = await planned(runtime, exchange, asked, hooks, route, body, tape)
    if not isinstance(plan, Plan):
        raise NotSupported(f"provider {name!r} cannot be asked for this")
    return plan


def _name(exchange: Exchange) -> str:
    return exchange.route.provider if exchange.route is not None else ""
