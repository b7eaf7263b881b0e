"""What is known of providers' caches."""

from __future__ import annotations

import json

import pytest

from ccproxy.flows import cache_rules as rules
from ccproxy.flows.prefix import Prompt, read

from .support import make_flow


@pytest.mark.parametrize(
    ("dialect", "model", "tokens"),
    [
        ("anthropic", "claude-opus-5", 512),
        ("anthropic", "claude-opus-4-7", 2048),
        ("anthropic", "claude-haiku-4-5-20251001", 4096),
        ("anthropic", "claude-3-5-haiku-latest", 2048),
        ("anthropic", "us.anthropic.claude-sonnet-4-5", 1024),
        ("openai", "gpt-5", 1024),
        ("gemini", "gemini-2.5-pro", 2048),
        ("gemini", "gemini-3-pro", 4096),
    ],
)
def test_from_which_length_on_prompts_are_cached(dialect: str, model: str, tokens: int) -> None:
    assert rules.minimum(dialect, model) == tokens


def test_who_has_to_be_asked() -> None:
    asked = [("anthropic", ""), ("anthropic", "anthropic"), ("anthropic", "deepseek"), ("openai", "openai")]
    assert [rules.explicit(*one) for one in asked] == [True, True, False, False]


def test_how_long_entries_live() -> None:
    def body(*ttls: str) -> Prompt:
        content = [{"type": "text", "text": "a", "cache_control": {"ttl": ttl}} for ttl in ttls]
        found = read(json.dumps({"messages": [{"role": "user", "content": content}]}).encode(), "anthropic")
        assert found is not None
        return found

    assert rules.ttl(body("1h"), "anthropic") == 3600
    assert rules.ttl(body("1h", "5m"), "anthropic") == 300
    assert rules.ttl(body(), "anthropic") == 300
    assert rules.ttl(Prompt((), retention="24h"), "openai") == 86_400
    assert rules.ttl(Prompt(()), "openai") == rules.ttl(Prompt(()), "gemini") == 600


@pytest.mark.parametrize(
    ("old", "new", "same", "found"),
    [
        ((5,), (25,), 6, True),
        ((5,), (26,), 6, False),
        ((5,), (5,), 6, True),
        ((5,), (4,), 6, False),
        ((2, 9), (12,), 6, True),  # the later one is not shared
        ((9,), (40,), 6, True),  # none is
    ],
)
def test_breakpoints_are_looked_for_twenty_blocks_back(
    old: tuple[int, ...], new: tuple[int, ...], same: int, found: bool
) -> None:
    assert rules.within_reach(old, new, same) is found


def test_places_belong_to_sections() -> None:
    places = ["body.system.0", "body.tools", "body.messages[3]", "body.contents.1", "body.model", "body.systematic"]
    assert [rules.section_of(place) for place in places] == ["system", "tools", "messages", "messages", "", ""]


def test_a_path_may_name_the_model() -> None:
    assert rules.model_in("/v1beta/models/gemini-2.5-pro:generateContent?key=x") == "gemini-2.5-pro"
    assert rules.model_in("/v1/messages") == ""


def test_the_end_of_a_key_tells_accounts_apart_but_not_that_of_a_token() -> None:
    flow = make_flow(credential="command")
    assert rules.key_end(flow) == "…abcd"
    assert flow.forwarded is not None
    flow.forwarded.headers = [("Authorization", "Bearer …wxyz")]
    assert rules.key_end(flow) == "Bearer …wxyz"
    flow.credential = "codex_oauth (~/.codex/auth.json)"
    assert rules.key_end(flow) == ""
    flow.credential = ""
    assert rules.key_end(flow) == ""
    assert rules.key_end(make_flow(forwarded=None)) == ""


@pytest.mark.parametrize(("seconds", "words"), [(42, "42 s"), (320, "5.33 min"), (7200, "2 h"), (200_000, "2.31 d")])
def test_spans_in_words(seconds: float, words: str) -> None:
    assert rules.span(seconds) == words
