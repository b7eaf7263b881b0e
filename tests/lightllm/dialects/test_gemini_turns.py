"""Contents as messages."""

from __future__ import annotations

import json
from typing import Any

from ccproxy.lightllm.dialect import Target
from ccproxy.lightllm.ir.parts import Signature, Text, Thinking, ToolCall
from ccproxy.lightllm.ir.request import Message
from ccproxy.lightllm.signatures import wrap

from ..kit import REGISTRY

GEMINI = REGISTRY.get("gemini")
FOREIGN = Signature("c2ln", "anthropic")
SEAL = {"text": "", "thought": True, "thoughtSignature": wrap(FOREIGN, "gemini")}


def turns(*contents: dict[str, Any]) -> tuple[Message, ...]:
    return GEMINI.decode_request(json.dumps({"contents": contents}).encode(), model="m").messages


def model(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"role": "model", "parts": list(parts)}


def test_the_chunks_of_an_answer_are_one_message_again() -> None:
    (message,) = turns(
        model({"text": "be", "thought": True}),
        model({"text": "cause", "thought": True}),
        model(SEAL),
        model({"text": "Hel"}),
        model({"text": "lo"}),
        model({"functionCall": {"id": "c", "name": "f", "args": {}}}),
        model({"text": ""}),
    )
    assert message == Message("assistant", (Thinking("because", FOREIGN, "summary"), Text("Hello"), ToolCall("c", "f")))


def test_a_signature_ends_a_thought() -> None:
    (message,) = turns(model({"text": "a", "thought": True}, SEAL, {"text": "b", "thought": True}, SEAL))
    assert message.parts == (Thinking("a", FOREIGN, "summary"), Thinking("b", FOREIGN, "summary"))


def test_googles_own_signatures_stay_on_their_parts() -> None:
    given = [
        {"text": "why", "thought": True},
        {"text": "", "thought": True, "thoughtSignature": "b3du"},
        {"text": "so"},
        {"text": "", "thoughtSignature": "b3du"},
        {"text": "on", "thoughtSignature": "b3du"},
    ]
    request = GEMINI.decode_request(json.dumps({"contents": [model(*given)]}).encode(), model="m")
    written = json.loads(GEMINI.encode_request(request, Target()).body)
    assert written["contents"] == [model(*given)]


def test_what_differs_from_pieces_of_plain_text_is_not_joined() -> None:
    (message,) = turns(model({"text": "a", "partMetadata": {"k": 1}}), model({"text": "b"}, {"text": "c"}))
    assert [part.text for part in message.parts if isinstance(part, Text)] == ["a", "b", "c"]
    sealed = {"text": "", "thought": True, "thoughtSignature": wrap(FOREIGN, "gemini", "whole")}
    (message,) = turns(
        model({"text": "a", "thought": True}, sealed, {"text": "b", "thought": True, "partMetadata": {}})
    )
    assert [getattr(part, "form", "") for part in message.parts] == ["summary", "redacted", "summary"]
    marked, plain = turns({**model({"text": "a"}), "mark": 1}, model({"text": "b"}))
    assert marked.extras == {"mark": 1}
    assert plain.parts == (Text("b"),)


def test_parts_of_one_content_stay_apart() -> None:
    (message,) = turns(model({"text": "a"}, {"text": "b"}), model({"text": "c"}, {"text": "d"}))
    assert [part.text for part in message.parts if isinstance(part, Text)] == ["a", "bc", "d"]
    (message,) = turns(model({"text": "a", "thought": True}, {"text": "b", "thought": True}))
    assert [part.text for part in message.parts if isinstance(part, Thinking)] == ["a", "b"]


def test_turns_of_the_user_are_left_as_they_are() -> None:
    hello = {"role": "user", "parts": [{"text": "a"}, {"text": ""}]}
    assert turns(hello, hello) == (Message("user", (Text("a"), Text(""))),) * 2


def test_a_sketch_in_thoughts_is_no_picture_that_was_given() -> None:
    sketch = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}, "thought": True}
    body = json.dumps({"contents": [model(sketch, {"text": "Here it is."})]}).encode()
    request = GEMINI.decode_request(body, model="m")
    assert json.loads(GEMINI.encode_request(request, Target()).body)["contents"][0]["parts"][0] == sketch
    encoded = REGISTRY.get("openai_responses").encode_request(request, Target())
    assert b"AAAA" not in encoded.body
    assert [loss.name for loss in encoded.losses] == ["thought"]
