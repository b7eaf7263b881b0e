"""The JSON of a flow: the names that users' filters know."""

from __future__ import annotations

import json
from base64 import b64decode

import pytest

from ccproxy.exchange.hooks import HookResult
from ccproxy.flows import coding
from ccproxy.flows.model import Usage, WebSocketMessage, WebSocketRecord
from ccproxy.flows.views import flow_json, flow_json_with_bodies
from ccproxy.lightllm.ir.losses import Loss

from .support import START, make_flow


def test_the_whole_shape() -> None:
    flow = make_flow(1, usage=Usage(input=3, output=2), answer_model="claude-x-2", session="s", kind="main", cost=0.5)
    flow.losses = [Loss("messages[0].cache", "dropped", reason="no cache marks")]
    flow.hooks = [HookResult("inject", "inbound", 1, changed=["body.system"])]
    flow.timings = {"hooks": 0.25}
    flow.tools = ["Bash"]
    assert flow_json(flow) == {
        "id": "000000000001",
        "type": "http",
        "intercepted": False,
        "is_replay": None,
        "modified": True,
        "marked": "",
        "comment": "",
        "timestamp_created": START + 1,
        "client_conn": {"peername": ["127.0.0.1", 50_000], "tls_established": False},
        "server_conn": {
            "address": ["api.anthropic.com", 443],
            "peername": None,
            "sni": "api.anthropic.com",
            "tls_established": True,
        },
        "request": {
            "method": "POST",
            "scheme": "https",
            "host": "api.anthropic.com",
            "port": 443,
            "path": "/v1/messages?beta=true",
            "http_version": "HTTP/1.1",
            "headers": [("Content-Type", "application/json"), ("x-api-key", "…abcd")],
            "pretty_host": "api.anthropic.com",
            "contentLength": 26,
            "timestamp_start": START + 1,
            "timestamp_end": START + 1.2,
        },
        "response": {
            "http_version": "HTTP/1.1",
            "status_code": 200,
            "reason": "OK",
            "headers": [("content-type", "application/json")],
            "contentLength": 84,
            "timestamp_start": START + 1.5,
            "timestamp_end": START + 2.5,
        },
        "error": None,
        "websocket": None,
        "ccproxy": {
            "door": "gateway",
            "run": "",
            "process": "",
            "dialect": "anthropic",
            "upstream_dialect": "anthropic",
            "operation": "messages",
            "model": "claude-x",
            "answer_model": "claude-x-2",
            "provider": "anthropic",
            "action": "redirect",
            "reason": "sentinel",
            "credential": "command",
            "outcome": "complete",
            "error_kind": "",
            "streaming": False,
            "session": "s",
            "conversation": "",
            "parent": "",
            "kind": "main",
            "replay_of": "",
            "cost": 0.5,
            "hooks": [
                {
                    "name": "inject",
                    "stage": "inbound",
                    "order": 1,
                    "ms": 0.0,
                    "changed": ["body.system"],
                    "error": "",
                    "notes": [],
                }
            ],
            "timings": {"hooks": 0.25},
            "tools": ["Bash"],
            "ttfb": 0.5,
            "duration": 1.5,
            "client": {"address": "127.0.0.1", "port": 50_000, "key": "laptop", "user_agent": "test/1.0"},
            "usage": {"input": 3, "output": 2, "cache_read": None, "cache_write": None, "reasoning": None},
            "story": [],
            "losses": [
                {"path": "messages[0].cache", "kind": "dropped", "from": "", "to": "", "reason": "no cache marks"}
            ],
            "client_request": {
                "method": "POST",
                "scheme": "http",
                "host": "localhost",
                "port": 4000,
                "path": "/v1/messages?beta=true",
                "http_version": "HTTP/1.1",
                "headers": [("Host", "localhost:4000"), ("Content-Type", "application/json")],
                "pretty_host": "localhost",
                "contentLength": 26,
                "timestamp_start": START + 1,
                "timestamp_end": START + 1.1,
                "url": "http://localhost:4000/v1/messages?beta=true",
            },
            "client_response": None,
        },
    }


def test_without_a_forwarded_request_it_is_the_clients() -> None:
    document = flow_json(make_flow(forwarded=None, response=None, error="refused"))
    assert document["request"]["pretty_host"] == "localhost"
    assert document["server_conn"] == {"address": None, "peername": None, "sni": None, "tls_established": False}
    assert document["modified"] is False
    assert document["response"] is None
    assert document["error"] == {"msg": "refused", "timestamp": START + 1.5}


@pytest.mark.parametrize(
    ("host", "pretty"),
    [
        ("api.example.com", "api.example.com"),
        ("api.example.com:8080", "api.example.com"),
        ("[::1]:4000", "::1"),
        ("[::1]", "::1"),
        ("", "localhost"),
        ("odd:host", "odd:host"),
    ],
)
def test_the_pretty_host_is_the_name_without_its_port(host: str, pretty: str) -> None:
    flow = make_flow(forwarded=None)
    flow.request.headers = [("HOST", host)]
    assert flow_json(flow)["request"]["pretty_host"] == pretty


def test_bodies_are_decoded_text_or_base64() -> None:
    flow = make_flow()
    assert flow.response is not None
    flow.response.headers.append(("content-encoding", "br"))
    flow.response.body = coding.encode("grüße".encode(), "br")
    flow.request.body, flow.request.truncated = b"\xff\x00", True
    document = flow_json_with_bodies(flow)
    assert document["response"]["content"] == "grüße"
    assert document["response"]["truncated"] is False
    mine = document["ccproxy"]["client_request"]
    assert (b64decode(mine["content"]), mine["content_encoding"]) == (b"\xff\x00", "base64")
    assert (mine["truncated"], mine["redacted"]) == (True, False)
    json.dumps(document)


def test_a_websocket() -> None:
    messages = [
        WebSocketMessage(True, True, b"hi", 2, START + 1),
        WebSocketMessage(False, False, b"\xff", 9, START + 2),
    ]
    record = WebSocketRecord(messages, count=2, size=11, last=START + 2)
    flow = make_flow(websocket=record)
    meta = {"contentLength": 11, "count": 2, "timestamp_last": START + 2}
    unknown = {"closed_by_client": None, "close_code": None, "close_reason": None}
    assert flow_json(flow)["websocket"] == {"messages_meta": meta, "timestamp_end": START + 2, **unknown}
    assert flow_json_with_bodies(flow)["websocket"]["messages"] == [
        {"from_client": True, "type": "text", "timestamp": START + 1, "contentLength": 2, "content": "hi"},
        {
            "from_client": False,
            "type": "binary",
            "timestamp": START + 2,
            "contentLength": 9,
            "content": "/w==",
            "content_encoding": "base64",
        },
    ]
