"""What became of a prompt between two requests, in words: the first block that is not the same, and how. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from ccproxy.flows.prefix import Block

#: How Claude Code's system prompt begins. Anthropic takes the line out before it looks into its cache; towards others it
#: is a part of the prompt that is another one in every request.
BILLING = "x-anthropic-billing-header:"

#: Characters shown on each side of a difference.
_AROUND = 24
_MOST_NAMES = 4
_NUMBERS = re.compile(r"\d+")
_DAYS = re.compile(
    r"\b(?:mon|tue|wed|thu|fri|sat|sun|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\b|\b[ap]m\b",
    re.IGNORECASE,
)
_TIME = re.compile(
    r"\d{1,2}:\d{2}|\d{4}-\d{2}-\d{2}|\d{1,2}[./]\d{1,2}[./]\d{2,4}|\b1[6-9]\d{8}(?:\d{3})?\b|\b20\d{2}\b"
)


class Edit(NamedTuple):
    """The first difference.

    Attributes:
        block: where it is, in the later prompt; in the earlier one if it has ended there.
        what: a sentence without a full stop: `tool Read is gone`.
        before, after: what stands around the difference, "" where there is nothing.
    """

    block: Block
    what: str
    before: str = ""
    after: str = ""


def first_edit(old: Sequence[Block], new: Sequence[Block], at: int) -> Edit | None:
    """The difference between two prompts that have `at` blocks in common; None if the later one goes on where the earlier
    one ends."""
    if at >= len(old):
        return None
    was, became = old[at], new[at] if at < len(new) else None
    section = _first_section(was, became)
    block = became if became is not None and became.section == section else was
    if section == "tools":
        return Edit(block, *_tools(old, new, at))
    if section == "settings":
        return Edit(block, *_setting(was, became))
    if became is None:
        return Edit(was, f"the prompt ends {_blocks(len(old) - at)} earlier")
    if (what := _compaction(old, new, was, became)) is not None:
        return Edit(block, what, _excerpt(was), _excerpt(became))
    later = {other.key for other in old[at + 1 :]}
    if became.key in later:
        return Edit(block, f"{_label(was)} is gone", _excerpt(was), "")
    if was.key in {other.key for other in new[at + 1 :]}:
        return Edit(block, f"{_label(became)} was put in", "", _excerpt(became))
    if was.kind != became.kind:
        return Edit(block, f"{_label(was)} became {_label(became)}", _excerpt(was), _excerpt(became))
    before, after = text_of(was), text_of(became)
    end = before.find("\n")
    if before.startswith(BILLING) and (end < 0 or _first(before, after) < end):
        return Edit(
            block, f"{_label(became)} changed: it begins with Claude Code's billing line", *_around(before, after)
        )
    return Edit(block, f"{_part(before, after)}{_label(became)} changed", *_around(before, after))


def _first_section(was: Block, became: Block | None) -> str:
    """Where the difference is: a tool or setting more, or less, is one in its own section."""
    for block in (was, became):
        if block is not None and block.section in {"tools", "settings"}:
            return block.section
    return was.section


def _tools(old: Sequence[Block], new: Sequence[Block], at: int) -> tuple[str, str, str]:
    before = [block for block in old if block.section == "tools"]
    after = [block for block in new if block.section == "tools"]
    old_names, new_names = [block.name for block in before], [block.name for block in after]
    if {block.key for block in before} == {block.key for block in after}:
        return "the same tools come in another order", ", ".join(old_names[:8]), ", ".join(new_names[:8])
    more = [name for name in new_names if name not in set(old_names)]
    gone = [name for name in old_names if name not in set(new_names)]
    said = [f"{_names(more)} came" if more else "", f"{_names(gone)} went" if gone else ""]
    if more or gone:
        return " and ".join(filter(None, said)), "", ""
    changed = next((pair for pair in zip(before, after, strict=False) if pair[0].key != pair[1].key), None)
    assert changed is not None
    was, became = changed
    if was.name != became.name:
        return (
            "the tools come in another order, and some have changed",
            ", ".join(old_names[:8]),
            ", ".join(new_names[:8]),
        )
    return f"the definition of tool {was.name} changed", *_around(text_of(was), text_of(became))


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f"tool{'s' if len(names) > 1 else ''} {', '.join(names[:_MOST_NAMES])}{more}"


def _setting(was: Block, became: Block | None) -> tuple[str, str, str]:
    if became is not None and became.section == was.section and became.name == was.name:
        return f"the setting {was.name} changed", *_around(text_of(was), text_of(became))
    if became is not None and became.section == "settings":
        return f"the setting {became.name} came", "", _excerpt(became)
    return f"the setting {was.name} went", _excerpt(was), ""


def _compaction(old: Sequence[Block], new: Sequence[Block], was: Block, became: Block) -> str | None:
    """A history that was replaced by a shorter one."""
    if was.section != "messages" or became.section != "messages":
        return None
    before, after = (sum(block.section == "messages" for block in blocks) for blocks in (old, new))
    if before < 4 or after > before * 0.6:
        return None
    return f"the history was compacted: {_blocks(before)} became {_blocks(after)}"


def _part(before: str, after: str) -> str:
    """What changed in a text, if that is all that did: a time, a number."""
    if _shape(before) != _shape(after):
        return ""
    first = _first(before, after)
    window = slice(max(0, first - _AROUND), first + _AROUND)
    return "a time in " if _TIME.search(before[window]) or _TIME.search(after[window]) else "a number in "


def _shape(text: str) -> str:
    return _NUMBERS.sub("0", _DAYS.sub("D", text))


def _around(before: str, after: str) -> tuple[str, str]:
    place = max(0, _first(before, after) - _AROUND)
    mark, window = "…" if place else "", slice(place, place + 3 * _AROUND)
    return mark + before[window], mark + after[window]


def _first(before: str, after: str) -> int:
    """The first character that is not the same."""
    low, high = 0, min(len(before), len(after))
    while low < high:  # by halves: texts are long
        middle = (low + high + 1) // 2
        if before[:middle] == after[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def text_of(block: Block) -> str:
    """The words of a block, or its JSON."""
    value: Any = msgspec.json.decode(block.key)
    if isinstance(value, list) and block.section == "messages":
        value = value[1]
    if isinstance(value, dict):
        for name in ("text", "thinking", "content"):
            if isinstance(value.get(name), str) and value[name]:
                return str(value[name])
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _excerpt(block: Block) -> str:
    return text_of(block)[: 3 * _AROUND]


def _label(block: Block) -> str:
    return f"the {block.label}"


def _blocks(count: int) -> str:
    return f"{count} part{'s' if count != 1 else ''}"
