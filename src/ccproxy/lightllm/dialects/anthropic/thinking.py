"""`thinking` and what hangs on it: the token limit above its budget, and the knobs it excludes.

Anthropic's rules (extended thinking): the budget is at least 1024 and below `max_tokens`; temperature is 1 and `top_k`
absent; a tool choice that forces a call excludes it; and with a budget, a turn that goes on after tool results must
begin with a signed thinking block.
"""

from __future__ import annotations

import msgspec

from ccproxy.lightllm.dialect import Capabilities
from ccproxy.lightllm.fields import Fields, ShapeError
from ccproxy.lightllm.ir.losses import LossLedger
from ccproxy.lightllm.ir.parts import JsonObject, Part, Thinking, ToolCall, ToolResult
from ccproxy.lightllm.ir.reasoning import BUDGETS, budget_of, effort_of, nearest_effort
from ccproxy.lightllm.ir.request import Reasoning, Request, Sampling

_MIN_BUDGET = 1024
_SUMMARIES = {"omitted": "none", "summarized": "auto"}


class ThinkingConfig(msgspec.Struct, frozen=True):
    """`thinking` (None: not said), `output_config.effort` (""), and the settings that go with them."""

    config: JsonObject | None
    effort: str
    max_tokens: int
    sampling: Sampling


def read_thinking(fields: Fields, effort: str) -> Reasoning:
    """`thinking` and `output_config.effort`."""
    kind = fields.text("type")
    display = fields.text("display")
    summary = _SUMMARIES.get(display, "")
    if display and not summary:
        fields.put_back("display", display)
    budget = fields.integer("budget_tokens")
    match kind:
        case "":
            return Reasoning("", effort, budget, summary, fields.rest())  # type: ignore[arg-type]
        case "enabled":
            return Reasoning("on", effort, budget, summary, fields.rest())  # type: ignore[arg-type]
        case "disabled":
            return Reasoning("off", effort, extras=fields.rest())
        case "adaptive" | "between_tools":
            return Reasoning(kind, effort, budget, summary, fields.rest())  # type: ignore[arg-type]
    raise ShapeError(f"{fields.where('type')}: {kind[:40]!r} is not known")


def write_thinking_config(
    request: Request, capabilities: Capabilities, default_max_tokens: int, ledger: LossLedger
) -> ThinkingConfig:
    """What to send for `request.reasoning`."""
    reasoning = request.reasoning
    config = _config(reasoning, capabilities)
    effort = _effort(reasoning, config, capabilities, ledger)
    asked = "" if config is None else config["type"]
    if reasoning.mode == "adaptive" and config is not None and "budget_tokens" in config:
        ledger.approximated("reasoning.mode", "the target's model does not decide by itself", "adaptive", "on")
    if reason := _excluded(request, asked or ("adaptive" if capabilities.thinks_unasked else ""), capabilities):
        ledger.dropped("reasoning.mode", reason, asked or "as the model likes")
        config = {"type": "disabled"} if capabilities.thinks_unasked and capabilities.thinking_off else None
    if config is not None and config["type"] not in ("disabled", "between_tools"):
        if reasoning.summary in ("none", "auto", "concise", "detailed"):
            config["display"] = "omitted" if reasoning.summary == "none" else "summarized"
        config |= reasoning.extras
    budget = config.get("budget_tokens", 0) if config is not None else 0
    thinks = config is not None and config["type"] in ("enabled", "adaptive")
    return ThinkingConfig(
        config,
        effort,
        _max_tokens(request, budget, default_max_tokens, ledger),
        _sampling(request.sampling, ledger) if thinks else request.sampling,
    )


def _config(reasoning: Reasoning, capabilities: Capabilities) -> JsonObject | None:
    match reasoning.mode:
        case "":
            return None
        case "off":
            return {"type": "disabled"}
        case "between_tools":
            return {"type": "between_tools"}
        case "adaptive" if capabilities.adaptive:
            return {"type": "adaptive"}
        case _:
            if capabilities.thinking_switch:
                return {"type": "enabled"}
            if not capabilities.budgets and capabilities.adaptive:
                return {"type": "adaptive"}
            budget = reasoning.budget if reasoning.budget is not None else budget_of(reasoning.effort)
            return {"type": "enabled", "budget_tokens": max(budget, _MIN_BUDGET)}


def _effort(reasoning: Reasoning, config: JsonObject | None, capabilities: Capabilities, ledger: LossLedger) -> str:
    """The word for how hard to think, or "" where nothing is said or the budget says it."""
    by_budget = config is not None and "budget_tokens" in config
    wanted = reasoning.effort
    if by_budget and reasoning.budget is None:
        return ""
    if not wanted:
        if by_budget or config is None or reasoning.budget is None:
            return ""
        wanted = effort_of(reasoning.budget)
    if not capabilities.efforts:
        ledger.dropped("reasoning.effort", "the target has no word for how hard to think", wanted)
        return ""
    effort = nearest_effort(wanted, capabilities.efforts)
    if reasoning.effort and effort != reasoning.effort:
        ledger.approximated("reasoning.effort", "the nearest step the target has", reasoning.effort, effort)
    elif not by_budget and reasoning.budget not in (None, BUDGETS.get(effort)):
        ledger.approximated("reasoning.budget", "the target has words and no budgets", reasoning.budget, effort)
    return effort


def _excluded(request: Request, kind: str, capabilities: Capabilities) -> str:
    """Why the request may not think in the way `kind`, or ""."""
    if kind not in ("enabled", "adaptive"):
        return ""
    choice = request.tool_choice
    if choice is not None and choice.mode in ("required", "tool"):
        return "Anthropic does not think when a tool call is forced"
    if kind == "adaptive" or capabilities.thinking != "signed":
        return ""
    turn: list[Part] = []
    after_results = False
    for message in reversed(request.messages):
        if message.role == "user" and not turn:
            after_results = after_results or any(isinstance(part, ToolResult) for part in message.parts)
        elif message.role == "assistant":
            turn = [*message.parts, *turn]
        elif message.role == "user":
            break
    if after_results and any(isinstance(part, ToolCall) for part in turn) and not isinstance(turn[0], Thinking):
        return "the tool call before has no signed thinking, which Anthropic demands back"
    return ""


def _max_tokens(request: Request, budget: int, default: int, ledger: LossLedger) -> int:
    limit = request.max_tokens
    if limit is None:
        limit = budget + default
        ledger.defaulted("max_tokens", "Anthropic demands a limit", limit)
    elif limit <= budget:
        ledger.approximated("max_tokens", "it must be above the thinking budget", limit, limit + budget, "raised")
        limit += budget
    return limit


def _sampling(sampling: Sampling, ledger: LossLedger) -> Sampling:
    changes: JsonObject = {}
    if sampling.temperature not in (None, 1):
        ledger.dropped("sampling.temperature", "thinking runs at temperature 1", sampling.temperature)
        changes["temperature"] = None
    if sampling.top_k is not None:
        ledger.dropped("sampling.top_k", "thinking takes no top_k", sampling.top_k)
        changes["top_k"] = None
    if sampling.top_p is not None and sampling.top_p < 0.95:
        ledger.dropped("sampling.top_p", "thinking takes top_p from 0.95 to 1", sampling.top_p)
        changes["top_p"] = None
    return msgspec.structs.replace(sampling, **changes) if changes else sampling
