"""Tool arguments between dialects that carry JSON text and dialects that carry an object."""

from __future__ import annotations

from ccproxy.lightllm.ir.parts import JsonObject
from ccproxy.lightllm.jsontext import JsonError, dumps_text, loads

#: The one field of an object that stands for arguments that are no object, so that nothing is lost.
RAW_ARGUMENTS = "_raw_arguments"

#: The one parameter of the function that stands for a freeform tool.
CUSTOM_INPUT = "input"


def to_object(args: str) -> tuple[JsonObject, bool]:
    """The object that `args` stands for, and whether it is one. Nothing and white space are {}; what is no JSON object
    comes back inside of one, under `_raw_arguments`."""
    if not args or args.isspace():
        return {}, True
    try:
        value = loads(args)
    except (JsonError, UnicodeError):
        return {RAW_ARGUMENTS: args}, False
    if isinstance(value, dict):
        return value, True
    return {RAW_ARGUMENTS: args}, False


def to_text(value: JsonObject) -> str:
    """The JSON text of an arguments object; what `to_object` wrapped is unwrapped again."""
    if len(value) == 1 and isinstance(raw := value.get(RAW_ARGUMENTS), str):
        return raw
    return dumps_text(value)


def wrap_custom(text: str) -> str:
    """A freeform tool's text as the arguments of the function that stands for it."""
    return dumps_text({CUSTOM_INPUT: text})


def unwrap_custom(args: str) -> str:
    """The text inside; arguments of another form are the text themselves."""
    value, _ = to_object(args)
    found = value.get(CUSTOM_INPUT)
    return found if isinstance(found, str) and len(value) == 1 else args
