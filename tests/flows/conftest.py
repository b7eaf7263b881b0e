"""Stores of each kind, for the tests that hold for all of them."""

from __future__ import annotations

import asyncio
import os
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from ccproxy.flows import retention
from ccproxy.flows.lookup import FlowReader
from ccproxy.flows.postgres import retention as postgres_retention
from ccproxy.flows.postgres.reader import PostgresReader
from ccproxy.flows.postgres.store import PostgresStore
from ccproxy.flows.reader import Reader

from .server import Server, missing
from .support import Watched


class Kind(ABC):
    """A store of one kind, which may be opened several times."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.opened: list[Watched] = []

    @abstractmethod
    def watched(self, **options: Any) -> Watched:
        """Starts recording."""

    @abstractmethod
    def reader(self) -> FlowReader:
        """Looks into it."""

    @abstractmethod
    def clear(self, ids: list[str] | None) -> int:
        """Deletes flows."""


class Sqlite(Kind):
    def watched(self, **options: Any) -> Watched:
        self.opened.append(Watched(self.directory / "flows.db", **options))
        return self.opened[-1]

    def reader(self) -> FlowReader:
        return Reader(self.directory / "flows.db")

    def clear(self, ids: list[str] | None) -> int:
        return retention.clear(self.directory / "flows.db", ids)


class Postgres(Kind):
    def __init__(self, directory: Path, url: str) -> None:
        super().__init__(directory)
        self.url = url

    def watched(self, **options: Any) -> Watched:
        journal = self.directory / f"journal-{len(self.opened)}"

        def make(_: Path, *, busy_seconds: float, **rest: Any) -> PostgresStore:
            return PostgresStore(self.url, path=journal, **rest)

        self.opened.append(Watched(journal, make=make, **options))
        return self.opened[-1]

    def reader(self) -> FlowReader:
        return PostgresReader(self.url)

    def clear(self, ids: list[str] | None) -> int:
        return postgres_retention.clear(self.url, ids)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL server, or the reason why there is none."""
    if reason := missing():
        if os.environ.get("POSTGRES_TESTS") == "required":
            pytest.fail(reason)
        pytest.skip(reason)
    with Server() as server:
        yield server


@pytest.fixture
async def postgres(server: Server, tmp_path: Path) -> AsyncIterator[Postgres]:
    """A store in a database of its own."""
    kind = Postgres(tmp_path, server.database())
    yield kind
    for watched in kind.opened:
        await asyncio.to_thread(watched.store.close)


@pytest.fixture(params=["sqlite", "postgres"])
async def kind(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Kind]:
    """A store of each kind."""
    kind = (
        Sqlite(tmp_path)
        if request.param == "sqlite"
        else Postgres(tmp_path, request.getfixturevalue("server").database())
    )
    yield kind
    for watched in kind.opened:
        await asyncio.to_thread(watched.store.close)
