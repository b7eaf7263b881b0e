"""Text that is safe to print."""

from __future__ import annotations


def printable(text: object) -> str:
    """`text` in one line that can neither drive a terminal nor forge a log record: every control character is written
    as an escape (`\\n`, `\\x1b`)."""
    raw = str(text)
    if raw.isprintable():
        return raw
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in raw)
