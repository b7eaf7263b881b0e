"""Steps that requests and WebSockets share: letting in, asking the router, making what goes out, noting a failure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ccproxy.auth.base import Credential
from ccproxy.errors import CCProxyError, Overloaded, UpstreamCut, UpstreamError
from ccproxy.exchange import handoff
from ccproxy.exchange.exchange import Exchange, Failure
from ccproxy.exchange.http import Headers, Pair, Snapshot
from ccproxy.exchange.route import Route
from ccproxy.flows.conversation import identify
from ccproxy.gateway import endpoints
from ccproxy.gateway.forward import edit, forward_headers, forwarded_snapshot, set_model
from ccproxy.gateway.runtime import Runtime
from ccproxy.lightllm.body import JsonBody
from ccproxy.providers.base import Field, Provider
from ccproxy.routing.detect import Operation, detect
from ccproxy.routing.resolve import Facts
from ccproxy.routing.sentinel import Presented, presented
from ccproxy.util.address import Address


def admit(runtime: Runtime, exchange: Exchange) -> tuple[Operation, Presented]:
    """Lets the request in, or raises: what it asks for, and with which credentials. The dialect is noted first, so that
    a refusal is in the client's own."""
    request = exchange.request
    operation = detect(request.path, request.query, request.headers)
    exchange.dialect, exchange.operation, exchange.model = operation.dialect, operation.name, operation.model
    credentials = presented(request.headers, request.query)
    exchange.secrets.update(credentials.secrets)
    if exchange.door == "interceptor":
        return operation, credentials  # it was not meant for us: the host is another's, and so is the page that asks
    runtime.guard.check_host(request.headers, request.http_version)
    exchange.client.origin = runtime.guard.check_origin(request.headers)
    if endpoints.is_preflight(request):
        return operation, credentials  # a browser asks without the key whether it may ask with it
    exchange.client.key = runtime.guard.check_key(request.headers, credentials.client_key)
    return operation, credentials


def handed_over(pairs: Iterable[Pair]) -> bool:
    """Whether a request may come from the interceptor: then no path of it is ours to answer."""
    return any(name.lower() == handoff.FIELD for name, _ in pairs)


def take_over(exchange: Exchange, secret: str) -> None:
    """Makes a request that the interceptor hands over what it was: the client's own, on its way to a host of the
    client's choice. The field that says so is taken out, whether it is true or not."""
    said = exchange.request.headers.get(handoff.FIELD) or b""
    note = handoff.take(exchange.request.headers, secret)
    if note is None:
        return
    exchange.door, exchange.handoff = "interceptor", said
    request, client = exchange.request, exchange.client
    request.scheme = note.scheme.replace("http", "ws") if request.scheme == "ws" else note.scheme
    request.host, request.port, request.http_version = note.host, note.port, note.http_version
    client.address, client.port = note.address, note.source_port
    client.run, client.process = note.run, note.process


def facts(
    request: Snapshot,
    operation: Operation,
    credentials: Presented,
    model: str,
    destination: Address | None = None,
) -> Facts:
    """What the router is to decide on. `destination` is that of a request that was caught on its way."""
    return Facts(
        target=request.target,
        path=request.path,
        query=request.query,
        hosts=_hosts(request.headers),
        operation=operation,
        model=model,
        sentinel=credentials.sentinel,
        destination=destination,
    )


def destination(exchange: Exchange) -> Address | None:
    """Where a request that was caught on its way was going; None for one that was meant for us."""
    if exchange.door != "interceptor":
        return None
    request = exchange.request
    return Address(request.scheme.replace("ws", "http"), request.host, request.port, "", b"")


def session_of(exchange: Exchange, content: bytes | None) -> str:
    """The conversation that a request belongs to: what a hook has found, else what its client says, else a digest of how
    it begins; "" where nothing tells."""
    if exchange.session:
        return exchange.session
    headers = exchange.request.headers
    pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
    plain = content if content and b"content-encoding" not in headers else b""
    client = f"{exchange.client.address} {exchange.client.key}"
    return identify(exchange.operation, pairs, plain, client=client).session


def too_many() -> Overloaded:
    """The refusal of a request or WebSocket beyond the most that are served at once."""
    return Overloaded("too many requests at once", hint="the limit is gateway.max_exchanges")


def prepare(
    exchange: Exchange,
    route: Route,
    provider: Provider | None,
    credential: Credential | None,
    content: bytes | None,
    converted: Headers | None = None,
    adapt: Callable[[JsonBody], None] | None = None,
) -> tuple[Headers, bytes | None]:
    """Header fields and body for the upstream. Also notes them on the exchange.

    Args:
        credential: the provider's own, or None if it has none or the client's goes along.
        converted: the header fields of a request that was converted or went through hooks, with its model set; they
            take the place of the client's.
        adapt: changes the body for the provider.

    Raises CredentialError where the credential cannot be sent, BadRequest where the model cannot be set.
    """
    fields: list[Field] | None = None if route.keep_credential else []
    if fields is not None and provider is not None and credential is not None:
        exchange.secrets.add(credential.value)
        exchange.secrets.update(value.decode("latin-1") for _, value in credential.companions)
        fields = provider.credential_fields(credential)
    headers = forward_headers(exchange.request.headers if converted is None else converted, fields)
    if content and route.model and converted is None:
        content = set_model(headers, content, route.model, exchange.request.document)
    if content and adapt is not None:
        content = edit(headers, content, adapt)
    exchange.forwarded = forwarded_snapshot(exchange.request, route, headers, content)
    return headers, content


def note_failure(exchange: Exchange, error: CCProxyError) -> None:
    """Keeps the failure on the exchange and says how it ended."""
    exchange.failure = Failure(error.kind, str(error))
    if isinstance(error, UpstreamError):
        exchange.outcome = "upstream_cut" if isinstance(error, UpstreamCut) else "upstream_error"
    else:
        exchange.outcome = "failed" if error.status == 500 else "refused"


def _hosts(headers: Headers) -> tuple[str, ...]:
    """The host names a client may have meant, without ports, for `match_host`."""
    found = []
    for value in (headers.text(b"host"), headers.text(b"x-forwarded-host")):
        host, _, port = value.rpartition(":")
        found.append(host if host and port.isdigit() else value)
    return tuple(host for host in found if host)
