"""A credential in a file: what a secret manager or an administrator has put there.

The file is looked at for each request and read again when it has changed, so a rotated secret is used at once. It is
small and local: a look costs microseconds and is done in place.
"""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

from ccproxy.auth.base import Credential
from ccproxy.auth.config import File
from ccproxy.auth.secret import MAX_BYTES, secret_in
from ccproxy.errors import CredentialError

_log = logging.getLogger(__name__)
_OTHERS_CAN_READ = stat.S_IRGRP | stat.S_IROTH


class FileSource:
    """The source for `type: file`.

    Args:
        config: the path and the header.
        provider: the provider's name, for errors.
    """

    def __init__(self, config: File, *, provider: str) -> None:
        self._config = config
        self._provider = provider
        self._version: tuple[int, ...] = ()
        self._cached: Credential | None = None
        self._warned = False
        self.label = f"file {config.file}"

    async def get(self) -> Credential:
        """What the file holds now. Raises CredentialError."""
        return self._current(reread=False)

    async def refresh(self) -> Credential:
        """The same, read again even if the file looks unchanged."""
        return self._current(reread=True)

    def _current(self, *, reread: bool) -> Credential:
        try:
            path = Path(self._config.file).expanduser()
            version = _version(path.stat())
            if self._cached is not None and version == self._version and not reread:
                return self._cached
            data, version = self._read(path)
        except RuntimeError:
            raise self._error("names a home directory that is not known") from None
        except FileNotFoundError:
            raise self._error("does not exist") from None
        except PermissionError:
            raise self._error("cannot be read: permission denied") from None
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a path"
            raise self._error(f"cannot be read: {reason.lower()}") from None
        value = secret_in(data, self._what(), hint=self._hint())
        self._version = version
        self._cached = Credential(value, self._config.header.lower())
        return self._cached

    def _read(self, path: Path) -> tuple[bytes, tuple[int, ...]]:
        # Not blocking: opening a pipe that nobody writes to would stop everything.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise self._error("is not a regular file")
            self._warn(status.st_mode)
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                return file.read(MAX_BYTES + 1), _version(status)
        finally:
            os.close(descriptor)

    def _warn(self, mode: int) -> None:
        if mode & _OTHERS_CAN_READ and not self._warned:
            self._warned = True
            _log.warning("%s can be read by other users (mode %04o): chmod 600 it", self._what(), stat.S_IMODE(mode))

    def _what(self) -> str:
        return f"provider {self._provider!r}: its credential file {self._config.file}"

    def _hint(self) -> str:
        return f"see providers.{self._provider}.auth"

    def _error(self, what: str) -> CredentialError:
        return CredentialError(f"{self._what()} {what}", hint=self._hint())


def _version(status: os.stat_result) -> tuple[int, ...]:
    return status.st_mtime_ns, status.st_size, status.st_ino, status.st_dev
