"""Send a recorded request again, and show both answers."""

from __future__ import annotations

import http.client
import time
from typing import TYPE_CHECKING

import click

from ccproxy.cli import flowset, output, target
from ccproxy.cli.context import CliContext
from ccproxy.errors import CommandError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ccproxy.flows.model import Flow
    from ccproxy.flows.replay import Order
    from ccproxy.flows.store import Place
    from ccproxy.providers.config import ProviderConfig

_LONGEST_ANSWER = 900.0
_PATIENCE, _LOOK_EVERY = 5.0, 0.05


@click.command()
@click.argument("flow_id", metavar="[ID]", required=False)
@click.option(
    "--provider", metavar="NAME", help="The provider to ask; its own credential is used. Default: the flow's."
)
@click.option("--model", metavar="NAME", help="The model to ask for. Default: the one that the client asked for.")
@click.option("--port", type=int, help="The port of the proxy, if several run.")
@flowset.json_option
@flowset.jq_option
@click.pass_obj
def command(
    obj: CliContext,
    flow_id: str | None,
    provider: str | None,
    model: str | None,
    port: int | None,
    as_json: bool,
    filters: tuple[str, ...],
) -> None:
    """Send a recorded request again, and show both answers.

    What the client sent goes to the running proxy once more, with the credential of the provider in place of the client's;
    rules, hooks and conversion do their work anew. It is a real request, and costs what it costs. The new flow has the
    header x-ccproxy-replay, with the id of the one it repeats.

    ID may be the beginning of an id, or "last"; with --jq it is the newest of the set that the filters leave.
    """
    from ccproxy.flows import replay
    from ccproxy.flows.open import open_reader

    if flow_id is None and not filters:
        raise click.UsageError("say which flow: its ID, or --jq")
    config, path = flowset.store(obj)
    with open_reader(path) as reader:
        [chosen] = flowset.chosen(reader, config, path, named=flow_id, filters=filters, number=1)
        recorded = reader.get(chosen)
    if recorded is None:
        raise CommandError(f"flow {chosen} is gone", hint="retention or `flows clear` has just removed it")
    settings = obj.load().settings
    name = provider or _provider_of(recorded, settings.providers)
    if name not in settings.providers:
        known = ", ".join(settings.providers) or "none"
        raise CommandError(f"provider {name!r} is not configured", hint=f"there are: {known}")
    key = next(iter(settings.gateway.client_keys.values()), "")
    order = replay.order(recorded, name, model=model or "", client_key=key)
    found = target.find(obj, port)
    health = target.ask(found)
    if not health.up:
        raise CommandError(f"the proxy is down, nothing was sent: {health.problem}", hint="`ccproxy start --detach`")
    output.note(f"sending {order.words}, through {found.url}")
    new = _wait(path, _send(found, order))
    if new.provider != name:
        output.note(f"{new.reason} sent it to {new.provider or 'nobody'} instead of {name}")
    if as_json:
        flowset.print_json(replay.document(recorded, new))
        return
    heading = flowset.bold if output.colour() else str
    click.echo(replay.render(recorded, new, heading=heading), nl=False)


def _provider_of(flow: Flow, configured: Mapping[str, ProviderConfig]) -> str:
    """The provider to ask: the flow's; for one that went out with the client's own key, one with the same host."""
    if flow.provider:
        return flow.provider
    from ccproxy.providers.registry import build_provider

    host = flow.forwarded.host if flow.forwarded is not None else ""
    for name, config in configured.items():
        try:
            if host and build_provider(name, config, None).host == host:
                return name
        except ConfigError:
            continue
    raise CommandError(
        f"flow {flow.id} went out with the client's own key, which is not recorded",
        hint=f"say whom to ask with --provider: {', '.join(configured) or 'none is configured'}",
    )


def _send(found: target.Target, order: Order) -> str:
    """Sends the request and reads the answer to its end. Returns the id of its flow."""
    connection = http.client.HTTPConnection(found.host, found.port, timeout=_LONGEST_ANSWER)
    try:
        connection.putrequest(order.method, order.target, skip_accept_encoding=True)
        for field, value in order.headers:
            connection.putheader(field, value.encode("latin-1", "replace"))
        connection.putheader("content-length", str(len(order.body)))
        connection.endheaders(order.body)
        answer = connection.getresponse()
        flow = answer.headers.get("x-ccproxy-flow", "")
        while answer.read(65_536):
            pass
    except (OSError, http.client.HTTPException) as error:
        raise CommandError(f"the answer did not come: {error or type(error).__name__}") from error
    finally:
        connection.close()
    if not flow:
        raise CommandError(f"the proxy answered {answer.status} and recorded no flow", hint="see `ccproxy logs`")
    return flow


def _wait(path: Place, flow_id: str) -> Flow:
    """The flow, which is in the store a moment after the answer."""
    from ccproxy.flows.open import open_reader

    end = time.monotonic() + _PATIENCE
    while True:
        with open_reader(path) as reader:
            if (flow := reader.get(flow_id)) is not None:
                return flow
        if time.monotonic() > end:
            raise CommandError(
                f"flow {flow_id} is not in the store", hint="flows.enabled has to be on for a comparison"
            )
        time.sleep(_LOOK_EVERY)
