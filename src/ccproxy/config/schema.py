"""What the configuration models say about themselves: types, descriptions, formats, secrets.

The models are msgspec Structs with `Annotated[..., Meta(...)]` fields. Beyond the description, `Meta(extra=...)` may
hold `format` (a word of `ccproxy.config.formats`, checked at load) and `secret: True` (never shown). Checking, the
template, the reference page and masking all read the models through this module, so none of them can drift.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import inspect

from ccproxy.config.settings import Settings
from ccproxy.providers.registry import provider_types

PREFIX = "CCPROXY_"


@dataclass(frozen=True, slots=True)
class Facts:
    """What stands beside a type. `secret` covers everything inside it."""

    description: str = ""
    format: str = ""
    secret: bool = False

    def within(self, outer: Facts) -> Facts:
        """These facts for something inside of what `outer` describes."""
        return Facts(self.description, self.format, self.secret or outer.secret)


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a model. `type` is unwrapped, `facts` is what it was wrapped in; `default` is `msgspec.NODEFAULT` if it must be given."""

    name: str
    type: inspect.Type
    facts: Facts
    default: object

    @property
    def required(self) -> bool:
        return self.default is msgspec.NODEFAULT


def settings_type() -> inspect.StructType:
    """The type of everything below `ccproxy:`."""
    found = inspect.type_info(Settings)
    assert isinstance(found, inspect.StructType)
    return found


def unwrap(annotated: inspect.Type) -> tuple[inspect.Type, Facts]:
    """The bare type and what its annotations say, outer annotations first."""
    description, format_, secret = "", "", False
    while isinstance(annotated, inspect.Metadata):
        extra = annotated.extra or {}
        schema = annotated.extra_json_schema or {}
        description = description or str(schema.get("description", ""))
        format_ = format_ or str(extra.get("format", ""))
        secret = secret or bool(extra.get("secret"))
        annotated = annotated.type
    return annotated, Facts(description, format_, secret)


def members(bare: inspect.Type, facts: Facts) -> list[tuple[inspect.Type, Facts]]:
    """The alternatives of a union, each unwrapped; a type that is no union is its only alternative."""
    if not isinstance(bare, inspect.UnionType):
        return [(bare, facts)]
    found = []
    for member in bare.types:
        inner, own = unwrap(member)
        found.append((inner, Facts(own.description, own.format or facts.format, own.secret or facts.secret)))
    return found


def keys(struct: inspect.StructType) -> list[Key]:
    """The keys of a model in the order they are declared, without the one that tells the kind (`type` of `auth`)."""
    return [Key(field.encode_name, *unwrap(field.type), _default(field)) for field in struct.fields]


def container(bare: inspect.Type) -> bool:
    """Whether an empty value means the empty container: a list, a mapping, a section without required keys."""
    match bare:
        case inspect.ListType() | inspect.DictType():
            return True
        case inspect.StructType():
            return bare.tag_field is None and not any(field.required for field in bare.fields)
        case _:
            return False


def phrase(bare: inspect.Type) -> str:
    """What a value of the type is, for "expected ...": "a whole number from 1 to 65535"."""
    match bare:
        case inspect.StrType():
            return "text" if not bare.min_length else "text that is not empty"
        case inspect.IntType():
            return f"a whole number{_range(bare)}"
        case inspect.FloatType():
            return f"a number{_range(bare)}"
        case inspect.BoolType():
            return "true or false"
        case inspect.NoneType():
            return "null"
        case inspect.LiteralType():
            return _listed([str(value) for value in bare.values])
        case inspect.ListType():
            return "a list"
        case inspect.UnionType():
            return _listed(list(dict.fromkeys(phrase(unwrap(member)[0]) for member in bare.types)))
        case _:
            return "a mapping"


def variable(path: tuple[str, ...]) -> str:
    """The environment variable that sets the setting at `path`."""
    return PREFIX + "__".join(step.upper().replace("-", "_") for step in path)


def sections(
    struct: inspect.StructType, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], inspect.StructType]]:
    """The model itself and every model that is reached from it by keys alone, with their paths."""
    yield path, struct
    for key in keys(struct):
        if isinstance(key.type, inspect.StructType):
            yield from sections(key.type, (*path, key.name))


def home_of(name: str) -> tuple[str, ...] | None:
    """Where a key belongs that was written in a wrong place: its path, if exactly one section has a key of the name."""
    found = [
        (*path, name) for path, struct in sections(settings_type()) if any(key.name == name for key in keys(struct))
    ]
    return found[0] if len(found) == 1 else None


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a configuration file, for editors and other programs.

    It knows keys, types and ranges; formats and rules between settings are checked by `ccproxy config check` alone.
    """
    (root,), definitions = msgspec.json.schema_components([Settings], ref_template="#/$defs/{name}")
    for definition in definitions.values():
        for name, schema in definition.get("properties", {}).items():
            definition["properties"][name] = _with_null(schema)
    definitions["ProviderConfig"]["properties"]["type"]["enum"] = sorted(provider_types())
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "ccproxy.yaml",
        "type": "object",
        "properties": {"ccproxy": _with_null(root)},
        "additionalProperties": False,
        "$defs": definitions,
    }


def _with_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a section, mapping or list, which may also be left empty; any other as it is."""
    options = schema.get("anyOf", [schema])
    if not all("$ref" in option or option.get("type") in {"object", "array"} for option in options):
        return schema
    outside = {name: value for name, value in schema.items() if name in {"description", "default"}}
    inside = [{name: value for name, value in option.items() if name not in outside} for option in options]
    return {**outside, "anyOf": [*inside, {"type": "null"}]}


def summary(struct: inspect.StructType) -> str:
    """The docstring of a model, as one paragraph."""
    return " ".join((struct.cls.__doc__ or "").split())


def _default(field: inspect.Field) -> object:
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return field.default


def _range(bare: inspect.IntType | inspect.FloatType) -> str:
    if bare.ge is not None and bare.le is not None:
        return f" from {bare.ge} to {bare.le}"
    if bare.ge is not None:
        return f" of at least {bare.ge}"
    if bare.gt is not None:
        return f" above {bare.gt}"
    if bare.le is not None:
        return f" of at most {bare.le}"
    return ""


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
