"""The base of decoders and encoders: the grammar holds whatever a dialect calls."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ccproxy.lightllm.dialect import Frame
from ccproxy.lightllm.errors import ErrorInfo
from ccproxy.lightllm.fields import ShapeError
from ccproxy.lightllm.ir.events import (
    ArgsDelta,
    CitationDelta,
    End,
    Event,
    EventChecker,
    Failed,
    PartStart,
    Start,
    Stop,
    TextDelta,
    UsageUpdate,
)
from ccproxy.lightllm.ir.parts import Citation, Image, Opaque, Source, Text, Thinking, ToolCall
from ccproxy.lightllm.ir.request import Message, Request
from ccproxy.lightllm.ir.response import fold, unfold
from ccproxy.lightllm.ir.usage import Usage
from ccproxy.lightllm.jsontext import JsonError
from ccproxy.lightllm.machine import BaseDecoder, BaseEncoder

from .kit import checked, context


class Scripted(BaseDecoder):
    """Does what each frame's name says; a document is all of the script."""

    def __init__(self, script: Any = None, request: Request | None = None) -> None:
        super().__init__(context(request), "toy")
        self.script = script or {}

    def _frame(self, name: str | None, data: bytes) -> None:
        self.script[name](self)

    def _document(self, body: bytes) -> None:
        for step in self.script.values():
            step(self)


def run(*steps: Any, request: Request | None = None) -> list[Event]:
    decoder = Scripted(dict(enumerate(steps)), request)
    events: list[Event] = []
    for number in range(len(steps)):
        events += decoder.frame(number, b"")  # type: ignore[arg-type]
    return events + decoder.eof()


def test_interleaved_parts_come_one_after_the_other() -> None:
    response = checked(
        run(
            lambda d: d.begin("a", ToolCall("1", "f")),
            lambda d: d.begin("b", ToolCall("2", "g")),
            lambda d: d.add("b", ArgsDelta('{"b"')),
            lambda d: d.add("a", ArgsDelta('{"a"')),
            lambda d: d.begin("c", Text("")),
            lambda d: d.add("c", TextDelta("x")),
            lambda d: d.finish("c"),
            lambda d: d.add("b", ArgsDelta(":2}")),
            lambda d: d.add("a", ArgsDelta(":1}")),
            lambda d: d.finish("a"),
            lambda d: d.finish("b"),
            lambda d: d.end(Stop("tool_use")),
        )
    )
    assert response.parts == (ToolCall("1", "f", '{"a":1}'), ToolCall("2", "g", '{"b":2}'), Text("x"))


def test_the_open_part_streams_at_once() -> None:
    decoder = Scripted({"a": lambda d: d.begin("k", Text("so")), "b": lambda d: d.add("k", TextDelta(" on"))})
    assert decoder.frame("a", b"") == [Start("", "", dialect="toy"), PartStart(0, Text("")), TextDelta("so")]
    assert decoder.frame("b", b"") == [TextDelta(" on")]


steps = st.sampled_from(
    [
        lambda d: d.start("i", "m"),
        lambda d: d.begin("a", Text("")),
        lambda d: d.begin("b", ToolCall("", "f", "{}")),
        lambda d: d.begin(None, Thinking("t")),
        lambda d: d.begin(None, Text("")),
        lambda d: d.add("a", TextDelta("x")),
        lambda d: d.add("b", ArgsDelta("x")),
        lambda d: d.add("a", ArgsDelta("x")),
        lambda d: d.add("c", TextDelta("x")),
        lambda d: d.finish("a"),
        lambda d: d.finish("b"),
        lambda d: d.finish(None),
        lambda d: d.whole(Opaque("d", "t", {})),
        lambda d: d.usage(Usage(1)),
        lambda d: d.ping(),
        lambda d: d.end(Stop("end")),
        lambda d: d.error(ErrorInfo("api", "x")),
    ]
)


@given(st.lists(steps, max_size=12))
def test_any_calls_in_any_order_obey_the_grammar(calls: list[Any]) -> None:
    checked(run(*calls))
    document = Scripted(dict(enumerate(calls)))
    checked(document.document(b""))


def test_what_cannot_be_read_is_a_failure() -> None:
    def shape(_: Any) -> None:
        raise ShapeError("x: is missing")

    def text(_: Any) -> None:
        raise JsonError("nested too deeply")

    for step, message in ((shape, "x: is missing"), (text, "nested too deeply")):
        response = checked(run(step))
        assert response.error is not None
        assert message in response.error.message
        assert response.error.status == 502


def test_nothing_comes_after_the_end() -> None:
    decoder = Scripted({"end": lambda d: d.end(Stop("end"))})
    assert [type(event) for event in decoder.frame("end", b"")] == [Start, End]
    assert (
        decoder.frame("end", b"") == decoder.eof() == decoder.fail(ErrorInfo("api", "x")) == decoder.document(b"") == []
    )


