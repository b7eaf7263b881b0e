"""Two bodies line by line: a unified diff of their indented JSON, or of what they are if they are no JSON.

Quick for bodies of half a megabyte that share most lines: equal ends are cut off, the rest is split at the lines that are
in both once (patience diff), and only what lies between is compared line by line. Where that would take too long lines
are compared place by place, or the whole range counts as changed: a longer diff, never a wrong one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from difflib import SequenceMatcher

import msgspec

_CONTEXT = 3
#: Pairs of lines that may be compared within a range.
_MOST_PAIRS = 250_000

#: `old[a:b]` became `new[c:d]`.
Range = tuple[int, int, int, int]


def unified(old_name: str, new_name: str, old: bytes, new: bytes, *, raw: bool = False) -> str:
    """The unified diff without a newline at its end; "" if the bodies are equal or no text.

    Args:
        old_name, new_name: what `---` and `+++` say.
        raw: compare the bodies as they are, JSON too.
    """
    try:
        before, after = lines(old, raw=raw), lines(new, raw=raw)
    except UnicodeDecodeError:
        return ""
    ranges = list(changes(before, after))
    if not ranges:
        return ""
    return "\n".join([f"--- {old_name}", f"+++ {new_name}", *_hunks(before, after, ranges)])


def lines(content: bytes, *, raw: bool = False) -> list[str]:
    """A body's lines. Raises UnicodeDecodeError if it is no text."""
    if not raw:
        with suppress(msgspec.MsgspecError, RecursionError):  # if it is no JSON, it is taken as it is
            content = msgspec.json.format(content, indent=2)
    return content.decode().split("\n") if content else []


def changes(old: Sequence[str], new: Sequence[str]) -> Iterator[Range]:
    """The ranges in which they differ, in order, none touching the next."""
    pending: Range | None = None
    for a, b, c, d in _ranges(old, new):
        if pending is not None and pending[1] == a and pending[3] == c:
            pending = pending[0], b, pending[2], d
            continue
        if pending is not None:
            yield pending
        pending = a, b, c, d
    if pending is not None:
        yield pending


def _ranges(old: Sequence[str], new: Sequence[str]) -> Iterator[Range]:
    work: list[Range] = [(0, len(old), 0, len(new))]
    while work:
        a, b, c, d = _trimmed(old, new, work.pop())
        if a == b or c == d:
            if a < b or c < d:
                yield a, b, c, d
            continue
        if (b - a) * (d - c) <= _MOST_PAIRS:
            for tag, e, f, g, h in SequenceMatcher(None, old[a:b], new[c:d], autojunk=False).get_opcodes():
                if tag != "equal":
                    yield a + e, a + f, c + g, c + h
            continue
        anchors = _anchors(old, new, (a, b, c, d))
        if not anchors:
            yield from _by_place(old, new, (a, b, c, d))
            continue
        between: list[Range] = []
        for x, y in anchors:
            between.append((a, x, c, y))
            a, c = x + 1, y + 1
        between.append((a, b, c, d))
        work += reversed(between)


def _by_place(old: Sequence[str], new: Sequence[str], within: Range) -> Iterator[Range]:
    """Of ranges of the same length the lines that differ, each from the one at its place; else all of them."""
    a, b, c, d = within
    if b - a != d - c:
        yield within
        return
    for offset in range(b - a):
        if old[a + offset] != new[c + offset]:
            yield a + offset, a + offset + 1, c + offset, c + offset + 1


def _trimmed(old: Sequence[str], new: Sequence[str], within: Range) -> Range:
    a, b, c, d = within
    while a < b and c < d and old[a] == new[c]:
        a, c = a + 1, c + 1
    while a < b and c < d and old[b - 1] == new[d - 1]:
        b, d = b - 1, d - 1
    return a, b, c, d


def _anchors(old: Sequence[str], new: Sequence[str], within: Range) -> list[tuple[int, int]]:
    """The longest series of lines that are once in each, in the same order in both."""
    a, b, c, d = within
    once_old, once_new = Counter(old[a:b]), Counter(new[c:d])
    places = {line: y for y, line in enumerate(new[c:d], c) if once_new[line] == 1}
    pairs = [(x, places[line]) for x, line in enumerate(old[a:b], a) if once_old[line] == 1 and line in places]
    tops: list[int] = []  # the smallest end of a series of each length
    last: list[int] = []  # which pair that is
    before: list[int] = []
    for number, (_, y) in enumerate(pairs):
        length = bisect_left(tops, y)
        before.append(last[length - 1] if length else -1)
        if length == len(tops):
            tops.append(y)
            last.append(number)
        else:
            tops[length], last[length] = y, number
    series: list[tuple[int, int]] = []
    number = last[-1] if last else -1
    while number >= 0:
        series.append(pairs[number])
        number = before[number]
    return series[::-1]


def _hunks(old: Sequence[str], new: Sequence[str], ranges: Sequence[Range]) -> Iterator[str]:
    group: list[Range] = []
    for one in ranges:
        if group and one[0] - group[-1][1] > 2 * _CONTEXT:
            yield from _hunk(old, new, group)
            group = []
        group.append(one)
    yield from _hunk(old, new, group)


def _hunk(old: Sequence[str], new: Sequence[str], group: Sequence[Range]) -> Iterator[str]:
    lead = min(_CONTEXT, group[0][0], group[0][2])
    begin, start = group[0][0] - lead, group[0][2] - lead
    tail = min(_CONTEXT, len(old) - group[-1][1])
    end, stop = group[-1][1] + tail, group[-1][3] + tail
    yield f"@@ -{_span(begin, end)} +{_span(start, stop)} @@"
    position = begin
    for a, b, c, d in group:
        for line in old[position:a]:
            yield f" {line}"
        for line in old[a:b]:
            yield f"-{line}"
        for line in new[c:d]:
            yield f"+{line}"
        position = b
    for line in old[position:end]:
        yield f" {line}"


def _span(begin: int, end: int) -> str:
    """A range of lines as unified diffs say it, counted from 1."""
    length = end - begin
    if length == 1:
        return str(begin + 1)
    return f"{begin + 1 if length else begin},{length}"
