"""The official SDKs work through the gateway: buffered and streaming, text and tools, with their own keys and with
sentinel keys, against the demo provider and against providers of every dialect."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anthropic
import openai
import pytest
from google import genai
from google.genai import errors as genai_errors
from google.genai import types as genai_types
from rig import Rig, rig

from ccproxy.providers.config import ProviderConfig
from ccproxy.testing import CodeAssist, FakeProvider, native_error

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")

#: Whose key the client has: its own, or a sentinel for one of these providers. The SDK's own dialect is relayed, the
#: others are converted: every client dialect meets every upstream dialect.
KEYS = ["own", "demo", "anthropic", "openai", "responses", "gemini", "assist", "vertex_claude", "vertex_ai"]
#: Of these the providers that want their dialect in a form of their own.
FORMS = {
    "assist": {"type": "code_assist"},
    "vertex_claude": {"type": "vertex_claude", "project": "p", "location": "eu"},
    "vertex_ai": {"type": "vertex_ai", "project": "p", "location": "global"},
}

PROMPT = "Say hello."


def credential(kind: str) -> str:
    return "sk-own-0123456789" if kind == "own" else f"sk-ant-oat-ccproxy-{kind}"


@asynccontextmanager
async def through(kind: str) -> AsyncIterator[Rig]:
    async with FakeProvider() as fake:
        CodeAssist(fake)
        types = {name: ProviderConfig(base_url=fake.url, **config) for name, config in FORMS.items()}  # type: ignore[arg-type]
        async with rig(types=types) as r:
            yield r
            requests = [*fake.requests, *r.provider.requests]
            assert bool(requests) is (kind != "demo")
            assert all(b"ccproxy" not in request.raw for request in requests)


@pytest.mark.parametrize("kind", KEYS)
async def test_anthropic(kind: str) -> None:
    async with (
        through(kind) as r,
        anthropic.AsyncAnthropic(base_url=r.url, api_key=credential(kind), max_retries=0) as client,
    ):
        ask = {"model": "claude-x", "max_tokens": 100, "messages": [{"role": "user", "content": PROMPT}]}
        message = await client.messages.create(**ask)  # type: ignore[arg-type]
        assert message.stop_reason == "end_turn"
        assert message.usage.output_tokens > 0
        async with client.messages.stream(**ask) as stream:  # type: ignore[arg-type]
            text = "".join([piece async for piece in stream.text_stream])
            final = await stream.get_final_message()
        assert text == final.content[0].text  # type: ignore[union-attr]
        tool = {"name": "clock", "input_schema": {"type": "object", "properties": {"zone": {"type": "string"}}}}
        used = await client.messages.create(**ask, tools=[tool])  # type: ignore[arg-type]
        assert used.stop_reason == "tool_use"
        counted = await client.messages.count_tokens(model="claude-x", messages=[{"role": "user", "content": PROMPT}])
        assert counted.input_tokens > 0


@pytest.mark.parametrize("kind", KEYS)
async def test_openai_chat(kind: str) -> None:
    async with (
        through(kind) as r,
        openai.AsyncOpenAI(base_url=f"{r.url}/v1", api_key=credential(kind), max_retries=0) as client,
    ):
        ask = {"model": "gpt-x", "messages": [{"role": "user", "content": PROMPT}]}
        completion = await client.chat.completions.create(**ask)  # type: ignore[call-overload]
        assert completion.choices[0].finish_reason == "stop"
        assert completion.usage.total_tokens > 0
        chunks = await client.chat.completions.create(**ask, stream=True, stream_options={"include_usage": True})  # type: ignore[call-overload]
        seen = [chunk async for chunk in chunks]
        text = "".join(choice.delta.content or "" for chunk in seen for choice in chunk.choices)
        assert text
        assert seen[-1].usage.total_tokens > 0
        tool = {"type": "function", "function": {"name": "clock", "parameters": {"type": "object", "properties": {}}}}
        used = await client.chat.completions.create(**ask, tools=[tool])  # type: ignore[call-overload]
        assert used.choices[0].message.tool_calls[0].function.name == "clock"


@pytest.mark.parametrize("kind", KEYS)
async def test_openai_responses(kind: str) -> None:
    async with (
        through(kind) as r,
        openai.AsyncOpenAI(base_url=f"{r.url}/v1", api_key=credential(kind), max_retries=0) as client,
    ):
        response = await client.responses.create(model="gpt-x", input=PROMPT)
        assert response.status == "completed"
        assert response.output_text
        assert response.usage is not None
        async with client.responses.stream(model="gpt-x", input=PROMPT) as stream:
            kinds = [event.type async for event in stream]
            final = await stream.get_final_response()
        assert kinds[-1] == "response.completed"
        assert final.output_text


@pytest.mark.parametrize("kind", KEYS)
async def test_google_genai(kind: str) -> None:
    async with through(kind) as r:
        client = genai.Client(api_key=credential(kind), http_options=genai_types.HttpOptions(base_url=r.url))
        async with client.aio as models:
            answer = await models.models.generate_content(model="gemini-x", contents=PROMPT)
            assert answer.text
            assert answer.usage_metadata is not None
            pieces = [
                piece async for piece in await models.models.generate_content_stream(model="gemini-x", contents=PROMPT)
            ]
            assert "".join(piece.text or "" for piece in pieces)
            counted = await models.models.count_tokens(model="gemini-x", contents=PROMPT)
            assert counted.total_tokens
        client.close()


async def test_provider_errors_raise_the_sdks_own_exceptions() -> None:
    async with rig() as r:
        r.provider.on("/v1/messages", native_error("anthropic", 529, "busy"))
        r.provider.on("/v1/chat/completions", native_error("openai", 429, "slow down"))
        async with anthropic.AsyncAnthropic(base_url=r.url, api_key="own", max_retries=0) as client:
            with pytest.raises(anthropic.InternalServerError) as overloaded:
                await client.messages.create(model="m", max_tokens=1, messages=[])
            assert overloaded.value.status_code == 529
        async with openai.AsyncOpenAI(base_url=f"{r.url}/v1", api_key="own", max_retries=0) as chat:
            with pytest.raises(openai.RateLimitError):
                await chat.chat.completions.create(model="m", messages=[])


async def test_our_errors_raise_the_sdks_own_exceptions_and_are_not_retried() -> None:
    async with rig(defaults={"openai": None}) as r:
        async with anthropic.AsyncAnthropic(base_url=r.url, api_key="sk-ant-oat-ccproxy-nobody") as client:
            with pytest.raises(anthropic.AuthenticationError, match="nobody"):
                await client.messages.create(model="m", max_tokens=1, messages=[])
        async with openai.AsyncOpenAI(base_url=f"{r.url}/v1", api_key="own") as chat:
            with pytest.raises(openai.NotFoundError, match="default_upstreams"):
                await chat.chat.completions.create(model="m", messages=[])
        google = genai.Client(api_key="sk-ant-oat-ccproxy-nobody", http_options=genai_types.HttpOptions(base_url=r.url))
        async with google.aio as models:
            with pytest.raises(genai_errors.ClientError, match="nobody"):
                await models.models.generate_content(model="m", contents=PROMPT)
        google.close()
        assert len(r.store.flows) == 3
        assert r.provider.requests == []


@pytest.mark.parametrize("dialect", ["anthropic", "openai"])
async def test_a_stream_that_is_cut_raises(dialect: str) -> None:
    from ccproxy.testing import Cut, Reply, Send

    async with rig() as r:
        whole = r.provider
        if dialect == "anthropic":
            frames = [
                b'event: message_start\ndata: {"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}}\n\n'
            ]
        else:
            frames = [
                b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"hel"}}]}\n\n'
            ]
        whole.reply(Reply(headers=[("content-type", "text/event-stream")], body=[*map(Send, frames), Cut()]))
        if dialect == "anthropic":
            async with anthropic.AsyncAnthropic(base_url=r.url, api_key="own", max_retries=0) as client:
                with pytest.raises(anthropic.APIStatusError, match="middle of the answer"):
                    async with client.messages.stream(model="m", max_tokens=1, messages=[]) as stream:
                        await stream.get_final_message()
        else:
            async with openai.AsyncOpenAI(base_url=f"{r.url}/v1", api_key="own", max_retries=0) as chat:
                with pytest.raises(openai.APIError, match="middle of the answer"):
                    async for _ in await chat.chat.completions.create(model="m", messages=[], stream=True):
                        pass
