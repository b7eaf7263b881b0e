"""Requests of real clients, as they were on the wire: Codex, opencode and the SDKs to every dialect, and every other
client's to Responses. What the ledger does not name has arrived."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from openai.types.responses.response_create_params import (
    ResponseCreateParamsNonStreaming,
    ResponseCreateParamsStreaming,
)
from pydantic import TypeAdapter

from ccproxy.lightllm.dialect import Target
from ccproxy.lightllm.ir.parts import Document, Image, Part, Text, ToolCall, ToolResult
from ccproxy.lightllm.ir.request import CustomTool, FunctionTool, Request
from ccproxy.lightllm.jsontext import loads_or_none
from ccproxy.lightllm.toolargs import to_object

from ..kit import NAMES, REGISTRY

RESPONSES = REGISTRY.get("openai_responses")
CAPTURES = Path(__file__).parents[2] / "data" / "captures"
DATA: list[dict[str, Any]] = [
    {"client": file.stem, **capture}
    for file in sorted(CAPTURES.glob("*.json"))
    for capture in json.loads(file.read_text())
]
STREAMED: TypeAdapter[Any] = TypeAdapter(ResponseCreateParamsStreaming)
BUFFERED: TypeAdapter[Any] = TypeAdapter(ResponseCreateParamsNonStreaming)


def of(name: str) -> list[Any]:
    """Captured generations of a dialect."""
    dialect = REGISTRY.get(name)
    posted = [one for one in DATA if one["method"] == "POST" and one["body"]]
    found = [one for one in posted if dialect.match(one["target"].partition("?")[0]) == "generate"]
    return [pytest.param(one, id=f"{one['client']}-{number}") for number, one in enumerate(found)]


def body_of(capture: dict[str, Any]) -> bytes:
    """The body. Where the tools of a later request were cut, they are those of the client's first one."""
    body = dict(capture["body"])
    inner = body
    if "request" in body:
        inner = body["request"] = dict(body["request"])
    if isinstance((inner.get("tools") or [{}])[0], str):
        del inner["tools"]
        if tools := _tools(capture["client"]):
            inner["tools"] = tools
    return json.dumps(body).encode()


def _tools(client: str) -> Any:
    bodies = [one["body"] for one in DATA if one["client"] == client and isinstance(one["body"], dict)]
    given = [body.get("request", body).get("tools") for body in bodies]
    return next((tools for tools in given if tools and not isinstance(tools[0], str)), None)


def strings(value: object) -> Iterator[str]:
    """Every text in a JSON value, and in the JSON that texts hold."""
    if isinstance(value, str):
        yield value
        inner = loads_or_none(value) if value[:1] in ("{", "[") else None
        if inner is not None:
            yield from strings(inner)
    elif isinstance(value, dict):
        for name, one in value.items():
            yield name
            yield from strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from strings(one)


def said(part: Part) -> Iterator[str]:
    match part:
        case Text():
            yield part.text
        case ToolCall(kind="function"):
            yield from strings(to_object(part.args)[0])
        case ToolCall():
            yield part.args
        case ToolResult():
            yield part.call_id
            for inner in part.content:
                yield from said(inner)
        case Image(source=source) | Document(source=msgspec.Struct() as source):
            yield source.data
        case _:
            pass


def content(request: Request) -> set[str]:
    """What must not be lost of a request without a word."""
    found: set[str] = set()
    for part in (*request.system, *(part for message in request.messages for part in message.parts)):
        found.update(said(part))
    for tool in request.tools:
        if isinstance(tool, FunctionTool | CustomTool):
            found.update((tool.name, tool.description))
    return {text for text in found if text}


@pytest.mark.parametrize("capture", of("openai_responses"))
@pytest.mark.parametrize("name", NAMES)
def test_a_request_of_a_responses_client_arrives(capture: dict[str, Any], name: str) -> None:
    request = RESPONSES.decode_request(body_of(capture))
    encoded = REGISTRY.get(name).encode_request(request, Target(model="m"))
    arrived = "\n".join(strings(json.loads(encoded.body)))
    missing = {text for text in content(request) if text not in arrived}
    assert missing == set()
    if name == "openai_responses":
        assert list(encoded.losses) == []
    assert all(loss.reason for loss in encoded.losses)


@pytest.mark.parametrize("capture", [one for name in NAMES if name != "openai_responses" for one in of(name)])
def test_a_request_of_another_client_arrives_at_openai(capture: dict[str, Any]) -> None:
    path = capture["target"].partition("?")[0]
    source = next(REGISTRY.get(name) for name in NAMES if REGISTRY.get(name).match(path) == "generate")
    request = source.decode_request(body_of(capture), model="m")
    encoded = RESPONSES.encode_request(request, Target(model="m"))
    body = json.loads(encoded.body)
    arrived = "\n".join(strings(body))
    assert {text for text in content(request) if text not in arrived} == set()
    for item in body["input"]:
        if item["type"] == "message" and item["role"] == "assistant" and not isinstance(item["content"], str):
            item.setdefault("id", "msg")
            item.setdefault("status", "completed")
    (STREAMED if body.get("stream") else BUFFERED).validate_python(body, extra="forbid")


def test_there_are_captures_of_codex() -> None:
    clients = {one.values[0]["client"].partition("-0")[0] for one in of("openai_responses")}
    assert {"codex", "codex-chatgpt"} <= clients
