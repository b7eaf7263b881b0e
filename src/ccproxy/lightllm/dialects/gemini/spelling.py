"""Names in both spellings: `functionCall` and `function_call` are one field (protobuf's JSON takes either).

What a client's spelling was, where the API has several fields for one thing, is kept as a null among the extras of the
thing, under the field's name: written back as it came, no loss elsewhere.
"""

from __future__ import annotations

import re

from ccproxy.lightllm.fields import Fields, as_object
from ccproxy.lightllm.ir.parts import JsonObject

NAME = "gemini"

_UNDERSCORE = re.compile(r"(?<=[a-z0-9])_([a-z])")


def camel(value: object, path: str) -> JsonObject:
    """The object with its own field names in camelCase (values are left alone). Raises ShapeError."""
    given = as_object(value, path)
    for name in given:
        if "_" in name:
            break
    else:
        return given
    out: JsonObject = {}
    for name, inner in given.items():
        if "_" not in name:
            out[name] = inner
    for name, inner in given.items():
        if "_" in name:
            out.setdefault(_UNDERSCORE.sub(lambda found: found[1].upper(), name), inner)
    return out


def fields_of(value: object, path: str) -> Fields:
    """The object to be read by its camelCase names. Raises ShapeError."""
    return Fields(camel(value, path), path)


def said(extras: JsonObject) -> JsonObject:
    """Extras without the nulls that only tell a spelling."""
    return {name: value for name, value in extras.items() if value is not None}
