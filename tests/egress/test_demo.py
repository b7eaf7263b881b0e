"""The demo provider's transport, by its own interface and through the official SDKs."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from http import HTTPStatus

import anthropic
import openai
import pytest
import zstandard
from google import genai
from google.genai import types

from ccproxy.egress.demo import DemoTransport
from ccproxy.egress.transport import Transport, UpstreamRequest, UpstreamResponse
from ccproxy.exchange.http import Headers
from ccproxy.testing import FakeProvider, Received, Reply
from ccproxy.util.clock import FakeClock

HI = [{"role": "user", "content": "Hello, demo"}]
SAID = "You said: Hello, demo. I am ccproxy's demo provider, no model was asked."
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


class Naps:
    """Sleeps that take no time and are counted."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.taken.append(seconds)


def demo(naps: Naps | None = None) -> DemoTransport:
    return DemoTransport(sleep=(naps or Naps()).sleep, clock=FakeClock(wall=1_800_000_000.0))


def request(
    method: str, target: bytes, body: object = None, headers: list[tuple[bytes, bytes]] | None = None
) -> UpstreamRequest:
    data = body if body is None or isinstance(body, bytes) or hasattr(body, "__aiter__") else json.dumps(body).encode()
    return UpstreamRequest(method, "https", "demo.invalid", 443, target, Headers(headers or []), data)  # type: ignore[arg-type]


async def whole(response: UpstreamResponse) -> bytes:
    return b"".join([chunk async for chunk in response.chunks()])


async def ask(target: bytes, body: object) -> dict:
    response = await demo().send(request("POST", target, body))
    assert response.status == HTTPStatus.OK
    return json.loads(await whole(response))


@pytest.fixture
async def bridge() -> AsyncIterator[FakeProvider]:
    """The demo transport behind a real socket, for the SDKs."""
    transport = demo()

    async def answer(received: Received) -> Reply:
        response = await transport.send(
            UpstreamRequest(
                received.method, "https", "demo.invalid", 443, received.target, received.headers, received.body or None
            )
        )
        fields = [pair for pair in response.headers if pair[0] != b"content-length"]
        return Reply(response.status, fields, [chunk async for chunk in response.chunks()])

    async with FakeProvider() as provider:
        provider.on("/", answer)
        yield provider


async def test_it_is_a_transport() -> None:
    transport: Transport = demo()

    await transport.close()


@pytest.mark.parametrize(
    ("target", "body", "where"),
    [
        (b"/v1/messages", {"messages": HI}, "content.0.text"),
        (b"/v1/chat/completions", {"messages": HI}, "choices.0.message.content"),
        (b"/v1/responses", {"input": HI}, "output.0.content.0.text"),
        (
            b"/v1/models/any:generateContent",
            {"contents": [{"parts": [{"text": "Hello, demo"}]}]},
            "candidates.0.content.parts.0.text",
        ),
        (
            b"/v1internal:generateContent",
            {"model": "any", "request": {"contents": [{"parts": [{"text": "Hello, demo"}]}]}},
            "response.candidates.0.content.parts.0.text",
        ),
    ],
)
async def test_it_says_what_it_heard_and_what_it_is(target: bytes, body: dict, where: str) -> None:
    value: object = await ask(target, {"model": "any"} | body)

    for step in where.split("."):
        value = value[int(step) if step.isdigit() else step]  # type: ignore[index]
    assert value == SAID


async def test_documents_have_a_length_and_streams_have_none() -> None:
    document = await demo().send(request("POST", b"/v1/messages", {"messages": HI}))
    stream = await demo().send(request("POST", b"/v1/messages", {"messages": HI, "stream": True}))

    assert document.headers.text(b"content-length") == str(len(await whole(document)))
    assert stream.headers.text(b"content-type") == "text/event-stream"
    assert b"content-length" not in stream.headers
    assert (document.reason, document.http_version) == ("OK", "1.1")


