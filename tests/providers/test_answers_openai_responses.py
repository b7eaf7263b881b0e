"""The Responses writer, judged by the models of the official SDK and by what the deltas add up to."""

import json

import pytest
from openai.types.responses import Response, ResponseStreamEvent
from openai.types.responses.input_token_count_response import InputTokenCountResponse
from pydantic import TypeAdapter

from ccproxy.providers.answers import openai_responses
from ccproxy.providers.answers.script import Script, Text, Thinking, ToolCall, Usage

EVENT: TypeAdapter[ResponseStreamEvent] = TypeAdapter(ResponseStreamEvent)

SCRIPTS = {
    "text": Script("m", [Text("Hello there, wörld 🌍.")], Usage(10, 4, cache_read=3, cache_write=2)),
    "thinking": Script("m", [Thinking("Let me see."), Text("Yes.")], Usage(10, 9, reasoning=5)),
    "hidden thinking": Script("m", [Thinking(""), Text("Yes.")], Usage(10, 9, reasoning=5)),
    "tools": Script(
        "m",
        [Text("I look."), ToolCall("look", '{"where": "Zürich"}'), ToolCall("wait", "{}", id="call_mine")],
        Usage(10, 20),
        stop="tool_use",
    ),
    "cut": Script("m", [Text("Once upon")], Usage(10, 2), stop="max_tokens"),
    "refused": Script("m", [Text("No.")], Usage(10, 1), stop="refusal"),
    "filtered": Script("m", [Text("Well")], Usage(10, 1), stop="content_filter"),
}


def events(script: Script) -> list[dict]:
    """The stream's objects, having checked that each frame is named after its type."""
    found = []
    for frame in openai_responses.events(script):
        name, data = frame.decode().removesuffix("\n\n").split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    return found


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_the_sdk_accepts_the_document(script: Script) -> None:
    response = Response.model_validate_json(openai_responses.document(script))

    assert response.usage is not None
    assert response.usage.total_tokens == script.usage.input + script.usage.output
    assert len(response.output) == len(script.parts)


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_the_sdk_accepts_every_event_and_they_are_numbered(script: Script) -> None:
    found = events(script)

    for event in found:
        EVENT.validate_python(event)
    assert [event["sequence_number"] for event in found] == list(range(len(found)))


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_the_stream_ends_with_the_document(script: Script) -> None:
    assert events(script)[-1]["response"] == json.loads(openai_responses.document(script))


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_the_deltas_of_an_item_add_up_to_it(script: Script) -> None:
    said: dict[int, str] = {}
    for event in events(script):
        if event["type"].endswith(".delta"):
            said[event["output_index"]] = said.get(event["output_index"], "") + event["delta"]

    assert [said.get(index, "") for index in range(len(script.parts))] == [
        part.arguments if isinstance(part, ToolCall) else part.text for part in script.parts
    ]


def test_events_of_a_text_come_in_the_documented_order() -> None:
    assert [event["type"].removeprefix("response.") for event in events(SCRIPTS["text"])] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        *["output_text.delta"] * 4,
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]


@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [
        ("text", "completed", None),
        ("tools", "completed", None),
        ("cut", "incomplete", "max_output_tokens"),
        ("filtered", "incomplete", "content_filter"),
    ],
)
def test_how_it_ended(name: str, status: str, reason: str | None) -> None:
    response = Response.model_validate_json(openai_responses.document(SCRIPTS[name]))

    assert response.status == status
    assert (response.incomplete_details.reason if response.incomplete_details else None) == reason


def test_a_refusal_is_a_refusal_part() -> None:
    content = json.loads(openai_responses.document(SCRIPTS["refused"]))["output"][0]["content"]

    assert content == [{"type": "refusal", "refusal": "No."}]


def test_errors_end_a_stream_in_two_forms() -> None:
    error = json.loads(openai_responses.error_event(429, sequence_number=4).decode().split("data: ")[1])
    failed = json.loads(openai_responses.failed(SCRIPTS["text"], 429).decode().split("data: ")[1])

    assert EVENT.validate_python(error).type == "error"
    assert (error["code"], error["sequence_number"]) == ("rate_limit_exceeded", 4)
    assert EVENT.validate_python(failed).type == "response.failed"
    assert failed["response"]["status"] == "failed"
    assert failed["response"]["error"]["code"] == "rate_limit_exceeded"


def test_an_error_code_is_always_there() -> None:
    assert json.loads(openai_responses.error_event(500).decode().split("data: ")[1])["code"] == "server_error"


def test_lists_counts_and_errors() -> None:
    assert InputTokenCountResponse.model_validate_json(openai_responses.token_count(7)).input_tokens == 7
    assert json.loads(openai_responses.models(["a"]))["data"][0]["id"] == "a"
    assert json.loads(openai_responses.model("a"))["id"] == "a"
    assert json.loads(openai_responses.error(401))["error"]["code"] == "invalid_api_key"
