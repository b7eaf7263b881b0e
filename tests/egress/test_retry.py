from __future__ import annotations

from typing import Any

import pytest

from ccproxy.egress.retry import UNREACHABLE, Policy, Verdict, judge, retry_after
from ccproxy.exchange.http import Headers
from ccproxy.lightllm.errors import ErrorInfo
from ccproxy.providers.config import Retry

NOW = 1_700_000_000.0
AGAIN: dict[str, Any] = {"again": True, "elsewhere": True}
CASES: list[tuple[int, dict[str, str], ErrorInfo | None, Verdict]] = [
    (401, {}, None, Verdict(elsewhere=True, credential="refused")),
    (400, {}, ErrorInfo("authentication", "m"), Verdict(elsewhere=True, credential="refused")),
    (429, {}, None, Verdict(**AGAIN, credential="limited")),
    (429, {"retry-after": "7"}, None, Verdict(**AGAIN, credential="limited", wait=7)),
    (429, {}, ErrorInfo("rate_limit", "m", retry_after=3.5), Verdict(**AGAIN, credential="limited", wait=3.5)),
    (429, {}, ErrorInfo("quota", "m"), Verdict(elsewhere=True, credential="limited")),
    (429, {"x-should-retry": "false"}, None, Verdict(elsewhere=True, credential="limited")),
    (500, {}, None, Verdict(**AGAIN, unhealthy=True)),
    (502, {}, None, Verdict(**AGAIN, unhealthy=True)),
    (503, {"retry-after-ms": "1500"}, None, Verdict(**AGAIN, unhealthy=True, wait=1.5)),
    (503, {"x-should-retry": "false"}, None, Verdict(elsewhere=True, unhealthy=True)),
    (529, {}, None, Verdict(**AGAIN, unhealthy=True)),
    (529, {}, ErrorInfo("overloaded", "m"), Verdict(**AGAIN, unhealthy=True)),
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
        assert Policy().attempts == 1
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
