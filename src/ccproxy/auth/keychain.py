"""A login in the macOS keychain, through the `security` command that comes with the system.

Reading asks the keychain at most once in a while: it starts a process, and nothing tells that an entry has changed.
Writing hands the content to `security -i` on its standard input, so that it is in no list of processes.
"""

from __future__ import annotations

import asyncio
import errno
import getpass
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from ccproxy.auth.document import Document
from ccproxy.auth.journal import Journal
from ccproxy.auth.locks import FlockLock, Lock
from ccproxy.auth.reading import Missing, Unreadable, Version
from ccproxy.auth.store import FileStore
from ccproxy.util.clock import Clock

#: Seconds that an entry is used before it is looked at again.
KEPT = 10.0
_NOT_FOUND = 44

#: Seconds that it may take to answer: the system may ask the user first.
PATIENCE = 30.0

#: Runs a command with the given input: its status and output. Raises OSError if it cannot be started or does not end.
RunCommand = Callable[[Sequence[str], bytes], Awaitable[tuple[int, bytes]]]


async def run_command(arguments: Sequence[str], stdin: bytes, *, seconds: float = PATIENCE) -> tuple[int, bytes]:
    """Runs a command to its end, and ends it after `seconds` or when its caller is cancelled."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *arguments, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(seconds):
            output, _ = await process.communicate(stdin)
    except TimeoutError:
        why = f"no answer within {seconds:g} seconds, is a dialog of the system open?"
        raise TimeoutError(errno.ETIMEDOUT, why) from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()  # until its pipes are closed, too
    return process.returncode or 0, output


class KeychainStore:
    """A generic password of the keychain.

    Args:
        service: the name of the entry.
        folder: a folder that exists, to lock on.
        account: the account of the entry; "" is the user's name.
    """

    def __init__(
        self, service: str, *, folder: Path, clock: Clock, run: RunCommand = run_command, account: str = ""
    ) -> None:
        self._service = service
        self._account = account or getpass.getuser()
        self._folder = folder
        self._clock = clock
        self._run = run
        self._number = 0
        self._looked = float("-inf")
        self._data = b""

    @property
    def where(self) -> str:
        return f"keychain entry {self._service!r}"

    @property
    def journal(self) -> Journal | None:
        return None

    def version(self) -> Version:
        if self._clock.mono() - self._looked >= KEPT:
            self._number += 1
            self._looked = self._clock.mono()
        return (self._number,)

    async def load(self) -> Document:
        command = ["security", "find-generic-password", "-a", self._account, "-s", self._service, "-w"]
        try:
            status, output = await self._run(command, b"")
        except OSError as error:
            raise Unreadable(f"cannot be read: {(error.strerror or 'no security command').lower()}") from None
        if status == _NOT_FOUND:
            raise Missing("does not exist")
        if status:
            raise Unreadable(f"cannot be read: `security` ended with status {status}; is the keychain locked?")
        self._looked = self._clock.mono()
        self._data = output.strip()
        try:
            return Document(_unhexed(self._data))
        except ValueError as error:
            raise Unreadable(f"holds {error}") from None

    def locks(self) -> Sequence[Lock]:
        return (FlockLock(self._folder),)

    def check_writable(self) -> None:
        if any(mark in self._service + self._account for mark in '"\\\n'):
            raise Unreadable("has a name that cannot be written to")

    async def save(self, data: bytes) -> None:
        line = f'add-generic-password -U -a "{self._account}" -s "{self._service}" -X "{data.hex()}"\n'
        status, _ = await self._run(["security", "-i"], line.encode())
        if status:
            raise Unreadable(f"cannot be written: `security` ended with status {status}")
        self._number += 1


def _unhexed(data: bytes) -> bytes:
    """`security` prints what is not plain ASCII in hexadecimal digits."""
    if data.startswith(b"{"):
        return data
    try:
        return bytes.fromhex(data.decode("ascii"))
    except ValueError:
        return data


class FirstOf:
    """The keychain, or the file where the keychain has no entry. Which of the two holds the login is found out at each
    read; locks and writes are for that one.
    """

    def __init__(self, keychain: KeychainStore, file: FileStore) -> None:
        self._keychain = keychain
        self._file = file
        self._current: KeychainStore | FileStore = keychain

    @property
    def where(self) -> str:
        return self._current.where

    @property
    def journal(self) -> Journal | None:
        return self._current.journal

    @property
    def in_keychain(self) -> bool:
        """Whether the last read found it there."""
        return self._current is self._keychain

    def version(self) -> Version:
        found = self._keychain.version()
        return found if self._current is self._keychain else found + self._file.version()

    async def load(self) -> Document:
        self._current = self._keychain
        try:
            return await self._keychain.load()
        except Missing as none:
            try:
                found = await self._file.load()
            except Unreadable:
                raise none from None
            self._current = self._file
            return found

    def locks(self) -> Sequence[Lock]:
        return self._current.locks()

    def check_writable(self) -> None:
        self._current.check_writable()

    async def save(self, data: bytes) -> None:
        await self._current.save(data)
