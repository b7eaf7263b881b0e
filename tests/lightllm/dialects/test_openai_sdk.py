"""The official SDK is the judge: it reads every answer we write, and its types accept every request."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import httpx2
import openai
import pytest
from hypothesis import given, settings
from openai import OpenAI
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types import Model as SdkModel
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat.completion_create_params import (
    CompletionCreateParamsNonStreaming,
    CompletionCreateParamsStreaming,
)
from pydantic import BaseModel, TypeAdapter

from ccproxy.errors import Untranslatable
from ccproxy.lightllm.dialect import Frame, ModelInfo, Target
from ccproxy.lightllm.dialects.openai.listings import model_object
from ccproxy.lightllm.errors import ErrorInfo
from ccproxy.lightllm.ir.events import Event, Failed, PartStart, Start, Stop, TextDelta
from ccproxy.lightllm.ir.parts import (
    Audio,
    Citation,
    Image,
    Refusal,
    Signature,
    Source,
    Text,
    Thinking,
    ToolCall,
)
from ccproxy.lightllm.ir.request import CustomTool, FunctionTool, Message, Output, Reasoning, Request, Sampling
from ccproxy.lightllm.ir.response import Response, unfold
from ccproxy.lightllm.ir.usage import Usage

from ..kit import REGISTRY, Case, cases, checked, collected, decode_stream, encode_frames, encode_stream, essence
from ..strategies import responses
from ..test_cases import ids, request_of

OPENAI = REGISTRY.get("openai")
STREAMED = TypeAdapter(CompletionCreateParamsStreaming)
BUFFERED = TypeAdapter(CompletionCreateParamsNonStreaming)


def chunks(frames: Sequence[Frame]) -> list[ChatCompletionChunk]:
    """The frames as the SDK types them; the last one is the end."""
    *said, done = [frame for frame in frames if frame.data is not None]
    assert done.data == b"[DONE]"
    parsed: list[ChatCompletionChunk] = []
    for frame in said:
        data = json.loads(json.dumps(frame.data))
        if '"custom"' in json.dumps(data["choices"]):
            # The SDK's types know freeform calls in buffered answers only; at run time it lets them pass.
            parsed.append(ChatCompletionChunk.construct(None, **data))
        else:
            parsed.append(ChatCompletionChunk.model_validate(data, strict=True))
    return parsed


def calls_of(message: Any) -> list[tuple[str, str, str]]:
    """Id, name and text of each call."""
    return [
        (call.id, call.function.name, call.function.arguments)
        if call.type == "function"
        else (call.id, call.custom.name, call.custom.input)
        for call in message.tool_calls or ()
    ]


def read(events: Sequence[Event]) -> ChatCompletion:
    """What the SDK makes of the answer, buffered and streamed, which must be the same."""
    buffered = ChatCompletion.model_validate(json.loads(collected(OPENAI, events)), strict=True)
    state: ChatCompletionStreamState[Any] = ChatCompletionStreamState()
    for chunk in chunks(encode_frames(OPENAI, events)):
        list(state.handle_chunk(chunk))
    streamed = state.current_completion_snapshot
    (one,), (other,) = buffered.choices, streamed.choices
    assert (one.message.content or None) == (other.message.content or None)
    assert one.message.refusal == other.message.refusal
    assert one.finish_reason == other.finish_reason
    if not any(call.type == "custom" for call in one.message.tool_calls or ()):
        assert calls_of(one.message) == calls_of(other.message)
    assert one.message.to_dict().get("reasoning_content") == other.message.to_dict().get("reasoning_content")
    assert streamed.usage == buffered.usage
    assert (streamed.id, streamed.model, streamed.created) == (buffered.id, buffered.model, buffered.created)
    return buffered


@settings(deadline=None, max_examples=40)
@given(responses())
def test_the_sdk_reads_any_answer(response: Response) -> None:
    completion = read(list(unfold(response)))
    expected = essence(response)
    message = completion.choices[0].message
    assert (message.content or "") == expected["text"]
    calls = [
        (call.id, call.function.name, json.loads(call.function.arguments))
        for call in message.tool_calls or ()
        if call.type == "function"
    ]
    assert calls == expected["calls"]
    assert completion.usage is not None
    assert (completion.usage.prompt_tokens, completion.usage.completion_tokens) == (
        expected["input"],
        expected["output"],
    )


@pytest.mark.parametrize("case", cases("stream.txt"), ids=ids)
def test_the_sdk_reads_every_stream_of_every_dialect(case: Case) -> None:
    events = decode_stream(case.dialect, [case.read("stream.txt")])
    if checked(events).error is None:
        read(events)


def test_the_sdk_reads_everything_other_dialects_can_say() -> None:
    signature = Signature("c2ln", "gemini")
    completion = read(
        list(
            unfold(
                Response(
                    "resp_1",
                    "claude",
                    (
                        Thinking("because", signature, "summary"),
                        Thinking("of that"),
                        Thinking("", signature, "redacted"),
                        Text("see", (Citation("https://e.com", "E", "w"), Citation("https://f.com"))),
                        Refusal("no"),
                        Image(Source("base64", "iVBORw0KGgo", "image/png")),
                        Image(Source("url", "https://e.com/a.png")),
                        Audio(Source("base64", "AAAA"), "hello"),
                        ToolCall("call_1", "f", '{"a": [1, {"b": null}]}', signature=signature),
                        ToolCall("call_2", "patch", "*** Begin", "custom"),
                    ),
                    Stop("tool_use"),
                    usage=Usage(10, 5, 3, 2, 1),
                    dialect="anthropic",
                )
            )
        )
    )
    message = completion.choices[0].message
    assert message.to_dict()["reasoning_content"] == "because\n\nof that"
    assert message.annotations is not None
    assert [note.url_citation.url for note in message.annotations] == ["https://e.com", "https://f.com"]
    assert message.audio is not None
    assert [call.type for call in message.tool_calls or ()] == ["function", "custom"]
    assert completion.usage is not None
    assert completion.usage.prompt_tokens_details is not None
    assert completion.usage.prompt_tokens_details.cached_tokens == 3


def accepts(body: dict[str, Any]) -> None:
    (STREAMED if body.get("stream") else BUFFERED).validate_python(body, extra="forbid")


@pytest.mark.parametrize("case", cases("request.json"), ids=ids)
def test_the_sdks_types_accept_every_converted_request(case: Case) -> None:
    if case.dialect is OPENAI:
        return
    try:
        body = json.loads(OPENAI.encode_request(request_of(case), Target(model="gpt")).body)
    except Untranslatable as problem:
        assert problem.message
        return
    accepts(body)


def test_the_sdks_types_accept_all_that_can_be_asked_for() -> None:
    request = Request(
        "m",
        (Message("developer", (Text("d"),)), Message("user", (Text("hi"),), name="ann")),
        "other",
        (Text("s"), Text("t")),
        (FunctionTool("f", {"anyOf": [{"properties": {"a": {}}}]}, "F.", True), CustomTool("p", "P.", "lark", "x")),
        parallel_tools=False,
        max_tokens=10,
        sampling=Sampling(1, 1, None, 1, 1, 1),
        stop=("a",),
        output=Output("schema", {"type": "object"}, strict=True, verbosity="low"),
        reasoning=Reasoning("on", "xhigh"),
        cache_key="k",
        stream=True,
        user="u" * 100,
        metadata={"a": "b"},
    )
    accepts(json.loads(OPENAI.encode_request(request, Target()).body))


def test_the_sdk_reads_a_model() -> None:
    model = SdkModel.model_validate(model_object(ModelInfo("m", "M", "mine", 1_700_000_000)), strict=True)
    assert (model.id, model.owned_by, model.created) == ("m", "mine", 1_700_000_000)


# The client itself, over a transport that gives it our bytes


def client(body: bytes, status: int = 200, content_type: str = "application/json") -> OpenAI:
    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(status, headers={"content-type": content_type}, content=body)

    return OpenAI(
        api_key="sk-test",
        base_url="http://127.0.0.1:1/v1",
        max_retries=0,
        http_client=httpx2.Client(transport=httpx2.MockTransport(answer)),
    )


USER: Any = [{"role": "user", "content": "hi"}]


def test_the_clients_stream_helper_reads_an_answer() -> None:
    events = list(
        unfold(
            Response(
                "r",
                "m",
                (Thinking("hm"), Text("hello"), ToolCall("c", "f", '{"x": 1}'), ToolCall("d", "g")),
                Stop("tool_use"),
                usage=Usage(2, 3),
                dialect="anthropic",
            )
        )
    )
    raw = encode_stream(OPENAI, events)
    with (
        client(raw, content_type="text/event-stream") as sdk,
        sdk.chat.completions.stream(model="m", messages=USER) as s,
    ):
        texts = [event.delta for event in s if event.type == "content.delta"]
        final = s.get_final_completion()
    assert "".join(texts) == "hello"
    assert calls_of(final.choices[0].message) == [("c", "f", '{"x": 1}'), ("d", "g", "")]
    assert final.choices[0].finish_reason == "tool_calls"
    assert final.usage is not None
    assert final.usage.total_tokens == 5


def test_the_client_raises_what_fails_in_a_stream() -> None:
    events: list[Event] = [
        Start("r", "m"),
        PartStart(0, Text("")),
        TextDelta("half"),
        Failed(ErrorInfo("overloaded", "too busy")),
    ]
    raw = encode_stream(OPENAI, events)
    with client(raw, content_type="text/event-stream") as sdk:
        stream = sdk.chat.completions.create(model="m", messages=USER, stream=True)
        seen: list[Any] = []
        with pytest.raises(openai.APIError, match="too busy") as caught:
            seen.extend(stream)
    assert caught.value.code == "server_is_overloaded"
    assert [chunk.choices[0].delta.content for chunk in seen] == ["", "half"]


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("invalid_request", openai.BadRequestError),
        ("authentication", openai.AuthenticationError),
        ("permission", openai.PermissionDeniedError),
        ("not_found", openai.NotFoundError),
        ("conflict", openai.ConflictError),
        ("rate_limit", openai.RateLimitError),
        ("quota", openai.RateLimitError),
        ("overloaded", openai.InternalServerError),
    ],
)
def test_the_client_raises_its_own_error_for_each_kind(kind: Any, error: type[Exception]) -> None:
    status, body = OPENAI.encode_error(ErrorInfo(kind, "the reason"))
    with client(body, status) as sdk, pytest.raises(error, match="the reason"):
        sdk.chat.completions.create(model="m", messages=USER)


def test_the_client_parses_structured_output() -> None:
    class Answer(BaseModel):
        n: int

    events = list(unfold(Response("r", "m", (Text('{"n": 1}'),), Stop("end"), usage=Usage(1, 1))))
    with client(collected(OPENAI, events)) as sdk:
        completion = sdk.chat.completions.parse(model="m", messages=USER, response_format=Answer)
    assert completion.choices[0].message.parsed == Answer(n=1)
    cut_short = list(unfold(Response("r", "m", (Text('{"n": '),), Stop("max_tokens"), usage=Usage(1, 1))))
    with client(collected(OPENAI, cut_short)) as sdk, pytest.raises(openai.LengthFinishReasonError):
        sdk.chat.completions.parse(model="m", messages=USER, response_format=Answer)
    filtered = list(unfold(Response("r", "m", (Text("no"),), Stop("refusal"), usage=Usage(1, 1), dialect="anthropic")))
    with client(collected(OPENAI, filtered)) as sdk, pytest.raises(openai.ContentFilterFinishReasonError):
        sdk.chat.completions.parse(model="m", messages=USER, response_format=Answer)
