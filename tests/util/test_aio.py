"""Tasks that are not lost, and calls that are shared."""

from __future__ import annotations

import asyncio
import logging

import pytest

from ccproxy.util.aio import SingleFlight, TaskGroupKeeper


async def test_many_callers_one_call() -> None:
    flight: SingleFlight[int] = SingleFlight()
    calls = 0
    gate = asyncio.Event()

    async def call() -> int:
        nonlocal calls
        calls += 1
        await gate.wait()
        return calls

    waiting = [asyncio.create_task(flight.do("k", call)) for _ in range(10)]
    other = asyncio.create_task(flight.do("other", call))
    await asyncio.sleep(0)
    gate.set()
    assert len({await task for task in waiting}) == 1
    await other
    assert calls == 2
    assert await flight.do("k", call) == 3, "a finished call is not remembered"


async def test_a_failure_reaches_all_and_is_not_remembered() -> None:
    flight: SingleFlight[int] = SingleFlight()
    fails = True

    async def call() -> int:
        await asyncio.sleep(0)
        if fails:
            raise ValueError
        return 1

    results = await asyncio.gather(*(flight.do("k", call) for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [ValueError] * 3
    fails = False
    assert await flight.do("k", call) == 1


async def test_a_caller_that_is_cancelled_does_not_take_the_call_along() -> None:
    flight: SingleFlight[int] = SingleFlight()
    gate = asyncio.Event()

    async def call() -> int:
        await gate.wait()
        return 1

    first = asyncio.create_task(flight.do("k", call))
    second = asyncio.create_task(flight.do("k", call))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    gate.set()
    assert await second == 1
    assert first.cancelled()


async def test_background_tasks_are_kept_logged_and_ended(caplog: pytest.LogCaptureFixture) -> None:
    keeper = TaskGroupKeeper()
    ended = asyncio.Event()

    async def fails() -> None:
        raise ValueError("boom")

    async def runs() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    failing = keeper.spawn(fails(), name="the failing one")
    keeper.spawn(runs(), name="the running one")
    await asyncio.wait([failing])
    await asyncio.sleep(0)
    with caplog.at_level(logging.ERROR):
        assert "the failing one" in caplog.text
    await keeper.close()
    assert ended.is_set()
