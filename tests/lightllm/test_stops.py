"""Stop sequences cut on the way back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ccproxy.lightllm.ir.events import (
    End,
    Event,
    EventChecker,
    PartEnd,
    PartStart,
    Start,
    Stop,
    TextDelta,
    ThinkingDelta,
)
from ccproxy.lightllm.ir.parts import Text, Thinking
from ccproxy.lightllm.ir.response import Response, fold
from ccproxy.lightllm.stops import StopCutter


def cut(pieces: list[str], sequences: list[str]) -> Response:
    cutter = StopCutter(sequences)
    events: list[Event] = [
        Start("i", "m"),
        PartStart(0, Text("")),
        *map(TextDelta, pieces),
        PartEnd(),
        End(Stop("end")),
    ]
    seen = [new for event in events for new in cutter.feed(event)]
    checker = EventChecker()
    checker.check_all(seen)
    checker.finish()
    return fold(seen)


def expected(text: str, sequences: list[str]) -> tuple[str, str]:
    """What a provider would do that looks after each character."""
    for end in range(1, len(text) + 1):
        hits = [sequence for sequence in sequences if sequence and text[:end].endswith(sequence)]
        if hits:
            longest = max(hits, key=len)
            return text[: end - len(longest)], longest
    return text, ""


@given(st.lists(st.text("ab#", max_size=4)), st.lists(st.text("ab#", max_size=3), max_size=3))
def test_the_first_complete_sequence_ends_the_answer_however_it_arrives(
    pieces: list[str], sequences: list[str]
) -> None:
    text, sequence = expected("".join(pieces), sequences)
    answer = cut(pieces, sequences)
    assert answer.parts == (Text(text),)
    assert answer.stop == (Stop("stop_sequence", sequence) if sequence else Stop("end"))


def test_only_what_may_be_a_sequence_is_held_back() -> None:
    cutter = StopCutter(["END"])
    cutter.feed(PartStart(0, Text("")))
    assert cutter.feed(TextDelta("hello E")) == [TextDelta("hello ")]
    assert cutter.feed(TextDelta("N")) == []
    assert cutter.feed(TextDelta("x")) == [TextDelta("ENx")]
    assert not cutter.done
    assert cutter.feed(TextDelta("!END and more")) == [TextDelta("!"), PartEnd(), End(Stop("stop_sequence", "END"))]
    assert cutter.done
    assert cutter.feed(TextDelta("more")) == []
    assert cutter.feed(End(Stop("end"))) == []


def test_thinking_is_not_looked_at() -> None:
    cutter = StopCutter(["END"])
    events: list[Event] = [PartStart(0, Thinking("")), ThinkingDelta("END"), PartEnd()]
    assert [new for event in events for new in cutter.feed(event)] == events
