"""Answers as api.openai.com writes them (Chat Completions).

A stream is `data:` chunks without event names: the role, the deltas, an empty delta with `finish_reason`, with
`include_usage` one chunk without choices that holds the usage (all others then say `"usage":null`), `[DONE]`.
Reasoning text travels in `reasoning_content`, the field that DeepSeek and other servers of this dialect use.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from ccproxy.providers.answers.script import Script, Text, Thinking, ToolCall, slices, words

DONE = b"data: [DONE]\n\n"

_STOPS = {
    "end": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "stop_sequence": "stop",
    "refusal": "stop",
    "content_filter": "content_filter",
}

#: status: (type, code, message)
_ERRORS: dict[int, tuple[str, str | None, str]] = {
    400: ("invalid_request_error", None, "Invalid request."),
    401: (
        "invalid_request_error",
        "invalid_api_key",
        "Incorrect API key provided. You can find your API key at https://platform.openai.com/account/api-keys.",
    ),
    402: ("billing_error", "billing_not_active", "Your account is not active, please check your billing details."),
    403: ("invalid_request_error", "model_not_allowed", "Project does not have access to the model."),
    404: ("invalid_request_error", "model_not_found", "The model does not exist or you do not have access to it."),
    413: ("invalid_request_error", "request_too_large", "The request body is too large."),
    429: ("requests", "rate_limit_exceeded", "Rate limit reached. Please try again in 1s."),
    500: ("server_error", None, "The server had an error while processing your request. Sorry about that!"),
    503: ("service_unavailable_error", "server_is_overloaded", "Our servers are currently overloaded."),
    529: ("service_unavailable_error", "server_is_overloaded", "Our servers are currently overloaded."),
}


def document(script: Script) -> bytes:
    """The buffered answer to `POST /v1/chat/completions`."""
    said = "".join(part.text for part in script.parts if isinstance(part, Text))
    refused = script.stop == "refusal"
    message: dict[str, Any] = {
        "role": "assistant",
        "content": said if said and not refused else None,
        "refusal": said if refused else None,
        "annotations": [],
    }
    if thought := "".join(part.text for part in script.parts if isinstance(part, Thinking)):
        message["reasoning_content"] = thought
    calls = [
        {
            "id": script.call_id(index, "call_"),
            "type": "function",
            "function": {"name": part.name, "arguments": part.arguments},
        }
        for index, part in enumerate(script.parts)
        if isinstance(part, ToolCall)
    ]
    if calls:
        message["tool_calls"] = calls
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _STOPS[script.stop]}
    return msgspec.json.encode(
        _head(script, "chat.completion")
        | {
            "choices": [choice],
            "usage": _usage(script),
            "service_tier": "default",
            "system_fingerprint": "fp_0000000000",
        }
    )


def events(script: Script, *, include_usage: bool = False) -> list[bytes]:
    """The streamed answer, one SSE frame per item. `include_usage` is the request's `stream_options.include_usage`."""
    deltas = _deltas(script)
    frames = [_chunk(script, delta, None, include_usage) for delta in deltas]
    frames.append(_chunk(script, {}, _STOPS[script.stop], include_usage))
    if include_usage:
        last = _head(script, "chat.completion.chunk") | {"choices": [], "usage": _usage(script)}
        frames.append(frame(last))
    frames.append(DONE)
    return frames


def frame(data: object) -> bytes:
    """One SSE frame."""
    return b"data: " + msgspec.json.encode(data) + b"\n\n"


def error(status: int, kind: str = "", message: str = "", *, param: str | None = None) -> bytes:
    """An error answer. `kind` overrides the `error.code` that belongs to `status`; quota codes get their own type."""
    return msgspec.json.encode({"error": _error(status, kind, message, param)})


def error_event(status: int, kind: str = "", message: str = "") -> bytes:
    """The same inside a stream: a chunk with `error` and without `choices`."""
    return frame({"error": _error(status, kind, message, None)})


def models(names: Sequence[str], *, created: int = 1_700_000_000) -> bytes:
    """The answer to `GET /v1/models`."""
    return msgspec.json.encode({"object": "list", "data": [_model(name, created) for name in names]})


def model(name: str, *, created: int = 1_700_000_000) -> bytes:
    """The answer to `GET /v1/models/NAME`."""
    return msgspec.json.encode(_model(name, created))


def _model(name: str, created: int) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": created, "owned_by": "system"}


def _error(status: int, kind: str, message: str, param: str | None) -> dict[str, Any]:
    fallback = ("invalid_request_error" if status < 500 else "server_error", None, f"Error {status}")
    family, code, text = _ERRORS.get(status, fallback)
    if kind in {"insufficient_quota", "credit_balance_exhausted"}:
        family = "insufficient_quota"
    return {"message": message or text, "type": family, "param": param, "code": kind or code}


def _head(script: Script, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{script.id}", "object": kind, "created": script.created, "model": script.model}


def _usage(script: Script) -> dict[str, Any]:
    usage = script.usage
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": {
            "cached_tokens": usage.cache_read,
            "cache_write_tokens": usage.cache_write,
            "audio_tokens": 0,
        },
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _chunk(script: Script, delta: dict[str, Any], finish: str | None, include_usage: bool) -> bytes:
    fields = _head(script, "chat.completion.chunk") | {
        "service_tier": "default",
        "system_fingerprint": "fp_0000000000",
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
    }
    return frame(fields | {"usage": None} if include_usage else fields)


def _deltas(script: Script) -> list[dict[str, Any]]:
    has_text = any(isinstance(part, Text) for part in script.parts)
    spoken = "refusal" if script.stop == "refusal" else "content"
    first: dict[str, Any] = {"role": "assistant", "content": "" if has_text else None, "refusal": None}
    deltas = [first]
    calls = 0
    for index, part in enumerate(script.parts):
        match part:
            case Text():
                deltas += [{spoken: piece} for piece in words(part.text)]
            case Thinking():
                deltas += [{"reasoning_content": piece} for piece in words(part.text)]
            case ToolCall():
                opening = {
                    "index": calls,
                    "id": script.call_id(index, "call_"),
                    "type": "function",
                    "function": {"name": part.name, "arguments": ""},
                }
                deltas.append({"tool_calls": [opening]})
                deltas += [
                    {"tool_calls": [{"index": calls, "function": {"arguments": piece}}]}
                    for piece in slices(part.arguments)
                ]
                calls += 1
    return deltas
