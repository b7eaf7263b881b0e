"""Sixteen cells: the SDKs' own helpers run a tool, answer its result, and parse structured output, against the
provider of every dialect. The provider is strict about requests, and wants its signatures back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from anthropic import beta_tool
from google.genai import types
from openai import pydantic_function_tool
from openai.lib._tools import pydantic_responses_function_tool
from openai.lib.responses_tool_runner import RegisteredFunction, ResponsesToolRunner
from pydantic import BaseModel

from ccproxy.providers.answers.asked import Asked
from ccproxy.providers.answers.respond import respond
from ccproxy.providers.answers.script import SIGNATURE, Script, Text, Thinking, ToolCall, Usage

from ..kit import NAMES
from .providers import accepts, texts
from .proxy import Given, Sent, cell
from .sdks import Anthropic, Chat, Gemini, Responses, Sdk

PLACES = ["Köln", "Rom"]
ANSWER = "18 and 24 degrees."
#: What Anthropic says where it does not keep a conversation.
NO_THREADS = b"""{"type": "error", "error": {"type": "invalid_request_error", "message": "no threads here",
    "details": {"error_code": "thread_unsupported_request", "unsupported": []}}}"""
pairs = pytest.mark.parametrize(("client", "upstream"), [(a, b) for a in NAMES for b in NAMES])
modes = pytest.mark.parametrize("stream", [False, True], ids=["buffered", "streamed"])


def strict(upstream: str) -> Callable[[Sent], Given]:
    """A provider that refuses what the real one would refuse. It thinks, says something and calls the client's tool
    twice; then it answers."""

    def says(asked: Asked) -> Script:
        if asked.has_results:
            return Script(asked.model, [Thinking("Now I know."), Text(ANSWER)], Usage(60, 9, reasoning=3), id="b" * 24)
        calls = [ToolCall("weather", json.dumps({"place": place})) for place in PLACES]
        said = [Thinking("Let me see. "), Text("I look it up.")]
        if upstream == "gemini":
            # The signature stands on the part after the thought, which is to be a call: there it is demanded back.
            said.reverse()
        return Script(asked.model, [*said, *calls], Usage(40, 30, reasoning=5), stop="tool_use", id="a" * 24)

    def provider(sent: Sent) -> Given:
        if "thread" in sent.body:
            return Given(NO_THREADS, status=400)
        accepts(upstream, sent.body)
        body = json.dumps(sent.body).encode()
        answer = respond("POST", sent.path.encode(), {}, body, script=says, models=())
        return Given(answer.body, answer.streamed, answer.status)

    return provider


class Weather(BaseModel):
    """The weather somewhere."""

    place: str


class Seen:
    """The tool, and how it was called."""

    def __init__(self) -> None:
        self.places: list[str] = []

    def __call__(self, place: str) -> str:
        self.places.append(place)
        return {"Köln": "18", "Rom": "24"}[place]


def run_anthropic(sdk: Anthropic, seen: Seen, *, stream: bool) -> str:
    """The tool runner."""

    @beta_tool
    def weather(place: str) -> str:
        """The weather somewhere."""
        return seen(place)

    runner = sdk.client.beta.messages.tool_runner(
        model="m",
        max_tokens=4000,
        messages=[{"role": "user", "content": "How warm is it?"}],
        thinking={"type": "enabled", "budget_tokens": 2048},
        tools=[weather],
        stream=stream,
    )
    return "".join(block.text for block in runner.until_done().content if block.type == "text")


def run_chat(sdk: Chat, seen: Seen, *, stream: bool) -> str:
    """`parse` and `stream` with a typed tool; the loop is the caller's, as the SDK has none."""
    messages: list[Any] = [{"role": "user", "content": "How warm is it?"}]
    asked = {"model": "m", "messages": messages, "reasoning_effort": "low", "tools": [pydantic_function_tool(Weather, name="weather")]}  # fmt: skip
    for _ in range(3):
        if stream:
            with sdk.client.chat.completions.stream(**asked) as running:
                for _event in running:
                    pass
                completion = running.get_final_completion()
        else:
            completion = sdk.client.chat.completions.parse(**asked)
        message = completion.choices[0].message
        if not message.tool_calls:
            assert completion.choices[0].finish_reason == "stop"
            return str(message.content)
        assert completion.choices[0].finish_reason == "tool_calls"
        # What clients send back: the role, the words and the calls.
        calls = [
            {"id": call.id, "type": "function", "function": {"name": call.function.name, "arguments": call.function.arguments}}
            for call in message.tool_calls
        ]  # fmt: skip
        messages.append({"role": "assistant", "content": message.content, "tool_calls": calls})
        for call in message.tool_calls:
            result = seen(call.function.parsed_arguments.place)
            messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
    raise AssertionError("the loop does not end")


