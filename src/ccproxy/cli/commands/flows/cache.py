"""Who broke the prompt cache: the requests of a conversation, one by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from ccproxy.cli import flowset
from ccproxy.cli.context import CliContext
from ccproxy.errors import CommandError

if TYPE_CHECKING:
    from ccproxy.flows.lookup import FlowReader
    from ccproxy.flows.model import Flow
    from ccproxy.flows.store import Place


@click.command()
@click.argument("name", metavar="[SESSION|ID]", required=False)
@flowset.json_option
@flowset.jq_option
@click.pass_obj
def command(obj: CliContext, name: str | None, as_json: bool, filters: tuple[str, ...]) -> None:
    """Tell who broke the prompt cache, request by request.

    For each request of a conversation: how much of its prompt came from the provider's cache, where it first differs from
    the request before, how many tokens and dollars that cost, and who did it: the client, a hook, the conversion, another
    model, credential or provider, time, or missing breakpoints.

    SESSION is an id of a session or its beginning; ID a flow in it, or "last". Without either the newest session, or the
    set that --jq leaves.
    """
    from ccproxy.flows.cache import blame
    from ccproxy.flows.open import open_reader

    config, path = flowset.store(obj)
    with open_reader(path) as reader:
        if filters:
            ids = flowset.chosen(reader, config, path, named=name, filters=filters)
            title = f"{len(ids):,} flows"
        else:
            title, ids = _conversation(reader, path, name)
        found = blame(_flows(reader, ids))
    if as_json:
        flowset.print_json(found)
        return
    if not found.turns:
        raise CommandError(f"{title}: no request for an answer of a model is among these flows")
    from ccproxy.cli import output
    from ccproxy.flows.cache_page import render

    heading = flowset.bold if output.colour() else str
    click.echo(render(found, title, heading=heading), nl=False)


def _conversation(reader: FlowReader, path: Place, name: str | None) -> tuple[str, list[str]]:
    """What is looked at, in words, and the ids of its flows, the newest last."""
    from ccproxy.flows.query import Query

    sessions = [session for session, _ in reader.facets().sessions]
    if name is None:
        if not sessions:
            raise CommandError("no recorded flow is part of a session") if reader.count() else flowset.nothing(path, ())
        name = sessions[0]
    if not reader.matching(Query(session=name)):
        name = next((session for session in sessions if session.startswith(name)), name)
    query, title = Query(session=name), f"Session {name}"
    if not reader.matching(query):
        flow = reader.get(flowset.resolve(reader, name, path))
        if flow is None or not (flow.session or flow.conversation):
            raise CommandError(f"flow {name} is no part of a conversation")
        query = Query(session=flow.session) if flow.session else Query(conversation=flow.conversation)
        title = f"Session {flow.session}" if flow.session else f"Conversation {flow.conversation}"
    return title, [flow.id for flow in sorted(reader.select(query), key=lambda flow: flow.started)]


def _flows(reader: FlowReader, ids: list[str]) -> Iterator[Flow]:
    """The flows with their bodies, one at a time."""
    for one in ids:
        if (flow := reader.get(one)) is not None:
            yield flow
