"""Schemas for targets that take part of JSON Schema."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccproxy.lightllm.ir.losses import LossLedger
from ccproxy.lightllm.ir.parts import JsonObject
from ccproxy.lightllm.schema import NOTE, strict_problem, translate
from ccproxy.lightllm.schema_rules import (
    ANTHROPIC_STRICT,
    ANYTHING,
    GEMINI_JSON,
    GEMINI_OPENAPI,
    OPENAI_STRICT,
    PLAIN_TOP,
    SchemaRules,
)

TARGETS = {
    "gemini-json": GEMINI_JSON,
    "gemini-openapi": GEMINI_OPENAPI,
    "openai-strict": OPENAI_STRICT,
    "anthropic-strict": ANTHROPIC_STRICT,
    "plain-top": PLAIN_TOP,
    "anything": ANYTHING,
}
rules_of = pytest.mark.parametrize("rules", TARGETS.values(), ids=TARGETS)


def cleaned(schema: JsonObject, rules: SchemaRules = GEMINI_JSON) -> JsonObject:
    return translate(schema, rules, "tools[0].schema", LossLedger())


def losses(schema: JsonObject, rules: SchemaRules = GEMINI_JSON) -> list[tuple[str, str]]:
    ledger = LossLedger()
    translate(schema, rules, "s", ledger)
    return [(loss.path, loss.kind) for loss in ledger]


def note(**beyond: Any) -> str:
    return NOTE + json.dumps(beyond, separators=(",", ":"))


def test_what_fits_is_the_same_object() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string", "description": "A", "enum": ["x"]}, "b": {"type": ["integer", "null"]}},
        "required": ["a"],
        "additionalProperties": False,
    }
    assert cleaned(schema) is schema
    assert losses(schema) == []


def test_references_are_replaced_by_what_they_refer_to() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/A", "description": "near"}, "b": {"$ref": "#/definitions/b~1c"}},
        "$defs": {"A": {"type": "string", "description": "far"}},
        "definitions": {"b/c": {"$ref": "#/$defs/A"}},
    }
    assert cleaned(schema) == {
        "type": "object",
        "properties": {
            "a": {"type": "string", "description": "near"},
            "b": {"type": "string", "description": "far"},
        },
    }
    assert losses(schema) == []


def test_a_reference_to_a_place_and_to_an_anchor() -> None:
    schema = {
        "$id": "https://e.com/s",
        "properties": {
            "a": {"type": "integer", "$anchor": "one"},
            "b": {"$ref": "#/properties/a"},
            "c": {"$ref": "#one"},
            "d": {"$ref": "https://e.com/s#one"},
        },
    }
    found = cleaned(schema)["properties"]
    assert found == {name: {"type": "integer"} for name in "abcd"}
    assert ("s.$id", "dropped") in losses(schema)


def test_recursion_is_cut_once_and_recorded() -> None:
    tree = {"type": "object", "properties": {"next": {"$ref": "#"}, "v": {"type": "string"}}, "description": "A tree."}
    inner = {"type": "object", "description": "A tree."}
    assert cleaned(tree) == {
        "type": "object",
        "properties": {
            "next": {
                "type": "object",
                "properties": {"next": inner, "v": {"type": "string"}},
                "description": "A tree.",
            },
            "v": {"type": "string"},
        },
        "description": "A tree.",
    }
    assert losses(tree) == [("s.properties.next.properties.next.$ref", "approximated")]


def test_what_a_reference_does_not_find_is_recorded() -> None:
    for ref in ("#/$defs/none", "https://e.com/other.json", "#none", 7):
        schema = {"type": "object", "properties": {"a": {"$ref": ref, "type": "string"}}}
        assert cleaned(schema)["properties"]["a"] == {"type": "string"}
        assert losses(schema) == [("s.properties.a.$ref", "dropped")]


def test_definitions_that_multiply_are_cut() -> None:
    defs: JsonObject = {
        f"d{n}": {"type": "object", "properties": {c: {"$ref": f"#/$defs/d{n + 1}"} for c in "abcd"}} for n in range(20)
    }
    schema = {"$ref": "#/$defs/d0", "$defs": {**defs, "d20": {"type": "string"}}}
    ledger = LossLedger()
    found = translate(schema, GEMINI_JSON, "s", ledger)
    assert len(json.dumps(found)) < 5_000_000
    assert any("too large" in loss.reason for loss in ledger)


def test_all_of_is_merged() -> None:
    schema = {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
            {"properties": {"b": {"type": "number", "minimum": 1}, "a": {"description": "A"}}, "required": ["b"]},
        ],
        "properties": {"b": {"minimum": 3}},
    }
    assert cleaned(schema) == {
        "properties": {
            "b": {"minimum": 3, "type": "number"},
            "a": {"type": "string", "description": "A"},
        },
        "type": "object",
        "required": ["a", "b"],
    }
    assert losses(schema) == []


def test_what_cannot_be_merged_is_described() -> None:
    schema = {"type": "string", "format": "date", "allOf": [{"format": "time"}]}
    assert cleaned(schema) == {"type": "string", "format": "date", "description": note(also=[{"format": "time"}])}
    assert losses(schema) == [("s.also", "approximated")]


def test_one_of_const_and_nullable() -> None:
    assert cleaned({"oneOf": [{"const": "a"}, {"type": "string", "nullable": True}]}) == {
        "anyOf": [{"enum": ["a"]}, {"type": ["string", "null"]}]
    }
    assert cleaned({"type": "STRING", "nullable": True}) == {"type": ["string", "null"]}
    assert cleaned({"anyOf": [{"type": "string"}], "nullable": True}) == {
        "anyOf": [{"type": "string"}, {"type": "null"}]
    }
    assert cleaned({"enum": ["a", None]}) == {"enum": ["a"], "type": ["string", "null"]}
    assert cleaned({"const": None}) == {"type": "null"}
    assert cleaned({"oneOf": [{"const": 1}]}, ANTHROPIC_STRICT) == {"anyOf": [{"const": 1}]}
    assert losses({"oneOf": [{"type": "string"}]}) == [("s.oneOf", "approximated")]


def test_several_types_become_alternatives_where_one_is_allowed() -> None:
    schema = {"type": ["string", "integer", "null"], "minLength": 1, "minimum": 2, "description": "x"}
    assert cleaned(schema, GEMINI_OPENAPI) == {
        "description": "x",
        "anyOf": [{"type": "string", "minLength": 1}, {"type": "integer", "minimum": 2}, {"type": "null"}],
    }
    assert losses(schema, GEMINI_OPENAPI) == []
    assert cleaned({"type": ["null", "array"]}, GEMINI_OPENAPI) == {"type": ["array", "null"], "items": {}}


def test_what_the_target_cannot_say_is_in_the_description() -> None:
    schema = {"type": "string", "description": "A word.", "minLength": 3, "pattern": "^a", "$comment": "no"}
    assert cleaned(schema) == {
        "type": "string",
        "description": f"A word.\n\n{note(minLength=3, pattern='^a')}",
    }
    assert losses(schema) == [("s.$comment", "dropped"), ("s.minLength", "approximated"), ("s.pattern", "approximated")]


def test_a_keyword_is_recorded_once_however_often_it_stands() -> None:
    ledger = LossLedger()
    translate({"properties": {c: {"minLength": 1} for c in "abc"}}, GEMINI_JSON, "s", ledger)
    (loss,) = ledger
    assert loss.path == "s.properties.a.minLength"
    assert "in 3 places" in loss.reason


def test_bounds_of_whole_numbers() -> None:
    assert cleaned({"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 9}) == {
        "type": "integer",
        "minimum": 1,
        "maximum": 8,
    }
    assert cleaned({"type": "number", "exclusiveMinimum": 0}) == {
        "type": "number",
        "description": note(exclusiveMinimum=0),
    }


def test_values_that_the_target_cannot_list() -> None:
    assert cleaned({"enum": [1, 2], "type": "integer"}) == {"enum": [1, 2], "type": "integer"}
    assert cleaned({"enum": [1, 2], "type": "integer"}, GEMINI_OPENAPI) == {
        "type": "integer",
        "description": note(enum=[1, 2]),
    }


def test_tuples() -> None:
    pair = [{"type": "string"}, {"type": "integer"}]
    assert cleaned({"type": "array", "items": pair}) == {"type": "array", "prefixItems": pair}
    assert cleaned({"type": "array", "prefixItems": pair}, GEMINI_OPENAPI) == {
        "type": "array",
        "items": {"anyOf": pair},
        "description": note(prefixItems=pair),
    }
    assert cleaned({"type": "array"}, GEMINI_OPENAPI) == {"type": "array", "items": {}}


def test_required_names_that_are_not_defined() -> None:
    schema = {"type": "object", "properties": {"a": {}}, "required": ["a", "ghost"]}
    assert cleaned(schema)["required"] == ["a"]
    assert losses(schema) == [("s.required", "approximated")]


def test_strict_targets_close_objects() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "object", "additionalProperties": {"type": "string"}}}}
    found = cleaned(schema, ANTHROPIC_STRICT)
    assert found["additionalProperties"] is False
    inner = found["properties"]["a"]
    assert inner["additionalProperties"] is False
    assert inner["description"] == note(additionalProperties={"type": "string"})
    assert losses(schema, ANTHROPIC_STRICT) == [("s.properties.a.additionalProperties", "approximated")]


def test_what_openai_cannot_be_bound_to() -> None:
    fine = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    assert strict_problem(fine, OPENAI_STRICT) == ""
    assert (
        strict_problem({"anyOf": [fine, {**fine, "required": []}]}, OPENAI_STRICT) == "not all properties are required"
    )
    assert strict_problem({**fine, "additionalProperties": True}, OPENAI_STRICT) == "further properties are allowed"
    assert strict_problem({**fine, "required": []}, ANTHROPIC_STRICT) == ""


def test_openai_keeps_references() -> None:
    schema = {
        "type": "object",
        "properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}},
        "required": ["next"],
        "additionalProperties": False,
    }
    assert cleaned(schema, OPENAI_STRICT) == schema


def test_a_plain_top() -> None:
    one = {"type": "object", "properties": {"a": {"type": "string"}, "c": {}}, "required": ["a", "c"]}
    two = {"type": "object", "properties": {"b": {"type": "string"}, "c": {}}, "required": ["b", "c"]}
    assert cleaned({"anyOf": [one, two]}, PLAIN_TOP) == {
        "type": "object",
        "properties": {"a": {"type": "string"}, "c": {}, "b": {"type": "string"}},
        "required": ["c"],
        "description": note(anyOf=[one, two]),
    }
    assert cleaned({"type": "string"}, PLAIN_TOP) == {"type": "object", "description": note(type="string")}
    assert cleaned({"properties": {}}, PLAIN_TOP) == {"type": "object", "properties": {}}


# Properties over the whole vocabulary

names = st.sampled_from(["a", "b", "c", "$ref", "enum"])
scalars = st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["a", "b", "", "x" * 30]) | st.just(1.5)
types = st.sampled_from(["string", "number", "integer", "boolean", "null", "array", "object", "STRING", "any", 5])
refs = st.sampled_from(["#", "#/$defs/a", "#/$defs/b", "#/properties/a", "#/definitions/c", "#x", "other.json", 3])


def keywords(inner: st.SearchStrategy[Any]) -> dict[str, st.SearchStrategy[Any]]:
    """Every keyword of 2020-12, those of earlier drafts and of OpenAPI, and a few that nobody knows."""
    table = st.dictionaries(names, inner, max_size=3)
    many = st.lists(inner, max_size=3)
    count = st.integers(0, 4)
    found: dict[str, st.SearchStrategy[Any]] = {
        **dict.fromkeys(("$ref", "$dynamicRef", "$recursiveRef"), refs),
        **dict.fromkeys(("$schema", "$id", "id", "$anchor", "$dynamicAnchor", "$comment", "$vocabulary"), st.sampled_from(["x", "https://e.com/s"])),
        **dict.fromkeys(("properties", "patternProperties", "$defs", "definitions", "dependentSchemas"), table),
        **dict.fromkeys(("allOf", "anyOf", "oneOf", "prefixItems"), many),
        **dict.fromkeys(("not", "if", "then", "else", "contains", "propertyNames", "unevaluatedItems", "unevaluatedProperties", "contentSchema", "additionalItems"), inner),
        "items": inner | many,
        "additionalProperties": inner | st.booleans(),
        "type": types | st.lists(types, max_size=4),
        "enum": st.lists(scalars, max_size=4),
        "const": scalars,
        "required": st.lists(names, max_size=3),
        "dependentRequired": st.dictionaries(names, st.lists(names, max_size=2), max_size=2),
        "dependencies": table,
        **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"), st.integers(-3, 9) | st.booleans() | st.just(0.5)),
        **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "minContains", "maxContains"), count),
        **dict.fromkeys(("pattern", "contentEncoding", "contentMediaType", "title", "description", "format"), st.sampled_from(["date-time", "uuid", "^a", "int64", ""])),
        **dict.fromkeys(("uniqueItems", "deprecated", "readOnly", "writeOnly", "nullable"), st.booleans()),
        **dict.fromkeys(("default", "example"), scalars),
        "examples": st.lists(scalars, max_size=2),
        "propertyOrdering": st.lists(names, max_size=2),
        "discriminator": st.just({"propertyName": "a"}),
        "x-vendor": scalars,
    }  # fmt: skip
    return found


@st.composite
def schema_of(draw: st.DrawFn, inner: st.SearchStrategy[Any]) -> JsonObject:
    known = keywords(inner)
    chosen = draw(st.lists(st.sampled_from(sorted(known)), max_size=5, unique=True))
    return {name: draw(known[name]) for name in chosen}


schemas = st.recursive(st.booleans() | schema_of(st.just({})), schema_of, max_leaves=12)
wild = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | schema_of(inner), max_leaves=8)


def within(schema: Any, rules: SchemaRules) -> None:
    """Asserts that nothing but the rules' keywords and types is in a schema."""
    assert type(schema) is dict
    assert rules.keywords is not None
    assert set(schema) <= rules.keywords
    kinds = schema.get("type", [])
    for kind in kinds if isinstance(kinds, list) else [kinds]:
        assert kind in ("string", "number", "integer", "boolean", "null", "array", "object")
    if not rules.type_lists and isinstance(kinds, list) and kinds:
        assert len(kinds) == 2
        assert kinds[1] == "null"
    for name, value in schema.items():
        if name in ("items",) or (name == "additionalProperties" and not isinstance(value, bool)):
            within(value, rules)
        elif name in ("anyOf", "prefixItems", "oneOf"):
            for one in value:
                within(one, rules)
        elif name in ("properties", "$defs", "definitions"):
            for one in value.values():
                within(one, rules)
    if rules.closed and (kinds == "object" or "properties" in schema):
        assert schema["additionalProperties"] is False
    if not rules.bare_arrays and (kinds == "array" or (isinstance(kinds, list) and "array" in kinds)):
        assert "items" in schema


@rules_of
@settings(max_examples=400)
@given(schema=schemas)
def test_any_schema_comes_out_within_the_rules_and_comes_out_again_unchanged(rules: SchemaRules, schema: Any) -> None:
    if not isinstance(schema, dict):
        return
    before = json.dumps(schema)
    found = cleaned(schema, rules)
    assert json.dumps(schema) == before
    if rules.keywords is not None:
        within(found, rules)
    if rules.plain_top:
        assert found["type"] == "object"
    again = LossLedger()
    assert json.dumps(translate(found, rules, "s", again)) == json.dumps(found)
    assert [loss for loss in again if loss.kind != "approximated" or "contains itself" not in loss.reason] == []
    assert json.dumps(cleaned(json.loads(before), rules)) == json.dumps(found)


@rules_of
@settings(max_examples=200)
@given(schema=wild)
def test_what_is_no_schema_at_all_does_no_harm(rules: SchemaRules, schema: Any) -> None:
    if isinstance(schema, dict):
        json.dumps(cleaned(schema, rules))
