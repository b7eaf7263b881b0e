"""What single models do not take, or take otherwise than the provider's others: pure data, one rule for each kind.

A rule has a pattern of model names, found anywhere in the name the provider is asked for (so that `us.anthropic.` or
`openai/` before it does not matter), and the capabilities that differ. Every rule that fits is applied, in order. A
model that no rule knows is what its provider says.

Sources, as read in November 2026: Anthropic (Adaptive thinking, Effort, Mid-conversation system messages, Structured
outputs, migration guides of Opus 4.7, Opus 5 and later, `ModelInfo.capabilities`), OpenAI (Reasoning models, GPT-5 and
later), Google (Thinking), Moonshot (Thinking effort), z.ai (GLM-5.3), DeepSeek (Models).
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from ccproxy.lightllm.dialect import Capabilities

_MESSAGES = frozenset({"anthropic"})
_OPENAI = frozenset({"openai", "openai_responses"})
_CHAT = frozenset({"openai"})
_GEMINI = frozenset({"gemini"})


class Rule(msgspec.Struct, frozen=True):
    """How models whose name holds `pattern` differ in `dialects` (empty: in all)."""

    pattern: str
    dialects: frozenset[str]
    changes: dict[str, Any]


#: A version that is not followed by a further digit of its own: 4-1 is not 4-10, but may be 4-1-20250805.
_END = r"(?!\d)"

RULES: tuple[Rule, ...] = (
    # Claude, by generation.
    Rule(
        r"claude-(?:instant|2|3)|claude-(?:opus|sonnet|haiku)-3" + _END,
        _MESSAGES,
        {"adaptive": False, "efforts": (), "system_anywhere": False, "json_schema": False},
    ),
    Rule(
        r"claude-(?:opus|sonnet|haiku)-4(?:[-.][015]" + _END + r"|-\d{8}|@|$)",
        _MESSAGES,
        {"adaptive": False, "efforts": (), "system_anywhere": False},
    ),
    Rule(r"claude-opus-4[-.]5" + _END, _MESSAGES, {"efforts": ("low", "medium", "high")}),
    Rule(r"claude-(?:opus|sonnet)-4(?:[-.]0" + _END + r"|-\d{8}|@|$)", _MESSAGES, {"json_schema": False}),
    Rule(r"claude-opus-4(?:[-.][01]" + _END + r"|-\d{8}|@|$)", _MESSAGES, {"max_budget": 24_000}),
    Rule(
        r"claude-(?:opus|sonnet)-4[-.]6" + _END,
        _MESSAGES,
        {"system_anywhere": False, "efforts": ("low", "medium", "high", "max")},
    ),
    Rule(r"claude-(?:opus-4[-.][156]|(?:sonnet|haiku)-4[-.][56])" + _END, _MESSAGES, {"two_cuts": False}),
    Rule(r"claude-opus-4[-.]7" + _END, _MESSAGES, {"system_anywhere": False}),
    # From Opus 4.7 on: no budgets, no sampling.
    Rule(
        r"claude-(?:opus-4[-.][789]|(?:opus|sonnet|haiku|fable|mythos)-(?:[5-9]|preview))",
        _MESSAGES,
        {"budgets": False, "sampling": frozenset()},
    ),
    Rule(r"claude-opus-[5-9]", _MESSAGES, {"thinks_unasked": True}),
    Rule(
        r"claude-(?:fable|mythos)-",
        _MESSAGES,
        {"thinks_unasked": True, "thinking_off": False, "forced_calls": False},
    ),
    # OpenAI: models that do not reason, and those that always do.
    Rule(r"\bgpt-(?:3|4)|chatgpt-4o|gpt-5[.\d]*-chat", _OPENAI, {"reasoning": False, "verbosity": False}),
    Rule(
        r"\bo[134](?:-|$)|\bgpt-5(?!\.\d)(?!-chat)",
        _OPENAI,
        {"sampling": frozenset(), "thinking_off": False},
    ),
    Rule(r"\bo[134](?:-|$)", _OPENAI, {"efforts": ("low", "medium", "high"), "verbosity": False}),
    Rule(r"\bgpt-5(?!\.\d)(?!-chat)", _OPENAI, {"efforts": ("minimal", "low", "medium", "high")}),
    Rule(r"\bgpt-5\.1", _OPENAI, {"efforts": ("low", "medium", "high")}),
    Rule(r"\bgpt-5\.1-codex-max|\bgpt-5\.[2-5]", _OPENAI, {"efforts": ("low", "medium", "high", "xhigh")}),
    Rule(r"\bgpt-5\.\d+(?!.*-chat)|\bgpt-[6-9]", _OPENAI, {"sampling": frozenset()}),
    Rule(r"\bo[34](?:-|$)|\bgpt-(?:5(?!.*-chat)|[6-9])", _CHAT, {"max_stop": 0}),
    # Gemini.
    Rule(r"gemini-2\.5-flash", _GEMINI, {"max_budget": 24_576}),
    Rule(r"gemini-2\.5-pro", _GEMINI, {"thinking_off": False}),
    Rule(r"gemini-[3-9]", _GEMINI, {"budgets": False, "efforts": ("low", "high")}),
    Rule(r"gemini-[3-9].*flash", _GEMINI, {"efforts": ("minimal", "low", "medium", "high")}),
    # Kimi.
    Rule(r"kimi-k[2-9]\.[5-9]|kimi-k[3-9]", _CHAT, {"sampling": frozenset()}),
    Rule(
        r"kimi-k[3-9]",
        _CHAT,
        {"thinking_switch": False, "thinking_off": False, "efforts": ("low", "high", "max")},
    ),
    Rule(r"kimi-k2\.7-code", _CHAT, {"thinking_off": False}),
    # GLM.
    Rule(r"glm-5\.[3-9]", frozenset(), {"thinking_off": False, "efforts": ("low", "high", "max")}),
    Rule(r"glm-\d+(?:\.\d+)?(?:-(?:air|flash|turbo|plus))*$", frozenset(), {"image_types": frozenset()}),
    # DeepSeek: pictures are for the models that see.
    Rule(r"deepseek-(?:v4-pro|chat|reasoner)", frozenset(), {"image_types": frozenset()}),
)


def of_model(capabilities: Capabilities, dialect: str, model: str) -> Capabilities:
    """`capabilities` with what differs for `model`; the same object where nothing is known of it."""
    if not model:
        return capabilities
    name = model.lower()
    changes: dict[str, Any] = {}
    for rule in RULES:
        if (not rule.dialects or dialect in rule.dialects) and re.search(rule.pattern, name):
            changes |= rule.changes
    return msgspec.structs.replace(capabilities, **changes) if changes else capabilities
