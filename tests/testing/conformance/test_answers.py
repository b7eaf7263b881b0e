"""Equal, or declared: what of an answer counts as lost in silence."""

from __future__ import annotations

import msgspec
import pytest

from ccproxy.lightllm.errors import ErrorInfo
from ccproxy.lightllm.ir.events import Stop, StopReason
from ccproxy.lightllm.ir.losses import Loss
from ccproxy.lightllm.ir.parts import (
    Audio,
    Citation,
    Image,
    Part,
    Refusal,
    ServerTool,
    Signature,
    Source,
    Text,
    Thinking,
    ToolCall,
)
from ccproxy.lightllm.ir.response import Response
from ccproxy.lightllm.ir.usage import Usage
from ccproxy.lightllm.signatures import wrap
from ccproxy.testing.conformance import answers

CALL = ToolCall("c", "f", '{"a":1}')


def answer(*parts: Part, reason: StopReason = "end", usage: Usage | None = None) -> Response:
    return Response("i", "m", parts, Stop(reason), usage=usage or Usage(1, 2))


def replace(response: Response, **changes: object) -> Response:
    return msgspec.structs.replace(response, **changes)


SIGNED = Thinking("t", Signature("s", "here"))
PICTURE = Image(Source("base64", "AAAA", "image/png"))


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        (answer(Text("a"), Text("b")), answer(Text("ab"))),
        (answer(CALL, reason="tool_use"), answer(ToolCall("c", "f", '{ "a": 1 }'), reason="tool_use")),
        (answer(Text("a"), reason="pause"), answer(Text("a"), reason="max_tokens")),
        (answer(Refusal("no")), answer(Text("no"), reason="content_filter")),
        (answer(Text("a"), usage=Usage(None, 2)), answer(Text("a"), usage=Usage(9, 2))),
        (answer(Thinking("a"), Thinking("b")), answer(Thinking("a\n\nb"))),
        (answer(SIGNED), answer(Thinking("t", Signature(wrap(Signature("s", "here"), "there"), "there")))),
    ],
)
def test_what_is_the_same(expected: Response, found: Response) -> None:
    assert answers.gaps(expected, found, []) == []


@pytest.mark.parametrize(
    ("expected", "found", "loss"),
    [
        (answer(Text("a")), answer(Text("b")), None),
        (answer(Text("a")), answer(Text("a"), reason="max_tokens"), None),
        (answer(Text("a")), answer(Text("a"), usage=Usage(1, 3)), None),
        (answer(CALL, reason="tool_use"), answer(), "f"),
        (answer(CALL, reason="tool_use"), answer(ToolCall("c", "f"), reason="tool_use"), "arguments"),
        (answer(Thinking("t")), answer(), "Thinking"),
        (answer(SIGNED), answer(Thinking("t")), "signature"),
        (answer(PICTURE), answer(), "Image"),
        (answer(Audio(Source("base64", "AAAA"))), answer(), "Audio"),
        (answer(Text("a", (Citation("u"),))), answer(Text("a")), "citations"),
        (answer(ServerTool("d", "search", {})), answer(), "search"),
    ],
)
def test_what_is_lost_is_lost_unless_it_says_so(expected: Response, found: Response, loss: str | None) -> None:
    assert answers.gaps(expected, found, [Loss("answer.other", "dropped")])
    if loss:
        assert answers.gaps(expected, found, [Loss(f"answer.{loss}", "dropped")]) == []


def test_nothing_excuses_text_stops_and_usage() -> None:
    everything = [Loss(f"answer.{name}", "dropped") for name in ("text", "reason", "stop", "usage", "input", "output")]
    for found in (answer(Text("b")), answer(Text("a"), reason="refusal"), answer(Text("a"), usage=Usage(3, 3))):
        assert answers.gaps(answer(Text("a")), found, everything)


def test_failures_stay_failures_with_their_message() -> None:
    failed = replace(answer(Text("a")), stop=None, error=ErrorInfo("overloaded", "busy"))
    assert answers.gaps(failed, replace(failed, error=ErrorInfo("api", "it said: busy")), []) == []
    assert answers.gaps(failed, replace(failed, error=ErrorInfo("overloaded", "other")), [])
    assert answers.gaps(failed, answer(Text("a")), [])


def test_arguments_are_compared_as_values_and_thinking_is_found() -> None:
    spaced = answer(ToolCall("c", "f", '{ "a" : 1 }'), ToolCall("d", "g", "x", kind="custom"))
    assert [part.args for part in answers.same_answer(spaced).parts if isinstance(part, ToolCall)] == ['{"a":1}', "x"]
    assert answers.thinking_text(answer(SIGNED, Text("a"), Thinking("u"))) == "tu"
