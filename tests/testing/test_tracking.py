"""A hook that touches what it did not declare fails in `TrackingContext`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ccproxy.hooks import HookContext, hook
from ccproxy.lightllm.ir.events import End, Stop, TextDelta
from ccproxy.lightllm.ir.parts import Text
from ccproxy.lightllm.ir.response import Response, fold
from ccproxy.testing import TrackingContext, UndeclaredAccess

BODY = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "q"}], "metadata": {"user_id": "u"}}


class Seen:
    """State of a hook."""


def assign(name: str, value: Any) -> Callable[[HookContext], None]:
    return lambda ctx: setattr(ctx, name, value)


@pytest.mark.parametrize(
    ("does", "place"),
    [
        (lambda ctx: ctx.body["metadata.user_id"], "read body.metadata.user_id"),
        (lambda ctx: ctx.body.tree(), "read body"),
        (lambda ctx: ctx.request, "read body"),
        (lambda ctx: ctx.model, "read body.model"),
        (lambda ctx: ctx.headers.get("X-A"), "read headers.x-a"),
        (lambda ctx: list(ctx.headers), "read headers"),
        (lambda ctx: ctx.route, "read route"),
        (lambda ctx: ctx.session, "read session"),
        (lambda ctx: ctx.state(Seen), "read state.Seen"),
        (lambda ctx: ctx.on_event(print), "read answer"),
        (lambda ctx: ctx.on_event(print, edit=True), "wrote answer"),
        (lambda ctx: ctx.respond("x"), "wrote answer"),
        (lambda ctx: ctx.send_to("x"), "wrote route"),
        (assign("model", "n"), "wrote body.model"),
        (assign("session", "s"), "wrote session"),
        (lambda ctx: ctx.body.__setitem__("x", 1), "wrote body.x"),
        (lambda ctx: ctx.body.__delitem__("model"), "wrote body.model"),
        (lambda ctx: ctx.headers.__setitem__("x", "1"), "wrote headers.x"),
    ],
)
async def test_undeclared(does: Any, place: str) -> None:
    with pytest.raises(UndeclaredAccess, match=f"hook sneaky {place}; it declares .*: nothing"):
        await TrackingContext(hook(name="sneaky")(does), BODY).run()


async def test_declared_is_declared() -> None:
    @hook(reads=["body.metadata", "headers", "state.Seen"], writes=["body.metadata.user_id", "headers.x-a", "session"])
    def honest(ctx: HookContext) -> None:
        ctx.state(Seen)
        ctx.session = ctx.body["metadata.user_id"]
        ctx.headers["x-a"] = ctx.headers.get("x-b", "none") or ""
        ctx.body["metadata.user_id"] = "v"

    ctx = TrackingContext(honest, BODY)
    assert await ctx.run()
    assert (ctx.session, ctx.headers["x-a"], ctx.body["metadata.user_id"]) == ("u", "none", "v")


async def test_the_condition_is_held_to_it_too() -> None:
    sneaky = hook(name="sneaky", when=lambda ctx: ctx.model == "m")(lambda ctx: None)
    with pytest.raises(UndeclaredAccess, match=r"read body\.model"):
        await TrackingContext(sneaky, BODY).run()
    off = hook(when=lambda ctx: ctx.dialect == "openai")(lambda ctx: None)
    assert not await TrackingContext(off, BODY).run()


async def test_coroutines_and_threads() -> None:
    @hook(writes=["session"])
    async def waits(ctx: HookContext) -> None:
        ctx.session = "async"

    @hook(writes=["session"], blocking=True)
    def blocks(ctx: HookContext) -> None:
        ctx.session = "thread"

    for one, expected in ((waits, "async"), (blocks, "thread")):
        ctx = TrackingContext(one, BODY)
        await ctx.run()
        assert ctx.session == expected


async def test_an_answer_can_be_played() -> None:
    @hook(reads=["answer"], writes=["answer"])
    def loud(ctx: HookContext) -> None:
        ctx.on_event(lambda event: TextDelta(event.text.upper()) if isinstance(event, TextDelta) else None, edit=True)

    ctx = TrackingContext(loud, BODY)
    await ctx.run()
    assert fold(ctx.play(Response("r", "m", (Text("hi"),), stop=Stop("end")))).parts == (Text("HI"),)


async def test_an_error_of_a_callback_is_in_the_result() -> None:
    @hook(reads=["answer"])
    def breaks(ctx: HookContext) -> None:
        ctx.on_event(lambda event: 1 / 0)  # type: ignore[arg-type, return-value]

    ctx = TrackingContext(breaks, BODY)
    await ctx.run()
    ctx.play([End(Stop("end"))])
    assert ctx.result.error.startswith("ZeroDivisionError")
