"""Token counts and model lists."""

from __future__ import annotations

import json

import pytest

from ccproxy.errors import UpstreamError
from ccproxy.lightllm.dialect import ModelInfo
from ccproxy.lightllm.dialects.openai_responses.listings import (
    decode_count,
    decode_models,
    encode_count,
    encode_model,
    encode_models,
)


def test_counts() -> None:
    assert decode_count(encode_count(42)) == 42
    assert json.loads(encode_count(1))["object"] == "response.input_tokens"
    for body in (b"", b"[]", b"{}", b'{"input_tokens": "x"}', b'{"input_tokens": 1.5}'):
        with pytest.raises(UpstreamError, match="token count"):
            decode_count(body)


def test_models_there_and_back() -> None:
    models = [ModelInfo("gpt-x", owner="openai", created=1_700_000_000), ModelInfo("other")]
    again = decode_models(encode_models(models))
    assert [(model.id, model.owner, model.created) for model in again] == [
        ("gpt-x", "openai", 1_700_000_000),
        ("other", "unknown", 0),
    ]
    written = json.loads(encode_models(models))
    assert written["object"] == "list"
    assert json.loads(encode_model(models[0])) == written["data"][0]
    assert json.loads(encode_models([]))["data"] == []


def test_the_list_of_the_codex_backend() -> None:
    body = {"models": [{"slug": "gpt-x", "display_name": "GPT X", "context_window": 272_000, "priority": 1}]}
    assert decode_models(json.dumps(body).encode()) == [
        ModelInfo("gpt-x", "GPT X", max_input=272_000, extras={"priority": 1})
    ]


def test_an_unreadable_list() -> None:
    for body in (b"x", b"[]", b'{"data": [{}]}', b'{"data": 5}', b'{"models": [{}]}', b'{"models": [5]}'):
        with pytest.raises(UpstreamError, match="model list"):
            decode_models(body)
