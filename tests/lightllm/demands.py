"""What the tests of the demands share: conversations in every client's dialect, ways through a pair of dialects, and
how to find what was sent in what arrives."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest

from ccproxy.errors import CCProxyError
from ccproxy.lightllm.dialect import Target
from ccproxy.lightllm.errors import info_of
from ccproxy.lightllm.ir.events import Stop
from ccproxy.lightllm.ir.parts import Part, ToolCall
from ccproxy.lightllm.ir.request import Request
from ccproxy.lightllm.ir.response import Response, unfold
from ccproxy.lightllm.ir.usage import Usage
from ccproxy.lightllm.translate import DocumentTranslator, StreamTranslator

from .kit import (
    REGISTRY,
    context,
    encode_stream,
)

DIALECTS = {name: REGISTRY.get(name) for name in ("anthropic", "openai", "openai_responses", "gemini")}
PAIRS = [pytest.param(a, b, id=f"{a}-to-{b}") for a, b in itertools.product(DIALECTS, DIALECTS)]
pairs = pytest.mark.parametrize(("client", "upstream"), PAIRS)
every = pytest.mark.parametrize("dialect", list(DIALECTS.values()), ids=list(DIALECTS))

#: Different bytes for each place, so that none is taken for another. `JPEG` and `PDF` begin as such files do.
PNG = b"\x89PNG\r\n\x1a\n"
PLACES = ("user", "result")


def picture(place: str) -> str:
    return base64.b64encode(PNG + hashlib.sha256(place.encode()).digest()).decode()


def pdf(place: str) -> str:
    return base64.b64encode(b"%PDF-1.7\n" + hashlib.sha256(place.encode()).digest()).decode()


def conversation(dialect: str, part: Any, place: str) -> dict[str, Any]:
    """A request with a content part of the client's dialect in a user's turn, or in the result of a tool."""
    call_args = {"path": "/a"}
    user = [part] if place == "user" else []
    result = [part] if place == "result" else []
    match dialect:
        case "anthropic":
            return {
                "model": "m",
                "max_tokens": 100,
                "messages": [
                    {"role": "user", "content": [{"type": "text", "text": "look"}, *user]},
                    {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "read", "input": call_args}]},
                    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "r"}, *result]}]},
                ],
            }  # fmt: skip
        case "openai":
            # A tool's message holds text only: what it found follows.
            return {
                "model": "m",
                "messages": [
                    {"role": "user", "content": [{"type": "text", "text": "look"}, *user]},
                    {"role": "assistant", "tool_calls": [{"id": "t1", "type": "function", "function": {"name": "read", "arguments": json.dumps(call_args)}}]},
                    {"role": "tool", "tool_call_id": "t1", "content": "r"},
                    {"role": "user", "content": [{"type": "text", "text": "so"}, *result]},
                ],
            }  # fmt: skip
        case "openai_responses":
            return {
                "model": "m",
                "input": [
                    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "look"}, *user]},
                    {"type": "function_call", "call_id": "t1", "name": "read", "arguments": json.dumps(call_args)},
                    {"type": "function_call_output", "call_id": "t1", "output": [{"type": "input_text", "text": "r"}, *result]},
                ],
            }  # fmt: skip
    return {
        "contents": [
            {"role": "user", "parts": [{"text": "look"}, *user]},
            {"role": "model", "parts": [{"functionCall": {"id": "t1", "name": "read", "args": call_args}}]},
            {"role": "user", "parts": [{"functionResponse": {"id": "t1", "name": "read", "response": {"output": "r"}, **({"parts": result} if result else {})}}]},
        ]
    }  # fmt: skip


def convert(
    client: str, upstream: str, body: dict[str, Any], target: Target | None = None
) -> tuple[dict[str, Any], dict[str, str]]:
    """What the upstream gets for a client's request, and what was lost: path → kind."""
    request = DIALECTS[client].decode_request(json.dumps(body).encode(), model="m")
    encoded = DIALECTS[upstream].encode_request(request, target or Target(model="m"))
    return json.loads(encoded.body), {loss.path: loss.word or loss.kind for loss in encoded.losses}


def strings(value: Any) -> Iterator[str]:
    """Every string in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


def digests(value: Any) -> set[str]:
    """The digest of every file in a request, wherever the dialect keeps it."""
    found: set[str] = set()
    for text in strings(value):
        data = text.partition(";base64,")[2] if text.startswith("data:") else text
        try:
            raw = base64.b64decode(data, validate=True)
        except ValueError:
            continue
        found.add(hashlib.sha256(raw).hexdigest())
    return found


def digest(data: str) -> str:
    return hashlib.sha256(base64.b64decode(data)).hexdigest()


def refused(client: str, problem: CCProxyError) -> str:
    """The message of a refusal as the client gets it; checks its shape and status."""
    status, body = DIALECTS[client].encode_error(info_of(problem))
    assert 400 <= status < 500
    error = json.loads(body)["error"]
    message: str = error["message"]
    return message


IMAGES: dict[str, Any] = {
    "anthropic": lambda data: {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}},
    "openai": lambda data: {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}},
    "openai_responses": lambda data: {
        "type": "input_image",
        "image_url": f"data:image/png;base64,{data}",
        "detail": "auto",
    },
    "gemini": lambda data: {"inlineData": {"mimeType": "image/png", "data": data}},
}


DOCUMENTS: dict[str, dict[str, Any]] = {
    "anthropic": {
        "pdf": lambda data: {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": data}},
        "url": lambda _: {"type": "document", "source": {"type": "url", "url": "https://e.com/a.pdf"}},
        "file": lambda _: {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
        "text": lambda _: {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "the words"}},
    },
    "openai": {
        "pdf": lambda data: {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{data}"}},
        "file": lambda _: {"type": "file", "file": {"file_id": "file_1"}},
    },
    "openai_responses": {
        "pdf": lambda data: {"type": "input_file", "filename": "a.pdf", "file_data": f"data:application/pdf;base64,{data}"},
        "url": lambda _: {"type": "input_file", "file_url": "https://e.com/a.pdf"},
        "file": lambda _: {"type": "input_file", "file_id": "file_1"},
    },
    "gemini": {
        "pdf": lambda data: {"inlineData": {"mimeType": "application/pdf", "data": data}},
        "url": lambda _: {"fileData": {"mimeType": "application/pdf", "fileUri": "https://e.com/a.pdf"}},
    },
}  # fmt: skip


def answer(dialect: str, *parts: Part, stop: Stop | None = None) -> Response:
    calls = any(isinstance(part, ToolCall) for part in parts)
    return Response(
        "id_1", "m", parts, stop or Stop("tool_use" if calls else "end"), usage=Usage(10, 5), dialect=dialect
    )


def streamed(dialect: str, *parts: Part) -> bytes:
    return encode_stream(DIALECTS[dialect], list(unfold(answer(dialect, *parts))))


def translator(upstream: str, client: str, request: Request | None = None) -> StreamTranslator:
    return StreamTranslator(DIALECTS[upstream], DIALECTS[client], context(request))


def translated(upstream: str, client: str, *parts: Part) -> bytes:
    live = translator(upstream, client)
    return live.feed(streamed(upstream, *parts)) + live.eof()


def buffered(upstream: str, client: str, *parts: Part) -> bytes:
    raw = streamed(upstream, *parts)
    whole = DocumentTranslator(DIALECTS[upstream], DIALECTS[client], context())
    whole.feed(raw)
    result = whole.answer()
    assert result.status == 200
    return result.body
