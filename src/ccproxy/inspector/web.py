"""What the inspector needs of a web framework: requests, answers, routes, and one place where every answer gets the
header fields that keep a browser from doing more with it than show it.

Handlers take a `Request` and give an `Answer`, or an async iterator of bytes for an answer that goes on. Errors of our
own tree become JSON.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote

import msgspec

from ccproxy.errors import BadRequest, CCProxyError
from ccproxy.exchange.http import Headers

type Send = Callable[[dict[str, Any]], Awaitable[None]]
type Receive = Callable[[], Awaitable[dict[str, Any]]]

#: Scripts, styles and images of our own alone; nothing inline, nothing from elsewhere, nowhere to send to.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types 'none'"
)
_SAFE = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
    (b"cache-control", b"no-store"),
)
MAX_BODY = 8192
MAX_QUERY = 8192

_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Request:
    """A request. `path` holds the captured parts of its route's pattern."""

    method: str
    target: str
    headers: Headers
    http_version: str
    body: bytes = b""
    path: tuple[str, ...] = ()
    query: dict[str, str] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """A parameter, or ""."""
        return self.query.get(name, "")

    def number(self, name: str, default: int, *, most: int = 2**53) -> int:
        """A parameter that is a whole number from 0 to `most`. Raises BadRequest."""
        text = self.query.get(name, "")
        if not text:
            return default
        if not re.fullmatch(r"\d{1,16}", text):
            raise BadRequest(f"{name} is not a whole number")
        return min(int(text), most)

    def cookie(self, name: str) -> str:
        """The value of a cookie, or ""."""
        for field_ in self.headers.all(b"cookie"):
            for pair in field_.decode("latin-1").split(";"):
                key, equals, value = pair.strip().partition("=")
                if equals and key == name:
                    return value
        return ""


@dataclass(slots=True)
class Answer:
    """A whole answer."""

    body: bytes = b""
    media_type: str = "application/json"
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


type Result = Answer | AsyncIterator[bytes]
type Handler = Callable[[Request], Awaitable[Result]]


@dataclass(frozen=True, slots=True)
class Route:
    """Which requests a handler is for: `pattern` is matched against the whole decoded path. `open` ones are for
    browsers that are not logged in, too."""

    method: str
    pattern: re.Pattern[str]
    handler: Handler
    open: bool = False


def route(method: str, pattern: str, handler: Handler, *, open_: bool = False) -> Route:
    """A route; `{name}` in `pattern` stands for one segment."""
    return Route(method, re.compile(re.sub(r"\{\w+\}", "([^/]+)", pattern)), handler, open_)


def json_answer(value: object, *, status: int = 200) -> Answer:
    """`value` as JSON."""
    return Answer(_encode(value), status=status)


def error_answer(error: CCProxyError) -> Answer:
    """An error for the page."""
    return json_answer({"error": error.message, "hint": error.hint}, status=error.status)


def parse(scope: Any) -> Request:
    """The request of an ASGI scope, without its body. Raises BadRequest."""
    raw: bytes = scope["raw_path"]
    query: bytes = scope["query_string"]
    if len(query) > MAX_QUERY:
        raise BadRequest("the query is too long", status=414)
    try:
        path = unquote(raw.partition(b"?")[0].decode("ascii"), errors="strict")
        found = parse_qs(query.decode("ascii"), keep_blank_values=True, max_num_fields=50, errors="strict")
    except ValueError as error:
        raise BadRequest("the request target is malformed") from error
    return Request(
        scope["method"],
        path,
        Headers(list(scope["headers"])),
        scope["http_version"],
        query={name: values[-1] for name, values in found.items()},
    )


async def read_body(receive: Receive) -> bytes:
    """The body of a request. Raises BadRequest for one of more than `MAX_BODY` bytes."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise BadRequest("the client left")
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            raise BadRequest("the request body is too large", status=413)
        if not message.get("more_body"):
            return bytes(body)


async def send_answer(answer: Answer, send: Send, *, head: bool = False) -> None:
    """Sends a whole answer."""
    headers = [(b"content-length", b"%d" % len(answer.body))]
    if answer.body or answer.media_type:
        headers.append((b"content-type", answer.media_type.encode()))
    headers += [(name.encode(), value.encode("latin-1")) for name, value in answer.headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": [*headers, *_SAFE]})
    await send({"type": "http.response.body", "body": b"" if head else answer.body})


async def send_stream(chunks: AsyncIterator[bytes], send: Send) -> None:
    """Sends Server-Sent Events as they come. `send` waits while the client does not read."""
    headers = [(b"content-type", b"text/event-stream"), (b"x-accel-buffering", b"no")]
    await send({"type": "http.response.start", "status": 200, "headers": [*headers, *_SAFE]})
    async for chunk in chunks:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
