"""A flow as rows of the tables `flow` and `message`, and back. The one place that knows both sides.

Whatever a flow holds can be bound: text that is no valid Unicode is replaced, numbers stay within SQLite's range.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any

import msgspec

from ccproxy.exchange.exchange import Step
from ccproxy.flows import splice
from ccproxy.flows.model import (
    Flow,
    Pairs,
    RequestRecord,
    ResponseRecord,
    Usage,
    WebSocketMessage,
    WebSocketRecord,
)
from ccproxy.lightllm.ir.losses import Loss

FLOW_COLUMNS = (
    "seq, id, started, duration, ttfb, door, client_address, client_port, client_key, user_agent, dialect, operation, "
    "model, answer_model, provider, action, reason, credential, streaming, outcome, error_kind, error, input_tokens, "
    "output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, upstream_dialect, losses, "
    "story, run, process"
)
MESSAGE_COLUMNS = (
    "flow, role, method, scheme, host, port, target, status, reason, http_version, headers, started, ended, size, count, "
    "truncated, redacted, body, content, likeness"
)
INSERT_FLOWS = f"INSERT INTO flow ({FLOW_COLUMNS})"
INSERT_MESSAGES = f"INSERT INTO message ({MESSAGE_COLUMNS})"

#: Rows per statement, largest first: few statements to prepare, and few calls for a batch.
_CHUNKS = (1024, 512, 256, 128, 64, 32, 16, 8, 4, 2, 1)

#: The values of a message's row between its flow and its body, and the body itself.
MessageRow = tuple[tuple[Any, ...], bytes]

_encode_json = msgspec.json.Encoder().encode
_decode_pairs = msgspec.json.Decoder(list[tuple[str, str]]).decode
_decode_story = msgspec.json.Decoder(list[Step]).decode
_decode_losses = msgspec.json.Decoder(list[Loss]).decode
_encode_messages = msgspec.msgpack.Encoder().encode
_decode_messages = msgspec.msgpack.Decoder(list[tuple[bool, bool, bytes, int, float]]).decode


def insert(connection: sqlite3.Connection, into: str, values: Sequence[tuple[Any, ...]]) -> None:
    """Inserts rows, several per statement: each statement costs a change of threads when the event loop is busy.

    Args:
        into: the statement up to its VALUES.
    """
    start = 0
    for count in _CHUNKS:
        while len(values) - start >= count:
            some = values[start : start + count]
            start += count
            row = f"({', '.join('?' * len(some[0]))})"
            connection.execute(f"{into} VALUES {', '.join([row] * count)}", tuple(chain.from_iterable(some)))


def _text(value: str) -> str:
    """`value` as it can be stored: what is no valid Unicode becomes `?`."""
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def flow_row(seq: int, flow: Flow) -> tuple[Any, ...]:
    """The values of FLOW_COLUMNS."""
    usage = flow.usage or Usage()
    return (
        seq,
        flow.id,
        flow.started,
        flow.duration,
        flow.ttfb,
        flow.door,
        _text(flow.client_address),
        flow.client_port,
        _text(flow.client_key),
        _text(flow.user_agent),
        _text(flow.dialect),
        _text(flow.operation),
        _text(flow.model),
        _text(flow.answer_model),
        _text(flow.provider),
        flow.action,
        _text(flow.reason),
        _text(flow.credential),
        flow.streaming,
        flow.outcome,
        _text(flow.error_kind),
        _text(flow.error),
        usage.input,
        usage.output,
        usage.cache_read,
        usage.cache_write,
        usage.reasoning,
        _text(flow.upstream_dialect),
        _values(flow.losses),
        _values(flow.story),
        _text(flow.run),
        _text(flow.process),
    )


def message_rows(flow: Flow) -> list[MessageRow]:
    """What is to be stored of each message."""
    rows = [_request_row("request", flow.request)]
    if flow.forwarded is not None:
        rows.append(_request_row("forwarded", flow.forwarded))
    if flow.response is not None:
        rows.append(_response_row("response", flow.response))
    if flow.answer is not None:
        rows.append(_response_row("answer", flow.answer))
    if flow.websocket is not None:
        rows.append(_websocket_row(flow.websocket, flow.started))
    return rows


def _values(values: Sequence[Loss] | Sequence[Step]) -> str:
    """A JSON list of values whose fields are texts and numbers."""
    if not values:
        return "[]"
    try:
        return _encode_json(values).decode()
    except UnicodeEncodeError:
        fields = [msgspec.structs.asdict(value) for value in values]
        return _encode_json(
            [{k: _text(v) if isinstance(v, str) else v for k, v in each.items()} for each in fields]
        ).decode()


def _headers(pairs: Pairs) -> str:
    try:
        return _encode_json(pairs).decode()
    except UnicodeEncodeError:
        return _encode_json([(_text(name), _text(value)) for name, value in pairs]).decode()


def _request_row(role: str, request: RequestRecord) -> MessageRow:
    return (
        role,
        _text(request.method),
        request.scheme,
        _text(request.host),
        request.port,
        _text(request.target),
        None,
        None,
        request.http_version,
        _headers(request.headers),
        request.timestamp_start,
        request.timestamp_end,
        request.size,
        None,
        request.truncated,
        request.redacted,
    ), request.body


def _response_row(role: str, response: ResponseRecord) -> MessageRow:
    return (
        role,
        None,
        None,
        None,
        None,
        None,
        response.status,
        _text(response.reason),
        response.http_version,
        _headers(response.headers),
        response.timestamp_start,
        response.timestamp_end,
        response.size,
        None,
        response.truncated,
        response.redacted,
    ), response.body


def _websocket_row(record: WebSocketRecord, started: float) -> MessageRow:
    messages = [(m.from_client, m.text, m.body, m.size, m.at) for m in record.messages]
    return (
        *("websocket", None, None, None, None, None, None, None, None, None),
        started,
        record.last,
        record.size,
        record.count,
        record.truncated,
        record.redacted,
    ), _encode_messages(messages) if messages else b""


#: Reads a body by its hash.
Bodies = Callable[[bytes | None], bytes]

#: How the body of the forwarded request is kept: by itself, as the client's, or as the client's with one piece replaced.
OWN, SAME, SPLICED = range(3)


def _body(row: sqlite3.Row, bodies: Bodies | None, base: bytes) -> bytes:
    """The body of a message. `base` is that of the client's request."""
    if bodies is None:
        return b""
    match row["likeness"]:
        case 1:
            return base
        case 2:
            return splice.apply(base, row["content"])
        case _:
            content: bytes | None = row["content"]
            return bodies(row["body"]) if content is None else content


