"""Settings that a target lacks, has otherwise, or has within limits."""

from __future__ import annotations

from typing import Any

import pytest

from ccproxy.lightllm.adapt import Adapted, adapt
from ccproxy.lightllm.dialect import Capabilities, Target
from ccproxy.lightllm.ir.losses import LossLedger
from ccproxy.lightllm.ir.parts import CacheMark, Text
from ccproxy.lightllm.ir.request import Message, Output, Reasoning, Request, Sampling
from ccproxy.lightllm.schema_rules import GEMINI_JSON, OPENAI_STRICT

USER = Message("user", (Text("hi"),))


def run(capabilities: Capabilities | None = None, /, **fields: Any) -> tuple[Adapted, dict[str, str]]:
    """The request with these fields for a target of the dialect `there`, and its losses: path → word."""
    ledger = LossLedger()
    request = Request(**{"model": "m", "messages": (USER,), "dialect": "here", **fields})
    adapted = adapt(request, "there", Target(), capabilities or Capabilities(), ledger)
    return adapted, {loss.path: loss.word or loss.kind for loss in ledger}


def test_sampling_is_clamped_dropped_or_refused_whole() -> None:
    sampling = Sampling(2.5, 0.9, 40, 0.1, 0.2, 7)
    adapted, losses = run(Capabilities(temperature=(0.0, 1.0)), sampling=sampling)
    assert adapted.request.sampling == Sampling(1.0, 0.9)
    assert losses == {
        "sampling.temperature": "clamped",
        "sampling.top_k": "dropped",
        "sampling.frequency_penalty": "dropped",
        "sampling.presence_penalty": "dropped",
        "sampling.seed": "dropped",
    }
    adapted, losses = run(Capabilities(sampling=frozenset()), sampling=Sampling(1, 1))
    assert adapted.request.sampling == Sampling()
    assert losses == {"sampling.temperature": "dropped", "sampling.top_p": "dropped"}


@pytest.mark.parametrize(
    ("most", "blank", "sent", "ours"),
    [
        (4, True, ("a", "\n", "b"), ()),
        (2, True, ("a", "\n"), ("b",)),
        (0, True, (), ("a", "\n", "b")),
        (4, False, ("a", "b"), ("\n",)),
    ],
)
def test_stop_sequences_beyond_the_target_are_cut_by_us(most: int, blank: bool, sent: Any, ours: Any) -> None:
    adapted, losses = run(Capabilities(max_stop=most, blank_stop=blank), stop=("a", "\n", "b"))
    assert adapted.request.stop == sent
    assert adapted.stop == ours
    assert losses == {}


def test_fields_the_target_lacks_are_dropped_by_name() -> None:
    adapted, losses = run(
        Capabilities(
            max_tokens=False, reasoning=False, parallel_control=False, user=False, json_schema=False, json_mode=False
        ),
        max_tokens=5,
        reasoning=Reasoning("on", "high"),
        parallel_tools=False,
        user="u",
        metadata={"k": "v"},
        cache=CacheMark("1h"),
        cache_key="k",
        output=Output("schema", {}, verbosity="low"),
    )
    assert losses == {
        "max_tokens": "dropped",
        "output.schema": "approximated",
        "output.verbosity": "dropped",
        "reasoning": "dropped",
        "cache_control": "dropped",
        "prompt_cache_key": "dropped",
        "user": "dropped",
        "metadata": "dropped",
        "parallel_tool_calls": "dropped",
    }
    (said,) = adapted.request.system
    assert adapted.request == Request("m", (USER,), "there", (said,))


def test_a_schema_that_does_not_bind_the_answer_is_told_to_the_model() -> None:
    schema = {"type": "object", "properties": {"größe": {"type": "integer"}}}
    adapted, losses = run(Capabilities(json_schema=False), system=(Text("s"),), output=Output("schema", schema))
    assert adapted.request.output == Output("json")
    first, said = adapted.request.system
    assert first == Text("s")
    assert isinstance(said, Text)
    assert said.text.endswith('{"type":"object","properties":{"größe":{"type":"integer"}}}')
    assert losses == {"output.schema": "approximated"}


def test_schemas_of_answers_are_brought_within_the_rules_of_another_dialect() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "minLength": 1}}}
    narrow = Capabilities(output_schema=GEMINI_JSON)
    adapted, losses = run(narrow, output=Output("schema", schema))
    assert losses == {"output.schema.properties.a.minLength": "approximated"}
    assert adapted.request.output.schema != schema
    assert run(narrow, output=Output("schema", schema), dialect="there")[0].request.output.schema == schema
    loose = {"type": "object", "properties": {"a": {"type": "string"}}}
    bound = {**loose, "required": ["a"], "additionalProperties": False}
    for given, kept in ((loose, False), (bound, True)):
        adapted, losses = run(Capabilities(strict_schema=OPENAI_STRICT), output=Output("schema", given, strict=True))
        assert (adapted.request.output.strict, adapted.request.output.schema) == (kept, given)
        assert set(losses) == (set() if kept else {"output.strict"})


def test_a_model_that_takes_one_way_to_cut_the_tail() -> None:
    adapted, losses = run(Capabilities(two_cuts=False), sampling=Sampling(0.5, 0.9))
    assert adapted.request.sampling == Sampling(0.5)
    assert losses == {"sampling.top_p": "dropped"}
    assert run(Capabilities(two_cuts=False), sampling=Sampling(top_p=0.9))[1] == {}


@pytest.mark.parametrize(
    ("given", "became", "losses"),
    [
        (Reasoning("on", budget=50_000), Reasoning("on", budget=20_000), {"reasoning.budget": "clamped"}),
        (Reasoning("on", "max"), Reasoning("on", budget=20_000), {"reasoning.budget": "clamped"}),
        (Reasoning("on", "high", 50_000), Reasoning("on", "high", 20_000), {"reasoning.budget": "clamped"}),
        (Reasoning("on", "high"), Reasoning("on", "high"), {}),
        (Reasoning("on"), Reasoning("on"), {}),
        (Reasoning("adaptive", "max"), Reasoning("adaptive", "max"), {}),
    ],
)
def test_no_budget_is_above_the_targets_highest(given: Reasoning, became: Reasoning, losses: Any) -> None:
    adapted, found = run(Capabilities(budgets=True, max_budget=20_000), reasoning=given)
    assert (adapted.request.reasoning, found) == (became, losses)
    assert run(Capabilities(max_budget=20_000), reasoning=given)[1] == {}
    assert run(Capabilities(budgets=True, max_budget=20_000), reasoning=given, dialect="there")[1] == {}


def test_a_model_that_always_thinks() -> None:
    can = Capabilities(thinking_off=False)
    adapted, losses = run(can, reasoning=Reasoning("off", extras={"x": None}))
    assert adapted.request.reasoning == Reasoning()
    assert losses == {"reasoning.mode": "dropped"}
    assert run(can, reasoning=Reasoning("off"), dialect="there")[0].request.reasoning == Reasoning("off")
