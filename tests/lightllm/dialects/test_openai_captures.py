"""Requests of real clients, as they were on the wire: Chat clients' to every dialect, and every other client's to Chat.
What the ledger does not name has arrived."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from openai.types.chat.completion_create_params import (
    CompletionCreateParamsNonStreaming,
    CompletionCreateParamsStreaming,
)
from pydantic import TypeAdapter

from ccproxy.lightllm.dialect import Dialect, Target
from ccproxy.lightllm.ir.parts import Audio, Document, Image, Part, Refusal, Text, ToolCall, ToolResult
from ccproxy.lightllm.ir.request import CustomTool, FunctionTool, Request
from ccproxy.lightllm.toolargs import to_object

from ..kit import NAMES, REGISTRY

OPENAI = REGISTRY.get("openai")
CAPTURES = Path(__file__).parents[2] / "data" / "captures"
STREAMED: TypeAdapter[Any] = TypeAdapter(CompletionCreateParamsStreaming)
BUFFERED: TypeAdapter[Any] = TypeAdapter(CompletionCreateParamsNonStreaming)


def dialect_of(capture: dict[str, Any]) -> Dialect | None:
    """The dialect of a captured generation; None for other requests."""
    path = capture["target"].partition("?")[0]
    if capture["method"] != "POST" or not isinstance(capture["body"], dict):
        return None
    return next((dialect for dialect in REGISTRY if dialect.match(path) == "generate"), None)


def bodies(*, chat: bool) -> Iterator[Any]:
    """Dialect and body of each captured generation. Where a file holds the names of tools alone, they are those of the
    same client's request that has them all."""
    for file in sorted(CAPTURES.glob("*.json")):
        captures = json.loads(file.read_text())
        generations = [(dialect, c["body"]) for c in captures if (dialect := dialect_of(c)) is not None]
        whole = [holder_of(body)["tools"] for _, body in generations if are_whole(holder_of(body))]
        for number, (dialect, body) in enumerate(generations):
            holder = holder_of(body)
            if not are_whole(holder) and holder.pop("tools", None) and whole:
                holder["tools"] = whole[0]
            if (dialect is OPENAI) == chat:
                yield pytest.param(dialect, body, id=f"{file.stem}-{number}")


def holder_of(body: dict[str, Any]) -> dict[str, Any]:
    """The request itself, where it stands in an envelope."""
    inner: dict[str, Any] = body.get("request", body)
    return inner


def are_whole(holder: dict[str, Any]) -> bool:
    """Whether the tools of a request are all there."""
    return bool(holder.get("tools")) and not any(isinstance(tool, str) for tool in holder["tools"])


def normal(body: dict[str, Any]) -> dict[str, Any]:
    """A Chat request as it is written back: one plain text is a string, and a stream is asked for its usage."""
    messages = [dict(message) for message in body["messages"]]
    for message in messages:
        match message.get("content"):
            case [{"type": "text", "text": text, **rest}] if not rest:
                message["content"] = text
    asked = {"stream_options": {"include_usage": True}} if body.get("stream") else {}
    return body | {"messages": messages, "model": "m"} | asked


def texts(value: object) -> Iterator[str]:
    """Every text in a JSON value, and in the arguments that texts hold."""
    if isinstance(value, str):
        yield value
        if value.startswith("{"):
            yield from texts(list(to_object(value)[0].items()))
    elif isinstance(value, dict):
        yield from texts(list(value.items()))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from texts(inner)


def said(parts: Iterable[Part]) -> Iterator[str]:
    """Every word, id and file in `parts`."""
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
    """What a client said that did not arrive."""
    wanted = {*said(request.system)}
    for message in request.messages:
        wanted.update(said(message.parts))
    for tool in request.tools:
        if isinstance(tool, FunctionTool | CustomTool):
            wanted.update((tool.name, tool.description))
    arrived = "\n".join(texts(json.loads(body)))
    return {text for text in wanted if text not in arrived}


@pytest.mark.parametrize(("dialect", "body"), [*bodies(chat=True)])
@pytest.mark.parametrize("target", [REGISTRY.get(name) for name in NAMES], ids=NAMES)
def test_a_chat_clients_request_arrives(dialect: Dialect, body: dict[str, Any], target: Dialect) -> None:
    request = dialect.decode_request(json.dumps(body).encode())
    encoded = target.encode_request(request, Target(model="m"))
    assert missing(request, encoded.body) == set()
    if target is OPENAI:
        assert list(encoded.losses) == []
        assert json.loads(encoded.body) == normal(body)
    else:
        again = target.decode_request(encoded.body, model="m", stream=request.stream)
        assert len(again.messages) + len(again.system) >= 1


@pytest.mark.parametrize(("dialect", "body"), [*bodies(chat=False)])
def test_another_clients_request_arrives_at_a_chat_server(dialect: Dialect, body: dict[str, Any]) -> None:
    request = dialect.decode_request(json.dumps(body).encode(), model="m", stream=True)
    encoded = OPENAI.encode_request(request, Target(model="m"))
    assert missing(request, encoded.body) == set()
    written = json.loads(encoded.body)
    (STREAMED if written.get("stream") else BUFFERED).validate_python(written, extra="forbid")


def test_there_are_captures_of_chat_clients() -> None:
    clients = {file.stem.rpartition("-")[0] for file in CAPTURES.glob("*.json")}
    assert {"py-openai-chat", "aider-openai", "qwen-code", "langchain-openai", "llm-openai"} <= clients
