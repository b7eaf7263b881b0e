"""What is new in a request: the words behind the model's last answer, and nothing that was sent before."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.flows.conversation import parse
from ccproxy.flows.prompt import MOST_TEXT, new_text

CASES: dict[str, Any] = {
    "anthropic": {
        "system": "be good",
        "messages": [
            {"role": "user", "content": "before"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "Bash", "input": {"a": "b"}}]},
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "file list"}]},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
                    {"type": "text", "text": "go on", "cache_control": {"type": "ephemeral"}},
                ],
            },
        ],
    },
    "chat": {
        "messages": [
            {"role": "system", "content": "be good"},
            {"role": "user", "content": "before"},
            {"role": "assistant", "tool_calls": [{"id": "t1"}]},
            {"role": "tool", "tool_call_id": "t1", "content": "file list"},
            {"role": "user", "content": [{"type": "text", "text": "go on"}, {"image_url": {"url": "data:image/png,"}}]},
        ]
    },
    "responses": {
        "instructions": "be good",
        "input": [
            {"role": "user", "content": "before"},
            {"type": "reasoning", "encrypted_content": "AAAA"},
            {"type": "function_call", "name": "Bash", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "t1", "output": "file list"},
            {"role": "user", "content": [{"type": "input_text", "text": "go on"}]},
        ],
    },
    "gemini": {
        "contents": [
            {"role": "user", "parts": [{"text": "before"}]},
            {"role": "model", "parts": [{"functionCall": {"name": "Bash"}}]},
            {"role": "user", "parts": [{"functionResponse": {"response": {"output": "file list"}}}, {"text": "go on"}]},
        ]
    },
}
CASES["code assist"] = {"model": "gemini-x", "request": CASES["gemini"]}


@pytest.mark.parametrize("name", CASES)
def test_only_what_is_behind_the_last_answer(name: str) -> None:
    assert new_text(parse(msgspec.json.encode(CASES[name]))) == "file list\ngo on"


def test_a_string_in_place_of_messages() -> None:
    assert new_text(parse(b'{"input":"hello"}')) == "hello"


def test_a_first_request_is_all_new_but_for_what_is_no_message() -> None:
    body = b'{"system":"be good","messages":[{"role":"user","content":"one"},{"role":"user","content":"two"}]}'
    assert new_text(parse(body)) == "one\ntwo"


def test_a_request_that_ends_with_the_models_words_brings_nothing() -> None:
    assert new_text(parse(b'{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}')) == ""


def test_what_is_taken_is_bounded() -> None:
    body = msgspec.json.encode({"messages": [{"role": "user", "content": ["word " * 5_000] * 20}]})
    assert MOST_TEXT <= len(new_text(parse(body))) <= MOST_TEXT + 20


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"messages":7}', b'{"messages":[', b'{"input":{"a":"b"}}'])
def test_what_has_no_messages_says_nothing(body: bytes) -> None:
    assert new_text(parse(body)) == ""


@given(
    st.recursive(
        st.none() | st.integers(0, 9) | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["role", "type", "content", "parts", "text"]), inner, max_size=3)
        ),
        max_leaves=20,
    )
)
def test_any_json_is_read_without_an_error(value: object) -> None:
    for name in ("messages", "input", "contents", "request"):
        new_text(parse(msgspec.json.encode({name: value})))
