"""The Chat Completions writer, judged by the official SDK's models and its own accumulation of streams."""

import json

import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types import Model
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from ccproxy.providers.answers import openai
from ccproxy.providers.answers.script import Script, Text, Thinking, ToolCall, Usage

SCRIPTS = {
    "text": Script("m", [Text("Hello there, wörld 🌍.")], Usage(10, 4, cache_read=3)),
    "thinking": Script("m", [Thinking("Let me see."), Text("Yes.")], Usage(10, 9, reasoning=5)),
    "tools": Script(
        "m",
        [Text("I look."), ToolCall("look", '{"where": "Zürich"}'), ToolCall("wait", "{}", id="call_mine")],
        Usage(10, 20),
        stop="tool_use",
    ),
    "only a tool": Script("m", [ToolCall("look", '{"where": "here"}')], Usage(10, 20), stop="tool_use"),
    "cut": Script("m", [Text("Once upon")], Usage(10, 2), stop="max_tokens"),
    "refused": Script("m", [Text("No.")], Usage(10, 1), stop="refusal"),
    "filtered": Script("m", [Text("Well")], Usage(10, 1), stop="content_filter"),
}


def chunks(script: Script, *, include_usage: bool = False) -> list[dict]:
    """The stream's objects, having checked the frames around them."""
    frames = openai.events(script, include_usage=include_usage)
    assert frames[-1] == b"data: [DONE]\n\n"
    assert all(frame.startswith(b"data: ") and frame.endswith(b"\n\n") for frame in frames)
    return [json.loads(frame[6:]) for frame in frames[:-1]]


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_the_sdk_accepts_the_document(script: Script) -> None:
    completion = ChatCompletion.model_validate_json(openai.document(script))

    assert completion.usage is not None
    assert completion.usage.total_tokens == script.usage.input + script.usage.output


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_stream_and_document_say_the_same(script: Script) -> None:
    state = ChatCompletionStreamState()
    for chunk in chunks(script, include_usage=True):
        state.handle_chunk(ChatCompletionChunk.model_validate(chunk))
    streamed = state.current_completion_snapshot
    whole = ChatCompletion.model_validate_json(openai.document(script))

    for each in (streamed, whole):
        assert each.choices[0].finish_reason == whole.choices[0].finish_reason
        assert (each.choices[0].message.content or "") == (whole.choices[0].message.content or "")
        assert (each.choices[0].message.refusal or "") == (whole.choices[0].message.refusal or "")
        assert each.usage == whole.usage
    calls = [
        [(call.id, call.function.name, call.function.arguments) for call in each.choices[0].message.tool_calls or []]
        for each in (streamed, whole)
    ]
    assert calls[0] == calls[1]


def test_usage_comes_only_when_asked() -> None:
    asked, not_asked = chunks(SCRIPTS["text"], include_usage=True), chunks(SCRIPTS["text"])

    assert asked[-1]["choices"] == []
    assert asked[-1]["usage"]["prompt_tokens"] == 10
    assert all(chunk["usage"] is None for chunk in asked[:-1])
    assert not any("usage" in chunk for chunk in not_asked)


def test_the_first_chunk_names_the_role_and_the_last_the_finish() -> None:
    found = [chunk["choices"][0] for chunk in chunks(SCRIPTS["tools"])]

    assert found[0]["delta"]["role"] == "assistant"
    assert found[-1] == {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "tool_calls"}
    assert all(choice["finish_reason"] is None for choice in found[:-1])


def test_usage_is_in_openai_arithmetic() -> None:
    usage = ChatCompletion.model_validate_json(openai.document(SCRIPTS["text"])).usage

    assert usage is not None
    assert usage.prompt_tokens_details is not None
    assert (usage.prompt_tokens, usage.prompt_tokens_details.cached_tokens) == (10, 3)


def test_reasoning_stays_out_of_the_text() -> None:
    message = json.loads(openai.document(SCRIPTS["thinking"]))["choices"][0]["message"]

    assert (message["content"], message["reasoning_content"]) == ("Yes.", "Let me see.")


def test_a_refusal_has_its_own_field() -> None:
    message = json.loads(openai.document(SCRIPTS["refused"]))["choices"][0]["message"]

    assert (message["content"], message["refusal"]) == (None, "No.")


@pytest.mark.parametrize(
    ("name", "finish"),
    [("text", "stop"), ("cut", "length"), ("tools", "tool_calls"), ("refused", "stop"), ("filtered", "content_filter")],
)
def test_finish_reasons(name: str, finish: str) -> None:
    assert json.loads(openai.document(SCRIPTS[name]))["choices"][0]["finish_reason"] == finish


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, None),
        (401, "invalid_api_key"),
        (403, "model_not_allowed"),
        (404, "model_not_found"),
        (413, "request_too_large"),
        (429, "rate_limit_exceeded"),
        (500, None),
        (503, "server_is_overloaded"),
        (529, "server_is_overloaded"),
        (418, None),
    ],
)
def test_errors_have_the_native_shape(status: int, code: str | None) -> None:
    error = json.loads(openai.error(status))["error"]

    assert set(error) == {"message", "type", "param", "code"}
    assert error["code"] == code
    assert error["message"]


def test_an_exhausted_quota_has_its_own_type() -> None:
    assert json.loads(openai.error(429, "insufficient_quota"))["error"]["type"] == "insufficient_quota"


def test_an_error_in_the_stream_has_no_choices() -> None:
    chunk = json.loads(openai.error_event(500, message="broken").removeprefix(b"data: "))

    assert chunk["error"]["message"] == "broken"
    assert "choices" not in chunk


def test_lists() -> None:
    models = json.loads(openai.models(["a", "b"]))

    assert [Model.model_validate(each).id for each in models["data"]] == ["a", "b"]
    assert Model.model_validate_json(openai.model("a")).id == "a"
