"""The official SDKs, pointed at FakeProvider, understand all it says."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import ClassVar

import anthropic
import openai
import pytest
from google import genai
from google.genai import errors, types
from pydantic import BaseModel

from ccproxy.testing import (
    Cut,
    FakeProvider,
    Script,
    Text,
    Thinking,
    ToolCall,
    Usage,
    cr,
    crlf,
    error_in_stream,
    native_error,
    one_byte,
    split_utf8,
    sse,
    with_comments,
)

TEXT = "Hello from the fake provider."
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
RICH = Script(
    "m",
    [Thinking("Let me see. 🤔"), Text("Grüße!"), ToolCall("weather", '{"city": "Köln"}')],
    Usage(input=100, output=30, cache_read=40, reasoning=5),
    stop="tool_use",
)


@pytest.fixture
async def provider() -> AsyncIterator[FakeProvider]:
    async with FakeProvider() as running:
        yield running


@asynccontextmanager
async def claude(provider: FakeProvider) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(base_url=provider.url, api_key="dummy", max_retries=0) as client:
        yield client


@asynccontextmanager
async def gpt(provider: FakeProvider) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{provider.url}/v1", api_key="dummy", max_retries=0) as client:
        yield client


@asynccontextmanager
async def gemini(provider: FakeProvider) -> AsyncIterator[genai.client.AsyncClient]:
    client = genai.Client(api_key="dummy", http_options=types.HttpOptions(base_url=provider.url))
    async with client.aio as running:
        yield running
    client.close()


HI = [{"role": "user", "content": "hi"}]


class TestAnthropic:
    TOOLS: ClassVar = [{"name": "weather", "input_schema": SCHEMA}]

    async def test_buffered_and_streamed(self, provider: FakeProvider) -> None:
        async with claude(provider) as client:
            message = await client.messages.create(model="m", max_tokens=100, messages=HI)
            async with client.messages.stream(model="m", max_tokens=100, messages=HI) as stream:
                pieces = [text async for text in stream.text_stream]
                streamed = await stream.get_final_message()

        assert message.content[0].text == streamed.content[0].text == TEXT
        assert message.stop_reason == streamed.stop_reason == "end_turn"
        assert message.usage.output_tokens == streamed.usage.output_tokens == 5
        assert pieces == ["Hello", " from", " the", " fake", " provider."]

    @pytest.mark.parametrize("streamed", [False, True])
    async def test_a_tool_round_trip(self, provider: FakeProvider, streamed: bool) -> None:
        async def ask(client: anthropic.AsyncAnthropic, messages: list) -> anthropic.types.Message:
            options = {"model": "m", "max_tokens": 100, "tools": self.TOOLS, "messages": messages}
            if not streamed:
                return await client.messages.create(**options)
            async with client.messages.stream(**options) as stream:
                return await stream.get_final_message()

        async with claude(provider) as client:
            first = await ask(client, HI)
            call = first.content[0]
            result = {"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}
            second = await ask(
                client,
                [*HI, {"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}],
            )

        assert (first.stop_reason, call.name, call.input) == ("tool_use", "weather", {"city": "Paris"})
        assert (second.stop_reason, second.content[0].text) == ("end_turn", TEXT)

    async def test_everything_at_once(self, provider: FakeProvider) -> None:
        provider.reply(RICH, RICH)
        async with claude(provider) as client:
            message = await client.messages.create(model="m", max_tokens=100, messages=HI)
            async with client.messages.stream(model="m", max_tokens=100, messages=HI) as stream:
                streamed = await stream.get_final_message()

        assert message.to_dict()["content"] == streamed.to_dict()["content"]
        thinking, text, call = message.content
        assert (thinking.thinking, text.text, call.input) == ("Let me see. 🤔", "Grüße!", {"city": "Köln"})
        for usage in (message.usage, streamed.usage):
            assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (60, 40, 30)

    async def test_counting_and_listing(self, provider: FakeProvider) -> None:
        async with claude(provider) as client:
            assert (await client.messages.count_tokens(model="m", messages=HI)).input_tokens > 0
            assert [model.id async for model in client.models.list()] == ["fake-1"]
            assert (await client.models.retrieve("any")).id == "any"

    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            (400, anthropic.BadRequestError),
            (401, anthropic.AuthenticationError),
            (403, anthropic.PermissionDeniedError),
            (404, anthropic.NotFoundError),
            (413, anthropic.APIStatusError),
            (429, anthropic.RateLimitError),
            (500, anthropic.InternalServerError),
            (529, anthropic.APIStatusError),
        ],
    )
    async def test_errors(self, provider: FakeProvider, status: int, kind: type[anthropic.APIStatusError]) -> None:
        provider.reply(native_error("anthropic", status, "no way"))
        async with claude(provider) as client:
            with pytest.raises(kind) as raised:
                await client.messages.create(model="m", max_tokens=100, messages=HI)

        assert raised.value.status_code == status
        assert raised.value.request_id
        assert "no way" in str(raised.value)

    async def test_an_error_in_the_stream(self, provider: FakeProvider) -> None:
        provider.reply(
            lambda request: sse([provider.write(request, RICH).pieces[0], error_in_stream("anthropic", 529)])
        )
        async with claude(provider) as client:
            with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
                async with client.messages.stream(model="m", max_tokens=100, messages=HI) as stream:
                    await stream.get_final_message()

    @pytest.mark.parametrize("odd", [crlf, cr, with_comments, one_byte, split_utf8])
    async def test_odd_framing_makes_no_difference(self, provider: FakeProvider, odd) -> None:
        provider.reply(lambda request: sse(odd(provider.write(request, RICH).pieces)))
        async with claude(provider) as client, client.messages.stream(model="m", max_tokens=9, messages=HI) as stream:
            assert (await stream.get_final_message()).content[1].text == "Grüße!"


class TestChat:
    TOOLS: ClassVar = [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}]

    async def test_buffered_and_streamed(self, provider: FakeProvider) -> None:
        async with gpt(provider) as client:
            completion = await client.chat.completions.create(model="m", messages=HI)
            async with client.chat.completions.stream(
                model="m", messages=HI, stream_options={"include_usage": True}
            ) as stream:
                streamed = await stream.get_final_completion()

        for each in (completion, streamed):
            assert each.choices[0].message.content == TEXT
            assert each.choices[0].finish_reason == "stop"
            assert each.usage.completion_tokens == 5

    @pytest.mark.parametrize("streamed", [False, True])
    async def test_a_tool_round_trip(self, provider: FakeProvider, streamed: bool) -> None:
        async def ask(client: openai.AsyncOpenAI, messages: list) -> openai.types.chat.ChatCompletion:
            options = {"model": "m", "tools": self.TOOLS, "messages": messages}
            if not streamed:
                return await client.chat.completions.create(**options)
            async with client.chat.completions.stream(**options) as stream:
                return await stream.get_final_completion()

        async with gpt(provider) as client:
            first = await ask(client, HI)
            call = first.choices[0].message.tool_calls[0]
            assistant = first.choices[0].message.to_dict()
            result = {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
            second = await ask(client, [*HI, assistant, result])

        assert first.choices[0].finish_reason == "tool_calls"
        assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {"city": "Paris"})
        assert second.choices[0].message.content == TEXT

    async def test_structured_output(self, provider: FakeProvider) -> None:
        class Place(BaseModel):
            city: str
            people: int

        async with gpt(provider) as client:
            completion = await client.chat.completions.parse(model="m", messages=HI, response_format=Place)

        assert completion.choices[0].message.parsed == Place(city="Paris", people=1)

    async def test_everything_at_once(self, provider: FakeProvider) -> None:
        provider.reply(RICH)
        async with gpt(provider) as client, client.chat.completions.stream(model="m", messages=HI) as stream:
            message = (await stream.get_final_completion()).choices[0].message

        assert (message.content, message.tool_calls[0].function.arguments) == ("Grüße!", '{"city": "Köln"}')

    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            (400, openai.BadRequestError),
            (401, openai.AuthenticationError),
            (403, openai.PermissionDeniedError),
            (404, openai.NotFoundError),
            (413, openai.APIStatusError),
            (429, openai.RateLimitError),
            (500, openai.InternalServerError),
            (503, openai.InternalServerError),
        ],
    )
    async def test_errors(self, provider: FakeProvider, status: int, kind: type[openai.APIStatusError]) -> None:
        provider.reply(native_error("openai", status, "no way", kind="because"))
        async with gpt(provider) as client:
            with pytest.raises(kind) as raised:
                await client.chat.completions.create(model="m", messages=HI)

        assert (raised.value.status_code, raised.value.code) == (status, "because")
        assert raised.value.request_id

    async def test_an_error_in_the_stream(self, provider: FakeProvider) -> None:
        provider.reply(sse([error_in_stream("openai", 500, "broken")]))
        async with gpt(provider) as client:
            with pytest.raises(openai.APIError, match="broken"):
                async for _ in await client.chat.completions.create(model="m", messages=HI, stream=True):
                    pass

    async def test_a_cut_stream_is_an_error(self, provider: FakeProvider) -> None:
        provider.reply(lambda request: sse([*provider.write(request, RICH).pieces[:3], Cut()]))
        async with gpt(provider) as client:
            with pytest.raises(openai.APIConnectionError):
                async for _ in await client.chat.completions.create(model="m", messages=HI, stream=True):
                    pass

    @pytest.mark.parametrize("encoding", ["gzip", "deflate", "br"])
    async def test_compressed_streams(self, provider: FakeProvider, encoding) -> None:
        provider.reply(lambda request: sse(provider.write(request, RICH).pieces, encoding=encoding))
        async with gpt(provider) as client, client.chat.completions.stream(model="m", messages=HI) as stream:
            assert (await stream.get_final_completion()).choices[0].message.content == "Grüße!"

    async def test_listing(self, provider: FakeProvider) -> None:
        async with gpt(provider) as client:
            assert [model.id async for model in client.models.list()] == ["fake-1"]
            assert (await client.models.retrieve("any")).id == "any"


class TestResponses:
    TOOLS: ClassVar = [{"type": "function", "name": "weather", "parameters": SCHEMA, "strict": True}]

    async def test_buffered_and_streamed(self, provider: FakeProvider) -> None:
        async with gpt(provider) as client:
            response = await client.responses.create(model="m", input="hi")
            async with client.responses.stream(model="m", input="hi") as stream:
                streamed = await stream.get_final_response()

        for each in (response, streamed):
            assert (each.output_text, each.status, each.usage.output_tokens) == (TEXT, "completed", 5)

    @pytest.mark.parametrize("streamed", [False, True])
    async def test_a_tool_round_trip(self, provider: FakeProvider, streamed: bool) -> None:
        async def ask(client: openai.AsyncOpenAI, items: list) -> openai.types.responses.Response:
            options = {"model": "m", "tools": self.TOOLS, "input": items}
            if not streamed:
                return await client.responses.create(**options)
            async with client.responses.stream(**options) as stream:
                return await stream.get_final_response()

        async with gpt(provider) as client:
            first = await ask(client, HI)
            call = first.output[0]
            said = {"type": "function_call", "call_id": call.call_id, "name": call.name, "arguments": call.arguments}
            second = await ask(
                client, [*HI, said, {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}]
            )

        assert (call.type, call.name, json.loads(call.arguments)) == ("function_call", "weather", {"city": "Paris"})
        assert second.output_text == TEXT

    async def test_everything_at_once(self, provider: FakeProvider) -> None:
        provider.reply(RICH)
        async with gpt(provider) as client, client.responses.stream(model="m", input="hi") as stream:
            reasoning, message, call = (await stream.get_final_response()).output

        assert (reasoning.summary[0].text, message.content[0].text) == ("Let me see. 🤔", "Grüße!")
        assert call.arguments == '{"city": "Köln"}'

    async def test_counting(self, provider: FakeProvider) -> None:
        async with gpt(provider) as client:
            assert (await client.responses.input_tokens.count(model="m", input="hi")).input_tokens > 0

    async def test_errors(self, provider: FakeProvider) -> None:
        provider.reply(native_error("openai_responses", 429, "slow down", retry_after=1))
        async with gpt(provider) as client:
            with pytest.raises(openai.RateLimitError, match="slow down") as raised:
                await client.responses.create(model="m", input="hi")

        assert raised.value.response.headers["retry-after"] == "1"

    async def test_an_error_in_the_stream_is_an_event(self, provider: FakeProvider) -> None:
        provider.reply(sse([error_in_stream("openai_responses", 500, "broken")]))
        async with gpt(provider) as client:
            events = [event async for event in await client.responses.create(model="m", input="hi", stream=True)]

        assert [(event.type, event.message) for event in events] == [("error", "broken")]


# The SDK's own business with aiohttp.
@pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")
class TestGemini:
    TOOLS = types.GenerateContentConfig(
        tools=[
            types.Tool(function_declarations=[types.FunctionDeclaration(name="weather", parameters_json_schema=SCHEMA)])
        ]
    )

    async def test_buffered_and_streamed(self, provider: FakeProvider) -> None:
        async with gemini(provider) as client:
            response = await client.models.generate_content(model="m", contents="hi")
            events = [event async for event in await client.models.generate_content_stream(model="m", contents="hi")]

        assert response.text == "".join(event.text for event in events) == TEXT
        assert response.candidates[0].finish_reason == events[-1].candidates[0].finish_reason
        assert response.usage_metadata.candidates_token_count == events[-1].usage_metadata.candidates_token_count == 5

    @pytest.mark.parametrize("streamed", [False, True])
    async def test_a_tool_round_trip(self, provider: FakeProvider, streamed: bool) -> None:
        async def ask(client: genai.client.AsyncClient, contents: list) -> types.GenerateContentResponse:
            options = {"model": "m", "contents": contents, "config": self.TOOLS}
            events: list[types.GenerateContentResponse] = []
            if not streamed:
                return await client.models.generate_content(**options)
            async for event in await client.models.generate_content_stream(**options):
                events.append(event)
            return events.pop(0)

        async with gemini(provider) as client:
            user = types.Content(role="user", parts=[types.Part(text="hi")])
            first = await ask(client, [user])
            call = first.function_calls[0]
            result = types.Part.from_function_response(name=call.name, response={"output": "sunny"})
            second = await ask(client, [user, first.candidates[0].content, types.Content(role="user", parts=[result])])

        assert (call.name, call.args) == ("weather", {"city": "Paris"})
        assert second.text == (TEXT if not streamed else "Hello")

    async def test_everything_at_once(self, provider: FakeProvider) -> None:
        provider.reply(RICH)
        async with gemini(provider) as client:
            response = await client.models.generate_content(model="m", contents="hi")

        thought, text, call = response.candidates[0].content.parts
        assert (thought.thought, thought.text, text.text) == (True, "Let me see. 🤔", "Grüße!")
        assert text.thought_signature == b"a signature made by a stand-in provider"
        assert call.function_call.args == {"city": "Köln"}
        usage = response.usage_metadata
        assert (usage.prompt_token_count, usage.cached_content_token_count) == (100, 40)
        assert (usage.candidates_token_count, usage.thoughts_token_count, usage.total_token_count) == (25, 5, 130)

    async def test_counting_and_listing(self, provider: FakeProvider) -> None:
        async with gemini(provider) as client:
            assert (await client.models.count_tokens(model="m", contents="hi")).total_tokens > 0
            assert [model.name async for model in await client.models.list()] == ["models/fake-1"]
            assert (await client.models.get(model="any")).name == "models/any"

    @pytest.mark.parametrize(
        ("status", "kind", "word"),
        [
            (400, errors.ClientError, "INVALID_ARGUMENT"),
            (403, errors.ClientError, "PERMISSION_DENIED"),
            (404, errors.ClientError, "NOT_FOUND"),
            (429, errors.ClientError, "RESOURCE_EXHAUSTED"),
            (500, errors.ServerError, "INTERNAL"),
            (503, errors.ServerError, "UNAVAILABLE"),
        ],
    )
    async def test_errors(self, provider: FakeProvider, status: int, kind: type[errors.APIError], word: str) -> None:
        provider.on("/", native_error("gemini", status, "no way"))
        async with gemini(provider) as client:
            with pytest.raises(kind) as raised:
                await client.models.generate_content(model="m", contents="hi")
            with pytest.raises(kind):
                async for _ in await client.models.generate_content_stream(model="m", contents="hi"):
                    pass

        assert (raised.value.code, raised.value.status, raised.value.message) == (status, word, "no way")

    async def test_an_error_in_the_stream(self, provider: FakeProvider) -> None:
        provider.reply(sse([error_in_stream("gemini", 503)]))
        async with gemini(provider) as client:
            with pytest.raises(errors.ServerError):
                async for _ in await client.models.generate_content_stream(model="m", contents="hi"):
                    pass


def test_the_blocking_clients_work_too() -> None:
    with FakeProvider.in_thread() as provider:
        with anthropic.Anthropic(base_url=provider.url, api_key="dummy") as client:
            assert client.messages.create(model="m", max_tokens=100, messages=HI).content[0].text == TEXT
        with openai.OpenAI(base_url=f"{provider.url}/v1", api_key="dummy") as client:
            assert client.responses.create(model="m", input="hi").output_text == TEXT
        with genai.Client(api_key="dummy", http_options=types.HttpOptions(base_url=provider.url)) as client:
            assert client.models.generate_content(model="m", contents="hi").text == TEXT
