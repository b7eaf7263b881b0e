"""What answers say beside their tokens, in every dialect."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.flows.terms import Terms
from ccproxy.flows.usage import read

REPORTS: list[tuple[dict[str, Any], Terms]] = [
    (
        {"input_tokens": 1, "cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 3}},
        Terms(cache_write_1h=3),
    ),
    ({"server_tool_use": {"web_search_requests": 2}, "service_tier": "standard"}, Terms({"service_tier": "standard"}, searches=2)),
    ({"speed": "fast"}, Terms({"speed": "fast"})),
    ({"prompt_tokens_details": {"audio_tokens": 4, "cached_tokens": 9}}, Terms(in_audio=4)),
    ({"completion_tokens_details": {"audio_tokens": 5, "reasoning_tokens": 1}}, Terms(out_audio=5)),
    ({"input_tokens_details": {"image_tokens": 6}, "output_tokens_details": {"image_tokens": 7}}, Terms(in_image=6, out_image=7)),
    (
        {
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 1}, {"modality": "AUDIO", "tokenCount": 9}],
            "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 4}],
            "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 8}],
        },
        Terms(in_audio=5, out_image=8),
    ),
    ({"cost": 0.25}, Terms(reported=0.25)),
    ({"cost": {"input_tokens_cost": 0.1, "total_cost": 0.3}}, Terms(reported=0.3)),
    ({"cost": True, "cache_creation": [], "prompt_tokens_details": None, "speed": 3, "promptTokensDetails": [1]}, Terms()),
]  # fmt: skip


@pytest.mark.parametrize(("usage", "expected"), REPORTS)
def test_each_dialect_is_understood(usage: dict[str, Any], expected: Terms) -> None:
    terms = Terms()
    terms.add(usage)
    assert terms == expected


def test_totals_of_a_stream_only_grow() -> None:
    terms = Terms()
    for count in (3, 7, 0):
        terms.add({"cache_creation": {"ephemeral_1h_input_tokens": count}})
    assert terms.cache_write_1h == 7


def test_the_tier_stands_beside_the_usage_or_in_it() -> None:
    chat, anthropic = Terms(), Terms()
    read(b'{"service_tier":"Priority","usage":{"prompt_tokens":1}}', "openai", chat)
    read(
        b'data: {"type":"message_start","message":{"usage":{"input_tokens":1,"service_tier":"batch"}}}\n\n',
        "anthropic",
        anthropic,
    )
    assert (chat.service, anthropic.service) == ({"service_tier": "priority"}, {"service_tier": "batch"})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)
names = st.sampled_from([name for usage, _ in REPORTS for name in usage])


@given(st.dictionaries(names, json_values))
def test_any_value_is_taken(usage: dict[str, Any]) -> None:
    Terms().add(usage)
