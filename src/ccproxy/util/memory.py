"""Giving freed memory back to the system.

An agent's bodies are large and short-lived. glibc keeps what they leave behind for the next ones; between them it can be
told to let go, which takes about a millisecond.
"""

from __future__ import annotations

import asyncio
import ctypes
from collections.abc import Awaitable, Callable


def find_trim() -> Callable[[], object] | None:
    """What lets the C library give back its free memory, or None where it has no such call (musl, macOS)."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None
    return lambda: trim(0)


class Trimmer:
    """Trims when there was work since the last time and none is going on, and now and then while it does.

    Args:
        state: how much work there has been in all, and how much is going on.
        trim: what is called, in a thread.
        sleep: how to wait.
        seconds: how often to look.
        patience: looks in a row that busy hours are spared.
    """

    def __init__(
        self,
        state: Callable[[], tuple[int, int]],
        trim: Callable[[], object],
        *,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        seconds: float = 2.0,
        patience: int = 10,
    ) -> None:
        self._state = state
        self._trim = trim
        self._sleep = sleep
        self._seconds = seconds
        self._patience = patience

    async def run(self) -> None:
        """Goes on until it is cancelled."""
        trimmed, spared, before = 0, 0, 0
        while True:
            await self._sleep(self._seconds)
            total, active = self._state()
            # One more look after the last work, so that what records it has ended too.
            calm = not active and total == before
            before = total
            if total == trimmed:
                continue
            if not calm and spared < self._patience:
                spared += 1
                continue
            spared = 0
            if calm:
                trimmed = total
            await asyncio.to_thread(self._trim)
