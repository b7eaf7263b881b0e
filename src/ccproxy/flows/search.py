"""Full-text search: how texts go into the index, and what a person types becomes a query. Pure.

The index is of words. Latin and other scripts with spaces are searched by words and their beginnings; scripts without
spaces character by character, as phrases, so that any piece of their text is found. For that each such character is
stored between zero-width spaces. Words of identifiers are words by themselves (`parse_request` is `parse request`). An
index of trigrams, which would find the middle of words too, was measured: seven times the size and seven times the time.
"""

from __future__ import annotations

import re
from typing import NamedTuple

#: A character of a script without spaces: Thai, Lao, Myanmar, Khmer; Chinese and Japanese.
ALONE = "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u318f\u31f0-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
#: Between those.
_MARK = "\u200b"
_ALONE = re.compile(ALONE)
#: Quoted phrases, also one whose end is missing, and words.
_TYPED = re.compile(r'"([^"]*)"?|([^\s"]+)')
_MOST_TERMS = 32
#: Around the matches in a snippet, as SQLite marks them.
BEGIN, END = "\x02", "\x03"
_BORDER = re.compile(f"[{BEGIN}{END}]")


class Hit(NamedTuple):
    """A flow that a search found.

    Attributes:
        id, seq: the flow.
        role: whose words these are: `prompt` or `answer`.
        snippet: the words around the match.
        marks: where in the snippet the matches begin and end, in characters.
    """

    id: str
    seq: int
    role: str
    snippet: str
    marks: tuple[tuple[int, int], ...] = ()


def indexed(text: str) -> str:
    """A text as it is stored to be searched."""
    return text if text.isascii() else _ALONE.sub(f"{_MARK}\\g<0>{_MARK}", text)


def terms(text: str) -> list[tuple[str, bool]]:
    """What a person looks for: phrases, each with whether its last word may be the beginning of a longer one (that is so
    for all that is not quoted). Empty if there is nothing to look for."""
    found: list[tuple[str, bool]] = []
    for quoted, word in _TYPED.findall(text.replace("\0", " ")):
        phrase = quoted or word
        if any(character.isalnum() for character in phrase):
            found.append((phrase, bool(word)))
    return found[:_MOST_TERMS]


def expression(text: str) -> str | None:
    """The query for SQLite's FTS5: all terms of `text`, wherever they stand. None if there is nothing to look for."""
    quoted = [f'"{indexed(_without_quotes(phrase))}"{"*" if begins else ""}' for phrase, begins in terms(text)]
    return " AND ".join(quoted) or None


def hit(flow_id: str, seq: int, prompt: str, answer: str) -> Hit:
    """A hit from the two snippets of a flow, with their matches between BEGIN and END."""
    role, text = ("answer", answer) if answer.count(BEGIN) > prompt.count(BEGIN) else ("prompt", prompt)
    text = " ".join(text.replace(_MARK, "").split())
    marks: list[tuple[int, int]] = []
    begin = 0
    for before, border in enumerate(_BORDER.finditer(text)):
        place = border.start() - before
        if border[0] == BEGIN:
            begin = place
        elif place > begin:
            marks.append((begin, place))
    return Hit(flow_id, seq, role, _BORDER.sub("", text), tuple(marks))


def _without_quotes(phrase: str) -> str:
    return phrase.replace('"', " ").encode("utf-8", "replace").decode()
