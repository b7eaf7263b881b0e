"""A flow as a conversation: one JSON shape for all dialects, read off the bodies with lightllm.

The request is decoded in the client's dialect, the answer in that of the bytes at hand: what the client got where a
conversion made that, else what the provider sent. What cannot be decoded says why and is shown as it is by the page's
other tabs. Results of tools stand inside the calls that asked for them. Images become numbers, under which `media`
gives out their bytes; nothing is ever fetched.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator
from typing import Any, assert_never

import msgspec

from ccproxy.errors import CCProxyError
from ccproxy.flows import coding
from ccproxy.flows.model import Flow, Message, ResponseRecord
from ccproxy.inspector.frames import frames
from ccproxy.lightllm.dialect import Context, Dialect
from ccproxy.lightllm.errors import ErrorInfo
from ccproxy.lightllm.ir import parts as ir
from ccproxy.lightllm.ir.events import Event
from ccproxy.lightllm.ir.request import CustomTool, FunctionTool, HostedTool, Request, Tool
from ccproxy.lightllm.ir.response import Response, fold
from ccproxy.lightllm.media import type_of
from ccproxy.lightllm.registry import Registry

type Json = dict[str, Any]

#: Images a browser may be shown. SVG is not among them: it is a document, not a picture.
IMAGE_TYPES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_GENERATES = frozenset({"generate", "count_tokens"})


class Media:
    """The images of a conversation, by number."""

    def __init__(self) -> None:
        self._sources: list[ir.Source] = []

    def add(self, source: ir.Source) -> int | None:
        """The number of an image that can be shown; None for others."""
        if source.kind != "base64" or type_of(source) not in IMAGE_TYPES:
            return None
        self._sources.append(source)
        return len(self._sources) - 1

    def get(self, number: int) -> tuple[bytes, str] | None:
        """The bytes and the media type of an image."""
        if number >= len(self._sources):
            return None
        source = self._sources[number]
        try:
            return base64.b64decode(source.data), type_of(source)
        except (binascii.Error, ValueError):
            return None


class Conversation(msgspec.Struct):
    """What `read` gives: the document for the page, and its images."""

    document: Json
    media: Media


def read(flow: Flow, dialects: Registry, *, answer_only: bool = False) -> Conversation:
    """The conversation of a flow with bodies. Never raises for what is in them.

    Args:
        answer_only: leave the request out.
    """
    media = Media()
    document: Json = {"dialect": flow.dialect, "problem": "", "request": None, "answer": None, "counted": None}
    dialect = _dialect(dialects, flow.dialect)
    operation = dialect.match(flow.request.target.partition("?")[0]) if dialect is not None else ""
    if dialect is None:
        document["problem"] = "this is no request to a model"
        return Conversation(document, media)
    if not answer_only:
        document["request"], document["problem"] = _request(flow, dialect, media)
    answer = flow.answer or flow.response
    if answer is not None and (document["request"] is not None or answer_only or operation in _GENERATES):
        spoken = dialect
        if flow.answer is None and flow.upstream_dialect:
            spoken = _dialect(dialects, flow.upstream_dialect) or dialect
        if operation == "count_tokens":
            document["counted"] = _counted(answer, spoken)
        else:
            document["answer"] = _answer(flow, answer, spoken, media)
    return Conversation(document, media)


def content(message: Message) -> tuple[bytes, bool]:
    """The body without its content coding, as far as it can be had, and whether it is whole."""
    decoded = coding.decode(message.body, message.header("content-encoding"))
    if decoded is None:
        return message.body, False
    return decoded.data, decoded.complete and not message.truncated


def _dialect(dialects: Registry, name: str) -> Dialect | None:
    return dialects.get(name) if name and name in dialects else None


def _request(flow: Flow, dialect: Dialect, media: Media) -> tuple[Json | None, str]:
    body, whole = content(flow.request)
    if not body:
        return None, "the request has no body"
    if not whole:
        return None, f"only the beginning of the request was kept ({flow.request.size:,} bytes in all)"
    try:
        request = dialect.decode_request(body, model=flow.model, stream=flow.streaming)
    except CCProxyError as error:
        return None, f"the request cannot be read as {dialect.name}: {error.message}"
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        return None, f"the request cannot be read as {dialect.name}: {error}"
    return _request_json(request, media), ""


def _request_json(request: Request, media: Media) -> Json:
    messages = [
        {"role": message.role, "name": message.name, "parts": list(_parts(message.parts, media))}
        for message in request.messages
    ]
    _fold_results(messages)
    return {
        "model": request.model,
        "settings": _settings(request),
        "tools": [_tool(tool) for tool in request.tools],
        "system": list(_parts(request.system, media)),
        "messages": messages,
    }


def _settings(request: Request) -> Json:
    """What the request says about how to answer, where it says something."""
    said: Json = {
        "max_tokens": request.max_tokens,
        **msgspec.to_builtins(request.sampling),
        "stop": list(request.stop) or None,
        "stream": request.stream or None,
        "reasoning": msgspec.to_builtins(request.reasoning) or None,
        "output": msgspec.to_builtins(request.output) or None,
        "tool_choice": msgspec.to_builtins(request.tool_choice) if request.tool_choice else None,
        "parallel_tools": request.parallel_tools,
        "user": request.user or None,
        "metadata": request.metadata or None,
        "cache_key": request.cache_key or None,
        "state": msgspec.to_builtins(request.state) or None,
    }
    return {name: value for name, value in said.items() if value is not None}


def _tool(tool: Tool) -> Json:
    match tool:
        case FunctionTool():
            return {
                "name": tool.name,
                "kind": "function",
                "description": tool.description,
                "schema": tool.schema,
                "cache": tool.cache is not None,
            }
        case CustomTool():
            return {
                "name": tool.name,
                "kind": "custom",
                "description": tool.description,
                "schema": tool.grammar or None,
            }
        case HostedTool():
            return {"name": tool.name or tool.kind, "kind": "hosted", "description": tool.kind, "schema": tool.raw}
        case _:
            assert_never(tool)


def _parts(parts: Iterable[ir.Part], media: Media) -> Iterator[Json]:
    for part in parts:
        shown = _part(part, media)
        if (mark := getattr(part, "cache", None)) is not None:
            shown["cache"] = mark.ttl or "on"
        yield shown


def _part(part: ir.Part, media: Media) -> Json:
    match part:
        case ir.Text():
            shown: Json = {"part": "text", "text": part.text}
            if part.citations:
                shown["citations"] = [
                    {"url": one.url, "title": one.title, "cited": one.cited} for one in part.citations
                ]
            return shown
        case ir.Thinking():
            return {"part": "thinking", "text": part.text, "form": part.form, "signed": part.signature is not None}
        case ir.Image():
            return {"part": "image", **_source(part.source, media)}
        case ir.Document():
            shown = {"part": "document", "title": part.title or part.name, "parts": list(_parts(part.parts, media))}
            return shown | (_source(part.source, media) if part.source else {})
        case ir.Audio():
            return {"part": "audio", "transcript": part.transcript, **_source(part.source, media)}
        case ir.ToolCall():
            return {"part": "tool_call", "id": part.id, "name": part.name, "args": part.args, "result": None}
        case ir.ToolResult():
            return {
                "part": "tool_result",
                "id": part.call_id,
                "name": part.name,
                "error": part.is_error,
                "parts": list(_parts(part.content, media)),
            }
        case ir.ServerTool():
            return {"part": "server_tool", "name": part.name, "args": part.args, "raw": part.raw}
        case ir.Refusal():
            return {"part": "refusal", "text": part.text}
        case ir.Opaque():
            return {"part": "opaque", "type": part.type, "raw": part.raw}
        case _:
            assert_never(part)


def _source(source: ir.Source, media: Media) -> Json:
    shown: Json = {"source": source.kind, "media_type": type_of(source)}
    match source.kind:
        case "base64":
            shown |= {"media": media.add(source), "bytes": len(source.data) * 3 // 4}
        case "text":
            shown["text"] = source.data
        case _:
            shown["url"] = source.data
    return shown


def _fold_results(messages: list[Json]) -> None:
    """Puts results into the calls they belong to. What answers no call stays where it is."""
    calls: dict[str, Json] = {}
    for message in messages:
        left = []
        for part in message["parts"]:
            if part["part"] == "tool_call":
                calls[part["id"]] = part
            call = calls.get(part["id"]) if part["part"] == "tool_result" else None
            if call is not None and call["result"] is None:
                call["result"] = {"error": part["error"], "parts": part["parts"], "cache": part.get("cache", "")}
            else:
                left.append(part)
        if len(left) < len(message["parts"]):
            message["results"] = len(message["parts"]) - len(left)
        message["parts"] = left


def _counted(answer: ResponseRecord, dialect: Dialect) -> int | None:
    if dialect.decode_count is None:
        return None
    try:
        return dialect.decode_count(content(answer)[0])
    except (CCProxyError, ValueError, TypeError, KeyError, RecursionError):
        return None


def _answer(flow: Flow, answer: ResponseRecord, dialect: Dialect, media: Media) -> Json:
    body, _ = content(answer)
    if answer.status >= 400:
        return _failed(dialect.decode_error(answer.status, body))
    try:
        response = fold(_events(answer, body, dialect))
    except (CCProxyError, ValueError, TypeError, KeyError, RecursionError) as error:
        return _failed(None) | {"problem": f"the answer cannot be read as {dialect.name}: {error}"}
    return _answer_json(response, media, running=flow.outcome == "pending")


def _events(answer: ResponseRecord, body: bytes, dialect: Dialect) -> list[Event]:
    decoder = dialect.decoder(Context(new_id=lambda: "shown", now=lambda: 0))
    if not body:
        return decoder.eof()
    found = frames(answer.header("content-type"), body)
    if found is None:
        return decoder.document(body)
    events: list[Event] = []
    for frame in found:
        if not frame.comment:
            events += decoder.frame(frame.name, frame.data)
    return events + decoder.eof()


def _answer_json(response: Response, media: Media, *, running: bool) -> Json:
    stop = response.stop
    return {
        "id": response.id,
        "model": response.model,
        "parts": list(_parts(response.parts, media)),
        "stop": {"reason": stop.reason, "native": stop.native, "sequence": stop.sequence} if stop else None,
        "error": None if running or response.error is None else _error(response.error),
        "usage": {
            "input": response.usage.input,
            "output": response.usage.output,
            "cache_read": response.usage.cache_read,
            "cache_write": response.usage.cache_write,
            "reasoning": response.usage.reasoning,
        }
        if response.usage
        else None,
        "problem": "",
    }


def _failed(error: ErrorInfo | None) -> Json:
    return {
        "id": "",
        "model": "",
        "parts": [],
        "stop": None,
        "error": _error(error) if error else None,
        "usage": None,
        "problem": "",
    }


def _error(error: ErrorInfo) -> Json:
    return {"kind": error.kind, "message": error.message}
