"""Tool-call ids: kept, unique, made only where there are none."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from ccproxy.lightllm.ir.parts import ToolCall
from ccproxy.lightllm.ir.request import Message
from ccproxy.lightllm.toolids import ToolIds, is_made, safe


def test_an_id_is_kept_unless_it_is_taken() -> None:
    history = [Message("assistant", (ToolCall("call_1", "f"), ToolCall("call_2", "f")))]
    ids = ToolIds(history, lambda: "0001")
    assert ids.claim("call_3") == "call_3"
    assert ids.claim("call_1") == "call_1_2"
    assert ids.claim("call_1") == "call_1_3"
    assert ids.claim("call_3") == "call_3_2"


def test_a_made_id_is_known_as_one() -> None:
    ids = ToolIds([], lambda: "0001")
    made = ids.claim("")
    assert is_made(made)
    assert is_made(ids.claim(""))
    assert not is_made("call_1")


@given(st.lists(st.text(max_size=80), unique=True, max_size=8))
def test_safe_ids_are_legal_and_stay_apart(ids: list[str]) -> None:
    written = [safe(call_id) for call_id in ids]
    assert all(len(call_id) <= 64 and re.fullmatch(r"[a-zA-Z0-9_-]*", call_id) for call_id in written)
    assert all(safe(call_id) == call_id for call_id in written if call_id)


def test_a_legal_id_is_left_alone() -> None:
    assert safe("toolu_01A-b") == "toolu_01A-b"
    assert safe("functions.bash:0") == "functions_2ebash_3a0"
    assert safe("x" * 100) != safe("x" * 99 + "y")
