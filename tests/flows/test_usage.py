"""Tokens and model of an answer, in every dialect, buffered and streamed, in one arithmetic."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.flows.model import Usage
from ccproxy.flows.usage import read, read_messages


def sse(*events: object, names: bool = False) -> bytes:
    """Events as a stream; with `names`, each has its type as its name."""
    blocks = []
    for event in events:
        name = f"event: {event['type']}\n" if names and isinstance(event, dict) else ""
        data = event if isinstance(event, str) else json.dumps(event)
        blocks.append(f"{name}data: {data}\n\n")
    return "".join(blocks).encode()


ANTHROPIC = {
    "input_tokens": 10,
    "cache_creation_input_tokens": 5,
    "cache_read_input_tokens": 100,
    "output_tokens": 55,
    "output_tokens_details": {"thinking_tokens": 20},
}
CHAT = {
    "prompt_tokens": 90,
    "completion_tokens": 30,
    "total_tokens": 120,
    "prompt_tokens_details": {"cached_tokens": 40, "cache_write_tokens": 7},
    "completion_tokens_details": {"reasoning_tokens": 10},
}
RESPONSES = {
    "input_tokens": 90,
    "input_tokens_details": {"cached_tokens": 40, "cache_write_tokens": 7},
    "output_tokens": 30,
    "output_tokens_details": {"reasoning_tokens": 10},
    "total_tokens": 120,
}
GEMINI = {
    "promptTokenCount": 80,
    "toolUsePromptTokenCount": 10,
    "cachedContentTokenCount": 40,
    "candidatesTokenCount": 20,
    "thoughtsTokenCount": 10,
    "totalTokenCount": 120,
}
OPENAI_USAGE = Usage(input=90, output=30, cache_read=40, cache_write=7, reasoning=10)
GEMINI_USAGE = Usage(input=90, output=30, cache_read=40, reasoning=10)
ANTHROPIC_USAGE = Usage(input=115, output=55, cache_read=100, cache_write=5, reasoning=20)

DOCUMENTS = [
    ("anthropic", {"type": "message", "model": "claude-x", "usage": ANTHROPIC}, ANTHROPIC_USAGE, "claude-x"),
    ("openai", {"object": "chat.completion", "model": "gpt-x", "usage": CHAT}, OPENAI_USAGE, "gpt-x"),
    ("openai_responses", {"object": "response", "model": "gpt-x", "usage": RESPONSES}, OPENAI_USAGE, "gpt-x"),
    ("gemini", {"candidates": [], "usageMetadata": GEMINI, "modelVersion": "gemini-x"}, GEMINI_USAGE, "gemini-x"),
    (
        "gemini",
        {"response": {"candidates": [], "usageMetadata": GEMINI, "modelVersion": "gemini-x"}, "traceId": "t"},
        GEMINI_USAGE,
        "gemini-x",
    ),
]

STREAMS = [
    (
        "anthropic",
        sse(
            {
                "type": "message_start",
                "message": {
                    "model": "claude-x",
                    "usage": ANTHROPIC | {"output_tokens": 1, "output_tokens_details": None},
                },
            },
            {
                "type": "content_block_delta",
                "delta": {"type": "text_delta", "text": 'the "usage": {"output_tokens": 9}'},
            },
            {
                "type": "message_delta",
                "usage": {"output_tokens": 55, "input_tokens": 0, "output_tokens_details": {"thinking_tokens": 20}},
            },
            {"type": "message_stop"},
            names=True,
        ),
        ANTHROPIC_USAGE,
        "claude-x",
    ),
    (
        "openai",
        sse(
            {"model": "gpt-x", "choices": [{"delta": {"content": "a"}}], "usage": None},
            {"model": "gpt-x", "choices": [{"delta": {"content": "b"}}], "usage": None},
            {"model": "gpt-x", "choices": [], "usage": CHAT},
            "[DONE]",
        ),
        OPENAI_USAGE,
        "gpt-x",
    ),
    (
        "openai_responses",
        sse(
            {"type": "response.created", "response": {"model": "gpt-x", "usage": None}},
            {"type": "response.output_text.delta", "delta": "x"},
            {"type": "response.completed", "response": {"model": "gpt-x", "usage": RESPONSES}},
            names=True,
        ),
        OPENAI_USAGE,
        "gpt-x",
    ),
    (
        "gemini",
        sse(
            {
                "candidates": [],
                "usageMetadata": {"promptTokenCount": 80, "totalTokenCount": 80},
                "modelVersion": "gemini-x",
            },
            {"candidates": [], "usageMetadata": GEMINI, "modelVersion": "gemini-x"},
        ),
        GEMINI_USAGE,
        "gemini-x",
    ),
    (
        "gemini",
        sse({"response": {"usageMetadata": GEMINI, "modelVersion": "gemini-x"}}),
        GEMINI_USAGE,
        "gemini-x",
    ),
]


@pytest.mark.parametrize(("dialect", "document", "usage", "model"), DOCUMENTS)
@pytest.mark.parametrize("indent", [None, 2])
def test_buffered_answers(dialect: str, document: object, usage: Usage, model: str, indent: int | None) -> None:
    assert read(json.dumps(document, indent=indent).encode(), dialect) == (usage, model)


@pytest.mark.parametrize(("dialect", "stream", "usage", "model"), STREAMS)
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_streamed_answers(dialect: str, stream: bytes, usage: Usage, model: str, line_end: bytes) -> None:
    assert read(stream.replace(b"\n", line_end), dialect) == (usage, model)


@pytest.mark.parametrize(("dialect", "stream", "usage", "model"), STREAMS)
def test_the_dialect_is_read_off_the_answer(dialect: str, stream: bytes, usage: Usage, model: str) -> None:
    for other in ("anthropic", "openai", "openai_responses", "gemini", ""):
        assert read(stream, other) == (usage, model)


def test_a_gemini_stream_as_an_array() -> None:
    chunks = [{"usageMetadata": {"promptTokenCount": 80}}, {"usageMetadata": GEMINI, "modelVersion": "gemini-x"}]
    body = json.dumps(chunks).encode()
    assert read(body, "gemini") == (GEMINI_USAGE, "gemini-x")
    assert read(body[:-20], "gemini") == (GEMINI_USAGE, None)


def test_an_event_of_several_data_lines() -> None:
    body = b'data: {"model": "gpt-x",\ndata: "usage": {"prompt_tokens": 2}}\n\n'
    assert read(body, "openai") == (Usage(input=2), "gpt-x")


def test_a_stream_without_usage_still_names_its_model() -> None:
    body = sse({"model": "gpt-x", "choices": []}, {"model": "gpt-x", "choices": []}, "[DONE]")
    assert read(body, "openai") == (None, "gpt-x")


def test_forks_of_the_dialects() -> None:
    deepseek = {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10, "prompt_cache_hit_tokens": 4}
    assert read(json.dumps({"usage": deepseek}).encode(), "openai")[0] == Usage(input=9, output=1, cache_read=4)
    xai = {
        "prompt_tokens": 9,
        "completion_tokens": 1,
        "total_tokens": 15,
        "completion_tokens_details": {"reasoning_tokens": 5},
    }
    assert read(json.dumps({"usage": xai}).encode(), "openai")[0] == Usage(input=9, output=6, reasoning=5)
    late = sse(
        {"type": "message_start", "message": {"model": "m", "usage": {"input_tokens": 0, "output_tokens": 0}}},
        {"type": "message_delta", "usage": {"input_tokens": 7, "output_tokens": 3}},
    )
    assert read(late, "anthropic") == (Usage(input=7, output=3), "m")
    groq = sse({"model": "m", "choices": []}, {"model": "m", "x_groq": {"usage": {"prompt_tokens": 3}}})
    assert read(groq, "openai") == (Usage(input=3), "m")


def test_numbers_that_are_none_count_as_not_reported() -> None:
    body = json.dumps({"usage": {"prompt_tokens": -1, "completion_tokens": 10**30, "total_tokens": True}}).encode()
    assert read(body, "openai") == (None, None)
    assert read(b'{"usage": {"prompt_tokens": 12.0, "completion_tokens": "3"}}', "openai")[0] == Usage(input=12)


def test_websocket_answers_are_summed() -> None:
    done = {"type": "response.completed", "response": {"model": "gpt-x", "usage": RESPONSES}}
    messages = [
        json.dumps({"type": "response.output_text.delta", "delta": "usage"}).encode(),
        json.dumps(done).encode(),
    ]
    assert read_messages(messages * 2, "openai_responses") == (
        Usage(input=180, output=60, cache_read=80, cache_write=14, reasoning=20),
        "gpt-x",
    )
    assert read_messages([b'"usage', b"\xff"], "openai_responses") == (None, None)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"<html>",
        b"{",
        b'{"usage": {',
        b'{"usage": 5, "model": 7, "message": [], "response": "x"}',
        b"data: \n\n",
        b'data: {"usage": {"prompt_tokens": }}\n\n',
        b"[" * 100_000,
        b'{"response":' * 100_000,
        b'data: {"usage":{' * 10_000,
        b'{"usage": {"prompt_tokens": "\xff\xfe"}}',
    ],
)
def test_garbage_reports_nothing(body: bytes) -> None:
    assert read(body, "openai") == (None, None)


@given(st.binary(), st.sampled_from(["anthropic", "openai", "openai_responses", "gemini", ""]))
def test_any_bytes_are_read(body: bytes, dialect: str) -> None:
    read(body, dialect)
    read(b'{"usage": {' + body, dialect)
    read(b'data: {"usage": {"input_tokens":' + body, dialect)


@given(st.integers(min_value=0, max_value=2**53), st.recursive(st.none() | st.integers(), st.lists))
def test_any_usage_object_is_read(number: int, other: object) -> None:
    usage = {"prompt_tokens": number, "completion_tokens": other, "prompt_tokens_details": other}
    found, _ = read(json.dumps({"usage": usage}).encode(), "openai")
    assert number == 2**53 or (found is not None and found.input == number)
