"""A store is found by its place, and only what a place needs is imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ccproxy.flows.config import FlowsConfig
from ccproxy.flows.open import clear, open_reader, open_store
from ccproxy.flows.postgres.reader import PostgresReader
from ccproxy.flows.postgres.store import PostgresStore
from ccproxy.flows.reader import Reader
from ccproxy.flows.sqlite import SqliteStore
from ccproxy.flows.store import shown_place, store_place

from .conftest import Postgres
from .support import KEEP_ALL, Watched, at, make_flow


async def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "flows.db"
    assert isinstance(open_store(path, clock=at(0), config=KEEP_ALL), SqliteStore)
    watched = Watched(path)
    await watched.put(make_flow(1))
    with open_reader(path) as reader:
        assert isinstance(reader, Reader)
        assert reader.count() == 1
    assert clear(path, None) == 1
    watched.store.close()


async def test_a_database(postgres: Postgres) -> None:
    assert isinstance(open_store(postgres.url, clock=at(0), config=KEEP_ALL), PostgresStore)
    await postgres.watched().put(make_flow(1))
    with open_reader(postgres.url) as reader:
        assert isinstance(reader, PostgresReader)
        assert reader.count() == 1
    assert clear(postgres.url, None) == 1


def test_where_flows_are(tmp_path: Path) -> None:
    assert store_place(FlowsConfig(path=str(tmp_path / "x.db"))) == tmp_path / "x.db"
    place = store_place(FlowsConfig(path="x.db", store="postgresql://me:word@h/flows"))
    assert place == "postgresql://me:word@h/flows"
    assert shown_place(place) == "postgresql://me@h/flows"
    assert shown_place(tmp_path) == str(tmp_path)


def test_a_file_needs_no_driver(tmp_path: Path) -> None:
    script = f"""
import sys
from pathlib import Path
from ccproxy.flows.open import open_reader
open_reader(Path({str(tmp_path / "flows.db")!r})).close()
assert not [name for name in sys.modules if "psycopg" in name or "postgres" in name]
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_a_driver_that_is_missing_is_said() -> None:
    script = """
import sys
sys.modules["psycopg"] = None
from ccproxy.errors import StoreError
from ccproxy.flows.open import open_reader
try:
    open_reader("postgresql://h/x")
except StoreError as error:
    assert "psycopg is missing" in str(error) and "ai-ccproxy[postgres]" in str(error), error
else:
    raise AssertionError
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
