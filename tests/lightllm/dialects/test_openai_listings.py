"""Model lists, and what the dialect is registered with."""

from __future__ import annotations

import json

import pytest

from ccproxy.errors import UpstreamError
from ccproxy.lightllm.dialect import ModelInfo, Target
from ccproxy.lightllm.dialects.openai.listings import decode_models, encode_model, encode_models
from ccproxy.lightllm.ir.request import Request

from ..kit import REGISTRY

OPENAI = REGISTRY.get("openai")


def test_models_there_and_back() -> None:
    models = [ModelInfo("gpt-x", "GPT X", "openai", 1_700_000_000, 200_000), ModelInfo("other")]
    written = json.loads(encode_models(models))
    assert written["object"] == "list"
    assert written["data"][1] == {"id": "other", "object": "model", "created": 0, "owned_by": "unknown"}
    again = decode_models(encode_models(models))
    assert [(model.id, model.name, model.owner, model.created, model.max_input) for model in again] == [
        ("gpt-x", "GPT X", "openai", 1_700_000_000, 200_000),
        ("other", "", "unknown", 0, None),
    ]
    assert json.loads(encode_model(models[0])) == written["data"][0]


def test_lists_of_other_servers() -> None:
    router = {"data": [{"id": "a/b", "name": "B", "created": 1.5, "context_length": 8, "pricing": {}}]}
    assert decode_models(json.dumps(router).encode()) == [
        ModelInfo("a/b", "B", "", 1, 8, extras={"pricing": {}}),
    ]
    assert decode_models(b'[{"id": "m", "max_model_len": 4}]') == [ModelInfo("m", max_input=4)]


@pytest.mark.parametrize(
    "body", [b"x", b"5", b'{"data": [{}]}', b'{"data": 5}', b'{"data": [{"id": "m", "created": "x"}]}']
)
def test_an_unreadable_list(body: bytes) -> None:
    with pytest.raises(UpstreamError, match="model list"):
        decode_models(body)


def test_paths() -> None:
    assert OPENAI.match("/v1/chat/completions") == "generate"
    assert OPENAI.match("/openai/deployments/d/chat/completions") == "generate"
    assert OPENAI.match("/v1/completions") == ""
    assert OPENAI.paths.of("model", "a/b:c") == "/v1/models/a/b%3Ac"
    with pytest.raises(ValueError, match="has no token count"):
        OPENAI.encode_request(Request("m", ()), Target(), operation="count_tokens")
