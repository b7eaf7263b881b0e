"""A flow as what is written down of it, and back: the one place that knows both sides.

A flow is written as its *facts* (what its exchange knew at the end), what is *derived* from its bodies afterwards, the
*heads* of its messages as JSON, and their bodies. Facts and derived values are columns of table `flow`, heads and bodies
those of table `wire`; the journal holds the same values, so that a batch goes from one to the other without being made
anew. Whatever a flow holds can be written: text that is no valid Unicode is replaced.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

import msgspec

from ccproxy.exchange.exchange import Step
from ccproxy.exchange.hooks import HookResult
from ccproxy.flows import arrivals, delta
from ccproxy.flows.model import (
    Flow,
    Message,
    RequestRecord,
    ResponseRecord,
    Usage,
    WebSocketMessage,
    WebSocketRecord,
)
from ccproxy.lightllm.ir.losses import Loss

#: Columns of `flow`, and fields of `Flow`.
FACTS = (
    "id, started, duration, ttfb, door, client_address, client_port, client_key, user_agent, dialect, operation, model, "
    "provider, action, reason, credential, streaming, outcome, error_kind, error, upstream_dialect, losses, story, "
    "run, process, hooks"
)
#: Columns of `flow` that the writer fills in.
DERIVED = (
    "answer_model, session, conversation, parent, kind, cost, timings, tools, status, input_tokens, output_tokens, "
    "cache_read_tokens, cache_write_tokens, reasoning_tokens"
)
FLOW_COLUMNS = f"{FACTS}, {DERIVED}"
#: The messages of a flow. Each has a column for its head and one for its body, in this order.
ROLES = ("request", "forwarded", "response", "answer", "websocket")
HEAD_COLUMNS = ", ".join(ROLES)
BODY_COLUMNS = ", ".join(f"{role}_body" for role in ROLES)
INSERT_FLOWS = f"INSERT INTO flow (seq, {FLOW_COLUMNS})"
INSERT_WIRES = f"INSERT INTO wire (flow, {HEAD_COLUMNS}, {BODY_COLUMNS}, arrivals)"

REQUEST, FORWARDED, RESPONSE, ANSWER, WEBSOCKET = range(5)
#: The id of a body in table `body` is `seq` of its flow times this, and its place in ROLES.
BODY_IDS = 8

#: How the body of the forwarded request is given: by itself, as the client's, or as a delta of the client's.
OWN, SAME, CHANGED = range(3)
#: Bodies up to this size stand in table `wire`; larger ones in `body`.
SMALL_BODY = 4096

#: Rows per statement, largest first: few statements to prepare, and few calls for a batch.
_CHUNKS = (512, 256, 128, 64, 32, 16, 8, 4, 2, 1)

_FACT_NAMES = tuple(FACTS.split(", "))
_encode_json = msgspec.json.Encoder().encode
_encode_pack = msgspec.msgpack.Encoder().encode
_decode_losses = msgspec.json.Decoder(list[Loss]).decode
_decode_story = msgspec.json.Decoder(list[Step]).decode
_decode_hooks = msgspec.json.Decoder(list[HookResult]).decode
_decode_timings = msgspec.json.Decoder(dict[str, float]).decode
_decode_tools = msgspec.json.Decoder(list[str]).decode
_decode_request = msgspec.json.Decoder(RequestRecord).decode
_decode_response = msgspec.json.Decoder(ResponseRecord).decode
_decode_websocket = msgspec.json.Decoder(WebSocketRecord).decode
_decode_messages = msgspec.msgpack.Decoder(list[tuple[bool, bool, bytes, int, float]]).decode

Values = Sequence[Any]
_NO_USAGE = Usage()


class Written(NamedTuple):
    """A flow as it is written down.

    Attributes:
        facts: the values of FACTS.
        heads: the JSON of each message's head, in the order of ROLES; None where there is no such message.
        bodies: the body of each message.
        checksums: CRC-32 of each of `bodies`.
        arrivals: when the pieces of the answer came, as `arrivals.encode` packs it.
        form: how the forwarded request's body is given: OWN; SAME, then it is empty here; or CHANGED, then it is the
            delta.
    """

    facts: Values
    heads: Sequence[str | None]
    bodies: Sequence[bytes]
    checksums: Sequence[int]
    arrivals: bytes
    form: int


def write(flow: Flow) -> Written:
    """What is to be written of a flow, except for what is derived. Raises TypeError or ValueError for one that cannot be
    written."""
    request, forwarded, response, websocket = flow.request, flow.forwarded, flow.response, flow.websocket
    other = response_body = answer_body = messages = b""
    form = OWN
    content, head = _head(request)
    forwarded_head = response_head = answer_head = websocket_head = None
    if forwarded is not None:
        other, forwarded_head = _head(forwarded)
        if other is content:
            form, other = SAME, b""
        elif len(other) > SMALL_BODY < len(content):
            begin, end = flow.shared or delta.common(content, other)
            if begin + end >= len(other) // 4 * 3:
                form = CHANGED
                other = delta.splice(len(content), begin, end, other[begin : len(other) - end])
    if response is not None:
        response_body, response_head = _head(response)
    if flow.answer is not None:
        answer_body, answer_head = _head(flow.answer)
    if websocket is not None:
        messages, websocket_head = _websocket_head(websocket)
    bodies = content, other, response_body, answer_body, messages
    heads = head, forwarded_head, response_head, answer_head, websocket_head
    checksums = [zlib.crc32(body) for body in bodies]
    return Written(facts(flow), heads, bodies, checksums, arrivals.encode(flow.arrivals), form)


def facts(flow: Flow) -> Values:
    """The values of FACTS."""
    return (
        flow.id,
        flow.started,
        flow.duration,
        flow.ttfb,
        flow.door,
        flow.client_address,
        flow.client_port,
        flow.client_key,
        flow.user_agent,
        flow.dialect,
        flow.operation,
        flow.model,
        flow.provider,
        flow.action,
        flow.reason,
        flow.credential,
        flow.streaming,
        flow.outcome,
        flow.error_kind,
        flow.error,
        flow.upstream_dialect,
        _encode_json(flow.losses).decode() if flow.losses else "[]",
        _encode_json(flow.story).decode() if flow.story else "[]",
        flow.run,
        flow.process,
        _encode_json(flow.hooks).decode() if flow.hooks else None,
    )


def derived(flow: Flow) -> Values:
    """The values of DERIVED."""
    usage = flow.usage or _NO_USAGE
    return (
        flow.answer_model,
        flow.session,
        flow.conversation,
        flow.parent,
        flow.kind,
        flow.cost,
        _encode_json(flow.timings).decode() if flow.timings else None,
        _encode_json(flow.tools).decode() if flow.tools else None,
        flow.response.status if flow.response is not None else None,
        usage.input,
        usage.output,
        usage.cache_read,
        usage.cache_write,
        usage.reasoning,
    )


def read(
    facts: Values, derived: Values, heads: Values, bodies: Values | None, seq: int = 0, arrived: bytes | None = None
) -> Flow:
    """A flow from what was written.

    Args:
        arrived: what `arrivals.encode` packed.
        bodies: the body of each message, in the order of ROLES; None for a summary, which has none. Where the forwarded
            request's is the client's, it is the same object.
    """
    named = dict(zip(_FACT_NAMES, facts, strict=True))
    named["streaming"] = bool(named["streaming"])
    named["losses"] = _decode_losses(named["losses"]) if named["losses"] != "[]" else []
    named["story"] = _decode_story(named["story"]) if named["story"] != "[]" else []
    named["hooks"] = _decode_hooks(named["hooks"]) if named["hooks"] else []
    request, forwarded, response, answer, websocket = heads
    answer_model, session, conversation, parent, kind, cost, timings, tools, _, *counts = derived
    flow = Flow(
        **named,
        request=_decode_request(request),
        forwarded=_decode_request(forwarded) if forwarded else None,
        response=_decode_response(response) if response else None,
        answer=_decode_response(answer) if answer else None,
        websocket=_decode_websocket(websocket) if websocket else None,
        usage=Usage(*counts) if counts.count(None) < len(counts) else None,
        answer_model=answer_model,
        session=session,
        conversation=conversation,
        parent=parent,
        kind=kind,
        cost=cost,
        timings=_decode_timings(timings) if timings else {},
        tools=_decode_tools(tools) if tools else [],
        arrivals=arrivals.decode(arrived) if arrived else [],
        seq=seq,
    )
    if bodies is not None:
        for message, body in zip((flow.request, flow.forwarded, flow.response, flow.answer), bodies, strict=False):
            if message is not None:
                message.body = body
        if flow.websocket is not None and bodies[WEBSOCKET]:
            flow.websocket.messages = [WebSocketMessage(*values) for values in _decode_messages(bodies[WEBSOCKET])]
    return flow


def read_written(written: Written, derived: Values) -> Flow:
    """A flow from what the journal holds."""
    content, other, *rest = written.bodies
    if written.form == SAME:
        other = content
    elif written.form == CHANGED:
        other = delta.apply(content, other)
    return read(written.facts, derived, written.heads, (content, other, *rest), arrived=written.arrivals)


def insert(connection: sqlite3.Connection, into: str, values: Sequence[Values]) -> None:
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


def without_surrogates(flow: Flow) -> None:
    """Makes every text of `flow` valid Unicode, in place: what is not becomes `?`."""
    _clean_texts(flow)
    flow.tools = [_text(tool) for tool in flow.tools]
    flow.losses = [msgspec.structs.replace(loss, **_texts(loss)) for loss in flow.losses]
    flow.story = [msgspec.structs.replace(step, **_texts(step)) for step in flow.story]
    for hook in flow.hooks:
        _clean_texts(hook)
        hook.changed, hook.notes = [_text(path) for path in hook.changed], [_text(note) for note in hook.notes]
    for message in (flow.request, flow.forwarded, flow.response, flow.answer):
        if message is not None:
            _clean_texts(message)
            message.headers = [(_text(name), _text(value)) for name, value in message.headers]


def _clean_texts(struct: msgspec.Struct) -> None:
    for name, value in _texts(struct).items():
        setattr(struct, name, value)


def _texts(struct: msgspec.Struct) -> dict[str, Any]:
    fields = ((name, getattr(struct, name)) for name in struct.__struct_fields__)
    return {name: _text(value) for name, value in fields if isinstance(value, str)}


def _text(value: str) -> str:
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def _head(message: Message) -> tuple[bytes, str]:
    """Body and head of a message."""
    body, message.body = message.body, b""
    try:
        return body, _encode_json(message).decode()
    finally:
        message.body = body


def _websocket_head(record: WebSocketRecord) -> tuple[bytes, str]:
    messages, record.messages = record.messages, []
    try:
        head = _encode_json(record).decode()
    finally:
        record.messages = messages
    packed = [(m.from_client, m.text, m.body, m.size, m.at) for m in messages]
    return _encode_pack(packed) if packed else b"", head
