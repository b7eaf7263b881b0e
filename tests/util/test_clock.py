"""Time as a value."""

from __future__ import annotations

from ccproxy.util.clock import Clock, FakeClock, SystemClock


def test_a_fake_clock_moves_when_told() -> None:
    clock = FakeClock(wall=100.0)
    clock.advance(2.5)
    assert (clock.wall(), clock.mono()) == (102.5, 2.5)
    clock.set_wall(50.0)
    assert (clock.wall(), clock.mono()) == (50.0, 2.5)


def test_the_systems_clocks() -> None:
    clock: Clock = SystemClock()
    first = clock.mono()
    assert clock.mono() >= first
    assert clock.wall() > 1_700_000_000
