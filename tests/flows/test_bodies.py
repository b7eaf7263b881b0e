"""Bodies come back byte for byte, and equal ones are kept once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ccproxy.errors import StoreError
from ccproxy.flows.bodies import Packer, read
from ccproxy.flows.schema import open_for_writing


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    opened = open_for_writing(tmp_path / "flows.db")
    yield opened
    opened.close()


@pytest.fixture
def packer() -> Packer:
    return Packer()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=2_000) | st.binary(max_size=20).map(lambda part: part * 2_000), max_size=5))
def test_any_bodies_come_back(connection: sqlite3.Connection, packer: Packer, contents: list[bytes]) -> None:
    packed = [packer.pack(connection, content) for content in contents]
    packer.store(connection, packed)
    assert [read(connection, body.hash) for body in packed] == contents


def test_equal_bodies_are_kept_once(connection: sqlite3.Connection, packer: Packer) -> None:
    content = b"the same " * 10_000
    packer.store(connection, [packer.pack(connection, content), packer.pack(connection, bytes(bytearray(content)))])
    again = packer.pack(connection, content)
    assert again.data is None, "a large body that is there is not compressed again"
    packer.store(connection, [again])
    rows = connection.execute("SELECT encoding, size, length(data) FROM body").fetchall()
    assert [(encoding, size) for encoding, size, _ in rows] == [("zstd", len(content))]
    assert rows[0][2] < len(content) / 100


def test_a_body_that_went_between_packing_and_storing_is_stored_again(
    connection: sqlite3.Connection, packer: Packer
) -> None:
    content = b"x" * 100_000
    packer.store(connection, [packer.pack(connection, content)])
    packed = packer.pack(connection, content)
    connection.execute("DELETE FROM body")
    packer.store(connection, [packed])
    assert read(connection, packed.hash) == content


def test_what_compression_does_not_make_smaller_is_stored_raw(connection: sqlite3.Connection, packer: Packer) -> None:
    import random

    content = random.Random(1).randbytes(5_000)
    packer.store(connection, [packer.pack(connection, content), packer.pack(connection, b"short")])
    assert connection.execute("SELECT DISTINCT encoding FROM body").fetchall() == [("raw",)]


def test_no_body(connection: sqlite3.Connection) -> None:
    assert read(connection, None) == b""


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("DELETE FROM body", "is missing"),
        ("UPDATE body SET data = x'0102'", "is damaged"),
        ("UPDATE body SET size = size + 1, encoding = 'raw'", "is damaged"),
        ("UPDATE body SET encoding = 'parts'", "unknown encoding 'parts'"),
    ],
)
def test_damage_is_said(connection: sqlite3.Connection, packer: Packer, damage: str, words: str) -> None:
    packed = packer.pack(connection, b"content " * 1_000)
    packer.store(connection, [packed])
    connection.execute(damage)
    with pytest.raises(StoreError, match=words):
        read(connection, packed.hash)
