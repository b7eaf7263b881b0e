"""Which of its several spellings a value had: Chat Completions and the servers that speak it have two or three for some.

The spelling is kept as a null among the `extras` of the thing, under the field's name. null is absent in every dialect,
so that towards another one nothing is lost, and towards this one the value is written as it came.
"""

from __future__ import annotations

from ccproxy.lightllm.ir.parts import JsonObject

NAME = "openai"


def spelled(extras: JsonObject, name: str) -> bool:
    """Whether the value was in the field `name`."""
    return name in extras and extras[name] is None


def said(extras: JsonObject) -> JsonObject:
    """The extras that are fields of their own."""
    return {name: value for name, value in extras.items() if value is not None} if extras else extras
