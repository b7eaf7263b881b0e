"""Gemini's schemas (`parameters`, `responseSchema`: part of OpenAPI 3.0) as JSON Schema, and back.

Only the spelling differs: types in capitals, `nullable`, counts as strings, field names in either spelling. What a target
takes at all is `schema.translate`'s affair. Source: ai.google.dev, `Schema`.
"""

from __future__ import annotations

from typing import Any

from ccproxy.lightllm.ir.parts import JsonObject

_SNAKE: dict[str, str] = {
    "any_of": "anyOf",
    "max_items": "maxItems",
    "min_items": "minItems",
    "max_length": "maxLength",
    "min_length": "minLength",
    "max_properties": "maxProperties",
    "min_properties": "minProperties",
    "property_ordering": "propertyOrdering",
    "additional_properties": "additionalProperties",
}
_COUNTS = frozenset({"maxItems", "minItems", "maxLength", "minLength", "maxProperties", "minProperties"})
_NULL = {"type": "null"}


def from_openapi(schema: Any) -> Any:
    """The JSON Schema that a Gemini schema means."""
    if type(schema) is not dict:
        return schema
    out: JsonObject = {}
    given: str
    for given, value in schema.items():
        name = _SNAKE.get(given, given)
        if name == "type" and type(value) is str:
            if value != "TYPE_UNSPECIFIED":
                out[name] = value.lower()
        elif name in _COUNTS and type(value) is str and value.isdecimal() and len(value) < 16:
            out[name] = int(value)
        else:
            out[name] = _inner(name, value, from_openapi)
    if out.get("nullable") is True:
        if type(out.get("type")) is str and out["type"] != "null":
            out["type"] = [out["type"], "null"]
            del out["nullable"]
        elif "type" not in out and type(out.get("anyOf")) is list:
            out["anyOf"] = [*out["anyOf"], _NULL]
            del out["nullable"]
    return out


def to_openapi(schema: Any) -> Any:
    """A JSON Schema within `GEMINI_OPENAPI` as Gemini spells it."""
    if type(schema) is not dict:
        return schema
    out: JsonObject = {}
    nullable = False
    for name, value in schema.items():
        if name == "type" and type(value) is list:
            kinds = [kind for kind in value if kind != "null" and type(kind) is str]
            nullable = nullable or "null" in value
            out[name] = (kinds[0] if kinds else "null").upper()
        elif name == "type" and type(value) is str:
            out[name] = value.upper()
        elif name == "anyOf" and type(value) is list and _NULL in value and len(value) > 1:
            nullable = True
            out[name] = [to_openapi(one) for one in value if one != _NULL]
        else:
            out[name] = _inner(name, value, to_openapi)
    if nullable:
        out["nullable"] = True
    return out


def _inner(name: str, value: Any, convert: Any) -> Any:
    """The value of a keyword, with the schemas in it converted."""
    if type(value) is dict:
        if name in ("items", "additionalProperties"):
            return convert(value)
        if name in ("properties", "defs", "$defs"):
            return {key: convert(one) for key, one in value.items()}
    elif type(value) is list and name in ("anyOf", "oneOf", "allOf", "prefixItems"):
        return [convert(one) for one in value]
    return value
