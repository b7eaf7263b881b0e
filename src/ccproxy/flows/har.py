"""Flows as a HAR 1.2 file: what browsers' developer tools, Charles and Fiddler open.

Each flow is a page with two entries: the forwarded request with the provider's answer, then the client's request with
the answer that the client got. Of a flow of which nothing was forwarded both entries are the client's, so that entry 2i
always belongs to page i. Entries come before pages in the file: it is made flow by flow, in the memory of one. What HAR
has no place for is in `_ccproxy`; the messages of a WebSocket are where Chrome puts them.

Times follow the specification (http://www.softwareishard.com/blog/har-12-spec/): milliseconds, -1 for phases that are
not known, 0 where the specification wants a number all the same; `time` is the sum of the known phases.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from http.cookies import CookieError, SimpleCookie
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

import msgspec

from ccproxy import __version__
from ccproxy.flows import coding
from ccproxy.flows.model import Flow, Message, RequestRecord, ResponseRecord, WebSocketRecord
from ccproxy.flows.views import flow_json

Json = dict[str, Any]
Side = Literal["forwarded", "client"]

#: Members of `.ccproxy` in a flow's JSON that are entries of their own here.
_ELSEWHERE = ("client_request", "client_response")


def is_http(flow: Flow) -> bool:
    """Whether a flow can stand in a HAR file: what a jail sent over bare TCP or UDP cannot."""
    return flow.request.scheme not in {"tcp", "udp"}


def write(flows: Iterable[Flow]) -> Iterator[bytes]:
    """The file, piece by piece. `flows` are whole ones, as they shall leave (`sanitise`), and HTTP (`is_http`)."""
    creator = {"name": "ccproxy", "version": __version__}
    yield b'{"log":{"version":"1.2","creator":' + msgspec.json.encode(creator) + b',"entries":[\n'
    pages: list[bytes] = []
    for flow in flows:
        if pages:
            yield b",\n"
        pages.append(msgspec.json.encode(_page(flow)))
        yield b",\n".join(msgspec.json.encode(entry) for entry in entries(flow))
    yield b'\n],"pages":[\n' + b",\n".join(pages) + b"\n]}}\n"


def entries(flow: Flow) -> tuple[Json, Json]:
    """The two entries of a flow, forwarded and client."""
    return _entry(flow, "forwarded"), _entry(flow, "client")


def _page(flow: Flow) -> Json:
    request = flow.forwarded or flow.request
    return {
        "startedDateTime": _moment(flow.started),
        "id": flow.id,
        "title": " ".join(part for part in (request.method, request.url, flow.model) if part),
        "pageTimings": {"onContentLoad": -1, "onLoad": round(flow.duration * 1000, 3)},
    }


def _entry(flow: Flow, side: Side) -> Json:
    request = flow.request if side == "client" else flow.forwarded or flow.request
    response = (flow.answer or flow.response) if side == "client" else flow.response
    timings = _timings(request, response)
    entry: Json = {
        "pageref": flow.id,
        "startedDateTime": _moment(request.timestamp_start or flow.started),
        "time": round(sum(value for value in timings.values() if value > 0), 3),
        "request": _request(request),
        "response": _no_response(flow.error) if response is None else _response(response),
        "cache": {},
        "timings": timings,
        "_resourceType": "websocket" if flow.websocket is not None else "fetch",
        "_ccproxy": _ours(flow, side, request, response),
    }
    if side == "client":
        entry["comment"] = "what the client sent, and the answer it got"
        entry["connection"] = str(flow.client_port)
    elif flow.forwarded is None:
        entry["comment"] = "nothing was forwarded: this is the client's request"
    else:
        entry["comment"] = "what went to the provider, and its answer"
    if flow.websocket is not None:
        entry["_webSocketMessages"] = _messages(flow.websocket)
    return entry


def _ours(flow: Flow, side: Side, request: RequestRecord, response: ResponseRecord | None) -> Json:
    document: Json = {"flow": flow.id, "side": side, "forwarded": flow.forwarded is not None}
    document |= {name: value for name, value in flow_json(flow)["ccproxy"].items() if name not in _ELSEWHERE}
    document["error"] = flow.error
    document["request"] = {"truncated": request.truncated, "redacted": request.redacted}
    if response is not None:
        document["response"] = {"truncated": response.truncated, "redacted": response.redacted}
    if (record := flow.websocket) is not None:
        document["websocket"] = {"count": record.count, "truncated": record.truncated, "redacted": record.redacted}
    return document


def _timings(request: RequestRecord, response: ResponseRecord | None) -> dict[str, float]:
    sent = request.timestamp_end or request.timestamp_start
    first = last = 0.0
    if response is not None:
        first = response.timestamp_start
        last = response.timestamp_end
    return {
        "blocked": -1,
        "dns": -1,
        "connect": -1,
        "ssl": -1,
        "send": _between(request.timestamp_start, sent),
        "wait": _between(sent, first),
        "receive": _between(first, last),
    }


def _between(begin: float, end: float) -> float:
    """Milliseconds; 0 if one of the moments is not known."""
    return round(max(0.0, end - begin) * 1000, 3) if begin and end else 0


def _request(request: RequestRecord) -> Json:
    document: Json = {
        "method": request.method,
        "url": request.url,
        "httpVersion": f"HTTP/{request.http_version}",
        "cookies": _cookies(request, "cookie"),
        "headers": _headers(request),
        "queryString": _pairs(urlsplit(request.target).query),
        "headersSize": -1,
        "bodySize": request.size,
    }
    if request.body or request.size:
        document["postData"] = _post_data(request)
    return document


def _post_data(request: RequestRecord) -> Json:
    mime = request.header("content-type")
    text, encoding = _text(_decoded(request))
    document: Json = {"mimeType": mime, "text": text}
    if encoding:  # the specification has no place for it here; Chrome writes it so
        document["_encoding"] = encoding
    elif "form-urlencoded" in mime:
        document["params"] = _pairs(text)
    return document


def _response(response: ResponseRecord) -> Json:
    body = _decoded(response)
    text, encoding = _text(body)
    content: Json = {
        "size": response.size if body is response.body else len(body),
        "mimeType": response.header("content-type") or "x-unknown",
        "text": text,
    }
    if encoding:
        content["encoding"] = encoding
    if coding.codings(response.header("content-encoding")):
        content["compression"] = content["size"] - response.size
    return {
        "status": response.status,
        "statusText": response.reason,
        "httpVersion": f"HTTP/{response.http_version}",
        "cookies": _cookies(response, "set-cookie"),
        "headers": _headers(response),
        "content": content,
        "redirectURL": response.header("location"),
        "headersSize": -1,
        "bodySize": response.size,
        "_transferSize": response.size,
    }


def _no_response(error: str) -> Json:
    """As Chrome writes a request that was not answered."""
    return {
        "status": 0,
        "statusText": "",
        "httpVersion": "",
        "cookies": [],
        "headers": [],
        "content": {"size": 0, "mimeType": "x-unknown"},
        "redirectURL": "",
        "headersSize": -1,
        "bodySize": -1,
        "_transferSize": 0,
        "_error": error or "no answer",
    }


def _decoded(message: Message) -> bytes:
    """A body without its content coding; as it is if it has none, or one that is not known."""
    decoded = coding.decode(message.body, message.header("content-encoding"))
    return message.body if decoded is None else decoded.data


def _text(body: bytes) -> tuple[str, str]:
    """A body as text, and "base64" if it is none."""
    try:
        return body.decode(), ""
    except UnicodeDecodeError:
        return b64encode(body).decode(), "base64"


def _headers(message: Message) -> list[Json]:
    return [{"name": name, "value": value} for name, value in message.headers]


def _pairs(query: str) -> list[Json]:
    return [{"name": name, "value": value} for name, value in parse_qsl(query, keep_blank_values=True)]


def _cookies(message: Message, field: str) -> list[Json]:
    found: list[Json] = []
    for name, value in message.headers:
        if name.lower() != field:
            continue
        jar: SimpleCookie = SimpleCookie()
        try:
            jar.load(value)
        except CookieError:
            continue
        found += [{"name": cookie.key, "value": cookie.value} for cookie in jar.values()]
    return found


def _messages(record: WebSocketRecord) -> list[Json]:
    return [
        {
            "type": "send" if message.from_client else "receive",
            "time": message.at,
            "opcode": 1 if message.text else 2,
            "data": message.body.decode("utf-8", "replace") if message.text else b64encode(message.body).decode(),
        }
        for message in record.messages
    ]


def _moment(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
