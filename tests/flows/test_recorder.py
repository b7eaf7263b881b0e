"""Tapes: what passes is kept within bounds, cleaned, and queued once."""

from __future__ import annotations

import asyncio
import json
import string
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccproxy.exchange.exchange import Client, Failure, ResponseHead
from ccproxy.exchange.http import Headers, Snapshot
from ccproxy.exchange.route import Route
from ccproxy.flows.config import FlowsConfig
from ccproxy.flows.model import Flow
from ccproxy.flows.prepare import clean
from ccproxy.flows.recorder import Recorder
from ccproxy.flows.redact import Scrubber
from ccproxy.flows.views import flow_json_with_bodies
from ccproxy.util.clock import FakeClock

from .support import START, MemoryStore, make_exchange

SECRET = "sk-ant-api03-0123456789abcdefghij"


@pytest.fixture
def clock() -> FakeClock:
    clock = FakeClock(START)
    clock.advance(100)
    return clock


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def recorder(store: MemoryStore, clock: FakeClock) -> Recorder:
    return Recorder(store, FlowsConfig(), clock)


async def test_an_exchange_becomes_a_flow(recorder: Recorder, store: MemoryStore, clock: FakeClock) -> None:
    exchange = make_exchange(clock)
    tape = recorder.open(exchange)
    tape.response_chunk(b'{"a":')
    tape.response_chunk(b"1}")
    assert await tape.finish()
    [flow] = store.flows
    began = START + 100
    assert (flow.id, flow.started, flow.duration, flow.ttfb) == ("aabbccddeeff", began, 2.0, 0.5)
    assert (flow.client_address, flow.client_port, flow.client_key, flow.user_agent) == (
        "127.0.0.1",
        50_000,
        "laptop",
        "test/1.0",
    )
    assert (flow.provider, flow.action, flow.reason, flow.credential) == (
        "anthropic",
        "redirect",
        "sentinel",
        "command",
    )
    assert (flow.dialect, flow.operation, flow.model, flow.outcome) == ("anthropic", "messages", "claude-x", "complete")
    assert flow.request.url == "http://localhost:4000/v1/messages?beta=true"
    assert flow.request.headers[1] == ("x-api-key", "sk-ant-oat-ccproxy-anthropic")
    assert flow.request.timestamp_end == pytest.approx(began + 0.1)
    assert flow.forwarded is not None
    assert flow.forwarded.url == "https://api.anthropic.com/v1/messages?beta=true"
    assert flow.forwarded.headers == [("x-api-key", "…ghij")]
    assert flow.forwarded.body is flow.request.body
    assert flow.forwarded.timestamp_end == pytest.approx(began + 0.2)
    assert flow.response is not None
    assert (flow.response.status, flow.response.body, flow.response.size) == (200, b'{"a":1}', 7)
    assert flow.response.timestamp_start == pytest.approx(began + 0.4)
    assert flow.response.timestamp_end == pytest.approx(began + 2.0)
    assert flow.websocket is None


async def test_when_the_pieces_of_a_stream_came(recorder: Recorder, store: MemoryStore, clock: FakeClock) -> None:
    tape = recorder.open(make_exchange(clock, streaming=True))
    for piece in (b"one", b"three", b"7"):
        clock.advance(0.25)
        tape.response_chunk(piece)
    await tape.finish()
    assert store.flows[0].arrivals == [(0, 0.25), (3, 0.5), (8, 0.75)]


async def test_pieces_of_an_answer_that_is_no_stream_have_no_moments(
    recorder: Recorder, store: MemoryStore, clock: FakeClock
) -> None:
    tape = recorder.open(make_exchange(clock))
    tape.response_chunk(b"one")
    await tape.finish()
    assert store.flows[0].arrivals == []


async def test_pieces_that_are_not_kept_have_no_moments(store: MemoryStore, clock: FakeClock) -> None:
    tape = Recorder(store, FlowsConfig(max_body_bytes=4), clock).open(make_exchange(clock, streaming=True))
    for _ in range(5):
        tape.response_chunk(b"one")
    await tape.finish()
    assert [offset for offset, _ in store.flows[0].arrivals] == [0, 3]


async def test_a_refused_exchange_has_no_route_no_answer_and_an_error(
    recorder: Recorder, store: MemoryStore, clock: FakeClock
) -> None:
    failure = Failure("forbidden", f"bad key {SECRET}")
    exchange = make_exchange(
        clock, route=None, forwarded=None, response=None, outcome="refused", failure=failure, secrets={SECRET}
    )
    await recorder.open(exchange).finish()
    [flow] = store.flows
    assert (flow.action, flow.provider, flow.forwarded, flow.response) == ("", "", None, None)
    assert (flow.outcome, flow.error_kind, flow.error) == ("refused", "forbidden", "bad key …ghij")


