"""Token counts and model lists."""

from __future__ import annotations

from collections.abc import Sequence

from ccproxy.errors import UpstreamError
from ccproxy.lightllm.dialect import ModelInfo
from ccproxy.lightllm.fields import Fields, ShapeError
from ccproxy.lightllm.ir.parts import JsonObject
from ccproxy.lightllm.jsontext import JsonError, dumps, loads


def decode_count(body: bytes) -> int:
    """`{"object": "response.input_tokens", "input_tokens": n}`. Raises UpstreamError."""
    try:
        count = Fields(loads(body), "count").integer("input_tokens")
    except (JsonError, ShapeError) as problem:
        raise UpstreamError(f"the provider's token count cannot be read: {problem}") from None
    if count is None:
        raise UpstreamError("the provider's token count has no input_tokens")
    return count


def encode_count(count: int) -> bytes:
    """The body of a token count."""
    return dumps({"object": "response.input_tokens", "input_tokens": count})


def decode_models(body: bytes) -> list[ModelInfo]:
    """The models of a list: `data` of the API, or `models` of the Codex backend. Raises UpstreamError."""
    try:
        fields = Fields(loads(body), "models")
        if fields.has("models"):
            return [_codex_model(Fields(item, f"models[{i}]")) for i, item in enumerate(fields.items("models"))]
        return [_model(Fields(item, f"data[{i}]")) for i, item in enumerate(fields.items("data"))]
    except (JsonError, ShapeError) as problem:
        raise UpstreamError(f"the provider's model list cannot be read: {problem}") from None


def _model(fields: Fields) -> ModelInfo:
    fields.value("object")
    return ModelInfo(
        id=fields.required_text("id"),
        owner=fields.text("owned_by"),
        created=fields.integer("created") or 0,
        extras=fields.rest(),
    )


def _codex_model(fields: Fields) -> ModelInfo:
    return ModelInfo(
        id=fields.text("slug") or fields.required_text("id"),
        name=fields.text("display_name"),
        max_input=fields.integer("context_window"),
        extras=fields.rest(),
    )


def model_object(model: ModelInfo) -> JsonObject:
    """One model, with the provider that has it as `owned_by`."""
    return {"id": model.id, "object": "model", "created": model.created, "owned_by": model.owner or "unknown"}


def encode_model(model: ModelInfo) -> bytes:
    """The body of `GET /v1/models/{id}`."""
    return dumps(model_object(model))


def encode_models(models: Sequence[ModelInfo]) -> bytes:
    """The body of `GET /v1/models`."""
    return dumps({"object": "list", "data": [model_object(model) for model in models]})
