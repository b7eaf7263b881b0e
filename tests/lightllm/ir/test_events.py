"""The grammar of events, and its checker."""

from __future__ import annotations

import pytest

from ccproxy.lightllm.errors import ErrorInfo
from ccproxy.lightllm.ir.events import (
    ArgsDelta,
    CitationDelta,
    End,
    Event,
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
from ccproxy.lightllm.ir.parts import Citation, Opaque, Signature, Text, Thinking, ToolCall
from ccproxy.lightllm.ir.usage import Usage

START = Start("id", "m")
END = End(Stop("end"))
FAILED = Failed(ErrorInfo("api", "x"))

GOOD: list[list[Event]] = [
    [START, END],
    [START, FAILED],
    [START, Ping(), UsageUpdate(Usage(1)), PartStart(0, Text("")), TextDelta("a"), Ping(), PartEnd(), END],
    [START, PartStart(0, Text("")), CitationDelta(Citation()), SignatureDelta(Signature("s", "o")), FAILED],
    [START, PartStart(0, Thinking("")), ThinkingDelta("a"), PartEnd(), PartStart(1, ToolCall("i", "n")), ArgsDelta("{}"), PartEnd(), END],
    [START, PartStart(0, Opaque("d", "t", {})), RawDelta({}), PartEnd(), END],
]  # fmt: skip

BAD: list[tuple[str, list[Event]]] = [
    ("before Start", [PartStart(0, Text(""))]),
    ("before Start", [END]),
    ("second Start", [START, START]),
    ("after the end", [START, END, Ping()]),
    ("after the end", [START, FAILED, END]),
    ("inside of", [START, PartStart(0, Text("")), PartStart(1, Text(""))]),
    ("was due", [START, PartStart(1, Text(""))]),
    ("without a part", [START, PartEnd()]),
    ("inside of", [START, PartStart(0, Text("")), END]),
    ("inside of", [START, TextDelta("a")]),
    ("inside of", [START, PartStart(0, Text("")), ArgsDelta("a")]),
    ("inside of", [START, PartStart(0, ToolCall("i", "n")), TextDelta("a")]),
    ("deltas should bring", [START, PartStart(0, Text("a"))]),
]


@pytest.mark.parametrize("events", GOOD)
def test_what_the_grammar_allows(events: list[Event]) -> None:
    checker = EventChecker()
    checker.check_all(events)
    checker.finish()


@pytest.mark.parametrize(("message", "events"), BAD)
def test_what_it_does_not(message: str, events: list[Event]) -> None:
    with pytest.raises(AssertionError, match=message):
        EventChecker().check_all(events)


def test_a_stream_without_a_terminal_is_not_complete() -> None:
    checker = EventChecker()
    checker.check_all([START, Ping()])
    with pytest.raises(AssertionError, match="no terminal"):
        checker.finish()
