"""Opening the flow store, whichever it is: a file, or a database of a team.

A store is named by its *place*: the path of an SQLite file, or the address of a PostgreSQL database. Only what a place needs
is imported.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccproxy.flows.store import Place

if TYPE_CHECKING:
    from ccproxy.flows.lookup import FlowReader
    from ccproxy.flows.writer import Writer


def open_reader(place: Place) -> FlowReader:
    """A view of a store, to be closed after use. A file that does not exist reads as an empty store. Raises StoreError."""
    if isinstance(place, Path):
        from ccproxy.flows.reader import Reader

        return Reader(place)
    from ccproxy.flows.postgres.reader import PostgresReader

    return PostgresReader(place)


def open_store(place: Place, **options: Any) -> Writer:
    """A store to record in, which has to be started and closed.

    Args:
        options: those of `Writer`.
    """
    if isinstance(place, Path):
        from ccproxy.flows.sqlite import SqliteStore

        return SqliteStore(place, **options)
    from ccproxy.flows.postgres.store import PostgresStore

    return PostgresStore(place, **options)


def clear(place: Place, ids: Sequence[str] | None) -> int:
    """Deletes flows, beside running proxies or without, and frees their space.

    Args:
        ids: which flows; None for all.

    Returns how many there were. Raises StoreError.
    """
    if isinstance(place, Path):
        from ccproxy.flows import retention

        return retention.clear(place, ids)
    from ccproxy.flows.postgres import retention as postgres

    return postgres.clear(place, ids)
