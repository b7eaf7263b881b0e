"""A credential in a file: what a secret manager or an administrator has put there.

The file is looked at for each request and read again when it has changed, so a rotated secret is used at once.
"""

from __future__ import annotations

import contextlib
import logging

from ccproxy.auth.base import Credential, SourceStatus
from ccproxy.auth.config import File
from ccproxy.auth.reading import Unreadable, Version, expand, read_file, version_of
from ccproxy.auth.secret import MAX_BYTES, secret_in
from ccproxy.errors import CredentialError

_log = logging.getLogger(__name__)


class FileSource:
    """The source for `type: file`.

    Args:
        config: the path and the header.
        provider: the provider's name, for errors.
    """

    def __init__(self, config: File, *, provider: str) -> None:
        self._config = config
        self._provider = provider
        self._version: Version = ()
        self._cached: Credential | None = None
        self._problem = ""
        self._warned = False
        self.label = f"file {config.file}"

    async def get(self) -> Credential:
        """What the file holds now. Raises CredentialError."""
        return self._current(reread=False)

    async def refresh(self, rejected: Credential | None = None) -> Credential:
        """The same, read again even if the file looks unchanged."""
        return self._current(reread=True)

    async def look(self) -> None:
        with contextlib.suppress(CredentialError):
            self._current(reread=False)

    def status(self) -> SourceStatus:
        return SourceStatus(problem=self._problem)

    async def close(self) -> None:
        """Nothing is under way."""

    def _current(self, *, reread: bool) -> Credential:
        try:
            credential = self._read(reread=reread)
        except CredentialError as error:
            self._problem = str(error)
            raise
        self._problem = ""
        return credential

    def _read(self, *, reread: bool) -> Credential:
        try:
            path = expand(self._config.file)
            if self._cached is not None and version_of(path) == self._version and not reread:
                return self._cached
            content = read_file(path, MAX_BYTES)
        except Unreadable as error:
            raise CredentialError(f"{self._what()} {error}", hint=self._hint()) from None
        if content.exposed and not self._warned:
            self._warned = True
            _log.warning("%s can be read by other users (mode %04o): chmod 600 it", self._what(), content.mode)
        value = secret_in(content.data, self._what(), hint=self._hint())
        self._version = content.version
        self._cached = Credential(value, self._config.header.lower())
        return self._cached

    def _what(self) -> str:
        return f"provider {self._provider!r}: its credential file {self._config.file}"

    def _hint(self) -> str:
        return f"see providers.{self._provider}.auth"
