"""The channel between the two processes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from ccproxy.interceptor import messages
from ccproxy.interceptor.config import InterceptorConfig, MitmproxyConfig
from ccproxy.interceptor.messages import Channel

MESSAGES = [
    messages.Settings(
        config=InterceptorConfig(quic="intercept", http_proxy_port=5),
        mitmproxy=MitmproxyConfig(ignore_hosts=["x"]),
        gateway=("127.0.0.1", 4000),
        secret="s",
        targets=messages.Targets(hosts=["a"], patterns=["b"]),
        directory="/d",
        trust="/t",
    ),
    messages.Ready(authority="/ca"),
    messages.Open(run="a1", public_key=b"\0" * 32, allow=["x"]),
    messages.Opened(run="a1", host="127.0.0.1", port=5, peer_key=b"k"),
    messages.Said(level=30, text="words"),
]


@pytest.fixture
async def ends() -> AsyncIterator[tuple[Channel, Channel]]:
    ours, theirs = socket.socketpair()
    one, other = await Channel.open(ours), await Channel.open(theirs)
    yield one, other
    one.close()
    other.close()


@pytest.mark.parametrize("message", MESSAGES)
async def test_messages_arrive_as_they_are(ends: tuple[Channel, Channel], message: messages.Message) -> None:
    one, other = ends
    one.send(message)
    assert await other.receive() == message


async def test_large_ones_too_and_in_order(ends: tuple[Channel, Channel]) -> None:
    one, other = ends
    large = messages.Said(level=1, text="x" * 3_000_000)
    one.send(large)
    one.send(messages.Close(run="a"))
    draining = asyncio.create_task(one.drain())
    assert await other.receive() == large
    assert await other.receive() == messages.Close(run="a")
    await draining


async def test_the_end_of_the_other_side(ends: tuple[Channel, Channel]) -> None:
    one, other = ends
    one.close()
    assert await other.receive() is None
    other.send(messages.Close(run="a"))
    await other.drain()
