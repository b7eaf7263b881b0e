import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.providers.answers.schema import example

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "properties", "required", "items", "enum", "anyOf", "$ref", "minItems", "format", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (None, {}),
        ({}, {}),
        ({"type": "string"}, "hello"),
        ({"type": "STRING"}, "hello"),
        ({"type": "integer", "minimum": 3}, 3),
        ({"type": "integer", "exclusiveMinimum": 3}, 4),
        ({"type": "number", "maximum": 0.5}, 0.5),
        ({"type": "boolean"}, False),
        ({"type": "null"}, None),
        ({"type": ["null", "integer"]}, 1),
        ({"anyOf": [{"type": []}, {"type": "string"}]}, None),
        ({"enum": ["b", "a"]}, "b"),
        ({"const": 7}, 7),
        ({"type": "string", "default": "d"}, "d"),
        ({"type": "string", "examples": ["e"]}, "e"),
        ({"type": "string", "format": "date"}, "2026-01-31"),
        ({"type": "string", "minLength": 8}, "hello..."),
        ({"type": "string", "maxLength": 2}, "he"),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, [1, 1]),
        ({"anyOf": [{"type": "null"}, {"type": "boolean"}]}, False),
        ({"allOf": [{"type": "integer"}]}, 1),
        ({"properties": {"a": {"type": "string"}}}, {}),
    ],
)
def test_examples_fit_their_schema(schema: object, value: object) -> None:
    assert example(schema) == value


def test_only_required_properties_are_filled() -> None:
    schema = {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "unit": {"type": "string", "enum": ["celsius", "kelvin"]},
            "optional": {"type": "string"},
        },
        "required": ["city", "unit", "unheard of"],
    }

    assert example(schema) == {"city": "Paris", "unit": "celsius", "unheard of": "hello"}


def test_names_suggest_harmless_values() -> None:
    schema = {
        "type": "object",
        "properties": {"file_path": {"type": "string"}, "command": {"type": "string"}},
        "required": ["file_path", "command"],
    }

    assert example(schema) == {"file_path": "README.md", "command": "echo hello"}


def test_a_command_as_a_list_is_an_argument_vector() -> None:
    schema = {"properties": {"command": {"type": "array", "items": {"type": "string"}}}, "required": ["command"]}

    assert example(schema) == {"command": ["echo", "hello"]}


def test_references_are_followed_and_recursion_ends() -> None:
    schema = {
        "$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}, "required": ["next"]}},
        "properties": {"node": {"$ref": "#/$defs/node"}, "lost": {"$ref": "#/$defs/none"}, "loop": {"$ref": "#"}},
        "required": ["node", "lost"],
    }

    value = example(schema)

    assert value["lost"] == {}
    assert isinstance(value["node"]["next"], dict)


@given(JSON)
def test_no_schema_is_too_odd(schema: object) -> None:
    example(schema)
