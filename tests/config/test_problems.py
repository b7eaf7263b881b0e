"""Problems: one line each, in order, without secrets."""

from __future__ import annotations

import pytest

from ccproxy.config.problems import (
    MOST_SHOWN,
    Path,
    Place,
    Problem,
    Problems,
    dotted,
    named,
    quoted,
    shown,
    suggestion,
)

FILE = Place("a.yaml", 7)


def test_a_problem_is_a_line_an_editor_can_jump_to() -> None:
    problem = Problem(FILE, ("inspector", "transforms", 0, "match_path"), "not a regular expression")

    assert str(problem) == "a.yaml:7: ccproxy.inspector.transforms[0].match_path: not a regular expression"
    assert str(Problem(Place("a.yaml"), None, "cannot be read")) == "a.yaml: cannot be read"
    assert str(Problem(FILE, (), "expected a mapping")) == "a.yaml:7: ccproxy: expected a mapping"


def test_problems_come_by_source_and_line_and_each_once() -> None:
    found = Problems()
    found.add(Place("--port", rank=2), ("port",), "flag")
    found.add(Place("CCPROXY_PORT (environment)", rank=1), ("port",), "variable")
    for line in (12, 3, 12):
        found.add(Place("a.yaml", line), ("port",), "file")

    assert found
    assert found.error().message.split("\n") == [
        "a.yaml:3: ccproxy.port: file",
        "a.yaml:12: ccproxy.port: file",
        "CCPROXY_PORT (environment): ccproxy.port: variable",
        "--port: ccproxy.port: flag",
    ]


def test_a_flood_of_problems_is_cut() -> None:
    found = Problems()
    for line in range(1, MOST_SHOWN + 26):
        found.add(Place("a.yaml", line), None, "x")

    lines = found.error().message.split("\n")

    assert len(lines) == MOST_SHOWN + 1
    assert lines[-1] == "a.yaml: and 25 more problems"


@pytest.mark.parametrize(
    ("path", "concerned"),
    [
        (("providers", "x"), True),
        (("providers", "x", "host"), True),
        (("providers", "x", "host", "deeper"), True),
        (("providers", "y"), False),
        (("providers", "x", "path"), False),
        (("port",), False),
    ],
)
def test_whether_a_setting_has_a_problem_already(path: Path, concerned: bool) -> None:
    found = Problems()
    assert not found
    found.add(FILE, None, "about no setting")
    found.add(FILE, ("providers", "x", "host"), "wrong")

    assert found.under(path) is concerned


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "nothing"),
        (True, "true"),
        (1.5, "1.5"),
        ("a\nb\x1b[31m\u202e", r'"a\nb\x1b[31m\u202e"'),
        ("x" * 100, '"' + "x" * 60 + '…"'),
        ("\ud800", r'"\ud800"'),
        ("sk-ant-api03-abcdefghijklmnopqrstuv", '"…stuv"'),
    ],
)
def test_a_value_is_shown_in_one_harmless_line(value: object, text: str) -> None:
    assert shown(value) == text


def test_quoted_text_has_no_password_of_a_url() -> None:
    assert "hunter2" not in quoted("https://me:hunter2@host/?key=hunter2hunter2")


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("dest_model", '"dest_model"'),
        ("command my-password", '"command…"'),
        ("x" * 70, '"' + "x" * 16 + '…"'),
        ("«»", '"…"'),
        ("", '"…"'),
    ],
)
def test_of_a_key_that_is_no_word_only_the_beginning_is_shown(word: str, text: str) -> None:
    assert named(word) == text
    assert dotted((word,)) == f"ccproxy.{text[1:-1]}"


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("prot", '; did you mean "port"?'),
        ("PORT", '; did you mean "port"?'),
        ("zzz", "; one of: host, port"),
    ],
)
def test_the_nearest_of_the_options_is_suggested_or_all(word: str, text: str) -> None:
    assert suggestion(word, ["port", "host"]) == text


def test_a_long_list_of_options_is_not_recited() -> None:
    assert suggestion("zzz", [f"option{n}" for n in range(13)]) == ""
    assert suggestion("zzz", []) == ""
