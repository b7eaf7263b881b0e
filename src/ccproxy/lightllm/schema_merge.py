"""Two JSON Schemas that must both hold, as one.

Where a keyword of both can be said once (bounds, required names, common values, properties) it is; where it cannot, the
second one goes into `also`, which no target knows, so that it ends in the description. Pure; what is given is not changed.
"""

from __future__ import annotations

from typing import Any

from ccproxy.lightllm.ir.parts import JsonObject

_HIGHEST = frozenset({"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"})
_LOWEST = frozenset({"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"})
#: Where the second word is the nearer one: it stands where the schema is used.
_NEARER = frozenset({"title", "description", "default", "examples", "example", "$comment", "deprecated"})
_DEEPEST = 30


def merged(first: JsonObject, second: JsonObject, depth: int = 0) -> JsonObject:
    """`first` and `second` as one; the order is that of `first`, then what is new."""
    if not second or depth > _DEEPEST:
        return dict(first)
    out = dict(first)
    for name, value in second.items():
        if name not in out or out[name] == value:
            out[name] = value
            continue
        own = out[name]
        if name in _NEARER:
            out[name] = value
        elif name == "properties" and type(own) is dict and type(value) is dict:
            both = dict(own)
            for key, inner in value.items():
                both[key] = _both(both[key], inner, depth) if key in both else inner
            out[name] = both
        elif name == "required" and type(own) is list and type(value) is list:
            out[name] = [*own, *(one for one in value if one not in own)]
        elif name in _HIGHEST and _number(own) and _number(value):
            out[name] = max(own, value)
        elif name in _LOWEST and _number(own) and _number(value):
            out[name] = min(own, value)
        elif name == "enum" and type(own) is list and type(value) is list:
            common = [one for one in own if one in value]
            out[name] = common or own
        elif name == "type":
            out[name] = _type(own, value)
        elif name in ("$defs", "definitions") and type(own) is dict and type(value) is dict:
            out[name] = {**own, **value}
        elif name == "additionalProperties" and (own is False or value is False):
            out[name] = False
        elif name in ("items", "additionalProperties") and type(own) is dict and type(value) is dict:
            out[name] = merged(own, value, depth + 1)
        elif name == "allOf" and type(own) is list and type(value) is list:
            out[name] = [*own, *value]
        else:
            # Both must hold and no single word says so: what a target cannot say goes into its description.
            also = out.get("also")
            out["also"] = [*(also if type(also) is list else []), {name: value}]
    return out


def _both(first: Any, second: Any, depth: int) -> Any:
    if type(first) is dict and type(second) is dict:
        return merged(first, second, depth + 1)
    return first if second is True else second


def _number(value: object) -> bool:
    return type(value) is int or type(value) is float


def _type(first: Any, second: Any) -> Any:
    """The types that both allow; the first where they exclude each other."""
    ours = first if type(first) is list else [first]
    theirs = second if type(second) is list else [second]
    common = [one for one in ours if one in theirs or (one == "integer" and "number" in theirs)]
    common = common or ["integer"] if "integer" in theirs and "number" in ours and not common else common
    if not common:
        return first
    return common[0] if len(common) == 1 else common
