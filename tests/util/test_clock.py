"""Time as a value."""

from __future__ import annotations

import time

import pytest

from ccproxy.util.clock import Clock, FakeClock, SystemClock


def test_a_fake_clock_moves_only_when_told() -> None:
    clock = FakeClock(wall=100.0)
    assert (clock.wall(), clock.mono()) == (clock.wall(), clock.mono()) == (100.0, 0.0)
    clock.advance(2.5)
    clock.advance(0)
    assert (clock.wall(), clock.mono()) == (102.5, 2.5)


def test_an_administrator_moves_the_wall_clock_alone() -> None:
    clock = FakeClock(wall=100.0)
    clock.advance(1)
    clock.set_wall(50.0)
    assert (clock.wall(), clock.mono()) == (50.0, 1.0)
    clock.advance(1)
    assert (clock.wall(), clock.mono()) == (51.0, 2.0)


def test_a_fake_clock_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="set_wall"):
        FakeClock().advance(-1)


def test_fake_clocks_do_not_share_their_time() -> None:
    one, other = FakeClock(), FakeClock()
    one.advance(5)
    assert (other.mono(), other.wall()) == (0.0, 1_700_000_000.0)


def test_the_systems_clocks() -> None:
    clock: Clock = SystemClock()
    before = time.time(), time.monotonic()
    now = clock.wall(), clock.mono()
    after = time.time(), time.monotonic()
    assert before[0] <= now[0] <= after[0]
    assert before[1] <= now[1] <= after[1]
