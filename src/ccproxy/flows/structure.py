"""Where two JSON values differ, by structure: members by name, lists aligned first, so that one message more is one
difference and not a hundred."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Any

import msgspec

#: Items that are aligned by content. What is longer is aligned at its two ends only.
_MOST_ALIGNED = 2_000
_NOTHING = object()


def differences(path: str, old: Any, new: Any) -> Iterator[tuple[str, str, str]]:
    """The places at which two JSON values differ: path (`body.messages.3.content`), and both values as compact JSON, ""
    where there is none. `path` is that of the values themselves; an index is that of the new list, of a removed item
    that of the old one."""
    if type(old) is dict and type(new) is dict:
        for name in dict.fromkeys([*old, *new]):
            was, became = old.get(name, _NOTHING), new.get(name, _NOTHING)
            place = f"{path}.{name}" if path else str(name)
            if was is _NOTHING or became is _NOTHING:
                yield place, _text(was), _text(became)
            else:
                yield from differences(place, was, became)
    elif type(old) is list and type(new) is list:
        yield from _lists(path, old, new)
    elif type(old) is not type(new) or old != new:
        yield path, _text(old), _text(new)


def _lists(path: str, old: list[Any], new: list[Any]) -> Iterator[tuple[str, str, str]]:
    first, second = [msgspec.json.encode(item) for item in old], [msgspec.json.encode(item) for item in new]
    for a, b, c, d in changed_ranges(first, second):
        paired = min(b - a, d - c)
        for offset in range(paired):
            yield from differences(f"{path}.{c + offset}", old[a + offset], new[c + offset])
        for index in range(a + paired, b):
            yield f"{path}.{index}", _text(old[index]), ""
        for index in range(c + paired, d):
            yield f"{path}.{index}", "", _text(new[index])


def changed_ranges(old: list[bytes], new: list[bytes]) -> Iterator[tuple[int, int, int, int]]:
    """The ranges `old[a:b]` that became `new[c:d]`, in order."""
    shortest = min(len(old), len(new))
    begin = 0
    while begin < shortest and old[begin] == new[begin]:
        begin += 1
    end = 0
    while end < shortest - begin and old[-1 - end] == new[-1 - end]:
        end += 1
    one, other = old[begin : len(old) - end], new[begin : len(new) - end]
    if not one and not other:
        return
    if not one or not other or max(len(one), len(other)) > _MOST_ALIGNED:
        yield begin, begin + len(one), begin, begin + len(other)
        return
    for tag, a, b, c, d in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if tag != "equal":
            yield begin + a, begin + b, begin + c, begin + d


def _text(value: Any) -> str:
    return "" if value is _NOTHING else msgspec.json.encode(value).decode()
