"""A store of an earlier version keeps everything that was recorded."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard

from ccproxy.errors import StoreError
from ccproxy.flows import retention, schema
from ccproxy.flows.model import WebSocketMessage
from ccproxy.flows.query import Query
from ccproxy.flows.reader import Reader

ROW = "INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
LARGE = random.Random(1).randbytes(5_000).hex().encode()
OWN, SAME, SPLICED = range(3)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "flows.db"


class Old:
    """A store of an earlier version."""

    def __init__(self, path: Path, version: int = 5) -> None:
        self.connection = schema.open_for_writing(path, migrations=schema.MIGRATIONS[:version])
        self._columns = [row[1] for row in self.connection.execute("PRAGMA table_info(flow)")]

    def flow(self, seq: int) -> None:
        facts: dict[str, Any] = {name: f"{name} {seq}" for name in self._columns}
        facts |= dict.fromkeys((n for n in self._columns if n.endswith("_tokens")), 3)
        facts |= {"seq": seq, "id": f"id{seq}", "started": 1.7e9 + 0.123456, "duration": 1.5, "ttfb": None}
        facts |= {"client_port": 7, "streaming": 1}
        if "losses" in facts:
            facts["losses"] = '[{"path":"p","kind":"dropped"}]'
        if "story" in facts:
            facts["story"] = '[{"provider":"one"}]'
        self.connection.execute(
            f"INSERT INTO flow VALUES ({', '.join('?' * len(facts))})", [facts[n] for n in self._columns]
        )

    def request(self, seq: int, role: str, body: bytes | None, content: bytes | None, likeness: int = OWN) -> None:
        head = (seq, role, "POST", "https", "h", 443, "/t", None, None, "2", '[["a","é\\"b"]]', 1.7e9 + 0.123456, 0.0)
        self.connection.execute(ROW, (*head, 9, None, 1, 0, body, content, likeness))

    def response(self, seq: int, body: bytes | None, content: bytes | None, role: str = "response") -> None:
        head = (seq, role, None, None, None, None, None, 200, "OK", "1.1", "[]", 1.7e9, 1.7e9 + 1)
        self.connection.execute(ROW, (*head, 9, None, 0, 1, body, content, OWN))

    def websocket(self, seq: int, messages: list[tuple[bool, bool, bytes, int, float]]) -> None:
        head = (seq, "websocket", None, None, None, None, None, None, None, None, None, 1.7e9, 1.7e9 + 2)
        self.connection.execute(ROW, (*head, 5, 1, 0, 0, None, msgspec.msgpack.encode(messages), OWN))

    def body(self, name: int, content: bytes, encoding: str = "zstd") -> bytes:
        digest = bytes([name]) * 20
        data = zstandard.ZstdCompressor().compress(content) if encoding == "zstd" else content
        self.connection.execute("INSERT INTO body VALUES (?, ?, ?, ?)", (digest, encoding, len(content), data))
        return digest


@pytest.mark.parametrize("version", [2, 3, 4, 5])
def test_everything_is_there_after_the_migration(path: Path, version: int) -> None:
    old = Old(path, version)
    large, answer = old.body(1, LARGE), old.body(2, LARGE * 2, "raw")
    for seq in range(1, 6):
        old.flow(seq)
    old.request(1, "request", None, b"small")
    old.request(1, "forwarded", None, None, SAME)
    old.response(1, None, b"answer")
    old.request(2, "request", large, None)
    old.request(2, "forwarded", None, (10).to_bytes(8) + (20).to_bytes(8) + b"new", SPLICED)
    old.response(2, answer, None)
    if version > 2:
        old.response(2, None, b"converted", "answer")
    old.request(3, "request", large, None)
    old.request(3, "forwarded", None, None, SAME)
    old.request(4, "request", None, b"0123456789")
    old.request(4, "forwarded", None, (2).to_bytes(8) + (3).to_bytes(8) + b"new", SPLICED)
    old.request(5, "request", None, None)
    old.websocket(5, [(True, True, b"hello", 5, 1.5)])
    old.connection.close()

    connection = schema.open_for_writing(path)
    assert schema.version(connection) == len(schema.MIGRATIONS)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    with Reader(path) as reader:
        first, second, third, fourth, fifth = (reader.get(f"id{seq}") for seq in range(1, 6))
    assert first and second and third and fourth and fifth
    assert (first.request.body, first.response and first.response.body) == (b"small", b"answer")
    assert first.forwarded and first.forwarded.body is first.request.body
    assert first.request.headers == [("a", 'é"b')]
    assert (first.request.http_version, first.request.truncated, first.request.redacted) == ("2", True, False)
    assert (first.request.size, first.request.timestamp_start, first.started) == (9, 1.7e9 + 0.123456, 1.7e9 + 0.123456)
    assert (first.request.method, first.request.url) == ("POST", "https://h/t")
    assert first.response and (first.response.status, first.response.reason, first.response.redacted) == (
        200,
        "OK",
        True,
    )
    assert (first.model, first.reason, first.streaming, first.ttfb) == ("model 1", "reason 1", True, None)
    assert first.usage and first.usage.cache_read == 3
    assert second.request.body == LARGE
    assert second.forwarded and second.forwarded.body == LARGE[:10] + b"new" + LARGE[-20:]
    assert second.response and second.response.body == LARGE * 2
    assert not second.losses if version == 2 else [loss.path for loss in second.losses] == ["p"]
    assert [step.provider for step in second.story] == (["one"] if version >= 4 else [])
    assert (second.run, second.process) == (("run 2", "process 2") if version == 5 else ("", ""))
    assert version == 2 or (second.answer and second.answer.body == b"converted")
    assert third.request.body == LARGE
    assert third.forwarded and third.forwarded.body == LARGE
    assert fourth.forwarded and fourth.forwarded.body == b"01new789"
    assert fifth.websocket and fifth.websocket.messages == [WebSocketMessage(True, True, b"hello", 5, 1.5)]
    assert (fifth.websocket.count, fifth.websocket.size, fifth.websocket.last) == (1, 5, 1.7e9 + 2)


def test_old_bodies_go_with_the_last_flow_that_has_them(path: Path) -> None:
    old = Old(path)
    large = old.body(1, LARGE)
    for seq in (1, 2):
        old.flow(seq)
        old.request(seq, "request", large, None)
    old.connection.close()
    connection = schema.open_for_writing(path)

    def left() -> list[int]:
        return [connection.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in ("wire", "body", "old_body")]

    assert left() == [2, 2, 1]
    retention.delete_by_id(connection, ["id1"])
    assert left() == [1, 1, 1]
    retention.delete_by_id(connection, ["id2"])
    assert left() == [0, 0, 0]
    connection.close()


def test_damage_in_an_old_body_is_said(path: Path) -> None:
    old = Old(path)
    old.flow(1)
    old.request(1, "request", old.body(1, LARGE), None)
    old.connection.close()
    connection = schema.open_for_writing(path)
    connection.execute("UPDATE old_body SET data = x'00'")
    with Reader(path) as reader, pytest.raises(StoreError, match="damaged"):
        reader.get("id1")
    connection.execute("DELETE FROM old_body")
    with Reader(path) as reader, pytest.raises(StoreError, match="missing"):
        reader.get("id1")
    connection.close()


def test_a_migration_that_fails_leaves_the_store_as_it_was(path: Path) -> None:
    old = Old(path)
    old.flow(1)
    old.request(1, "request", None, b"small")
    old.connection.execute("UPDATE message SET headers = 'no json'")
    old.connection.close()
    with pytest.raises(StoreError, match="flow 1"):
        schema.open_for_writing(path)
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (5,)
    assert connection.execute("SELECT count(*) FROM message").fetchone() == (1,)
    connection.close()


def test_flows_of_version_6_get_their_status_and_the_rest_is_empty(path: Path) -> None:
    connection = schema.open_for_writing(path, migrations=schema.MIGRATIONS[:6])
    columns = [row[1] for row in connection.execute("PRAGMA table_info(flow)")]
    for seq in (1, 2):
        facts: dict[str, Any] = dict.fromkeys(columns, "") | {"seq": seq, "id": f"id{seq}", "started": 1.7e9}
        facts |= {"duration": 1.0, "client_port": 7, "streaming": 1, "losses": "[]", "story": "[]"}
        facts |= {name: None for name in columns if name.endswith("_tokens") or name in {"ttfb", "cost"}}
        facts |= {"hooks": None, "timings": '{"hooks":0.5}'}
        connection.execute(f"INSERT INTO flow VALUES ({', '.join('?' * len(facts))})", list(facts.values()))
    connection.execute("INSERT INTO wire (flow, request, response) VALUES (1, '{\"headers\":[]}', NULL)")
    head = '{"headers":[],"status":429}'
    connection.execute("INSERT INTO wire (flow, request, response) VALUES (2, '{\"headers\":[]}', ?)", (head,))
    connection.close()
    schema.open_for_writing(path).close()
    with Reader(path) as reader:
        first, second = reader.select()
        assert (first.timings, first.tools, first.arrivals, first.response) == ({"hooks": 0.5}, [], [], None)
        assert reader.select(Query(status="4xx")) == [second]
        assert reader.search("anything") == []