async def test_an_exchange_that_nobody_ended_counts_as_failed(
    recorder: Recorder, store: MemoryStore, clock: FakeClock
) -> None:
    exchange = make_exchange(clock, outcome="pending")
    exchange.timings.end = 0.0
    clock.advance(7)
    await recorder.open(exchange).finish()
    assert (store.flows[0].outcome, store.flows[0].duration) == ("failed", 7.0)


async def test_a_streamed_request_is_recorded_from_its_pieces(
    recorder: Recorder, store: MemoryStore, clock: FakeClock
) -> None:
    exchange = make_exchange(clock)
    exchange.request.body = None
    assert exchange.forwarded is not None
    exchange.forwarded.body = None
    tape = recorder.open(exchange)
    tape.request_chunk(b"abc")
    tape.request_chunk(b"def")
    await tape.finish()
    [flow] = store.flows
    assert (flow.request.body, flow.request.size) == (b"abcdef", 6)
    assert flow.forwarded is not None
    assert (flow.forwarded.body, flow.forwarded.size) == (b"abcdef", 6)


async def test_a_forwarded_body_of_its_own(recorder: Recorder, store: MemoryStore, clock: FakeClock) -> None:
    exchange = make_exchange(clock, secrets={SECRET})
    assert exchange.forwarded is not None
    exchange.forwarded.body = b'{"model":"other","k":"%s"}' % SECRET.encode()
    await recorder.open(exchange).finish()
    forwarded = store.flows[0].forwarded
    assert forwarded is not None
    assert forwarded.body.startswith(b'{"model":"other","k":"***')
    assert forwarded.redacted
    assert not store.flows[0].request.redacted


async def test_bodies_are_kept_up_to_the_limit_and_counted_beyond(store: MemoryStore, clock: FakeClock) -> None:
    recorder = Recorder(store, FlowsConfig(max_body_bytes=10), clock)
    tape = recorder.open(make_exchange(clock))
    for _ in range(100):
        tape.response_chunk(b"abcd")
    await tape.finish()
    [flow] = store.flows
    assert flow.response is not None
    assert (flow.response.body, flow.response.size, flow.response.truncated) == (b"abcdabcdab", 400, True)
    assert (flow.request.body, flow.request.size, flow.request.truncated) == (b'{"model":"', 20, True)


async def test_all_open_tapes_together_are_bounded_and_the_account_is_settled(
    store: MemoryStore, clock: FakeClock
) -> None:
    recorder = Recorder(store, FlowsConfig(), clock, max_held_bytes=100)
    tapes = [recorder.open(make_exchange(clock)) for _ in range(3)]
    for tape in tapes:
        tape.response_chunk(b"x" * 40)
    assert recorder.held_bytes == 100
    for tape in tapes:
        await tape.finish()
    assert recorder.held_bytes == 0
    answers = [flow.response for flow in store.flows if flow.response is not None]
    assert [(len(answer.body), answer.size, answer.truncated) for answer in answers] == [
        (40, 40, False),
        (40, 40, False),
        (20, 40, True),
    ]


async def test_a_secret_cut_by_the_limit_leaves_nothing(store: MemoryStore, clock: FakeClock) -> None:
    recorder = Recorder(store, FlowsConfig(max_body_bytes=20), clock)
    exchange = make_exchange(clock, secrets={SECRET})
    tape = recorder.open(exchange)
    tape.response_chunk(b"0123456789" + SECRET.encode())
    await tape.finish()
    response = store.flows[0].response
    assert response is not None
    assert response.body == b"0123456789"


async def test_websocket_messages(store: MemoryStore, clock: FakeClock) -> None:
    recorder = Recorder(store, FlowsConfig(max_body_bytes=60), clock)
    exchange = make_exchange(clock, secrets={SECRET})
    tape = recorder.open(exchange)
    tape.websocket_message(True, "héllo")
    clock.advance(1)
    tape.websocket_message(False, b"")
    tape.websocket_message(False, f"key {SECRET}")
    tape.websocket_message(False, b"x" * 100)
    clock.advance(1)
    tape.websocket_message(False, b"never kept")
    await tape.finish()
    assert recorder.held_bytes == 0
    record = store.flows[0].websocket
    assert record is not None
    assert (record.count, record.size, record.truncated, record.redacted) == (5, 6 + 0 + 37 + 100 + 10, True, True)
    assert record.last == START + 102
    kept = [(m.from_client, m.text, m.body, m.size, m.at - START) for m in record.messages]
    assert kept == [
        (True, True, "héllo".encode(), 6, 100),
        (False, False, b"", 0, 101),
        (False, True, b"key " + b"*" * 29 + b"ghij", 37, 101),
        (False, False, b"x" * 17, 100, 101),
    ]


