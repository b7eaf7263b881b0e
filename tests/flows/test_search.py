"""From what a person types to what is found, on a real index."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.flows.schema import open_for_writing
from ccproxy.flows.search import BEGIN, END, Hit, expression, hit, indexed, terms

TEXTS = [
    "The proxy refused the connection: ECONNREFUSED 127.0.0.1:4000",
    "def parse_request(body: bytes) -> Request:\n    return decode(body)",
    "今日の天気はとても良いです。東京で会いましょう",
    "请帮我修复这个错误，数据库连接失败",
    "สวัสดีครับ ช่วยแก้ไขข้อผิดพลาดนี้ด้วย",
    "Der Café-Besitzer prüft die Größe der Datei",
    "데이터베이스를 연결할 수 없습니다",
    "git commit -m 'wip' && git push --force-with-lease",
]

Find = Callable[[str], list[int]]


@pytest.fixture(scope="module")
def find(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Find]:
    path: Path = tmp_path_factory.mktemp("search") / "flows.db"
    connection = open_for_writing(path)
    for number, text in enumerate(TEXTS):
        connection.execute("INSERT INTO said VALUES (?, ?, 'ok')", (number, indexed(text)))

    def found(typed: str) -> list[int]:
        query = expression(typed)
        if query is None:
            return []
        sql = "SELECT rowid FROM said_index WHERE said_index MATCH ? ORDER BY rowid"
        return [row[0] for row in connection.execute(sql, (query,))]

    yield found
    connection.close()


FINDING = [
    ("proxy", [0]),
    ("PROXY", [0]),
    ("econnref", [0]),
    ("connection proxy", [0]),
    ('"proxy connection"', []),
    ('"the connection"', [0]),
    ("127.0.0.1:4000", [0]),
    ("parse_request", [1]),
    ("request", [1]),
    ('"request body"', [1]),
    ("天気", [2]),
    ("東京で会", [2]),
    ("東京に", []),
    ("数据库", [3]),
    ("错误 数据库", [3]),
    ("连", [3]),
    ("ผิดพลาด", [4]),
    ("cafe grosse", []),
    ("cafe größe", [5]),
    ("데이터베이스", [6]),
    ("--force-with-lease", [7]),
    ("git push", [7]),
    ('"git push"', [7]),
    ('"git force"', []),
    ("ok proxy", [0]),
    ("nowhere", []),
]


@pytest.mark.parametrize(("typed", "numbers"), FINDING)
def test_finding(find: Find, typed: str, numbers: list[int]) -> None:
    assert find(typed) == numbers


@pytest.mark.parametrize(
    "typed",
    ['"', '""', "*", "(", "a OR", "NOT", "AND AND", "NEAR(", "prompt:x", "^a", "-", "a-b", '"a', "a*b", "+", "'", "\0"],
)
def test_nothing_that_is_typed_is_wrong(find: Find, typed: str) -> None:
    find(typed)


@given(st.text(max_size=30))
def test_no_text_is_wrong(text: str) -> None:
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute("CREATE VIRTUAL TABLE t USING fts5(a, content = '')")
        if (query := expression(text)) is not None:
            connection.execute("SELECT * FROM t WHERE t MATCH ?", (query,)).fetchall()
    finally:
        connection.close()


def test_what_is_typed_is_words_and_phrases() -> None:
    assert terms('one "two three" four"five') == [("one", True), ("two three", False), ("four", True), ("five", False)]
    assert terms(' - "" * ') == []
    assert len(terms("word " * 1000)) == 32


def test_the_role_is_where_most_matches_are() -> None:
    plain = f"nothing {BEGIN}here{END}"
    assert hit("id", 3, plain, "no") == Hit("id", 3, "prompt", "nothing here", ((8, 12),))
    assert hit("id", 3, "no", f"…a\n {BEGIN}b{END}  {BEGIN}c{END}") == Hit(
        "id", 3, "answer", "…a b c", ((3, 4), (5, 6))
    )


def test_a_snippet_shows_the_text_as_it_was() -> None:
    marked = indexed("今日の天気").replace("天", f"{BEGIN}天").replace("気", f"気{END}")
    assert hit("id", 1, marked, "").snippet == "今日の天気"
