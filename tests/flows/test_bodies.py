"""Bodies come back byte for byte, and what is sent again costs next to nothing."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ccproxy.errors import StoreError
from ccproxy.flows.bodies import MAX_CHAIN, MAX_REMEMBERED_BYTES, Packed, Packer, read
from ccproxy.flows.schema import open_for_writing

CLIENT, FORWARDED = range(2)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    opened = open_for_writing(tmp_path / "flows.db")
    yield opened
    opened.close()


@pytest.fixture
def packer() -> Packer:
    return Packer()


def store(connection: sqlite3.Connection, packer: Packer, *bodies: Packed) -> list[int]:
    """Gives ids, as `insert` does, and stores."""
    first = connection.execute("SELECT ifnull(max(id), 0) + 1 FROM body").fetchone()[0]
    for number, body in enumerate(bodies, first):
        body.id = number
    packer.store(connection, bodies)
    return [body.id for body in bodies]


def size(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT ifnull(sum(length(data)), 0) FROM body").fetchone()[0])


def turn(number: int, *, seed: int = 0) -> bytes:
    """The request of a turn: everything before, and 2 KB more."""
    texts = [random.Random(seed * 1000 + n).randbytes(1_000).hex() for n in range(number + 1)]
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": text} for text in texts]}).encode()


contents = st.lists(
    st.binary(max_size=2_000)
    | st.binary(max_size=20).map(lambda part: part * 2_000)
    | st.tuples(st.integers(0, 9), st.integers(0, 2)).map(lambda given: turn(given[0], seed=given[1])),
    max_size=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(contents, max_size=3), legs=st.lists(st.integers(0, 1), min_size=24, max_size=24))
def test_any_bodies_come_back(
    connection: sqlite3.Connection, packer: Packer, batches: list[list[bytes]], legs: list[int]
) -> None:
    expected: dict[int, bytes] = {}
    for batch in batches:
        packed = [packer.pack(content, legs.pop()) for content in batch]
        expected |= dict(zip(store(connection, packer, *packed), batch, strict=True))
    assert {number: read(connection, number) for number in expected} == expected


def test_a_conversation_takes_what_is_new_in_each_turn(connection: sqlite3.Connection, packer: Packer) -> None:
    turns = [turn(number) for number in range(50)]
    ids = [store(connection, packer, packer.pack(content, CLIENT))[0] for content in turns]
    assert [read(connection, number) for number in ids] == turns
    assert size(connection) < 2 * len(turns[-1])


def test_conversations_side_by_side_are_kept_apart(connection: sqlite3.Connection, packer: Packer) -> None:
    turns = [turn(number // 5, seed=number % 5) for number in range(100)]
    ids = store(connection, packer, *(packer.pack(content, CLIENT) for content in turns))
    assert [read(connection, number) for number in ids] == turns
    assert size(connection) < 2 * sum(len(content) for content in turns[-5:])


def test_the_forwarded_body_is_told_by_the_clients(connection: sqlite3.Connection, packer: Packer) -> None:
    content = turn(20)
    changed = content.replace(b'"m"', b'"another"').replace(b'"role": "user"', b'"role": "system"', 1)
    client = packer.pack(content, CLIENT)
    ids = store(connection, packer, client, packer.pack(changed, FORWARDED, client))
    assert [read(connection, number) for number in ids] == [content, changed]
    assert connection.execute("SELECT base, length(data) < 200 FROM body WHERE id = ?", (ids[1],)).fetchone() == (
        ids[0],
        1,
    )


def test_a_chain_is_bounded(connection: sqlite3.Connection, packer: Packer) -> None:
    content = turn(10)
    ids = [
        store(connection, packer, packer.pack(content + b" " * number, CLIENT))[0] for number in range(MAX_CHAIN * 3)
    ]
    assert connection.execute("SELECT count(*) FROM body WHERE base IS NULL").fetchone() == (3,)
    assert read(connection, ids[-1]) == content + b" " * (MAX_CHAIN * 3 - 1)


def test_a_body_whose_base_is_gone_is_stored_whole(connection: sqlite3.Connection, packer: Packer) -> None:
    [first] = store(connection, packer, packer.pack(turn(10), CLIENT))
    packed = packer.pack(turn(11), CLIENT)
    assert packed.encoding.startswith("delta")
    connection.execute("DELETE FROM body WHERE id = ?", (first,))
    [number] = store(connection, packer, packed)
    assert read(connection, number) == turn(11)


def test_an_id_that_means_another_body_now_is_no_base(connection: sqlite3.Connection, packer: Packer) -> None:
    connection.execute("BEGIN")
    [first] = store(connection, packer, packer.pack(turn(10), CLIENT))
    connection.execute("ROLLBACK")
    assert store(connection, Packer(), Packer().pack(turn(10, seed=1), CLIENT)) == [first]
    [number] = store(connection, packer, packer.pack(turn(11), CLIENT))
    assert read(connection, number) == turn(11)


def test_memory_is_bounded(packer: Packer) -> None:
    for number in range(40):
        packer.pack(random.Random(number).randbytes(1_000_000), CLIENT)
    assert packer.remembered_bytes <= MAX_REMEMBERED_BYTES
    packer.pack(bytes(20_000_000), CLIENT)
    assert packer.remembered_bytes <= MAX_REMEMBERED_BYTES


def test_what_compression_does_not_make_smaller_is_stored_raw(connection: sqlite3.Connection, packer: Packer) -> None:
    content = random.Random(1).randbytes(5_000)
    store(connection, packer, packer.pack(content, CLIENT), packer.pack_alone(b"short"))
    assert connection.execute("SELECT DISTINCT encoding FROM body").fetchall() == [("raw",)]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("DELETE FROM body", "is missing"),
        ("DELETE FROM body WHERE base IS NULL", "is missing"),
        ("UPDATE body SET data = x'0102'", "is damaged"),
        ("UPDATE body SET data = x'0102', encoding = 'raw'", "is damaged"),
        ("UPDATE body SET size = size + 1", "is damaged"),
        ("UPDATE body SET crc = crc + 1", "is damaged"),
        ("UPDATE body SET base = id WHERE base IS NOT NULL", "is damaged"),
        ("UPDATE body SET encoding = 'parts'", "unknown encoding 'parts'"),
    ],
)
def test_damage_is_said(connection: sqlite3.Connection, packer: Packer, damage: str, words: str) -> None:
    ids = store(connection, packer, packer.pack(turn(5), CLIENT), packer.pack(turn(6), CLIENT))
    connection.execute(damage)
    with pytest.raises(StoreError, match=words):
        read(connection, ids[1])
