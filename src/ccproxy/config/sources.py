"""The environment and the command line as trees of configuration values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ccproxy.config.locate import DEEPEST, read_value
from ccproxy.config.problems import Place, Problems
from ccproxy.config.schema import PREFIX
from ccproxy.config.tree import Node, Scalar, Table, find, merge, nested, node_of, resolve
from ccproxy.telemetry.text import printable

#: Variables with our prefix that are no settings: where files are, what to print at a crash, how the project sets up
#: its environment before `make run`.
RESERVED = frozenset({"CCPROXY_CONFIG_DIR", "CCPROXY_DEBUG", "CCPROXY_SETUP"})


def from_environment(env: Mapping[str, str], problems: Problems) -> Node:
    """The settings in `CCPROXY_*` variables: `CCPROXY_GATEWAY__DRAIN_SECONDS=5` is `gateway.drain_seconds: 5`.

    Names are taken without regard to case. Values are YAML scalars or flow collections (`[a, b]`, `{a: 1}`). A variable
    that goes deeper is laid over one that sets the whole.
    """
    tree: Node = Table({}, Place("environment", rank=1))
    seen: dict[tuple[str, ...], Place] = {}
    for name, text in sorted(env.items(), key=lambda item: (item[0].count("__"), item[0])):
        if not name.upper().startswith(PREFIX) or name.upper() in RESERVED:
            continue
        place = Place(f"{printable(name)} (environment)", rank=1)
        path = tuple(name[len(PREFIX) :].lower().split("__"))
        if not all(path) or len(path) > DEEPEST:
            problems.add(place, None, "no setting of this name: keys are joined by two underscores")
            continue
        rival = next((whole for whole in seen if path[: len(whole)] == whole and not _open(tree, whole, path)), None)
        if rival is not None:
            problems.add(place, path, f"is set by {seen[rival].source.split()[0]} too; keep one of the two")
            continue
        seen[path] = place
        tree = merge(tree, nested(path, _value(text, place), place))
    return tree


def from_overrides(overrides: Mapping[str, object]) -> Node:
    """Settings given on the command line, by dotted path. None means that the flag was not given."""
    tree: Node = Table({}, Place("command line", rank=2))
    for dotted, value in overrides.items():
        if value is None:
            continue
        path = tuple(dotted.split("."))
        place = Place(f"--{path[-1].replace('_', '-')}", rank=2)
        tree = merge(tree, nested(path, node_of(value, place), place))
    return tree


def _open(tree: Node, whole: tuple[str, ...], path: tuple[str, ...]) -> bool:
    """Whether the value at `whole` is a mapping that `path`, further down, can add to."""
    return len(path) > len(whole) and isinstance(find(tree, whole), Table)


def _value(text: str, place: Place) -> Node:
    """The value of a variable. What looks like a collection and is none is text: `[a-z]+` broken off, a shell test."""
    bare = text.strip()
    if bare[:1] in {"[", "{", '"', "'"}:
        match read_value(bare, place):
            case None:
                pass
            case Scalar(value=value):
                return Scalar(value, place)
            case node:
                return replace(node, raw=text)
        return Scalar(text, place, raw=text)
    return Scalar(resolve(bare), place, plain=True, raw=text)
