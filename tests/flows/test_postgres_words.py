"""Words for PostgreSQL: what a person types finds the same flows as in the SQLite store."""

from __future__ import annotations

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.flows.postgres import words
from ccproxy.flows.search import Hit

from .server import Server
from .test_search import FINDING, TEXTS


@pytest.fixture(scope="module")
def connection(server: Server) -> psycopg.Connection:
    return server.admin()


@pytest.mark.parametrize(("typed", "numbers"), FINDING)
def test_finding(server: Server, typed: str, numbers: list[int]) -> None:
    query = words.expression(typed)
    with server.admin() as connection:
        found = [
            number
            for number, text in enumerate(TEXTS)
            if query
            and connection.execute("SELECT %s::tsvector @@ %s::tsquery", (words.vector(text, "ok"), query)).fetchone()
            == (True,)
        ]
    assert found == numbers


def test_nothing_that_is_said_or_typed_is_wrong(server: Server) -> None:
    with server.admin() as connection:

        @given(st.text(max_size=40), st.text(max_size=20))
        def check(said: str, typed: str) -> None:
            sql = "SELECT %s::tsvector @@ %s::tsquery"
            connection.execute(sql, (words.vector(said, typed), words.expression(typed) or "'x'"))

        check()


def test_a_long_text_has_more_words_than_places(server: Server) -> None:
    text = " ".join(f"w{number} the" for number in range(12_000))
    with server.admin() as connection:
        sql = "SELECT %s::tsvector @@ %s::tsquery"
        vector = words.vector(text, "end")
        assert connection.execute(sql, (vector, words.expression("w11999 the end"))).fetchone() == (True,)


def test_no_phrase_reaches_from_the_prompt_into_the_answer(server: Server) -> None:
    with server.admin() as connection:
        found = connection.execute(
            "SELECT %s::tsvector @@ %s::tsquery", (words.vector("hello", "world"), words.expression('"hello world"'))
        )
        assert found.fetchone() == (False,)


def test_a_hit_shows_the_words_around_the_match() -> None:
    before, after = "a b c d e f g h i j k l m n", "o p q r s t u v w x y z"
    found = words.hit("id", 7, "no", f"{before} Müller-Straße {after}", '"muller straße"')
    assert found.role == "answer"
    assert found.snippet == "…c d e f g h i j k l m n Müller-Straße o p q r s t u v w x …"
    assert [found.snippet[begin:end] for begin, end in found.marks] == ["Müller-Straße"]


def test_a_hit_in_a_script_without_spaces() -> None:
    assert words.hit("id", 7, "今日の天気はとても良い", "", "天気") == Hit(
        "id", 7, "prompt", "今日の天気はとても良い", ((3, 5),)
    )


@given(st.text(max_size=60), st.text(max_size=20))
def test_any_text_has_a_snippet(text: str, typed: str) -> None:
    found = words.hit("id", 1, text, "", typed)
    assert all(0 <= begin < end <= len(found.snippet) for begin, end in found.marks)
