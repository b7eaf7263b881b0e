"""Running a stage: order, concurrency, failures, and what is told of them."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

import pytest

from ccproxy.errors import HookError, Refused
from ccproxy.hooks import HookContext, hook
from ccproxy.pipeline.runner import Configured, Pipeline
from ccproxy.util.clock import FakeClock

from .support import draft, named, pipeline, run

PATIENCE = 10.0
SECRET = "-".join(("canary", "0123456789"))


async def test_hooks_run_in_their_order_and_are_told_of() -> None:
    log: list[str] = []
    r = run()
    reads = named("reads", reads=["session"], log=log)
    writes = named("writes", writes=["session"], log=log)
    await pipeline(reads, writes).run(draft(), r)
    assert log == ["writes", "reads"]
    assert [(one.name, one.stage, one.order, one.error) for one in r.exchange.hooks] == [
        ("writes", "inbound", 1, ""),
        ("reads", "inbound", 2, ""),
    ]


async def test_what_a_hook_changed_is_told_with_its_name_and_time() -> None:
    clock = FakeClock()

    @hook(writes=["model", "headers.x-a"])
    def edit(ctx: HookContext) -> None:
        clock.advance(0.004)
        ctx.model = "other"
        ctx.headers["X-A"] = "1"
        ctx.headers["X-A"] = "2"
        ctx.note("why")

    r, made = run(clock), draft()
    await pipeline(edit).run(made, r)
    told = r.exchange.hooks[0]
    assert (told.changed, told.notes, round(told.ms, 3)) == (["body.model", "headers.x-a"], ["why"], 4.0)
    assert made.model == "other"


async def test_a_condition_and_the_kind_of_request_decide_whether_it_runs() -> None:
    log: list[str] = []

    @hook(when=lambda ctx: False)
    def never(ctx: HookContext) -> None:
        log.append("never")

    @hook(every=True)
    def always(ctx: HookContext) -> None:
        log.append("always")

    @hook
    def asks(ctx: HookContext) -> None:
        log.append("asks")

    r = run()
    await pipeline(never, always, asks).run(draft(form="other"), r)
    assert log == ["always"]
    await pipeline(never, always, asks).run(draft(), r)
    assert log == ["always", "always", "asks"]
    forced = Pipeline("inbound", [Configured(never, "never", forced=True)])
    await forced.run(draft(), r)
    assert log[-1] == "never"


@pytest.mark.parametrize("kind", ["marker", "pending"])
async def test_what_only_stands_in_the_list_is_not_called(kind: str) -> None:
    more: dict[str, Any] = {"marker": {"marker": True}, "pending": {"pending": "does nothing yet"}}[kind]
    log: list[str] = []
    stands = hook(name="stands", **more)(lambda ctx: log.append("called"))
    made = pipeline(stands)
    assert not made
    await made.run(draft(), run())
    assert log == []


class TestTogether:
    @pytest.mark.parametrize("listed", [0, 1])
    async def test_independent_coroutines_run_at_the_same_time(self, listed: int) -> None:
        """Each waits for the other to have begun."""
        begun = [asyncio.Event(), asyncio.Event()]

        def meets(own: int) -> Any:
            @hook(name=f"meets{own}", writes=[f"headers.x-{own}"])
            async def function(ctx: HookContext) -> None:
                begun[own].set()
                async with asyncio.timeout(PATIENCE):
                    await begun[1 - own].wait()
                ctx.headers[f"x-{own}"] = "met"

            return function

        made = draft()
        await pipeline(meets(listed), meets(1 - listed)).run(made, run())
        assert {made.headers.text(b"x-0"), made.headers.text(b"x-1")} == {"met"}

    async def test_blocking_functions_run_in_threads_beside_each_other(self) -> None:
        barrier = threading.Barrier(2)
        loops = threading.get_ident()
        threads: set[int] = set()

        def waits(name: str) -> Any:
            @hook(name=name, blocking=True)
            def function(ctx: HookContext) -> None:
                barrier.wait(PATIENCE)
                threads.add(threading.get_ident())

            return function

        await pipeline(waits("one"), waits("other")).run(draft(), run())
        assert len(threads) == 2
        assert loops not in threads

    async def test_a_short_chain_does_not_wait_for_a_long_one(self) -> None:
        """`b` follows `a`; `slow` depends on neither, and waits until `b` is done."""
        done = asyncio.Event()

        @hook
        async def slow(ctx: HookContext) -> None:
            async with asyncio.timeout(PATIENCE):
                await done.wait()

        @hook(writes=["session"])
        async def a(ctx: HookContext) -> None:
            ctx.session = "s"

        @hook(reads=["session"])
        def b(ctx: HookContext) -> None:
            assert ctx.session == "s"
            done.set()

        r = run()
        await pipeline(slow, b, a).run(draft(), r)
        assert [one.name for one in r.exchange.hooks] == ["slow", "a", "b"]

    async def test_dependent_ones_do_not_overlap(self) -> None:
        log: list[str] = []

        def step(name: str) -> Any:
            @hook(name=name, reads=["body"], writes=["body"])
            async def function(ctx: HookContext) -> None:
                log.append(f"{name} begins")
                await asyncio.sleep(0)
                log.append(f"{name} ends")

            return function

        await pipeline(step("a"), step("b")).run(draft(), run())
        assert log == ["a begins", "a ends", "b begins", "b ends"]

    async def test_a_failure_ends_the_others(self) -> None:
        ended = asyncio.Event()

        @hook
        async def waits(ctx: HookContext) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        @hook
        async def breaks(ctx: HookContext) -> None:
            await asyncio.sleep(0)
            raise ValueError("no")

        with pytest.raises(HookError, match="hook breaks failed: ValueError: no"):
            await pipeline(waits, breaks).run(draft(), run())
        assert ended.is_set()

    async def test_an_answer_ends_the_others(self) -> None:
        @hook(writes=["answer"])
        async def answers(ctx: HookContext) -> None:
            ctx.respond("done")

        @hook
        async def waits(ctx: HookContext) -> None:
            await asyncio.Event().wait()

        made = draft()
        await pipeline(waits, answers).run(made, run())
        assert made.reply is not None

    async def test_requests_that_ask_no_model_pass_by(self) -> None:
        @hook
        async def asks(ctx: HookContext) -> None:
            raise AssertionError

        r = run()
        await pipeline(asks, named("plain")).run(draft(form="other"), r)
        assert r.exchange.hooks == []

    async def test_cancelling_the_request_cancels_its_hooks(self) -> None:
        begun, ended = asyncio.Event(), asyncio.Event()

        @hook
        async def waits(ctx: HookContext) -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        task = asyncio.create_task(pipeline(waits).run(draft(), run()))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended.is_set()


class TestFailures:
    async def test_fail_names_the_hook_and_the_line(self, caplog: pytest.LogCaptureFixture) -> None:
        @hook
        def breaks(ctx: HookContext) -> None:
            raise ValueError("no such team")

        r = run()
        with pytest.raises(
            HookError, match=r"hook breaks failed: ValueError: no such team \(test_runner.py:\d+\)"
        ) as caught:
            await pipeline(breaks, named("later")).run(draft(), r)
        assert caught.value.status == 500
        assert [(one.name, one.error.partition(" (")[0]) for one in r.exchange.hooks] == [
            ("breaks", "ValueError: no such team")
        ]
        assert "hook breaks failed on f1" in caplog.text

    async def test_skip_takes_its_edits_back_and_goes_on(self, caplog: pytest.LogCaptureFixture) -> None:
        @hook(writes=["model", "headers.x-a"], on_error="skip")
        def breaks(ctx: HookContext) -> None:
            ctx.model = "half"
            ctx.headers["x-a"] = "1"
            ctx.on_event(lambda event: None)
            raise KeyError("x")

        log: list[str] = []
        made, r = draft(), run()
        raw = made.finish()[1]
        await pipeline(named("before", log=log), breaks, named("after", log=log)).run(made, r)
        assert log == ["before", "after"]
        assert made.finish() == (made.headers, raw)
        assert not r.answers
        told = r.exchange.hooks[1]
        assert (told.name, told.changed, told.error.partition(" (")[0]) == ("breaks", [], "KeyError: 'x'")
        assert "hook breaks failed" in caplog.text

    async def test_skip_that_cannot_take_back_is_a_failure(self) -> None:
        """Another hook, at the same time, edits what the failed one has edited before."""
        edited, followed = asyncio.Event(), asyncio.Event()

        @hook(writes=["headers.x-a"], on_error="skip")
        async def breaks(ctx: HookContext) -> None:
            ctx.headers["x-a"] = "1"
            edited.set()
            await followed.wait()
            raise ValueError("late")

        @hook(writes=["headers.x-b"])
        async def follows(ctx: HookContext) -> None:
            await edited.wait()
            ctx.headers["x-b"] = "1"
            followed.set()

        with pytest.raises(HookError, match="could not be taken back"):
            await pipeline(breaks, follows).run(draft(), run())

    async def test_a_refusal_is_not_skipped(self) -> None:
        @hook(on_error="skip")
        def refuses(ctx: HookContext) -> None:
            ctx.refuse("not on a Sunday", status=451)

        r = run()
        with pytest.raises(Refused, match="hook refuses: not on a Sunday") as caught:
            await pipeline(refuses).run(draft(), r)
        assert caught.value.status == 451
        assert r.exchange.hooks[0].error == "hook refuses: not on a Sunday"

    async def test_secrets_of_the_exchange_stay_out_of_the_text(self, caplog: pytest.LogCaptureFixture) -> None:
        @hook
        def breaks(ctx: HookContext) -> None:
            raise ValueError(f"header was {SECRET}")

        r = run()
        r.exchange.secrets.add(SECRET)
        with pytest.raises(HookError) as caught:
            await pipeline(breaks).run(draft(), r)
        assert "canary" not in str(caught.value) + r.exchange.hooks[0].error + caplog.text
        assert "test_runner.py" in caplog.text

    async def test_a_condition_that_breaks_is_the_hook_s_failure(self) -> None:
        broken = hook(name="broken", when=lambda ctx: bool(ctx.headers["x-none"]))(lambda ctx: None)
        with pytest.raises(HookError, match="hook broken failed: KeyError"):
            await pipeline(broken).run(draft(), run())

    async def test_a_function_that_gives_back_something_is_wrong(self) -> None:
        odd: Any = hook(name="odd")(lambda ctx: 5)
        with pytest.raises(HookError, match="a hook returns None"):
            await pipeline(odd).run(draft(), run())

    async def test_an_answer_ends_the_stage(self) -> None:
        log: list[str] = []

        @hook(writes=["answer"])
        def answers(ctx: HookContext) -> None:
            ctx.respond({"ok": True}, status=418)

        made = draft()
        await pipeline(answers, named("later", log=log)).run(made, run())
        assert made.reply is not None
        assert (made.reply.status, made.reply.content, log) == (418, b'{"ok":true}', [])


class TestHolding:
    async def test_a_hook_that_holds_the_loop_is_named(self, caplog: pytest.LogCaptureFixture) -> None:
        clock = FakeClock()

        @hook
        def slow(ctx: HookContext) -> None:
            clock.advance(0.25)

        @hook
        def quick(ctx: HookContext) -> None:
            clock.advance(0.09)

        await pipeline(slow, quick).run(draft(), run(clock))
        assert [record.getMessage().partition(";")[0] for record in caplog.records] == [
            "hook slow held the event loop for 250 ms"
        ]

    async def test_of_a_coroutine_each_step_counts_and_waiting_does_not(self, caplog: pytest.LogCaptureFixture) -> None:
        clock = FakeClock()
        awake = asyncio.Event()

        @hook
        async def waits(ctx: HookContext) -> None:
            await awake.wait()
            clock.advance(0.09)
            await asyncio.sleep(0)
            clock.advance(0.2)
            raise ValueError("in the end")

        @hook
        async def wakes(ctx: HookContext) -> None:
            await asyncio.sleep(0)
            clock.advance(0.05)
            awake.set()

        with pytest.raises(HookError, match="in the end"):
            await pipeline(waits, wakes).run(draft(), run(clock))
        held = [record.getMessage().partition(";")[0] for record in caplog.records if "held" in record.getMessage()]
        assert held == ["hook waits held the event loop for 200 ms"]
        assert caplog.records[0].levelno == logging.WARNING

    async def test_a_coroutine_can_catch_its_cancellation(self) -> None:
        @hook
        async def times_out(ctx: HookContext) -> None:
            try:
                async with asyncio.timeout(0):
                    await asyncio.Event().wait()
            except TimeoutError:
                ctx.note("timed out")

        r = run()
        await pipeline(times_out).run(draft(), r)
        assert r.exchange.hooks[0].notes == ["timed out"]
