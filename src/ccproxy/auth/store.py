"""Where a login is kept: a JSON file that its own program reads and writes too."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from ccproxy.auth.document import Document
from ccproxy.auth.journal import Journal
from ccproxy.auth.locks import FlockLock, Lock
from ccproxy.auth.reading import Unreadable, Version, expand, read_file, version_of
from ccproxy.util.fs import atomic_write

_LARGEST = 1024 * 1024


class LoginStore(Protocol):
    """A place for one login."""

    @property
    def where(self) -> str:
        """The place, for people: "file ~/.codex/auth.json"."""
        ...

    def version(self) -> Version:
        """Changes with the content. Raises Unreadable."""
        ...

    async def load(self) -> Document:
        """The content now. Raises Unreadable."""
        ...

    def locks(self) -> Sequence[Lock]:
        """What is to be held while the login is renewed."""
        ...

    @property
    def journal(self) -> Journal | None:
        """The note that belongs to it; None if there is no place for one."""
        ...

    def check_writable(self) -> None:
        """Raises Unreadable if it is known beforehand that `save` will fail."""
        ...

    async def save(self, data: bytes) -> None:
        """Replaces the content; it is there to stay on return. Raises OSError, or Unreadable with the reason."""
        ...


class FileStore:
    """A login in a file.

    Args:
        name: the path as configured.
        locks: further locks, for the resolved path of the file.
    """

    def __init__(self, name: str, locks: Sequence[Lock] = ()) -> None:
        self._name = name
        self._locks = locks
        self._journal: Journal | None = None

    @property
    def where(self) -> str:
        return f"file {self._name}"

    @property
    def journal(self) -> Journal:
        if self._journal is None:
            self._journal = Journal(self._resolved())
        return self._journal

    def version(self) -> Version:
        return version_of(expand(self._name)) + self.journal.version()

    async def load(self) -> Document:
        content = read_file(expand(self._name), _LARGEST)
        if len(content.data) > _LARGEST:
            raise Unreadable(f"is larger than {_LARGEST // 1024} KiB")
        try:
            return Document(content.data)
        except ValueError as error:
            raise Unreadable(f"holds {error}") from None

    def locks(self) -> Sequence[Lock]:
        return (FlockLock(self._resolved().parent), *self._locks)

    def check_writable(self) -> None:
        try:
            mode = self._resolved().stat().st_mode
        except OSError as error:
            raise Unreadable(f"cannot be read: {(error.strerror or 'unknown reason').lower()}") from None
        if not mode & stat.S_IWUSR:
            raise Unreadable("is read-only")

    async def save(self, data: bytes) -> None:
        # In place: between the answer that brought the tokens and the file nothing may come, not even a cancellation.
        atomic_write(self._resolved(), data)

    def _resolved(self) -> Path:
        return expand(self._name).resolve()
