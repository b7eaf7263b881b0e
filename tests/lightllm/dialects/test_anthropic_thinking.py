"""Thinking and what hangs on it."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from ccproxy.lightllm.dialect import Target
from ccproxy.lightllm.ir.parts import Signature, Text, Thinking, ToolCall, ToolResult
from ccproxy.lightllm.ir.request import Message, Reasoning, Request, Sampling, ToolChoice

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
    body, _ = write(Reasoning("on", budget=16_000), target)
    assert (body["thinking"], body["output_config"]) == ({"type": "adaptive"}, {"effort": "high"})
    body, losses = write(Reasoning("on", "minimal"), target)
    assert body["output_config"] == {"effort": "low"}
    assert losses == {"reasoning.effort": "approximated"}


def test_a_model_that_cannot_adapt_gets_a_budget() -> None:
    target = Target(capabilities=msgspec.structs.replace(ANTHROPIC.capabilities, adaptive=False))
    assert write(Reasoning("adaptive", "low"), target)[0]["thinking"] == {"type": "enabled", "budget_tokens": 2048}


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
        body, losses = write(Reasoning("on"), tool_choice=choice)
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