async def test_a_clock_that_is_set_back_does_not_bend_the_times(
    recorder: Recorder, store: MemoryStore, clock: FakeClock
) -> None:
    exchange = make_exchange(clock)
    tape = recorder.open(exchange)
    clock.set_wall(0.0)
    clock.advance(3)
    tape.websocket_message(True, "x")
    await tape.finish()
    record = store.flows[0].websocket
    assert record is not None
    assert record.last == START + 103


async def test_a_disabled_recorder_does_nothing(store: MemoryStore, clock: FakeClock) -> None:
    for recorder in (Recorder(None, FlowsConfig(), clock), Recorder(store, FlowsConfig(enabled=False), clock)):
        tape = recorder.open(make_exchange(clock))
        assert tape is recorder.open(make_exchange(clock)), "one blank tape serves all"
        tape.request_chunk(b"a")
        tape.response_chunk(b"a")
        tape.websocket_message(True, "a")
        assert await tape.finish() is False
        assert recorder.held_bytes == 0
    assert store.flows == []


async def test_a_tape_is_finished_once(recorder: Recorder, store: MemoryStore, clock: FakeClock) -> None:
    tape = recorder.open(make_exchange(clock))
    assert await tape.finish()
    assert not await tape.finish()
    assert len(store.flows) == 1


async def test_finish_waits_for_the_commit(clock: FakeClock) -> None:
    store = MemoryStore(answer=None)
    tape = Recorder(store, FlowsConfig(), clock).open(make_exchange(clock))
    waiting = asyncio.create_task(tape.finish(max_wait=60))
    await until(lambda: bool(store.futures))
    assert not waiting.done()
    store.futures[0].set_result(True)
    assert await waiting


async def test_finish_waits_no_longer_than_it_is_told(clock: FakeClock) -> None:
    store = MemoryStore(answer=None)
    recorder = Recorder(store, FlowsConfig(), clock)
    assert await recorder.open(make_exchange(clock)).finish(max_wait=0.001) is False
    assert await recorder.open(make_exchange(clock)).finish(max_wait=0) is False
    assert len(store.flows) == 2


async def test_finish_does_not_wait_for_a_store_that_is_off(clock: FakeClock) -> None:
    recorder = Recorder(MemoryStore(answer=False), FlowsConfig(), clock)
    async with asyncio.timeout(30):
        assert await recorder.open(make_exchange(clock)).finish(max_wait=3600) is False


async def test_what_ends_in_one_turn_of_the_loop_is_stored_together(clock: FakeClock) -> None:
    class Together(MemoryStore):
        calls = 0

        def put_all(self, flows: Sequence[tuple[Flow, Scrubber]]) -> list[asyncio.Future[bool]]:
            self.calls += 1
            return super().put_all(flows)

    store = Together()
    recorder = Recorder(store, FlowsConfig(), clock)
    tapes = [recorder.open(make_exchange(clock, id=f"{number:012x}")) for number in range(5)]
    assert await asyncio.gather(*(tape.finish() for tape in tapes)) == [True] * 5
    assert (store.calls, len(store.flows)) == (1, 5)


async def test_an_exchange_that_cannot_be_told_fails_alone(clock: FakeClock) -> None:
    store = MemoryStore()
    recorder = Recorder(store, FlowsConfig(), clock)
    bad = recorder.open(make_exchange(clock, timings=None)).finish()
    good = recorder.open(make_exchange(clock)).finish()
    failure, stored = await asyncio.gather(bad, good, return_exceptions=True)
    assert isinstance(failure, AttributeError)
    assert stored is True
    assert len(store.flows) == 1


async def test_a_cancelled_finish_has_recorded_all_the_same(clock: FakeClock) -> None:
    store = MemoryStore(answer=None)
    task = asyncio.create_task(Recorder(store, FlowsConfig(), clock).open(make_exchange(clock)).finish())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: len(store.flows) == 1)


