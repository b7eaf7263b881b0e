"""What the `flows` commands share: choosing a set of flows, naming one, printing.

Reads the store directly, whether the proxy runs or not. A set of flows is what is left of all of them after
`flows.default_jq_filters` and then every `--jq`; each filter takes a JSON array and gives one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import batched
from typing import TYPE_CHECKING, Any

import click

from ccproxy.cli.context import CliContext
from ccproxy.errors import CommandError

if TYPE_CHECKING:
    from ccproxy.flows.config import FlowsConfig
    from ccproxy.flows.lookup import FlowReader
    from ccproxy.flows.model import Flow
    from ccproxy.flows.store import Place

#: Rows shown on a terminal unless -n says otherwise.
DEFAULT_ROWS = 50
#: What is printed at once.
_TOGETHER = 100

jq_option = click.option(
    "--jq",
    "filters",
    metavar="FILTER",
    multiple=True,
    help="A jq filter from array to array; may be given several times, applied in order.",
)
secrets_option = click.option(
    "--with-secrets",
    is_flag=True,
    help="Bodies as they are stored, with the keys that stand in prompts and answers. Credentials are never stored.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def store(obj: CliContext) -> tuple[FlowsConfig, Place]:
    """The configuration of the flows, and where they are."""
    from ccproxy.flows.store import store_place

    config = obj.load().settings.flows
    return config, store_place(config)


def select(reader: FlowReader, filters: Sequence[str], limit: int, run: str | None = None) -> list[Any]:
    """The set of flows as JSON values, the newest last. `run` is the id of a run, or its beginning."""
    from ccproxy.flows.filters import apply
    from ccproxy.flows.query import Query
    from ccproxy.flows.views import flow_json

    return apply(filters, [flow_json(flow) for flow in reader.summaries(limit, Query(run=run or ""))])


def chosen(
    reader: FlowReader, config: FlowsConfig, path: Place, *, named: str | None, filters: Sequence[str], number: int = 0
) -> list[str]:
    """The ids of a set, the newest last: the flow `named`, or what the filters leave, `number` of the newest if that is
    not 0. Raises CommandError if there is none, or if both are given."""
    if named is not None and filters:
        raise click.UsageError("ID and --jq exclude each other")
    if named is not None:
        return [resolve(reader, named, path)]
    filters = (*config.default_jq_filters, *filters)
    if filters:
        ids = [flow_id(item) for item in select(reader, filters, 0)]
    else:
        ids = [flow.id for flow in reader.summaries(number)]
    if not ids:
        raise nothing(path, filters)
    return ids[-number:] if number else ids


def whole(reader: FlowReader, ids: Iterable[str], *, with_secrets: bool) -> Iterator[Flow]:
    """Flows with their bodies, one after the other, without what looks like a secret unless that is wanted. One that is
    deleted meanwhile is left out."""
    from ccproxy.flows.sanitise import sanitised

    for one in ids:
        if (flow := reader.get(one)) is not None:
            yield flow if with_secrets else sanitised(flow)


def say_what_secrets_are(with_secrets: bool) -> None:
    """Says on stderr what `--with-secrets` can do and what it cannot."""
    if with_secrets:
        from ccproxy.cli import output

        output.note(
            "bodies are as they are stored, with the keys in prompts and answers; the credentials of requests are masked "
            "before anything is stored, so they are not in the store and not in this"
        )


def resolve(reader: FlowReader, text: str, path: Place) -> str:
    """The id of the flow that `text` names: an id, the beginning of one, or "last". Raises CommandError."""
    if text == "last":
        if (last := reader.last()) is None:
            raise nothing(path, ())
        return last
    found = reader.find(text, limit=6) if text else []
    if not found:
        raise CommandError(f"there is no flow {text!r}", hint="`ccproxy flows list` names the recorded ones")
    if len(found) > 1 and text not in found:
        more = " and more" if len(found) > 5 else ""
        raise CommandError(f"several flows begin with {text!r}: {', '.join(found[:5])}{more}", hint="give more digits")
    return text if text in found else found[0]


def flow_id(item: Any) -> str:
    """The id of a flow that went through filters. Raises CommandError if they took it away."""
    if isinstance(item, dict) and isinstance(item.get("id"), str):
        return str(item["id"])
    raise CommandError("the filters leave something without an id, so nothing was done")


def nothing(path: Place, filters: Sequence[str]) -> CommandError:
    """The error of a set without flows."""
    from ccproxy.cli.output import tilde
    from ccproxy.flows.store import shown_place

    if filters:
        return CommandError("the filters leave no flow")
    return CommandError(
        f"no flows are recorded in {tilde(shown_place(path))}",
        hint="they come with the first request through the proxy: `ccproxy start`, then `ccproxy run -- CMD`",
    )


def print_json(value: Any) -> None:
    """Prints indented JSON that cannot drive a terminal."""
    import msgspec

    from ccproxy.flows.text import printable_json

    click.echo(printable_json(msgspec.json.format(msgspec.json.encode(value), indent=2).decode()))


def print_json_items(items: Iterable[Any]) -> None:
    """Prints an array as `print_json` does, as its items come."""
    import msgspec

    from ccproxy.flows.text import printable_json

    between = "["
    for some in batched(items, _TOGETHER, strict=False):
        text = msgspec.json.format(msgspec.json.encode(some), indent=2).decode()
        click.echo(between + printable_json(text)[1:-2], nl=False)
        between = ","
    click.echo("[]" if between == "[" else "\n]")


def print_lines(lines: Iterable[str]) -> None:
    """Prints lines as they come."""
    for some in batched(lines, _TOGETHER, strict=False):
        click.echo("".join(some), nl=False)


def bold(text: str) -> str:
    """A heading on a terminal."""
    return click.style(text, bold=True)


def now() -> float:
    """Seconds since the epoch."""
    from ccproxy.util.clock import SystemClock

    return SystemClock().wall()