async def test_a_stream_comes_piece_by_piece_with_pauses_between() -> None:
    naps = Naps()
    response = await demo(naps).send(request("POST", b"/v1/chat/completions", {"messages": HI, "stream": True}))

    chunks = [chunk async for chunk in response.chunks()]

    assert b'"content":" said:"' in chunks[2]
    assert naps.taken == [0.02] * (len(chunks) - 1)


async def test_a_document_comes_at_once() -> None:
    naps = Naps()
    await whole(await demo(naps).send(request("POST", b"/v1/chat/completions", {"messages": HI})))

    assert naps.taken == []


async def test_a_stream_that_is_let_go_ends() -> None:
    response = await demo().send(request("POST", b"/v1/messages", {"messages": HI, "stream": True}))
    chunks = []

    async for chunk in response.chunks():
        chunks.append(chunk)
        await response.close()
        await response.close()

    assert len(chunks) == 1


async def test_answers_are_dated_by_the_clock() -> None:
    assert (await ask(b"/v1/chat/completions", {"messages": HI}))["created"] == 1_800_000_000


async def test_a_tool_is_used_again_with_each_new_question() -> None:
    tools = [{"name": "weather", "input_schema": SCHEMA}]
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "Sunny in Paris"}]}
    spoke = {"role": "assistant", "content": "It is sunny."}
    first = await ask(b"/v1/messages", {"messages": HI, "tools": tools})
    second = await ask(b"/v1/messages", {"messages": [*HI, result], "tools": tools})
    third = await ask(b"/v1/messages", {"messages": [*HI, result, spoke, *HI], "tools": tools})

    assert first["content"][0] | {"id": ""} == {
        "type": "tool_use",
        "id": "",
        "name": "weather",
        "input": {"city": "Paris"},
    }
    assert second["content"][0]["text"].startswith("The tool said: Sunny in Paris.")
    assert third["stop_reason"] == "tool_use"
    assert first["content"][0]["id"] != third["content"][0]["id"]


async def test_limits_are_honoured() -> None:
    short = await ask(b"/v1/messages", {"messages": HI, "max_tokens": 3})
    stopped = await ask(b"/v1/messages", {"messages": HI, "stop_sequences": ["demo"]})

    assert (short["content"][0]["text"], short["stop_reason"], short["usage"]["output_tokens"]) == (
        "You said: Hello,",
        "max_tokens",
        3,
    )
    assert (stopped["content"][0]["text"], stopped["stop_sequence"]) == ("You said: Hello, ", "demo")


async def test_usage_grows_with_the_request() -> None:
    small = await ask(b"/v1/messages", {"messages": HI})
    large = await ask(b"/v1/messages", {"messages": [{"role": "user", "content": "word " * 1000}]})

    assert 0 < small["usage"]["input_tokens"] < 100 < large["usage"]["input_tokens"]
    assert len(large["content"][0]["text"]) < 400


async def test_what_agents_add_in_tags_is_not_repeated() -> None:
    text = "<system-reminder>\nUse <b>.\n</system-reminder>\nHello, demo"
    answer = await ask(b"/v1/messages", {"messages": [{"role": "user", "content": text}]})
    only = await ask(b"/v1/messages", {"messages": [{"role": "user", "content": "<a>b</a>"}]})

    assert answer["content"][0]["text"] == SAID
    assert only["content"][0]["text"].startswith("You said: <a>b</a>.")


async def test_nothing_said() -> None:
    answer = await ask(b"/v1/messages", {"messages": []})

    assert answer["content"][0]["text"].startswith("You said nothing.")


async def test_bodies_may_be_streamed_or_encoded() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b'{"messages": [{"role": "user", '
        yield b'"content": "Hello, demo"}]}'

    streamed = await demo().send(request("POST", b"/v1/messages", pieces()))
    encoded = await demo().send(
        request(
            "POST",
            b"/v1/messages",
            zstandard.compress(json.dumps({"messages": HI}).encode()),
            [(b"Content-Encoding", b"zstd")],
        )
    )

    for response in (streamed, encoded):
        assert json.loads(await whole(response))["content"][0]["text"] == SAID


