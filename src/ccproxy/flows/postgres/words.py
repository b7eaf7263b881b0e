"""Full-text search in PostgreSQL that finds what the SQLite store's index finds. Pure.

PostgreSQL's own parser makes one word of an address or a path, and none of scripts without spaces. So the words are made
here, by the rule of `search` (letters and digits, without accents; characters of scripts without spaces by themselves),
and given to the database as a finished `tsvector`; a query likewise. Where the words stand in a text is found again for
the snippet.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import chain

from ccproxy.flows import search
from ccproxy.flows.search import Hit

_WORD = re.compile(rf"{search.ALONE}|(?:(?!{search.ALONE})[^\W_])+")
_ASCII_WORD = re.compile("[A-Za-z0-9]+")
#: Of a `tsvector`: the longest word, the last place, and how many places of one word.
_LONGEST = 200
_LAST_PLACE = 16_383
_MOST_PLACES = 255
#: Between prompt and answer, so that no phrase reaches from one to the other.
_GAP = 16
#: Words around a match.
_AROUND = 12


def words(text: str) -> list[str]:
    """The words of a text, in order."""
    text = _plain(text)
    return [word[:_LONGEST] for word in (_ASCII_WORD if text.isascii() else _WORD).findall(text)]


def vector(prompt: str, answer: str) -> str:
    """The words of both as the text of a `tsvector`."""
    places: dict[str, list[int]] = {}
    asked = words(prompt)
    answered = words(answer)
    for place, word in chain(enumerate(asked, 1), enumerate(answered, len(asked) + _GAP)):
        found = places.setdefault(word, [])
        if len(found) < _MOST_PLACES:
            found.append(min(place, _LAST_PLACE))
    return " ".join(f"'{word}':{','.join(map(str, found))}" for word, found in places.items())


def expression(text: str) -> str | None:
    """What a person typed as the text of a `tsquery`; None if there is nothing to look for."""
    parts: list[str] = []
    for phrase, begins in search.terms(text):
        found = [f"'{word}'" for word in words(phrase)]
        if found:
            parts.append(f"({' <-> '.join(found)}{':*' if begins else ''})")
    return " & ".join(parts) or None


def hit(flow_id: str, seq: int, prompt: str, answer: str, typed: str) -> Hit:
    """What a search for `typed` shows of a flow in which these things were said."""
    terms = [(found, begins) for phrase, begins in search.terms(typed) if (found := words(phrase))]
    asked, answered = _matches(prompt, terms), _matches(answer, terms)
    role, text, matches = ("answer", answer, answered) if len(answered) > len(asked) else ("prompt", prompt, asked)
    snippet = _snippet(text, matches)
    return search.hit(flow_id, seq, *(("", snippet) if role == "answer" else (snippet, "")))


def _plain(text: str) -> str:
    """In small letters without accents."""
    text = text.lower()
    if text.isascii():
        return text
    apart = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFC", "".join(mark for mark in apart if unicodedata.category(mark) != "Mn"))


def _matches(text: str, terms: list[tuple[list[str], bool]]) -> list[tuple[int, int]]:
    """Where in `text` the terms stand, in characters."""
    spans = [match.span() for match in _WORD.finditer(text)]
    found = ["".join(words(text[begin:end]))[:_LONGEST] for begin, end in spans]
    matches: list[tuple[int, int]] = []
    for place in range(len(found)):
        for term, begins in terms:
            *whole, last = term
            end = place + len(whole)
            if end >= len(found) or found[place:end] != whole:
                continue
            if found[end] == last or (begins and found[end].startswith(last)):
                matches.append((spans[place][0], spans[end][1]))
                break
    return matches


def _snippet(text: str, matches: list[tuple[int, int]]) -> str:
    """The words around the first match, the matches between search.BEGIN and END."""
    spans = [match.span() for match in _WORD.finditer(text)]
    first = next((number for number, (begin, _) in enumerate(spans) if matches and begin >= matches[0][0]), 0)
    begin, end = max(0, first - _AROUND), min(len(spans), first + _AROUND)
    start = spans[begin][0] if begin else 0
    stop = spans[end][0] if end < len(spans) else len(text)
    parts = ["…" if begin else ""]
    at = start
    for one, other in matches:
        if one >= at and other <= stop:
            parts += (text[at:one], search.BEGIN, text[one:other], search.END)
            at = other
    return "".join((*parts, text[at:stop], "…" if stop < len(text) else ""))
