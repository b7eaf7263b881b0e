"""Settings as text: YAML with comments, and the effective settings with their secrets masked."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping

import msgspec
from msgspec import inspect

from ccproxy.config import schema
from ccproxy.config.formats import ADDRESSES
from ccproxy.config.problems import Path, dotted
from ccproxy.config.schema import Facts
from ccproxy.config.settings import Settings
from ccproxy.config.tree import resolve
from ccproxy.util.redact import is_secret_name, redact_url

MASK = "***"

#: Text that every YAML reader takes for the same text without quotes.
_PLAIN = re.compile(r"[A-Za-z_./~^$\\(][A-Za-z0-9_./~^$\\()+|@=-]*(?:[ :][A-Za-z0-9_./~^$\\()+|@=-]+)*|(?:\d+\.){3}\d+")
_ELSEWHERE_BOOLEAN = frozenset({"y", "n", "yes", "no", "on", "off"})


def scalar(value: object) -> str:
    """A single value, or a collection in flow style, on one line of YAML."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case float():
            return _float(value)
        case int():
            return str(value)
        case list() | tuple():
            return f"[{', '.join(_flow(item) for item in value)}]"
        case Mapping():
            return f"{{{', '.join(f'{scalar(str(key))}: {_flow(item)}' for key, item in value.items())}}}"
        case _:
            return _text(str(value))


def block(data: Mapping[str, object], note: Callable[[Path], str], path: Path = (), indent: int = 0) -> Iterator[str]:
    """The lines of a mapping in block style; `note` gives the comment for the end of a setting's line, or ""."""
    for key, value in data.items():
        here = (*path, key)
        lead = f"{'  ' * indent}{scalar(key)}:"
        comment = f"  # {text}" if (text := note(here)) else ""
        if isinstance(value, Mapping) and value:
            yield f"{lead}{comment}"
            yield from block(value, note, here, indent + 1)
        elif isinstance(value, list) and any(isinstance(item, Mapping | list) for item in value):
            yield f"{lead}{comment}"
            yield from _items(value, note, here, indent + 1)
        else:
            yield f"{lead} {scalar(value)}{comment}"


def masked(settings: Settings) -> dict[str, object]:
    """The settings as plain data, credentials replaced by `***`."""
    data = _mask(schema.settings_type(), Facts(), msgspec.to_builtins(settings))
    assert isinstance(data, dict)
    return data


def effective(settings: Settings, origins: Mapping[str, str]) -> str:
    """The settings as YAML, secrets masked, with the origin of each that was written somewhere."""

    def note(path: Path) -> str:
        return origins.get(dotted(path[1:]).removeprefix("ccproxy."), "")

    return "".join(f"{line}\n" for line in block({"ccproxy": masked(settings)}, note))


def _items(values: list[object], note: Callable[[Path], str], path: Path, indent: int) -> Iterator[str]:
    for position, value in enumerate(values):
        lead = "  " * indent
        if isinstance(value, Mapping) and value:
            first, *rest = block(value, note, (*path, position), indent + 1)
            yield f"{lead}- {first.lstrip()}"
            yield from rest
        else:
            yield f"{lead}- {scalar(value)}"


def _float(value: float) -> str:
    if value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    mantissa, e, exponent = repr(value).partition("e")
    # YAML 1.1 knows a float by its point.
    return f"{mantissa}{'' if '.' in mantissa else '.0'}{e}{exponent}" if e else mantissa


def _flow(value: object) -> str:
    text = scalar(value)
    # Inside brackets a comma or colon would end the value.
    return json.dumps(value) if isinstance(value, str) and text == value and not text.isidentifier() else text


def _text(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _ELSEWHERE_BOOLEAN and resolve(text) == text:
        return text
    return "".join(_escaped(c) for c in json.dumps(text, ensure_ascii=False))


def _escaped(character: str) -> str:
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"


def _mask(bare: inspect.Type, facts: Facts, value: object) -> object:
    """`value` of the type with what is secret replaced. Structures stay, so that one sees what is set."""
    if isinstance(bare, inspect.UnionType):
        return _mask_union(bare, facts, value)
    match bare, value:
        case inspect.StructType(), dict():
            known = {key.name: key for key in schema.keys(bare)}
            return {
                name: _mask(known[name].type, known[name].facts.within(facts), item) if name in known else item
                for name, item in value.items()
            }
        case inspect.DictType(), dict():
            inner, own = schema.unwrap(bare.value_type)
            if isinstance(inner, inspect.AnyType):
                return _mask_any(value)
            return {name: _mask(inner, own.within(facts), item) for name, item in value.items()}
        case inspect.ListType(), list():
            inner, own = schema.unwrap(bare.item_type)
            return [_mask(inner, own.within(facts), item) for item in value]
        case inspect.AnyType(), _:
            return _mask_any(value)
        case _, str() if value and facts.secret:
            return MASK
        case _, str() if facts.format in ADDRESSES:
            return redact_url(value)
        case _:
            return value


def _mask_union(union: inspect.UnionType, facts: Facts, value: object) -> object:
    kinds: dict[type, tuple[type[inspect.Type], ...]] = {
        dict: (inspect.StructType, inspect.DictType),
        list: (inspect.ListType,),
        str: (inspect.StrType, inspect.LiteralType),
    }
    for member, own in schema.members(union, facts):
        if not isinstance(member, kinds.get(type(value), ())):
            continue
        if not isinstance(member, inspect.StructType) or member.tag_field is None:
            return _mask(member, own, value)
        if isinstance(value, dict) and value.get(member.tag_field) == member.tag:
            return _mask(member, own, value)
    return value


def _mask_any(value: object) -> object:
    match value:
        case dict():
            return {
                name: MASK if isinstance(item, str) and is_secret_name(str(name)) else _mask_any(item)
                for name, item in value.items()
            }
        case list():
            return [_mask_any(item) for item in value]
        case _:
            return value
