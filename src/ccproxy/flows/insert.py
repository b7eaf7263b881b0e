"""Putting flows into the database: the one way in, for the writer and for what a dead process left behind."""

from __future__ import annotations

import itertools
import logging
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ccproxy.flows import rows, schema, search
from ccproxy.flows.bodies import Packed, Packer
from ccproxy.flows.model import Flow
from ccproxy.flows.prepare import Spoken, read_bodies
from ccproxy.flows.rows import SMALL_BODY, Written

_log = logging.getLogger(__name__)

#: What stands in `wire` in place of a forwarded body that is the client's.
SAME_BODY = "request"
_INSERT_SAID = "INSERT INTO said (flow, prompt, answer)"

Bodies = list[Packed | bytes | str | None]
Ready = tuple[Flow, Written, Bodies, Spoken]


class Tables(NamedTuple):
    """Rows to be inserted: of `flow` (seq and rows.FLOW_COLUMNS), of `wire` (flow, rows.HEAD_COLUMNS, BODY_COLUMNS and
    arrivals), what is for `said`, and the bodies for `body`, to which ids have been given."""

    flow: list[Sequence[Any]]
    wire: list[Sequence[Any]]
    said: list[tuple[int, Spoken]]
    packed: list[Packed]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The ids that are stored now, of the flows given; those that were there before; and those that cannot be stored."""

    stored: set[str]
    known: set[str]
    impossible: set[str]


def store(
    connection: sqlite3.Connection,
    packer: Packer,
    flows: Sequence[tuple[Flow, Written]],
    *,
    check: Callable[[], None] = lambda: None,
) -> Outcome:
    """Commits flows in one transaction. A flow whose id is taken, or that cannot be stored, is left out.

    Args:
        check: called inside the transaction, before anything is changed; what it raises rolls back.

    Raises sqlite3.Error.
    """
    impossible: set[str] = set()
    ready: list[Ready] = []
    for flow, written in flows:
        if (made := pack(packer, flow, written)) is None:
            impossible.add(flow.id)
        else:
            ready.append((flow, written, *made))
    ids = {flow.id for flow, *_ in ready}
    try:
        if len(ids) < len(ready):
            raise sqlite3.IntegrityError
        with schema.transaction(connection):
            check()
            _insert(connection, packer, ready)
        return Outcome(ids, set(), impossible)
    except sqlite3.IntegrityError:
        return _store_new(connection, packer, ready, impossible, check)


def _store_new(
    connection: sqlite3.Connection,
    packer: Packer,
    ready: Sequence[Ready],
    impossible: set[str],
    check: Callable[[], None],
) -> Outcome:
    """The same, knowing that some ids are taken."""
    with schema.transaction(connection):
        check()
        known = _known_ids(connection, [flow.id for flow, *_ in ready])
        stored: set[str] = set()
        chosen: list[Ready] = []
        for one in ready:
            flow_id = one[0].id
            if flow_id in stored:
                known.add(flow_id)
            elif flow_id not in known:
                stored.add(flow_id)
                chosen.append(one)
        _insert(connection, packer, chosen)
    return Outcome(stored, known, impossible)


def pack(packer: Packer, flow: Flow, written: Written) -> tuple[Bodies, Spoken] | None:
    """All about a flow that can be done before the transaction; None if the flow cannot be stored."""
    try:
        spoken = read_bodies(flow)
        content, other, *rest = written.bodies
        crc, _, *checksums = written.checksums
        client = packer.pack(content, rows.REQUEST, crc=crc) if len(content) > SMALL_BODY else None
        forwarded: Packed | bytes | str | None = other or None
        if written.form == rows.SAME:
            forwarded = SAME_BODY if content else None
        elif flow.forwarded is not None and len(whole := flow.forwarded.body) > SMALL_BODY:
            if written.form == rows.CHANGED and client is not None:
                forwarded = packer.pack_changed(whole, other, client)
            else:
                forwarded = packer.pack(whole, rows.FORWARDED, client)
        bodies: Bodies = [client if client is not None else content or None, forwarded]
        bodies += (
            packer.pack_alone(body, crc=known) if len(body) > SMALL_BODY else body or None
            for body, known in zip(rest, checksums, strict=True)
        )
        return bodies, spoken
    except Exception:  # noqa: BLE001 - logged; the boundary of the background thread
        _log.exception("flow %s cannot be stored", flow.id)
        return None


def _known_ids(connection: sqlite3.Connection, ids: Sequence[str]) -> set[str]:
    marks = ", ".join("?" * len(ids))
    return {row[0] for row in connection.execute(f"SELECT id FROM flow WHERE id IN ({marks})", ids)}  # noqa: S608


def laid_out(chosen: Iterable[Ready], seqs: Iterable[int]) -> Tables:
    """The rows of flows that get these places in the store."""
    packed: list[Packed] = []
    flow_rows: list[Sequence[Any]] = []
    wire_rows: list[Sequence[Any]] = []
    said_rows: list[tuple[int, Spoken]] = []
    for seq, (flow, written, bodies, spoken) in zip(seqs, chosen, strict=False):
        kept: list[bytes | str | int | None] = []
        for role, body in enumerate(bodies):
            if isinstance(body, Packed):
                body.id = seq * rows.BODY_IDS + role
                packed.append(body)
                kept.append(body.id)
            else:
                kept.append(body)
        flow_rows.append((seq, *written.facts, *rows.derived(flow)))
        wire_rows.append((seq, *written.heads, *kept, written.arrivals or None))
        if spoken.prompt or spoken.answer:
            said_rows.append((seq, spoken))
    return Tables(flow_rows, wire_rows, said_rows, packed)


def _insert(connection: sqlite3.Connection, packer: Packer, chosen: Sequence[Ready]) -> None:
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'flow'").fetchone()
    tables = laid_out(chosen, itertools.count((row[0] if row else 0) + 1))
    said = [(seq, search.indexed(spoken.prompt), search.indexed(spoken.answer)) for seq, spoken in tables.said]
    rows.insert(connection, rows.INSERT_FLOWS, tables.flow)
    rows.insert(connection, rows.INSERT_WIRES, tables.wire)
    rows.insert(connection, _INSERT_SAID, said)
    if tables.packed:
        packer.store(connection, tables.packed)
