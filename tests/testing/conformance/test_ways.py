from __future__ import annotations

import pytest

from ccproxy.lightllm.ir.events import End, PartEnd, Start, Stop
from ccproxy.lightllm.ir.response import unfold
from ccproxy.testing.conformance import (
    checked,
    collected,
    context,
    decode_document,
    decode_stream,
    encode_frames,
    encode_stream,
)
from ccproxy.testing.conformance.ways import NOW, frames_of, written

from .toy import STREAM, TOY


def test_a_context_is_the_same_in_every_run() -> None:
    one, other = context(), context()
    assert [one.new_id(), one.new_id(), other.new_id()] == ["0001", "0002", "0001"]
    assert one.now() == NOW
    assert one.ledger is not other.ledger


def test_there_and_back() -> None:
    events = decode_stream(TOY, [STREAM.encode()])
    response = checked(events)
    assert response.stop == Stop("tool_use", "tool")
    assert checked(decode_stream(TOY, [encode_stream(TOY, events)])) == response
    assert checked(decode_document(TOY, collected(TOY, list(unfold(response))))).parts == response.parts


def test_a_ledger_can_be_looked_at() -> None:
    using = context()
    frames = encode_frames(TOY, decode_stream(TOY, [STREAM.encode()], using=using), using=using)
    assert len(using.ledger) == 0
    assert written(TOY, frames).count(b"data: ") == len(frames)


@pytest.mark.parametrize(
    "events",
    [[], [Start("", "")], [End(Stop("end"))], [Start("", ""), PartEnd()], [Start("", ""), End(Stop("end")), PartEnd()]],
)
def test_events_that_break_the_grammar_are_refused(events: list) -> None:
    with pytest.raises(AssertionError):
        checked(events)


def test_frames_of_both_forms() -> None:
    assert list(frames_of("sse", [b": hi\n\nevent: a\nda", b"ta: 1\n\n"])) == [("a", b"1")]
    assert list(frames_of("json_array", [b"[1,", b"2]"])) == [(None, b"1"), (None, b"2")]
