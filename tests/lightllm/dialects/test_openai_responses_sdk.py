"""The official SDK is the judge: it reads every answer we write, and its types accept every request."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import openai
import pytest
from hypothesis import given, settings
from openai import OpenAI
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types import Model as SdkModel
from openai.types.responses import Response as SdkResponse
from openai.types.responses import ResponseStreamEvent
from openai.types.responses.input_token_count_params import InputTokenCountParams
from openai.types.responses.input_token_count_response import InputTokenCountResponse
from pydantic import TypeAdapter

from ccproxy.errors import Untranslatable
from ccproxy.lightllm.dialect import ModelInfo, Target
from ccproxy.lightllm.errors import ErrorInfo
from ccproxy.lightllm.ir.events import Event, Failed, PartStart, Start, Stop, TextDelta
from ccproxy.lightllm.ir.parts import Citation, Image, Refusal, Signature, Source, Text, Thinking, ToolCall
from ccproxy.lightllm.ir.request import Request
from ccproxy.lightllm.ir.response import Response, unfold
from ccproxy.lightllm.ir.usage import Usage

from ..kit import REGISTRY, Case, cases, checked, collected, decode_stream, encode_frames, encode_stream, essence
from ..oracles.providers import with_ids
from ..strategies import responses
from ..test_cases import ids, request_of

RESPONSES = REGISTRY.get("openai_responses")
EVENT: TypeAdapter[ResponseStreamEvent] = TypeAdapter(ResponseStreamEvent)
COUNTED = TypeAdapter(InputTokenCountParams)

#: Cases of servers that leave out what the SDK's types demand; what they say is passed on as it is.
LOOSE = ("sparse", "codex-backend", "web-search", "server-tools")


def read(events: list[Event], request: Request | None = None) -> SdkResponse:
    """What the SDK makes of the answer, buffered and streamed, which must be the same."""
    buffered = SdkResponse.model_validate_json(collected(RESPONSES, events, request), strict=True)
    state: ResponseStreamState[None] = ResponseStreamState(input_tools=openai.omit, text_format=openai.omit)
    last: Any = None
    frames = [frame for frame in encode_frames(RESPONSES, events, request) if frame.data is not None]
    for number, frame in enumerate(frames):
        assert frame.name == frame.data["type"]
        assert frame.data["sequence_number"] == number
        last = EVENT.validate_json(json.dumps(frame.data), strict=True)
        state.handle_event(last)
    assert last.type == f"response.{buffered.status}"
    assert last.response.to_dict() == buffered.to_dict()
    # What the deltas add up to is what the final response says.
    snapshot = state._ResponseStreamState__current_snapshot  # type: ignore[attr-defined]
    for grown, final in zip(snapshot.output, buffered.output, strict=True):
        assert grown.type == final.type
        assert getattr(grown, "id", None) == getattr(final, "id", None)
        assert getattr(grown, "arguments", None) == getattr(final, "arguments", None)
        if final.type == "message":
            assert [getattr(part, "text", None) for part in grown.content] == [
                getattr(part, "text", None) for part in final.content
            ]
    return buffered


@settings(deadline=None, max_examples=40)
@given(responses())
def test_the_sdk_reads_any_answer(response: Response) -> None:
    read_response = read(list(unfold(response)))
    expected = essence(response)
    assert read_response.output_text == expected["text"]
    calls = [
        (item.call_id, item.name, json.loads(item.arguments))
        for item in read_response.output
        if item.type == "function_call"
    ]
    assert calls == expected["calls"]
    assert read_response.usage is not None
    assert read_response.usage.output_tokens == expected["output"]


def test_the_sdk_reads_everything_other_dialects_can_say() -> None:
    signature = Signature("c2ln", "gemini")
    answer = Response(
        "msg_1",
        "claude",
        (
            Thinking("because", signature),
            Thinking("", signature, "redacted"),
            Text("see", (Citation("https://e.com", "E", "w"),)),
            Text(" this"),
            Refusal("no"),
            ToolCall("call_1", "f", "", signature=signature),
            ToolCall("call_2", "patch", "*** Begin", "custom"),
            ToolCall("call_3", "find", '{"a": [1, {"b": null}]}', namespace="crm"),
            Image(Source("base64", "iVBORw0KGgo=", "image/png")),
        ),
        Stop("tool_use"),
        usage=Usage(10, 5, 3, 2, 1),
        dialect="anthropic",
    )
    response = read(list(unfold(answer)))
    assert [item.type for item in response.output] == [
        "reasoning",
        "reasoning",
        "message",
        "reasoning",
        "function_call",
        "custom_tool_call",
        "function_call",
        "image_generation_call",
    ]
    assert response.output_text == "see this"
    assert response.usage is not None
    assert response.usage.input_tokens_details.cached_tokens == 3
    assert response.usage.output_tokens_details.reasoning_tokens == 1


@pytest.mark.parametrize("case", cases("stream.txt"), ids=ids)
def test_the_sdk_reads_the_answers_of_every_provider(case: Case) -> None:
    events = decode_stream(case.dialect, [case.read("stream.txt")])
    if checked(events).error is None and case.path.name not in LOOSE:
        read(events)


@pytest.mark.parametrize("case", cases("request.json"), ids=ids)
def test_the_sdk_reads_what_an_answer_repeats_of_the_request(case: Case) -> None:
    if case.dialect is not RESPONSES:
        return
    request = request_of(case)
    answer = Response("r", "m", (Text("x"),), Stop("end"), usage=Usage(1, 1), dialect="anthropic")
    read(list(unfold(answer)), request)


@pytest.mark.parametrize("case", cases("request.json"), ids=ids)
def test_the_sdks_types_accept_every_converted_count(case: Case) -> None:
    if case.dialect is RESPONSES:
        return
    try:
        encoded = RESPONSES.encode_request(request_of(case), Target(model="gpt"), operation="count_tokens")
    except Untranslatable:
        return
    COUNTED.validate_python(with_ids(json.loads(encoded.body)), extra="forbid")


# The whole client, with our bytes for a server


def client(body: bytes, status: int = 200, content_type: str = "application/json") -> OpenAI:
    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(status, headers={"content-type": content_type}, content=body)

    return OpenAI(
        api_key="sk-test",
        base_url="http://127.0.0.1:1/v1",
        max_retries=0,
        http_client=httpx2.Client(transport=httpx2.MockTransport(answer)),
    )


ANSWER = Response(
    "r",
    "m",
    (Thinking("hm"), Text('{"n": 1}'), ToolCall("c", "f", '{"x": 1}')),
    Stop("tool_use"),
    usage=Usage(2, 3),
    dialect="anthropic",
)


def failing() -> Iterator[Event]:
    yield Start("r", "m")
    yield PartStart(0, Text(""))
    yield TextDelta("half")
    yield Failed(ErrorInfo("overloaded", "too many people", 529))


def test_the_client_streams_an_answer() -> None:
    sse = encode_stream(RESPONSES, list(unfold(ANSWER)))
    with (
        client(sse, content_type="text/event-stream") as openai_client,
        openai_client.responses.stream(model="m", input="hi") as stream,
    ):
        deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()
    assert deltas == ['{"n": 1}']
    assert final.output_text == '{"n": 1}'
    assert [item.type for item in final.output] == ["reasoning", "message", "function_call"]


def test_the_client_raises_at_a_failure_in_a_stream() -> None:
    sse = encode_stream(RESPONSES, failing())
    with (
        client(sse, content_type="text/event-stream") as openai_client,
        pytest.raises(openai.APIError, match="too many people"),
    ):
        for _ in openai_client.responses.create(model="m", input="hi", stream=True):
            pass


@pytest.mark.parametrize(
    ("kind", "raised"),
    [
        ("authentication", openai.AuthenticationError),
        ("permission", openai.PermissionDeniedError),
        ("not_found", openai.NotFoundError),
        ("rate_limit", openai.RateLimitError),
        ("invalid_request", openai.BadRequestError),
        ("overloaded", openai.InternalServerError),
    ],
)
def test_the_client_knows_our_errors(kind: Any, raised: type[openai.APIStatusError]) -> None:
    status, body = RESPONSES.encode_error(ErrorInfo(kind, "why not"))
    with client(body, status) as openai_client, pytest.raises(raised, match="why not"):
        openai_client.responses.create(model="m", input="hi")


def test_the_client_reads_models_and_counts() -> None:
    assert RESPONSES.encode_models is not None
    assert RESPONSES.encode_model is not None
    assert RESPONSES.encode_count is not None
    models = RESPONSES.encode_models([ModelInfo("m", created=1_700_000_000, owner="anthropic"), ModelInfo("n")])
    with client(models) as openai_client:
        assert [(model.id, model.owned_by) for model in openai_client.models.list()] == [
            ("m", "anthropic"),
            ("n", "unknown"),
        ]
    SdkModel.model_validate_json(RESPONSES.encode_model(ModelInfo("m")), strict=True)
    InputTokenCountResponse.model_validate_json(RESPONSES.encode_count(3), strict=True)
