from __future__ import annotations

from ccproxy.egress.breaker import Breaker
from ccproxy.util.clock import FakeClock


def broken(clock: FakeClock) -> Breaker:
    breaker = Breaker(failures=3, seconds=30, clock=clock)
    for _ in range(3):
        assert breaker.admit()
        breaker.failed()
    return breaker


def test_failures_in_a_row_open_it() -> None:
    clock = FakeClock()
    breaker = Breaker(failures=3, seconds=30, clock=clock)
    for failure in (True, True, False, True, True):
        assert breaker.admit()
        breaker.failed() if failure else breaker.succeeded()
    assert breaker.state == "closed"

    breaker.failed()

    assert breaker.state == "open"
    assert not breaker.admit()
    assert breaker.remaining == 30


def test_one_request_finds_out_whether_it_is_back() -> None:
    clock = FakeClock()
    breaker = broken(clock)
    clock.advance(30)

    assert breaker.state == "half-open"
    assert breaker.admit()
    assert not breaker.admit()
    breaker.succeeded()

    assert breaker.state == "closed"
    assert breaker.admit()
    assert breaker.remaining == 0


def test_a_failed_probe_opens_it_for_as_long_again() -> None:
    clock = FakeClock()
    breaker = broken(clock)
    clock.advance(31)
    assert breaker.admit()
    breaker.failed()

    assert breaker.remaining == 30
    clock.advance(30)
    assert breaker.admit()


def test_a_probe_that_was_given_up_leaves_room_for_another() -> None:
    clock = FakeClock()
    breaker = broken(clock)
    clock.advance(30)
    assert breaker.admit()
    breaker.abandoned()

    assert breaker.admit()
