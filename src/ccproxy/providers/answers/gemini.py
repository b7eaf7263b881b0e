"""Answers as generativelanguage.googleapis.com and Code Assist write them.

Buffered answers are indented JSON. `streamGenerateContent` is SSE with `?alt=sse` (CRLF line ends, no terminator), else
one JSON array that grows. A function call arrives whole. A thought's signature stands on the part after it. With
`envelope` every object is wrapped as Code Assist does: `{"response": …, "traceId": …}`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from ccproxy.providers.answers.script import Script, Text, Thinking, ToolCall, words

Fields = dict[str, Any]

_STOPS = {
    "end": "STOP",
    "max_tokens": "MAX_TOKENS",
    "tool_use": "STOP",
    "stop_sequence": "STOP",
    "refusal": "SAFETY",
    "content_filter": "SAFETY",
}

#: status: (status word, message)
_ERRORS = {
    400: ("INVALID_ARGUMENT", "Request contains an invalid argument."),
    401: ("UNAUTHENTICATED", "Request had invalid authentication credentials."),
    403: ("PERMISSION_DENIED", "The caller does not have permission."),
    404: ("NOT_FOUND", "Requested entity was not found."),
    413: ("INVALID_ARGUMENT", "Request payload size exceeds the limit: 20971520 bytes."),
    429: ("RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."),
    499: ("CANCELLED", "The operation was cancelled."),
    500: ("INTERNAL", "An internal error has occurred."),
    501: ("UNIMPLEMENTED", "The operation is not implemented."),
    503: ("UNAVAILABLE", "The model is overloaded. Please try again later."),
    504: ("DEADLINE_EXCEEDED", "The deadline expired before the operation could complete."),
    529: ("UNAVAILABLE", "The model is overloaded. Please try again later."),
}


def document(script: Script, *, envelope: bool = False) -> bytes:
    """The buffered answer to `:generateContent`."""
    parts = [part for part, _ in _parts(script, split=False)]
    usage = _usage(script, script.usage.output, script.usage.reasoning)
    return _pretty(_wrap(script, _response(script, parts, _STOPS[script.stop], usage), envelope))


def events(script: Script, *, sse: bool = True, envelope: bool = False) -> list[bytes]:
    """The streamed answer to `:streamGenerateContent`, one piece per item: SSE frames, or with `sse=False` the pieces
    of a JSON array."""
    pieces = _parts(script, split=True) or [({"text": ""}, False)]
    objects: list[Fields] = []
    for index, (part, thought) in enumerate(pieces):
        last = index == len(pieces) - 1
        if last:
            usage = _usage(script, script.usage.output, script.usage.reasoning)
        else:
            usage = _usage(script, min(index + 1, script.usage.output), 0)
            if thought:
                usage.pop("candidatesTokenCount")
        response = _response(script, [part], _STOPS[script.stop] if last else "", usage)
        objects.append(_wrap(script, response, envelope))
    if sse:
        return [frame(fields) for fields in objects]
    opened = [(b"[" if index == 0 else b"\n,\r\n") + _pretty(fields).rstrip() for index, fields in enumerate(objects)]
    return [*opened, b"\n]\n"]


def frame(fields: Fields) -> bytes:
    """One SSE frame."""
    return b"data: " + msgspec.json.encode(fields) + b"\r\n\r\n"


def error(
    status: int, kind: str = "", message: str = "", *, details: Sequence[Fields] = (), in_array: bool = False
) -> bytes:
    """An error answer. `kind` overrides the status word; `in_array` is the form of a stream that is a JSON array."""
    fields = _error(status, kind, message, details)
    return _pretty([fields] if in_array else fields)


def error_event(status: int, kind: str = "", message: str = "", *, sse: bool = True) -> bytes:
    """The same inside a stream; with `sse=False` as a further element of the array, which it closes."""
    fields = _error(status, kind, message, ())
    return frame(fields) if sse else b"\n,\r\n" + _pretty(fields).rstrip() + b"\n]\n"


def retry_info(seconds: float) -> Fields:
    """The detail of a 429 or 503 that says when to come back."""
    return {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{seconds:g}s"}


def models(names: Sequence[str]) -> bytes:
    """The answer to `GET /v1beta/models`."""
    return _pretty({"models": [_model(name) for name in names]})


def model(name: str) -> bytes:
    """The answer to `GET /v1beta/models/NAME`."""
    return _pretty(_model(name))


def token_count(tokens: int) -> bytes:
    """The answer to `:countTokens`."""
    return _pretty({"totalTokens": tokens, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens}]})


def _pretty(fields: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(fields), indent=2) + b"\n"


def _model(name: str) -> Fields:
    return {
        "name": f"models/{name}",
        "version": "001",
        "displayName": name,
        "description": "",
        "inputTokenLimit": 1048576,
        "outputTokenLimit": 65536,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
        "temperature": 1,
        "topP": 0.95,
        "topK": 64,
        "maxTemperature": 2,
    }


def _error(status: int, kind: str, message: str, details: Sequence[Fields]) -> Fields:
    fallback = ("INVALID_ARGUMENT" if status < 500 else "INTERNAL", f"Error {status}")
    word, text = _ERRORS.get(status, fallback)
    fields: Fields = {"code": status, "message": message or text, "status": kind or word}
    if details:
        fields["details"] = list(details)
    return {"error": fields}


def _wrap(script: Script, fields: Fields, envelope: bool) -> Fields:
    return {"response": fields, "traceId": script.id[:16]} if envelope else fields


def _response(script: Script, parts: list[Fields], finish: str, usage: Fields) -> Fields:
    candidate: Fields = {"content": {"parts": parts, "role": "model"}}
    if finish:
        candidate["finishReason"] = finish
    candidate["index"] = 0
    return {
        "candidates": [candidate],
        "usageMetadata": usage,
        "modelVersion": script.model,
        "responseId": script.id,
    }


def _usage(script: Script, output: int, reasoning: int) -> Fields:
    usage = script.usage
    fields: Fields = {
        "promptTokenCount": usage.input,
        "candidatesTokenCount": output - reasoning,
        "totalTokenCount": usage.input + output,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": usage.input}],
    }
    if usage.cache_read:
        fields["cachedContentTokenCount"] = usage.cache_read
    if reasoning:
        fields["thoughtsTokenCount"] = reasoning
    return fields


def _parts(script: Script, *, split: bool) -> list[tuple[Fields, bool]]:
    """Parts as Gemini writes them, each with whether it is a thought; with `split` text goes word by word."""
    found: list[tuple[Fields, bool]] = []
    signature = ""
    for part in script.parts:
        match part:
            case Thinking():
                if signature:
                    found.append(({"text": "", "thoughtSignature": signature}, False))
                pieces = words(part.text) if split else [part.text]
                found += [({"text": piece, "thought": True}, True) for piece in pieces if piece]
                signature = part.signature
                continue
            case Text():
                pieces = words(part.text) if split else [part.text]
                fields: list[Fields] = [{"text": piece} for piece in pieces] or [{"text": ""}]
            case ToolCall():
                call: Fields = {"name": part.name, "args": msgspec.Raw(part.arguments.encode() or b"{}")}
                fields = [{"functionCall": {"id": part.id} | call if part.id else call}]
        if signature:
            fields[0]["thoughtSignature"] = signature
            signature = ""
        found += [(field, False) for field in fields]
    if signature:
        found.append(({"text": "", "thoughtSignature": signature}, False))
    return found
