"""Token counts and model lists."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from ccproxy.errors import UpstreamError
from ccproxy.lightllm.dialect import ModelInfo
from ccproxy.lightllm.fields import Fields, ShapeError
from ccproxy.lightllm.ir.parts import JsonObject
from ccproxy.lightllm.jsontext import JsonError, dumps, loads


def decode_count(body: bytes) -> int:
    """`{"input_tokens": n}`. Raises UpstreamError."""
    try:
        count = Fields(loads(body), "count").integer("input_tokens")
    except (JsonError, ShapeError) as problem:
        raise UpstreamError(f"the provider's token count cannot be read: {problem}") from None
    if count is None:
        raise UpstreamError("the provider's token count has no input_tokens")
    return count


def encode_count(count: int) -> bytes:
    """The body of a token count."""
    return dumps({"input_tokens": count})


def decode_models(body: bytes) -> list[ModelInfo]:
    """The models of a list. Raises UpstreamError."""
    try:
        return [
            _model(Fields(item, f"data[{i}]")) for i, item in enumerate(Fields(loads(body), "models").items("data"))
        ]
    except (JsonError, ShapeError) as problem:
        raise UpstreamError(f"the provider's model list cannot be read: {problem}") from None


def _model(fields: Fields) -> ModelInfo:
    fields.value("type")
    return ModelInfo(
        id=fields.required_text("id"),
        name=fields.text("display_name"),
        owner=fields.text("owned_by"),
        created=_seconds(fields.text("created_at")),
        max_input=fields.integer("max_input_tokens"),
        max_output=fields.integer("max_tokens"),
        extras=fields.rest(),
    )


def _seconds(text: str) -> int:
    try:
        return int(datetime.fromisoformat(text).timestamp())
    except (ValueError, OverflowError):
        return 0


def model_object(model: ModelInfo) -> JsonObject:
    """One model, with the provider that has it as `owned_by`."""
    written: JsonObject = {
        "type": "model",
        "id": model.id,
        "display_name": model.name or model.id,
        "created_at": datetime.fromtimestamp(model.created, UTC).isoformat().replace("+00:00", "Z"),
        "lifecycle": "active",
    }
    for name, value in (
        ("max_input_tokens", model.max_input),
        ("max_tokens", model.max_output),
        ("owned_by", model.owner or None),
    ):
        if value is not None:
            written[name] = value
    return written


def encode_model(model: ModelInfo) -> bytes:
    """The body of `GET /v1/models/{id}`."""
    return dumps(model_object(model))


def encode_models(models: Sequence[ModelInfo]) -> bytes:
    """The body of `GET /v1/models`: one page with everything."""
    return dumps(
        {
            "data": [model_object(model) for model in models],
            "has_more": False,
            "first_id": models[0].id if models else None,
            "last_id": models[-1].id if models else None,
        }
    )
