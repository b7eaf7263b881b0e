"""What the models say about themselves, and that they say it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
import yaml
from msgspec import inspect

from ccproxy.config import schema
from ccproxy.config.formats import FORMATS
from ccproxy.config.schema import Facts, Key
from ccproxy.config.template import template
from ccproxy.providers.registry import provider_types

_SECRET_NAME = re.compile(r"secret|password|passphrase|credential|^command$|token$|_key$|^key$")


def every_model(bare: inspect.Type) -> Iterator[inspect.StructType]:
    """The models that a value of the type may hold, at any depth."""
    for member, _ in schema.members(bare, Facts()):
        match member:
            case inspect.StructType():
                yield member
                for key in schema.keys(member):
                    yield from every_model(key.type)
            case inspect.DictType():
                yield from every_model(schema.unwrap(member.value_type)[0])
            case inspect.ListType():
                yield from every_model(schema.unwrap(member.item_type)[0])


def every_key() -> list[tuple[str, Key]]:
    models = {model.cls: model for model in every_model(schema.settings_type())}
    return [(f"{cls.__name__}.{key.name}", key) for cls, model in models.items() for key in schema.keys(model)]


def every_facts(bare: inspect.Type, facts: Facts) -> Iterator[Facts]:
    """The facts of a key and of everything inside it that is no key of its own."""
    for member, own in schema.members(bare, facts):
        yield own
        if isinstance(member, inspect.ListType):
            yield from every_facts(*schema.unwrap(member.item_type))
        if isinstance(member, inspect.DictType):
            yield from every_facts(*schema.unwrap(member.key_type))
            yield from every_facts(*schema.unwrap(member.value_type))


def test_the_walk_reaches_the_far_ends() -> None:
    names = {name for name, _ in every_key()}

    assert {"Settings.port", "Command.command", "TransformRule.match_path", "HookEntry.params"} <= names


def test_every_key_is_described() -> None:
    bare = [
        name
        for name, key in every_key()
        if not key.facts.description and not (isinstance(key.type, inspect.StructType) and schema.summary(key.type))
    ]

    assert bare == []


def test_every_format_is_one_that_is_checked() -> None:
    used = {facts.format for _, key in every_key() for facts in every_facts(key.type, key.facts)} - {""}

    assert used == set(FORMATS)


def test_what_sounds_secret_is_marked_secret() -> None:
    text_keys = [(name, key) for name, key in every_key() if isinstance(key.type, inspect.StrType)]
    open_secrets = [
        name for name, key in text_keys if _SECRET_NAME.search(name.partition(".")[2]) and not key.facts.secret
    ]

    assert open_secrets == []
    assert {name for name, key in text_keys if key.facts.secret} == {
        "Command.command",
        "AnthropicOAuth.client_secret",
        "GoogleOAuth.client_secret",
    }


def test_secrets_inside_of_other_types_are_marked_too() -> None:
    inner = {name for name, key in every_key() if any(facts.secret for facts in every_facts(key.type, key.facts))}

    assert {"GatewayConfig.client_keys", "ProviderConfig.auth"} <= inner


@pytest.mark.parametrize(
    ("path", "phrase"),
    [
        ("Settings.port", "a whole number from 1 to 65535"),
        ("Settings.log_level", "DEBUG, ERROR, INFO or WARNING"),
        ("Settings.hooks", "a mapping or a list"),
        ("ProviderConfig.auth", "a mapping, text, a list or null"),
        ("ProviderConfig.verify", "true or false"),
        ("GatewayConfig.max_headers", "a whole number of at least 10"),
        ("GatewayConfig.header_seconds", "a number above 0"),
        ("GatewayConfig.allowed_hosts", "a list"),
        ("Command.command", "text that is not empty"),
    ],
)
def test_types_in_words(path: str, phrase: str) -> None:
    assert schema.phrase(dict(every_key())[path].type) == phrase


def test_defaults() -> None:
    found = dict(every_key())

    assert found["ProviderConfig.type"].required
    assert not found["Settings.port"].required
    assert found["Settings.port"].default == 4000
    assert found["Settings.providers"].default == {}


def test_variables() -> None:
    assert schema.variable(("gateway", "drain_seconds")) == "CCPROXY_GATEWAY__DRAIN_SECONDS"
    assert schema.variable(("providers", "my-one", "host")) == "CCPROXY_PROVIDERS__MY_ONE__HOST"


def test_where_a_misplaced_key_belongs() -> None:
    assert schema.home_of("transforms") == ("inspector", "transforms")
    assert schema.home_of("drain_seconds") == ("gateway", "drain_seconds")
    assert schema.home_of("port") is None  # there are two
    assert schema.home_of("nonsense") is None


class TestJsonSchema:
    def test_names_every_key(self) -> None:
        definitions = schema.json_schema()["$defs"]
        assert isinstance(definitions, dict)
        found = {f"{name}.{key}" for name, model in definitions.items() for key in model["properties"]}

        assert {name for name, _ in every_key()} <= found
        assert definitions["Settings"]["properties"]["port"]["description"] == "Port the gateway binds."
        assert definitions["ProviderConfig"]["properties"]["type"]["enum"] == sorted(provider_types())

    def test_is_json(self) -> None:
        assert json.loads(json.dumps(schema.json_schema())) == schema.json_schema()

    def test_accepts_the_template_whose_sections_are_empty(self) -> None:
        document = yaml.safe_load(template())

        assert document["ccproxy"]["gateway"] == {"default_upstreams": None}
        assert list(_offences(document, schema.json_schema(), schema.json_schema()["$defs"])) == []

    def test_refuses_what_is_wrong(self) -> None:
        definitions = schema.json_schema()["$defs"]
        for wrong in ({"prot": 1}, {"port": 0}, {"port": "x"}, {"log_level": "info"}, {"providers": {"A": {}}}):
            assert list(_offences({"ccproxy": wrong}, schema.json_schema(), definitions)), wrong


def _offences(value: object, rule: object, definitions: object) -> Iterator[str]:
    """Just enough of JSON Schema to check the schema with: what of `value` the rule forbids."""
    assert isinstance(rule, dict)
    assert isinstance(definitions, dict)
    if "$ref" in rule:
        yield from _offences(value, definitions[rule["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in rule and all(list(_offences(value, option, definitions)) for option in rule["anyOf"]):
        yield f"{value!r} is none of the alternatives"
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool}
    if "type" in rule:
        fits = value is None if rule["type"] == "null" else isinstance(value, kinds[rule["type"]])
        if not fits:
            yield f"{value!r} is not of type {rule['type']}"
            return
    if "enum" in rule and value not in rule["enum"]:
        yield f"{value!r} is not in {rule['enum']}"
    if isinstance(value, int) and not rule.get("minimum", value) <= value <= rule.get("maximum", value):
        yield f"{value!r} is out of range"
    if isinstance(value, dict):
        properties = rule.get("properties", {})
        yield from (f"{name} is missing" for name in rule.get("required", ()) if name not in value)
        for name, item in value.items():
            if not re.search(rule.get("propertyNames", {}).get("pattern", ""), name):
                yield f"{name} does not fit the pattern"
            if name in properties:
                yield from _offences(item, properties[name], definitions)
            elif rule.get("additionalProperties") is False:
                yield f"{name} is unknown"
            elif isinstance(rule.get("additionalProperties"), dict):
                yield from _offences(item, rule["additionalProperties"], definitions)
