"""Checks a tree of configuration values against the models and finds every problem, each with its place.

msgspec stops at the first error and does not say which key of a mapping it was under, so the tree is walked along the
types it reports. What passes is returned as plain data that `msgspec.convert` takes; what does not pass is left out,
and is None in a list, so that positions stay what they are in the file.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import inspect

from ccproxy.config import schema
from ccproxy.config.formats import ADDRESSES, FORMATS, displayed
from ccproxy.config.problems import Path, Place, Problems, named, quoted, shown, suggestion
from ccproxy.config.schema import Facts, Key
from ccproxy.config.tree import Items, Node, Scalar, Table, plain

Data = dict[str, object]
Alternative = tuple[inspect.Type, Facts]
_INVALID = object()
#: Words that YAML 1.1 takes for booleans. They count as such only where a boolean is wanted.
_WORDS = {"yes": True, "on": True, "no": False, "off": False}
_MOST = 2**63 - 1
_LONGEST_SECRET_KEY = 20


def check(tree: Node, problems: Problems) -> tuple[Data, dict[Path, Place]]:
    """The values of everything below `ccproxy:` that are valid by themselves, and where each of them was written.

    Rules that concern several settings are not looked at here. What is wrong goes to `problems`.
    """
    walker = _Walker(problems)
    data = walker.value(schema.settings_type(), Facts(), tree, ())
    return (data if isinstance(data, dict) else {}), walker.origins


class _Walker:
    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self.origins: dict[Path, Place] = {}

    def value(self, bare: inspect.Type, facts: Facts, node: Node, path: Path, *, key: Key | None = None) -> object:
        """The value of `node` as the type wants it, or _INVALID."""
        if isinstance(node, Scalar) and node.broken:
            return _INVALID
        alternatives = schema.members(bare, facts)
        chosen, node = _choose(alternatives, node)
        if not chosen:
            # Where a section is wanted, a single value is one whose colon was forgotten, and may be a credential.
            hidden = any(own.secret for _, own in alternatives) or not any(_is_leaf(kind) for kind, _ in alternatives)
            self._unexpected(bare, Facts(secret=hidden), node, path)
            return _INVALID
        structs = [member for member, _ in chosen if isinstance(member, inspect.StructType)]
        if len(chosen) > 1 or (structs and structs[0].tag_field is not None):
            return self._tagged(structs, facts, node, path)
        return self._member(*chosen[0], node, path, key)

    def _member(self, member: inspect.Type, facts: Facts, node: Node, path: Path, key: Key | None) -> object:
        match member:
            case inspect.StructType():
                assert isinstance(node, Table)
                return self._struct(member, facts, node, path)
            case inspect.DictType():
                assert isinstance(node, Table)
                return self._dict(member, facts, node, path)
            case inspect.ListType():
                return self._list(member, facts, node, path)
            case inspect.AnyType():
                self.origins[path] = node.place
                return plain(node)
            case _:
                assert isinstance(node, Scalar)
                return self._leaf(member, facts, node, path, key)

    def _struct(self, struct: inspect.StructType, facts: Facts, node: Table, path: Path) -> object:
        data: Data = {}
        known = {key.name: key for key in schema.keys(struct)}
        tag = struct.tag_field
        for name, (place, child) in node.entries.items():
            if name == tag:
                data[name] = struct.tag
            elif name not in known:
                self._problems.add(place, (*path, name), _unknown(name, known, tag, path))
            else:
                key = known[name]
                found = self.value(key.type, key.facts.within(facts), child, (*path, name), key=key)
                if found is not _INVALID:
                    data[name] = found
        for key in known.values():
            if key.required and key.name not in node.entries:
                self._problems.add(node.place, path, f'the key "{key.name}" is missing')
        return data

    def _tagged(self, structs: list[inspect.StructType], facts: Facts, node: Node, path: Path) -> object:
        """One of several models, told apart by the value of one key."""
        assert isinstance(node, Table)
        field = structs[0].tag_field or ""
        by_tag = {str(struct.tag): struct for struct in structs}
        entry = node.entries.get(field)
        if entry is None:
            self._problems.add(node.place, path, f'the key "{field}" is missing; one of: {", ".join(by_tag)}')
            return _INVALID
        word = entry.node.value if isinstance(entry.node, Scalar) else None
        if not isinstance(word, str) or word not in by_tag:
            word = word if isinstance(word, str) else ""
            got = named(word) if word else _display(entry.node, facts)
            self._problems.add(entry.place, (*path, field), f"unknown {field} {got}{suggestion(word, by_tag)}")
            return _INVALID
        self.origins[*path, field] = entry.node.place
        return self._struct(by_tag[word], facts, node, path)

    def _dict(self, kind: inspect.DictType, facts: Facts, node: Table, path: Path) -> object:
        data: Data = {}
        _, key_facts = schema.unwrap(kind.key_type)
        value_type, value_facts = schema.unwrap(kind.value_type)
        inner = value_facts.within(facts)
        for name, (place, child) in node.entries.items():
            # Who takes the name for the key writes a secret where names are shown.
            step = "…" if inner.secret and len(name) >= _LONGEST_SECRET_KEY else name
            wrong = FORMATS[key_facts.format](name) if key_facts.format else ""
            if wrong:
                self._problems.add(place, (*path, step), f"{wrong}, got {named(step)}")
            found = self.value(value_type, inner, child, (*path, step))
            if found is not _INVALID and not wrong:
                data[name] = found
        return data

    def _list(self, kind: inspect.ListType, facts: Facts, node: Node, path: Path) -> object:
        item_type, item_facts = schema.unwrap(kind.item_type)
        self.origins[path] = node.place
        items = node.items if isinstance(node, Items) else ()
        found = [
            self.value(item_type, item_facts.within(facts), item, (*path, position))
            for position, item in enumerate(items)
        ]
        return [None if item is _INVALID else item for item in found]

    def _leaf(self, member: inspect.Type, facts: Facts, node: Scalar, path: Path, key: Key | None) -> object:
        value = node.value
        wrong = ""
        if isinstance(member, inspect.BoolType) and isinstance(value, str):
            value = _WORDS[value.lower()]
        elif isinstance(member, inspect.IntType | inspect.FloatType) and isinstance(value, int | float):
            wrong = _number(member, value)
        elif isinstance(member, inspect.LiteralType) and value not in member.values:
            options = [str(option) for option in member.values]
            self._problems.add(node.place, path, f"unknown value {named(str(value))}{suggestion(str(value), options)}")
            return _INVALID
        elif isinstance(value, str):
            wrong = _text(member, facts, value, unset=key is not None and value == "" and key.default in ("", None))
        if wrong:
            got = "" if facts.secret else f", got {_display(node, facts)}"
            self._problems.add(node.place, path, f"{wrong}{got}")
            return _INVALID
        self.origins[path] = node.place
        return value

    def _unexpected(self, bare: inspect.Type, facts: Facts, node: Node, path: Path) -> None:
        advice = ""
        if isinstance(node, Scalar) and node.value is None:
            advice = "; remove the line to have the default"
        elif isinstance(node, Scalar) and not isinstance(node.value, str) and "text" in schema.phrase(bare):
            advice = "; put it in quotes"
        got = _display(node, facts)
        self._problems.add(node.place, path, f"expected {schema.phrase(bare)}, got {got}{advice}")


def _choose(alternatives: list[Alternative], node: Node) -> tuple[list[Alternative], Node]:
    """The alternatives that the kind of the node allows, and the node as these want it. Only models that are told
    apart by a key can be more than one."""
    chosen = [pair for pair in alternatives if _admits(pair[0], node)]
    if not chosen and node.raw is not None:
        # The environment knows only text, so text is what it is where text is wanted.
        chosen = [pair for pair in alternatives if isinstance(pair[0], inspect.StrType | inspect.LiteralType)]
        node = Scalar(node.raw, node.place) if chosen else node
    if not chosen and isinstance(node, Scalar) and node.value is None:
        # A section whose lines are all commented out.
        chosen = [pair for pair in alternatives if schema.container(pair[0])][:1]
        node = Table({}, node.place) if chosen and not isinstance(chosen[0][0], inspect.ListType) else node
    return chosen, node


def _admits(member: inspect.Type, node: Node) -> bool:
    """Whether the kind of the node is that of the type; whether the value is good is another question."""
    if isinstance(member, inspect.AnyType):
        return True
    if isinstance(node, Table):
        return isinstance(member, inspect.StructType | inspect.DictType)
    if isinstance(node, Items):
        return isinstance(member, inspect.ListType)
    match node.value:
        case None:
            return isinstance(member, inspect.NoneType)
        case bool():
            return isinstance(member, inspect.BoolType)
        case int():
            return isinstance(member, inspect.IntType | inspect.FloatType)
        case float():
            return isinstance(member, inspect.FloatType)
        case str() as text:
            if isinstance(member, inspect.BoolType):
                return node.plain and text.lower() in _WORDS
            return isinstance(member, inspect.StrType | inspect.LiteralType)


def _is_leaf(bare: inspect.Type) -> bool:
    containers = inspect.StructType | inspect.DictType | inspect.ListType | inspect.NoneType
    return not isinstance(bare, containers)


def _number(member: inspect.IntType | inspect.FloatType, value: int | float) -> str:
    fits = (
        (member.ge is None or value >= member.ge)
        and (member.gt is None or value > member.gt)
        and (member.le is None or value <= member.le)
        and (member.lt is None or value < member.lt)
    )
    if fits and abs(value) <= _MOST:
        return ""
    return f"expected {schema.phrase(member)}" if not fits else "this number is too large"


def _text(member: inspect.Type, facts: Facts, value: str, *, unset: bool) -> str:
    """What is wrong with a text value; an empty one in place of an empty default means "not set"."""
    if unset:
        return ""
    if "\0" in value or not _encodable(value):
        return "not valid UTF-8 text"
    if isinstance(member, inspect.StrType) and len(value) < (member.min_length or 0):
        return f"expected {schema.phrase(member)}"
    return FORMATS[facts.format](value) if facts.format else ""


def _encodable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _display(node: Node, facts: Facts) -> str:
    """A bad value for a message, or what kind of thing it is where the value itself must not be shown."""
    match node:
        case Items():
            return "a list"
        case Table():
            return "a mapping"
        case Scalar(value=str() as text) if not facts.secret:
            return quoted(displayed(text) if facts.format in ADDRESSES else text)
        case Scalar(value=str()):
            return "text"
        case Scalar(value=None):
            return "nothing"
        case Scalar(value=value) if facts.secret:
            return "true or false" if isinstance(value, bool) else "a number"
        case Scalar(value=value):
            return shown(value)


def _unknown(name: str, known: Mapping[str, object], tag: str | None, path: Path) -> str:
    options = [*known, tag] if tag else list(known)
    near = suggestion(name, options)
    home = schema.home_of(name)
    if home is not None and home[:-1] != path and "did you mean" not in near:
        near = f"; it belongs under {'.'.join(('ccproxy', *home[:-1]))}"
    return f"unknown key {named(name)}{near}"
