"""Errors: `{"type": "error", "error": {"type", "message"}}`, with a status or inside a stream."""

from __future__ import annotations

from ccproxy.lightllm.dialects.anthropic.read import NAME
from ccproxy.lightllm.errors import ZAI_QUOTA, ErrorInfo, ErrorKind, kind_of_status, plain_text_error
from ccproxy.lightllm.ir.parts import JsonObject
from ccproxy.lightllm.jsontext import dumps, loads_or_none

_KINDS: dict[str, ErrorKind] = {
    "invalid_request_error": "invalid_request",
    "authentication_error": "authentication",
    "billing_error": "billing",
    "permission_error": "permission",
    "not_found_error": "not_found",
    "conflict_error": "conflict",
    "request_too_large": "too_large",
    "rate_limit_error": "rate_limit",
    "api_error": "api",
    "timeout_error": "timeout",
    "overloaded_error": "overloaded",
}

_TYPES: dict[ErrorKind, str] = {kind: word for word, kind in _KINDS.items()} | {
    "quota": "rate_limit_error",
    "cut": "api_error",
    "unsupported": "invalid_request_error",
}

#: Codes in `details` of limits that waiting does not lift.
_QUOTA_CODES = ("spend_limit", "quota", "credit")


def decode_error(status: int, body: bytes) -> ErrorInfo:
    """What an answer with an error status (or an error in a 200) says. Never raises."""
    value = loads_or_none(body)
    if isinstance(value, dict) and isinstance(value.get("error"), dict):
        return info_of_object(value, status)
    return plain_text_error(status, body)


def info_of_object(value: JsonObject, status: int) -> ErrorInfo:
    """An error object, from a body or an `error` event (then `status` is 0)."""
    error = value.get("error")
    error = error if isinstance(error, dict) else {}
    word, message = error.get("type"), error.get("message")
    details = error.get("details")
    details = details if isinstance(details, dict) else {}
    fallback: ErrorKind = kind_of_status(status) if status else "api"
    kind = _KINDS.get(word, fallback) if isinstance(word, str) else fallback
    code = details.get("error_code")
    if kind == "rate_limit" and isinstance(code, str) and any(part in code for part in _QUOTA_CODES):
        kind = "quota"
    if ZAI_QUOTA & {found for found in (word, error.get("code")) if isinstance(found, str)}:
        kind = "quota"
    request_id = value.get("request_id")
    return ErrorInfo(
        kind,
        message if isinstance(message, str) else f"the provider reported an error without a message ({word})",
        status or (529 if kind == "overloaded" else 0),
        code=word if isinstance(word, str) else "",
        request_id=request_id if isinstance(request_id, str) else "",
        dialect=NAME,
        details=details,
    )


def error_object(error: ErrorInfo) -> JsonObject:
    """The error object of a body and of an `error` event."""
    own = error.dialect == NAME
    word = error.code if own and error.code else _TYPES[error.kind]
    inner: JsonObject = {"type": word, "message": error.message}
    if own and error.details:
        inner["details"] = error.details
    if error.param == "thread" and not own:
        # At this code the official SDK goes on by sending the whole conversation.
        inner["details"] = {"error_code": "thread_unsupported_request", "unsupported": []}
    written: JsonObject = {"type": "error", "error": inner}
    if error.request_id:
        written["request_id"] = error.request_id
    return written


def encode_error(error: ErrorInfo) -> tuple[int, bytes]:
    """Status and body for an Anthropic client."""
    return error.http_status, dumps(error_object(error))
