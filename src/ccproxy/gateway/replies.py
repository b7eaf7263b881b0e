"""Answers that ccproxy itself gives, in the shape the client's SDK reads.

An error is a value that the client's dialect writes, as it writes a provider's (`lightllm.errors`), with our word before
the message; a client of no known dialect gets OpenAI's shape. `x-ccproxy-error` names the kind for whoever reads the
headers.
"""

from __future__ import annotations

from http import HTTPStatus

import msgspec

from ccproxy.errors import CCProxyError, Overloaded, UpstreamError
from ccproxy.exchange.http import Headers
from ccproxy.lightllm.dialect import Context, Dialect
from ccproxy.lightllm.errors import ErrorInfo, info_of
from ccproxy.lightllm.ir.events import Failed
from ccproxy.lightllm.jsontext import dumps
from ccproxy.lightllm.registry import Registry
from ccproxy.lightllm.sse import sse_event


def error_document(dialects: Registry, dialect: str, error: CCProxyError, flow: str) -> bytes:
    """The body of an error answer, for a client of `dialect`. `flow` is the id of the exchange."""
    return _of(dialects, dialect).encode_error(_told(error, flow))[1]


def error_event(dialects: Registry, dialect: str, error: CCProxyError, flow: str) -> bytes:
    """An error as the last events of a stream that had already begun."""
    frames = _of(dialects, dialect).encoder(Context()).event(Failed(_told(error, flow)))
    return b"".join(sse_event(frame.name, dumps(frame.data)) for frame in frames)


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


def _of(dialects: Registry, name: str) -> Dialect:
    return dialects.get(name if name in dialects else "openai")


def _told(error: CCProxyError, flow: str) -> ErrorInfo:
    return msgspec.structs.replace(info_of(error), message=f"ccproxy: {error}", request_id=flow)
