"""A Python prompt over recorded flows."""

from __future__ import annotations

import code
import importlib
import sys
from typing import TYPE_CHECKING, Any

import click

from ccproxy.cli import flowset
from ccproxy.cli.context import CliContext

if TYPE_CHECKING:
    from ccproxy.flows.lookup import FlowReader
    from ccproxy.flows.model import Flow

_HELP = """\
flows                         {count}, the newest last; flows[-1], flows["3f2a"], flows[-5:]
flows.select("word", model=…) those that meet conditions: text, model, provider, session, status, tool, since, …
flows.jq("map(select(…))")    what a jq filter leaves
flows.stats("provider"), flows.blame()
show(flow), compare(flow), diff(flow, other), body(flow.request), as_json(flow), cache(flows)
"""


@click.command()
@flowset.jq_option
@click.pass_obj
def command(obj: CliContext, filters: tuple[str, ...]) -> None:
    """A Python prompt over recorded flows.

    `flows` is the set that `flows.default_jq_filters` and --jq leave; `show`, `compare`, `diff`, `body`, `as_json` and `cache`
    look at them. IPython is used where it is installed. What is piped in is run as if it were typed:

        echo 'flows[-1].usage' | ccproxy flows repl
    """
    from ccproxy.flows.open import open_reader
    from ccproxy.flows.sequence import Flows

    config, path = flowset.store(obj)
    filters = (*config.default_jq_filters, *filters)
    with open_reader(path) as reader:
        flows = Flows(reader)
        if filters:
            ids = [flowset.flow_id(item) for item in flowset.select(reader, filters, 0)]
            flows = Flows(reader, ids=ids)
        names = _names(reader, flows)
        if not sys.stdin.isatty():
            sys.exit(_run_piped(names))
        _prompt(names, _HELP.format(count=f"{len(flows):,} flows"))


def _names(reader: FlowReader, flows: Any) -> dict[str, Any]:
    """What is at hand at the prompt."""
    from ccproxy.cli import output
    from ccproxy.flows import cache_page, page, sequence
    from ccproxy.flows import compare as comparing
    from ccproxy.flows.text import printable
    from ccproxy.flows.views import flow_json_with_bodies

    heading = flowset.bold if output.colour() else str

    def show(flow: Flow) -> None:
        """Prints one flow whole, as `flows show` does."""
        click.echo(page.render(flow, now=flowset.now(), heading=heading), nl=False)

    def compare(flow: Flow) -> None:
        """Prints what ccproxy changed in a request, and what caused it."""
        found = comparing.compare(flow)
        click.echo(comparing.render(found, heading=heading) if found else "nothing of this went to a provider")

    def diff(old: Flow, new: Flow) -> None:
        """Prints the difference of two forwarded requests."""
        click.echo(printable(sequence.diff(old, new)))

    def as_json(flow: Flow) -> dict[str, Any]:
        """The flow as `flows show --json` prints it."""
        return flow_json_with_bodies(flow)

    def cache(some: Any = flows) -> None:
        """Prints who broke the prompt cache."""
        click.echo(cache_page.render(some.blame(), repr(some), heading=heading), nl=False)

    names = {"flows": flows, "reader": reader, "body": sequence.body}
    return names | {each.__name__: each for each in (show, compare, diff, as_json, cache)}


class _Console(code.InteractiveConsole):
    """Notes whether anything went wrong."""

    failed = False

    def showtraceback(self) -> None:
        self.failed = True
        super().showtraceback()

    def showsyntaxerror(self, filename: str | None = None, **options: Any) -> None:
        self.failed = True
        super().showsyntaxerror(filename, **options)


def _run_piped(names: dict[str, Any]) -> int:
    """Runs what is piped in, line by line, as if it were typed. Returns the exit code."""
    console = _Console(names, filename="<stdin>")
    for line in sys.stdin:
        console.push(line.rstrip("\n"))
    console.push("")
    return 1 if console.failed else 0


def _prompt(names: dict[str, Any], banner: str) -> None:
    try:
        ipython = importlib.import_module("IPython")
    except ImportError:
        pass
    else:
        click.echo(banner, err=True)
        ipython.start_ipython(argv=["--no-banner"], user_ns=names)
        return
    try:
        import readline
        import rlcompleter
    except ImportError:  # a Python without readline has no history and no completion
        pass
    else:
        readline.set_completer(rlcompleter.Completer(names).complete)
        readline.parse_and_bind("tab: complete")
    _Console(names).interact(banner=banner, exitmsg="")
