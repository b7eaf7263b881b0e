"""Answers that ccproxy itself gives, in the shape the client's SDK reads.

An error is a JSON document of the client's dialect with our message inside, or an event of its stream. The shapes are
those of the providers' error pages; `x-ccproxy-error` names the kind for whoever reads the headers.
"""

from __future__ import annotations

from http import HTTPStatus

import msgspec

from ccproxy.errors import CCProxyError, Overloaded, UpstreamError
from ccproxy.exchange.http import Headers

_ANTHROPIC = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}
_OPENAI = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}
_GOOGLE = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def error_document(dialect: str, status: int, kind: str, message: str, flow: str, param: str = "") -> bytes:
    """The body of an error answer. `param` is the field of the request at fault, if one is."""
    return msgspec.json.encode(_error(dialect, status, kind, message, flow, param))


def error_event(dialect: str, status: int, kind: str, message: str, flow: str) -> bytes:
    """An error as the last event of a stream that had already begun."""
    if dialect == "openai_responses":
        data = msgspec.json.encode(
            {"type": "error", "code": kind, "message": message, "param": None, "sequence_number": 0}
        )
        return b"event: error\ndata: " + data + b"\n\n"
    data = error_document(dialect, status, kind, message, flow)
    return (b"event: error\ndata: " if dialect == "anthropic" else b"data: ") + data + b"\n\n"


def error_headers(error: CCProxyError) -> Headers:
    """Header fields of an error answer. Official SDKs repeat any 5xx unless told that it is of no use."""
    headers = Headers([(b"content-type", b"application/json"), (b"x-ccproxy-error", error.kind.encode())])
    if not isinstance(error, UpstreamError | Overloaded):
        headers.add(b"x-should-retry", b"false")
    return headers


def plain_reply(status: int, message: str, hint: str) -> bytes:
    """A whole HTTP/1.1 answer for a request that was too broken to have a dialect."""
    text = f"ccproxy: {message} ({hint})" if hint else f"ccproxy: {message}"
    body = msgspec.json.encode({"error": {"message": text, "type": "invalid_request_error"}})
    head = (
        f"HTTP/1.1 {status} {phrase(status)}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
        "x-ccproxy-error: bad_request\r\nconnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body


def phrase(status: int) -> str:
    """The standard reason phrase of a status, or ""."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _error(dialect: str, status: int, kind: str, message: str, flow: str, param: str) -> dict[str, object]:
    text = f"ccproxy: {message}"
    if dialect == "anthropic":
        inner: dict[str, object] = {"type": _ANTHROPIC.get(status, "api_error"), "message": text}
        if param == "thread":
            # At this code the official SDK goes on by sending the whole conversation.
            inner["details"] = {"error_code": "thread_unsupported_request", "unsupported": []}
        return {"type": "error", "error": inner, "request_id": flow}
    if dialect == "gemini":
        return {"error": {"code": status, "message": text, "status": _GOOGLE.get(status, "INTERNAL")}}
    fallback = "invalid_request_error" if status < 500 else "server_error"
    return {"error": {"message": text, "type": _OPENAI.get(status, fallback), "param": param or None, "code": kind}}
