"""asyncio helpers: tasks that are not lost, and many callers sharing one running call."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

_log = logging.getLogger(__name__)


class TaskGroupKeeper:
    """Keeps a reference to background tasks until they end, and logs the ones that fail."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, coroutine: Coroutine[Any, Any, Any], *, name: str) -> asyncio.Task[Any]:
        """Starts `coroutine` in the background. `name` appears in the log if it fails."""
        task = asyncio.get_running_loop().create_task(coroutine, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("background task %s failed", task.get_name(), exc_info=error)

    async def close(self) -> None:
        """Cancels what still runs, what that starts on its way out included, and waits for it."""
        while tasks := list(self._tasks):
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


class SingleFlight[T]:
    """While a call for a key runs, further callers for that key wait for its result instead of starting another.

    A caller that is cancelled does not cancel the call for the others; a failure reaches every waiting caller and
    is not remembered.
    """

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Task[T]] = {}

    async def do(self, key: str, call: Callable[[], Awaitable[T]]) -> T:
        """Returns the result of `call()`, shared with whoever asks for `key` while it runs."""
        task = self._running.get(key)
        if task is None or task.done():

            async def run() -> T:
                return await call()

            task = asyncio.get_running_loop().create_task(run(), name=f"single-flight {key}")
            self._running[key] = task
            task.add_done_callback(lambda ended: self._done(key, ended))
        return await asyncio.shield(task)

    async def settle(self) -> None:
        """Waits for the calls that run; what they raise goes to who asked for them."""
        if self._running:
            await asyncio.wait(list(self._running.values()))

    def _done(self, key: str, task: asyncio.Task[T]) -> None:
        if self._running.get(key) is task:
            del self._running[key]
        if not task.cancelled():
            task.exception()  # retrieved here, so that a failure nobody waits for is not reported as lost
