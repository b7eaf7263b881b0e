"""Answers of Gemini upstreams, and answers for Gemini clients, whoever made them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ccproxy.lightllm.dialect import Context, Target
from ccproxy.lightllm.errors import ErrorInfo
from ccproxy.lightllm.ir.events import End, Event, PartEnd, PartStart, SignatureDelta, Start, Stop, TextDelta
from ccproxy.lightllm.ir.parts import (
    Audio,
    Citation,
    Document,
    Image,
    Part,
    Refusal,
    Signature,
    Source,
    Text,
    Thinking,
    ToolCall,
)
from ccproxy.lightllm.ir.request import Message, Request
from ccproxy.lightllm.ir.response import Response, unfold
from ccproxy.lightllm.ir.usage import Usage
from ccproxy.lightllm.signatures import unwrap
from ccproxy.lightllm.toolids import is_made
from ccproxy.lightllm.translate import DocumentTranslator, StreamTranslator

from ..kit import CASES, REGISTRY, checked, collected, context, decode_document, decode_stream, encode_frames
from ..streams import cuttings

GEMINI = REGISTRY.get("gemini")
OPENAI = REGISTRY.get("openai")


def answer(*parts: Part, stop: Stop | None = None, **fields: Any) -> Response:
    return Response("id_1", "model-1", parts, stop or Stop("end"), **{"dialect": "other", **fields})


def document(response: Response, request: Request | None = None) -> dict[str, Any]:
    written: dict[str, Any] = json.loads(collected(GEMINI, list(unfold(response)), request))
    return written


def candidate(**fields: Any) -> bytes:
    return json.dumps({"candidates": [{"content": {"role": "model", "parts": [{"text": "x"}]}, **fields}]}).encode()


def chunk(*parts: Any, **fields: Any) -> bytes:
    inner = {"content": {"role": "model", "parts": list(parts)}, **fields}
    return b"data: " + json.dumps({"candidates": [inner]}).encode() + b"\n\n"


# To a client


def test_an_answer_of_another_provider() -> None:
    assert document(answer(Text("hi"), usage=Usage(100, 20, 60, 10, 5))) == {
        "candidates": [
            {"content": {"role": "model", "parts": [{"text": "hi"}]}, "index": 0, "finishReason": "STOP"},
        ],
        "usageMetadata": {
            "promptTokenCount": 100,
            "candidatesTokenCount": 15,
            "totalTokenCount": 120,
            "cachedContentTokenCount": 60,
            "thoughtsTokenCount": 5,
        },
        "modelVersion": "model-1",
        "responseId": "id_1",
    }


@pytest.mark.parametrize(
    ("stop", "reason", "explained"),
    [
        (Stop("end"), "STOP", False),
        (Stop("stop_sequence", "X"), "STOP", False),
        (Stop("max_tokens"), "MAX_TOKENS", False),
        (Stop("context_window"), "MAX_TOKENS", True),
        (Stop("pause"), "MAX_TOKENS", False),
        (Stop("refusal"), "SAFETY", True),
        (Stop("content_filter", native="content_filter"), "SAFETY", True),
        (Stop("other", native="strange"), "OTHER", True),
    ],
)
def test_reasons(stop: Stop, reason: str, explained: bool) -> None:
    (written,) = document(answer(Text("x"), stop=stop))["candidates"]
    assert written["finishReason"] == reason
    assert ("finishMessage" in written) == explained
    if stop.native:
        assert stop.native in written["finishMessage"]


def test_a_refusal_is_text_and_a_reason() -> None:
    (written,) = document(answer(Refusal("I cannot.")))["candidates"]
    assert written["content"]["parts"] == [{"text": "I cannot."}]
    assert written["finishReason"] == "SAFETY"


def test_calls_go_out_whole_and_the_last_with_the_reason() -> None:
    events = list(unfold(answer(ToolCall("a", "f", '{"x": 1}'), ToolCall("b", "g"), stop=Stop("tool_use"))))
    first, last = [frame.data["candidates"][0] for frame in encode_frames(GEMINI, events)]
    assert first["content"]["parts"] == [{"functionCall": {"name": "f", "args": {"x": 1}, "id": "a"}}]
    assert "finishReason" not in first
    assert last["content"]["parts"] == [{"functionCall": {"name": "g", "args": {}, "id": "b"}}]
    assert last["finishReason"] == "STOP"


def test_arguments_that_are_no_object() -> None:
    encoder = GEMINI.encoder(held := context())
    frames = [frame for event in unfold(answer(ToolCall("a", "f", "[1]"))) for frame in encoder.event(event)]
    (part,) = frames[-1].data["candidates"][0]["content"]["parts"]
    assert part["functionCall"]["args"] == {"_raw_arguments": "[1]"}
    assert [loss.name for loss in held.ledger] == ["arguments"]


def test_signatures_of_other_providers_are_wrapped() -> None:
    mine, yours = Signature("bXk=", "gemini"), Signature("eW91cnM=", "anthropic")
    written = document(
        answer(
            Thinking("a", mine),
            Thinking("b", yours),
            Thinking("", yours, "redacted"),
            Text("t", signature=mine),
            ToolCall("c", "f", signature=yours),
        )
    )
    parts = written["candidates"][0]["content"]["parts"]
    assert parts[0] == {"text": "a", "thought": True, "thoughtSignature": "bXk="}
    assert unwrap(parts[1]["thoughtSignature"], "gemini") == (yours, "here")
    assert unwrap(parts[2]["thoughtSignature"], "gemini") == (yours, "whole")
    assert parts[3] == {"text": "t", "thoughtSignature": "bXk="}
    assert unwrap(parts[4]["thoughtSignature"], "gemini") == (yours, "here")


def test_citations_become_grounding() -> None:
    cited = (Citation("https://e.com", "E", "w"), Citation("https://f.com"), Citation(cited="only words"))
    encoder = GEMINI.encoder(held := context())
    frames = [frame for event in unfold(answer(Text("w", cited))) for frame in encoder.event(event)]
    assert frames[-1].data["candidates"][0]["groundingMetadata"] == {
        "groundingChunks": [{"web": {"uri": "https://e.com", "title": "E"}}, {"web": {"uri": "https://f.com"}}],
        "groundingSupports": [
            {"segment": {"startIndex": 0, "endIndex": 1, "text": "w"}, "groundingChunkIndices": [0, 1]}
        ],
    }
    assert [loss.name for loss in held.ledger] == ["citations"]


def test_the_places_of_citations_there_and_back() -> None:
    first = Text("Grüße aus 東京. Ja.", (Citation("https://e.com", start=6, end=12), Citation("https://f.com")))
    second = Text("Nein.", (Citation("https://e.com", start=0, end=4),))
    written = collected(GEMINI, list(unfold(answer(first, ToolCall("c", "f"), second))))
    (candidate,) = json.loads(written)["candidates"]
    said = "".join(part.get("text", "") for part in candidate["content"]["parts"]).encode()
    supports = candidate["groundingMetadata"]["groundingSupports"]
    segments = [one["segment"] for one in supports]
    assert [one["text"] for one in segments] == ["aus 東京", "Grüße aus 東京. Ja.", "Nein"]
    assert [said[one["startIndex"] : one["endIndex"]].decode() for one in segments] == [one["text"] for one in segments]
    assert [one["groundingChunkIndices"] for one in supports] == [[0], [1], [0]]
    (again,) = checked(decode_document(GEMINI, collected(GEMINI, list(unfold(answer(first)))))).parts
    assert isinstance(again, Text)
    assert [(one.url, one.start, one.end) for one in again.citations] == [
        ("https://e.com", 6, 12),
        ("https://f.com", 0, 17),
    ]


def test_media_and_what_has_no_part() -> None:
    encoder = GEMINI.encoder(held := context())
    given = answer(
        Image(Source("base64", "x", "image/png")), Audio(Source("base64", "y", "audio/wav")), Document(parts=())
    )
    frames = [frame for event in unfold(given) for frame in encoder.event(event)]
    parts = [part for frame in frames for part in frame.data["candidates"][0]["content"]["parts"]]
    assert parts[:2] == [
        {"inlineData": {"mimeType": "image/png", "data": "x"}},
        {"inlineData": {"mimeType": "audio/wav", "data": "y"}},
    ]
    assert [loss.name for loss in held.ledger] == ["document"]


def test_a_client_of_code_assist_gets_envelopes() -> None:
    body = json.dumps({"model": "g", "project": "p", "request": {"contents": []}}).encode()
    request = GEMINI.decode_request(body)
    written = document(answer(Text("hi")), request)
    assert list(written) == ["response"]
    assert written["response"]["candidates"][0]["finishReason"] == "STOP"
    for frame in encode_frames(GEMINI, list(unfold(answer(Text("hi"), ToolCall("a", "f")))), request):
        assert list(frame.data) == ["response"]


def test_there_are_no_keepalives() -> None:
    translator = StreamTranslator(OPENAI, GEMINI, Context())
    translator.feed(b'data: {"id":"i","choices":[{"index":0,"delta":{"content":"x"}}]}\n\n')
    assert translator.keepalive() == b""
    assert translator.feed(b": ping\n\n") == b""


# The two forms of a stream


def test_a_client_that_asked_for_no_sse_gets_an_array() -> None:
    translator = StreamTranslator(OPENAI, GEMINI, Context(), form="json_array")
    body = translator.feed(b'data: {"id":"i","choices":[{"index":0,"delta":{"content":"x"}}]}\n\n')
    body += translator.feed(b'data: {"id":"i","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n')
    body += translator.feed(b"data: [DONE]\n\n")
    chunks = json.loads(body + translator.eof())
    assert chunks[0]["candidates"][0]["content"]["parts"] == [{"text": "x"}]
    assert chunks[-1]["candidates"][0]["finishReason"] == "STOP"


def test_a_failure_in_an_array_is_an_element() -> None:
    translator = StreamTranslator(OPENAI, GEMINI, Context(), form="json_array")
    body = translator.feed(b'data: {"id":"i","choices":[{"index":0,"delta":{"content":"x"}}]}\n\n')
    body += translator.fail(ErrorInfo("cut", "it was cut", 502))
    chunks = json.loads(body)
    assert chunks[-1] == {"error": {"code": 502, "message": "it was cut", "status": "UNAVAILABLE"}}


def test_an_upstream_that_sends_an_array() -> None:
    raw = (CASES / "gemini" / "tools" / "stream.txt").read_bytes()
    chunks = [line.removeprefix(b"data: ") for line in raw.splitlines() if line]
    array = b"[" + b",\r\n".join(chunks) + b"]"
    expected = StreamTranslator(GEMINI, OPENAI, Context(new_id=lambda: "1", now=lambda: 1))
    wanted = expected.feed(raw) + expected.eof()
    for cut in cuttings(array, every_split_up_to=100):
        translator = StreamTranslator(
            GEMINI, OPENAI, Context(new_id=lambda: "1", now=lambda: 1), upstream_form="json_array"
        )
        assert b"".join(map(translator.feed, cut)) + translator.eof() == wanted
    whole = checked(decode_document(GEMINI, array))
    assert whole == checked(decode_stream(GEMINI, [raw]))


def test_an_error_in_an_array() -> None:
    body = b'[{"error": {"code": 429, "message": "slow", "status": "RESOURCE_EXHAUSTED"}}]'
    response = checked(decode_document(GEMINI, body))
    assert response.error is not None
    assert (response.error.kind, response.error.status) == ("rate_limit", 429)
    translator = StreamTranslator(GEMINI, OPENAI, Context(), upstream_form="json_array")
    assert translator.feed(body) + translator.eof() == b""
    assert translator.early_error is not None


# From an upstream


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("STOP", "end"),
        ("MAX_TOKENS", "max_tokens"),
        ("CONTINUATION", "pause"),
        *(
            (word, "content_filter")
            for word in ("SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "SPII", "IMAGE_SAFETY")
        ),
        ("OTHER", "other"),
        ("TOO_MANY_TOOL_CALLS", "other"),
        ("NEW_REASON", "other"),
    ],
)
def test_finish_reasons(word: str, reason: str) -> None:
    body = candidate(finishReason=word)
    response = checked(decode_document(GEMINI, body))
    assert response.stop == Stop(reason, native=word)  # type: ignore[arg-type]
    again = json.loads(collected(GEMINI, decode_document(GEMINI, body)))
    assert again["candidates"][0]["finishReason"] == word


@pytest.mark.parametrize(
    "word", ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "MALFORMED_RESPONSE", "MISSING_THOUGHT_SIGNATURE"]
)
def test_broken_answers_are_failures(word: str) -> None:
    response = checked(decode_document(GEMINI, candidate(finishReason=word, finishMessage="broken")))
    assert response.error is not None
    assert (response.error.code, response.error.message) == (word, "broken")
    status, _ = OPENAI.encode_error(response.error)
    assert status >= 400


def test_an_unspecified_reason_is_none() -> None:
    response = checked(decode_document(GEMINI, candidate(finishReason="FINISH_REASON_UNSPECIFIED")))
    assert response.error is not None
    assert response.error.kind == "cut"


def test_a_blocked_prompt_is_a_refusal_in_every_dialect() -> None:
    body = (CASES / "gemini" / "blocked-prompt" / "document.json").read_bytes()
    for name, word in (("anthropic", "refusal"), ("openai", "content_filter")):
        answer = DocumentTranslator(GEMINI, REGISTRY.get(name), Context()).translate(body)
        assert answer.status == 200
        assert word in answer.body.decode()


def test_usage_is_said_at_the_start_and_at_the_end_also_of_a_failure() -> None:
    first = {"candidates": [{"content": {"parts": [{"text": "x"}]}}], "usageMetadata": {"promptTokenCount": 7}}
    second = {
        "candidates": [],
        "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 2, "toolUsePromptTokenCount": 3},
    }
    raw = b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in (first, second))
    events = decode_stream(GEMINI, [raw])
    start = events[0]
    assert isinstance(start, Start)
    assert start.usage == Usage(input=7)
    response = checked(events)
    assert response.error is not None
    assert response.usage is not None
    assert (response.usage.input, response.usage.output) == (10, 2)


def test_texts_are_one_part_until_one_is_signed() -> None:
    raw = chunk({"text": "a"}, {"text": "b", "thoughtSignature": "c2ln"}, {"text": "c"})
    raw += chunk({"text": "d", "thought": True}, {"text": "e", "thought": True}) + chunk(finishReason="STOP")
    assert checked(decode_stream(GEMINI, [raw])).parts == (
        Text("ab", signature=Signature("c2ln", "gemini")),
        Text("c"),
        Thinking("de", form="summary"),
    )


def test_a_signature_that_comes_alone_belongs_to_the_text_before_it() -> None:
    raw = chunk({"text": "a"}) + chunk({"text": "", "thoughtSignature": "c2ln"}) + chunk(finishReason="STOP")
    (part,) = checked(decode_stream(GEMINI, [raw], origin="vertex")).parts
    assert part == Text("a", signature=Signature("c2ln", "vertex"))


def test_calls_get_ids_of_their_own() -> None:
    raw = chunk({"functionCall": {"name": "f"}}, {"function_call": {"name": "f", "id": "same"}})
    raw += chunk({"functionCall": {"name": "f", "id": "same"}}, finishReason="STOP")
    response = checked(decode_stream(GEMINI, [raw]))
    ids = [part.id for part in response.parts if isinstance(part, ToolCall)]
    assert is_made(ids[0])
    assert ids[1:] == ["same", "same_2"]
    assert response.stop == Stop("tool_use", native="STOP")


def test_made_ids_do_not_repeat_those_of_the_history() -> None:
    request = Request("m", (Message("assistant", (ToolCall("same", "f"),)),), "gemini")
    decoder = GEMINI.decoder(Context(request))
    events = decoder.document(
        candidate(finishReason="STOP").replace(b'"text": "x"', b'"functionCall": {"name": "f", "id": "same"}')
    )
    (part,) = checked(events).parts
    assert isinstance(part, ToolCall)
    assert part.id == "same_2"


def test_citations_of_an_upstream() -> None:
    case = (CASES / "gemini" / "grounding" / "document.json").read_bytes()
    (part,) = checked(decode_document(GEMINI, case)).parts
    assert isinstance(part, Text)
    assert [one.url for one in part.citations] == ["https://e.com/a", "https://e.com/b"]
    # The words of a segment are the answer's, not the source's.
    assert [one.cited for one in part.citations] == ["", ""]
    assert [part.text[one.start : one.end] for one in part.citations] == ["Sün is large"] * 2
    # Google counts bytes, we count characters.
    assert [(one.start, one.end) for one in part.citations] == [(5, 17)] * 2
    sources = {"citationSources": [{"uri": "https://g.com", "startIndex": 0, "endIndex": 1}, {"license": "mit"}]}
    (part,) = checked(decode_document(GEMINI, candidate(finishReason="STOP", citationMetadata=sources))).parts
    assert part == Text("x", (Citation("https://g.com", start=0, end=1),))


def test_citations_without_their_text_are_recorded() -> None:
    grounding = {"groundingChunks": [{"web": {"uri": "https://e.com"}}]}
    held = context()
    decoder = GEMINI.decoder(held)
    raw = {"candidates": [{"content": {"parts": [{"functionCall": {"name": "f"}}]}, "groundingMetadata": grounding}]}
    decoder.frame(None, json.dumps(raw).encode())
    assert [loss.name for loss in held.ledger] == ["citations"]


def test_a_sketch_in_thoughts_does_not_leak_into_the_answer() -> None:
    sketch = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}, "thought": True}
    picture = {"inlineData": {"mimeType": "image/png", "data": "BBBB"}}
    body = {"candidates": [{"content": {"parts": [sketch, picture]}, "finishReason": "STOP"}]}
    events = decode_document(GEMINI, json.dumps(body).encode())
    written = collected(REGISTRY.get("openai_responses"), events)
    assert b"AAAA" not in written
    assert b"BBBB" in written
    assert b"AAAA" in collected(GEMINI, events)


def test_further_candidates_are_left_out_with_a_loss() -> None:
    held = context()
    body = {
        "candidates": [{"index": i, "content": {"parts": [{"text": str(i)}]}, "finishReason": "STOP"} for i in (0, 1)]
    }
    response = checked(GEMINI.decoder(held).document(json.dumps(body).encode()))
    assert response.parts == (Text("0"),)
    assert [loss.name for loss in held.ledger] == ["candidates"]


def test_a_body_that_is_no_answer() -> None:
    for body in (b"{}", b"[]", b"<html>", b'{"response": {}}', b'"x"'):
        response = checked(decode_document(GEMINI, body))
        assert response.error is not None


def test_a_signed_call_of_gemini_goes_through_another_client_and_comes_back() -> None:
    raw = (CASES / "gemini" / "tools" / "stream.txt").read_bytes()
    anthropic = REGISTRY.get("anthropic")
    translator = DocumentTranslator(GEMINI, anthropic, Context())
    translator.feed(raw)
    message = json.loads(translator.answer().body)
    history = {
        "model": "m",
        "max_tokens": 10,
        "messages": [
            {"role": "user", "content": "Weather?"},
            {"role": "assistant", "content": message["content"]},
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": block["id"], "content": "ok"}
                    for block in message["content"]
                    if block["type"] == "tool_use"
                ],
            },
        ],
    }
    request = anthropic.decode_request(json.dumps(history).encode())
    encoded = GEMINI.encode_request(request, Target(model="g"))
    sent = json.loads(encoded.body)["contents"]
    original = json.loads((CASES / "gemini" / "tools" / "document.json").read_text())
    assert sent[1] == original["candidates"][0]["content"]
    assert [part["functionResponse"]["name"] for part in sent[2]["parts"]] == ["get_weather", "get_weather", "now"]
    assert list(encoded.losses) == []


def test_grammar_of_events_that_no_decoder_makes() -> None:
    encoder = GEMINI.encoder(context())
    events: list[Event] = [
        Start("i", "m", dialect="other"),
        PartStart(0, ToolCall("c", "f")),
        SignatureDelta(Signature("c2ln", "gemini")),
        PartEnd(),
        PartStart(1, Text("")),
        TextDelta("x"),
        PartEnd(),
        End(Stop("end")),
    ]
    frames = [frame for event in events for frame in encoder.event(event)]
    (part,) = frames[0].data["candidates"][0]["content"]["parts"]
    assert part["thoughtSignature"] == "c2ln"
