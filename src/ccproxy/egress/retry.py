"""What a failure means for the next step: try again, take another credential, another provider, or pass it on.

Pure: statuses, header fields and error values in, a verdict out. A wait that the provider names is kept to or, if it is
too long, not begun; one that it does not name is ours alone and never told to the client.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Literal

from ccproxy.exchange.http import Headers
from ccproxy.lightllm.errors import ErrorInfo, kind_of_status
from ccproxy.providers.config import GeminiCapacity, Retry

#: Kinds of errors that the provider, and not the request, is the cause of.
_UNHEALTHY = frozenset({"api", "timeout", "overloaded", "cut"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What may help.

    Attributes:
        again: the same request to the same provider, after a while.
        elsewhere: the same request to another provider.
        credential: another credential of the provider: `refused` (this one is not accepted) or `limited` (it has met a
            limit); "" if that is of no use.
        wait: seconds until it is worth while, as the provider says; None if it does not.
        unhealthy: it counts against the provider.
        full: it is the model that is full or over its limit: another one of the same provider may not be.
    """

    again: bool = False
    elsewhere: bool = False
    credential: Literal["", "refused", "limited"] = ""
    wait: float | None = None
    unhealthy: bool = False
    full: bool = False

    @property
    def helps(self) -> bool:
        """Whether anything may help."""
        return bool(self.again or self.elsewhere or self.credential)


#: No connection, or none that gave an answer.
UNREACHABLE = Verdict(again=True, elsewhere=True, unhealthy=True)
#: The provider's credential cannot be had.
NO_CREDENTIAL = Verdict(elsewhere=True)


def judge(status: int, headers: Headers, error: ErrorInfo | None, *, now: float) -> Verdict:
    """The verdict on an error answer, or on an error inside a 200 (whose own status then counts).

    Args:
        error: what the body says, if it was read and understood.
        now: seconds since the epoch, for dates in `retry-after`.
    """
    kind = error.kind if error is not None else kind_of_status(status)
    wait = retry_after(headers, now)
    if wait is None and error is not None:
        wait = error.retry_after
    told = headers.text(b"x-should-retry").strip().lower()
    if status == 401 or kind == "authentication":
        return Verdict(elsewhere=True, credential="refused", wait=wait)
    if kind in {"rate_limit", "quota"} or status == 429:
        again = kind != "quota" and told != "false"
        return Verdict(again=again, elsewhere=True, credential="limited", wait=wait, full=True)
    if kind in _UNHEALTHY:
        full = kind == "overloaded" or status == 503
        return Verdict(again=told != "false", elsewhere=True, wait=wait, unhealthy=True, full=full)
    return Verdict(again=told == "true", wait=wait)


def retry_after(headers: Headers, now: float) -> float | None:
    """Seconds to wait as `retry-after-ms` or `retry-after` (seconds or an HTTP date, RFC 9110 10.2.3) say."""
    for name, unit in ((b"retry-after-ms", 0.001), (b"retry-after", 1.0)):
        text = headers.text(name).strip()
        if not text:
            continue
        try:
            seconds = float(text) * unit
        except ValueError:
            try:
                seconds = parsedate_to_datetime(text).timestamp() - now
            except (ValueError, OverflowError):
                continue
        if 0 <= seconds < float("inf"):
            return seconds
        if seconds < 0:
            return 0.0
    return None


@dataclass(frozen=True, slots=True)
class Policy:
    """How often and how long a provider is tried.

    Attributes:
        retry: the configured limits; None = once.
        capacity: those for a model that is full, in place of the others then; None = no difference.
        spread: gives a factor below 1 for waits of our own, so that many who wait do not come back together.
    """

    retry: Retry | None = None
    capacity: GeminiCapacity | None = None
    spread: Callable[[], float] = random.random

    @property
    def acts(self) -> bool:
        """Whether failures are worth looking at."""
        return self.retry is not None or self.capacity is not None

    def delay(self, attempt: int, verdict: Verdict, elapsed: float) -> float | None:
        """Seconds to wait after failed attempt number `attempt` (from 1), or None to give up.

        Args:
            elapsed: seconds since the request was first sent.
        """
        if self.capacity is not None and verdict.full:
            return self._for_the_same_model(self.capacity, attempt, verdict, elapsed)
        retry = self.retry
        if retry is None or not verdict.again or attempt >= retry.attempts:
            return None
        if verdict.wait is not None:
            wait = verdict.wait
            if wait > retry.max_seconds:
                return None
        else:
            wait = self._own_wait(retry.base_seconds, attempt, retry.max_seconds)
        return wait if elapsed + wait <= retry.total_seconds else None

    def takes_other_models(self, verdict: Verdict, elapsed: float) -> bool:
        """Whether another model is to be asked after a failure."""
        capacity = self.capacity
        if capacity is None or not verdict.full or elapsed > capacity.total_retry_budget_seconds:
            return False
        return verdict.wait is None or verdict.wait <= capacity.terminal_delay_threshold_seconds

    def _for_the_same_model(
        self, capacity: GeminiCapacity, attempt: int, verdict: Verdict, elapsed: float
    ) -> float | None:
        if not verdict.again or attempt > capacity.sticky_retry_attempts:
            return None
        longest = min(capacity.sticky_retry_max_delay_seconds, capacity.terminal_delay_threshold_seconds)
        wait = verdict.wait if verdict.wait is not None else self._own_wait(Retry().base_seconds, attempt, longest)
        return wait if wait <= longest and elapsed + wait <= capacity.total_retry_budget_seconds else None

    def _own_wait(self, base: float, attempt: int, longest: float) -> float:
        return min(base * 2.0 ** (attempt - 1), longest) * (0.5 + self.spread() / 2)
