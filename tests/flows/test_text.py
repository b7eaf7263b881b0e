"""What people read: safe on a terminal, numbers as they are said."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.flows.text import ago, clock_time, count, dollars, moment, printable, printable_json, seconds, short


def test_control_characters_become_escapes_and_layout_stays() -> None:
    assert printable("a\x1b[2Jb\x9bc\nd\te\u202ef\x7f\ud800") == "a\\x1b[2Jb\\x9bc\nd\te\\u202ef\\x7f\\ud800"


@given(st.text())
def test_printable_json_is_the_same_json(text: str) -> None:
    document = json.dumps({"text": text}, ensure_ascii=False)
    assert json.loads(printable_json(document)) == {"text": text}
    assert "\x9b" not in printable_json(document)


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (-5, "just now"),
        (0.4, "just now"),
        (1, "1 second ago"),
        (42.9, "42 seconds ago"),
        (60, "1 minute ago"),
        (7_199, "1 hour ago"),
        (86_400 * 3, "3 days ago"),
    ],
)
def test_ages(age: float, words: str) -> None:
    assert ago(age) == words


def test_numbers() -> None:
    assert [short(n) for n in (0, 999, 1_000, 12_096, 3_400_000)] == ["0", "999", "1.0k", "12.1k", "3.4M"]
    assert [count(1, "byte"), count(1_234, "byte")] == ["1 byte", "1,234 bytes"]
    assert [seconds(0.614), seconds(12.34), seconds(125)] == ["0.61 s", "12.3 s", "2 min 5 s"]


def test_moments_are_local_time_with_offset_and_never_fail() -> None:
    assert len(moment(1_700_000_000.0)) == len("2023-11-14T22:13:20+00:00")
    assert moment(1e300) == "1e+300"


def test_the_time_of_day() -> None:
    assert len(clock_time(1_700_000_000.0)) == len("22:13:20")
    assert clock_time(1e300) == "1e+300"


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        (0.0, "$0"),
        (1234.567, "$1,234.57"),
        (0.0123, "$0.0123"),
        (0.000042, "$0.000042"),
        (0.0000001, "under $0.000001"),
    ],
)
def test_an_amount_is_said_with_the_digits_that_matter(amount: float, words: str) -> None:
    assert dollars(amount) == words
