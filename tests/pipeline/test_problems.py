"""An exception in one line: what, where, and no secret."""

from __future__ import annotations

from ccproxy.errors import BadRequest
from ccproxy.pipeline.problems import described


def caught(text: str) -> Exception:
    try:
        raise ValueError(text)
    except ValueError as error:
        return error


def test_what_and_where() -> None:
    assert described(caught("no")).startswith("ValueError: no (test_problems.py:")
    assert described(caught("")).startswith("ValueError (test_problems.py:")
    assert described(BadRequest("wrong", hint="mend it")) == "wrong (mend it)"


def test_one_line_of_bounded_length() -> None:
    text = described(caught("a\n\n  b" + "c" * 1000))
    assert "\n" not in text
    assert "a bc" in text
    assert len(text) < 400


def test_without_secrets() -> None:
    assert "canary" not in described(caught("x canary-12345678 y"), {"canary-12345678"})
    assert "0123456789abcdef0123" not in described(caught("key sk-ant-api03-0123456789abcdef0123"))
