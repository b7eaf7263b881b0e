"""Thinking: how to ask for it, and the thinking of earlier answers in the history, both ways.

OpenAI has the word `reasoning_effort` and gives nothing back. Other servers of this dialect have `thinking: {type}`
(DeepSeek, GLM, Kimi), `reasoning: {effort, max_tokens, ...}` (OpenRouter) or `enable_thinking` (Qwen); they give the
text in `reasoning_content` or `reasoning`, and OpenRouter in `reasoning_details` with signatures.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from ccproxy.lightllm.dialect import Capabilities
from ccproxy.lightllm.dialects.openai.spelling import NAME, said, spelled
from ccproxy.lightllm.fields import Fields, ShapeError
from ccproxy.lightllm.ir.losses import LossLedger
from ccproxy.lightllm.ir.parts import JsonObject, Signature, Thinking
from ccproxy.lightllm.ir.reasoning import BUDGETS, budget_of, effort_of, nearest_effort
from ccproxy.lightllm.ir.request import Reasoning
from ccproxy.lightllm.signatures import unwrap

replace = msgspec.structs.replace

_MODES = {"enabled": "on", "disabled": "off", "adaptive": "adaptive", "auto": "adaptive"}

#: Types of `reasoning_details` and the field that holds what they say.
TEXT_DETAIL = "reasoning.text"
SUMMARY_DETAIL = "reasoning.summary"
SEALED_DETAIL = "reasoning.encrypted"


# Asking for it


def read_reasoning(fields: Fields) -> Reasoning:
    """Everything in a request that asks for thinking, in any spelling."""
    effort = fields.text("reasoning_effort")
    mode, budget, summary = "", None, ""
    extras: JsonObject = {}
    if fields.has("thinking"):
        given = fields.fields("thinking")
        kind = given.text("type")
        if kind not in _MODES:
            raise ShapeError(f"{given.where('type')}: {kind[:40]!r} is not known")
        mode, budget = _MODES[kind], given.integer("budget_tokens")
        extras = {**given.rest(), "thinking": None}
    elif fields.has("reasoning"):
        given = fields.fields("reasoning")
        effort = given.text("effort") or effort
        budget = given.integer("max_tokens")
        if (enabled := given.flag("enabled")) is not None:
            mode = "on" if enabled else "off"
        if given.flag("exclude"):
            summary = "none"
        extras = {**given.rest(), "reasoning": None}
    elif fields.has("enable_thinking"):
        mode = "on" if fields.flag("enable_thinking") else "off"
        budget = fields.integer("thinking_budget")
        extras = {"enable_thinking": None}
    for name in ("thinking", "reasoning", "enable_thinking"):
        if not fields.has(name):
            fields.value(name)
    if effort == "none":
        return Reasoning("off", "", budget, extras=extras)
    if not mode and (effort or budget):
        mode = "on"
    return Reasoning(mode, effort, budget, summary, extras)  # type: ignore[arg-type]


def write_reasoning(reasoning: Reasoning, capabilities: Capabilities, ledger: LossLedger) -> JsonObject:
    """The fields that ask for it: as the client spelled them, else as the target does."""
    extras = reasoning.extras
    if spelled(extras, "reasoning"):
        return {"reasoning": _object(reasoning)}
    if reasoning.summary:
        ledger.dropped("reasoning.summary", "Chat cannot say whether thinking is to be seen", reasoning.summary)
    if spelled(extras, "enable_thinking"):
        return _enabled(reasoning, reasoning.budget) | (
            {"reasoning_effort": reasoning.effort} if reasoning.effort else {}
        )
    if reasoning.mode == "between_tools":
        # Thinking is off in it; the model only says what it is at.
        ledger.approximated("reasoning.mode", "Chat has no such mode", reasoning.mode, "off")
        reasoning = replace(reasoning, mode="off" if capabilities.thinking_off else "", effort="")
    if not reasoning.mode and not reasoning.effort:
        return {}
    if capabilities.enable_thinking:
        budget = budget_of(reasoning.effort) if reasoning.effort and reasoning.budget is None else reasoning.budget
        return _enabled(reasoning, budget)
    written: JsonObject = {}
    if spelled(extras, "thinking") or capabilities.thinking_switch:
        kind = {"off": "disabled", "adaptive": "adaptive"}.get(reasoning.mode, "enabled")
        written["thinking"] = {"type": kind if spelled(extras, "thinking") or kind != "adaptive" else "enabled"}
        if spelled(extras, "thinking"):
            if reasoning.budget is not None:
                written["thinking"]["budget_tokens"] = reasoning.budget
            written["thinking"] |= said(extras)
            return written | ({"reasoning_effort": reasoning.effort} if reasoning.effort else {})
    if reasoning.mode == "off":
        return written or ({"reasoning_effort": "none"} if capabilities.reasoning else {})
    if word := _word(reasoning, capabilities, bool(written), ledger):
        written["reasoning_effort"] = word
    return written


def _enabled(reasoning: Reasoning, budget: int | None) -> JsonObject:
    """Qwen's fields."""
    written: JsonObject = {"enable_thinking": reasoning.mode != "off"}
    return written if budget is None else {**written, "thinking_budget": budget}


