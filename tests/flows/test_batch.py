"""What waits for the writer: made ready once, counted by its size, told from any thread."""

from __future__ import annotations

import asyncio
import gzip
import random

import pytest

from ccproxy.flows import journal
from ccproxy.flows.batch import Batch, Item, prepare, size_of, tell
from ccproxy.flows.model import Flow, WebSocketMessage, WebSocketRecord
from ccproxy.flows.redact import NOTHING, Scrubber

from .support import make_flow

SECRET = "sk-ant-api03-0123456789abcdefghij"


def item(flow: Flow, scrubber: Scrubber = NOTHING) -> Item:
    return Item(flow, size_of(flow), scrubber, asyncio.get_running_loop().create_future())


async def test_a_flow_becomes_a_record_that_the_journal_reads() -> None:
    one = item(make_flow(1))
    assert prepare(one, small=True)
    [(found, written)] = journal.records(journal.MAGIC + b"".join(one.record))
    assert found == make_flow(1)
    assert one.written is not None
    assert written.bodies[0] == one.written.bodies[0]


async def test_what_takes_longer_is_left_for_a_thread() -> None:
    flow = make_flow(1)
    assert flow.response is not None
    flow.response.headers.append(("Content-Encoding", "gzip"))
    flow.response.body = gzip.compress(random.Random(1).randbytes(20_000).hex().encode() + SECRET.encode())
    one = item(flow, Scrubber([SECRET]))
    assert not prepare(one, small=True)
    assert (one.record, one.impossible) == ((), False)
    assert prepare(one)
    assert SECRET.encode() not in gzip.decompress(flow.response.body)


async def test_text_that_is_no_unicode_does_not_cost_the_flow() -> None:
    one = item(make_flow(1, model="bad\ud800"))
    assert prepare(one)
    assert one.flow.model == "bad?"


async def test_what_cannot_be_written_is_impossible_and_said(caplog: pytest.LogCaptureFixture) -> None:
    flow = make_flow(1)
    flow.request.headers = [("x", object())]  # type: ignore[list-item]
    one = item(flow)
    assert not prepare(one)
    assert one.impossible
    assert "cannot be stored" in caplog.text


def test_bodies_count_once_where_they_are_shared() -> None:
    flow = make_flow(1)
    assert flow.forwarded is not None and flow.response is not None
    flow.request.body = flow.forwarded.body = bytes(1_000)
    flow.response.body = bytes(100)
    flow.websocket = WebSocketRecord([WebSocketMessage(True, True, bytes(10), 10, 1.0)])
    shared = size_of(flow)
    flow.forwarded.body = bytes(bytearray(1_000))
    assert size_of(flow) == shared + 1_000


async def test_batches_add_up() -> None:
    one, other = Batch([item(make_flow(1))], size=5), Batch([item(make_flow(2))], size=7)
    one.add(other)
    assert ([each.flow.id for each in one.items], one.size) == ([f"{1:012x}", f"{2:012x}"], 12)


async def test_waiters_are_told_from_a_thread_and_only_once() -> None:
    futures = [asyncio.get_running_loop().create_future() for _ in range(2)]
    futures[0].set_result(False)
    await asyncio.to_thread(tell, futures, True)
    async with asyncio.timeout(30):
        assert await asyncio.gather(*futures) == [False, True]
