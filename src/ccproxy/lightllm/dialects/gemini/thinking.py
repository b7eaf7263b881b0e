"""`generationConfig.thinkingConfig`, both ways.

Gemini 2.5 takes a budget in tokens (0 off, -1 as it likes), Gemini 3 a level and, for old clients, still a budget: so
budgets are written unless the target's capabilities have words and no budgets. Source: ai.google.dev, Thinking.
"""

from __future__ import annotations

from ccproxy.lightllm.dialect import Capabilities
from ccproxy.lightllm.dialects.gemini.spelling import fields_of, said
from ccproxy.lightllm.ir.losses import LossLedger
from ccproxy.lightllm.ir.parts import JsonObject
from ccproxy.lightllm.ir.reasoning import budget_of, effort_of, nearest_effort
from ccproxy.lightllm.ir.request import Reasoning

#: The highest budget of any model.
_MOST = 32768


def read_thinking(given: object, path: str) -> Reasoning:
    """`thinkingConfig`; None is no word about it."""
    if given is None:
        return Reasoning()
    fields = fields_of(given, path)
    include = fields.flag("includeThoughts")
    budget = fields.integer("thinkingBudget")
    level = fields.text("thinkingLevel").lower()
    summary = "" if include is None else "auto" if include else "none"
    extras: JsonObject = {**fields.rest(), "thinkingConfig": None}
    mode = "on" if level and level != "thinking_level_unspecified" else ""
    if budget is not None:
        mode = "off" if budget == 0 else "adaptive" if budget < 0 else "on"
    return Reasoning(mode, level, budget if budget and budget > 0 else None, summary, extras)  # type: ignore[arg-type]


def write_thinking(reasoning: Reasoning, capabilities: Capabilities, ledger: LossLedger) -> JsonObject | None:
    """`thinkingConfig`, or None when nothing was said."""
    if "thinkingConfig" in reasoning.extras:
        return _as_it_came(reasoning)
    written: JsonObject = {}
    if reasoning.mode == "off":
        if capabilities.budgets:
            return {"thinkingBudget": 0}
        level = nearest_effort("minimal", capabilities.efforts)
        ledger.approximated("reasoning.mode", "a model with levels always thinks; this is its lowest", "off", level)
        return {"thinkingLevel": level.upper()}
    if reasoning.mode == "between_tools":
        ledger.approximated("reasoning.mode", "Gemini has no such mode", reasoning.mode, "adaptive")
    if capabilities.budgets:
        budget = _budget(reasoning, ledger)
        if budget is not None:
            written["thinkingBudget"] = budget
    elif word := reasoning.effort or (effort_of(reasoning.budget) if reasoning.budget else ""):
        level = nearest_effort(word, capabilities.efforts)
        if reasoning.effort and level != reasoning.effort:
            ledger.approximated("reasoning.effort", "the nearest step the target has", reasoning.effort, level)
        elif not reasoning.effort and budget_of(level) != reasoning.budget:
            ledger.approximated("reasoning.budget", "the target has words and no budgets", reasoning.budget, level)
        written["thinkingLevel"] = level.upper()
    if reasoning.summary in ("concise", "detailed"):
        ledger.approximated("reasoning.summary", "Gemini has one kind of summary", reasoning.summary, "auto")
    if reasoning.summary == "none":
        written["includeThoughts"] = False
    elif reasoning.summary or reasoning.mode or reasoning.effort:
        written["includeThoughts"] = True
    return written or None


def _as_it_came(reasoning: Reasoning) -> JsonObject:
    written: JsonObject = {}
    if reasoning.mode in ("off", "adaptive"):
        written["thinkingBudget"] = 0 if reasoning.mode == "off" else -1
    elif reasoning.budget is not None:
        written["thinkingBudget"] = reasoning.budget
    if reasoning.effort:
        written["thinkingLevel"] = reasoning.effort.upper()
    if reasoning.summary:
        written["includeThoughts"] = reasoning.summary != "none"
    return written | said(reasoning.extras)


def _budget(reasoning: Reasoning, ledger: LossLedger) -> int | None:
    if reasoning.budget is None and reasoning.mode in ("adaptive", "between_tools"):
        if reasoning.effort:
            ledger.approximated("reasoning.effort", "the model decides by itself", reasoning.effort, -1)
        return -1
    if reasoning.budget is None and not reasoning.effort:
        return -1 if reasoning.mode == "on" else None
    budget = reasoning.budget if reasoning.budget is not None else budget_of(reasoning.effort)
    if budget > _MOST:
        ledger.approximated("reasoning.budget", f"Gemini thinks at most {_MOST} tokens", budget, _MOST, "clamped")
        return _MOST
    return budget
