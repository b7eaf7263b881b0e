"""A credential that a shell command prints: from a secret manager, an environment variable, another tool's file.

The command runs beside the event loop, in a process group of its own so that a time limit ends all of it, with no
input and the environment of ccproxy. Its output is used for `ttl_seconds`. However many requests ask, it runs once at
a time; a failure is told to all who wait and not remembered.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from typing import cast

from ccproxy.auth.base import Credential, SourceStatus
from ccproxy.auth.config import Command
from ccproxy.auth.secret import MAX_BYTES, secret_in
from ccproxy.errors import CredentialError
from ccproxy.util.aio import SingleFlight
from ccproxy.util.clock import Clock
from ccproxy.util.redact import ELLIPSIS, redact_text

_STDOUT, _STDERR = 1, 2
_STDERR_KEPT = 8 * 1024
_MAX_REASON = 200
_REAP_SECONDS = 1.0
#: What may be a key of a shape nobody knows: a long word of letters and digits.
_KEY_LIKE = re.compile(r"(?=[\w+=-]*\d)(?=[\w+=-]*[A-Za-z])[\w+=-]{20,}", re.ASCII)


class CommandSource:
    """The source for `type: command`.

    Args:
        config: the command and its limits.
        clock: measures `ttl_seconds`.
        provider: the provider's name, for errors.
    """

    label = "command"

    def __init__(self, config: Command, *, clock: Clock, provider: str) -> None:
        self._config = config
        self._clock = clock
        self._provider = provider
        self._flight: SingleFlight[Credential] = SingleFlight()
        self._cached: Credential | None = None
        self._expires = 0.0
        self._problem = ""

    async def get(self) -> Credential:
        """The output, at most `ttl_seconds` old. Raises CredentialError."""
        if self._cached is not None and self._clock.mono() < self._expires:
            return self._cached
        return await self.refresh()

    async def refresh(self, rejected: Credential | None = None) -> Credential:
        """The output of a run that had not ended when this was called; or what a run since then has printed, if that is
        not what was rejected. Raises CredentialError."""
        if rejected is not None and self._cached is not None and self._cached.value != rejected.value:
            return self._cached
        return await self._flight.do("run", self._run)

    async def look(self) -> None:
        """Nothing can be told without running it."""

    def status(self) -> SourceStatus:
        return SourceStatus(problem=self._problem)

    async def close(self) -> None:
        """A run that is under way changes nothing that has to be kept."""

    async def _run(self) -> Credential:
        try:
            credential = await self._printed()
        except CredentialError as error:
            self._problem = str(error)
            raise
        self._problem = ""
        return credential

    async def _printed(self) -> Credential:
        what = f"provider {self._provider!r}: the output of its command"
        hint = f"run it in a shell; see providers.{self._provider}.auth"
        value = secret_in(await self._output(hint), what, hint=hint)
        self._cached = Credential(value, self._config.header.lower())
        self._expires = self._clock.mono() + self._config.ttl_seconds
        return self._cached

    async def _output(self, hint: str) -> bytes:
        command = f"provider {self._provider!r}: its command"
        if "\0" in self._config.command:  # uvloop would run what stands before it
            raise CredentialError(f"{command} is not a command line", hint=hint)
        try:
            run = await _start(self._config.command)
        except OSError as error:
            reason = (error.strerror or "unknown reason").lower()
            raise CredentialError(f"{command} cannot be started: {reason}", hint=hint) from None
        limit = self._config.timeout_seconds
        try:
            async with asyncio.timeout(limit):
                await run.ended.wait()
        except TimeoutError:
            raise CredentialError(
                f"{command} did not end within {limit:g} seconds{run.reason()}", hint=f"{hint}.timeout_seconds"
            ) from None
        finally:
            await run.end()
        if run.status and not run.too_large:
            raise CredentialError(f"{command} failed with {_status(run.status)}{run.reason()}", hint=hint)
        return bytes(run.output)


async def _start(command: str) -> _Run:
    loop = asyncio.get_running_loop()
    pipe = asyncio.subprocess.PIPE
    _, run = await loop.subprocess_shell(
        _Run, command, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe, start_new_session=True
    )
    return run


class _Run(asyncio.SubprocessProtocol):
    """One run of the command: collects what it prints until it has ended and its pipes are closed."""

    def __init__(self) -> None:
        self.output = bytearray()
        self.too_large = False
        self.status = 0
        self.ended = asyncio.Event()
        self._errors = bytearray()
        self._exited = asyncio.Event()
        self._transport: asyncio.SubprocessTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.SubprocessTransport, transport)

    def pipe_data_received(self, fd: int, data: bytes | str) -> None:
        assert isinstance(data, bytes)
        if fd == _STDERR:
            self._errors += data
            del self._errors[:-_STDERR_KEPT]
        elif not self.too_large:
            self.output += data
            if len(self.output) > MAX_BYTES:
                self.too_large = True
                self.ended.set()

    def process_exited(self) -> None:
        self._exited.set()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self.status = self._transport.get_returncode() or 0
        self.ended.set()
        self._exited.set()

    async def end(self) -> None:
        """Ends what still runs and lets go of the pipes. Does nothing more after an orderly end."""
        transport = self._transport
        if transport is None:
            return
        if not self._exited.is_set() or not self.ended.is_set() or self.too_large:
            # The whole group: what the shell has started, too.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(transport.get_pid(), signal.SIGKILL)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_REAP_SECONDS):
                    await self._exited.wait()
        transport.close()

    def reason(self) -> str:
        """`: ` and the last line of the error output, without secrets; or ""."""
        lines = self._errors.decode("utf-8", "replace").strip().splitlines()
        if not lines:
            return ""
        line = "".join(char if char.isprintable() else " " for char in lines[-1]).strip()
        printed = self.output.decode("utf-8", "replace").split()
        line = _KEY_LIKE.sub(ELLIPSIS, redact_text(line, printed))
        return f": {line if len(line) <= _MAX_REASON else line[:_MAX_REASON] + ELLIPSIS}"


def _status(code: int) -> str:
    if code > 0:
        return f"status {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"
