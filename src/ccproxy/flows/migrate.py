"""Moving the rows of older stores into the tables of today, inside the transaction of the migration.

Until version 5 there was a row per message; what it says goes into table `wire`. Its larger bodies stay in their table, which is
called `old_body` now, and get a row in `body` that points at them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any

import msgspec

from ccproxy.errors import StoreError
from ccproxy.flows import delta
from ccproxy.flows.model import RequestRecord, ResponseRecord, WebSocketRecord

_ROLES = ("request", "forwarded", "response", "answer", "websocket")
_BODY_IDS = 8
_COLUMNS = (
    "message.flow, role, method, scheme, host, port, target, status, reason, http_version, headers, started, ended, "
    "message.size, count, truncated, redacted, message.body, content, likeness, old_body.size"
)
_SELECT = f"SELECT {_COLUMNS} FROM message LEFT JOIN old_body ON old_body.hash = message.body ORDER BY message.flow"  # noqa: S608
_INSERT_WIRE = "INSERT INTO wire VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_BODY = "INSERT INTO body (id, base, encoding, size, data) VALUES (?, ?, ?, ?, ?)"
_SAME, _SPLICED = 1, 2

_encode = msgspec.json.Encoder().encode
_decode_pairs = msgspec.json.Decoder(list[tuple[str, str]]).decode

_Body = bytes | int | str | None


def move_messages(connection: sqlite3.Connection) -> None:
    """Fills `wire` and `body` from `message` and `old_body`. Raises StoreError for a flow that cannot be read."""
    for flow, group in groupby(connection.execute(_SELECT), key=itemgetter(0)):
        messages = {row[1]: row[2:] for row in group}
        if "request" not in messages:
            continue
        kept: dict[str, _Body] = {}
        try:
            heads = [_head(role, messages[role]) if role in messages else None for role in _ROLES]
        except (msgspec.MsgspecError, TypeError, ValueError) as error:
            raise StoreError(f"flow {flow} of the flow store is damaged: {error}") from error
        for number, body in _body_rows(flow, messages, kept):
            connection.execute(_INSERT_BODY, (number, *body))
        connection.execute(_INSERT_WIRE, (flow, *heads, *(kept.get(role) for role in _ROLES)))


def _body_rows(flow: int, messages: dict[str, Any], kept: dict[str, _Body]) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """The rows of `body` for a flow, with their ids. What stands in `wire` goes into `kept`."""
    base_size = 0
    for role in _ROLES:
        if role not in messages:
            continue
        *_, digest, content, likeness, size = messages[role]
        number = flow * _BODY_IDS + _ROLES.index(role)
        base = kept.get("request")
        if likeness == _SAME:
            kept[role] = "request" if base is not None else None
        elif likeness == _SPLICED:
            change = delta.from_splice(len(base) if isinstance(base, bytes) else base_size, content)
            if isinstance(base, bytes):
                kept[role] = delta.apply(base, change)
            elif isinstance(base, int):
                kept[role] = number
                yield number, (base, "delta", delta.size(change), change)
        elif digest is not None:
            kept[role] = number
            base_size = (size or 0) if role == "request" else base_size
            yield number, (None, "moved", size or 0, digest)
        else:
            kept[role] = content


def _head(role: str, row: Any) -> str:
    method, scheme, host, port, target, status, reason, version, headers, started, ended, size, count, *flags = row
    truncated, redacted = bool(flags[0]), bool(flags[1])
    if role == "websocket":
        record = WebSocketRecord([], count or 0, size, ended, truncated, redacted)
        return _encode(record).decode()
    common = (_decode_pairs(headers), b"", size, version, truncated, redacted, started, ended)
    if role in {"response", "answer"}:
        return _encode(ResponseRecord(*common, status=status, reason=reason)).decode()
    return _encode(RequestRecord(*common, method, scheme, host, port, target)).decode()
