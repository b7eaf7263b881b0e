"""fold and unfold."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.lightllm.errors import ErrorInfo
from ccproxy.lightllm.ir.events import (
    ArgsDelta,
    End,
    EventChecker,
    Failed,
    PartEnd,
    PartStart,
    Ping,
    RawDelta,
    SignatureDelta,
    Start,
    Stop,
    TextDelta,
    ThinkingDelta,
    UsageUpdate,
)
from ccproxy.lightllm.ir.parts import (
    Audio,
    Citation,
    Document,
    Image,
    Opaque,
    Part,
    Refusal,
    ServerTool,
    Signature,
    Source,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from ccproxy.lightllm.ir.response import Response, fold, unfold
from ccproxy.lightllm.ir.usage import Usage

SIGNATURE = Signature("c2ln", "there")

PARTS: list[Part] = [
    Text("a", (Citation("u"), Citation("v")), SIGNATURE, extras={"x": 1}),
    Text(""),
    Thinking("b", SIGNATURE, "summary", item="rs_1"),
    Thinking("", SIGNATURE, "redacted"),
    ToolCall("i", "n", '{"a": 1}', signature=SIGNATURE, namespace="g"),
    ToolCall("i2", "n", "text", "custom"),
    ServerTool("d", "web_search", {"type": "server_tool_use"}, "{}"),
    Refusal("no"),
    Opaque("d", "t", {"a": 1}),
    Image(Source("base64", "x")),
    Document(parts=(Text("y"),)),
    Audio(Source("url", "z")),
    ToolResult("i", (Text("r"),)),
]

answers = st.builds(
    Response,
    st.text(max_size=3),
    st.text(max_size=3),
    st.lists(st.sampled_from(PARTS), max_size=5).map(tuple),
    st.just(Stop("end")),
    st.none(),
    st.none() | st.just(Usage(1, 2, extras={"x": 1})),
    st.none() | st.integers(0, 9),
    st.just("d"),
    st.just({"e": 1}),
)


@given(answers)
def test_folding_what_was_unfolded_gives_the_answer(answer: Response) -> None:
    events = list(unfold(answer))
    checker = EventChecker()
    checker.check_all(events)
    checker.finish()
    assert fold(events) == answer


def test_a_failed_answer_goes_there_and_back() -> None:
    answer = Response("i", "m", (Text("half"),), error=ErrorInfo("overloaded", "busy", 529))
    assert fold(unfold(answer)) == answer
    assert isinstance(list(unfold(answer))[-1], Failed)


def test_deltas_add_up_and_usage_is_merged() -> None:
    response = fold(
        [
            Start("i", "m", usage=Usage(10)),
            PartStart(0, Thinking("")),
            ThinkingDelta("a"),
            ThinkingDelta("b"),
            SignatureDelta(SIGNATURE),
            PartEnd(),
            Ping(),
            PartStart(1, ToolCall("t", "n")),
            ArgsDelta('{"a"'),
            ArgsDelta(":1}"),
            PartEnd(),
            PartStart(2, Opaque("d", "t", {"a": 1, "b": 2})),
            RawDelta({"b": 3, "c": 4}),
            PartEnd(),
            UsageUpdate(Usage(output=5)),
            UsageUpdate(Usage(output=7, reasoning=2)),
            End(Stop("tool_use"), {"z": 1}),
        ]
    )
    assert response.parts == (
        Thinking("ab", SIGNATURE),
        ToolCall("t", "n", '{"a":1}'),
        Opaque("d", "t", {"a": 1, "b": 3, "c": 4}),
    )
    assert response.usage == Usage(10, 7, reasoning=2)
    assert response.extras == {"z": 1}


def test_events_that_stop_early_are_a_cut_answer() -> None:
    response = fold([Start("i", "m"), PartStart(0, Text("")), TextDelta("ha")])
    assert response.parts == (Text("ha"),)
    assert response.stop is None
    assert response.error is not None
    assert response.error.kind == "cut"


@pytest.mark.parametrize("part", PARTS)
def test_values_survive_json(part: Part) -> None:
    answer = Response("i", "m", (part,), Stop("end"))
    encoded: Any = msgspec.json.encode(answer)
    assert msgspec.json.decode(encoded, type=Response) == answer