def build_flow(row: sqlite3.Row, messages: Iterable[sqlite3.Row], bodies: Bodies | None) -> Flow:
    """A flow from its rows.

    Args:
        row: FLOW_COLUMNS.
        messages: MESSAGE_COLUMNS of each of its messages.
        bodies: None for a summary, which has no bodies.
    """
    roles = {message["role"]: message for message in messages}
    usage = Usage(
        row["input_tokens"],
        row["output_tokens"],
        row["cache_read_tokens"],
        row["cache_write_tokens"],
        row["reasoning_tokens"],
    )
    request = _request(roles["request"], bodies)
    return Flow(
        id=row["id"],
        started=row["started"],
        duration=row["duration"],
        ttfb=row["ttfb"],
        door=row["door"],
        client_address=row["client_address"],
        client_port=row["client_port"],
        client_key=row["client_key"],
        user_agent=row["user_agent"],
        dialect=row["dialect"],
        operation=row["operation"],
        model=row["model"],
        answer_model=row["answer_model"],
        provider=row["provider"],
        action=row["action"],
        reason=row["reason"],
        credential=row["credential"],
        streaming=bool(row["streaming"]),
        outcome=row["outcome"],
        error_kind=row["error_kind"],
        error=row["error"],
        request=request,
        forwarded=_request(roles["forwarded"], bodies, request.body) if "forwarded" in roles else None,
        response=_response(roles["response"], bodies) if "response" in roles else None,
        usage=None if usage == Usage() else usage,
        websocket=_websocket(roles["websocket"], bodies) if "websocket" in roles else None,
        seq=row["seq"],
        upstream_dialect=row["upstream_dialect"],
        losses=_decode_losses(row["losses"]),
        story=_decode_story(row["story"]),
        answer=_response(roles["answer"], bodies) if "answer" in roles else None,
        run=row["run"],
        process=row["process"],
    )


def _common(row: sqlite3.Row, bodies: Bodies | None, base: bytes = b"") -> dict[str, Any]:
    return {
        "headers": _decode_pairs(row["headers"]),
        "body": _body(row, bodies, base),
        "size": row["size"],
        "http_version": row["http_version"],
        "truncated": bool(row["truncated"]),
        "redacted": bool(row["redacted"]),
        "timestamp_start": row["started"],
        "timestamp_end": row["ended"],
    }


def _request(row: sqlite3.Row, bodies: Bodies | None, base: bytes = b"") -> RequestRecord:
    return RequestRecord(
        **_common(row, bodies, base),
        method=row["method"],
        scheme=row["scheme"],
        host=row["host"],
        port=row["port"],
        target=row["target"],
    )


def _response(row: sqlite3.Row, bodies: Bodies | None) -> ResponseRecord:
    return ResponseRecord(**_common(row, bodies), status=row["status"], reason=row["reason"])


def _websocket(row: sqlite3.Row, bodies: Bodies | None) -> WebSocketRecord:
    data = _body(row, bodies, b"")
    return WebSocketRecord(
        messages=[WebSocketMessage(*message) for message in _decode_messages(data)] if data else [],
        count=row["count"],
        size=row["size"],
        last=row["ended"],
        truncated=bool(row["truncated"]),
        redacted=bool(row["redacted"]),
    )
