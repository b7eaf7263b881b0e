"""The Anthropic writer, judged by the models of the official SDK and by the documented way to add up a stream."""

import json

import pytest
from anthropic.types import ErrorResponse, Message, MessageTokensCount, ModelInfo, RawMessageStreamEvent
from pydantic import TypeAdapter

from ccproxy.providers.answers import anthropic
from ccproxy.providers.answers.script import Script, Text, Thinking, ToolCall, Usage

EVENT: TypeAdapter[RawMessageStreamEvent] = TypeAdapter(RawMessageStreamEvent)

SCRIPTS = {
    "text": Script("m", [Text("Hello there, wörld 🌍.")], Usage(10, 4)),
    "empty": Script("m", [], Usage(10, 0)),
    "thinking": Script("m", [Thinking("Let me see."), Text("Yes.")], Usage(10, 9, reasoning=5)),
    "unsigned thinking": Script("m", [Thinking("Hm.", signature=""), Text("Yes.")], Usage(10, 9)),
    "tools": Script(
        "m",
        [Text("I look."), ToolCall("look", '{"where": "Zürich", "n": 1.50}'), ToolCall("wait", "{}", id="toolu_mine")],
        Usage(10, 20),
        stop="tool_use",
    ),
    "no arguments": Script("m", [ToolCall("now", "")], Usage(10, 20), stop="tool_use"),
    "cached": Script("m", [Text("Hi")], Usage(100, 1, cache_read=60, cache_write=30)),
    "cut": Script("m", [Text("Once upon")], Usage(10, 2), stop="max_tokens"),
    "stopped": Script("m", [Text("One two")], Usage(10, 2), stop="stop_sequence", stop_sequence="END"),
    "refused": Script("m", [Text("No.")], Usage(10, 1), stop="refusal"),
}


def frames(script: Script) -> list[tuple[str, dict]]:
    """The stream as names and data, having checked that each frame is one event."""
    found = []
    for frame in anthropic.events(script):
        assert frame.endswith(b"\n\n")
        name, data = frame.decode().strip().split("\n")
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


def folded(events: list[dict]) -> dict:
    """The message that a stream adds up to, by the rules of the API documentation."""
    message: dict = {}
    partial: dict[int, str] = {}
    for event in events:
        match event["type"]:
            case "message_start":
                message = event["message"]
            case "content_block_start":
                assert event["index"] == len(message["content"])
                message["content"].append(event["content_block"])
            case "content_block_delta":
                block, delta = message["content"][event["index"]], event["delta"]
                match delta["type"]:
                    case "text_delta":
                        block["text"] += delta["text"]
                    case "thinking_delta":
                        block["thinking"] += delta["thinking"]
                    case "signature_delta":
                        block["signature"] = delta["signature"]
                    case "input_json_delta":
                        partial[event["index"]] = partial.get(event["index"], "") + delta["partial_json"]
            case "content_block_stop":
                if event["index"] in partial:
                    message["content"][event["index"]]["input"] = json.loads(partial[event["index"]] or "{}")
            case "message_delta":
                message |= event["delta"]
                message["usage"] |= event["usage"]
    return message


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_the_sdk_accepts_the_document(script: Script) -> None:
    message = Message.model_validate_json(anthropic.document(script), strict=True)

    assert message.model == "m"
    assert [block.type for block in message.content] == [
        {Text: "text", Thinking: "thinking", ToolCall: "tool_use"}[type(part)] for part in script.parts
    ]


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_the_sdk_accepts_every_event(script: Script) -> None:
    for name, data in frames(script):
        assert name == data["type"]
        if name != "ping":
            EVENT.validate_python(data)


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_stream_and_document_say_the_same(script: Script) -> None:
    assert folded([data for _, data in frames(script)]) == json.loads(anthropic.document(script))


def test_events_come_in_the_documented_order() -> None:
    names = [name for name, _ in frames(SCRIPTS["text"])]

    assert names == [
        "message_start",
        "content_block_start",
        "ping",
        *["content_block_delta"] * 4,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


def test_text_goes_word_by_word() -> None:
    texts = [data["delta"]["text"] for name, data in frames(SCRIPTS["text"]) if name == "content_block_delta"]

    assert texts == ["Hello", " there,", " wörld", " 🌍."]


def test_cached_input_is_counted_apart() -> None:
    usage = Message.model_validate_json(anthropic.document(SCRIPTS["cached"])).usage

    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (10, 60, 30)


@pytest.mark.parametrize(
    ("name", "stop", "sequence"),
    [
        ("text", "end_turn", None),
        ("tools", "tool_use", None),
        ("cut", "max_tokens", None),
        ("stopped", "stop_sequence", "END"),
        ("refused", "refusal", None),
    ],
)
def test_stop_reasons(name: str, stop: str, sequence: str | None) -> None:
    message = Message.model_validate_json(anthropic.document(SCRIPTS[name]))

    assert (message.stop_reason, message.stop_sequence) == (stop, sequence)


def test_numbers_in_arguments_keep_their_spelling() -> None:
    assert b'"input":{"where": "Z\xc3\xbcrich", "n": 1.50}' in anthropic.document(SCRIPTS["tools"])


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (413, "request_too_large"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (503, "overloaded_error"),
        (529, "overloaded_error"),
        (418, "invalid_request_error"),
        (599, "api_error"),
    ],
)
def test_errors_have_the_native_shape(status: int, kind: str) -> None:
    error = json.loads(anthropic.error(status))

    assert error["type"] == "error"
    assert error["error"]["type"] == kind
    assert error["error"]["message"]
    assert error["request_id"]
    if status not in {413, 418, 529}:  # kinds that the SDK has no class for
        ErrorResponse.model_validate(error)


def test_kind_and_message_can_be_given() -> None:
    error = json.loads(anthropic.error(429, "enforced_spend_limit", "too much"))["error"]

    assert error == {"type": "enforced_spend_limit", "message": "too much"}


def test_an_error_in_the_stream_is_an_error_event() -> None:
    name, data = anthropic.error_event(529).decode().strip().split("\n")

    assert name == "event: error"
    assert json.loads(data.removeprefix("data: "))["error"]["type"] == "overloaded_error"


def test_lists_and_counts() -> None:
    models = json.loads(anthropic.models(["a", "b"]))

    assert [ModelInfo.model_validate(each).id for each in models["data"]] == ["a", "b"]
    assert (models["first_id"], models["last_id"], models["has_more"]) == ("a", "b", False)
    assert json.loads(anthropic.models([]))["first_id"] is None
    assert ModelInfo.model_validate_json(anthropic.model("a")).id == "a"
    assert MessageTokensCount.model_validate_json(anthropic.token_count(7)).input_tokens == 7
