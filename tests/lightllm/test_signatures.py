"""Signatures keep their owner through clients that know only their own."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.lightllm.errors import ErrorInfo, ErrorKind
from ccproxy.lightllm.ir.parts import Signature, Text, Thinking, ToolCall
from ccproxy.lightllm.ir.request import Message, Request
from ccproxy.lightllm.signatures import is_refused_signature, unwrap, without_signatures, wrap


@given(st.text(), st.text(min_size=1), st.sampled_from(["here", "next", "whole"]))
def test_there_and_back_byte_for_byte(value: str, origin: str, place: str) -> None:
    signature = Signature(value, origin)
    text = wrap(signature, "native", place)  # type: ignore[arg-type]
    if origin == "native" and place == "here":
        assert text == value
    else:
        assert unwrap(text, "native") == (signature, place)
        assert base64.b64decode(text, validate=True)


@given(st.text())
def test_anything_else_is_the_client_dialects_own(text: str) -> None:
    assert unwrap(text, "native") == (Signature(text, "native"), "here")


def test_a_damaged_envelope_is_left_alone() -> None:
    text = wrap(Signature("value", "other"), "native")
    for damaged in (text[:20], text[:-4] + "AAAA", text + "!"):
        assert unwrap(damaged, "native") == (Signature(damaged, "native"), "here")


def test_clients_that_rewrite_base64_do_no_harm() -> None:
    signature = Signature("??>>~~", "other")
    text = wrap(signature, "native")
    assert unwrap(text.replace("+", "-").replace("/", "_").rstrip("="), "native") == (signature, "here")


def test_what_is_signed_can_be_left_out() -> None:
    signed = Thinking("hm", Signature("s", "anthropic"))
    call = ToolCall("c", "f", "{}", signature=Signature("s", "gemini"))
    plain = Message("user", (Text("hi"),))
    request = Request(model="m", dialect="x", messages=(plain, Message("assistant", (signed, Thinking("t"), call))))
    stripped = without_signatures(request)
    assert stripped.messages[0] is plain
    assert stripped.messages[1].parts == (Thinking("t"), ToolCall("c", "f", "{}"))
    assert without_signatures(stripped) is stripped


@pytest.mark.parametrize(
    ("kind", "message", "refused"),
    [
        ("invalid_request", "Invalid `signature` in `thinking` block", True),
        ("invalid_request", "Thought signature is not valid.", True),
        ("invalid_request", "The encrypted content gAAA could not be verified.", True),
        ("authentication", "the request signature does not match", False),
        ("invalid_request", "max_tokens is too large", False),
    ],
)
def test_the_words_of_a_refused_signature(kind: ErrorKind, message: str, refused: bool) -> None:
    assert is_refused_signature(ErrorInfo(kind, message, 400)) is refused