def run_responses(sdk: Responses, seen: Seen, *, stream: bool) -> str:
    """The tool runner, which sends everything itself and checks all that comes."""
    tool = pydantic_responses_function_tool(Weather, name="weather")
    function = RegisteredFunction.from_tool(tool, execute=lambda given: seen(given.place))
    params: Any = {
        "model": "m",
        "input": [{"role": "user", "content": "How warm is it?"}],
        "reasoning": {"effort": "low", "summary": "auto"},
        "include": ["reasoning.encrypted_content"],
        "store": False,
    }
    runner = ResponsesToolRunner(functions=[function])
    return str(runner.run(sdk.client, params, max_steps=3, stream=stream).output_text)


def run_gemini(sdk: Gemini, seen: Seen, *, stream: bool) -> str:
    """Automatic function calling in a chat, which keeps every chunk as a turn of its own."""

    def weather(place: str) -> str:
        """The weather somewhere."""
        return seen(place)

    thinking = types.ThinkingConfig(thinking_budget=2048, include_thoughts=True)
    config = types.GenerateContentConfig(tools=[weather], thinking_config=thinking)
    chat = sdk.client.chats.create(model="m", config=config)
    if not stream:
        return str(chat.send_message("How warm is it?").text)
    chunks = list(chat.send_message_stream("How warm is it?"))
    # Every call's chunks are given out, those before the tool ran too.
    return "".join(chunk.text or "" for chunk in chunks).removeprefix("I look it up.")


RUNS: dict[str, Callable[..., str]] = {
    "anthropic": run_anthropic,
    "openai": run_chat,
    "openai_responses": run_responses,
    "gemini": run_gemini,
}


@pairs
@modes
def test_a_tool_is_run_and_answered(client: str, upstream: str, stream: bool, sdks: dict[str, Sdk]) -> None:
    proxy = cell(client, upstream, strict(upstream))
    seen = Seen()
    sdks[client].answer = proxy
    assert RUNS[client](sdks[client], seen, stream=stream) == ANSWER
    assert seen.places == PLACES
    before, after = proxy.sent[-2:]
    assert after.body["tools"] == before.body["tools"]
    # The provider's own proof of its thinking has come back, byte for byte; a Chat provider has none.
    if upstream != "openai":
        assert [*texts(after.body)].count(SIGNATURE) == 1


class Answer(BaseModel):
    degrees: list[int]


def parse_anthropic(sdk: Anthropic) -> Any:
    return sdk.client.messages.parse(
        model="m", max_tokens=100, messages=[{"role": "user", "content": "hi"}], output_format=Answer
    ).parsed_output


def parse_chat(sdk: Chat) -> Any:
    messages = [{"role": "user", "content": "hi"}]
    completion = sdk.client.chat.completions.parse(model="m", messages=messages, response_format=Answer)
    return completion.choices[0].message.parsed


def parse_responses(sdk: Responses) -> Any:
    return sdk.client.responses.parse(model="m", input="hi", text_format=Answer).output_parsed


def parse_gemini(sdk: Gemini) -> Any:
    config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=Answer)
    return sdk.client.models.generate_content(model="m", contents="hi", config=config).parsed


PARSED: dict[str, Callable[[Any], Any]] = {
    "anthropic": parse_anthropic,
    "openai": parse_chat,
    "openai_responses": parse_responses,
    "gemini": parse_gemini,
}


@pairs
def test_structured_output_is_parsed(client: str, upstream: str, sdks: dict[str, Sdk]) -> None:
    def provider(sent: Sent) -> Given:
        accepts(upstream, sent.body)
        assert "degrees" in [*names(sent.body)], "the schema has not arrived"
        body = json.dumps(sent.body).encode()

        def says(asked: Asked) -> Script:
            assert asked.schema is not None
            return Script(asked.model, [Text('{"degrees": [18, 24]}')], Usage(5, 5))

        answer = respond("POST", sent.path.encode(), {}, body, script=says, models=())
        return Given(answer.body, answer.streamed, answer.status)

    sdks[client].answer = proxy = cell(client, upstream, provider)
    assert PARSED[client](sdks[client]) == Answer(degrees=[18, 24])
    assert {loss.path for loss in proxy.losses if not loss.path.startswith("answer.")} <= HARMLESS


#: Anthropic's limit, which another client need not give; and Gemini's schemas leave objects open, strict ones do not.
HARMLESS = {"max_tokens", "output.schema.additionalProperties"}


def names(value: object) -> Iterator[str]:
    """Every name in a JSON value."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from names(inner)