def _word(reasoning: Reasoning, capabilities: Capabilities, switched: bool, ledger: LossLedger) -> str:
    """The effort word, or "" to leave it to the model."""
    wanted, budget = reasoning.effort, reasoning.budget
    if not wanted and budget is None:
        if switched:
            return ""
        if reasoning.mode == "adaptive":
            ledger.approximated("reasoning.mode", "Chat leaves it to the model by saying nothing", reasoning.mode)
            return ""
        if not capabilities.efforts:
            ledger.dropped("reasoning.mode", "the target cannot be asked to think", reasoning.mode)
            return ""
        word = nearest_effort("medium", capabilities.efforts)
        ledger.defaulted("reasoning.effort", "Chat asks for thinking by saying how much", word)
        return word
    if not capabilities.efforts:
        ledger.dropped("reasoning.effort", "the target has no word for how hard to think", wanted or budget)
        return ""
    word = nearest_effort(wanted or effort_of(budget or 0), capabilities.efforts)
    if wanted and word != wanted:
        ledger.approximated("reasoning.effort", "the nearest step the target has", wanted, word)
    elif budget is not None and (wanted or BUDGETS.get(word) != budget):
        ledger.approximated("reasoning.budget", "Chat has words and no budgets", budget, word)
    return word


def _object(reasoning: Reasoning) -> JsonObject:
    written: JsonObject = {}
    if reasoning.effort:
        written["effort"] = reasoning.effort
    elif reasoning.mode == "off":
        written["effort"] = "none"
    elif reasoning.mode == "on" and reasoning.budget is None:
        written["enabled"] = True
    if reasoning.budget is not None:
        written["max_tokens"] = reasoning.budget
    if reasoning.summary == "none":
        written["exclude"] = True
    return written | said(reasoning.extras)


# The history


def read_history_thinking(fields: Fields) -> list[Thinking]:
    """The thinking of an assistant's message. Text that is repeated in another field is read once."""
    details = [
        part
        for i, item in enumerate(fields.items("reasoning_details"))
        if (part := read_detail(Fields(item, f"{fields.where('reasoning_details')}[{i}]")))
    ]
    plain, spelling = fields.text("reasoning_content"), {}
    if not plain and (plain := fields.text("reasoning")):
        spelling = {"reasoning": None}
    if not plain or any(part.text for part in details):
        return details
    if len(details) == 1 and details[0].form != "redacted":
        return [Thinking(plain, details[0].signature, extras=details[0].extras)]
    return [Thinking(plain, extras=spelling), *details]


def read_detail(fields: Fields, origin: str = NAME) -> Thinking | None:
    """One of `reasoning_details`; None for a type that is not known."""
    kind = fields.text("type")
    signature = fields.text("signature")
    sealed = fields.text("data")
    text = fields.text("summary" if kind == SUMMARY_DETAIL else "text")
    fields.value("index")
    extras = {**{name: value for name, value in fields.rest().items() if value is not None}, "reasoning_details": None}
    match kind:
        case "reasoning.text":
            return Thinking(text, _signature(signature, origin), extras=extras)
        case "reasoning.summary":
            return Thinking(text, _signature(signature, origin), "summary", extras=extras)
        case "reasoning.encrypted" if sealed:
            return Thinking("", _signature(sealed, origin), "redacted", extras=extras)
    return None


def _signature(value: str, origin: str) -> Signature | None:
    return unwrap(value, origin)[0] if value else None


def detail_of(part: Thinking) -> JsonObject:
    """One of `reasoning_details`. `adapt` let only signatures pass that this upstream made."""
    value = part.signature.value if part.signature else ""
    if part.form == "redacted":
        return {"type": SEALED_DETAIL, "data": value, **said(part.extras)}
    if part.form == "summary":
        written: JsonObject = {"type": SUMMARY_DETAIL, "summary": part.text}
    else:
        written = {"type": TEXT_DETAIL, "text": part.text}
    return written | ({"signature": value} if value else {}) | said(part.extras)


def write_history_thinking(parts: Iterable[Thinking]) -> JsonObject:
    """The fields of an assistant's message that hold its thinking."""
    details: list[JsonObject] = []
    plain: list[str] = []
    field = "reasoning_content"
    for part in parts:
        if part.signature is not None or spelled(part.extras, "reasoning_details"):
            details.append({**detail_of(part), "index": len(details)})
        else:
            plain.append(part.text)
            field = "reasoning" if spelled(part.extras, "reasoning") else field
    written: JsonObject = {field: "\n\n".join(plain)} if plain else {}
    return {**written, "reasoning_details": details} if details else written
