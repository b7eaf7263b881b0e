"""A JSON file that other programs own: values read and set by dotted path, everything else kept as it is.

Members keep their order and unknown ones their values; the text keeps its layout (compact, or indented as it was), so
that a change by us looks like one by the owner.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_INDENT = re.compile(r"\A\s*\{\r?\n([ \t]+)")


class Document:
    """One state of such a file.

    Args:
        data: its bytes.

    Raises ValueError, whose text quotes nothing of them, if they are no JSON object.
    """

    def __init__(self, data: bytes) -> None:
        try:
            text = data.decode("utf-8-sig")
            self._value = json.loads(text)
        except (ValueError, RecursionError):
            raise ValueError("no JSON") from None
        if not isinstance(self._value, dict):
            raise ValueError("no JSON object")
        found = _INDENT.match(text)
        self._indent = found[1] if found else None
        self._end = "\n" if text.endswith("\n") else ""

    def get(self, path: str) -> Any:
        """The value at a dotted path, or None if there is none."""
        value: Any = self._value
        for step in path.split("."):
            if not isinstance(value, dict):
                return None
            value = value.get(step)
        return value

    def text(self, path: str) -> str:
        """The text at a dotted path, or ""."""
        value = self.get(path)
        return value if isinstance(value, str) else ""

    def number(self, path: str) -> float | None:
        """The number at a dotted path, or None."""
        value = self.get(path)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None

    def changed(self, changes: Mapping[str, Any]) -> bytes:
        """The bytes of the file with other values at the given paths; what is missing on the way is made."""
        value = json.loads(json.dumps(self._value))
        for path, new in changes.items():
            *way, last = path.split(".")
            place = value
            for step in way:
                if not isinstance(place.get(step), dict):
                    place[step] = {}
                place = place[step]
            place[last] = new
        separators = (",", ": ") if self._indent else (",", ":")
        return (json.dumps(value, indent=self._indent, separators=separators, ensure_ascii=False) + self._end).encode()
