"""Requests of real clients, as they were on the wire: each is read, written back as it was, and converted to every
upstream dialect. The provider accepts it, everything that was said has arrived, and what was left out is declared here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ccproxy.lightllm.dialect import Dialect, Target
from ccproxy.lightllm.ir.parts import Audio, Document, Image, Part, Refusal, Text, ToolCall, ToolResult
from ccproxy.lightllm.ir.request import CustomTool, FunctionTool, Request
from ccproxy.lightllm.jsontext import loads_or_none
from ccproxy.lightllm.toolargs import to_object

from ..kit import NAMES, REGISTRY
from .providers import accepts
from .proxy import read

FILES = Path(__file__).parents[2] / "data" / "captures"

#: Of every client: the signatures and the signed thinking of its own provider, and the limit that Anthropic demands.
ALWAYS = {"signature", "thinking", "max_tokens"}

#: By client and upstream dialect: what is left out or put another way, by the names that the response header has.
#: `*` is every dialect but the client's own.
LOSSES: dict[str, dict[str, str]] = {
    "aider-openai": {"gemini": "role"},
    "aisdk-anthropic": {"*": "eager_input_streaming", "gemini": "$schema"},
    "aisdk-openai-chat": {"gemini": "$schema"},
    "aisdk-openai-responses": {"gemini": "$schema"},
    "claude-agent-sdk": {
        "*": "billing_header cache_control context_management defer_loading diagnostics display user",
        "openai": "budget",
        "openai_responses": "budget",
        "gemini": "$schema maxLength pattern",
    },
    "claude-code": {
        "*": "billing_header cache_control context_management defer_loading diagnostics user",
        "openai": "budget summary",
        "openai_responses": "budget",
        "gemini": "$schema maxLength pattern",
    },
    "claude-code-bearer": {
        "*": "billing_header cache_control context_management defer_loading user",
        "openai": "budget summary",
        "openai_responses": "budget",
        "gemini": "$schema maxLength pattern",
    },
    "claude-code-chatty": {
        "*": "billing_header cache_control context_management diagnostics user",
        "openai": "budget summary",
        "openai_responses": "budget",
    },
    "claude-code-oauth": {
        "*": "billing_header cache_control context_management diagnostics user",
        "openai": "budget summary",
        "openai_responses": "budget",
    },
    "codex": {
        "*": "client_metadata multi_agent_v1",
        "anthropic": "prompt_cache_key settings",
        "gemini": "prompt_cache_key settings",
        "openai": "summary web_search",
    },
    "codex-chatgpt": {
        "*": "client_metadata internal_chat_message_metadata_passthrough image_gen multi_agent_v1",
        "anthropic": "prompt_cache_key settings",
        "gemini": "prompt_cache_key settings",
        "openai": "summary web_search",
    },
    "gemini-cli": {"*": "top_k", "anthropic": "mode", "openai": "summary"},
    "gemini-cli-oauth": {"*": "project sessionId top_k userPromptId", "anthropic": "mode", "openai": "summary"},
    "llm-gemini": {"*": "safetySettings", "openai": "summary"},
    "node-openai-responses": {"gemini": "strict"},
    "opencode-anthropic": {
        "*": "cache_control eager_input_streaming",
        "openai": "budget",
        "openai_responses": "budget",
        "gemini": "$schema",
    },
    "opencode-google": {"anthropic": "temperature", "openai": "summary top_k", "openai_responses": "top_k"},
    "opencode-openai": {"openai": "summary", "anthropic": "mode prompt_cache_key", "gemini": "prompt_cache_key"},
    "py-anthropic": {"*": "cache_control"},
    "py-anthropic-stream": {"*": "cache_control"},
    "py-openai-chat": {"gemini": "strict"},
    "py-openai-chat-stream": {"gemini": "strict"},
    "py-openai-responses": {"anthropic": "mode", "gemini": "strict"},
    "py-openai-responses-stream": {"anthropic": "mode", "gemini": "strict"},
    "pydantic-ai-google": {"*": "responseModalities mode"},
    "pydantic-ai-openai": {"gemini": "strict"},
    "qwen-code": {
        "*": "preserve_thinking",
        "gemini": "cache_control maxLength minLength oneOf pattern",
        "openai_responses": "cache_control",
    },
}


@dataclass(frozen=True)
class Capture:
    """A captured generation."""

    dialect: Dialect
    path: str
    body: dict[str, Any]

    def read(self) -> Request:
        return read(self.dialect, self.path, json.dumps(self.body).encode())


def captures() -> dict[str, list[Capture]]:
    """Every captured generation, by client. Where only the names of tools are kept, they are those of the client's
    request that has them all."""
    found: dict[str, list[Capture]] = {}
    for file in sorted(FILES.glob("*.json")):
        whole: list[Any] = []
        for capture in json.loads(file.read_text()):
            path, body = capture["target"].partition("?")[0], capture["body"]
            dialect = next((one for one in REGISTRY if one.match(path) == "generate"), None)
            if capture["method"] != "POST" or not isinstance(body, dict) or dialect is None:
                continue
            holder = body.get("request", body)
            tools = holder.pop("tools", None) or []
            whole = whole if any(isinstance(tool, str) for tool in tools) else tools or whole
            if tools and whole:
                holder["tools"] = whole
            found.setdefault(file.stem.rpartition("-")[0], []).append(Capture(dialect, path, body))
    return found


CAPTURES = captures()
clients = pytest.mark.parametrize("client", CAPTURES)


def texts(value: object) -> Iterator[str]:
    """Every name and text in a JSON value, and in the JSON that texts hold."""
    if isinstance(value, str):
        yield value
        inner = loads_or_none(value) if value[:1] in ("{", "[") else None
        if inner is not None:
            yield from texts(inner)
    elif isinstance(value, dict):
        for name, one in value.items():
            yield name
            yield from texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from texts(one)


def said(parts: Iterable[Part]) -> Iterator[str]:
    """Every word, name and file in `parts`."""
    for part in parts:
        match part:
            case Text(text=text) | Refusal(text=text):
                yield text
            case ToolCall():
                yield part.name
                yield from texts(part.args if part.kind == "custom" else to_object(part.args)[0])
            case ToolResult():
                yield from said(part.content)
            case Image() | Audio() | Document() if part.source is not None:
                yield part.source.data
            case _:
                pass


def missing(request: Request, body: bytes) -> set[str]:
    """What a client said that is not in `body`. A result that is a JSON object may have become the object."""
    wanted = {*said(request.system)}
    for message in request.messages:
        wanted.update(said(message.parts))
    for tool in request.tools:
        if isinstance(tool, FunctionTool | CustomTool):
            wanted.update((tool.name, tool.description))
    arrived = "\n".join(texts(json.loads(body)))
    return {text for text in wanted if text not in arrived and any(one not in arrived for one in inside(text))}


def inside(text: str) -> list[str]:
    """The texts in a JSON object, or the text itself."""
    value = loads_or_none(text) if text.startswith("{") else None
    return [text] if value is None else [*texts(value)]


@clients
def test_a_request_is_read_and_written_back(client: str) -> None:
    for capture in CAPTURES[client]:
        request = capture.read()
        encoded = capture.dialect.encode_request(request, Target())
        assert list(encoded.losses) == []
        assert missing(request, encoded.body) == set()
        again = capture.dialect.decode_request(encoded.body, model=request.model, stream=request.stream)
        assert capture.dialect.encode_request(again, Target()).body == encoded.body
        assert (again.tools, again.system, again.extras) == (request.tools, request.system, request.extras)
        if capture.dialect.name == "openai":
            assert json.loads(encoded.body) == normal(capture.body)


def normal(body: dict[str, Any]) -> dict[str, Any]:
    """A Chat request as it is written back: one plain text is a string, and a stream is asked for its usage."""
    messages = [dict(message) for message in body["messages"]]
    for message in messages:
        match message.get("content"):
            case [{"type": "text", "text": text, **rest}] if not rest:
                message["content"] = text
    asked = {"stream_options": {"include_usage": True}} if body.get("stream") else {}
    return body | {"messages": messages} | asked


@clients
@pytest.mark.parametrize("upstream", NAMES)
def test_a_request_arrives_at_every_provider(client: str, upstream: str) -> None:
    target = REGISTRY.get(upstream)
    lost: set[str] = set()
    for capture in CAPTURES[client]:
        if capture.dialect is target:
            return
        request = capture.read()
        encoded = target.encode_request(request, Target(model="m"))
        accepts(upstream, json.loads(encoded.body))
        renamed = {original.name for original in encoded.names.renamed().values()}
        assert missing(request, encoded.body) <= renamed
        lost.update(loss.name for loss in encoded.losses)
        assert all(loss.reason for loss in encoded.losses)
    declared = LOSSES.get(client, {})
    assert lost - ALWAYS == {word for name in ("*", upstream) for word in declared.get(name, "").split()}


def test_every_client_is_there() -> None:
    assert set(LOSSES) <= set(CAPTURES)
    assert len(CAPTURES) >= 35
    assert {capture.dialect.name for one in CAPTURES.values() for capture in one} == set(NAMES)
