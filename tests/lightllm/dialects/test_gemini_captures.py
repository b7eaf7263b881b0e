"""Requests of real Gemini clients, as they were on the wire: read, written back, and converted to every dialect with
nothing missing that the ledger does not name; and other clients' requests to Gemini."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ccproxy.lightllm.dialect import Dialect, Target
from ccproxy.lightllm.ir.parts import Part, Text, ToolCall, ToolResult
from ccproxy.lightllm.ir.request import FunctionTool, Request
from ccproxy.lightllm.toolargs import to_object

from ..kit import NAMES, REGISTRY

GEMINI = REGISTRY.get("gemini")
CAPTURES = Path(__file__).parents[2] / "data" / "captures"


def bodies() -> Iterator[tuple[str, Dialect, str, dict[str, Any]]]:
    """Each captured generation; where a file holds only the names of tools, they are those of the same client's first."""
    for file in sorted(CAPTURES.glob("*.json")):
        whole: list[Any] = []
        for number, capture in enumerate(json.loads(file.read_text())):
            path = capture["target"].partition("?")[0]
            body = capture["body"]
            dialect = next((one for one in REGISTRY if one.match(path) == "generate"), None)
            if capture["method"] != "POST" or not isinstance(body, dict) or dialect is None:
                continue
            holder = body.get("request", body)
            tools = holder.pop("tools", None)
            if tools and not any(isinstance(tool, str) for tool in tools):
                whole = tools
            if tools and whole:
                holder["tools"] = whole
            yield f"{file.stem}-{number}", dialect, path, body


ALL = list(bodies())
OWN = [pytest.param(path, body, id=name) for name, dialect, path, body in ALL if dialect is GEMINI]
OTHERS = [pytest.param(dialect, body, id=name) for name, dialect, _, body in ALL if dialect is not GEMINI]


def said(parts: tuple[Part, ...]) -> Iterator[str]:
    """Every word in `parts`."""
    for part in parts:
        match part:
            case Text(text=text) if text:
                yield text
            case ToolCall():
                yield part.name
                yield from (value for value in to_object(part.args)[0].values() if isinstance(value, str))
            case ToolResult():
                yield from said(part.content)
            case _:
                pass


def wanted(request: Request) -> set[str]:
    found = {*said(request.system)}
    for message in request.messages:
        found.update(said(message.parts))
    for tool in request.tools:
        if isinstance(tool, FunctionTool):
            found.add(tool.name)
    return found


def texts(value: object) -> Iterator[str]:
    """Every text in a JSON value, and in the JSON that texts hold."""
    if isinstance(value, str):
        yield value
        if value.startswith("{"):
            yield from texts(list(to_object(value)[0].items()))
    elif isinstance(value, dict):
        yield from texts(list(value.items()))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from texts(inner)


def read(path: str, body: dict[str, Any]) -> Request:
    model, _, action = path.rpartition("/")[2].partition(":")
    if path.startswith("/v1internal"):
        model, action = "", path.rpartition(":")[2]
    return GEMINI.decode_request(json.dumps(body).encode(), model=model, stream=action.startswith("stream"))


def test_there_are_captures_of_every_kind() -> None:
    assert len(OWN) >= 12
    assert len(OTHERS) >= 20


@pytest.mark.parametrize(("path", "body"), OWN)
def test_a_gemini_clients_request_is_read_and_written_back(path: str, body: dict[str, Any]) -> None:
    request = read(path, body)
    assert request.model.startswith("gemini-")
    encoded = GEMINI.encode_request(request, Target())
    assert list(encoded.losses) == []
    again = GEMINI.decode_request(encoded.body, model=request.model, stream=request.stream)
    # Neighbouring contents of one role are one; everything else is as it was.
    assert wanted(again) == wanted(request)
    assert (again.tools, again.extras, again.reasoning) == (request.tools, request.extras, request.reasoning)
    assert GEMINI.encode_request(again, Target()).body == encoded.body


@pytest.mark.parametrize("name", [name for name in NAMES if name != "gemini"])
@pytest.mark.parametrize(("path", "body"), OWN)
def test_a_gemini_clients_request_arrives_everywhere(path: str, body: dict[str, Any], name: str) -> None:
    request = read(path, body)
    encoded = REGISTRY.get(name).encode_request(request, Target(model="m"))
    arrived = "\n".join(texts(json.loads(encoded.body)))
    assert [text for text in wanted(request) if text not in arrived] == []


@pytest.mark.parametrize(("dialect", "body"), OTHERS)
def test_another_clients_request_arrives_at_gemini(dialect: Dialect, body: dict[str, Any]) -> None:
    request = dialect.decode_request(json.dumps(body).encode())
    encoded = GEMINI.encode_request(request, Target(model="gemini-x"))
    arrived = "\n".join(texts(json.loads(encoded.body)))
    renamed = {original.name for original in encoded.names.renamed().values()}
    billing = "x-anthropic-billing-header"
    lost = [text for text in wanted(request) if text not in arrived and text not in renamed]
    assert [text for text in lost if not text.startswith(billing)] == []
    assert GEMINI.decode_request(encoded.body, model="gemini-x", stream=request.stream).messages
