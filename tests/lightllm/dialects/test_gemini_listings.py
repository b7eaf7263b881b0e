"""Token counts and model lists."""

from __future__ import annotations

import json

import pytest

from ccproxy.errors import UpstreamError
from ccproxy.lightllm.dialect import ModelInfo
from ccproxy.lightllm.dialects.gemini.listings import (
    decode_count,
    decode_models,
    encode_count,
    encode_model,
    encode_models,
)


def test_counts() -> None:
    assert decode_count(encode_count(42)) == 42
    for body in (b"", b"[]", b"{}", b'{"totalTokens": "x"}', b'{"totalTokens": 1.5}'):
        with pytest.raises(UpstreamError, match="token count"):
            decode_count(body)


def test_models_there_and_back() -> None:
    models = [ModelInfo("gemini-x", "Gemini X", "google", 0, 1000, 100), ModelInfo("other")]
    again = decode_models(encode_models(models))
    assert [(one.id, one.name, one.owner, one.max_input, one.max_output) for one in again] == [
        ("gemini-x", "Gemini X", "google", 1000, 100),
        ("other", "other", "", None, None),
    ]
    written = json.loads(encode_model(models[0]))
    assert written["name"] == "models/gemini-x"
    assert "generateContent" in written["supportedGenerationMethods"]


def test_an_unreadable_list() -> None:
    for body in (b"x", b"[]", b'{"models": [{}]}', b'{"models": 5}'):
        with pytest.raises(UpstreamError, match="model list"):
            decode_models(body)
