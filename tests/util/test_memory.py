"""Memory is given back when there was work and none is going on."""

from __future__ import annotations

import sys

import pytest

from ccproxy.util.memory import Trimmer, find_trim


class _Enough(Exception):
    pass


async def looks(states: list[tuple[int, int]], *, patience: int = 10) -> list[int]:
    """At which of the looks, each of which finds the next state (total, active), memory was given back."""
    look = -1
    trims: list[int] = []

    async def sleep(_seconds: float) -> None:
        nonlocal look
        look += 1
        if look == len(states):
            raise _Enough

    trimmer = Trimmer(lambda: states[look], lambda: trims.append(look), sleep=sleep, patience=patience)
    with pytest.raises(_Enough):
        await trimmer.run()
    return trims


async def test_without_work_nothing_is_done() -> None:
    assert await looks([(0, 0)] * 20) == []


async def test_once_after_the_work_has_ended() -> None:
    assert await looks([(5, 1), (9, 0), (9, 0), (9, 0), (9, 0)]) == [2]


async def test_again_after_more_work() -> None:
    assert await looks([(1, 0), (1, 0), (2, 0), (2, 0), (2, 0)]) == [1, 3]


async def test_now_and_then_while_it_goes_on() -> None:
    assert await looks([(each, 3) for each in range(1, 12)], patience=3) == [3, 7]


@pytest.mark.skipif(sys.platform != "linux", reason="malloc_trim is glibc's")
def test_glibc_has_it() -> None:
    trim = find_trim()
    if trim is None:
        pytest.skip("this C library has no malloc_trim")
    trim()
