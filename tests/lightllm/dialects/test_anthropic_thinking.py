"""Thinking and what hangs on it."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from ccproxy.lightllm.dialect import Target
from ccproxy.lightllm.ir.parts import Signature, Text, Thinking, ToolCall, ToolResult
from ccproxy.lightllm.ir.request import FunctionTool, Message, Reasoning, Request, Sampling, ToolChoice

from ..kit import REGISTRY

ANTHROPIC = REGISTRY.get("anthropic")
USER = Message("user", (Text("hi"),))


def write(
    reasoning: Reasoning, target: Target | None = None, /, **fields: Any
) -> tuple[dict[str, Any], dict[str, str]]:
    request = Request(
        **{
            "model": "m",
            "messages": (USER,),
            "dialect": "other",
            "reasoning": reasoning,
            "max_tokens": 100_000,
            **fields,
        }
    )
    encoded = ANTHROPIC.encode_request(request, target or Target())
    return json.loads(encoded.body), {loss.path: loss.word or loss.kind for loss in encoded.losses}


def to(**capabilities: Any) -> Target:
    return Target(capabilities=msgspec.structs.replace(ANTHROPIC.capabilities, **capabilities))


@pytest.mark.parametrize(
    ("reasoning", "thinking", "effort"),
    [
        (Reasoning(), None, None),
        (Reasoning("off"), {"type": "disabled"}, None),
        (Reasoning("on", "minimal"), {"type": "enabled", "budget_tokens": 1024}, None),
        (Reasoning("on", "high"), {"type": "enabled", "budget_tokens": 16384}, None),
        (Reasoning("on"), {"type": "enabled", "budget_tokens": 8192}, None),
        (Reasoning("on", budget=10), {"type": "enabled", "budget_tokens": 1024}, None),
        (
            Reasoning("on", budget=5000, summary="auto"),
            {"type": "enabled", "budget_tokens": 5000, "display": "summarized"},
            None,
        ),
        (
            Reasoning("on", "high", 5000, "none"),
            {"type": "enabled", "budget_tokens": 5000, "display": "omitted"},
            "high",
        ),
        (Reasoning("adaptive"), {"type": "adaptive"}, None),
        (Reasoning("adaptive", "max"), {"type": "adaptive"}, "max"),
        (Reasoning("between_tools"), {"type": "between_tools"}, None),
        (Reasoning(effort="xhigh"), None, "xhigh"),
    ],
)
def test_what_is_asked_for(reasoning: Reasoning, thinking: Any, effort: Any) -> None:
    body, losses = write(reasoning)
    assert body.get("thinking") == thinking
    assert body.get("output_config", {}).get("effort") == effort
    assert losses == {}


def test_a_model_without_budgets_gets_an_effort() -> None:
    target = Target(capabilities=msgspec.structs.replace(ANTHROPIC.capabilities, budgets=False))
    body, losses = write(Reasoning("on", budget=16_000), target)
    assert (body["thinking"], body["output_config"]) == ({"type": "adaptive"}, {"effort": "high"})
    assert losses == {"reasoning.budget": "approximated"}
    body, losses = write(Reasoning("on"), target)
    assert (body["thinking"], "output_config" in body, losses) == ({"type": "adaptive"}, False, {})
    body, losses = write(Reasoning("on", "minimal"), target)
    assert body["output_config"] == {"effort": "low"}
    assert losses == {"reasoning.effort": "approximated"}


def test_a_model_that_cannot_adapt_gets_a_budget() -> None:
    target = Target(capabilities=msgspec.structs.replace(ANTHROPIC.capabilities, adaptive=False))
    body, losses = write(Reasoning("adaptive", "low"), target)
    assert body["thinking"] == {"type": "enabled", "budget_tokens": 2048}
    assert losses == {"reasoning.mode": "approximated"}


def test_a_model_without_effort_words_gets_none() -> None:
    target = to(efforts=())
    for reasoning in (Reasoning(effort="high"), Reasoning("on", "high", 5000), Reasoning("adaptive", "high")):
        body, losses = write(reasoning, target)
        assert "output_config" not in body
        assert losses == {"reasoning.effort": "dropped"}
    # The budget says it.
    assert write(Reasoning("on", "high"), target)[1] == {}


def test_a_budget_is_within_what_the_api_takes() -> None:
    body, losses = write(Reasoning("on", "max"))
    assert body["thinking"] == {"type": "enabled", "budget_tokens": 32_768}
    assert losses == {"reasoning.budget": "clamped"}


@pytest.mark.parametrize(
    ("reasoning", "thinking", "effort"),
    [
        (Reasoning("on", "max"), {"type": "enabled"}, "max"),
        (Reasoning("on", budget=16_384), {"type": "enabled"}, "high"),
        (Reasoning("adaptive"), {"type": "enabled"}, None),
        (Reasoning("off"), {"type": "disabled"}, None),
        (Reasoning(), None, None),
    ],
)
def test_a_provider_with_a_switch(reasoning: Reasoning, thinking: Any, effort: Any) -> None:
    body, losses = write(reasoning, to(thinking_switch=True, budgets=False, adaptive=False))
    assert body.get("thinking") == thinking
    assert body.get("output_config", {}).get("effort") == effort
    assert losses == {}


CALLED = (USER, Message("assistant", (Text("x"), ToolCall("1", "f"))), Message("user", (ToolResult("1"),)))


def test_a_provider_that_takes_unsigned_thinking_goes_on_without_it() -> None:
    assert "thinking" in write(Reasoning("on"), to(thinking="any"), messages=CALLED)[0]


def test_demanded_thinking_that_is_gone_is_repaired_in_sight() -> None:
    target = to(thinking="any", demands_thinking=True)
    body, losses = write(Reasoning("on"), target, messages=CALLED)
    assert body["messages"][1]["content"][0] == {"type": "thinking", "thinking": "", "signature": ""}
    assert losses == {"messages[1].thinking": "repaired"}
    thought = (USER, Message("assistant", (Thinking("t"), ToolCall("1", "f"))), CALLED[2])
    body, losses = write(Reasoning("on"), target, messages=thought)
    assert body["messages"][1]["content"][0]["thinking"] == "t"
    assert losses == {}


def test_a_model_that_thinks_unasked_is_told_not_to_where_a_call_is_forced() -> None:
    forced: dict[str, Any] = {"tools": (FunctionTool("f"),), "tool_choice": ToolChoice("required")}
    for reasoning in (Reasoning(), Reasoning("adaptive")):
        body, losses = write(reasoning, to(thinks_unasked=True), **forced)
        assert body["thinking"] == {"type": "disabled"}
        assert losses == {"reasoning.mode": "dropped"}
    assert "thinking" not in write(Reasoning(), to(thinks_unasked=True))[0]
    assert write(Reasoning(), **forced)[1] == {}


def test_the_limit_is_above_the_budget() -> None:
    body, losses = write(Reasoning("on", "high"), max_tokens=4096)
    assert body["max_tokens"] == 16384 + 4096
    assert losses == {"max_tokens": "raised"}
    body, losses = write(Reasoning("on", "high"), max_tokens=None)
    assert body["max_tokens"] == 16384 + 8192
    assert losses == {"max_tokens": "defaulted"}


def test_thinking_excludes_sampling() -> None:
    body, losses = write(Reasoning("on"), sampling=Sampling(0.5, 0.5, 40))
    assert not {"temperature", "top_p", "top_k"} & set(body)
    assert losses == {"sampling.temperature": "dropped", "sampling.top_k": "dropped", "sampling.top_p": "dropped"}
    body, losses = write(Reasoning("on"), sampling=Sampling(1, 0.97))
    assert (body["temperature"], body["top_p"], losses) == (1, 0.97, {})
    assert write(Reasoning("off"), sampling=Sampling(0.5))[0]["temperature"] == 0.5


def test_a_forced_call_excludes_thinking() -> None:
    for choice in (ToolChoice("required"), ToolChoice("tool", "f")):
        for reasoning in (Reasoning("on"), Reasoning("adaptive")):
            body, losses = write(reasoning, tool_choice=choice)
            assert "thinking" not in body
            assert losses["reasoning.mode"] == "dropped"


SIGNED = Thinking("t", Signature("s", "anthropic"))


@pytest.mark.parametrize(
    ("turn", "thinks"),
    [
        ((Message("assistant", (ToolCall("1", "f"),)), Message("user", (ToolResult("1"),))), False),
        ((Message("assistant", (SIGNED, ToolCall("1", "f"))), Message("user", (ToolResult("1"),))), True),
        ((Message("assistant", (Text("x"), ToolCall("1", "f"))), Message("user", (ToolResult("1"),)), USER), False),
        (
            (
                Message("assistant", (ToolCall("1", "f"),)),
                Message("user", (ToolResult("1"),)),
                Message("assistant", (Text("x"),)),
                USER,
            ),
            True,
        ),
        ((Message("assistant", (Text("x"),)), USER), True),
        ((), True),
    ],
)
def test_a_tool_turn_goes_on_thinking_only_with_its_signed_thinking(turn: tuple[Message, ...], thinks: bool) -> None:
    body, losses = write(Reasoning("on", "low"), messages=(USER, *turn))
    assert ("thinking" in body) == thinks
    assert ("reasoning.mode" in losses) != thinks
