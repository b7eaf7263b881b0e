"""The WebSocket form: what Codex sends on one socket, message by message."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ccproxy.errors import BadRequest
from ccproxy.lightllm.dialect import SocketRequest
from ccproxy.lightllm.dialects.openai_responses.websocket import Conversation
from ccproxy.lightllm.errors import ErrorInfo

from ..kit import REGISTRY, checked, context

RESPONSES = REGISTRY.get("openai_responses")


def item(text: str, role: str = "user") -> dict[str, Any]:
    return {"type": "message", "role": role, "content": [{"type": "input_text", "text": text}]}


def create(conversation: Conversation, *items: Any, **fields: Any) -> SocketRequest:
    message = {"type": "response.create", "model": "m", "input": list(items), **fields}
    made = conversation.create(json.dumps(message))
    assert isinstance(made, SocketRequest)
    return made


def completed(conversation: Conversation, response: dict[str, Any]) -> None:
    """The provider's last event."""
    assert conversation.event(json.dumps({"type": "response.completed", "response": response}).encode(), "") is not None


def sent(made: SocketRequest) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(made.body)
    return body


def test_a_socket_remembers_its_last_response() -> None:
    conversation = Conversation()
    warm = create(conversation, item("base", "developer"), generate=False, store=False)
    assert not warm.generate
    assert "type" not in sent(warm)
    assert "generate" not in sent(warm)
    warmed = conversation.prewarmed(context(RESPONSES.decode_request(warm.body)), "")
    answer = json.loads(warmed[-1])["response"]
    assert (answer["status"], answer["output"], answer["model"]) == ("completed", [], "m")

    first = create(conversation, item("one"), previous_response_id=answer["id"], stream=True)
    assert first.generate
    assert sent(first)["input"] == [item("base", "developer"), item("one")]
    assert "previous_response_id" not in sent(first)
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    completed(conversation, {"id": "resp_2", "output": [call]})

    result = {"type": "function_call_output", "call_id": "c", "output": "r"}
    second = create(conversation, result, previous_response_id="resp_2")
    assert sent(second)["input"] == [item("base", "developer"), item("one"), call, result]
    request = RESPONSES.decode_request(second.body)
    assert request.stream
    assert request.state.previous_response == ""


def test_another_response_is_not_found_and_a_whole_conversation_needs_none() -> None:
    conversation = Conversation()
    completed(conversation, {"id": "resp_1", "output": []})
    message = {"type": "response.create", "model": "m", "input": [item("x")], "previous_response_id": "resp_0"}
    refused = conversation.create(json.dumps(message))
    assert isinstance(refused, ErrorInfo)
    assert (refused.http_status, refused.code) == (400, "previous_response_not_found")
    assert sent(create(conversation, item("all"), item("again")))["input"] == [item("all"), item("again")]


def test_a_failed_answer_is_not_gone_on_from() -> None:
    conversation = Conversation()
    create(conversation, item("one"))
    completed(conversation, {"id": "resp_1", "output": []})
    create(conversation, item("two"), previous_response_id="resp_1")
    # It failed: nothing is told. The client asks again from the same response.
    again = create(conversation, item("two"), previous_response_id="resp_1")
    assert sent(again)["input"] == [item("one"), item("two")]


def test_what_else_a_request_may_say() -> None:
    conversation = Conversation()
    text = conversation.create(b'{"type":"response.create","input":"hi","stream_id":"s"}')
    assert isinstance(text, SocketRequest)
    assert text.stream_id == "s"
    assert RESPONSES.decode_request(text.body).messages[0].role == "user"
    warm = create(conversation, prompt_cache_options={"prewarm": True, "mode": "explicit"})
    assert not warm.generate
    assert sent(warm)["prompt_cache_options"] == {"mode": "explicit"}
    assert create(conversation, prompt_cache_options={"mode": "explicit"}).generate


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        (b"", "not JSON"),
        (b"[]", "expected an object"),
        (b"{}", "a message of type ''"),
        (b'{"type":"response.steer"}', "a message of type 'response.steer'"),
        (b'{"type":"response.create","input":5}', "expected an array"),
        (b'{"type":"response.create","generate":5}', "expected true or false"),
    ],
)
def test_other_messages_are_refused(message: bytes, problem: str) -> None:
    with pytest.raises(BadRequest, match=problem):
        Conversation().create(message)


def test_messages_are_the_events_without_framing() -> None:
    conversation = Conversation()
    assert conversation.event(b'{ "type": "x" }', "") == b'{"type":"x"}'
    assert conversation.event(b'{"type":"x"}', "s") == b'{"type":"x","stream_id":"s"}'
    assert conversation.event(b"[DONE]", "") is None
    assert conversation.event(b"{", "") is None
    decoder = RESPONSES.decoder(context())
    messages = conversation.prewarmed(context(), "s")
    assert checked([event for message in messages for event in decoder.frame(None, message)]).stop is not None
    assert {json.loads(message)["stream_id"] for message in messages} == {"s"}


def test_an_error_is_a_message_with_its_status() -> None:
    message = json.loads(Conversation().error(ErrorInfo("rate_limit", "slow down", 429, retry_after=2.0), "s"))
    assert (message["type"], message["status"], message["stream_id"]) == ("error", 429, "s")
    assert (message["error"]["message"], message["headers"]) == ("slow down", {"retry-after": "2"})
