"""FakeProvider in a thread, for tests that are not async: the same methods, blocking."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccproxy.providers.answers.script import Script
from ccproxy.testing.recorded import Disconnect, Received
from ccproxy.testing.reply import Reply
from ccproxy.testing.site import PATIENCE, Responder

if TYPE_CHECKING:
    from ccproxy.testing.fake_provider import FakeProvider


class ThreadedProvider:
    """The view of a FakeProvider from another thread. Use a `Gate` where a reply shall wait for the test."""

    def __init__(self, provider: FakeProvider, loop: asyncio.AbstractEventLoop) -> None:
        self._provider = provider
        self._loop = loop

    @property
    def url(self) -> str:
        """As `FakeProvider.url`."""
        return self._provider.url

    @property
    def port(self) -> int:
        """As `FakeProvider.port`."""
        return self._provider.port

    @property
    def ca_file(self) -> Path:
        """As `FakeProvider.ca_file`."""
        return self._provider.ca_file

    @property
    def requests(self) -> list[Received]:
        """As `FakeProvider.requests`."""
        return self._provider.requests

    @property
    def connections(self) -> int:
        """As `FakeProvider.connections`."""
        return self._provider.connections

    @property
    def errors(self) -> list[Exception]:
        """As `FakeProvider.errors`."""
        return self._provider.errors

    def reply(self, *responders: Responder) -> None:
        """As `FakeProvider.reply`."""
        self._provider.reply(*responders)

    def on(self, pattern: str, responder: Responder, *, method: str = "", times: int | None = None) -> None:
        """As `FakeProvider.on`."""
        self._provider.on(pattern, responder, method=method, times=times)

    def answer(self, request: Received) -> Reply:
        """As `FakeProvider.answer`."""
        return self._provider.answer(request)

    def write(self, request: Received, script: Script) -> Reply:
        """As `FakeProvider.write`."""
        return self._provider.write(request, script)

    def accept(self) -> None:
        """As `FakeProvider.accept`."""
        self._run(self._provider.accept())

    def refuse(self) -> None:
        """As `FakeProvider.refuse`."""
        self._run(self._provider.refuse())

    def wait_for_request(self, index: int = 0, *, patience: float = PATIENCE) -> Received:
        """As `FakeProvider.wait_for_request`."""
        return self._run(self._provider.wait_for_request(index, patience=patience))

    def wait_for_head(self, index: int = 0, *, patience: float = PATIENCE) -> Received:
        """As `FakeProvider.wait_for_head`."""
        return self._run(self._provider.wait_for_head(index, patience=patience))

    def wait_for_body(self, index: int, size: int, *, patience: float = PATIENCE) -> Received:
        """As `FakeProvider.wait_for_body`."""
        return self._run(self._provider.wait_for_body(index, size, patience=patience))

    def wait_for_disconnect(self, index: int = 0, *, patience: float = PATIENCE) -> Disconnect:
        """As `FakeProvider.wait_for_disconnect`."""
        return self._run(self._provider.wait_for_disconnect(index, patience=patience))

    def wait_for_message(self, index: int, number: int, *, patience: float = PATIENCE) -> str | bytes:
        """As `FakeProvider.wait_for_message`."""
        return self._run(self._provider.wait_for_message(index, number, patience=patience))

    def _run[T](self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()


@contextmanager
def in_thread(make: Callable[[], FakeProvider]) -> Iterator[ThreadedProvider]:
    """Runs the provider that `make` makes until the block is left. Raises what the provider raises on leaving."""
    started: concurrent.futures.Future[tuple[ThreadedProvider, Callable[[], object]]] = concurrent.futures.Future()
    ended: concurrent.futures.Future[None] = concurrent.futures.Future()

    async def serve() -> None:
        async with make() as provider:
            loop, stop = asyncio.get_running_loop(), asyncio.Event()
            started.set_result((ThreadedProvider(provider, loop), lambda: loop.call_soon_threadsafe(stop.set)))
            await stop.wait()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
            (ended if started.done() else started).set_exception(error)
        else:
            ended.set_result(None)

    thread = threading.Thread(target=run, name="fake provider", daemon=True)
    thread.start()
    try:
        view, stop = started.result()
    except BaseException:
        thread.join()
        raise
    failed = True
    try:
        yield view
        failed = False
    finally:
        stop()
        thread.join()
        if not failed:
            ended.result()
