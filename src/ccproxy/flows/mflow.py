"""Flows as mitmproxy keeps them, for `mitmweb -r`, `mitmdump -r` and everything that reads its files.

A file is flow after flow, each a dictionary written as a tnetstring: length, colon, data, and a byte for the type.
The members are those of mitmproxy's flow format 21 (mitmproxy 11 and later read it, later ones upgrade it themselves).
mitmproxy itself is not imported: it takes a second. The request is the forwarded one, else the client's; what only
ccproxy knows stands in the comment, and as JSON in `metadata["ccproxy"]`.
"""

from __future__ import annotations

import uuid
from typing import Any

import msgspec

from ccproxy.flows.model import Flow, Message, RequestRecord, ResponseRecord, WebSocketRecord
from ccproxy.flows.views import flow_json

FORMAT = 21
_TEXT, _BINARY = 1, 2
#: Where the ids of flows are turned into the UUIDs that mitmproxy's tools expect.
_NAMESPACE = uuid.UUID("6c1f7d4e-0d1c-5b0e-9a3c-63637078f10a")

State = dict[str, Any]


def dumps(flow: Flow, *, client: bool = False) -> bytes:
    """A flow as it stands in a file.

    Args:
        client: the client's request and answer in place of the forwarded ones.
    """
    return tnetstring(state(flow, client=client))


def state(flow: Flow, *, client: bool = False) -> State:
    """A flow as mitmproxy's `Flow.get_state` gives it."""
    request = flow.request if client else flow.forwarded or flow.request
    response = (flow.answer or flow.response) if client else flow.response
    document = {
        "version": FORMAT,
        "id": str(uuid.uuid5(_NAMESPACE, flow.id)),
        "error": {"msg": flow.error, "timestamp": flow.started + flow.duration} if flow.error else None,
        "client_conn": _client(flow),
        "server_conn": _server(flow, request),
        "intercepted": False,
        "is_replay": None,
        "marked": "",
        "comment": _comment(flow),
        "metadata": {"ccproxy": msgspec.json.encode(flow_json(flow)["ccproxy"]).decode()},
        "timestamp_created": flow.started,
        "backup": None,
    }
    if request.scheme in {"tcp", "udp"}:
        return document | {"type": request.scheme, "messages": []}
    return document | {
        "type": "http",
        "request": _request(request),
        "response": None if response is None else _response(response, flow),
        "websocket": None if flow.websocket is None else _websocket(flow.websocket, flow),
    }


def _comment(flow: Flow) -> str:
    parts = [f"ccproxy flow {flow.id}", flow.provider and f"provider {flow.provider}", flow.reason]
    if flow.upstream_dialect:
        parts.append(f"{flow.dialect} to {flow.upstream_dialect}")
    for name, message in (("request", flow.forwarded or flow.request), ("answer", flow.response)):
        if message is not None and message.truncated:
            parts.append(f"only the beginning of the {name}'s body was recorded")
    return "; ".join(part for part in parts if part)


def _connection(name: str) -> State:
    return {
        "id": str(uuid.uuid5(_NAMESPACE, name)),
        "transport_protocol": "tcp",
        "error": None,
        "tls": False,
        "certificate_list": [],
        "alpn": None,
        "alpn_offers": [],
        "cipher": None,
        "cipher_list": [],
        "tls_version": None,
        "sni": None,
        "timestamp_end": None,
        "timestamp_tls_setup": None,
    }


def _client(flow: Flow) -> State:
    # Requests of one client's port are shown as one connection.
    document = _connection(f"client {flow.client_address} {flow.client_port}") | {
        "peername": (flow.client_address or "127.0.0.1", flow.client_port),
        "sockname": (flow.request.host or "127.0.0.1", flow.request.port),
        "timestamp_start": flow.started,
        "mitmcert": None,
        "proxy_mode": "regular",
    }
    if flow.request.scheme == "udp":
        document["transport_protocol"] = "udp"
    return document


def _server(flow: Flow, request: RequestRecord) -> State:
    secure = request.scheme in {"https", "wss"}
    forwarded = flow.forwarded is not None
    return _connection(f"server {flow.id}") | {
        "address": (request.host, request.port) if forwarded else None,
        "peername": None,
        "sockname": None,
        "sni": request.host if secure and forwarded else None,
        "tls": secure and forwarded,
        "transport_protocol": "udp" if request.scheme == "udp" else "tcp",
        "timestamp_start": request.timestamp_start or None if forwarded else None,
        "timestamp_tcp_setup": None,
        "via": None,
    }


def _message(message: Message) -> State:
    return {
        "http_version": f"HTTP/{message.http_version}".encode(),
        "headers": [(_latin(name), _latin(value)) for name, value in message.headers],
        "content": message.body,
        "trailers": None,
    }


def _request(request: RequestRecord) -> State:
    authority = request.url.partition("://")[2].partition("/")[0]
    return _message(request) | {
        "host": request.host,
        "port": request.port,
        "method": _latin(request.method),
        "scheme": _latin(request.scheme),
        "authority": _latin(authority) if request.http_version.startswith(("2", "3")) else b"",
        "path": _latin(request.target),
        "timestamp_start": request.timestamp_start,
        "timestamp_end": request.timestamp_end or None,
    }


def _response(response: ResponseRecord, flow: Flow) -> State:
    return _message(response) | {
        "status_code": response.status,
        "reason": _latin(response.reason),
        "timestamp_start": response.timestamp_start or flow.started,
        "timestamp_end": response.timestamp_end or None,
    }


def _websocket(record: WebSocketRecord, flow: Flow) -> State:
    return {
        "messages": [
            (_TEXT if message.text else _BINARY, message.from_client, message.body, message.at, False, False)
            for message in record.messages
        ],
        "closed_by_client": None,
        # What the close frame said is not recorded: these are what RFC 6455 has for "no code" and "no close frame".
        "close_code": 1005 if flow.outcome == "complete" else 1006,
        "close_reason": None,
        "timestamp_end": record.last or flow.started + flow.duration,
    }


def _latin(text: str) -> bytes:
    """A head's text as bytes; the mark of a masked value, which Latin-1 has not, as UTF-8."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def tnetstring(value: Any) -> bytes:
    """A value as a tnetstring, in mitmproxy's dialect, in which text and bytes are different types.

    Raises TypeError for a value that has no place in one.
    """
    match value:
        case None:
            return b"0:~"
        case bool():
            return b"4:true!" if value else b"5:false!"
        case int():
            return _netstring(str(value).encode(), b"#")
        case float():
            return _netstring(repr(value).encode(), b"^")
        case bytes():
            return _netstring(value, b",")
        case str():
            return _netstring(value.encode("utf-8", "replace"), b";")
        case list() | tuple():
            return _netstring(b"".join(map(tnetstring, value)), b"]")
        case dict():
            return _netstring(b"".join(tnetstring(part) for pair in value.items() for part in pair), b"}")
        case _:
            raise TypeError(f"a tnetstring cannot hold {type(value).__name__}")


def _netstring(data: bytes, kind: bytes) -> bytes:
    return b"%d:%b%b" % (len(data), data, kind)
