"""What each target accepts of JSON Schema: allow-lists, as values. `schema.py` brings a schema within one.

Sources: ai.google.dev `GenerationConfig.responseJsonSchema` and `Schema`; platform.openai.com, Structured Outputs, supported
schemas; docs.anthropic.com, Structured outputs, JSON Schema limitations, and tool use.
"""

from __future__ import annotations

import msgspec

TYPES = frozenset({"string", "number", "integer", "boolean", "null", "array", "object"})
DEFINITIONS = frozenset({"$defs", "definitions"})
#: Keywords whose value is an array of schemas.
MANY = frozenset({"anyOf", "prefixItems", "oneOf", "allOf"})


class SchemaRules(msgspec.Struct, frozen=True, kw_only=True):
    """What a target accepts.

    Attributes:
        keywords: the keywords it knows; None = every one, and nothing is looked into.
        formats: values of `format`; None = any.
        enum: JSON types that values of `enum` may have.
        references: whether `$ref` may stay (then `$defs` is a keyword).
        type_lists: whether `type` may name several types; `[T, "null"]` may stand in any case.
        bare_arrays: whether an array may leave out `items`.
        unknown_required: whether `required` may name what `properties` does not define.
        max_min_items: the highest `minItems`, or None.
        plain_top: whether the top must be an object without alternatives.
        closed: whether every object must have `additionalProperties: false`.
        all_required: whether every property must be required.
    """

    keywords: frozenset[str] | None = None
    formats: frozenset[str] | None = None
    enum: frozenset[str] = frozenset({"string", "number", "boolean", "null", "array", "object"})
    references: bool = False
    type_lists: bool = True
    bare_arrays: bool = True
    unknown_required: bool = True
    max_min_items: int | None = None
    plain_top: bool = False
    closed: bool = False
    all_required: bool = False


#: Any JSON Schema.
ANYTHING = SchemaRules()

#: Any JSON Schema of an object whose top has no alternatives: arguments of Anthropic's tools.
PLAIN_TOP = SchemaRules(plain_top=True)

_BASE = frozenset({"type", "title", "description", "enum", "items", "properties", "required", "anyOf", "default"})

#: `parametersJsonSchema` and `responseJsonSchema` of Gemini.
GEMINI_JSON = SchemaRules(
    keywords=_BASE
    | {
        "format",
        "prefixItems",
        "minItems",
        "maxItems",
        "minimum",
        "maximum",
        "additionalProperties",
        "propertyOrdering",
    },
    enum=frozenset({"string", "number"}),
    unknown_required=False,
)

#: `parameters` and `responseSchema` of Gemini: its part of OpenAPI 3.0 (written by `dialects/gemini/openapi.py`).
GEMINI_OPENAPI = SchemaRules(
    keywords=_BASE
    | {
        "format",
        "minItems",
        "maxItems",
        "minProperties",
        "maxProperties",
        "minLength",
        "maxLength",
        "pattern",
        "example",
        "minimum",
        "maximum",
        "propertyOrdering",
    },
    formats=frozenset({"enum", "date-time", "float", "double", "int32", "int64"}),
    enum=frozenset({"string"}),
    type_lists=False,
    bare_arrays=False,
    unknown_required=False,
)

#: Strict tools and strict structured output of OpenAI.
OPENAI_STRICT = SchemaRules(
    keywords=_BASE - {"default"}
    | {
        "const",
        "$ref",
        "$defs",
        "definitions",
        "format",
        "pattern",
        "additionalProperties",
        "multipleOf",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "minItems",
        "maxItems",
    },
    formats=frozenset({"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}),
    references=True,
    plain_top=True,
    closed=True,
    all_required=True,
)

#: Strict tools and structured output of Anthropic.
ANTHROPIC_STRICT = SchemaRules(
    keywords=_BASE | {"const", "format", "pattern", "minItems", "additionalProperties"},
    formats=frozenset({"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}),
    enum=frozenset({"string", "number", "boolean", "null"}),
    max_min_items=1,
    closed=True,
)


def json_type(value: object) -> str:
    """What JSON Schema calls the type of a value; whole numbers are numbers."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"
