"""Answers as api.anthropic.com writes them (Messages).

Buffered answers are one compact JSON object. A stream is `message_start`, the blocks one after the other (each
`content_block_start`, deltas, `content_block_stop`), `message_delta` with stop reason and final usage,
`message_stop`; one `ping` follows the first block start. Cached input is counted apart from `input_tokens`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from ccproxy.providers.answers.script import Part, Script, Text, Thinking, ToolCall, slices, words

_STOPS = {
    "end": "end_turn",
    "max_tokens": "max_tokens",
    "tool_use": "tool_use",
    "stop_sequence": "stop_sequence",
    "refusal": "refusal",
    "content_filter": "refusal",
}

_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}

_MESSAGES = {
    400: "messages: at least one message is required",
    401: "invalid x-api-key",
    403: "Your API key does not have permission to use the specified resource.",
    404: "Not found",
    413: "Request exceeds the maximum size",
    429: "This request would exceed your organization's rate limit. Please try again later.",
    500: "Internal server error",
    503: "Overloaded",
    529: "Overloaded",
}


def document(script: Script) -> bytes:
    """The buffered answer to `POST /v1/messages`."""
    content = [_block(script, index, part) for index, part in enumerate(script.parts)]
    usage = _input_usage(script) | _output_usage(script)
    return msgspec.json.encode(_message(script, content, usage) | _ending(script))


def events(script: Script) -> list[bytes]:
    """The streamed answer, one SSE frame per item."""
    start = _message(script, [], _input_usage(script) | {"output_tokens": min(1, script.usage.output)})
    frames = [frame("message_start", {"message": start | {"stop_reason": None, "stop_sequence": None}})]
    for index, part in enumerate(script.parts):
        frames += _block_events(script, index, part)
        if index == 0:
            frames.insert(2, frame("ping", {}))
    usage = _input_usage(script) | _output_usage(script)
    frames.append(frame("message_delta", {"delta": _ending(script), "usage": usage}))
    frames.append(frame("message_stop", {}))
    return frames


def frame(name: str, fields: dict[str, Any]) -> bytes:
    """One SSE frame; `fields` follow the `type`."""
    return b"event: " + name.encode() + b"\ndata: " + msgspec.json.encode({"type": name} | fields) + b"\n\n"


def error(status: int, kind: str = "", message: str = "", *, request_id: str = "req_000000000000000000000000") -> bytes:
    """An error answer. `kind` overrides the `error.type` that belongs to `status`."""
    return msgspec.json.encode(_error(status, kind, message) | {"request_id": request_id})


def error_event(status: int, kind: str = "", message: str = "") -> bytes:
    """The same inside a stream."""
    fields = _error(status, kind, message)
    return frame("error", {"error": fields["error"]})


def models(names: Sequence[str], *, created: int = 1_700_000_000) -> bytes:
    """The answer to `GET /v1/models`."""
    return msgspec.json.encode(
        {
            "data": [_model(name, created) for name in names],
            "has_more": False,
            "first_id": names[0] if names else None,
            "last_id": names[-1] if names else None,
        }
    )


def model(name: str, *, created: int = 1_700_000_000) -> bytes:
    """The answer to `GET /v1/models/NAME`."""
    return msgspec.json.encode(_model(name, created))


def token_count(tokens: int) -> bytes:
    """The answer to `POST /v1/messages/count_tokens`."""
    return msgspec.json.encode({"input_tokens": tokens})


def _model(name: str, created: int) -> dict[str, Any]:
    return {
        "type": "model",
        "id": name,
        "display_name": name,
        "created_at": datetime.fromtimestamp(created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "lifecycle": "active",
    }


def _error(status: int, kind: str, message: str) -> dict[str, Any]:
    fallback = "invalid_request_error" if status < 500 else "api_error"
    text = message or _MESSAGES.get(status, f"Error {status}")
    return {"type": "error", "error": {"type": kind or _KINDS.get(status, fallback), "message": text}}


def _message(script: Script, content: list[dict[str, Any]], usage: dict[str, Any]) -> dict[str, Any]:
    return {
        "model": script.model,
        "id": f"msg_{script.id}",
        "type": "message",
        "role": "assistant",
        "content": content,
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }


def _ending(script: Script) -> dict[str, Any]:
    ending: dict[str, Any] = {
        "stop_reason": _STOPS[script.stop],
        "stop_sequence": script.stop_sequence if script.stop == "stop_sequence" else None,
    }
    if ending["stop_reason"] == "refusal":
        ending["stop_details"] = {"type": "refusal", "category": None, "explanation": None}
    return ending


def _input_usage(script: Script) -> dict[str, Any]:
    usage = script.usage
    return {
        "input_tokens": usage.input - usage.cache_read - usage.cache_write,
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cache_read,
        "cache_creation": {"ephemeral_5m_input_tokens": usage.cache_write, "ephemeral_1h_input_tokens": 0},
        "service_tier": "standard",
    }


def _output_usage(script: Script) -> dict[str, Any]:
    fields: dict[str, Any] = {"output_tokens": script.usage.output}
    if script.usage.reasoning:
        fields["output_tokens_details"] = {"thinking_tokens": script.usage.reasoning}
    return fields


def _block(script: Script, index: int, part: Part) -> dict[str, Any]:
    match part:
        case Text():
            return {"type": "text", "text": part.text}
        case Thinking():
            return {"type": "thinking", "thinking": part.text, "signature": part.signature}
        case ToolCall():
            return {
                "type": "tool_use",
                "id": script.call_id(index, "toolu_"),
                "name": part.name,
                "input": msgspec.Raw(part.arguments.encode() or b"{}"),
            }


def _block_events(script: Script, index: int, part: Part) -> list[bytes]:
    opening = _block(script, index, part)
    deltas: list[dict[str, Any]]
    match part:
        case Text():
            opening["text"] = ""
            deltas = [{"type": "text_delta", "text": piece} for piece in words(part.text)]
        case Thinking():
            opening |= {"thinking": "", "signature": ""}
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in words(part.text)]
            if part.signature:
                deltas.append({"type": "signature_delta", "signature": part.signature})
        case ToolCall():
            opening["input"] = {}
            pieces = ["", *slices(part.arguments)]
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    return [
        frame("content_block_start", {"index": index, "content_block": opening}),
        *(frame("content_block_delta", {"index": index, "delta": delta}) for delta in deltas),
        frame("content_block_stop", {"index": index}),
    ]
