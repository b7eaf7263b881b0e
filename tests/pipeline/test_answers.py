"""Callbacks on an answer: who sees what, who may change it, and what an error of theirs does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from ccproxy.lightllm.errors import ErrorInfo
from ccproxy.lightllm.ir.events import (
    End,
    Event,
    EventChecker,
    Failed,
    PartEnd,
    PartStart,
    Start,
    Stop,
    TextDelta,
)
from ccproxy.lightllm.ir.parts import Part, Text, ToolCall
from ccproxy.lightllm.ir.response import Response, fold, unfold
from ccproxy.pipeline.answers import Answers
from ccproxy.pipeline.hook import OnError

ANSWER = Response("a1", "m", (Text("hello"), ToolCall("t1", "run", '{"x":1}')), stop=Stop("tool_use"))

SECRET = "-".join(("canary", "0123456789"))


class Owner:
    """A hook that set a callback."""

    def __init__(self, hook: str = "h", on_error: OnError = "fail") -> None:
        self.hook = hook
        self.on_error: OnError = on_error
        self.errors: list[str] = []

    def failed(self, error: str) -> None:
        self.errors.append(error.partition(" (")[0])


def play(answers: Answers, answer: Response = ANSWER) -> list[Event]:
    passed = [event for given in unfold(answer) for event in answers.feed(given)]
    checker = EventChecker()
    checker.check_all(passed)
    checker.finish()
    return passed


def louder(event: Event) -> Event | None:
    return TextDelta(event.text.upper()) if isinstance(event, TextDelta) else None


def test_nothing_set_is_nothing_wanted() -> None:
    answers = Answers()
    assert not answers
    assert not answers.edits


def test_watchers_see_everything_and_change_nothing() -> None:
    answers, events, parts, whole = Answers(), list[Event](), list[Part](), list[Response]()
    answers.on_event(Owner(), events.append, edit=False)
    answers.on_part(Owner(), parts.append)
    answers.on_response(Owner(), whole.append)
    assert answers
    assert not answers.edits
    passed = play(answers)
    assert passed == events == list(unfold(ANSWER))
    assert tuple(parts) == ANSWER.parts
    assert whole == [ANSWER]


def test_what_a_watcher_gives_back_does_not_matter() -> None:
    answers = Answers()
    answers.on_event(Owner(), lambda event: [], edit=False)
    assert play(answers) == list(unfold(ANSWER))


def test_editors_change_what_those_behind_them_see() -> None:
    answers, before, after = Answers(), list[Response](), list[Response]()
    answers.on_response(Owner(), before.append)
    answers.on_event(Owner(), louder, edit=True)
    answers.on_response(Owner(), after.append)
    assert answers.edits
    assert fold(play(answers)).parts[0] == after[0].parts[0] == Text("HELLO")
    assert before[0] == ANSWER


def test_an_editor_may_take_out_and_add() -> None:
    def without_tools(event: Event) -> list[Event] | None:
        nonlocal dropping
        if isinstance(event, PartStart) and isinstance(event.part, ToolCall):
            dropping = True
        if dropping:
            dropping = not isinstance(event, PartEnd)
            return []
        if isinstance(event, End):
            return [PartStart(1, Text("")), TextDelta("no tools"), PartEnd(), End(Stop("end"))]
        return None

    dropping = False
    answers = Answers()
    answers.on_event(Owner(), without_tools, edit=True)
    assert fold(play(answers)) == msgspec.structs.replace(
        ANSWER, parts=(Text("hello"), Text("no tools")), stop=Stop("end")
    )


class TestErrors:
    def breaks(self, after: int = 0) -> Any:
        seen = 0

        def function(event: Event) -> None:
            nonlocal seen
            seen += 1
            if seen > after:
                raise ValueError("no")

        return function

    def test_fail_ends_the_answer_as_failed(self) -> None:
        answers, owner = Answers(), Owner()
        answers.on_event(owner, self.breaks(after=3), edit=False)
        passed = play(answers)
        assert isinstance(passed[-1], Failed)
        assert "hook h failed while the answer passed: ValueError: no" in passed[-1].error.message
        assert answers.failure is not None
        assert owner.errors == ["ValueError: no"]
        assert answers.feed(TextDelta("more")) == []

    def test_skip_drops_the_callback(self) -> None:
        answers, owner = Answers(), Owner(on_error="skip")
        answers.on_event(owner, self.breaks(after=2), edit=True)
        assert play(answers) == list(unfold(ANSWER))
        assert owner.errors == ["ValueError: no"]
        assert answers.failure is None
        assert not answers

    def test_an_editor_that_has_changed_something_cannot_be_dropped(self) -> None:
        def once(event: Event) -> Event | None:
            if isinstance(event, PartEnd):
                raise ValueError("half done")
            return louder(event)

        answers = Answers()
        answers.on_event(Owner(on_error="skip"), once, edit=True)
        assert isinstance(play(answers)[-1], Failed)

    @pytest.mark.parametrize("wrong", [[], [PartEnd()], [TextDelta("x"), PartEnd(), PartEnd()], [5]])
    def test_what_breaks_the_grammar_is_the_hook_s_error(self, wrong: Iterable[Event]) -> None:
        answers, owner = Answers(), Owner()
        answers.on_event(owner, lambda event: wrong if isinstance(event, PartStart) else None, edit=True)
        assert isinstance(play(answers)[-1], Failed)
        assert owner.errors[0].startswith("AssertionError")

    def test_secrets_stay_out(self, caplog: pytest.LogCaptureFixture) -> None:
        def tells(event: Event) -> None:
            raise ValueError(f"it was {SECRET}")

        answers, owner = Answers({SECRET}), Owner()
        answers.on_event(owner, tells, edit=False)
        play(answers)
        assert "canary" not in owner.errors[0] + caplog.text


def test_what_a_hook_has_set_can_be_forgotten() -> None:
    one, other = Owner("one"), Owner("other")
    answers, seen = Answers(), list[Event]()
    answers.on_event(one, louder, edit=True)
    answers.on_event(other, seen.append, edit=False)
    answers.forget(one)
    play(answers)
    assert not answers.edits
    assert len(seen) == len(list(unfold(ANSWER)))


def test_an_answer_that_failed_before_it_began() -> None:
    answers, whole = Answers(), list[Response]()
    answers.on_response(Owner(), whole.append)
    error = ErrorInfo("rate_limit", "slow down", 429)
    answers.failed(Failed(error))
    assert whole[0].error == error


def test_the_end_is_the_end() -> None:
    answers = Answers()
    for event in (Start("", ""), End(Stop("end")), TextDelta("late")):
        answers.feed(event)
    assert answers.feed(TextDelta("later")) == []
