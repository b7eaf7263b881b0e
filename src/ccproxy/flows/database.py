"""The seam between the writer's thread and the database it writes to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ccproxy.flows.config import FlowsConfig
from ccproxy.flows.insert import Outcome
from ccproxy.flows.model import Flow
from ccproxy.flows.rows import Written


class Replaced(Exception):
    """The file of the database is not the one that is open."""


class Session(Protocol):
    """An open database, for one thread. Its methods raise what `Database.failures` names."""

    def begin(self) -> None:
        """Called before the first flows: can it be written?"""
        ...

    def store(self, flows: Sequence[tuple[Flow, Written]]) -> Outcome:
        """Commits flows in one transaction; one whose id is taken, or that cannot be stored, is left out. May raise
        Replaced."""
        ...

    def sweep(self) -> None:
        """Deletes what has no owner."""
        ...

    def maintain(self, config: FlowsConfig, now: float) -> int:
        """Has go what the configuration does not keep. Returns how many flows that were.

        Args:
            now: seconds since the epoch.
        """
        ...

    def let_go(self) -> None:
        """Called after Replaced, before `close`."""
        ...

    def close(self) -> None:
        """Closes it."""
        ...


class Database(Protocol):
    """Where flows are kept."""

    @property
    def failures(self) -> tuple[type[Exception], ...]:
        """What may be expected to go wrong."""
        ...

    def open(self) -> Session:
        """Opens it, and makes it or brings it up to date as needed. Blocks for some seconds at most."""
        ...

    def problem(self, error: Exception) -> str:
        """What a failure means for a person, in one line and without secrets."""
        ...
