"""The head of an answer goes with its body, or alone after a moment, and always before it."""

from __future__ import annotations

import asyncio

from ccproxy.gateway.joining import JoiningTransport


class FakeTransport(asyncio.Transport):
    """Notes what is done to it."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[bytes | str] = []

    def write(self, data: bytes) -> None:  # type: ignore[override]
        self.done.append(data)

    def close(self) -> None:
        self.done.append("close")

    def abort(self) -> None:
        self.done.append("abort")

    def is_closing(self) -> bool:
        return "close" in self.done


def joining() -> tuple[JoiningTransport, FakeTransport]:
    transport = FakeTransport()
    return JoiningTransport(transport, asyncio.get_running_loop()), transport


async def test_a_held_head_goes_with_what_follows() -> None:
    joined, transport = joining()
    joined.write(b"before ")
    joined.hold()
    joined.write(b"head ")
    assert transport.done == [b"before "]
    joined.write(b"body")
    joined.write(b" more")
    assert transport.done == [b"before ", b"head body", b" more"]


async def test_a_large_body_is_not_copied() -> None:
    joined, transport = joining()
    body = bytes(1_000_000)
    joined.hold()
    joined.write(b"head")
    joined.write(body)
    assert transport.done[0] == b"head"
    assert transport.done[1] is body


async def test_a_head_does_not_wait_long_for_a_body_that_is_late() -> None:
    joined, transport = joining()
    joined.hold()
    joined.write(b"head")
    async with asyncio.timeout(30):
        while not transport.done:
            await asyncio.sleep(0)
    joined.write(b"body")
    assert transport.done == [b"head", b"body"]


async def test_what_is_held_goes_before_the_end_whatever_the_end() -> None:
    joined, transport = joining()
    joined.hold()
    joined.write(b"head")
    joined.close()
    assert transport.done == [b"head", "close"]
    assert joined.is_closing()
    joined, transport = joining()
    joined.hold()
    joined.write(b"head")
    joined.abort()
    joined.flush()
    assert transport.done == [b"head", "abort"]
