from __future__ import annotations

from typing import Any

import pytest

from ccproxy.egress.retry import UNREACHABLE, Policy, Verdict, judge, retry_after
from ccproxy.exchange.http import Headers
from ccproxy.lightllm.errors import ErrorInfo
from ccproxy.providers.config import GeminiCapacity, Retry

NOW = 1_700_000_000.0
AGAIN: dict[str, Any] = {"again": True, "elsewhere": True}
CASES: list[tuple[int, dict[str, str], ErrorInfo | None, Verdict]] = [
    (401, {}, None, Verdict(elsewhere=True, credential="refused")),
    (400, {}, ErrorInfo("authentication", "m"), Verdict(elsewhere=True, credential="refused")),
    (429, {}, None, Verdict(**AGAIN, credential="limited", full=True)),
    (429, {"retry-after": "7"}, None, Verdict(**AGAIN, credential="limited", full=True, wait=7)),
    (
        429,
        {},
        ErrorInfo("rate_limit", "m", retry_after=3.5),
        Verdict(**AGAIN, credential="limited", full=True, wait=3.5),
    ),
    (429, {}, ErrorInfo("quota", "m"), Verdict(elsewhere=True, credential="limited", full=True)),
    (429, {"x-should-retry": "false"}, None, Verdict(elsewhere=True, credential="limited", full=True)),
    (500, {}, None, Verdict(**AGAIN, unhealthy=True)),
    (502, {}, None, Verdict(**AGAIN, unhealthy=True)),
    (503, {"retry-after-ms": "1500"}, None, Verdict(**AGAIN, unhealthy=True, wait=1.5, full=True)),
    (503, {"x-should-retry": "false"}, None, Verdict(elsewhere=True, unhealthy=True, full=True)),
    (529, {}, None, Verdict(**AGAIN, unhealthy=True, full=True)),
    (529, {}, ErrorInfo("overloaded", "m"), Verdict(**AGAIN, unhealthy=True, full=True)),
    (408, {}, None, Verdict(**AGAIN, unhealthy=True)),
    (400, {}, None, Verdict()),
    (403, {}, None, Verdict()),
    (404, {}, None, Verdict()),
    (409, {"x-should-retry": "true"}, None, Verdict(again=True)),
    (501, {}, None, Verdict()),
]


@pytest.mark.parametrize(("status", "headers", "error", "verdict"), CASES)
def test_what_may_help(status: int, headers: dict[str, str], error: ErrorInfo | None, verdict: Verdict) -> None:
    fields = Headers((name.encode(), value.encode()) for name, value in headers.items())

    assert judge(status, fields, error, now=NOW) == verdict
    assert verdict.helps == (verdict != Verdict())


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], None),
        ([("Retry-After", "2")], 2.0),
        ([("retry-after", " 0.5 ")], 0.5),
        ([("retry-after", "Tue, 14 Nov 2023 22:13:50 GMT")], 30.0),
        ([("retry-after", "Tue, 14 Nov 2023 22:13:00 GMT")], 0.0),
        ([("retry-after", "soon")], None),
        ([("retry-after", "nan")], None),
        ([("retry-after", "inf")], None),
        ([("retry-after", "-3")], 0.0),
        ([("retry-after-ms", "x"), ("retry-after", "3")], 3.0),
        ([("retry-after", "9"), ("retry-after-ms", "250")], 0.25),
    ],
)
def test_when_the_provider_says_to_come_back(headers: list[tuple[str, str]], expected: float | None) -> None:
    assert retry_after(Headers((n.encode(), v.encode()) for n, v in headers), NOW) == expected


class TestPolicy:
    def test_without_one_nothing_is_tried_again(self) -> None:
        assert not Policy().acts
        assert Policy().delay(1, UNREACHABLE, 0) is None

    def test_waits_of_our_own_double_up_to_the_longest(self) -> None:
        policy = Policy(Retry(attempts=9, base_seconds=1, max_seconds=5), spread=lambda: 1.0)

        assert [policy.delay(n, UNREACHABLE, 0) for n in range(1, 6)] == [1, 2, 4, 5, 5]
        halved = Policy(Retry(attempts=9, base_seconds=1), spread=lambda: 0.0)
        assert halved.delay(1, UNREACHABLE, 0) == 0.5

    def test_the_providers_wait_is_kept_to_the_second(self) -> None:
        policy = Policy(Retry(max_seconds=10), spread=lambda: 0.0)

        assert policy.delay(1, Verdict(again=True, wait=9.5), 0) == 9.5
        assert policy.delay(1, Verdict(again=True, wait=0), 0) == 0

    def test_a_wait_that_is_too_long_is_not_begun(self) -> None:
        policy = Policy(Retry(max_seconds=10, total_seconds=20), spread=lambda: 1.0)

        assert policy.delay(1, Verdict(again=True, wait=10.1), 0) is None
        assert policy.delay(1, Verdict(again=True, wait=5), 16) is None

    def test_it_ends(self) -> None:
        policy = Policy(Retry(attempts=2))

        assert policy.delay(1, UNREACHABLE, 0) is not None
        assert policy.delay(2, UNREACHABLE, 0) is None
        assert policy.delay(1, Verdict(elsewhere=True), 0) is None


class TestCapacity:
    FULL = Verdict(again=True, elsewhere=True, full=True)

    def policy(self, **settings: Any) -> Policy:
        return Policy(Retry(attempts=9), GeminiCapacity(enabled=True, **settings), spread=lambda: 1.0)

    def test_the_same_model_is_asked_as_often_as_configured(self) -> None:
        policy = self.policy(sticky_retry_attempts=2)

        assert [policy.delay(n, self.FULL, 0) for n in (1, 2, 3)] == [0.5, 1.0, None]
        assert self.policy(sticky_retry_attempts=0).delay(1, self.FULL, 0) is None
        assert policy.delay(3, UNREACHABLE, 0) is not None  # that is for `retry`

    @pytest.mark.parametrize(
        ("wait", "elapsed", "delay", "others"),
        [
            (60, 0, 60, True),
            (60.1, 0, None, True),
            (300, 0, None, True),
            (300.1, 0, None, False),
            (20, 100, 20, True),
            (21, 100, None, True),
            (1, 121, None, False),
        ],
    )
    def test_the_providers_wait_and_the_budget_decide(
        self, wait: float, elapsed: float, delay: float | None, others: bool
    ) -> None:
        verdict = Verdict(again=True, elsewhere=True, wait=wait, full=True)
        policy = self.policy()

        assert policy.delay(1, verdict, elapsed) == delay
        assert policy.takes_other_models(verdict, elapsed) is others

    def test_a_ceiling_below_the_longest_wait_counts_for_both(self) -> None:
        policy = self.policy(terminal_delay_threshold_seconds=5)

        assert policy.delay(1, Verdict(again=True, full=True, wait=6), 0) is None
        assert not policy.takes_other_models(Verdict(full=True, wait=6), 0)

    def test_another_model_is_no_help_where_the_model_is_not_full(self) -> None:
        assert not self.policy().takes_other_models(UNREACHABLE, 0)
        assert not Policy(Retry()).takes_other_models(self.FULL, 0)
