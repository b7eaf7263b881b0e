"""What must not be lost between asking for new tokens and having written them to the login's file.

A vendor that rotates refresh tokens makes the old one useless when it answers. So before a renewal is asked for, a note
is written beside the login's file that names the old token by its hash; it is removed when the new ones are in the
file. If they cannot be written there (a file mounted on its own, a full disk), they are written into the note, and
every process that reads the login takes them from it. A note that is found without tokens says that a process died in
the middle, which is what an error about the login then tells.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ccproxy.auth.reading import Unreadable, Version, read_file, version_of
from ccproxy.util.fs import atomic_write

_LARGEST = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Note:
    """A note.

    Attributes:
        used: the refresh token that a renewal was asked for with, by its hash; "" once there is an answer.
        changes: what an answer changes in the file, while it has not been written there.
        family: the refresh token in the file that these changes are for, by its hash.
    """

    used: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict, repr=False)
    family: str = ""


class Journal:
    """The note beside one login's file.

    Args:
        file: the login's file, links followed.
    """

    def __init__(self, file: Path) -> None:
        self._path = file.with_name(f".{file.name.lstrip('.')}.ccproxy-renewal")

    def version(self) -> Version:
        """Changes with the note; empty while there is none."""
        try:
            return version_of(self._path)
        except Unreadable:
            return ()

    def read(self) -> Note:
        """The note; an empty one if there is none or it cannot be read."""
        try:
            value = json.loads(read_file(self._path, _LARGEST).data)
        except (Unreadable, ValueError):
            return Note()
        if not isinstance(value, dict):
            return Note()
        changes = value.get("changes")
        return Note(
            str(value.get("used", "")), changes if isinstance(changes, dict) else {}, str(value.get("family", ""))
        )

    def write(self, note: Note) -> None:
        """Replaces the note; it is on disk on return. Raises OSError."""
        value = {"used": note.used, "changes": dict(note.changes), "family": note.family}
        atomic_write(self._path, json.dumps(value).encode())

    def clear(self) -> None:
        """Removes it."""
        with contextlib.suppress(OSError):
            self._path.unlink()
