"""Asking for thinking, and the thinking of the history."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from ccproxy.lightllm.dialect import Target
from ccproxy.lightllm.ir.parts import Part, Signature, Text, Thinking, ToolCall
from ccproxy.lightllm.ir.request import Message, Reasoning, Request

from ..kit import REGISTRY

OPENAI = REGISTRY.get("openai")
USER = Message("user", (Text("hi"),))


def to(**capabilities: Any) -> Target:
    return Target(capabilities=msgspec.structs.replace(OPENAI.capabilities, **capabilities))


def write(reasoning: Reasoning, target: Target | None = None) -> tuple[dict[str, Any], dict[str, str]]:
    request = Request("m", (USER,), "other", reasoning=reasoning)
    encoded = OPENAI.encode_request(request, target or Target())
    body = json.loads(encoded.body)
    kept = {name: body[name] for name in body if name not in ("model", "messages")}
    return kept, {loss.path: loss.kind for loss in encoded.losses}


@pytest.mark.parametrize(
    ("reasoning", "written", "losses"),
    [
        (Reasoning(), {}, {}),
        (Reasoning("off"), {"reasoning_effort": "none"}, {}),
        (Reasoning("on"), {"reasoning_effort": "medium"}, {"reasoning.effort": "defaulted"}),
        (Reasoning("on", "minimal"), {"reasoning_effort": "minimal"}, {}),
        (Reasoning(effort="max"), {"reasoning_effort": "max"}, {}),
        (Reasoning("on", budget=16384), {"reasoning_effort": "high"}, {}),
        (Reasoning("on", budget=10_000), {"reasoning_effort": "medium"}, {"reasoning.budget": "approximated"}),
        (Reasoning("on", "low", 10_000), {"reasoning_effort": "low"}, {"reasoning.budget": "approximated"}),
        (Reasoning("on", "high", summary="auto"), {"reasoning_effort": "high"}, {"reasoning.summary": "dropped"}),
        (Reasoning("adaptive"), {}, {"reasoning.mode": "approximated"}),
        (Reasoning("adaptive", "high"), {"reasoning_effort": "high"}, {}),
        (Reasoning("between_tools", "high"), {"reasoning_effort": "none"}, {"reasoning.mode": "approximated"}),
    ],
)
def test_what_is_asked_for(reasoning: Reasoning, written: Any, losses: Any) -> None:
    assert write(reasoning) == (written, losses)


@pytest.mark.parametrize(
    ("reasoning", "written", "losses"),
    [
        (Reasoning("off"), {"thinking": {"type": "disabled"}}, {}),
        (Reasoning("on"), {"thinking": {"type": "enabled"}}, {}),
        (Reasoning("adaptive"), {"thinking": {"type": "enabled"}}, {}),
        (Reasoning("on", "xhigh"), {"thinking": {"type": "enabled"}, "reasoning_effort": "high"}, {"reasoning.effort": "approximated"}),
        (Reasoning(), {}, {}),
    ],
)  # fmt: skip
def test_a_server_with_a_switch(reasoning: Reasoning, written: Any, losses: Any) -> None:
    assert write(reasoning, to(thinking_switch=True, efforts=("low", "high"))) == (written, losses)


@pytest.mark.parametrize(
    ("reasoning", "written", "losses"),
    [
        (Reasoning("off"), {"enable_thinking": False}, {}),
        (Reasoning("on"), {"enable_thinking": True}, {}),
        (Reasoning("on", "low"), {"enable_thinking": True, "thinking_budget": 2048}, {}),
        (Reasoning("on", "low", 5000), {"enable_thinking": True, "thinking_budget": 5000}, {}),
        (Reasoning("on", "max"), {"enable_thinking": True, "thinking_budget": 9000}, {"reasoning.budget": "approximated"}),
        (Reasoning(), {}, {}),
    ],
)  # fmt: skip
def test_a_server_with_qwens_fields(reasoning: Reasoning, written: Any, losses: Any) -> None:
    assert write(reasoning, to(enable_thinking=True, budgets=True, max_budget=9000)) == (written, losses)


def test_a_server_without_words_or_without_thinking() -> None:
    assert write(Reasoning("on", "high"), to(efforts=())) == ({}, {"reasoning.effort": "dropped"})
    assert write(Reasoning("on"), to(efforts=())) == ({}, {"reasoning.mode": "dropped"})
    assert write(Reasoning("off"), to(thinking_off=False)) == ({}, {"reasoning.mode": "dropped"})
    assert write(Reasoning("between_tools"), to(thinking_off=False)) == ({}, {"reasoning.mode": "approximated"})
    assert write(Reasoning("on", "high"), to(reasoning=False)) == ({}, {"reasoning": "dropped"})
    assert write(Reasoning("off"), to(reasoning=False)) == ({}, {})


@pytest.mark.parametrize(
    ("fields", "reasoning"),
    [
        ({"reasoning_effort": "none"}, Reasoning("off")),
        ({"reasoning_effort": "minimal"}, Reasoning("on", "minimal")),
        ({"thinking": {"type": "enabled", "budget_tokens": 5}}, Reasoning("on", "", 5, extras={"thinking": None})),
        ({"thinking": {"type": "disabled"}}, Reasoning("off", extras={"thinking": None})),
        ({"thinking": {"type": "auto"}, "reasoning_effort": "low"}, Reasoning("adaptive", "low", extras={"thinking": None})),
        ({"reasoning": {"effort": "high"}}, Reasoning("on", "high", extras={"reasoning": None})),
        ({"reasoning": {"enabled": True}}, Reasoning("on", extras={"reasoning": None})),
        ({"reasoning": {"enabled": False}}, Reasoning("off", extras={"reasoning": None})),
        ({"reasoning": {"effort": "none"}}, Reasoning("off", extras={"reasoning": None})),
        ({"reasoning": {"max_tokens": 9, "exclude": True, "x": 1}}, Reasoning("on", "", 9, "none", {"x": 1, "reasoning": None})),
        ({"enable_thinking": False}, Reasoning("off", extras={"enable_thinking": None})),
        ({"enable_thinking": True, "reasoning_effort": "low"}, Reasoning("on", "low", extras={"enable_thinking": None})),
        ({"thinking": None, "reasoning": None}, Reasoning()),
    ],
)  # fmt: skip
def test_every_spelling_is_read_and_written_back(fields: dict[str, Any], reasoning: Reasoning) -> None:
    request = OPENAI.decode_request(json.dumps({"model": "m", "messages": [], **fields}).encode())
    assert request.reasoning == reasoning
    encoded = OPENAI.encode_request(request, Target())
    again = OPENAI.decode_request(encoded.body)
    assert again.reasoning == reasoning
    # Towards another dialect the spelling is no loss.
    other = REGISTRY.get("anthropic").encode_request(msgspec.structs.replace(request, max_tokens=99_999), Target())
    assert [loss.path for loss in other.losses] == (["reasoning.x"] if "x" in reasoning.extras else [])


# The history


def history(
    *parts: Part, target: Target | None = None, dialect: str = "other"
) -> tuple[dict[str, Any], dict[str, str]]:
    encoded = OPENAI.encode_request(Request("m", (Message("assistant", parts),), dialect), target or Target())
    message: dict[str, Any] = json.loads(encoded.body)["messages"][0]
    return message, {loss.path: loss.kind for loss in encoded.losses}


CALL = ToolCall("i", "f")
OWN = Signature("sig", "openai")


def test_openai_takes_no_thinking_back() -> None:
    message, losses = history(Thinking("t"), Text("x"))
    assert message == {"role": "assistant", "content": "x"}
    assert losses == {"messages[0].parts[0].thinking": "dropped"}


def test_a_server_that_takes_thinking_gets_it() -> None:
    message, losses = history(Thinking("a"), Thinking("b"), CALL, target=to(thinking="any"))
    assert message["reasoning_content"] == "a\n\nb"
    assert losses == {}


def test_signed_thinking_goes_back_in_details() -> None:
    parts = (Thinking("a", OWN), Thinking("b", OWN, "summary"), Thinking("", OWN, "redacted"))
    message, _ = history(*parts, CALL, target=to(thinking="signed"))
    assert message["reasoning_details"] == [
        {"type": "reasoning.text", "text": "a", "signature": "sig", "index": 0},
        {"type": "reasoning.summary", "summary": "b", "signature": "sig", "index": 1},
        {"type": "reasoning.encrypted", "data": "sig", "index": 2},
    ]
    request = OPENAI.decode_request(json.dumps({"model": "m", "messages": [message]}).encode())
    assert [msgspec.structs.replace(part, extras={}) for part in request.messages[0].parts[:3]] == list(parts)


@pytest.mark.parametrize(
    ("fields", "thinking"),
    [
        ({"reasoning_content": "a"}, [Thinking("a")]),
        ({"reasoning": "a"}, [Thinking("a", extras={"reasoning": None})]),
        ({"reasoning_content": "a", "reasoning": "a"}, [Thinking("a")]),
        (
            {"reasoning": "a", "reasoning_details": [{"type": "reasoning.text", "text": "a", "signature": "sig", "format": "f"}]},
            [Thinking("a", OWN, extras={"format": "f", "reasoning_details": None})],
        ),
        (
            {"reasoning_content": "a", "reasoning_details": [{"type": "reasoning.text", "signature": "sig"}]},
            [Thinking("a", OWN, extras={"reasoning_details": None})],
        ),
        (
            {"reasoning_content": "a", "reasoning_details": [{"type": "reasoning.encrypted", "data": "sig"}, {"type": "new"}]},
            [Thinking("a"), Thinking("", OWN, "redacted", extras={"reasoning_details": None})],
        ),
    ],
)  # fmt: skip
def test_thinking_that_clients_send_back(fields: dict[str, Any], thinking: list[Part]) -> None:
    message = {"role": "assistant", "content": "x", **fields}
    request = OPENAI.decode_request(json.dumps({"model": "m", "messages": [message]}).encode())
    assert request.messages[0].parts == (*thinking, Text("x"))


def test_demanded_thinking_that_is_gone_is_repaired_in_sight() -> None:
    target = to(thinking="any", demands_thinking=True)
    message, losses = history(Text("x"), CALL, target=target)
    assert message["reasoning_content"] == ""
    assert losses == {"messages[0].reasoning_content": "repaired"}
    assert "reasoning_content" not in history(Text("x"), target=target)[0]
    assert history(Thinking("t"), CALL, target=target)[1] == {}
