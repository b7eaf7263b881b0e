"""A credential in a file, read again whenever the file has changed."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

from ccproxy.auth.base import Credential
from ccproxy.auth.config import File
from ccproxy.auth.secret import MAX_BYTES, clean
from ccproxy.errors import CredentialError

_log = logging.getLogger(__name__)

_Stamp = tuple[int, int, int]


class FileSource:
    """Reads `config.file`. The file is small and local, so it is read where it is asked for.

    Args:
        provider: the provider's name, for messages.
    """

    def __init__(self, config: File, *, provider: str) -> None:
        self._path = Path(config.file).expanduser()
        self._shown = config.file
        self._header = config.header
        self._provider = provider
        self._known: tuple[_Stamp, Credential] | None = None
        self._warned = False

    @property
    def label(self) -> str:
        return f"file {self._shown}"

    async def get(self) -> Credential:
        """The file's content. Raises CredentialError if it cannot be read or holds no credential."""
        return self._read(use_known=True)

    async def refresh(self) -> Credential:
        """Reads the file again."""
        return self._read(use_known=False)

    def _read(self, *, use_known: bool) -> Credential:
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            if use_known and self._known is not None and self._known[0] == stamp:
                return self._known[1]
            if not stat.S_ISREG(status.st_mode):
                raise CredentialError(f"provider {self._provider!r}: {self._shown} is not a regular file")
            with self._path.open("rb") as file:
                raw = file.read(MAX_BYTES + 1)
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise CredentialError(
                f"provider {self._provider!r}: cannot read the credential file {self._shown}: {reason}"
            ) from None
        if status.st_mode & 0o077 and not self._warned:
            self._warned = True
            _log.warning("the credential file %s can be read by others: chmod 600 it", self._shown)
        credential = Credential(clean(raw, provider=self._provider, source=self.label), self._header)
        self._known = (stamp, credential)
        return credential
