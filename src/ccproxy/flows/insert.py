"""Putting flows into the database: the one way in, for the writer and for what a dead process left behind."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ccproxy.flows import rows, schema, splice
from ccproxy.flows.bodies import Packed, Packer
from ccproxy.flows.model import Flow
from ccproxy.flows.prepare import read_usage

_log = logging.getLogger(__name__)

#: Bodies up to this size stand in the row of their message.
SMALL_BODY = 4096

#: The values of a message's row between its flow and its body, then what becomes `body`, `content` and `likeness`.
_Message = tuple[tuple[Any, ...], Packed | None, bytes | None, int]
_Packed = tuple[Flow, list[_Message]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The ids that are stored now, of the flows given; those that were there before; and those that cannot be stored."""

    stored: set[str]
    known: set[str]
    impossible: set[str]


def store(
    connection: sqlite3.Connection,
    packer: Packer,
    flows: Sequence[Flow],
    *,
    check: Callable[[], None] = lambda: None,
) -> Outcome:
    """Commits flows in one transaction. A flow whose id is taken, or that cannot be stored, is left out.

    Args:
        check: called inside the transaction, before anything is changed; what it raises rolls back.

    Raises sqlite3.Error.
    """
    packed = [(flow, _pack(connection, packer, flow)) for flow in flows]
    with schema.transaction(connection):
        check()
        known = _known_ids(connection, [flow.id for flow in flows])
        stored: set[str] = set()
        impossible: set[str] = set()
        chosen: list[_Packed] = []
        for flow, messages in packed:
            if messages is None:
                impossible.add(flow.id)
            elif flow.id in stored:
                known.add(flow.id)
            elif flow.id not in known:
                stored.add(flow.id)
                chosen.append((flow, messages))
        _insert(connection, packer, chosen)
    return Outcome(stored, known, impossible)


def _pack(connection: sqlite3.Connection, packer: Packer, flow: Flow) -> list[_Message] | None:
    """All about a flow that can be done before the transaction; None if the flow cannot be stored."""
    try:
        read_usage(flow)
        messages: list[_Message] = []
        base = flow.request.body
        for values, content in rows.message_rows(flow):
            packed: Packed | None = None
            kept: bytes | None = None
            likeness = rows.OWN
            if not content:
                pass
            elif values[0] == "forwarded" and content is base:
                likeness = rows.SAME
            elif len(content) <= SMALL_BODY:
                kept = content
            elif values[0] == "forwarded" and len(change := splice.make(base, content)) <= len(content) // 4:
                kept, likeness = change, rows.SPLICED
            else:
                packed = packer.pack(connection, content)
            messages.append((values, packed, kept, likeness))
        return messages
    except sqlite3.Error:
        raise
    except Exception:  # noqa: BLE001 - logged; the boundary of the background thread
        _log.exception("flow %s cannot be stored", flow.id)
        return None


def _known_ids(connection: sqlite3.Connection, ids: Sequence[str]) -> set[str]:
    marks = ", ".join("?" * len(ids))
    return {row[0] for row in connection.execute(f"SELECT id FROM flow WHERE id IN ({marks})", ids)}  # noqa: S608


def _insert(connection: sqlite3.Connection, packer: Packer, chosen: Sequence[_Packed]) -> None:
    packer.store(connection, [body for _, messages in chosen for _, body, _, _ in messages if body is not None])
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'flow'").fetchone()
    first = (row[0] if row else 0) + 1
    flow_rows = [rows.flow_row(seq, flow) for seq, (flow, _) in enumerate(chosen, first)]
    message_rows = [
        (seq, *values, None if body is None else body.hash, content, likeness)
        for seq, (_, messages) in enumerate(chosen, first)
        for values, body, content, likeness in messages
    ]
    rows.insert(connection, rows.INSERT_FLOWS, flow_rows)
    rows.insert(connection, rows.INSERT_MESSAGES, message_rows)
