"""The Gemini writer, judged by the official SDK's models."""

import json

import pytest
from google.genai import types

from ccproxy.providers.answers import gemini
from ccproxy.providers.answers.script import SIGNATURE, Script, Text, Thinking, ToolCall, Usage

SCRIPTS = {
    "text": Script("m", [Text("Hello there, wörld 🌍.")], Usage(10, 4, cache_read=3)),
    "empty": Script("m", [], Usage(10, 0)),
    "thinking": Script("m", [Thinking("Let me see."), Text("Yes, I see.")], Usage(10, 9, reasoning=5)),
    "signed call": Script("m", [Thinking(""), ToolCall("look", '{"n": 1.50}')], Usage(10, 9), stop="tool_use"),
    "tools": Script(
        "m",
        [Text("I look."), ToolCall("look", '{"where": "Zürich"}'), ToolCall("wait", "{}", id="mine")],
        Usage(10, 20),
        stop="tool_use",
    ),
    "only thought": Script("m", [Thinking("Hm.")], Usage(10, 9, reasoning=9)),
    "cut": Script("m", [Text("Once upon")], Usage(10, 2), stop="max_tokens"),
    "refused": Script("m", [Text("No.")], Usage(10, 1), stop="refusal"),
}


def streamed(script: Script, *, envelope: bool = False) -> list[dict]:
    frames = gemini.events(script, envelope=envelope)
    assert all(frame.startswith(b"data: ") and frame.endswith(b"\r\n\r\n") for frame in frames)
    return [json.loads(frame[6:]) for frame in frames]


def parts(responses: list[dict]) -> list[dict]:
    """The parts of all responses, neighbouring texts of one kind joined."""
    found: list[dict] = []
    for response in responses:
        for part in response["candidates"][0]["content"]["parts"]:
            if (
                found
                and "text" in part
                and "text" in found[-1]
                and part.get("thought") == found[-1].get("thought")
                and "thoughtSignature" not in part
            ):
                found[-1]["text"] += part["text"]
            else:
                found.append(dict(part))
    return found


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_the_sdk_accepts_document_and_events(script: Script) -> None:
    for response in [json.loads(gemini.document(script)), *streamed(script)]:
        parsed = types.GenerateContentResponse.model_validate(response)
        assert parsed.model_version == "m"
        assert parsed.usage_metadata is not None
        assert parsed.usage_metadata.prompt_token_count == 10


@pytest.mark.parametrize("script", [each for name, each in SCRIPTS.items() if name != "empty"])
def test_stream_and_document_say_the_same(script: Script) -> None:
    whole, events = json.loads(gemini.document(script)), streamed(script)

    assert parts(events) == parts([whole])
    assert events[-1]["usageMetadata"] == whole["usageMetadata"]
    assert events[-1]["candidates"][0]["finishReason"] == whole["candidates"][0]["finishReason"]
    assert not any("finishReason" in event["candidates"][0] for event in events[:-1])


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
@pytest.mark.parametrize("envelope", [False, True])
def test_without_sse_the_stream_is_one_growing_array(script: Script, envelope: bool) -> None:
    pieces = gemini.events(script, sse=False, envelope=envelope)

    assert json.loads(b"".join(pieces)) == streamed(script, envelope=envelope)
    assert len(pieces) == len(streamed(script)) + 1


def test_code_assist_wraps_every_object() -> None:
    script = SCRIPTS["text"]

    assert json.loads(gemini.document(script, envelope=True))["response"] == json.loads(gemini.document(script))
    assert all(set(event) == {"response", "traceId"} for event in streamed(script, envelope=True))


def test_usage_counts_thoughts_apart_and_cached_within() -> None:
    thinking = json.loads(gemini.document(SCRIPTS["thinking"]))["usageMetadata"]
    cached = json.loads(gemini.document(SCRIPTS["text"]))["usageMetadata"]

    assert (thinking["candidatesTokenCount"], thinking["thoughtsTokenCount"], thinking["totalTokenCount"]) == (4, 5, 19)
    assert (cached["promptTokenCount"], cached["cachedContentTokenCount"]) == (10, 3)


def test_a_signature_stands_on_the_part_after_the_thought() -> None:
    text, call, last = (
        parts([json.loads(gemini.document(SCRIPTS[name]))]) for name in ("thinking", "signed call", "only thought")
    )

    assert text == [{"text": "Let me see.", "thought": True}, {"text": "Yes, I see.", "thoughtSignature": SIGNATURE}]
    assert call == [{"functionCall": {"name": "look", "args": {"n": 1.5}}, "thoughtSignature": SIGNATURE}]
    assert last[-1] == {"text": "", "thoughtSignature": SIGNATURE}


def test_a_call_has_an_id_only_if_the_script_gives_one() -> None:
    calls = [part["functionCall"] for part in parts(streamed(SCRIPTS["tools"])) if "functionCall" in part]

    assert calls == [{"name": "look", "args": {"where": "Zürich"}}, {"id": "mine", "name": "wait", "args": {}}]


@pytest.mark.parametrize(
    ("name", "finish"), [("text", "STOP"), ("tools", "STOP"), ("cut", "MAX_TOKENS"), ("refused", "SAFETY")]
)
def test_finish_reasons(name: str, finish: str) -> None:
    assert json.loads(gemini.document(SCRIPTS[name]))["candidates"][0]["finishReason"] == finish


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (400, "INVALID_ARGUMENT"),
        (401, "UNAUTHENTICATED"),
        (403, "PERMISSION_DENIED"),
        (404, "NOT_FOUND"),
        (413, "INVALID_ARGUMENT"),
        (429, "RESOURCE_EXHAUSTED"),
        (500, "INTERNAL"),
        (503, "UNAVAILABLE"),
        (529, "UNAVAILABLE"),
        (418, "INVALID_ARGUMENT"),
    ],
)
def test_errors_have_the_native_shape(status: int, word: str) -> None:
    error = json.loads(gemini.error(status))["error"]

    assert (error["code"], error["status"]) == (status, word)
    assert error["message"]


def test_errors_of_an_array_stream_are_in_an_array() -> None:
    script = SCRIPTS["text"]
    pieces = gemini.events(script, sse=False)

    assert json.loads(gemini.error(400, in_array=True))[0]["error"]["code"] == 400
    assert json.loads(pieces[0] + gemini.error_event(503, sse=False))[1]["error"]["code"] == 503
    assert json.loads(gemini.error_event(503)[6:])["error"]["status"] == "UNAVAILABLE"


def test_when_to_come_back() -> None:
    details = json.loads(gemini.error(429, details=[gemini.retry_info(34.5)]))["error"]["details"]

    assert details == [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"}]


def test_lists_and_counts() -> None:
    models = json.loads(gemini.models(["a", "b"]))["models"]

    assert [each["name"] for each in models] == ["models/a", "models/b"]
    assert json.loads(gemini.model("a"))["name"] == "models/a"
    assert types.CountTokensResponse.model_validate({"totalTokens": json.loads(gemini.token_count(7))["totalTokens"]})