@pytest.mark.parametrize("at", [0, 3_000, 20_000, 39_990])
async def test_a_secret_that_comes_with_a_change_to_a_large_body_is_removed(
    recorder: Recorder, store: MemoryStore, clock: FakeClock, at: int
) -> None:
    body = b"abcdefgh" * 5_000
    exchange = make_exchange(clock)
    exchange.request.body = body
    assert exchange.forwarded is not None
    exchange.forwarded.body = body[:at] + SECRET.encode() + body[at:]
    exchange.secrets = {SECRET}
    await recorder.open(exchange).finish()
    found = store.flows[0].forwarded
    assert found is not None and found.redacted
    assert found.body == body[:at] + b"*" * (len(SECRET) - 4) + SECRET[-4:].encode() + body[at:]


async def test_a_secret_that_a_change_completes_is_removed(
    recorder: Recorder, store: MemoryStore, clock: FakeClock
) -> None:
    half, rest = SECRET[:10].encode(), SECRET[10:].encode()
    exchange = make_exchange(clock)
    exchange.request.body = b"x" * 5_000 + half + b"-" + rest + b"y" * 5_000
    assert exchange.forwarded is not None
    exchange.forwarded.body = b"x" * 5_000 + half + rest + b"y" * 5_000
    exchange.secrets = {SECRET}
    await recorder.open(exchange).finish()
    found = store.flows[0].forwarded
    assert found is not None and found.redacted
    assert SECRET.encode() not in found.body


async def test_a_clean_change_of_a_large_body_is_told_by_what_is_alike(
    recorder: Recorder, store: MemoryStore, clock: FakeClock
) -> None:
    exchange = make_exchange(clock)
    exchange.request.body = b"a" * 5_000 + b"old" + b"b" * 5_000
    assert exchange.forwarded is not None
    exchange.forwarded.body = b"a" * 5_000 + b"new!" + b"b" * 5_000
    exchange.secrets = {SECRET}
    await recorder.open(exchange).finish()
    assert store.flows[0].shared == (5_000, 5_000)
    assert store.flows[0].forwarded is not None
    assert store.flows[0].forwarded.body == exchange.forwarded.body


def everything(flow: Flow) -> str:
    return json.dumps(flow_json_with_bodies(flow), ensure_ascii=False) + repr(flow)


canaries = st.text(string.ascii_letters + string.digits, min_size=16, max_size=48).map(lambda text: f"canary{text}")


@settings(max_examples=60, deadline=None)
@given(canary=canaries, content_encoding=st.sampled_from(["", "gzip", "br", "zstd", "deflate"]))
def test_no_canary_survives_in_any_field(canary: str, content_encoding: str) -> None:
    from ccproxy.flows import coding

    async def record() -> Flow:
        clock = FakeClock(START)
        store = MemoryStore()
        secret = canary.encode()
        fields: Any = [
            (b"authorization", b"Bearer " + secret),
            (b"cookie", b"a=" + secret),
            (b"x-odd", b"before " + secret + b" after"),
            (b"location", b"https://me:" + secret + b"@h/?code=" + secret),
            (b"content-encoding", content_encoding.encode()),
        ]
        body = coding.encode(b'{"a":"' + secret + b'","access_token":"' + secret + b'"}', content_encoding)
        target = b"/v1/" + secret + b"?key=" + secret + b"&x=" + secret
        request = Snapshot("POST", "https", "h", 443, target, "1.1", Headers(fields), body)
        exchange = make_exchange(
            clock,
            client=Client("127.0.0.1", 1, f"agent {canary}"),
            model=canary,
            request=request,
            forwarded=Snapshot("POST", "https", "h", 443, target, "1.1", Headers(fields), body + b" "),
            response=ResponseHead(401, f"no {canary}", Headers(fields)),
            route=Route("redirect", "rule 1"),
            failure=Failure("upstream_error", f"refused {canary}"),
            secrets={canary},
        )
        tape = Recorder(store, FlowsConfig(), clock).open(exchange)
        for start in range(0, len(body), 5):
            tape.response_chunk(body[start : start + 5])
        tape.websocket_message(True, f"my key is {canary}")
        tape.websocket_message(False, secret)
        await tape.finish()
        clean(store.flows[0], store.scrubbers[0])
        return store.flows[0]

    flow = asyncio.run(record())
    assert canary not in everything(flow)
    for message in (flow.request, flow.forwarded, flow.response):
        assert message is not None
        decoded = coding.decode(message.body, content_encoding)
        assert decoded is not None
        assert canary.encode() not in decoded.data


async def until(condition: Callable[[], bool]) -> None:
    """Lets the event loop turn until the condition holds."""
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0)
