"""JSON Schema for a target that takes only part of it: by allow-list (`schema_rules.py`), never by a list of what is bad.

Strategy: one walk. `$ref` is replaced by what it refers to (recursion is cut), `allOf` is merged, `oneOf` becomes `anyOf`,
`const` an `enum`, `nullable` and a null among the values a type; what then has no word in the target is written into the
description as JSON, so that the model still reads it, and recorded. A schema that fits already is returned as it is.

Contract: pure, never raises, whatever the schema; the same schema gives the same bytes, in its own order (prompt caches);
what comes out comes out again unchanged (idempotent) and holds nothing but the target's keywords.
"""

from __future__ import annotations

from ccproxy.lightllm.ir.losses import LossLedger
from ccproxy.lightllm.ir.parts import JsonObject
from ccproxy.lightllm.schema_rules import DEFINITIONS, MANY, TYPES, SchemaRules, json_type
from ccproxy.lightllm.schema_walk import DEEPEST, NOTE, Walk

__all__ = ["NOTE", "strict_problem", "translate"]

#: Keywords whose value is a schema, or a table of them.
_ONE = frozenset({"items", "additionalProperties"})
_TABLE = frozenset({"properties", "$defs", "definitions"})


def translate(schema: JsonObject, rules: SchemaRules, path: str, ledger: LossLedger) -> JsonObject:
    """`schema` within `rules`. Losses are recorded once for each keyword, under `path`."""
    if rules.keywords is None and not rules.plain_top:
        return schema
    walk = Walk(schema, rules, path)
    found = schema if rules.keywords is None or _fits(schema, rules, 0) else walk.schema(schema, "", ())
    if rules.plain_top or rules.keywords is not None:
        found = walk.top(found)
    walk.report(ledger)
    return found


def strict_problem(schema: object, rules: SchemaRules, depth: int = 0) -> str:
    """Why a target that demands all properties and no others cannot be bound to `schema`, or ""."""
    if not rules.all_required:
        return ""
    if depth > DEEPEST:
        return "it is nested too deeply"
    if isinstance(schema, list):
        return next((reason for one in schema if (reason := strict_problem(one, rules, depth + 1))), "")
    if not isinstance(schema, dict):
        return ""
    properties = schema.get("properties")
    if schema.get("type") == "object" or isinstance(properties, dict):
        names = set(properties) if isinstance(properties, dict) else set()
        required = schema.get("required")
        if schema.get("additionalProperties", False) is not False:
            return "further properties are allowed"
        if names - {name for name in (required if isinstance(required, list) else ()) if type(name) is str}:
            return "not all properties are required"
    for name, value in schema.items():
        inner = list(value.values()) if name in _TABLE and isinstance(value, dict) else value
        if (name in _TABLE or name in _ONE or name in MANY) and (reason := strict_problem(inner, rules, depth + 1)):
            return reason
    return ""


def _fits(schema: object, rules: SchemaRules, depth: int) -> bool:
    """Whether the walk would change nothing: the quick look that most schemas pass."""
    if type(schema) is not dict or depth > DEEPEST or rules.keywords is None:
        return False
    for name, value in schema.items():
        if name not in rules.keywords:
            return False
        kind = type(value)
        if name == "type":
            if kind is str:
                if value not in TYPES or (value == "array" and not rules.bare_arrays and "items" not in schema):
                    return False
            elif not _type_list_fits(value, rules):
                return False
        elif name in ("description", "title"):
            if kind is not str:
                return False
        elif name == "properties":
            if kind is not dict or not all(_fits(inner, rules, depth + 1) for inner in value.values()):
                return False
        elif name == "required":
            if not _required_fits(value, schema, rules):
                return False
        elif name == "items":
            if not _fits(value, rules, depth + 1):
                return False
        elif name == "additionalProperties":
            if kind is not bool and not _fits(value, rules, depth + 1):
                return False
        elif name in MANY:
            if kind is not list or not value or not all(_fits(inner, rules, depth + 1) for inner in value):
                return False
        elif name == "enum":
            if kind is not list or not value or not all(json_type(one) in rules.enum for one in value):
                return False
        elif name == "format":
            if kind is not str or (rules.formats is not None and value not in rules.formats):
                return False
        elif name in ("$ref", "const", "minItems") or name in DEFINITIONS:
            return False
    if rules.closed and (schema.get("type") == "object" or "properties" in schema):
        return schema.get("additionalProperties") is False
    return True


def _type_list_fits(value: object, rules: SchemaRules) -> bool:
    if type(value) is not list or not value or not all(type(one) is str and one in TYPES for one in value):
        return False
    return len(set(value)) == len(value) > 1 and (rules.type_lists or (len(value) == 2 and value[1] == "null"))


def _required_fits(value: object, schema: JsonObject, rules: SchemaRules) -> bool:
    if type(value) is not list or not all(type(one) is str for one in value):
        return False
    properties = schema.get("properties")
    return rules.unknown_required or (isinstance(properties, dict) and bool(value) and set(value) <= set(properties))
