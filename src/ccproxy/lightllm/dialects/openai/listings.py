"""Model lists. Chat Completions has no token count."""

from __future__ import annotations

from collections.abc import Sequence

from ccproxy.errors import UpstreamError
from ccproxy.lightllm.dialect import ModelInfo
from ccproxy.lightllm.fields import Fields, ShapeError
from ccproxy.lightllm.ir.parts import JsonObject
from ccproxy.lightllm.jsontext import JsonError, dumps, loads


def decode_models(body: bytes) -> list[ModelInfo]:
    """The models of a list; some servers give the array alone. Raises UpstreamError."""
    try:
        value = loads(body)
        items = value if type(value) is list else Fields(value, "models").items("data")
        return [_model(Fields(item, f"data[{i}]")) for i, item in enumerate(items)]
    except (JsonError, ShapeError) as problem:
        raise UpstreamError(f"the provider's model list cannot be read: {problem}") from None


def _model(fields: Fields) -> ModelInfo:
    fields.value("object")
    limit, window = fields.integer("context_length"), fields.integer("max_model_len")
    return ModelInfo(
        id=fields.required_text("id"),
        name=fields.text("name"),
        owner=fields.text("owned_by"),
        created=int(fields.number("created") or 0),
        max_input=window if limit is None else limit,
        extras=fields.rest(),
    )


def model_object(model: ModelInfo) -> JsonObject:
    """One model, with the provider that has it as `owned_by`."""
    written: JsonObject = {
        "id": model.id,
        "object": "model",
        "created": model.created,
        "owned_by": model.owner or "unknown",
    }
    if model.name and model.name != model.id:
        written["name"] = model.name
    if model.max_input is not None:
        written["context_length"] = model.max_input
    return written


def encode_model(model: ModelInfo) -> bytes:
    """The body of `GET /v1/models/{id}`."""
    return dumps(model_object(model))


def encode_models(models: Sequence[ModelInfo]) -> bytes:
    """The body of `GET /v1/models`."""
    return dumps({"object": "list", "data": [model_object(model) for model in models]})