def test_a_stream_without_its_last_word_was_cut() -> None:
    events = Scripted().eof()
    assert isinstance(events[-1], Failed)
    assert events[-1].error.kind == "cut"
    assert isinstance(Scripted().fail(ErrorInfo("timeout", "slow"))[-1], Failed)


def test_tool_calls_and_tool_stops_belong_together() -> None:
    with_call = run(lambda d: d.whole(ToolCall("i", "f")), lambda d: d.end(Stop("end", native="stop")))
    assert fold(with_call).stop == Stop("tool_use", native="stop")
    without = run(lambda d: d.whole(Text("x")), lambda d: d.end(Stop("tool_use")))
    assert fold(without).stop == Stop("end")
    truncated = run(lambda d: d.whole(ToolCall("i", "f")), lambda d: d.end(Stop("max_tokens")))
    assert fold(truncated).stop == Stop("max_tokens")


def test_ids_are_kept_and_never_used_twice() -> None:
    history = Request("m", (Message("assistant", (ToolCall("call_1", "f"),)),))
    response = checked(
        run(
            lambda d: d.whole(ToolCall("call_1", "f")),
            lambda d: d.whole(ToolCall("call_9", "f")),
            lambda d: d.whole(ToolCall("", "f")),
            lambda d: d.whole(ToolCall("", "f")),
            lambda d: d.end(Stop("tool_use")),
            request=history,
        )
    )
    ids = [part.id for part in response.parts if isinstance(part, ToolCall)]
    assert ids[:2] == ["call_1_2", "call_9"]
    assert len(set(ids)) == 4
    assert all(ids)


class Plain(BaseEncoder):
    """Says texts only."""

    speaks = (Text, Opaque)

    def __init__(self) -> None:
        super().__init__(context(), "toy")

    def on_part_start(self, part: Any) -> list[Frame]:
        return [Frame({"start": self.parts})]

    def on_text(self, text: str) -> list[Frame]:
        return [Frame({"text": text})]

    def on_part_end(self, part: Any) -> list[Frame]:
        return [Frame({"stop": self.parts})]

    def on_end(self, event: End) -> list[Frame]:
        return [Frame({"end": event.stop.reason, "output": self.usage.output if self.usage else None})]

    def on_failed(self, error: ErrorInfo) -> list[Frame]:
        return [Frame({"error": error.message})]


def test_parts_without_words_are_left_out_and_recorded() -> None:
    encoder = Plain()
    events: list[Event] = [Start("i", "m", dialect="other", extras={"container": 1}, usage=Usage(1, 1))]
    answer = fold(
        unfold(
            fold(
                run(
                    lambda d: d.whole(Text("a", (Citation("u"),), extras={"phase": "x", "spelling": None})),
                    lambda d: d.whole(Image(Source("url", "u"))),
                    lambda d: d.whole(Opaque("other", "compaction", {})),
                    lambda d: d.whole(Text("b")),
                    lambda d: d.usage(Usage(output=5)),
                    lambda d: d.end(Stop("end"), {"late": 1}),
                )
            )
        )
    )
    events += [event for event in unfold(answer) if not isinstance(event, Start)]
    EventChecker().check_all(events)
    frames = [frame.data for event in events for frame in encoder.event(event)]
    assert frames == [
        {"start": 0}, {"text": "a"}, {"stop": 0},
        {"start": 1}, {"text": "b"}, {"stop": 1},
        {"end": "end", "output": 5},
    ]  # fmt: skip
    assert [loss.path for loss in encoder.context.ledger] == [
        "answer.container",
        "answer.parts[0].phase",
        "answer.parts[0].citations",
        "answer.Image",
        "answer.compaction",
    ]


def test_counts_that_only_the_provider_has_are_recorded_once() -> None:
    encoder = Plain()
    counts = {"service_tier": "batch", "cost": 0, "details": {"audio": 0}, "cache_creation": {"1h": 5}}
    events: list[Event] = [
        Start("i", "m", dialect="other", usage=Usage(1, extras=counts)),
        UsageUpdate(Usage(output=1, extras=counts)),
        UsageUpdate(Usage(output=2, extras=counts)),
        End(Stop("end")),
    ]
    for event in events:
        encoder.event(event)
    assert [loss.path for loss in encoder.context.ledger] == [
        "answer.usage.service_tier",
        "answer.usage.cache_creation",
    ]
    encoder = Plain()
    encoder.event(Start("i", "m", dialect="toy", usage=Usage(1, extras=counts)))
    encoder.event(End(Stop("end")))
    assert list(encoder.context.ledger) == []


def test_defaults_say_nothing() -> None:
    encoder = Plain()
    assert [frame.data for frame in encoder.keepalive()] == [None]
    assert encoder.event(CitationDelta(Citation())) == []
    assert [frame.data for frame in encoder.event(Failed(ErrorInfo("api", "x")))] == [{"error": "x"}]
