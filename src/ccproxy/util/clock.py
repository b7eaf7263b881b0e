"""Time as a value that is passed in, so that tests never sleep."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """What code asks for the time."""

    def wall(self) -> float:
        """Seconds since the epoch. May jump, also backwards: never measure with it."""
        ...

    def mono(self) -> float:
        """Seconds of a clock that only goes forward."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def wall(self) -> float:
        return time.time()

    def mono(self) -> float:
        return time.monotonic()


class FakeClock:
    """A clock that moves only when told to."""

    def __init__(self, wall: float = 1_700_000_000.0) -> None:
        self._wall = wall
        self._mono = 0.0

    def wall(self) -> float:
        return self._wall

    def mono(self) -> float:
        return self._mono

    def advance(self, seconds: float) -> None:
        """Lets `seconds` pass on both clocks. Raises ValueError if there are less than none."""
        if seconds < 0:
            raise ValueError("time does not go backwards; set_wall moves the wall clock alone")
        self._wall += seconds
        self._mono += seconds

    def set_wall(self, wall: float) -> None:
        """Sets the wall clock alone, as an administrator or NTP would."""
        self._wall = wall
