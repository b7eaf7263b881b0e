"""Write flows for other tools: mitmproxy, curl, HAR, JSON lines."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from ccproxy.cli import flowset
from ccproxy.cli.context import CliContext
from ccproxy.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ccproxy.flows.model import Flow


@click.command()
@click.argument("flow_id", metavar="[ID]", required=False)
@click.option("--mflow", metavar="FILE", help="Write mitmproxy's format, for `mitmweb -r FILE`.")
@click.option("--har", metavar="FILE", help="Write HAR 1.2, as `flows dump` does.")
@click.option("--jsonl", metavar="FILE", help="Write a line of JSON per flow, bodies included.")
@click.option("--curl", is_flag=True, help="Print the command line that sends the request of flow ID again.")
@flowset.jq_option
@click.option("-n", "number", metavar="N", type=click.IntRange(min=0), default=0, help="Only the N newest; 0 for all.")
@click.option("--client", is_flag=True, help="With --mflow and --curl: what the client sent, not what was forwarded.")
@flowset.secrets_option
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
@click.pass_obj
def command(
    obj: CliContext,
    flow_id: str | None,
    mflow: str | None,
    har: str | None,
    jsonl: str | None,
    curl: bool,
    filters: tuple[str, ...],
    number: int,
    client: bool,
    with_secrets: bool,
    as_json: bool,
) -> None:
    """Write flows for other tools.

    ID may be the beginning of an id, or "last"; without it, the set that the filters leave. FILE may be - for stdout.
    In the command line for curl a variable of the shell stands for each secret.

    What looks like a secret is overwritten, in bodies too, unless --with-secrets is given.
    """
    from ccproxy.flows.open import open_reader

    formats = [(name, file) for name, file in (("mflow", mflow), ("har", har), ("jsonl", jsonl)) if file is not None]
    if len(formats) + curl != 1:
        raise click.UsageError("say what to write: one of --mflow FILE, --har FILE, --jsonl FILE, --curl")
    if curl and (flow_id is None or filters):
        raise click.UsageError('--curl needs an ID ("last" for the newest flow) and no filter')
    config, path = flowset.store(obj)
    with open_reader(path) as reader:
        ids = flowset.chosen(reader, config, path, named=flow_id, filters=filters, number=number)
        flowset.say_what_secrets_are(with_secrets)
        counted = _Counted(flowset.whole(reader, ids, with_secrets=with_secrets))
        if curl:
            _print_curl(next(iter(counted), None), client=client, as_json=as_json)
            return
        [(kind, name)] = formats
        with _file(name) as file:
            for piece in _pieces(kind, counted, client=client):
                file.write(piece)
    _report(kind, name, counted, as_json=as_json)


class _Counted:
    """Flows, of which a format may leave some out."""

    def __init__(self, flows: Iterable[Flow]) -> None:
        self._flows = flows
        self.written = self.left_out = 0

    def __iter__(self) -> Iterator[Flow]:
        for flow in self._flows:
            self.written += 1
            yield flow

    def http(self) -> Iterator[Flow]:
        """Only those that HAR can hold."""
        from ccproxy.flows.har import is_http

        for flow in self._flows:
            if is_http(flow):
                self.written += 1
                yield flow
            else:
                self.left_out += 1


def _pieces(kind: str, flows: _Counted, *, client: bool) -> Iterator[bytes]:
    match kind:
        case "mflow":
            from ccproxy.flows import mflow

            yield from (mflow.dumps(flow, client=client) for flow in flows)
        case "har":
            from ccproxy.flows import har

            yield from har.write(flows.http())
        case _:
            import msgspec

            from ccproxy.flows.views import flow_json_with_bodies

            yield from (msgspec.json.encode(flow_json_with_bodies(flow)) + b"\n" for flow in flows)


def _print_curl(flow: Flow | None, *, client: bool, as_json: bool) -> None:
    from ccproxy.flows import curl
    from ccproxy.flows.text import printable

    if flow is None:
        raise CommandError("the flow is gone", hint="retention or `flows clear` has just removed it")
    line = printable(curl.command(flow, client=client))
    if as_json:
        flowset.print_json({"id": flow.id, "curl": line})
    else:
        click.echo(line)


@contextmanager
def _file(name: str) -> Iterator[BinaryIO]:
    """The file to write, private to its owner, in place only when it is whole; stdout for `-`."""
    if name == "-":
        yield sys.stdout.buffer
        return
    target = Path(name).resolve()
    if target.exists() and not target.is_file():  # a pipe or device
        with target.open("wb") as file:
            yield file
        return
    handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _report(kind: str, name: str, counted: _Counted, *, as_json: bool) -> None:
    from ccproxy.cli import output
    from ccproxy.flows.text import count

    if as_json and name != "-":
        flowset.print_json({"format": kind, "file": name, "flows": counted.written, "left_out": counted.left_out})
    elif name != "-":
        click.echo(f"Wrote {count(counted.written, 'flow')} to {output.tilde(name)}.")
    if counted.left_out:
        output.note(f"{count(counted.left_out, 'flow')} left out that HAR cannot hold: bare TCP or UDP")
