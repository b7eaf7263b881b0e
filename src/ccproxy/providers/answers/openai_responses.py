"""Answers as api.openai.com writes them (Responses).

A stream is named events numbered from 0: `response.created`, `response.in_progress`, each output item from
`response.output_item.added` to `response.output_item.done`, and one ending: `response.completed`,
`response.incomplete` or `response.failed`. Over a WebSocket the same objects are text frames (`payloads`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from ccproxy.providers.answers import openai
from ccproxy.providers.answers.script import Part, Script, Text, Thinking, ToolCall, slices, words

Fields = dict[str, Any]

_INCOMPLETE = {"max_tokens": "max_output_tokens", "content_filter": "content_filter"}

#: The codes `response.failed` may hold for a status.
_FAILED = {429: "rate_limit_exceeded", 400: "invalid_prompt"}


def document(script: Script) -> bytes:
    """The buffered answer to `POST /v1/responses`."""
    return msgspec.json.encode(_response(script, _status(script), _items(script)))


def events(script: Script) -> list[bytes]:
    """The streamed answer, one SSE frame per item."""
    return [frame(fields) for fields in payloads(script)]


def payloads(script: Script) -> list[Fields]:
    """The events as objects, numbered: the `data` of SSE frames, or WebSocket messages."""
    status = _status(script)
    empty = _response(script, "in_progress", []) | {"usage": None}
    found: list[Fields] = [
        {"type": "response.created", "response": empty},
        {"type": "response.in_progress", "response": empty},
    ]
    for index, (part, item) in enumerate(zip(script.parts, _items(script), strict=True)):
        found += _item_events(script, index, part, item)
    found.append({"type": f"response.{status}", "response": _response(script, status, _items(script))})
    return _numbered(found)


def failed(script: Script, status: int = 500, kind: str = "", message: str = "", *, sequence_number: int = 0) -> bytes:
    """The `response.failed` event: the answer ended in an error after it had begun."""
    text = message or msgspec.json.decode(openai.error(status))["error"]["message"]
    fields = _response(script, "failed", []) | {
        "usage": None,
        "error": {"code": kind or _FAILED.get(status, "server_error"), "message": text},
    }
    return frame({"type": "response.failed", "sequence_number": sequence_number, "response": fields})


def frame(fields: Fields) -> bytes:
    """One SSE frame, named after its `type`."""
    return b"event: " + str(fields["type"]).encode() + b"\ndata: " + msgspec.json.encode(fields) + b"\n\n"


def error(status: int, kind: str = "", message: str = "") -> bytes:
    """An error answer. `kind` overrides the `error.code` that belongs to `status`."""
    return openai.error(status, kind, message)


def error_event(status: int, kind: str = "", message: str = "", *, sequence_number: int = 0) -> bytes:
    """The `error` event of a stream."""
    fields = msgspec.json.decode(openai.error(status, kind, message))["error"]
    return frame(
        {
            "type": "error",
            "code": fields["code"] or fields["type"],
            "message": fields["message"],
            "param": None,
            "sequence_number": sequence_number,
        }
    )


def models(names: Sequence[str], *, created: int = 1_700_000_000) -> bytes:
    """The answer to `GET /v1/models`."""
    return openai.models(names, created=created)


def model(name: str, *, created: int = 1_700_000_000) -> bytes:
    """The answer to `GET /v1/models/NAME`."""
    return openai.model(name, created=created)


def token_count(tokens: int) -> bytes:
    """The answer to `POST /v1/responses/input_tokens`."""
    return msgspec.json.encode({"object": "response.input_tokens", "input_tokens": tokens})


def _numbered(found: Iterable[Fields]) -> list[Fields]:
    return [{"type": fields["type"], "sequence_number": number} | fields for number, fields in enumerate(found)]


def _status(script: Script) -> str:
    return "incomplete" if script.stop in _INCOMPLETE else "completed"


def _response(script: Script, status: str, output: list[Fields]) -> Fields:
    usage = script.usage
    reason = _INCOMPLETE.get(script.stop) if status == "incomplete" else None
    return {
        "id": f"resp_{script.id}",
        "object": "response",
        "created_at": script.created,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": {"reason": reason} if reason else None,
        "instructions": None,
        "max_output_tokens": None,
        "model": script.model,
        "output": output,
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "store": False,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": {
            "input_tokens": usage.input,
            "input_tokens_details": {"cached_tokens": usage.cache_read, "cache_write_tokens": usage.cache_write},
            "output_tokens": usage.output,
            "output_tokens_details": {"reasoning_tokens": usage.reasoning},
            "total_tokens": usage.input + usage.output,
        },
        "user": None,
        "metadata": {},
    }


def _items(script: Script) -> list[Fields]:
    last = len(script.parts) - 1
    return [
        _item(script, index, part, "incomplete" if index == last and script.stop in _INCOMPLETE else "completed")
        for index, part in enumerate(script.parts)
    ]


def _item(script: Script, index: int, part: Part, status: str) -> Fields:
    match part:
        case Text():
            return {
                "id": f"msg_{script.id}{index:02d}",
                "type": "message",
                "status": status,
                "role": "assistant",
                "content": [_content(script, part.text)],
            }
        case Thinking():
            item: Fields = {
                "id": f"rs_{script.id}{index:02d}",
                "type": "reasoning",
                "summary": [{"type": "summary_text", "text": part.text}] if part.text else [],
            }
            return item | {"encrypted_content": part.signature} if part.signature else item
        case ToolCall():
            return {
                "id": f"fc_{script.id}{index:02d}",
                "type": "function_call",
                "status": status,
                "call_id": script.call_id(index, "call_"),
                "name": part.name,
                "arguments": part.arguments,
            }


def _content(script: Script, text: str) -> Fields:
    if script.stop == "refusal":
        return {"type": "refusal", "refusal": text}
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _item_events(script: Script, index: int, part: Part, item: Fields) -> list[Fields]:
    where: Fields = {"item_id": item["id"], "output_index": index}
    opening = dict(item)
    if "status" in opening:
        opening["status"] = "in_progress"
    inner: list[Fields]
    match part:
        case Text():
            opening["content"] = []
            inner = _text_events(script, part.text, where | {"content_index": 0})
        case Thinking():
            opening["summary"] = []
            opening.pop("encrypted_content", None)
            inner = _summary_events(part.text, where | {"summary_index": 0}) if part.text else []
        case ToolCall():
            opening["arguments"] = ""
            name = "response.function_call_arguments"
            inner = [{"type": f"{name}.delta", **where, "delta": piece} for piece in slices(part.arguments)]
            inner.append({"type": f"{name}.done", **where, "arguments": part.arguments})
    return [
        {"type": "response.output_item.added", "output_index": index, "item": opening},
        *inner,
        {"type": "response.output_item.done", "output_index": index, "item": item},
    ]


def _text_events(script: Script, text: str, where: Fields) -> list[Fields]:
    content = _content(script, text)
    extra: Fields
    if content["type"] == "refusal":
        name, key, extra = "response.refusal", "refusal", {}
    else:
        name, key, extra = "response.output_text", "text", {"logprobs": []}
    return [
        {"type": "response.content_part.added", **where, "part": content | {key: ""}},
        *({"type": f"{name}.delta", **where, "delta": piece} | extra for piece in words(text)),
        {"type": f"{name}.done", **where, key: text} | extra,
        {"type": "response.content_part.done", **where, "part": content},
    ]


def _summary_events(text: str, where: Fields) -> list[Fields]:
    part = {"type": "summary_text", "text": text}
    return [
        {"type": "response.reasoning_summary_part.added", **where, "part": part | {"text": ""}},
        *({"type": "response.reasoning_summary_text.delta", **where, "delta": piece} for piece in words(text)),
        {"type": "response.reasoning_summary_text.done", **where, "text": text},
        {"type": "response.reasoning_summary_part.done", **where, "part": part},
    ]
