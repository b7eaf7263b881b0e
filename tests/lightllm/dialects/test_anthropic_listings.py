"""Token counts and model lists."""

from __future__ import annotations

import json

import pytest

from ccproxy.errors import UpstreamError
from ccproxy.lightllm.dialect import ModelInfo
from ccproxy.lightllm.dialects.anthropic.listings import (
    decode_count,
    decode_models,
    encode_count,
    encode_model,
    encode_models,
)


def test_counts() -> None:
    assert decode_count(encode_count(42)) == 42
    for body in (b"", b"[]", b"{}", b'{"input_tokens": "x"}', b'{"input_tokens": 1.5}'):
        with pytest.raises(UpstreamError, match="token count"):
            decode_count(body)


def test_models_there_and_back() -> None:
    models = [ModelInfo("claude-x", "Claude X", "anthropic", 1_700_000_000, 200_000, 64_000), ModelInfo("other")]
    again = decode_models(encode_models(models))
    assert [(model.id, model.name, model.owner, model.created) for model in again] == [
        ("claude-x", "Claude X", "anthropic", 1_700_000_000),
        ("other", "other", "", 0),
    ]
    assert (again[0].max_input, again[0].max_output) == (200_000, 64_000)
    written = json.loads(encode_models(models))
    assert (written["first_id"], written["last_id"], written["has_more"]) == ("claude-x", "other", False)
    assert json.loads(encode_model(models[0])) == written["data"][0]
    assert json.loads(encode_models([]))["data"] == []


def test_an_unreadable_list_or_date() -> None:
    for body in (b"x", b"[]", b'{"data": [{}]}', b'{"data": 5}'):
        with pytest.raises(UpstreamError, match="model list"):
            decode_models(body)
    assert decode_models(b'{"data": [{"id": "m", "created_at": "long ago"}]}')[0].created == 0