@pytest.mark.parametrize(
    ("sent", "status", "kind"),
    [
        (request("POST", b"/v1/messages", b"{not json"), 400, "invalid_request_error"),
        (request("POST", b"/v1/messages", b"[]"), 400, "invalid_request_error"),
        (request("POST", b"/v1/messages", b"plain", [(b"content-encoding", b"gzip")]), 400, "invalid_request_error"),
        (request("POST", b"/v1/messages", None), 400, "invalid_request_error"),
        (request("POST", b"/v1/messages/batches", {}), 404, "not_found_error"),
        (request("DELETE", b"/v1/messages", None), 404, "not_found_error"),
    ],
)
async def test_errors_are_native(sent: UpstreamRequest, status: int, kind: str) -> None:
    response = await demo().send(sent)

    assert response.status == status
    assert json.loads(await whole(response))["error"]["type"] == kind


async def test_websockets_are_sent_to_http() -> None:
    refused = await demo().open_socket(request("GET", b"/v1/responses"), [], max_message=1024)

    assert refused.status == 426  # type: ignore[union-attr]
    assert b"HTTP" in await whole(refused)  # type: ignore[arg-type]


async def test_a_head_request_has_no_body() -> None:
    response = await demo().send(request("HEAD", b"/v1/models"))

    assert (response.status, await whole(response)) == (200, b"")
    assert int(response.headers.text(b"content-length")) > 0


async def test_the_anthropic_sdk(bridge: FakeProvider) -> None:
    async with anthropic.AsyncAnthropic(base_url=bridge.url, api_key="dummy", max_retries=0) as client:
        message = await client.messages.create(model="any", max_tokens=100, messages=HI)
        async with client.messages.stream(model="any", max_tokens=100, messages=HI) as stream:
            streamed = await stream.get_final_message()
        models = [model.id async for model in client.models.list()]
        counted = await client.messages.count_tokens(model="any", messages=HI)
        with pytest.raises(anthropic.NotFoundError):
            await client.messages.batches.list()

    assert message.content[0].text == streamed.content[0].text == SAID
    assert message.model == "any"
    assert models == ["demo-1"]
    assert counted.input_tokens > 0


async def test_the_openai_sdk(bridge: FakeProvider) -> None:
    async with openai.AsyncOpenAI(base_url=f"{bridge.url}/v1", api_key="dummy", max_retries=0) as client:
        completion = await client.chat.completions.create(model="any", messages=HI)
        async with client.chat.completions.stream(
            model="any", messages=HI, stream_options={"include_usage": True}
        ) as chat_stream:
            streamed = await chat_stream.get_final_completion()
        response = await client.responses.create(model="any", input="Hello, demo")
        async with client.responses.stream(model="any", input="Hello, demo") as response_stream:
            streamed_response = await response_stream.get_final_response()
        with pytest.raises(openai.NotFoundError):
            await client.embeddings.create(model="any", input="x")

    assert completion.choices[0].message.content == streamed.choices[0].message.content == SAID
    assert streamed.usage.completion_tokens == completion.usage.completion_tokens > 0
    assert response.output_text == streamed_response.output_text == SAID


# The SDK's own business with aiohttp.
@pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")
async def test_the_google_sdk(bridge: FakeProvider) -> None:
    client = genai.Client(api_key="dummy", http_options=types.HttpOptions(base_url=bridge.url))
    async with client.aio as running:
        response = await running.models.generate_content(model="any", contents="Hello, demo")
        events = [
            event async for event in await running.models.generate_content_stream(model="any", contents="Hello, demo")
        ]
        models = [model.name async for model in await running.models.list()]
    client.close()

    assert response.text == "".join(event.text for event in events) == SAID
    assert events[-1].usage_metadata.candidates_token_count > 0
    assert models == ["models/demo-1"]
