"""Flows as JSON for the page: a row of the list, the facts of one flow, its bodies as text, its differences, events and
messages. Everything is cut to what a browser can show; whole bodies are for download.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from ccproxy.flows.compare import Comparison
from ccproxy.flows.model import Flow, Message, Pairs, RequestRecord, ResponseRecord
from ccproxy.inspector.conversation import content
from ccproxy.inspector.frames import Frame

type Json = dict[str, Any]
type Role = Literal["request", "forwarded", "response", "answer"]

#: Characters of a body, of one event, and of one side of a change, that the page gets.
MAX_TEXT = 1_500_000
MAX_EVENT = 20_000
MAX_VALUE = 20_000
MAX_EVENTS = 10_000
MAX_MESSAGES = 5_000


def row(flow: Flow) -> Json:
    """A flow in the list."""
    answer = flow.answer or flow.response
    usage = flow.usage
    return {
        "id": flow.id,
        "seq": flow.seq,
        "started": flow.started,
        "duration": flow.duration,
        "ttfb": flow.ttfb,
        "ttft": flow.timings.get("ttft"),
        "method": flow.request.method,
        "path": flow.request.target.partition("?")[0],
        "host": (flow.forwarded or flow.request).host,
        "dialect": flow.dialect,
        "upstream_dialect": flow.upstream_dialect,
        "operation": flow.operation,
        "model": flow.model,
        "answer_model": flow.answer_model,
        "provider": flow.provider,
        "status": answer.status if answer else None,
        "outcome": flow.outcome,
        "streaming": flow.streaming,
        "websocket": flow.websocket is not None,
        "session": flow.session,
        "conversation": flow.conversation,
        "parent": flow.parent,
        "kind": flow.kind,
        "input": usage.input if usage else None,
        "output": usage.output if usage else None,
        "cache_read": usage.cache_read if usage else None,
        "cache_write": usage.cache_write if usage else None,
        "reasoning": usage.reasoning if usage else None,
        "cost": flow.cost,
        "tools": flow.tools,
        "losses": len(flow.losses),
        "hooks": sum(1 for hook in flow.hooks if hook.changed or hook.error),
    }


def facts(flow: Flow) -> Json:
    """What is known of a flow beside its bodies."""
    return {
        **row(flow),
        "door": flow.door,
        "run": flow.run,
        "process": flow.process,
        "client": {
            "address": flow.client_address,
            "port": flow.client_port,
            "key": flow.client_key,
            "user_agent": flow.user_agent,
        },
        "action": flow.action,
        "reason": flow.reason,
        "credential": flow.credential,
        "error_kind": flow.error_kind,
        "error": flow.error,
        "timings": flow.timings,
        "story": [msgspec.structs.asdict(step) for step in flow.story],
        "all_hooks": [msgspec.structs.asdict(hook) for hook in flow.hooks],
        "all_losses": [msgspec.structs.asdict(loss) for loss in flow.losses],
        "request": _request(flow.request, flow.started),
        "forwarded": _request(flow.forwarded, flow.started) if flow.forwarded else None,
        "same_body": flow.forwarded is not None and flow.forwarded.body == flow.request.body,
        "response": _response(flow.response, flow.started) if flow.response else None,
        "answer": _response(flow.answer, flow.started) if flow.answer else None,
        "messages": flow.websocket.count if flow.websocket else 0,
    }


def message_of(flow: Flow, role: str) -> Message | None:
    """One of the four messages of a flow; None if there is none, or no such role."""
    match role:
        case "request":
            return flow.request
        case "forwarded":
            return flow.forwarded
        case "response":
            return flow.response
        case "answer":
            return flow.answer
        case _:
            return None


def body(message: Message) -> Json:
    """A body as text: JSON is indented by the page, which is told so."""
    data, whole = content(message)
    shown: Json = {
        "size": message.size,
        "decoded": len(data),
        "whole": whole,
        "redacted": message.redacted,
        "media_type": message.header("content-type"),
        "encoding": message.header("content-encoding"),
        "json": False,
        "binary": False,
        "cut": 0,
        "text": "",
    }
    try:
        text = data.decode()
    except UnicodeDecodeError:
        shown["binary"] = True
        text = hexdump(data[:4096])
    else:
        try:
            text = msgspec.json.format(data, indent=2).decode()
            shown["json"] = True
        except (msgspec.MsgspecError, RecursionError):
            pass
    shown["cut"] = max(0, len(text) - MAX_TEXT)
    shown["text"] = text[:MAX_TEXT]
    return shown


def hexdump(data: bytes) -> str:
    """Offsets, bytes and letters, sixteen a line."""
    lines = []
    for offset in range(0, len(data), 16):
        piece = data[offset : offset + 16]
        letters = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in piece)
        lines.append(f"{offset:08x}  {piece.hex(' '):<47}  {letters}")
    return "\n".join(lines)


def difference(flow: Flow, comparison: Comparison | None) -> Json:
    """What changed on the way to the provider, and what caused it."""
    if comparison is None:
        return {"changes": None, "losses": [], "text": "", "cut": 0}
    return {
        "changes": [
            {
                "path": change.path,
                "kind": change.kind,
                "before": _cut(change.before),
                "after": _cut(change.after),
                "causes": change.causes,
            }
            for change in comparison.changes
        ],
        "losses": [msgspec.structs.asdict(loss) for loss in flow.losses],
        "text": comparison.text[:MAX_TEXT],
        "cut": max(0, len(comparison.text) - MAX_TEXT),
        "from": flow.dialect,
        "to": flow.upstream_dialect or flow.dialect,
    }


def events(found: list[Frame] | None, *, begin: int = 0) -> Json:
    """The events of a stream."""
    if found is None:
        return {"stream": False, "count": 0, "events": []}
    return {
        "stream": True,
        "count": len(found),
        "events": [
            {
                "name": frame.name or "",
                "comment": frame.comment,
                "at": frame.at,
                "size": len(frame.data),
                "text": frame.data[:MAX_EVENT].decode("utf-8", "replace"),
            }
            for frame in found[begin : begin + MAX_EVENTS]
        ],
    }


def messages(flow: Flow) -> Json:
    """The messages of a WebSocket."""
    record = flow.websocket
    if record is None:
        return {"count": 0, "truncated": False, "messages": []}
    return {
        "count": record.count,
        "truncated": record.truncated,
        "messages": [
            {
                "from_client": message.from_client,
                "text": message.text,
                "size": message.size,
                "at": message.at - flow.started,
                "body": message.body[:MAX_EVENT].decode("utf-8", "replace")
                if message.text
                else hexdump(message.body[:1024]),
            }
            for message in record.messages[:MAX_MESSAGES]
        ],
    }


def _request(request: RequestRecord, started: float) -> Json:
    return {
        "method": request.method,
        "url": request.url,
        "target": request.target,
        "http_version": request.http_version,
        **_message(request, started),
    }


def _response(response: ResponseRecord, started: float) -> Json:
    return {
        "status": response.status,
        "reason": response.reason,
        "http_version": response.http_version,
        **_message(response, started),
    }


def _message(message: Message, started: float) -> Json:
    headers: Pairs = message.headers
    return {
        "headers": headers,
        "size": message.size,
        "truncated": message.truncated,
        "redacted": message.redacted,
        "begin": message.timestamp_start - started if message.timestamp_start else None,
        "end": message.timestamp_end - started if message.timestamp_end else None,
    }


def _cut(text: str) -> str:
    return text if len(text) <= MAX_VALUE else f"{text[:MAX_VALUE]}… ({len(text):,} characters)"
