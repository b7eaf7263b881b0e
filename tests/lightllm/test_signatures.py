"""Signatures keep their owner through clients that know only their own."""

from __future__ import annotations

import base64

from hypothesis import given
from hypothesis import strategies as st

from ccproxy.lightllm.ir.parts import Signature
from ccproxy.lightllm.signatures import unwrap, wrap


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
