"""Answers of the servers that speak Chat Completions, orderly and not. Golden cases have the usual ones."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ccproxy.lightllm.errors import ErrorInfo
from ccproxy.lightllm.ir.events import PartStart, Stop, TextDelta
from ccproxy.lightllm.ir.parts import Citation, Image, Refusal, Signature, Source, Text, Thinking, ToolCall
from ccproxy.lightllm.ir.response import Response
from ccproxy.lightllm.ir.usage import Usage

from ..kit import REGISTRY, checked, collected, context, decode_document, decode_stream, encode_stream

OPENAI = REGISTRY.get("openai")
DONE = "[DONE]"
COUNTED = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def chunk(delta: Any = None, finish: str | None = None, /, **fields: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": {} if delta is None else delta, "finish_reason": finish}
    return {"id": "c1", "object": "chat.completion.chunk", "created": 5, "model": "m", "choices": [choice], **fields}


def stream(*given: Any) -> bytes:
    lines = [value if isinstance(value, str) else json.dumps(value) for value in given]
    return b"".join(f"data: {line}\n\n".encode() for line in lines)


def answer(*given: Any, origin: str = "") -> Response:
    return checked(decode_stream(OPENAI, [stream(*given)], origin))


def document(**fields: Any) -> Response:
    return checked(decode_document(OPENAI, json.dumps({"id": "c1", "model": "m", **fields}).encode()))


def test_a_stream() -> None:
    response = answer(
        chunk({"role": "assistant", "content": ""}),
        chunk({"content": "hel"}),
        chunk({"content": "lo"}),
        chunk({}, "stop"),
        {**chunk(), "choices": [], "usage": COUNTED},
        DONE,
    )
    assert response == Response(
        "c1", "m", (Text("hello"),), Stop("end", native="stop"), usage=Usage(3, 2), created=5, dialect="openai"
    )


# How a stream ends


def test_done_is_the_last_word_also_without_a_reason_or_usage() -> None:
    assert answer(chunk({"content": "x"}), DONE).stop == Stop("end")
    assert answer(chunk({"content": "x"}), chunk({}, "length"), DONE).stop == Stop("max_tokens", native="length")
    assert answer(chunk({"content": "x"}), chunk({}, "stop"), " [DONE] ").stop == Stop("end", native="stop")


def test_without_done_it_is_complete_with_reason_and_usage_only() -> None:
    assert answer(chunk({"content": "x"}), chunk({}, "stop", usage=COUNTED)).stop is not None
    assert answer(chunk({"content": "x"}), chunk({}, "stop"), {"usage": COUNTED}).usage == Usage(3, 2)
    for given in (
        (chunk({"content": "x"}),),
        (chunk({"content": "x"}), chunk({}, "stop")),
        (chunk({"content": "x"}, usage=COUNTED), chunk({}, "stop")),
    ):
        response = answer(*given)
        assert response.error is not None
        assert response.error.kind == "cut"


@pytest.mark.parametrize(
    "given",
    [
        (DONE,),
        ({},),
        ("<html>",),
        ([],),
        ({"choices": {}},),
        ({"choices": [1]},),
        ({"id": 1, "choices": []},),
        (chunk("x"),),
        (chunk({"content": 1}),),
        (chunk({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}), DONE),
        (chunk({"tool_calls": [{"index": 0, "function": 5}]}),),
        (chunk({"tool_calls": {}}),),
        (chunk(usage=7),),
        ({"type": "content_block_delta", "delta": {"text": "x"}}, {"type": "message_stop"}),
    ],
)
def test_what_is_no_answer_is_a_failure(given: tuple[Any, ...]) -> None:
    assert answer(*given).error is not None


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("stop", "end"),
        ("length", "max_tokens"),
        ("content_filter", "content_filter"),
        ("sensitive", "content_filter"),
        ("model_length", "context_window"),
        ("eos", "end"),
        ("tool_calls", "end"),
        ("brand_new", "other"),
    ],
)
def test_reasons(word: str, reason: Any) -> None:
    assert answer(chunk({"content": "x"}), chunk({}, word), DONE).stop == Stop(reason, native=word)
    message = {"role": "assistant", "content": "x"}
    assert document(choices=[{"index": 0, "message": message, "finish_reason": word}]).stop == Stop(reason, native=word)


@pytest.mark.parametrize("word", ["error", "network_error", "abort", "insufficient_system_resource"])
def test_an_answer_that_broke_off_is_a_failure(word: str) -> None:
    for response in (
        answer(chunk({"content": "x"}), chunk({}, word), DONE),
        document(choices=[{"index": 0, "message": {"content": "x"}, "finish_reason": word}]),
    ):
        assert response.error is not None
        assert word in response.error.message


def test_a_call_implies_a_tool_stop_and_a_tool_stop_a_call() -> None:
    call = {"index": 0, "id": "i", "function": {"name": "f", "arguments": "{}"}}
    assert answer(chunk({"tool_calls": [call]}), chunk({}, "stop"), DONE).stop == Stop("tool_use", native="stop")
    assert answer(chunk({"content": "x"}), chunk({}, "tool_calls"), DONE).stop == Stop("end", native="tool_calls")
    assert answer(chunk({"tool_calls": [call]}), chunk({}, "length"), DONE).stop == Stop("max_tokens", native="length")


def test_an_empty_reason_is_none_and_the_last_one_counts() -> None:
    response = answer(chunk({"content": "x"}, ""), chunk({"content": "y"}, ""), chunk({}, "length"), DONE)
    assert response.stop == Stop("max_tokens", native="length")
    assert response.parts == (Text("xy"),)


def test_the_stop_sequence_that_was_met() -> None:
    choice = {"index": 0, "delta": {}, "finish_reason": "stop", "stop_reason": "END"}
    assert answer(chunk({"content": "x"}), {**chunk(), "choices": [choice]}, DONE).stop == Stop(
        "stop_sequence", "END", "stop"
    )
    choice["stop_reason"] = 151645
    assert answer(chunk({"content": "x"}), {**chunk(), "choices": [choice]}, DONE).stop == Stop("end", native="stop")


# Errors inside


@pytest.mark.parametrize(
    ("frame", "kind", "message"),
    [
        ({"error": {"message": "busy", "type": "server_error", "code": "server_is_overloaded"}}, "overloaded", "busy"),
        ({"error": {"message": "m", "type": "server_error"}}, "api", "m"),
        ({"error": {"message": "m", "code": 429}}, "rate_limit", "m"),
        ({"error": {"message": "m", "code": "402"}}, "billing", "m"),
        ({"error": "plain"}, "api", "plain"),
        ({**chunk({}, "error"), "error": {"code": 502, "message": "gone"}}, "api", "gone"),
        ({"object": "error", "message": "bad", "type": "BadRequestError", "code": 400}, "invalid_request", "bad"),
        ({"code": "Throttling", "message": "slow", "request_id": "r"}, "api", "slow"),
        ([{"error": {"code": 503, "message": "full", "status": "UNAVAILABLE"}}], "overloaded", "full"),
        ({"detail": "Not authenticated"}, "api", "Not authenticated"),
        ({"error": {}}, "api", "without a message"),
    ],
)
def test_errors_inside_of_a_stream(frame: Any, kind: str, message: str) -> None:
    for before in ((), (chunk({"content": "half"}),)):
        response = answer(*before, frame, DONE)
        assert response.error is not None
        assert (response.error.kind, message in response.error.message) == (kind, True)
        assert response.parts == ((Text("half"),) if before else ())


def test_a_frame_called_error_is_one() -> None:
    raw = b'event: error\ndata: {"message":"it broke"}\n\n'
    assert checked(decode_stream(OPENAI, [raw])).error == ErrorInfo("api", "it broke", dialect="openai")


def test_an_error_of_the_choice() -> None:
    choice = {"index": 0, "message": {"content": "x"}, "finish_reason": "error", "error": {"code": 502, "message": "m"}}
    error = document(choices=[choice]).error
    assert error is not None
    assert (error.status, error.message) == (502, "m")


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'"x"', b"<html>busy</html>", b'{"choices": []}', b'{"choices": null}', b"null"]
)
def test_a_200_that_is_no_answer_is_a_failure(body: bytes) -> None:
    error = checked(decode_document(OPENAI, body)).error
    assert error is not None
    assert error.message


# What is said


def test_thinking_text_and_calls_come_in_order() -> None:
    call = {"index": 0, "id": "i", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    response = answer(
        chunk({"role": "assistant", "reasoning_content": "a"}),
        chunk({"reasoning_content": "b", "content": ""}),
        chunk({"content": "c"}),
        chunk({"tool_calls": [call], "content": None}),
        chunk({"content": "d"}),
        chunk({"refusal": "no"}, "tool_calls"),
        DONE,
    )
    assert response.parts == (Thinking("ab"), Text("c"), ToolCall("i", "f", "{}"), Text("d"), Refusal("no"))


def test_thinking_that_is_said_twice_is_read_once() -> None:
    both = {"reasoning": "a", "reasoning_content": "a"}
    assert answer(chunk(both), chunk({"content": "x"}), DONE).parts == (Thinking("a"), Text("x"))
    details = {"reasoning": "a", "reasoning_details": [{"type": "reasoning.text", "text": "a", "index": 0}]}
    (thinking, _) = answer(chunk(details), chunk({"content": "x"}), DONE).parts
    assert thinking == Thinking("a", extras={"reasoning_details": None})


def test_details_carry_signatures_of_the_upstream() -> None:
    def detail(**fields: Any) -> dict[str, Any]:
        return chunk({"reasoning_details": [fields]})

    response = answer(
        detail(type="reasoning.text", text="a", index=0),
        detail(type="reasoning.text", signature="sig", index=0),
        detail(type="reasoning.summary", summary="b", index=1),
        detail(type="reasoning.encrypted", data="sealed", id="rs", index=2),
        detail(type="reasoning.new", x=1),
        chunk({"content": "x"}),
        DONE,
        origin="router",
    )
    marked = {"reasoning_details": None}
    assert response.parts == (
        Thinking("a", Signature("sig", "router"), extras=marked),
        Thinking("b", None, "summary", extras=marked),
        Thinking("", Signature("sealed", "router"), "redacted", extras={"id": "rs", **marked}),
        Text("x"),
    )
    assert response.extras == {"choices[0].message.reasoning_details": [{"type": "reasoning.new", "x": 1}]}


def test_text_streams_on_while_later_calls_come() -> None:
    """A complete call is given out at once, not at the end of the answer."""
    decoder = OPENAI.decoder(context())

    def feed(delta: Any) -> list[Any]:
        return decoder.frame(None, json.dumps(chunk(delta)).encode())

    def call(index: int, **function: str) -> dict[str, Any]:
        return {"tool_calls": [{"index": index, "id": f"c{index}", "function": function}]}

    feed(call(0, name="f", arguments='{"a":'))
    feed(call(0, arguments="1}"))
    assert any(isinstance(event, PartStart) for event in feed(call(1, name="g", arguments="{")))
    feed(call(1, arguments="}"))
    assert TextDelta("x") in feed({"content": "x"})


def test_interleaved_calls_are_put_in_order() -> None:
    def call(index: int, text: str, **fields: Any) -> dict[str, Any]:
        name = fields.pop("name", None)
        function = {"arguments": text, **({"name": name} if name else {})}
        return chunk({"tool_calls": [{"index": index, **fields, "function": function}]})

    response = answer(
        call(0, '{"a"', id="x", name="f"),
        call(1, '{"b"', id="y", name="g"),
        call(0, ":1}"),
        call(1, ":2}"),
        chunk({}, "tool_calls"),
        DONE,
    )
    assert response.parts == (ToolCall("x", "f", '{"a":1}'), ToolCall("y", "g", '{"b":2}'))


def test_annotations_in_time_and_too_late() -> None:
    note = {"type": "url_citation", "url_citation": {"url": "u", "title": "t", "start_index": 0, "end_index": 1}}
    (text,) = answer(chunk({"content": "x"}), chunk({"annotations": [note]}), DONE).parts
    assert text == Text("x", (Citation("u", "t", start=0, end=1, raw=note),))
    shared = context()
    decoder = OPENAI.decoder(shared)
    decoder.frame(None, json.dumps(chunk({"annotations": [note]})).encode())
    assert [loss.path for loss in shared.ledger] == ["answer.annotations"]


def test_content_in_pieces_of_other_types() -> None:
    shared = context()
    decoder = OPENAI.decoder(shared)
    content = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "a"}]},
        {"type": "text", "text": "b"},
        {"type": "reference", "reference_ids": [1]},
    ]
    events = decoder.frame(None, json.dumps(chunk({"content": content})).encode())
    assert checked(events + decoder.frame(None, b"[DONE]")).parts == (Thinking("a"), Text("b"))
    assert [loss.path for loss in shared.ledger] == ["answer.content"]


def test_images_come_whole() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}, "index": 0}
    response = answer(chunk({"content": "see"}), chunk({"images": [image]}), DONE)
    assert response.parts == (Text("see"), Image(Source("base64", "iVBO", "image/png")))


def test_one_answer_of_several_is_read_and_said_so() -> None:
    shared = context()
    decoder = OPENAI.decoder(shared)
    events = []
    for index in (1, 0, 1, 0):
        frame = chunk()
        frame["choices"] = [{"index": index, "delta": {"content": f"<{index}>"}}]
        events += decoder.frame(None, json.dumps(frame).encode())
    assert checked(events + decoder.frame(None, b"[DONE]")).parts == (Text("<1><1>"),)
    assert [loss.path for loss in shared.ledger] == ["answer.choices"]


def test_a_choice_without_a_delta_or_a_number() -> None:
    bare = {**chunk(), "choices": [{"finish_reason": None}]}
    message = {**chunk(), "choices": [{"message": {"content": "x"}, "finish_reason": "stop"}]}
    assert answer(bare, message, DONE).parts == (Text("x"),)


def test_a_document_without_a_reason() -> None:
    response = document(choices=[{"message": {"role": "assistant", "content": "x"}}], usage=COUNTED)
    assert (response.parts, response.stop, response.usage) == ((Text("x"),), Stop("end"), Usage(3, 2))


def test_usage_beside_the_choice() -> None:
    frame = chunk({}, "stop")
    frame["choices"][0]["usage"] = COUNTED
    assert answer(chunk({"content": "x"}), frame, DONE).usage == Usage(3, 2)


def test_unknown_fields_are_kept_by_their_place() -> None:
    first, second = chunk({"content": "x", "a": "1"}, b=2), chunk({"content": "y", "a": "2", "l": [1]}, b=3)
    third = chunk({"l": [2]}, "stop")
    third["choices"][0]["c"] = {"d": 4}
    events = decode_stream(OPENAI, [stream(first, second, third, DONE)])
    assert checked(events).extras == {
        "b": 3,
        "choices[0].message.a": "12",
        "choices[0].message.l": [1, 2],
        "choices[0].c": {"d": 4},
    }
    written = json.loads(collected(OPENAI, events))
    assert (written["b"], written["choices"][0]["c"]) == (3, {"d": 4})
    assert (written["choices"][0]["message"]["a"], written["choices"][0]["message"]["l"]) == ("12", [1, 2])


# Usage


@pytest.mark.parametrize(
    ("given", "usage"),
    [
        ({"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}, Usage(1, 2)),
        ({"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3}}, Usage(9, 2, 4, 3)),
        ({"prompt_tokens": 9, "completion_tokens": 2, "prompt_cache_hit_tokens": 4}, Usage(9, 2, 4, extras={"prompt_cache_hit_tokens": 4})),
        ({"prompt_tokens": 9, "completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 3}, "total_tokens": 14}, Usage(9, 5, reasoning=3)),
        ({"prompt_tokens": 9, "completion_tokens": 2, "completion_tokens_details": {"reasoning_tokens": 3}, "total_tokens": 14}, Usage(9, 5, reasoning=3)),
        ({"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 14}, Usage(9, 5, reasoning=3)),
        ({"prompt_tokens": 9, "completion_tokens": 2, "completion_tokens_details": {"reasoning_tokens": 1}, "total_tokens": 14}, Usage(9, 2, reasoning=1)),
        ({"prompt_tokens": 9}, Usage(9)),
    ],
)  # fmt: skip
def test_every_arithmetic(given: dict[str, Any], usage: Usage) -> None:
    assert answer(chunk({"content": "x"}), chunk({}, "stop", usage=given), DONE).usage == usage


# Old and odd calls (see test_openai_calls.py for the rules)


def test_the_old_function_call() -> None:
    events = decode_stream(
        OPENAI,
        [
            stream(
                chunk({"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": ""}}),
                chunk({"function_call": {"arguments": '{"a":'}}),
                chunk({"function_call": {"arguments": "1}"}}),
                chunk({}, "function_call"),
                DONE,
            )
        ],
    )
    response = checked(events)
    assert response.parts == (ToolCall("call_ccp0001", "f", '{"a":1}'),)
    assert response.stop == Stop("tool_use", native="function_call")
    # A client that knows the old form alone is answered in it.
    request = OPENAI.decode_request(b'{"model":"m","messages":[],"functions":[{"name":"f"}]}')
    written = json.loads(collected(OPENAI, events, request))
    assert written["choices"][0]["finish_reason"] == "function_call"
    assert written["choices"][0]["message"]["function_call"] == {"name": "f", "arguments": '{"a":1}'}
    assert b'"function_call":{"arguments":"1}"}' in encode_stream(OPENAI, events, request)
    again = json.loads(collected(OPENAI, events))
    assert again["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "f"


def test_a_signature_of_a_call() -> None:
    call = {"index": 0, "id": "i", "function": {"name": "f", "arguments": "{}"}}
    signed = call | {"extra_content": {"google": {"thought_signature": "sig"}}}
    events = decode_stream(OPENAI, [stream(chunk({"tool_calls": [signed]}), DONE)], "google")
    assert checked(events).parts == (ToolCall("i", "f", "{}", signature=Signature("sig", "google")),)
    # The client gives it back, and it is known again whose it is.
    (written,) = json.loads(collected(OPENAI, events))["choices"][0]["message"]["tool_calls"]
    body = {"model": "m", "messages": [{"role": "assistant", "tool_calls": [written]}]}
    (part,) = OPENAI.decode_request(json.dumps(body).encode()).messages[0].parts
    assert part == ToolCall("i", "f", "{}", signature=Signature("sig", "google"))
    odd = call | {"extra_content": {"google": {"other": 1}}}
    (part,) = answer(chunk({"tool_calls": [odd]}), DONE).parts
    assert part == ToolCall("i", "f", "{}", extras={"extra_content": {"google": {"other": 1}}})
