"""A flow as JSON: what `--jq` filters see and `--json` prints.

The shape is that of mitmweb's flow JSON, which users' filters know, plus `.ccproxy` for what only ccproxy knows.
`.request` is the request as it went to the provider (the client's if none went out), so that
`.request.pretty_host == "api.anthropic.com"` means what it says; the client's own is `.ccproxy.client_request`. In the
same way `.response` is the upstream's answer, and `.ccproxy.client_response` what was made of it, where that differs.
docs/reference/flow-store.md lists every member.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import msgspec
from msgspec import Struct

from ccproxy.flows.model import Flow, Message, RequestRecord, ResponseRecord, WebSocketRecord
from ccproxy.flows.replay import replayed
from ccproxy.lightllm.ir.losses import Loss

Json = dict[str, Any]


def flow_json(flow: Flow) -> Json:
    """The flow without bodies."""
    request = flow.forwarded or flow.request
    return {
        "id": flow.id,
        "type": flow.request.scheme if flow.request.scheme in {"tcp", "udp"} else "http",
        "intercepted": False,
        "is_replay": None,
        "modified": _modified(flow),
        "marked": "",
        "comment": "",
        "timestamp_created": flow.started,
        "client_conn": {
            "peername": [flow.client_address, flow.client_port],
            "tls_established": flow.request.scheme == "https",
        },
        "server_conn": _server(flow.forwarded),
        "request": _request(request),
        "response": _response(flow.response) if flow.response else None,
        "error": {"msg": flow.error, "timestamp": flow.started + flow.duration} if flow.error else None,
        "websocket": _websocket(flow.websocket) if flow.websocket else None,
        "ccproxy": {
            "door": flow.door,
            "run": flow.run,
            "process": flow.process,
            "dialect": flow.dialect,
            "upstream_dialect": flow.upstream_dialect or flow.dialect,
            "operation": flow.operation,
            "model": flow.model,
            "answer_model": flow.answer_model,
            "provider": flow.provider,
            "action": flow.action,
            "reason": flow.reason,
            "credential": flow.credential,
            "outcome": flow.outcome,
            "error_kind": flow.error_kind,
            "streaming": flow.streaming,
            "ttfb": flow.ttfb,
            "duration": flow.duration,
            "session": flow.session,
            "conversation": flow.conversation,
            "parent": flow.parent,
            "kind": flow.kind,
            "replay_of": replayed(flow),
            "cost": flow.cost,
            "hooks": [_filled(hook) for hook in flow.hooks],
            "timings": flow.timings,
            "tools": flow.tools,
            "client": {
                "address": flow.client_address,
                "port": flow.client_port,
                "key": flow.client_key,
                "user_agent": flow.user_agent,
            },
            "usage": _usage(flow),
            "story": [msgspec.structs.asdict(step) for step in flow.story],
            "losses": [_loss(loss) for loss in flow.losses],
            "client_request": {**_request(flow.request), "url": flow.request.url},
            "client_response": _response(flow.answer) if flow.answer else None,
        },
    }


def flow_json_with_bodies(flow: Flow) -> Json:
    """The flow with its bodies: `content` in each message, as text without content coding where it is text, else
    base64 (`content_encoding` is then "base64"); and the messages of a WebSocket."""
    document = flow_json(flow)
    _add_content(document["request"], flow.forwarded or flow.request)
    _add_content(document["ccproxy"]["client_request"], flow.request)
    if flow.response is not None:
        _add_content(document["response"], flow.response)
    if flow.answer is not None:
        _add_content(document["ccproxy"]["client_response"], flow.answer)
    if flow.websocket is not None:
        document["websocket"]["messages"] = [
            {
                "from_client": message.from_client,
                "type": "text" if message.text else "binary",
                "timestamp": message.at,
                "contentLength": message.size,
                **_content(message.body),
            }
            for message in flow.websocket.messages
        ]
    return document


def _modified(flow: Flow) -> bool:
    """Whether a hook or a conversion changed the request."""
    return bool(flow.upstream_dialect) or any(hook.changed for hook in flow.hooks)


def _server(forwarded: RequestRecord | None) -> Json:
    if forwarded is None:
        return {"address": None, "peername": None, "sni": None, "tls_established": False}
    secure = forwarded.scheme == "https"
    return {
        "address": [forwarded.host, forwarded.port],
        "peername": None,
        "sni": forwarded.host if secure else None,
        "tls_established": secure,
    }


def _request(request: RequestRecord) -> Json:
    return {
        "method": request.method,
        "scheme": request.scheme,
        "host": request.host,
        "port": request.port,
        "path": request.target,
        "http_version": f"HTTP/{request.http_version}",
        "headers": request.headers,
        "pretty_host": _pretty_host(request),
        "contentLength": request.size,
        "timestamp_start": request.timestamp_start or None,
        "timestamp_end": request.timestamp_end or None,
    }


def _pretty_host(request: RequestRecord) -> str:
    """The name in the Host field, without its port, else the host the request went to."""
    host = request.header("host")
    if host.startswith("["):
        return host[1:].partition("]")[0]
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdigit() else host) or request.host


def _response(response: ResponseRecord) -> Json:
    return {
        "http_version": f"HTTP/{response.http_version}",
        "status_code": response.status,
        "reason": response.reason,
        "headers": response.headers,
        "contentLength": response.size,
        "timestamp_start": response.timestamp_start or None,
        "timestamp_end": response.timestamp_end or None,
    }


def _websocket(record: WebSocketRecord) -> Json:
    return {
        "messages_meta": {
            "contentLength": record.size,
            "count": record.count,
            "timestamp_last": record.last or None,
        },
        "closed_by_client": None,
        "close_code": None,
        "close_reason": None,
        "timestamp_end": record.last or None,
    }


def _loss(loss: Loss) -> Json:
    return {
        "path": loss.path,
        "kind": loss.kind,
        "from": loss.source,
        "to": loss.target,
        "reason": loss.reason,
    }


def _filled(value: Struct) -> Json:
    """Every member, those with their default too."""
    return {name: getattr(value, name) for name in value.__struct_fields__}


def _usage(flow: Flow) -> Json | None:
    usage = flow.usage
    if usage is None:
        return None
    return {
        "input": usage.input,
        "output": usage.output,
        "cache_read": usage.cache_read,
        "cache_write": usage.cache_write,
        "reasoning": usage.reasoning,
    }


def _add_content(document: Json, message: Message) -> None:
    from ccproxy.flows import coding

    decoded = coding.decode(message.body, message.header("content-encoding"))
    document.update(_content(message.body if decoded is None else decoded.data))
    document["truncated"] = message.truncated or (decoded is not None and not decoded.complete)
    document["redacted"] = message.redacted


def _content(body: bytes) -> Json:
    try:
        return {"content": body.decode()}
    except UnicodeDecodeError:
        return {"content": b64encode(body).decode(), "content_encoding": "base64"}
