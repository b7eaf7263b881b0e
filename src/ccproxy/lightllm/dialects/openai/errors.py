"""Errors: `{"error": {"message", "type", "param", "code"}}`, with a status, inside a stream, or inside of a 200.

Servers that speak this dialect have further forms: a code that is the HTTP status (OpenRouter), the error's fields at
the top (`object: error`; DashScope), FastAPI's `detail`, a list of one (Google).
"""

from __future__ import annotations

import re

from ccproxy.lightllm.dialects.openai.spelling import NAME
from ccproxy.lightllm.errors import ZAI_QUOTA, ErrorInfo, ErrorKind, kind_of_status, plain_text_error
from ccproxy.lightllm.ir.parts import JsonObject
from ccproxy.lightllm.jsontext import dumps, loads_or_none

#: Words that say what it is, whatever the status. Codes are looked up before types.
_KINDS: dict[str, ErrorKind] = {
    "invalid_api_key": "authentication",
    "authentication_error": "authentication",
    "billing_not_active": "billing",
    "billing_error": "billing",
    "insufficient_balance": "billing",
    "permission_error": "permission",
    "permission_denied": "permission",
    "model_not_found": "not_found",
    "not_found_error": "not_found",
    "conflict_error": "conflict",
    "request_too_large": "too_large",
    "context_length_exceeded": "invalid_request",
    "content_policy_violation": "invalid_request",
    "content_filter": "invalid_request",
    "rate_limit_exceeded": "rate_limit",
    "rate_limit_error": "rate_limit",
    "slow_down": "rate_limit",
    "requests": "rate_limit",
    "tokens": "rate_limit",
    "insufficient_quota": "quota",
    "credit_balance_exhausted": "quota",
    "billing_hard_limit_reached": "quota",
    "usage_limit_reached": "quota",
    "usage_not_included": "quota",
    "exceeded_current_quota_error": "quota",
    "Arrearage": "billing",
    "engine_overloaded_error": "overloaded",
    "server_is_overloaded": "overloaded",
    "service_unavailable_error": "overloaded",
    "overloaded_error": "overloaded",
    "timeout": "timeout",
    "timeout_error": "timeout",
    "upstream_cut": "cut",
    "unsupported": "unsupported",
}

#: Types that OpenAI uses for several things: the status knows better.
_BROAD: dict[str, ErrorKind] = {
    "invalid_request_error": "invalid_request",
    "server_error": "api",
    "api_error": "api",
    "internal_server_error": "api",
}

#: Fields beside those of an error that is not in an object of its own.
_AROUND = ("object", "request_id")

_QUOTA_ENDS = ("_spend_limit_exceeded", "_usage_limit_exceeded")

#: Type and code for errors of other dialects and ours.
_WORDS: dict[ErrorKind, tuple[str, str | None]] = {
    "invalid_request": ("invalid_request_error", None),
    "authentication": ("authentication_error", "invalid_api_key"),
    "billing": ("billing_error", "billing_not_active"),
    "permission": ("permission_error", "permission_denied"),
    "not_found": ("not_found_error", None),
    "conflict": ("conflict_error", None),
    "too_large": ("invalid_request_error", "request_too_large"),
    "rate_limit": ("rate_limit_error", "rate_limit_exceeded"),
    "quota": ("insufficient_quota", "insufficient_quota"),
    "api": ("server_error", None),
    "timeout": ("timeout_error", "timeout"),
    "overloaded": ("service_unavailable_error", "server_is_overloaded"),
    "cut": ("server_error", "upstream_cut"),
    "unsupported": ("invalid_request_error", "unsupported"),
}

_WAIT = re.compile(r"try again in (?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)\s?(ms|s))?", re.IGNORECASE)


def decode_error(status: int, body: bytes) -> ErrorInfo:
    """What an answer with an error status (or an error in a 200) says. Never raises."""
    value = loads_or_none(body)
    if type(value) is list and len(value) == 1:
        value = value[0]
    if type(value) is dict and is_error(value):
        return info_of_object(value, status)
    return plain_text_error(status, body)


def is_error(value: JsonObject) -> bool:
    """Whether an object is one of the forms of an error."""
    if type(value.get("error")) is dict:
        return True
    return value.get("object") == "error" or (type(value.get("message")) is str and "code" in value)


def info_of_object(value: JsonObject, status: int) -> ErrorInfo:
    """An error object, from a body or a frame of a stream (then `status` is 0)."""
    given = value.get("error")
    if type(given) is str:
        given = {"message": given}
    error: JsonObject = given if type(given) is dict else {name: x for name, x in value.items() if name not in _AROUND}
    code, word, message = error.get("code"), error.get("type"), error.get("message")
    if not status and (number := _status_of(code)):
        status = number
    text = message if type(message) is str and message else _deeper(error)
    param, request_id = error.get("param"), value.get("request_id")
    return ErrorInfo(
        _kind(code, word, status),
        text or f"the provider reported an error without a message ({code or word})",
        status,
        code=code if type(code) is str and code else (word if type(word) is str else ""),
        param=param if type(param) is str else "",
        request_id=request_id if type(request_id) is str else "",
        retry_after=_wait(text),
        dialect=NAME,
        details={name: found for name, found in error.items() if name != "message"},
    )


def _status_of(code: object) -> int:
    """The HTTP status that some servers give as the code, or 0."""
    if type(code) is str and code.isascii() and code.isdigit() and len(code) == 3:
        code = int(code)
    return code if type(code) is int and 400 <= code < 600 else 0


def _kind(code: object, word: object, status: int) -> ErrorKind:
    for found in (code, word):
        if type(found) is str:
            if found in _KINDS:
                return _KINDS[found]
            if found.endswith(_QUOTA_ENDS) or found in ZAI_QUOTA:
                return "quota"
    if status:
        return kind_of_status(status)
    return _BROAD.get(word, "api") if type(word) is str else "api"


def _deeper(error: JsonObject) -> str:
    """The message of the provider behind a router."""
    metadata = error.get("metadata")
    raw = metadata.get("raw") if type(metadata) is dict else None
    return raw if type(raw) is str else ""


def _wait(text: str) -> float | None:
    """Seconds to wait, where the message says so."""
    found = _WAIT.search(text)
    if found is None or not any(found.group(1, 2, 3)):
        return None
    hours, minutes, amount, unit = found.groups()
    seconds = float(amount or 0) / (1000 if unit and unit.lower() == "ms" else 1)
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + seconds


def error_object(error: ErrorInfo) -> JsonObject:
    """The error object of a body and of a stream's last frame."""
    if error.dialect == NAME and error.details:
        inner: JsonObject = {"message": error.message, **error.details}
    else:
        word, code = _WORDS[error.kind]
        code = error.code if error.code and not error.dialect else code  # ours
        inner = {"message": error.message, "type": word, "param": error.param or None, "code": code}
    written: JsonObject = {"error": inner}
    if error.request_id and error.dialect == NAME:
        written["request_id"] = error.request_id
    return written


def encode_error(error: ErrorInfo) -> tuple[int, bytes]:
    """Status and body for a client of this dialect; Anthropic's own 529 is 503 here."""
    status = error.http_status
    return 503 if status == 529 else status, dumps(error_object(error))
