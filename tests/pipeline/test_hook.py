"""`@hook` makes a value, and finds what is wrong with a declaration when it is made."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ccproxy.errors import ConfigError
from ccproxy.hooks import Hook, HookContext, hook
from ccproxy.testing import TrackingContext


class Params(msgspec.Struct):
    name: str


def plain(ctx: HookContext) -> None:
    """Does nothing.

    More of it."""


async def waits(ctx: HookContext) -> None:
    pass


def generates(ctx: HookContext) -> Any:
    yield


def lonely() -> None:
    pass


def test_a_function_becomes_a_value_that_can_be_called() -> None:
    @hook(reads=["model"], writes=["headers.x-team"], stage="inbound", params=Params)
    def stamp(ctx: HookContext, params: Params) -> None:
        """Says the team."""
        ctx.headers["x-team"] = params.name

    assert isinstance(stamp, Hook)
    assert (stamp.name, stamp.summary, stamp.stage, stamp.is_async) == ("stamp", "Says the team.", "inbound", False)
    assert stamp.reads_with(None) == (("body", "model"),)
    ctx = TrackingContext(stamp, {"model": "m"}, params={"name": "x"})
    stamp(ctx, Params("red"))
    assert ctx.headers["x-team"] == "red"


def test_without_brackets_it_declares_nothing() -> None:
    made = hook(plain)
    assert (made.name, made.reads, made.writes, made.summary) == ("plain", (), (), "Does nothing.")


def test_coroutine_functions_are_told_apart() -> None:
    assert hook(waits).is_async


def test_places_may_follow_from_the_parameters() -> None:
    made = hook(writes=lambda params: [f"headers.{params.name}"], params=Params)(lambda ctx, params: None)
    assert made.writes_with(Params("X")) == (("headers", "x"),)
    with pytest.raises(ConfigError, match=r"writes: 'headers\.' is no place"):
        made.writes_with(Params(""))


@pytest.mark.parametrize(
    ("arguments", "function", "says"),
    [
        ({"reads": ["bdy"]}, plain, "hook plain: reads: 'bdy' is no place"),
        ({"writes": ["header.x"]}, plain, "hook plain: writes: 'header.x' is no place .* .did you mean 'headers'"),
        ({"stage": "middle"}, plain, "stage 'middle' is neither"),
        ({"on_error": "ignore"}, plain, "on_error 'ignore' is neither"),
        ({"blocking": True}, waits, "blocking=True is for plain functions"),
        ({}, generates, "not a generator"),
        ({}, lonely, r"must take \(ctx\)"),
        ({"params": Params}, plain, r"must take \(ctx, params\)"),
    ],
)
def test_a_wrong_declaration_is_found_at_once(arguments: Any, function: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        hook(**arguments)(function)
