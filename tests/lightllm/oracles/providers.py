"""What a provider would refuse: the target SDK's typed request models with unknown fields forbidden, and the rules of
the protocols that types cannot say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from anthropic.types.message_create_params import MessageCreateParamsNonStreaming, MessageCreateParamsStreaming
from google.genai import types
from openai.types.chat.completion_create_params import (
    CompletionCreateParamsNonStreaming,
    CompletionCreateParamsStreaming,
)
from openai.types.responses.response_create_params import (
    ResponseCreateParamsNonStreaming,
    ResponseCreateParamsStreaming,
)
from pydantic import TypeAdapter

type Body = dict[str, Any]

#: By dialect: the types of a streamed and of a buffered request.
_TYPES: dict[str, tuple[TypeAdapter[Any], TypeAdapter[Any]]] = {
    "anthropic": (TypeAdapter(MessageCreateParamsStreaming), TypeAdapter(MessageCreateParamsNonStreaming)),
    "openai": (TypeAdapter(CompletionCreateParamsStreaming), TypeAdapter(CompletionCreateParamsNonStreaming)),
    "openai_responses": (TypeAdapter(ResponseCreateParamsStreaming), TypeAdapter(ResponseCreateParamsNonStreaming)),
}


def accepts(dialect: str, body: Body) -> None:
    """Raises AssertionError or pydantic's ValidationError at what the provider of `dialect` would refuse."""
    if dialect == "gemini":
        _gemini_types(body)
    else:
        streamed, buffered = _TYPES[dialect]
        (streamed if body.get("stream") else buffered).validate_python(_FITTING[dialect](body), extra="forbid")
    _RULES[dialect](body)


# Types


def _anthropic_types(body: Body) -> Body:
    # The version that converted requests name takes them; the SDK's newer one does not.
    return {name: value for name, value in body.items() if name not in ("temperature", "top_p", "top_k")}


def with_ids(body: Body) -> Body:
    """A Responses body as its types want it: with ids. The API takes items without, and refuses ids it did not give."""
    items = [dict(item) for item in body["input"]]
    for item in items:
        if item["type"] == "reasoning":
            item.setdefault("id", "rs")
        if item["type"] == "message" and item["role"] == "assistant" and not isinstance(item["content"], str):
            item.setdefault("id", "msg")
            item.setdefault("status", "completed")
    return {**body, "input": items}


_FITTING: dict[str, Any] = {"anthropic": _anthropic_types, "openai": dict, "openai_responses": with_ids}


def _gemini_types(body: Body) -> None:
    known = {"contents", "systemInstruction", "tools", "toolConfig", "safetySettings", "generationConfig"}
    assert set(body) <= known
    for item in body["contents"]:
        types.Content.model_validate(item)
    if "systemInstruction" in body:
        types.Content.model_validate(body["systemInstruction"])
    for item in body.get("tools", []):
        types.Tool.model_validate(item)
    if "toolConfig" in body:
        types.ToolConfig.model_validate(body["toolConfig"])
    types.GenerationConfig.model_validate(body.get("generationConfig", {}))


# Rules


def _anthropic(body: Body) -> None:
    waiting: set[str] = set()
    seen: set[str] = set()
    thinking = body.get("thinking", {})
    if thinking.get("type") == "enabled":
        assert 1024 <= thinking["budget_tokens"] < body["max_tokens"]
        assert body.get("temperature", 1) == 1
    assert body["messages"][0]["role"] == "user"
    for message in body["messages"]:
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        assert blocks, "a message without content"
        results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        if message["role"] == "user":
            assert set(results) == waiting, "each call has its result in the next message"
            assert all(block["type"] == "tool_result" for block in blocks[: len(results)]), "results come first"
        waiting = {block["id"] for block in blocks if block["type"] == "tool_use"}
        assert not waiting & seen, "ids are unique"
        seen |= waiting
        assert all(block["text"].strip() for block in blocks if block["type"] == "text"), "texts are not empty"
        assert all(block["signature"] for block in blocks if block["type"] == "thinking"), "thinking is signed"


def _openai(body: Body) -> None:
    waiting: list[str] = []
    for message in body["messages"]:
        if message["role"] == "tool":
            assert message["tool_call_id"] in waiting, "a result without a call"
            waiting.remove(message["tool_call_id"])
        else:
            assert not waiting, "each call has its result before anything else"
        if message["role"] == "assistant":
            assert message.get("content") or message.get("tool_calls") or message.get("refusal"), "an empty answer"
            waiting += [call["id"] for call in message.get("tool_calls", ())]
    _json_is_named(body.get("response_format", {}).get("type"), body["messages"])


def _responses(body: Body) -> None:
    waiting: set[str] = set()
    for item in body["input"]:
        if item["type"].endswith("_call"):
            assert item["call_id"] not in waiting
            waiting.add(item["call_id"])
        elif item["type"].endswith("_call_output"):
            assert item["call_id"] in waiting, "a result without a call"
    _json_is_named(body.get("text", {}).get("format", {}).get("type"), body["input"])


def _json_is_named(form: str | None, messages: object) -> None:
    """OpenAI's JSON mode wants the word in a message."""
    if form == "json_object":
        assert any("json" in text.lower() for text in texts(messages)), "JSON mode without the word JSON in a message"


def _gemini(body: Body) -> None:
    calls: list[str] = []
    role = ""
    assert body["contents"][0]["role"] == "user"
    for content in body["contents"]:
        assert content["parts"], "a content without parts"
        assert content["role"] != role, "neighbours of one role"
        role = content["role"]
        results = [part["functionResponse"]["name"] for part in content["parts"] if "functionResponse" in part]
        assert results == calls or not calls, "each call has its result in the next content"
        calls = [part["functionCall"]["name"] for part in content["parts"] if "functionCall" in part]
    declared = any("functionDeclarations" in tool for tool in body.get("tools", ()))
    assert declared or "functionCallingConfig" not in body.get("toolConfig", {}), "a choice without functions"


_RULES: dict[str, Any] = {
    "anthropic": _anthropic,
    "openai": _openai,
    "openai_responses": _responses,
    "gemini": _gemini,
}


def texts(value: object) -> Iterator[str]:
    """Every text in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from texts(one)
