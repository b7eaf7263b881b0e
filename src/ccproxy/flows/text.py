"""Small pieces of text for people: what came from outside made harmless, and numbers as they are said."""

from __future__ import annotations

import re
from datetime import datetime

#: Control characters but for newline and tab, and those that reorder text: they could drive or fool a terminal.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """`text` with control characters written as escapes; newlines and tabs stay."""
    if text.isprintable():
        return text
    return _UNSAFE.sub(lambda match: _escape(match[0]), text)


def printable_json(text: str) -> str:
    """JSON text with the control characters in its strings written as JSON escapes."""
    if text.isascii() and "\x7f" not in text:
        return text  # the others are escaped in any JSON
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def count(number: int, noun: str) -> str:
    """`1 byte`, `1,234 bytes`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def short(number: int) -> str:
    """`812`, `12.1k`, `3.4M`."""
    for factor, unit in ((1_000_000, "M"), (1_000, "k")):
        if number >= factor:
            return f"{number / factor:.1f}{unit}"
    return str(number)


def dollars(amount: float) -> str:
    """`$12.34`, `$0.0123`, `$0.000004`, `$0`."""
    if not amount:
        return "$0"
    if amount >= 1:
        return f"${amount:,.2f}"
    return f"${amount:.4f}" if amount >= 0.001 else f"${amount:.6f}" if amount >= 0.000001 else "under $0.000001"


def seconds(duration: float) -> str:
    """`0.61 s`, `12.3 s`, `2 min 5 s`."""
    if duration < 10:
        return f"{duration:.2f} s"
    if duration < 60:
        return f"{duration:.1f} s"
    minutes, rest = divmod(round(duration), 60)
    return f"{minutes} min {rest} s"


def ago(age: float) -> str:
    """How long ago, in the largest unit: `42 seconds ago`. What lies in the future, after a change of the clock, is
    `just now`."""
    for unit, name in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        if age >= unit:
            return f"{count(int(age // unit), name)} ago"
    return "just now"


def moment(timestamp: float) -> str:
    """Seconds since the epoch as local time with its offset: `2026-11-24T08:21:03+01:00`."""
    try:
        return datetime.fromtimestamp(timestamp).astimezone().isoformat(timespec="seconds")
    except (OverflowError, OSError, ValueError):
        return str(timestamp)


def clock_time(timestamp: float) -> str:
    """Seconds since the epoch as the local time of day: `08:21:03`."""
    try:
        return f"{datetime.fromtimestamp(timestamp).astimezone():%H:%M:%S}"
    except (OverflowError, OSError, ValueError):
        return str(timestamp)
