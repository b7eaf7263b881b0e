"""Pages hear of what begins, grows and ends, in few messages; a page that does not read costs little and holds up nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ccproxy.errors import Overloaded, StoreError
from ccproxy.exchange.exchange import ResponseHead
from ccproxy.exchange.http import Headers
from ccproxy.flows.config import FlowsConfig
from ccproxy.flows.recorder import Recorder, Tape
from ccproxy.inspector import hub as module
from ccproxy.inspector.hub import MAX_PAGES, MAX_WAITING, RESYNC, Hub
from ccproxy.util.clock import FakeClock
from flows.support import MemoryStore, make_exchange

PATIENCE = 10.0


class Desk:
    """A hub with a recorder before it and a store of rows behind it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.hub = Hub(tick_seconds=0.001)
        self.recorder = Recorder(MemoryStore(), FlowsConfig(), self.clock)
        self.recorder.watcher = self.hub
        self.rows: dict[str, dict[str, Any]] = {}
        self.asked: list[list[str]] = []
        self.broken = False
        self.hub.connect(self.rows_of)

    async def rows_of(self, ids: list[str]) -> dict[str, dict[str, Any]]:
        self.asked.append(ids)
        if self.broken:
            raise StoreError("the disk is gone")
        return {flow_id: self.rows[flow_id] for flow_id in ids if flow_id in self.rows}

    def open(self, flow_id: str = "aa", **changes: Any) -> Tape:
        return self.recorder.open(make_exchange(self.clock, id=flow_id, outcome="pending", **changes))

    def store(self, flow_id: str, seq: int = 1) -> None:
        self.rows[flow_id] = {"id": flow_id, "seq": seq}


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    made = Desk()
    yield made
    await made.hub.close()


async def heard(messages: AsyncIterator[bytes], kind: str) -> list[Any]:
    """What of a kind the next message that has some brings."""
    async with asyncio.timeout(PATIENCE):
        while True:
            message = await anext(messages)
            if message.startswith(b"event: changes") and (value := json.loads(message.partition(b"data: ")[2])[kind]):
                return value  # type: ignore[no-any-return]


async def test_a_flow_from_its_beginning_to_the_store(desk: Desk) -> None:
    messages = await desk.hub.listen()
    assert RESYNC in await anext(messages)
    tape = desk.open(streaming=True)
    (row,) = await heard(messages, "began")
    assert (row["id"], row["running"], row["model"]) == ("aa", True, "claude-x")
    tape.response_chunk(b"12345")
    (row,) = await heard(messages, "progress")
    assert row["received"] == 5
    desk.store("aa")
    await tape.finish()
    assert await heard(messages, "stored") == [{"id": "aa", "seq": 1}]
    assert desk.hub.running() == []


async def test_running_exchanges_are_told_once(desk: Desk) -> None:
    desk.open()
    messages = await desk.hub.listen()
    await heard(messages, "began")
    desk.open("bb")
    (row,) = await heard(messages, "began")
    assert row["id"] == "bb"


async def test_one_that_does_not_turn_up_is_gone(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LOOKS", 2)
    messages = await desk.hub.listen()
    await desk.open().finish()
    assert desk.hub.awaited("aa")
    assert await heard(messages, "gone") == ["aa"]
    assert not desk.hub.awaited("aa")


async def test_a_store_in_trouble_is_asked_again(desk: Desk) -> None:
    desk.broken = True
    messages = await desk.hub.listen()
    desk.store("aa")
    await desk.open().finish()
    async with asyncio.timeout(PATIENCE):
        while not desk.asked:
            await asyncio.sleep(0)
    desk.broken = False
    assert await heard(messages, "stored")


async def test_with_no_page_nothing_is_looked_at(desk: Desk) -> None:
    tape = desk.open()
    await tape.finish()
    assert not desk.hub.awaited("aa")
    assert desk.asked == []


async def test_the_looking_ends_with_the_last_page_and_begins_with_the_next(desk: Desk) -> None:
    first = await desk.hub.listen()
    await anext(first)
    await first.aclose()  # type: ignore[attr-defined]
    desk.open()
    second = await desk.hub.listen()
    assert await heard(second, "began")


async def test_a_page_that_does_not_read_is_told_to_load_again(desk: Desk) -> None:
    slow = await desk.hub.listen()
    await anext(slow)
    quick = await desk.hub.listen()
    for number in range(MAX_WAITING + 5):
        desk.open(f"{number:02x}")
        await heard(quick, "began")
    assert await anext(slow) == RESYNC


async def test_very_many_flows_at_once_are_loaded_anew(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_FLOWS", 3)
    messages = await desk.hub.listen()
    await anext(messages)
    for number in range(5):
        desk.store(f"{number:02x}", number)
        await desk.open(f"{number:02x}").finish()
    async with asyncio.timeout(PATIENCE):
        while await anext(messages) != RESYNC:
            pass


async def test_pages_are_counted(desk: Desk) -> None:
    for _ in range(MAX_PAGES):
        await desk.hub.listen()
    with pytest.raises(Overloaded, match="pages of the inspector are open"):
        await desk.hub.listen()


async def test_closing_ends_the_streams(desk: Desk) -> None:
    messages = await desk.hub.listen()
    await anext(messages)
    await desk.hub.close()
    async with asyncio.timeout(PATIENCE):
        assert [message async for message in messages] == []


async def test_a_quiet_stream_is_kept_open(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEEPALIVE_SECONDS", 0.001)
    messages = await desk.hub.listen()
    await anext(messages)
    async with asyncio.timeout(PATIENCE):
        assert (await anext(messages)).startswith(b": ")


class TestSoFar:
    async def test_a_running_exchange_is_a_flow_without_its_secrets(self, desk: Desk) -> None:
        secret = "sk-ant-api03-0123456789abcdefghij"
        tape = desk.open(
            secrets={secret}, response=ResponseHead(200, "OK", Headers([(b"content-type", b"text/event-stream")]))
        )
        tape.response_chunk(b"data: one " + secret.encode() + b"\n\n")
        flow = desk.hub.so_far("aa")
        assert flow is not None
        assert flow.outcome == "pending"
        assert flow.response is not None
        assert b"data: one" in flow.response.body
        assert secret.encode() not in flow.response.body
        assert all(secret not in value for _, value in (flow.forwarded or flow.request).headers)

    async def test_looking_takes_nothing_away(self, desk: Desk) -> None:
        tape = desk.open()
        tape.response_chunk(b"one")
        tape.websocket_message(True, "hello")
        held = desk.recorder.held_bytes
        desk.hub.so_far("aa")
        assert desk.recorder.held_bytes == held
        tape.response_chunk(b" two")
        await tape.finish()
        assert isinstance(desk.recorder.store, MemoryStore)
        (flow,) = desk.recorder.store.flows
        assert flow.response is not None
        assert flow.response.body == b"one two"
        assert flow.websocket is not None
        assert flow.websocket.messages[0].body == b"hello"
        assert desk.recorder.held_bytes == 0

    def test_one_that_does_not_run(self) -> None:
        assert Hub().so_far("aa") is None
