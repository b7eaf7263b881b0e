"""Errors: `{"error": {"message", "type", "param", "code"}}` with a status; `error` and `response.failed` in a stream."""

from __future__ import annotations

from ccproxy.lightllm.dialects.openai_responses.content import NAME
from ccproxy.lightllm.errors import ErrorInfo, ErrorKind, kind_of_status, plain_text_error
from ccproxy.lightllm.ir.parts import JsonObject
from ccproxy.lightllm.jsontext import dumps, loads_or_none

#: Words of `code` and `type`, and what they mean. `code` is asked first, it is the finer one.
_KINDS: dict[str, ErrorKind] = {
    "invalid_api_key": "authentication",
    "authentication_error": "authentication",
    "permission_error": "permission",
    "insufficient_permissions": "permission",
    "model_not_found": "not_found",
    "not_found_error": "not_found",
    "previous_response_not_found": "not_found",
    "billing_error": "billing",
    "billing_not_active": "billing",
    "conflict_error": "conflict",
    "rate_limit_exceeded": "rate_limit",
    "rate_limit_error": "rate_limit",
    "slow_down": "overloaded",
    "server_is_overloaded": "overloaded",
    "overloaded_error": "overloaded",
    "insufficient_quota": "quota",
    "credit_balance_exhausted": "quota",
    "organization_spend_limit_exceeded": "quota",
    "project_spend_limit_exceeded": "quota",
    "organization_usage_limit_exceeded": "quota",
    "usage_limit_reached": "quota",
    "usage_not_included": "quota",
    "server_error": "api",
    "api_error": "api",
    "timeout": "timeout",
    "invalid_request_error": "invalid_request",
    "invalid_prompt": "invalid_request",
    "context_length_exceeded": "invalid_request",
    "bio_policy": "invalid_request",
    "cyber_policy": "invalid_request",
    "flex_unavailable": "overloaded",
}

#: `type` and `code` of an error with a status.
_WORDS: dict[ErrorKind, tuple[str, str | None]] = {
    "invalid_request": ("invalid_request_error", None),
    "authentication": ("invalid_request_error", "invalid_api_key"),
    "billing": ("insufficient_quota", "billing_not_active"),
    "permission": ("permission_error", None),
    "not_found": ("invalid_request_error", "not_found"),
    "conflict": ("conflict_error", None),
    "too_large": ("invalid_request_error", "request_too_large"),
    "rate_limit": ("rate_limit_error", "rate_limit_exceeded"),
    "quota": ("insufficient_quota", "insufficient_quota"),
    "api": ("server_error", None),
    "timeout": ("server_error", "timeout"),
    "overloaded": ("server_error", "server_is_overloaded"),
    "cut": ("server_error", None),
    "unsupported": ("invalid_request_error", "unsupported"),
}

#: `code` inside of a stream, where clients decide by it whether to try again.
_STREAM_CODES: dict[ErrorKind, str] = {
    "invalid_request": "invalid_prompt",
    "too_large": "invalid_prompt",
    "unsupported": "invalid_prompt",
    "not_found": "invalid_prompt",
    "authentication": "invalid_prompt",
    "permission": "invalid_prompt",
    "billing": "insufficient_quota",
    "quota": "insufficient_quota",
    "rate_limit": "rate_limit_exceeded",
    "overloaded": "server_is_overloaded",
    "conflict": "server_error",
    "api": "server_error",
    "timeout": "server_error",
    "cut": "server_error",
}


def decode_error(status: int, body: bytes) -> ErrorInfo:
    """What an answer with an error status (or an error in a 200) says. Never raises."""
    value = loads_or_none(body)
    if isinstance(value, dict) and isinstance(value.get("error"), dict):
        return info_of_object(value["error"], status)
    return plain_text_error(status, body)


def info_of_object(error: JsonObject, status: int = 0) -> ErrorInfo:
    """An error object, from a body or a stream (then `status` is 0)."""
    words = [str(error[name]) for name in ("code", "type") if isinstance(error.get(name), str | int) and error[name]]
    fallback: ErrorKind = kind_of_status(status) if status else "api"
    kind = next((_KINDS[word] for word in words if word in _KINDS), fallback)
    if kind in ("invalid_request", "api") and fallback not in ("invalid_request", "api"):
        # OpenAI's types are coarse: what the status says is finer.
        kind = fallback
    message, code, param = error.get("message"), error.get("code"), error.get("param")
    retry = error.get("resets_in_seconds")
    return ErrorInfo(
        kind,
        message
        if isinstance(message, str) and message
        else f"the provider reported an error without a message ({'/'.join(words)})",
        status,
        code=str(code) if isinstance(code, str | int) else "",
        param=param if isinstance(param, str) else "",
        retry_after=float(retry) if isinstance(retry, int | float) and 0 <= retry < 1e9 else None,
        dialect=NAME,
        details={name: value for name, value in error.items() if name not in ("message", "code", "param")},
    )


def _status(error: ErrorInfo) -> int:
    """OpenAI's clients know no 529."""
    return 503 if error.http_status == 529 else error.http_status


def error_object(error: ErrorInfo) -> JsonObject:
    """The error object of a body."""
    word, code = _WORDS[error.kind]
    if error.dialect == NAME:
        details = dict(error.details)
        word = details.pop("type", None) or word
        return {
            "message": error.message,
            "type": word,
            "param": error.param or None,
            "code": error.code or None,
        } | details
    code = error.code if error.code and not error.dialect else code  # ours
    return {"message": error.message, "type": word, "param": error.param or None, "code": code}


def encode_error(error: ErrorInfo) -> tuple[int, bytes]:
    """Status and body for a client."""
    return _status(error), dumps({"error": error_object(error)})


def stream_code(error: ErrorInfo) -> str:
    """The `code` of an error inside of a stream."""
    return error.code if error.dialect == NAME and error.code else _STREAM_CODES[error.kind]


def error_event(error: ErrorInfo) -> JsonObject:
    """An `error` event: the fields of the reference, and the object that the official clients look for."""
    code, param = stream_code(error), error.param or None
    inner = error_object(error) | {"code": code}
    return {"type": "error", "code": code, "message": error.message, "param": param, "error": inner}


def websocket_error(error: ErrorInfo) -> JsonObject:
    """The message that says on a WebSocket what an HTTP answer says by its status."""
    headers = {} if error.retry_after is None else {"retry-after": f"{error.retry_after:g}"}
    return {"type": "error", "status": _status(error), "error": error_object(error), "headers": headers}
