"""What flows cost."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from ccproxy.exchange.hooks import HookResult
from ccproxy.flows.cost import dollars, missed
from ccproxy.flows.model import Flow, Usage, WebSocketMessage, WebSocketRecord
from ccproxy.flows.prepare import read_bodies
from ccproxy.flows.prices import Prices, Rates
from ccproxy.flows.terms import Terms

from .support import make_flow

DAY = 1_795_521_600.0  # 2026-11-24
PLAIN = Prices(fresh=1, out=10)
FULL = Prices(fresh=1, out=10, read=0.1, write=1.25, write_1h=2, in_audio=3, out_audio=20, out_image=40, search=10)


def million(prices: Prices, usage: Usage, terms: Terms | None = None) -> float | None:
    found = dollars(Rates(prices), usage, terms)
    return None if found is None else round(found * 1_000_000, 6)


def test_every_kind_of_token_has_its_price() -> None:
    usage = Usage(input=1000, output=100, cache_read=600, cache_write=300)
    assert million(PLAIN, usage) == 1000 + 100 * 10  # what has no price of its own costs what it is part of
    assert million(FULL, usage) == 100 + 600 * 0.1 + 300 * 1.25 + 1000
    assert million(FULL, usage, Terms(cache_write_1h=200)) == 100 + 60 + 100 * 1.25 + 200 * 2 + 1000
    assert million(FULL, usage, Terms(in_audio=50, out_audio=10, out_image=20, searches=2)) == (
        50 + 50 * 3 + 60 + 375 + 70 * 10 + 10 * 20 + 20 * 40 + 20_000
    )
    assert million(Prices(fresh=1, out=10, reasoning=5), Usage(input=1, output=10, reasoning=4)) == 1 + 6 * 10 + 4 * 5


def test_a_long_prompt_costs_more_for_every_token() -> None:
    prices = Prices(fresh=[1, [200_000, 2]], out=[10, [200_000, 15]], read=[0.1, [200_000, 0.2]])
    assert million(prices, Usage(input=200_000, output=10, cache_read=100_000)) == 100_000 + 10_000 + 100
    assert million(prices, Usage(input=200_001, output=10, cache_read=100_000)) == 200_002 + 20_000 + 150


@pytest.mark.parametrize(
    ("prices", "usage", "terms"),
    [
        (PLAIN, Usage(output=3), Terms()),
        (PLAIN, Usage(input=3, output=1), Terms({"service_tier": "flex"})),
        (Prices(fresh=1), Usage(input=3, output=1), Terms()),
        (Prices(out=1), Usage(input=3, output=1), Terms()),
    ],
)
def test_what_is_not_known_has_no_price(prices: Prices, usage: Usage, terms: Terms) -> None:
    assert dollars(Rates(prices), usage, terms) is None


def test_usual_services_cost_the_usual_and_others_what_is_known() -> None:
    rates = Rates(PLAIN, (Prices(when={"service_tier": "flex"}, fresh=0.5),))
    usage = Usage(input=2_000_000)
    assert dollars(rates, usage, Terms({"service_tier": "default", "speed": "standard"})) == 2
    assert dollars(rates, usage, Terms({"service_tier": "flex", "speed": "standard"})) == 1


def test_counts_that_contradict_each_other_are_never_paid_twice() -> None:
    assert million(FULL, Usage(input=10, output=0, cache_read=90, cache_write=90)) == 1.0


def test_the_price_of_a_miss_is_what_a_hit_would_have_saved() -> None:
    def price(prices: Prices, written: bool, hour: bool) -> float | None:
        found = missed(Rates(prices), 10, 1_000_000, written=written, hour=hour)
        return None if found is None else round(found, 6)

    assert price(FULL, False, False) == 0.9
    assert price(FULL, True, False) == 1.15
    assert price(FULL, True, True) == 1.9
    assert price(Prices(fresh=1, out=1, read=0.5), True, True) == 0.5
    assert price(PLAIN, True, False) is None


def answered(answer: dict[str, Any], **changes: Any) -> Flow:
    flow = make_flow(started=DAY, **changes)
    assert flow.response is not None
    flow.response.body = json.dumps(answer).encode()
    return flow


CLAUDE = {
    "type": "message",
    "model": "claude-sonnet-4-5-20250929",
    "usage": {
        "input_tokens": 1000,
        "output_tokens": 100,
        "cache_read_input_tokens": 10_000,
        "cache_creation_input_tokens": 3000,
        "cache_creation": {"ephemeral_5m_input_tokens": 1000, "ephemeral_1h_input_tokens": 2000},
        "service_tier": "standard",
    },
}


def test_a_recorded_flow_has_its_price() -> None:
    flow = answered(CLAUDE)
    read_bodies(flow)
    assert flow.cost == pytest.approx(0.003 + 0.0015 + 0.003 + 0.00375 + 0.012)


def test_a_compressed_answer_has_its_price() -> None:
    flow = answered(CLAUDE)
    assert flow.response is not None
    flow.response.body = gzip.compress(flow.response.body)
    flow.response.headers.append(("content-encoding", "gzip"))
    read_bodies(flow)
    assert flow.cost == pytest.approx(0.02325)


@pytest.mark.parametrize("model", ["claude-of-tomorrow-9", ""])
def test_an_unknown_model_has_none(model: str) -> None:
    flow = answered({**CLAUDE, "model": model}, model="claude-sonnet-4-5", action="transform")
    read_bodies(flow)
    assert flow.cost is None


def test_the_model_asked_for_counts_only_if_nothing_changed_it() -> None:
    answer = {**CLAUDE, "model": ""}
    passed, changed = (answered(answer, model="claude-sonnet-4-5", action="passthrough") for _ in range(2))
    changed.hooks = [HookResult("set_model", "inbound", 1, changed=["body.model"])]
    for flow in (passed, changed):
        read_bodies(flow)
    assert passed.cost is not None
    assert changed.cost is None


def test_an_unknown_server_has_none_unless_it_is_named_after_who_is_paid() -> None:
    flows = [answered(CLAUDE, provider=name) for name in ("ollama", "anthropic")]
    for flow in flows:
        assert flow.forwarded is not None
        flow.forwarded.host = "llm.example"
        read_bodies(flow)
    assert [flow.cost is None for flow in flows] == [True, False]


def test_what_went_nowhere_and_what_failed_cost_nothing_known() -> None:
    nowhere, failed = answered(CLAUDE), answered({"type": "error", "error": {"message": "no"}})
    nowhere.forwarded = None
    for flow in (nowhere, failed):
        read_bodies(flow)
    assert (nowhere.cost, failed.cost) == (None, None)


def test_the_price_that_a_provider_reports_is_the_price() -> None:
    answer = {"model": "vendor/unheard-of", "usage": {"prompt_tokens": 5, "completion_tokens": 1, "cost": 0.0042}}
    flows = [answered(answer, dialect="openai") for _ in range(2)]
    assert flows[0].forwarded is not None
    flows[0].forwarded.host = "openrouter.ai"
    for flow in flows:
        read_bodies(flow)
    assert [flow.cost for flow in flows] == [0.0042, None]


def test_each_answer_of_a_websocket_is_priced_by_itself() -> None:
    def message(tokens: int) -> WebSocketMessage:
        usage = {"input_tokens": tokens, "output_tokens": 10, "input_tokens_details": {"cached_tokens": 0}}
        body = json.dumps({"type": "response.completed", "response": {"model": "gpt-5", "usage": usage}}).encode()
        return WebSocketMessage(False, True, body, len(body), DAY)

    record = WebSocketRecord([message(1000), message(2000)], count=2)
    flow = make_flow(started=DAY, dialect="openai_responses", websocket=record)
    assert flow.forwarded is not None
    flow.forwarded.host = "chatgpt.com"
    read_bodies(flow)
    assert flow.usage is not None
    assert flow.usage.input == 3000
    assert flow.cost == pytest.approx(3000 * 1.25e-6 + 20 * 10e-6)
