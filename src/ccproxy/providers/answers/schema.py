"""A value that fits a JSON Schema: what a stand-in model puts into tool arguments and structured output.

Only required properties are filled, with the schema's own example, default, constant or first enum member where it
has one, else with something harmless: a command is an `echo`, a path is `README.md`. Gemini's upper-case types and
`$ref` into the same schema are understood; recursion stops after a few levels. Never raises on an odd schema.
"""

from __future__ import annotations

from typing import Any

_DEPTH = 6

_FORMATS = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "email": "someone@example.com",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "ipv4": "127.0.0.1",
    "hostname": "example.com",
}

#: What a property's name suggests; the longest match decides.
_NAMES = {
    "city": "Paris",
    "cmd": "echo hello",
    "command": "echo hello",
    "country": "France",
    "date": "2026-01-31",
    "directory": ".",
    "email": "someone@example.com",
    "file": "README.md",
    "location": "Paris",
    "path": "README.md",
    "pattern": "README*",
    "query": "hello",
    "url": "https://example.com/",
}


def example(schema: object) -> Any:
    """A value for `schema`; an object if it says nothing."""
    root = schema if isinstance(schema, dict) else {}
    return _example(root, root, "", _DEPTH)


def _example(schema: object, root: dict[str, Any], name: str, depth: int) -> Any:
    if not isinstance(schema, dict):
        return name or "example"
    schema = _resolved(schema, root)
    for key in ("const", "example", "default"):
        if schema.get(key) is not None:
            return schema[key]
    for key in ("enum", "examples"):
        if isinstance(schema.get(key), list) and schema[key]:
            return schema[key][0]
    for key in ("anyOf", "oneOf", "allOf"):
        choices = schema.get(key)
        if isinstance(choices, list) and choices and depth > 0:
            return _example(_first_real(choices), root, name, depth - 1)
    match _type(schema):
        case "object":
            return _object(schema, root, depth)
        case "array":
            return _array(schema, root, name, depth)
        case "integer" | "number":
            return _number(schema)
        case "boolean":
            return False
        case "null":
            return None
        case _:
            return _string(schema, name)


def _resolved(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    for _ in range(_DEPTH):
        reference = schema.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#"):
            break
        found: Any = root
        for step in reference.lstrip("#/").split("/") if len(reference) > 1 else []:
            found = found.get(step) if isinstance(found, dict) else None
        if not isinstance(found, dict):
            return {}
        schema = found
    return schema


def _first_real(choices: list[Any]) -> Any:
    for choice in choices:
        if not (isinstance(choice, dict) and choice.get("type") in ("null", "NULL")):
            return choice
    return choices[0]


def _type(schema: dict[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((each for each in kind if each != "null"), "null")
    if isinstance(kind, str):
        return kind.lower()
    if "properties" in schema or not schema:
        return "object"
    return "array" if "items" in schema else "string"


def _object(schema: dict[str, Any], root: dict[str, Any], depth: int) -> dict[str, Any]:
    properties = schema.get("properties")
    required = schema.get("required")
    if not isinstance(properties, dict) or not isinstance(required, list) or depth <= 0:
        return {}
    names = [name for name in required if isinstance(name, str)]
    return {name: _example(properties.get(name, {"type": "string"}), root, name, depth - 1) for name in names}


def _array(schema: dict[str, Any], root: dict[str, Any], name: str, depth: int) -> list[Any]:
    items = schema.get("items")
    if depth <= 0 or not isinstance(items, dict):
        return []
    if _type(_resolved(items, root)) == "string" and name.lower() in {"cmd", "command"}:
        return ["echo", "hello"]
    least = schema.get("minItems")
    count = least if isinstance(least, int) and 1 <= least <= 16 else 1
    return [_example(items, root, name.removesuffix("s"), depth - 1) for _ in range(count)]


def _number(schema: dict[str, Any]) -> Any:
    for key, step in (("minimum", 0), ("exclusiveMinimum", 1)):
        if isinstance(schema.get(key), int | float):
            return schema[key] + step
    top = schema.get("maximum")
    return min(1, top) if isinstance(top, int | float) else 1


def _string(schema: dict[str, Any], name: str) -> str:
    kind = schema.get("format")
    if isinstance(kind, str) and kind in _FORMATS:
        return _FORMATS[kind]
    lowered = name.lower()
    fitting = [word for word in _NAMES if word in lowered]
    text = _NAMES[max(fitting, key=len)] if fitting else "hello"
    least, most = schema.get("minLength"), schema.get("maxLength")
    if isinstance(least, int) and len(text) < least <= 4096:
        text = text.ljust(least, ".")
    return text[:most] if isinstance(most, int) and most >= 0 else text
