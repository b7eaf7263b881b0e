"""Token counts and model lists."""

from __future__ import annotations

from collections.abc import Sequence

from ccproxy.errors import UpstreamError
from ccproxy.lightllm.dialect import ModelInfo
from ccproxy.lightllm.dialects.gemini.spelling import fields_of
from ccproxy.lightllm.fields import Fields, ShapeError
from ccproxy.lightllm.ir.parts import JsonObject
from ccproxy.lightllm.jsontext import JsonError, dumps, loads

#: What a listed model can be asked for.
_METHODS = ["generateContent", "streamGenerateContent", "countTokens"]


def decode_count(body: bytes) -> int:
    """`{"totalTokens": n}`. Raises UpstreamError."""
    try:
        count = fields_of(loads(body), "count").integer("totalTokens")
    except (JsonError, ShapeError) as problem:
        raise UpstreamError(f"the provider's token count cannot be read: {problem}") from None
    if count is None:
        raise UpstreamError("the provider's token count has no totalTokens")
    return count


def encode_count(count: int) -> bytes:
    """The body of a token count."""
    return dumps({"totalTokens": count})


def decode_models(body: bytes) -> list[ModelInfo]:
    """The models of a list. Raises UpstreamError."""
    try:
        items = fields_of(loads(body), "models").items("models")
        return [_model(fields_of(item, f"models[{i}]")) for i, item in enumerate(items)]
    except (JsonError, ShapeError) as problem:
        raise UpstreamError(f"the provider's model list cannot be read: {problem}") from None


def _model(fields: Fields) -> ModelInfo:
    return ModelInfo(
        id=fields.required_text("name").removeprefix("models/"),
        name=fields.text("displayName"),
        owner=fields.text("ownedBy"),
        max_input=fields.integer("inputTokenLimit"),
        max_output=fields.integer("outputTokenLimit"),
        extras=fields.rest(),
    )


def model_object(model: ModelInfo) -> JsonObject:
    """One model, with the provider that has it as `ownedBy`."""
    written: JsonObject = {"name": f"models/{model.id}", "displayName": model.name or model.id}
    for name, value in (
        ("inputTokenLimit", model.max_input),
        ("outputTokenLimit", model.max_output),
        ("ownedBy", model.owner or None),
    ):
        if value is not None:
            written[name] = value
    return {**written, "supportedGenerationMethods": _METHODS}


def encode_model(model: ModelInfo) -> bytes:
    """The body of `GET /v1beta/models/{id}`."""
    return dumps(model_object(model))


def encode_models(models: Sequence[ModelInfo]) -> bytes:
    """The body of `GET /v1beta/models`: one page with everything."""
    return dumps({"models": [model_object(model) for model in models]})
