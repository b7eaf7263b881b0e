"""The seam between what records flows and what keeps them, and where the store's file is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ccproxy.flows.config import FlowsConfig
from ccproxy.util.paths import state_dir

if TYPE_CHECKING:  # the command line comes here for `store_path` alone
    import asyncio
    from collections.abc import Sequence

    from ccproxy.flows.model import Flow
    from ccproxy.flows.redact import Scrubber


class FlowStore(Protocol):
    """Keeps flows. Never blocks and never raises: a store in trouble drops flows and says so in `problem`."""

    @property
    def problem(self) -> str:
        """Why nothing is recorded at the moment, in one line, or ""."""
        ...

    def put(self, flow: Flow, scrubber: Scrubber) -> asyncio.Future[bool]:
        """`put_all` for one flow."""
        ...

    def put_all(self, flows: Sequence[tuple[Flow, Scrubber]]) -> list[asyncio.Future[bool]]:
        """Takes flows, from the event loop. Each future tells when its flow is on disk (True) or will not be (False).

        A scrubber knows the secrets of the exchange, for the bodies that have to be decompressed to be cleaned.
        """
        ...


#: The path of an SQLite file, or the address of a PostgreSQL database.
Place = Path | str


def store_place(config: FlowsConfig) -> Place:
    """Where flows are kept: the address in `flows.store` if there is one, else the store's file."""
    return config.store or store_path(config)


def shown_place(place: Place) -> str:
    """A place for people: an address without its password."""
    if isinstance(place, Path):
        return str(place)
    from ccproxy.flows.postgres.connect import shown

    return shown(place)


def store_path(config: FlowsConfig) -> Path:
    """The store's file: `flows.path` (relative to the state directory), or `flows.db` in the state directory."""
    return state_dir() / Path(config.path or "flows.db").expanduser()
