"""What is wrong with a configuration: each problem one line that names the place, the setting and the fix.

Every source is read to its end before anything is reported, so one run shows all there is to mend. A line never holds
a secret: values of credential-bearing settings are not shown at all, and what is shown passes the redaction of free text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ccproxy.errors import ConfigError
from ccproxy.telemetry.text import printable
from ccproxy.util.redact import redact_text

#: A setting: keys and list positions below `ccproxy:`.
Path = tuple[str | int, ...]

MOST_SHOWN = 50
_LONGEST = 60
_LONGEST_PART = 16
_WORD = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value was written: a file and line, an environment variable, a command line flag.

    `line` is 0 where there is none; `rank` orders the sources: 0 file, 1 environment, 2 command line.
    """

    source: str
    line: int = 0
    rank: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}" if self.line else self.source


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend. `path` is None where it concerns no setting in particular."""

    place: Place
    path: Path | None
    message: str

    def __str__(self) -> str:
        where = "" if self.path is None else f"{dotted(self.path)}: "
        return f"{self.place}: {where}{self.message}"


class Problems:
    """The problems found so far."""

    def __init__(self) -> None:
        self._found: list[Problem] = []

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, place: Place, path: Path | None, message: str) -> None:
        """Notes a problem; `message` has no line breaks and no secret."""
        self._found.append(Problem(place, path, message))

    def under(self, path: Path) -> bool:
        """Whether there is a problem with the setting at `path`, a part of it, or a whole that it belongs to."""
        return any(
            problem.path is not None and all(a == b for a, b in zip(problem.path, path, strict=False))
            for problem in self._found
        )

    def error(self) -> ConfigError:
        """All of them as one error, a line each, in the order of the sources and their lines."""
        ordered = sorted(self._found, key=lambda problem: (problem.place.rank, problem.place.line))
        # One value used in several places by an alias is one thing to mend.
        lines = list(dict.fromkeys(str(problem) for problem in ordered))
        if len(lines) > MOST_SHOWN:
            lines[MOST_SHOWN:] = [f"{ordered[0].place.source}: and {len(lines) - MOST_SHOWN} more problems"]
        return ConfigError("\n".join(lines))


def dotted(path: Path) -> str:
    """A setting as people write it: `ccproxy.inspector.transforms[0].match_path`."""
    text = "ccproxy"
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{_word(step)}"
    return text


def shown(value: object) -> str:
    """A value in a message: one line, shortened, printable, free of secrets."""
    match value:
        case None:
            return "nothing"
        case True | False:
            return str(value).lower()
        case str():
            return quoted(value)
        case _:
            return printable(str(value))[:_LONGEST]


def quoted(text: str) -> str:
    """Text between quotes, shortened, printable, free of secrets."""
    short = redact_text(text[: 4 * _LONGEST])
    if len(short) > _LONGEST:
        short = f"{short[:_LONGEST]}…"
    return f'"{printable(short)}"'


def named(word: str) -> str:
    """A key or choice between quotes. Of what is no single word only the beginning is shown: with a colon forgotten,
    the rest may be a credential."""
    return f'"{_word(word)}"'


def suggestion(word: str, options: Iterable[str], *, quote: bool = True) -> str:
    """What to append to a message about an unknown word: the nearest of the options, else a short list of them all."""
    from difflib import get_close_matches

    by_folded = {option.casefold(): option for option in sorted(options)}
    if near := get_close_matches(word.casefold()[:100], by_folded, n=1):
        best = by_folded[near[0]]
        return f'; did you mean "{best}"?' if quote else f"; did you mean {best}?"
    if 0 < len(by_folded) <= 12:
        return f"; one of: {', '.join(by_folded.values())}"
    return ""


def _word(text: str) -> str:
    found = _WORD.match(text)
    if found is None:
        return "…"
    return redact_text(text) if found[0] == text else f"{redact_text(found[0])[:_LONGEST_PART]}…"
