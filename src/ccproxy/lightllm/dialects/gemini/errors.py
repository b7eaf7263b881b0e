"""Errors: `{"error": {"code", "message", "status", "details"}}`, with a status or inside a stream; streamed arrays wrap
it in a list of one. Source: google.rpc.Status, google.rpc.Code."""

from __future__ import annotations

import re
from typing import Any

from ccproxy.lightllm.dialects.gemini.spelling import NAME
from ccproxy.lightllm.errors import ErrorInfo, ErrorKind, kind_of_status, plain_text_error
from ccproxy.lightllm.ir.parts import JsonObject
from ccproxy.lightllm.jsontext import dumps, loads_or_none

_KINDS: dict[str, ErrorKind] = {
    "INVALID_ARGUMENT": "invalid_request",
    "FAILED_PRECONDITION": "invalid_request",
    "OUT_OF_RANGE": "invalid_request",
    "UNAUTHENTICATED": "authentication",
    "PERMISSION_DENIED": "permission",
    "NOT_FOUND": "not_found",
    "ALREADY_EXISTS": "conflict",
    "ABORTED": "conflict",
    "RESOURCE_EXHAUSTED": "rate_limit",
    "CANCELLED": "timeout",
    "DEADLINE_EXCEEDED": "timeout",
    "UNAVAILABLE": "overloaded",
    "UNIMPLEMENTED": "unsupported",
    "INTERNAL": "api",
    "UNKNOWN": "api",
    "DATA_LOSS": "api",
}

_WORDS: dict[ErrorKind, str] = {
    "invalid_request": "INVALID_ARGUMENT",
    "authentication": "UNAUTHENTICATED",
    "billing": "FAILED_PRECONDITION",
    "permission": "PERMISSION_DENIED",
    "not_found": "NOT_FOUND",
    "conflict": "ABORTED",
    "too_large": "INVALID_ARGUMENT",
    "rate_limit": "RESOURCE_EXHAUSTED",
    "quota": "RESOURCE_EXHAUSTED",
    "api": "INTERNAL",
    "timeout": "DEADLINE_EXCEEDED",
    "overloaded": "UNAVAILABLE",
    "cut": "UNAVAILABLE",
    "unsupported": "UNIMPLEMENTED",
}

#: Reasons of `ErrorInfo` that say more than the status.
_REASONS: dict[str, ErrorKind] = {
    "API_KEY_INVALID": "authentication",
    "API_KEY_SERVICE_BLOCKED": "permission",
    "ACCESS_TOKEN_EXPIRED": "authentication",
    "QUOTA_EXHAUSTED": "quota",
    "INSUFFICIENT_G1_CREDITS_BALANCE": "quota",
    "MODEL_CAPACITY_EXHAUSTED": "overloaded",
    "MODEL_CAPACITY_EXCEEDED": "overloaded",
    "BILLING_DISABLED": "billing",
}

_PREFIX = "type.googleapis.com/google.rpc."
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_RETRY_IN = re.compile(r"Please retry in (\d+(?:\.\d+)?)(ms|s|m|h)\b")


def decode_error(status: int, body: bytes) -> ErrorInfo:
    """What an answer with an error status (or an error in a 200) says. Never raises."""
    error = error_of(loads_or_none(body))
    return plain_text_error(status, body) if error is None else info_of_object(error, status)


def error_of(value: Any) -> JsonObject | None:
    """The error object in a body, a chunk or a list of one; None if there is none."""
    if type(value) is list and value:
        value = value[0]
    if type(value) is not dict:
        return None
    found = value.get("error")
    return found if type(found) is dict else None


def info_of_object(error: JsonObject, status: int) -> ErrorInfo:
    """An error object, from a body or a chunk (then `status` is 0)."""
    word, message, code = error.get("status"), error.get("message"), error.get("code")
    word = word if type(word) is str else ""
    if not status and type(code) is int and 400 <= code <= 599:
        status = code
    kind = _KINDS.get(word) or (kind_of_status(status) if status else "api")
    if status == 413:
        kind = "too_large"
    elif status == 402:
        kind = "billing"
    given = error.get("details")
    details = [item for item in given if type(item) is dict] if type(given) is list else []
    text = message if type(message) is str else ""
    retry_after: float | None = None
    for item in details:
        name = str(item.get("@type", "")).removeprefix(_PREFIX)
        if name == "RetryInfo":
            retry_after = _seconds(item.get("retryDelay"))
        elif name == "ErrorInfo":
            kind = _REASONS.get(str(item.get("reason")), kind)
        elif name == "QuotaFailure" and kind == "rate_limit" and _is_daily(item.get("violations")):
            kind = "quota"
    if retry_after is None and (found := _RETRY_IN.search(text)):
        retry_after = float(found[1]) * _UNITS[found[2]]
    if kind == "rate_limit" and re.search(r"\blimit: 0\b", text):
        kind = "quota"
    return ErrorInfo(
        kind,
        text or f"the provider reported an error without a message ({word})",
        status,
        code=word,
        retry_after=retry_after,
        dialect=NAME,
        details={name: value for name, value in error.items() if name not in ("code", "message", "status")},
    )


def _seconds(value: object) -> float | None:
    """A duration (`34.07s`, `900ms`, `1m30s`) in seconds."""
    found = _DURATION.findall(value) if type(value) is str else []
    return sum(float(number) * _UNITS[unit] for number, unit in found) if found else None


def _is_daily(violations: object) -> bool:
    """Whether a quota that was used up is one of the day."""
    ids = [item.get("quotaId") for item in violations if type(item) is dict] if type(violations) is list else []
    return any(type(one) is str and ("PerDay" in one or "Daily" in one) for one in ids)


def error_object(error: ErrorInfo) -> JsonObject:
    """The body of an error, and the chunk that says it inside a stream."""
    own = error.dialect == NAME
    inner: JsonObject = {
        "code": _status(error),
        "message": error.message,
        "status": error.code if own and error.code else _WORDS[error.kind],
    }
    if own:
        inner |= error.details
    elif error.retry_after is not None:
        inner["details"] = [{"@type": f"{_PREFIX}RetryInfo", "retryDelay": f"{error.retry_after:g}s"}]
    return {"error": inner}


def encode_error(error: ErrorInfo) -> tuple[int, bytes]:
    """Status and body for a Gemini client."""
    return _status(error), dumps(error_object(error))


def _status(error: ErrorInfo) -> int:
    """529 is Anthropic's alone."""
    return 503 if error.http_status == 529 else error.http_status
