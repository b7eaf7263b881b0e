"""A credential that a shell command prints.

The command runs in its own process group, off the event loop, with nothing on its standard input; however many requests
ask at once, it runs once. Its output is used for `ttl_seconds`; a failure is not remembered.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress

from ccproxy.auth.base import Credential
from ccproxy.auth.config import Command
from ccproxy.auth.secret import MAX_BYTES, clean
from ccproxy.errors import CredentialError
from ccproxy.util.aio import SingleFlight
from ccproxy.util.clock import Clock
from ccproxy.util.redact import redact_text

_STDERR_SHOWN = 200


class CommandSource:
    """Runs `config.command`.

    Args:
        clock: for `ttl_seconds`.
        provider: the provider's name, for messages.
    """

    label = "command"

    def __init__(self, config: Command, *, clock: Clock, provider: str) -> None:
        self._config = config
        self._clock = clock
        self._provider = provider
        self._flight: SingleFlight[Credential] = SingleFlight()
        self._known: tuple[float, Credential] | None = None

    async def get(self) -> Credential:
        """The command's output, not older than its time. Raises CredentialError with the cause."""
        if self._known is not None and self._clock.mono() < self._known[0]:
            return self._known[1]
        return await self.refresh()

    async def refresh(self) -> Credential:
        """Runs the command now, or waits for the run that is under way."""
        return await self._flight.do(self._provider, self._run)

    async def _run(self) -> Credential:
        output = await self._output()
        credential = Credential(clean(output, provider=self._provider, source=self.label), self._config.header)
        self._known = (self._clock.mono() + self._config.ttl_seconds, credential)
        return credential

    async def _output(self) -> bytes:
        """What the command prints. Raises CredentialError if it cannot run, fails, or takes too long."""
        try:
            process = await asyncio.create_subprocess_shell(
                self._config.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise self._failed(f"cannot be started: {error.strerror or error}") from None
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            async with asyncio.timeout(self._config.timeout_seconds):
                output, errors, _ = await asyncio.gather(
                    _read_capped(process.stdout), _read_capped(process.stderr), process.wait()
                )
        except TimeoutError:
            raise self._failed(
                f"did not end within {self._config.timeout_seconds:g} seconds",
                "raise timeout_seconds if it needs longer",
            ) from None
        finally:
            # Also what the command left behind in its group, so that nothing outlives its answer.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        if process.returncode:
            lines = errors.decode("utf-8", "replace").strip().splitlines()
            said = "".join(c if c.isprintable() else " " for c in lines[-1])[:_STDERR_SHOWN] if lines else ""
            raise self._failed(_ended(process.returncode) + (f": {redact_text(said)}" if said else ""))
        return output

    def _failed(self, what: str, hint: str = "") -> CredentialError:
        return CredentialError(f"provider {self._provider!r}: the command for its credential {what}", hint=hint)


def _ended(code: int) -> str:
    return f"ended with status {code}" if code > 0 else f"was ended by signal {-code}"


async def _read_capped(stream: asyncio.StreamReader) -> bytes:
    """All of a stream, of which only a little more than a credential can have is kept."""
    kept = b""
    while data := await stream.read(MAX_BYTES):
        if len(kept) <= MAX_BYTES:
            kept += data
    return kept
