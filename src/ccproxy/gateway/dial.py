"""From a client's handshake to the provider's WebSocket: let in, route, credential, tries.

    admit -> route -> must its messages be looked into or converted? the bridge, or a refusal that needs no network
          -> handshake (renewed on 401, the next credential on 401 and 429, again as `retry` says) -> socket

A handshake is tried like any request, by the same `Sender`, and before the client's own is answered. Where the provider
has no WebSockets, or cannot be had and has others to go on to, the bridge asks by HTTP, message by message. A 426 is the
client's to act on: it says "use HTTP", and clients do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from ccproxy.auth.base import Credential
from ccproxy.egress.retry import Policy, judge
from ccproxy.egress.sender import Candidate, Sender
from ccproxy.egress.sockets import Accepted, Handshakes
from ccproxy.egress.transport import UpstreamRequest, UpstreamResponse, UpstreamSocket
from ccproxy.errors import CCProxyError, NotSupported
from ccproxy.exchange.exchange import Exchange, Step
from ccproxy.exchange.http import Headers
from ccproxy.exchange.route import Route
from ccproxy.gateway.hooked import needs_http
from ccproxy.gateway.runtime import Runtime
from ccproxy.gateway.steps import admit, destination, facts, prepare, session_of
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.errors import ErrorInfo
from ccproxy.providers.base import Provider
from ccproxy.util.clock import Clock

#: What servers answer a handshake with that know the path and no WebSockets, or not even the path by GET.
_NO_SOCKETS = frozenset({404, 405, 501})


@dataclass(frozen=True, slots=True)
class Dialled:
    """An open socket. `on_error` is to be told of an answer on it that ended with an error: a limit of the account is met
    there, and the next socket is to have another credential."""

    socket: UpstreamSocket
    on_error: Callable[[ErrorInfo], None]


async def dial(
    runtime: Runtime, exchange: Exchange, sender: Sender, clock: Clock, subprotocols: Sequence[str]
) -> Dialled | UpstreamResponse | Dialect:
    """The provider's socket, or its refusal; or the client's dialect, where messages are to be answered by HTTP.
    Raises CCProxyError."""
    operation, credentials = admit(runtime, exchange)
    route = runtime.router.resolve(
        facts(exchange.request, operation, credentials, exchange.model, destination(exchange))
    )
    exchange.route = route
    known = operation.generates and operation.dialect in runtime.dialects
    own = runtime.dialects.get(operation.dialect) if known else None
    bridged = own if own is not None and own.conversation is not None else None
    if operation.generates and (route.action == "transform" or needs_http(runtime)):
        if bridged is None:
            raise NotSupported(f"{operation.dialect} has no WebSockets here", hint="use HTTP", status=426)
        return bridged
    provider = runtime.providers.get(route.provider)
    handshakes = Handshakes(
        runtime.transport(provider), list(subprotocols), max_message=runtime.config.max_websocket_message_bytes
    )
    candidate = _candidate(runtime, exchange, route, provider, handshakes, own)
    exchange.timings.upstream_sent = clock.mono()
    try:
        _, answer = await sender.send(
            candidate,
            session=session_of(exchange, None),
            story=exchange.story,
        )
    except CCProxyError as error:
        if bridged is None or not _others(provider):
            raise
        _went_on(exchange, Step(route.provider, exchange.credential, problem=error.message))
        return bridged
    finally:
        _note_sent(exchange, handshakes)
    exchange.timings.upstream_head = clock.mono()
    if isinstance(answer, Accepted):
        return Dialled(answer.socket, partial(_rest, candidate, now=clock.wall))
    if bridged is not None and _by_http(provider, answer, now=clock.wall()):
        await answer.close()
        problem = f"status {answer.status}"
        _went_on(exchange, Step(route.provider, exchange.credential, answer.status, problem))
        return bridged
    return answer


def _candidate(
    runtime: Runtime,
    exchange: Exchange,
    route: Route,
    provider: Provider | None,
    handshakes: Handshakes,
    dialect: Dialect | None,
) -> Candidate:
    def make(credential: Credential | None, label: str) -> UpstreamRequest:
        headers, _ = prepare(exchange, route, provider, credential, b"")
        exchange.credential = label
        return UpstreamRequest(
            method="GET",
            scheme=route.scheme,
            host=route.host,
            port=route.port,
            target=route.target,
            headers=headers,
            timeouts=runtime.timeouts,
            verify=provider.verify if provider is not None else True,
        )

    candidate = Candidate(route.provider or route.host, make, handshakes, dialect=dialect)
    if provider is not None:
        candidate.credentials = None if route.keep_credential else provider.credentials
        candidate.policy = Policy(provider.retry)
        candidate.breaker = runtime.breakers.get(provider.name)
    return candidate


def _rest(candidate: Candidate, error: ErrorInfo, *, now: Callable[[], float]) -> None:
    verdict = judge(error.http_status, Headers(), error, now=now())
    if candidate.credentials is not None and candidate.member is not None and verdict.credential:
        candidate.credentials.retire(candidate.member, verdict.credential, verdict.wait)


def _by_http(provider: Provider | None, refusal: UpstreamResponse, *, now: float) -> bool:
    """Whether a refused handshake is no refusal of the request itself."""
    if provider is None:
        return False  # the client's own upstream, which is to be what it is
    if refusal.status in _NO_SOCKETS:
        return True
    return _others(provider) and judge(refusal.status, refusal.headers, None, now=now).elsewhere


def _others(provider: Provider | None) -> bool:
    """Whether there are providers to go on to."""
    return provider is not None and bool(provider.fallback)


def _went_on(exchange: Exchange, last: Step) -> None:
    """Tells of the handshake before the messages that are answered by HTTP; each of those is an exchange of its own."""
    step = exchange.story.pop() if exchange.story else last
    exchange.story.append(
        Step(step.provider, step.credential, step.status, step.problem, "went on by HTTP", step.seconds)
    )


def _note_sent(exchange: Exchange, handshakes: Handshakes) -> None:
    """The handshake as it went out, its own fields included."""
    forwarded = exchange.forwarded
    if forwarded is None:
        return
    forwarded.scheme = forwarded.scheme.replace("http", "ws")
    if handshakes.sent is not None:
        forwarded.headers = handshakes.sent
