"""A circuit breaker: a provider that fails again and again is left alone for a while, then asked with one request.

closed --failures in a row--> open --time--> half-open (one request) --success--> closed, --failure--> open
"""

from __future__ import annotations

from typing import Literal

from ccproxy.util.clock import Clock


class Breaker:
    """The state of one provider.

    Args:
        failures: how many in a row open it.
        seconds: how long it stays open.
    """

    def __init__(self, *, failures: int, seconds: float, clock: Clock) -> None:
        self.failures = failures
        self.seconds = seconds
        self._clock = clock
        self._count = 0
        self._opened = 0.0
        self._probing = False

    @property
    def state(self) -> Literal["closed", "open", "half-open"]:
        if self._count < self.failures:
            return "closed"
        return "half-open" if self._clock.mono() >= self._opened + self.seconds else "open"

    @property
    def remaining(self) -> float:
        """Seconds until a request is let through; 0 if one is now."""
        return max(0.0, self._opened + self.seconds - self._clock.mono()) if self.state == "open" else 0.0

    def admit(self) -> bool:
        """Whether a request may be sent. Who was let through calls one of the methods below afterwards."""
        match self.state:
            case "closed":
                return True
            case "half-open" if not self._probing:
                self._probing = True
                return True
            case _:
                return False

    def succeeded(self) -> None:
        """The provider answered as it should."""
        self._count = 0
        self._probing = False

    def failed(self) -> None:
        """It did not."""
        self._count += 1
        self._probing = False
        if self._count >= self.failures:
            self._opened = self._clock.mono()

    def abandoned(self) -> None:
        """The request was given up before it was known how it would end."""
        self._probing = False
