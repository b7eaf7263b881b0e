"""Look at recorded flows: list, show, compare, clear.

One module for each command. What they share, how a set of flows is chosen above all, is `ccproxy.cli.flowset`.
"""

from __future__ import annotations

from pathlib import Path

import click

from ccproxy.cli.lazy import LazyGroup


@click.group(cls=LazyGroup, package=__name__, directory=Path(__file__).parent)
def command() -> None:
    """Look at recorded flows.

    A flow is one request and its answer. `ccproxy flows list` names the newest ones, `ccproxy flows show ID` tells all
    about one.
    """
