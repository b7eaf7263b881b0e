"""Configuration values with the places they were written at.

Every source (file, environment, command line) becomes such a tree; trees are merged, and the one that results is
checked, so that a problem names the very line or variable whatever source won. Nodes are immutable and may be shared.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ccproxy.config.problems import Path, Place

Value = bool | int | float | str | None

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*(?:_[0-9]+)*)")
_BASED = re.compile(r"0x[0-9a-fA-F]+|0o[0-7]+")
_FLOAT = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)")
#: No number with more digits than this is meant; longer ones are text. (Python refuses to convert very long ones.)
_LONGEST_NUMBER = 40


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value.

    `plain` tells an unquoted word from quoted text. `raw` is the untouched text of an environment variable, which is
    taken as it stands where a setting wants text; None for other sources. `broken` marks what could not be read and has
    its problem already.
    """

    value: Value
    place: Place
    plain: bool = False
    raw: str | None = None
    broken: bool = False

    size = 1


@dataclass(frozen=True, slots=True)
class Items:
    """A list. `size` counts the nodes in it, itself included, with shared ones counted each time they appear."""

    items: tuple[Node, ...]
    place: Place
    size: int = 1
    raw: str | None = None


class Entry(NamedTuple):
    """A value and where its key stands."""

    place: Place
    node: Node


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping with text keys, in the order written. `size` as in `Items`."""

    entries: Mapping[str, Entry]
    place: Place
    size: int = 1
    raw: str | None = None


Node = Scalar | Items | Table


def resolve(text: str) -> Value:
    """The value of an unquoted YAML scalar after the core schema of YAML 1.2: no dates, no octal `010`, no base 60."""
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if len(text) > _LONGEST_NUMBER:
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text.replace(".inf", "inf").replace(".Inf", "inf").replace(".INF", "inf"))
    return text


def node_of(value: object, place: Place) -> Node:
    """A tree of Python values; anything that is no scalar, list or mapping counts as its text."""
    match value:
        case Mapping():
            entries = {str(key): Entry(place, node_of(item, place)) for key, item in value.items()}
            return Table(entries, place)
        case list() | tuple():
            return Items(tuple(node_of(item, place) for item in value), place)
        case bool() | int() | float() | str() | None:
            return Scalar(value, place)
        case _:
            return Scalar(str(value), place)


def nested(path: tuple[str, ...], node: Node, place: Place) -> Node:
    """`node` below the keys of `path`."""
    for key in reversed(path):
        node = Table({key: Entry(place, node)}, place)
    return node


def merge(base: Node, over: Node) -> Node:
    """`over` on top of `base`: mappings merge key by key, everything else is replaced.

    A key of `over` also meets the key of `base` that differs only in case and `-` for `_`, since names of environment
    variables cannot tell these apart.
    """
    if not isinstance(base, Table) or not isinstance(over, Table):
        return over
    entries = dict(base.entries)
    folded = {_fold(key): key for key in entries}
    for key, entry in over.entries.items():
        known = key if key in entries else folded.get(_fold(key), key)
        present = entries.get(known)
        entries[known] = entry if present is None else Entry(entry.place, merge(present.node, entry.node))
    return Table(entries, base.place if base.entries else over.place)


def place_of(root: Node, path: Path) -> Place:
    """The place of the setting at `path`, or of the nearest whole around it that was written."""
    node = root
    place = root.place
    for step in path:
        if isinstance(node, Table) and isinstance(step, str) and step in node.entries:
            place, node = node.entries[step]
        elif isinstance(node, Items) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
            place = node.place
        else:
            break
    return place


def find(root: Node, path: Path) -> Node | None:
    """The value at `path`, None if nothing was written there."""
    node: Node | None = root
    for step in path:
        if isinstance(node, Table) and isinstance(step, str):
            entry = node.entries.get(step)
            node = None if entry is None else entry.node
        elif isinstance(node, Items) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
        else:
            return None
    return node


def plain(node: Node) -> object:
    """The bare Python value."""
    match node:
        case Scalar():
            return node.value
        case Items():
            return [plain(item) for item in node.items]
        case Table():
            return {key: plain(entry.node) for key, entry in node.entries.items()}


def _fold(key: str) -> str:
    return key.lower().replace("-", "_")
