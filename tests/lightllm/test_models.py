"""What single models do not take."""

from __future__ import annotations

from typing import Any

import pytest

from ccproxy.lightllm.families import capabilities
from ccproxy.lightllm.models import RULES, of_model

from .kit import REGISTRY

ANTHROPIC = REGISTRY.get("anthropic").capabilities


def claude(model: str) -> dict[str, Any]:
    found = of_model(ANTHROPIC, "anthropic", model)
    return {
        "budgets": found.budgets,
        "adaptive": found.adaptive,
        "sampling": bool(found.sampling),
        "system": found.system_anywhere,
        "efforts": len(found.efforts),
        "both": found.two_cuts,
    }


OLD = {"budgets": True, "adaptive": False, "sampling": True, "system": False, "efforts": 0, "both": True}
MIDDLE = {"budgets": True, "adaptive": True, "sampling": True, "system": False, "efforts": 4, "both": False}
NEW = {"budgets": False, "adaptive": True, "sampling": False, "system": True, "efforts": 5, "both": True}


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("claude-3-7-sonnet-20250219", OLD),
        ("claude-sonnet-4-20250514", OLD),
        ("claude-opus-4", OLD),
        ("claude-opus-4-1-20250805", {**OLD, "both": False}),
        ("claude-sonnet-4-5-20250929", {**OLD, "both": False}),
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", {**OLD, "both": False}),
        ("claude-opus-4-5", {**OLD, "both": False, "efforts": 3}),
        ("claude-sonnet-4-6", MIDDLE),
        ("anthropic/claude-opus-4.6", MIDDLE),
        ("claude-opus-4-7", {**NEW, "system": False}),
        ("claude-opus-4-8", NEW),
        ("claude-opus-5", NEW),
        ("claude-sonnet-5-5", NEW),
        ("claude-fable-5-1", NEW),
        ("something-else", {**MIDDLE, "system": True, "efforts": 5, "both": True}),
    ],
)
def test_generations_of_claude(model: str, expected: dict[str, Any]) -> None:
    assert claude(model) == expected


def test_models_of_anthropic_that_always_think() -> None:
    found = of_model(ANTHROPIC, "anthropic", "claude-mythos-5")
    assert (found.thinks_unasked, found.thinking_off, found.forced_calls) == (True, False, False)
    assert of_model(ANTHROPIC, "anthropic", "claude-opus-5").thinks_unasked


@pytest.mark.parametrize(
    ("model", "reasoning", "samples", "off", "efforts", "stops"),
    [
        ("gpt-4.1", False, True, True, None, 4),
        ("gpt-4o-mini", False, True, True, None, 4),
        ("o3-mini", True, False, False, ("low", "medium", "high"), 0),
        ("gpt-5-mini", True, False, False, ("minimal", "low", "medium", "high"), 0),
        ("gpt-5-chat-latest", False, True, True, None, 4),
        ("gpt-5.1", True, False, True, ("low", "medium", "high"), 0),
        ("openai/gpt-5.1-codex-max", True, False, True, ("low", "medium", "high", "xhigh"), 0),
        ("gpt-5.4", True, False, True, ("low", "medium", "high", "xhigh"), 0),
        ("gpt-oss-20b", True, True, True, None, 4),
    ],
)
def test_models_of_openai(
    model: str, reasoning: bool, samples: bool, off: bool, efforts: tuple[str, ...] | None, stops: int
) -> None:
    own = REGISTRY.get("openai").capabilities
    found = capabilities("openai", "openai", model)
    assert found is not None
    assert (found.reasoning, bool(found.sampling), found.thinking_off) == (reasoning, samples, off)
    assert found.efforts == (own.efforts if efforts is None else efforts)
    assert found.max_stop == stops


@pytest.mark.parametrize(
    ("dialect", "family", "model", "field", "value"),
    [
        ("gemini", "gemini", "gemini-2.5-flash", "max_budget", 24_576),
        ("gemini", "gemini", "gemini-2.5-pro", "thinking_off", False),
        ("gemini", "gemini", "gemini-3-pro-preview", "efforts", ("low", "high")),
        ("gemini", "gemini", "gemini-3-flash", "budgets", False),
        ("openai", "moonshot", "kimi-k3", "efforts", ("low", "high", "max")),
        ("openai", "moonshot", "kimi-k2.7-code", "thinking_off", False),
        ("openai", "moonshot", "kimi-k2.6", "sampling", frozenset()),
        ("openai", "zai", "glm-5.3", "thinking_off", False),
        ("anthropic", "zai", "glm-4.6", "image_types", frozenset()),
        ("openai", "deepseek", "deepseek-v4-pro", "image_types", frozenset()),
    ],
)
def test_other_models(dialect: str, family: str, model: str, field: str, value: object) -> None:
    found = capabilities(dialect, family, model)
    assert getattr(found, field) == value
    assert getattr(capabilities(dialect, family, "unknown-model"), field) != value


def test_models_that_see_still_see() -> None:
    for dialect, family, model in (("openai", "zai", "glm-4.6v"), ("openai", "deepseek", "deepseek-flash")):
        found = capabilities(dialect, family, model)
        assert found is not None
        assert found.image_types


def test_a_model_that_nothing_is_known_of_is_what_its_provider_says() -> None:
    assert of_model(ANTHROPIC, "anthropic", "new-model") is ANTHROPIC
    assert of_model(ANTHROPIC, "anthropic", "") is ANTHROPIC
    names = set(type(ANTHROPIC).__struct_fields__)
    assert all(set(rule.changes) <= names for rule in RULES)
