"""The part of `adapt` that looks at settings: sampling, limits, stop sequences, the form of the answer, thinking, cache
keys and whom the request is for. What the target lacks is left out or put another way, and recorded; nothing is refused.
"""

from __future__ import annotations

import msgspec

from ccproxy.lightllm.dialect import Capabilities
from ccproxy.lightllm.ir.losses import LossLedger
from ccproxy.lightllm.ir.parts import Text
from ccproxy.lightllm.ir.reasoning import budget_of
from ccproxy.lightllm.ir.request import Output, Reasoning, Request
from ccproxy.lightllm.jsontext import dumps_text
from ccproxy.lightllm.schema import strict_problem, translate

replace = msgspec.structs.replace

_SCHEMA_WORDS = "Answer with one JSON value and nothing else. It must match this JSON Schema:\n"


def adapt_knobs(
    request: Request, capabilities: Capabilities, ledger: LossLedger, changes: dict[str, object], *, crossing: bool
) -> tuple[str, ...]:
    """Puts into `changes` the fields of `request` that the target needs otherwise. Returns the stop sequences that are
    left to us. `crossing` says whether the request is of another dialect."""
    _sampling(request, capabilities, ledger, changes)
    _output(request, capabilities, ledger, changes, crossing=crossing)
    reasoning = _reasoning(request.reasoning, capabilities, ledger, crossing=crossing)
    if reasoning is not request.reasoning:
        changes["reasoning"] = replace(reasoning, extras={}) if crossing and reasoning.extras else reasoning
    if request.max_tokens is not None and not capabilities.max_tokens:
        ledger.dropped("max_tokens", "the target takes no limit", request.max_tokens)
        changes["max_tokens"] = None
    if request.cache is not None and crossing and not capabilities.cache_marks:
        ledger.dropped("cache_control", "the target has no cache marks", request.cache.ttl or None)
        changes["cache"] = None
    if request.cache_key and not capabilities.cache_key:
        ledger.dropped("prompt_cache_key", "the target has no cache keys", request.cache_key)
        changes["cache_key"] = ""
    if request.user and not capabilities.user:
        ledger.dropped("user", "the target has no such field", request.user)
        changes["user"] = ""
    if request.metadata and not capabilities.metadata:
        ledger.dropped("metadata", "the target has no such field", sorted(request.metadata))
        changes["metadata"] = {}
    fitting = [stop for stop in request.stop if capabilities.blank_stop or not stop.isspace()][: capabilities.max_stop]
    left = tuple(stop for stop in request.stop if stop not in fitting)
    if left:
        changes["stop"] = tuple(fitting)
    return left


def _output(
    request: Request, capabilities: Capabilities, ledger: LossLedger, changes: dict[str, object], *, crossing: bool
) -> None:
    output = request.output
    if output.form == "schema" and not capabilities.json_schema:
        became = "json" if capabilities.json_mode else "text"
        reason = "the target cannot bind its answer to a schema; its instructions say it"
        ledger.approximated("output.schema", reason, output.name or None, became)
        said = Text(_SCHEMA_WORDS + dumps_text(output.schema or {}))
        changes["system"] = (*changes.get("system", request.system), said)  # type: ignore[misc]
        output = replace(output, form=became, schema=None)
    elif crossing:
        output = _schema(output, capabilities, ledger)
    if output.form == "json" and not capabilities.json_mode:
        ledger.dropped("output.form", "the target has no JSON mode", "json")
        output = replace(output, form="text")
    if output.verbosity and not capabilities.verbosity:
        ledger.dropped("output.verbosity", "the target has no such setting", output.verbosity)
        output = replace(output, verbosity="")
    changes["output"] = output


def _schema(output: Output, capabilities: Capabilities, ledger: LossLedger) -> Output:
    """The answer's form with a schema that the target takes."""
    strict = output.strict
    if output.form != "schema" or output.schema is None:
        return output
    if strict and (reason := strict_problem(output.schema, capabilities.strict_schema)):
        ledger.approximated("output.strict", f"the target's strict schemas are narrower: {reason}", True, False)
        strict = False
    rules = capabilities.strict_schema if strict else capabilities.output_schema
    return replace(output, schema=translate(output.schema, rules, "output.schema", ledger), strict=strict)


def _reasoning(reasoning: Reasoning, capabilities: Capabilities, ledger: LossLedger, *, crossing: bool) -> Reasoning:
    """How to think, within what the target can be told."""
    if not capabilities.reasoning and (reasoning.mode not in ("", "off") or reasoning.effort):
        ledger.dropped("reasoning", "the target's model does not think on demand", reasoning.effort or reasoning.mode)
        return Reasoning()
    if not crossing:
        return reasoning
    if reasoning.mode == "off" and not capabilities.thinking_off:
        ledger.dropped("reasoning.mode", "the target cannot be told not to think", "off")
        return replace(reasoning, mode="")
    most = capabilities.max_budget
    if most is None or not capabilities.budgets or reasoning.mode != "on":
        return reasoning
    budget = reasoning.budget
    if budget is None and reasoning.effort:
        budget = budget_of(reasoning.effort)
    if budget is None or budget <= most:
        return reasoning
    ledger.approximated("reasoning.budget", f"the target thinks at most {most} tokens", budget, most, "clamped")
    # A word that stood for more than there is would be said beside the budget.
    return replace(reasoning, budget=most, effort=reasoning.effort if reasoning.budget is not None else "")


def _sampling(request: Request, capabilities: Capabilities, ledger: LossLedger, changes: dict[str, object]) -> None:
    sampling = request.sampling
    kept = msgspec.structs.asdict(sampling)
    for name, value in kept.items():
        if value is not None and name not in capabilities.sampling:
            ledger.dropped(f"sampling.{name}", "the target's model does not take it", value)
            kept[name] = None
    if not capabilities.two_cuts and kept["temperature"] is not None and kept["top_p"] is not None:
        ledger.dropped("sampling.top_p", "the target's model takes temperature or top_p", kept["top_p"])
        kept["top_p"] = None
    temperature = kept["temperature"]
    low, high = capabilities.temperature
    if temperature is not None and not low <= temperature <= high:
        kept["temperature"] = low if temperature < low else high
        ledger.approximated(
            "sampling.temperature", f"the target's range is {low:g} to {high:g}", temperature, kept["temperature"], "clamped"
        )  # fmt: skip
    changes["sampling"] = type(sampling)(**kept)
