"""Request bodies within limits."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ccproxy.errors import BadRequest, Overloaded
from ccproxy.exchange.http import Headers
from ccproxy.gateway.bodies import Budget, ClientGone, RequestBody


def body(
    messages: list[dict[str, Any]],
    *,
    length: int | None = None,
    chunked: bool = False,
    limit: int = 100,
    budget: int = 1000,
) -> tuple[RequestBody, Budget]:
    waiting = iter(messages)

    async def receive() -> dict[str, Any]:
        try:
            return next(waiting)
        except StopIteration:
            await asyncio.Event().wait()
            raise AssertionError from None

    pairs = [(b"Content-Length", str(length).encode())] if length is not None else []
    pairs += [(b"Transfer-Encoding", b"chunked")] if chunked else []
    account = Budget(budget)
    return RequestBody(receive, Headers(pairs), limit=limit, idle=0.02, budget=account), account


def piece(data: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": data, "more_body": more}


async def test_a_body_in_pieces_is_put_together_and_accounted_for() -> None:
    request, account = body([piece(b"ab"), piece(b""), piece(b"cd", more=False)], length=4)
    assert await request.read() == b"abcd"
    assert (request.complete, account.used) == (True, 4)
    request.release()
    assert account.used == 0


@pytest.mark.parametrize(("length", "expected"), [(None, False), (0, True)])
async def test_no_body_is_not_waited_for(length: int | None, expected: bool) -> None:
    request, _ = body([], length=length)
    assert await request.read() == b""
    assert (request.complete, request.expected) == (True, expected)


async def test_the_declared_length_is_checked_before_anything_is_read() -> None:
    with pytest.raises(BadRequest) as refused:
        body([], length=101)
    assert refused.value.status == 413


async def test_the_real_length_is_checked_as_it_comes() -> None:
    request, _ = body([piece(b"x" * 60), piece(b"x" * 60)], chunked=True)
    with pytest.raises(BadRequest) as refused:
        await request.read()
    assert refused.value.status == 413


async def test_silence_is_a_408() -> None:
    request, _ = body([piece(b"x")], length=5)
    with pytest.raises(BadRequest) as refused:
        await request.read()
    assert refused.value.status == 408


async def test_a_client_that_leaves() -> None:
    request, _ = body([piece(b"x"), {"type": "http.disconnect"}], length=5)
    with pytest.raises(ClientGone):
        await request.read()


async def test_the_common_budget() -> None:
    request, account = body([piece(b"x" * 20)], length=50, budget=10)
    with pytest.raises(Overloaded):
        await request.read()
    request.release()
    assert account.used == 0


async def test_a_streamed_body_is_shown_and_not_held() -> None:
    request, account = body([piece(b"ab"), piece(b"cd", more=False)], chunked=True)
    seen: list[bytes] = []
    assert [part async for part in request.stream(seen.append)] == [b"ab", b"cd"] == seen
    assert account.used == 0
