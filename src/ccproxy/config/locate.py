"""YAML text to a tree of values with their lines.

Works on the parser's events rather than on PyYAML's loader: a loader resolves tags, keeps the last of two equal keys
and expands aliases without limit; here a tag and a repeated key are problems, and depth and size are capped while the
text is read (the parser's own cost grows with the square of the depth). Scalars follow YAML 1.2, merge keys (`<<`) work.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from ccproxy.config.problems import Path, Place, Problems, named, suggestion
from ccproxy.config.tree import Entry, Items, Node, Scalar, Table, resolve

ROOT = "ccproxy"
MOST_NODES = 20_000
DEEPEST = 40

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
#: What to do about the parser's commoner complaints, by the words they begin with in the C and the Python parser.
_ADVICE = (
    (
        "mapping values are not allowed",
        'a ":" that does not belong here: check the indentation, quote text that holds ": "',
    ),
    ("found character", "a value cannot begin with this character; put it in quotes"),
    ("found unexpected end of stream", "a quote is opened and not closed"),
    ("did not find expected ',' or", "a bracket is opened and not closed, or a comma is missing"),
    ("expected ',' or", "a bracket is opened and not closed, or a comma is missing"),
    ("did not find expected key", "the indentation does not fit, or a colon or a quote is missing"),
    ("could not find expected ':'", "a key without its colon"),
    ("did not find expected '-' indicator", "the indentation does not fit the list above"),
    ("expected <block end>", "the indentation does not fit"),
    ("found unknown escape character", "unknown escape after a backslash; single quotes leave backslashes alone"),
    ("found unexpected ':'", 'put the value that holds ":" in quotes'),
)


class Unreadable(Exception):
    """The text is not YAML that can be read any further; the problem is noted."""


def read_file(text: str, source: str, problems: Problems) -> Table:
    """What stands below `ccproxy:` in the text of a configuration file; empty if nothing does.

    Args:
        source: the file's name for places.
        problems: takes what is wrong with the text; what can be read is returned all the same.
    """
    empty = Table({}, Place(source))
    if found := _UNPRINTABLE.search(text):
        place = Place(source, text.count("\n", 0, found.start()) + 1)
        problems.add(place, None, f"character U+{ord(found[0]):04X} is not allowed in YAML")
        return empty
    try:
        document = _Reader(text, source, problems).document()
    except Unreadable:
        return empty
    match document:
        case None | Scalar(value=None):
            return empty
        case Table():
            return _below_root(document, problems)
        case _:
            problems.add(document.place, None, f'expected a mapping with the one key "{ROOT}:" at the top of the file')
            return empty


def read_value(text: str, place: Place) -> Node | None:
    """A flow collection or quoted scalar from one line, every node of it at `place`; None if it is neither."""
    ignored = Problems()
    if _UNPRINTABLE.search(text):
        return None
    try:
        node = _Reader(text, place.source, ignored, fixed=place).document()
    except Unreadable:
        return None
    return None if ignored or (isinstance(node, Scalar) and node.plain) else node


def _below_root(document: Table, problems: Problems) -> Table:
    content = Table({}, document.place)
    for key, (place, node) in document.entries.items():
        if key != ROOT:
            advice = suggestion(key, (ROOT,)) if ROOT not in document.entries else ""
            problems.add(place, None, f'unknown key {named(key)} at the top; settings go below "{ROOT}:"{advice}')
        elif isinstance(node, Table):
            content = node
        elif not (isinstance(node, Scalar) and node.value is None):
            problems.add(node.place, (), "expected a mapping of settings")
    return content


class _Reader:
    """Builds one document from the parser's events."""

    def __init__(self, text: str, source: str, problems: Problems, *, fixed: Place | None = None) -> None:
        self._lines = text.splitlines()
        self._source = source
        self._problems = problems
        self._fixed = fixed
        self._events: Iterator[Any] = yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        self._anchors: dict[str, Node] = {}
        self._last = Place(source, 1)

    def document(self) -> Node | None:
        """The one document of the text, None if there is none. Raises Unreadable."""
        root: Node | None = None
        seen = 0
        while True:
            event = self._next()
            match event:
                case yaml.StreamEndEvent():
                    return root
                case yaml.DocumentStartEvent():
                    seen += 1
                    if seen > 1:
                        raise self._stop(self._place(event), None, "a second document begins; a file holds one")
                case yaml.DocumentEndEvent() | yaml.StreamStartEvent():
                    pass
                case _:
                    root = self._node(event, (), 0)

    def _node(self, event: Any, path: Path, depth: int) -> Node:
        place = self._place(event)
        if depth > DEEPEST:
            raise self._stop(place, None, f"nested more than {DEEPEST} deep")
        if isinstance(event, yaml.AliasEvent):
            known = self._anchors.get(event.anchor or "")
            if known is None:
                self._problems.add(place, path[1:], 'refers to nothing; put a value that begins with "*" in quotes')
                return Scalar("", place, broken=True)
            return known
        node: Node
        match event:
            case yaml.ScalarEvent():
                node = self._scalar(event, place)
            case yaml.SequenceStartEvent():
                node = self._items(place, path, depth)
            case _:
                node = self._table(place, path, depth)
        if self._has_tag(event, place, path):
            node = Scalar("", place, broken=True)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _scalar(self, event: yaml.ScalarEvent, place: Place) -> Scalar:
        text = event.value
        # Quotes make text of anything, and so do the tags `!` and `!!str`.
        if not event.style and event.tag is None:
            return Scalar(resolve(text), place, plain=True)
        return Scalar(text, place)

    def _items(self, place: Place, path: Path, depth: int) -> Items:
        items: list[Node] = []
        size = 1
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            item = self._node(event, (*path, len(items)), depth + 1)
            size = self._grown(size, item, place)
            items.append(item)
        return Items(tuple(items), place, size)

    def _table(self, place: Place, path: Path, depth: int) -> Table:
        entries: dict[str, Entry] = {}
        merged: dict[str, Entry] = {}
        size = 1
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key_place = self._place(event)
            key = self._key(event, path, depth)
            event = self._next()
            node = self._node(event, path if key is None else (*path, key), depth + 1)
            size = self._grown(size, node, place)
            if key is None:
                continue
            if key == "<<":
                self._merge_in(merged, node, key_place, path)
            elif key in entries:
                first = entries[key].place
                known = f"first {f'on line {first.line}' if first.line else 'above'}"
                self._problems.add(key_place, path[1:], f"key {named(key)} is given twice ({known})")
            else:
                entries[key] = Entry(key_place, node)
        return Table({**merged, **entries} if merged else entries, place, size)

    def _key(self, event: Any, path: Path, depth: int) -> str | None:
        """A key as text, whatever type its value would have; None for one that is no text."""
        if isinstance(event, yaml.ScalarEvent):
            self._has_tag(event, self._place(event), path)
            if event.anchor is not None:
                self._anchors[event.anchor] = Scalar(event.value, self._place(event))
            return str(event.value)
        place = self._place(event)
        self._node(event, path, depth + 1)
        self._problems.add(place, path[1:], "a key must be plain text")
        return None

    def _merge_in(self, merged: dict[str, Entry], node: Node, place: Place, path: Path) -> None:
        parts = node.items if isinstance(node, Items) else (node,)
        for part in parts:
            if isinstance(part, Table):
                for key, entry in part.entries.items():
                    merged.setdefault(key, entry)
            else:
                self._problems.add(place, path[1:], '"<<" takes a mapping, or a list of mappings')

    def _has_tag(self, event: Any, place: Place, path: Path) -> bool:
        if event.tag in {None, "!", "tag:yaml.org,2002:str", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"}:
            return False
        # The tag itself is not shown: it may be the beginning of a password.
        self._problems.add(place, path[1:], 'tags are not supported; put a value that begins with "!" in quotes')
        return True

    def _grown(self, size: int, node: Node, place: Place) -> int:
        size += node.size
        if size > MOST_NODES:
            raise self._stop(place, None, f"more than {MOST_NODES} values once aliases are filled in")
        return size

    def _next(self) -> Any:
        try:
            event = next(self._events)
        except yaml.MarkedYAMLError as error:
            raise self._syntax(error) from None
        except (yaml.YAMLError, UnicodeError):
            raise self._stop(self._last, None, "broken YAML") from None
        self._last = self._place(event)
        return event

    def _place(self, event: Any) -> Place:
        return self._fixed or Place(self._source, event.start_mark.line + 1)

    def _syntax(self, error: yaml.MarkedYAMLError) -> Unreadable:
        """The parser's complaint in our words. Its own text may quote the file, so only known beginnings are used."""
        mark = error.problem_mark or error.context_mark
        number = min(mark.line + 1, max(len(self._lines), 1)) if mark else self._last.line
        line = self._lines[number - 1] if self._lines else ""
        if "\t" in line[: len(line) - len(line.lstrip())]:
            advice = "a tab in the indentation; use spaces"
        else:
            said = error.problem or ""
            advice = next((advice for begin, advice in _ADVICE if said.startswith(begin)), "it cannot be understood")
        begun = error.context_mark.line + 1 if error.context_mark else number
        start = f" (begun on line {begun})" if begun < number else ""
        return self._stop(Place(self._source, number), None, f"broken YAML: {advice}{start}")

    def _stop(self, place: Place, path: Path | None, message: str) -> Unreadable:
        self._problems.add(place, path, message)
        return Unreadable(message)
