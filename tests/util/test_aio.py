"""Tasks that are not lost, and calls that are shared."""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from typing import Any

import pytest

from ccproxy.util.aio import SingleFlight, TaskGroupKeeper


class Call:
    """A call that waits for its gate, counts how often it was made, and returns its number or raises."""

    def __init__(self, *, fails: bool = False) -> None:
        self.made = 0
        self.ended = 0
        self.fails = fails
        self.begun = asyncio.Event()
        self.gate = asyncio.Event()

    async def __call__(self) -> int:
        self.made += 1
        number = self.made
        self.begun.set()
        try:
            await self.gate.wait()
            if self.fails:
                raise ValueError("boom")
            return number
        finally:
            self.ended += 1


async def test_settling_waits_for_what_runs_and_raises_nothing() -> None:
    flight: SingleFlight[int] = SingleFlight()
    await flight.settle()
    call = Call(fails=True)
    asked = asyncio.create_task(flight.do("k", call))
    await call.begun.wait()
    settling = asyncio.create_task(flight.settle())
    await asyncio.sleep(0)
    assert not settling.done()

    call.gate.set()
    await settling

    with pytest.raises(ValueError, match="boom"):
        await asked


async def waiting(flight: SingleFlight[int], call: Call, callers: int, key: str = "k") -> list[asyncio.Task[int]]:
    """Callers that have asked and wait."""
    tasks = [asyncio.create_task(flight.do(key, call)) for _ in range(callers)]
    await call.begun.wait()
    return tasks


class TestSingleFlight:
    async def test_many_callers_share_one_call(self) -> None:
        flight, call = SingleFlight[int](), Call()
        tasks = await waiting(flight, call, 50)
        call.gate.set()
        assert await asyncio.gather(*tasks) == [1] * 50
        assert call.made == 1

    async def test_keys_do_not_share(self) -> None:
        flight, call, other = SingleFlight[int](), Call(), Call()
        [first] = await waiting(flight, call, 1, "a")
        [second] = await waiting(flight, other, 1, "b")
        other.gate.set()
        assert await second == 1
        assert not first.done()
        call.gate.set()
        assert await first == 1

    async def test_a_result_is_not_remembered(self) -> None:
        flight, call = SingleFlight[int](), Call()
        call.gate.set()
        assert [await flight.do("k", call) for _ in range(3)] == [1, 2, 3]

    async def test_a_caller_that_has_its_answer_starts_a_new_call(self) -> None:
        flight, call = SingleFlight[int](), Call()
        call.gate.set()

        async def twice() -> tuple[int, int]:
            return await flight.do("k", call), await flight.do("k", call)

        assert await asyncio.gather(twice(), twice()) == [(1, 2), (1, 2)]

    async def test_a_failure_reaches_all_who_wait_and_is_not_remembered(self) -> None:
        flight, call = SingleFlight[int](), Call(fails=True)
        tasks = await waiting(flight, call, 3)
        call.gate.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [str(result) for result in results] == ["boom"] * 3
        call.fails = False
        assert await flight.do("k", call) == 2

    @pytest.mark.parametrize("leaver", [0, 1])
    async def test_a_caller_that_is_cancelled_leaves_the_call_to_the_others(self, leaver: int) -> None:
        flight, call = SingleFlight[int](), Call()
        tasks = await waiting(flight, call, 2)
        tasks[leaver].cancel()
        await asyncio.wait([tasks[leaver]])
        assert tasks[leaver].cancelled()
        call.gate.set()
        assert await tasks[1 - leaver] == 1

    async def test_a_call_that_all_have_left_runs_to_its_end_and_serves_who_comes_later(self) -> None:
        flight, call = SingleFlight[int](), Call()
        [only] = await waiting(flight, call, 1)
        only.cancel()
        await asyncio.wait([only])
        late = asyncio.create_task(flight.do("k", call))
        await asyncio.sleep(0)
        call.gate.set()
        assert await late == 1
        assert (call.made, call.ended) == (1, 1)

    async def test_a_failure_that_nobody_waits_for_is_no_lost_one(self) -> None:
        reported: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
        flight, call = SingleFlight[int](), Call(fails=True)
        [only] = await waiting(flight, call, 1)
        only.cancel()
        await asyncio.wait([only])
        call.gate.set()
        while not call.ended:
            await asyncio.sleep(0)
        call.fails = False
        assert await flight.do("k", call) == 2
        del only
        gc.collect()
        assert reported == []


class TestTaskGroupKeeper:
    async def test_a_task_that_nobody_holds_is_kept_until_it_ends(self) -> None:
        keeper, gate, ended = TaskGroupKeeper(), asyncio.Event(), asyncio.Event()

        async def work() -> None:
            await gate.wait()
            ended.set()

        held = weakref.ref(keeper.spawn(work(), name="work"))
        await asyncio.sleep(0)
        gc.collect()
        assert held() is not None
        gate.set()
        await asyncio.wait_for(ended.wait(), 5)
        await asyncio.sleep(0)
        gc.collect()
        assert held() is None, "a task that has ended is let go of"

    async def test_a_failure_is_logged_with_its_name_and_traceback(self, caplog: pytest.LogCaptureFixture) -> None:
        keeper = TaskGroupKeeper()

        async def fails() -> None:
            raise ValueError("boom")

        await asyncio.wait([keeper.spawn(fails(), name="the failing one")])
        await keeper.close()
        [record] = caplog.records
        assert (record.levelno, record.getMessage()) == (logging.ERROR, "background task the failing one failed")
        assert record.exc_info is not None
        assert str(record.exc_info[1]) == "boom"

    async def test_close_cancels_waits_and_reports_no_failure(self, caplog: pytest.LogCaptureFixture) -> None:
        keeper, running, cleaned = TaskGroupKeeper(), asyncio.Event(), asyncio.Event()

        async def runs() -> None:
            try:
                running.set()
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                cleaned.set()

        keeper.spawn(runs(), name="the running one")
        await running.wait()
        await keeper.close()
        assert cleaned.is_set()
        assert caplog.records == []
        await keeper.close()

    async def test_close_also_ends_what_is_started_meanwhile(self) -> None:
        keeper, running = TaskGroupKeeper(), asyncio.Event()
        late: list[asyncio.Task[None]] = []

        async def forever() -> None:
            await asyncio.Event().wait()

        async def starts_another() -> None:
            try:
                running.set()
                await forever()
            finally:
                late.append(keeper.spawn(forever(), name="late"))

        keeper.spawn(starts_another(), name="early")
        await running.wait()
        await keeper.close()
        assert [task.cancelled() for task in late] == [True]
