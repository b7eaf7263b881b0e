"""The proxy's side of the interceptor: starts the process when it is first needed, and notices when it ends.

Nothing of mitmproxy is imported here, so that the proxy starts without it. A crash of the process costs the jails that
it served (their connections fail, their launchers are told), never the proxy: the next lease starts another one.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ccproxy.errors import CCProxyError, ConfigError
from ccproxy.flows.redact import Scrubber
from ccproxy.flows.store import FlowStore
from ccproxy.interceptor import messages
from ccproxy.interceptor.messages import Channel, Ready, Settings, Targets
from ccproxy.jail.protocol import Grant, LeaseRequest, RunningJail, Status
from ccproxy.util.aio import TaskGroupKeeper
from ccproxy.util.fs import atomic_write

_log = logging.getLogger("ccproxy.interceptor")

START_SECONDS = 30.0
END_SECONDS = 5.0


class InterceptorError(CCProxyError):
    """The interceptor process cannot serve."""

    kind = "interceptor_error"
    status = 502


class Store(FlowStore, Protocol):
    """A flow store that can be waited for."""

    def flush(self) -> asyncio.Future[bool]:
        """Whether everything put before is in the database, when it is."""
        ...


@dataclass(slots=True)
class Held:
    """A lease that is held. `lost` is called if the interceptor ends before the lease does."""

    request: LeaseRequest
    started: float
    lost: Callable[[], None]
    pid: int = 0


class Supervisor:
    """Keeps at most one interceptor process.

    Args:
        settings: makes what the process is told, at each start; raises our errors.
        store: where its flows go; None drops them.
    """

    def __init__(self, settings: Callable[[], Settings], store: Store | None) -> None:
        self._settings = settings
        self._store = store
        self._tasks = TaskGroupKeeper()
        self._starting = asyncio.Lock()
        self._channel: Channel | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._ready: Ready | None = None
        self._answers: dict[str, asyncio.Future[messages.Opened]] = {}
        self._closing: dict[str, asyncio.Future[None]] = {}
        self._held: dict[str, Held] = {}
        self._told: Settings | None = None
        self._problem = ""

    async def start(self) -> Ready:
        """Starts the process if it does not run. Raises InterceptorError."""
        async with self._starting:
            if self._ready is None:
                self._ready = await self._start()
            return self._ready

    async def lease(self, request: LeaseRequest, lost: Callable[[], None]) -> Grant:
        """A way out for a run. Raises InterceptorError.

        Args:
            lost: called when the way ends before `release`.
        """
        ready = await self.start()
        channel, settings = self._channel, self._told
        if channel is None or settings is None:
            raise InterceptorError("the interceptor ended as it was started", hint="the log of the proxy says why")
        if request.run in self._held:
            raise InterceptorError(f"there is a run {request.run} already")
        answer: asyncio.Future[messages.Opened] = asyncio.get_running_loop().create_future()
        self._answers[request.run] = answer
        self._held[request.run] = Held(request, time.time(), lost)
        try:
            public = _key(request.public_key) if request.engine == "tun" else b""
            channel.send(messages.Open(run=request.run, public_key=public, allow=request.allow, deny=request.deny))
            opened = await answer
        except BaseException:
            self._held.pop(request.run, None)
            raise
        finally:
            self._answers.pop(request.run, None)
        return Grant(
            host=opened.host,
            port=opened.port,
            authority=ready.authority,
            peer_key=_text(opened.peer_key),
            token=opened.token,
            refused_udp=_refused(settings),
            keylog=settings.wireguard_keylog,
        )

    def attribute(self, run: str, pid: int) -> None:
        """Names the first process of a run's jail."""
        if self._channel is not None and (held := self._held.get(run)):
            held.pid = pid
            self._channel.send(messages.Attribute(run=run, pid=pid))

    def release(self, run: str) -> None:
        """A run is over."""
        if self._held.pop(run, None) is not None and self._channel is not None:
            self._channel.send(messages.Close(run=run))

    async def finish(self, run: str) -> None:
        """A run is over, and its launcher wants to read what it did: returns when that is in the store."""
        if self._channel is None or run not in self._held:
            return
        closed = self._closing[run] = asyncio.get_running_loop().create_future()
        self.release(run)
        await closed
        if self._store is not None:
            await self._store.flush()

    def retarget(self, targets: Targets) -> None:
        """Whose requests go to the gateway, after a change of the configuration."""
        if self._channel is not None:
            self._channel.send(targets)

    def status(self) -> Status:
        """For `namespace status`."""
        ready = self._ready
        return Status(
            pid=self._process.pid if self._process is not None else 0,
            authority=ready.authority if ready is not None else "",
            wireguard=ready.wireguard if ready is not None else "",
            http_proxy=ready.http_proxy if ready is not None else "",
            problem=self._problem,
            jails=[
                RunningJail(
                    run=run,
                    command=held.request.command,
                    engine=held.request.engine,
                    started=held.started,
                    pid=held.pid,
                )
                for run, held in self._held.items()
            ],
        )

    async def close(self) -> None:
        """Ends the process, and with it every lease."""
        if self._channel is not None:
            self._channel.close()
        process = self._process
        if process is not None:
            try:
                async with asyncio.timeout(END_SECONDS):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        await self._tasks.close()

    async def _start(self) -> Ready:
        settings = self._settings()
        ours, theirs = socket.socketpair()
        environment = dict(os.environ)
        if settings.keylog:
            environment["MITMPROXY_SSLKEYLOGFILE"] = settings.keylog
        with theirs:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                "-m",
                "ccproxy.interceptor",
                str(theirs.fileno()),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env=environment,
                start_new_session=True,
            )
        channel = await Channel.open(ours)
        channel.send(settings)
        try:
            async with asyncio.timeout(START_SECONDS):
                answer = await channel.receive()
                while isinstance(answer, messages.Said):
                    self._said(answer)
                    answer = await channel.receive()
        except TimeoutError:
            answer = messages.Unable(message=f"it was not ready within {START_SECONDS:g} seconds")
        if not isinstance(answer, Ready):
            channel.close()
            if process.returncode is None and isinstance(answer, messages.Unable):
                process.terminate()
            await process.wait()
            reason = answer.message if isinstance(answer, messages.Unable) else "it ended by itself"
            self._problem = f"the interceptor does not start: {reason}"
            raise InterceptorError(self._problem, hint="the log of the proxy may say more")
        self._problem = ""
        self._channel, self._process, self._told = channel, process, settings
        self._tasks.spawn(self._attend(channel, process), name="interceptor")
        _log.info("the interceptor runs, pid %d", process.pid)
        return answer

    async def _attend(self, channel: Channel, process: asyncio.subprocess.Process) -> None:
        """Takes what the process says until it ends, and then tells whoever depends on it."""
        try:
            while (message := await channel.receive()) is not None:
                match message:
                    case messages.Recorded():
                        if self._store is not None:
                            self._store.put(message.flow, Scrubber(message.secrets))
                    case messages.Opened():
                        if (answer := self._answers.get(message.run)) and not answer.done():
                            answer.set_result(message)
                    case messages.NotOpened():
                        if (answer := self._answers.get(message.run)) and not answer.done():
                            answer.set_exception(InterceptorError(message.message))
                    case messages.Closed():
                        if closed := self._closing.pop(message.run, None):
                            closed.set_result(None)
                    case messages.Said():
                        self._said(message)
                    case _:
                        _log.error("the interceptor said %s", type(message).__name__)
        finally:
            self._channel, self._process, self._ready, self._told = None, None, None, None
            channel.close()
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(InterceptorError("the interceptor ended"))
            for closed in self._closing.values():
                closed.set_result(None)
            self._closing.clear()
            held, self._held = self._held, {}
            for one in held.values():
                one.lost()
        code = await process.wait()
        if code:
            self._problem = f"the interceptor ended ({code})"
            _log.error("the interceptor ended with %d; the next jail starts another", code)

    @staticmethod
    def _said(message: messages.Said) -> None:
        _log.log(message.level, "%s", message.text)


def _refused(settings: Settings) -> list[int]:
    config = settings.config
    if config.udp == "refuse":
        return [0]
    return [443] if config.quic == "reject" else []


def _key(text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:
        key = b""
    if len(key) != 32:
        raise InterceptorError("the launcher's key is no WireGuard key")
    return key


def _text(key: bytes) -> str:
    return base64.b64encode(key).decode()


def write_trust(path: Path, bundles: list[Path]) -> str:
    """Writes one file with the authorities of several. Raises ConfigError."""
    parts = []
    for bundle in bundles:
        try:
            parts.append(bundle.read_bytes().rstrip() + b"\n")
        except OSError as error:
            raise ConfigError(f"cannot read {bundle}: {error.strerror or error}") from None
    atomic_write(path, b"".join(parts))
    return str(path)
