from __future__ import annotations

import pytest

from ccproxy.lightllm.ir.parts import Text
from ccproxy.testing.conformance.verdict import Difference, LawBroken, require, require_same


def test_equal_things_pass() -> None:
    require_same((Text("a"),), (Text("a"),), "parts")
    require(True, "never said")


def test_a_difference_is_shown_where_it_is() -> None:
    with pytest.raises(Difference) as raised:
        require_same(Text("found"), Text("expected"), "a part")
    lines = str(raised.value).splitlines()
    assert lines[0] == "a part"
    assert '-  "text": "expected"' in lines
    assert '+  "text": "found"' in lines


def test_bytes_are_shown_as_lines_whatever_they_are() -> None:
    with pytest.raises(Difference, match=r"\\xff"):
        require_same(b"\xff", b"", "bytes")


def test_what_looks_alike_is_told_apart() -> None:
    with pytest.raises(Difference, match=r"expected \(1,\)\nfound \[1\]"):
        require_same([1], (1,), "a list")


def test_a_long_difference_is_cut() -> None:
    with pytest.raises(Difference) as raised:
        require_same(list(range(1000)), [], "numbers")
    assert len(str(raised.value).splitlines()) < 70


def test_the_law_is_named() -> None:
    broken = LawBroken(3, "case text", "why")
    assert str(broken) == "law 3 (fold), case text: why"
    assert (broken.law, broken.subject, broken.problem) == (3, "case text", "why")


def test_requirements_that_do_not_hold() -> None:
    with pytest.raises(Difference, match="said"):
        require(False, "said")
