"""The group itself; its commands are the other modules of this folder."""

from __future__ import annotations

from pathlib import Path

import click

from ccproxy.cli.lazy import LazyGroup


@click.group(cls=LazyGroup, package=__package__, directory=Path(__file__).parent)
def command() -> None:
    """Look at recorded flows.

    A flow is one request and its answer. `ccproxy flows list` names the newest ones, `ccproxy flows show ID` tells all
    about one.
    """
