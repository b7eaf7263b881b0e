"""HAR files: valid by a schema, opened by an independent reader, and true."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from haralyzer import HarParser

from ccproxy.exchange.hooks import HookResult
from ccproxy.flows import har
from ccproxy.flows.model import Flow, RequestRecord, ResponseRecord, Usage, WebSocketMessage, WebSocketRecord
from ccproxy.lightllm.ir.losses import Loss

from .support import START, make_flow

SCHEMA = Path(__file__).parent.parent / "data" / "har-1.2.schema.json"


def written(*flows: Flow) -> Any:
    """The file of these flows, as a valid one."""
    document = json.loads(b"".join(har.write(flows)))
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(document)
    return document


def converted() -> Flow:
    """A flow that was asked in another dialect, so that the client got another answer than the provider gave."""
    answer = ResponseRecord(headers=[("content-type", "application/json")], body=b"{}", size=2, status=200, reason="OK")
    answer.timestamp_start, answer.timestamp_end = START + 1.0, START + 2.0
    return make_flow(
        2,
        answer=answer,
        upstream_dialect="openai",
        usage=Usage(input=3, output=2),
        session="s-1",
        cost=0.25,
        losses=[Loss("sampling.top_k", "dropped", "5", reason="no such field")],
        hooks=[HookResult("inject", "inbound", 1, changed=["body.system"])],
        timings={"ttft": 0.7},
    )


def test_no_flow_is_a_valid_file() -> None:
    assert written()["log"]["entries"] == []


def test_each_flow_is_a_page_with_two_entries() -> None:
    log = written(make_flow(1), converted())["log"]
    assert [page["id"] for page in log["pages"]] == ["000000000001", "000000000002"]
    assert [entry["pageref"] for entry in log["entries"]] == [page["id"] for page in log["pages"] for _ in range(2)]
    assert [entry["request"]["url"] for entry in log["entries"][:2]] == [
        "https://api.anthropic.com/v1/messages?beta=true",
        "http://localhost:4000/v1/messages?beta=true",
    ]
    forwarded, client = log["entries"][2:]
    assert forwarded["response"]["content"]["text"].startswith('{"type":"message"')
    assert client["response"]["content"]["text"] == "{}"
    assert [entry["_ccproxy"]["side"] for entry in (forwarded, client)] == ["forwarded", "client"]


def test_what_only_ccproxy_knows() -> None:
    ours = written(converted())["log"]["entries"][0]["_ccproxy"]
    expected = {
        "flow": "000000000002",
        "forwarded": True,
        "dialect": "anthropic",
        "upstream_dialect": "openai",
        "provider": "anthropic",
        "action": "redirect",
        "reason": "sentinel",
        "model": "claude-x",
        "session": "s-1",
        "cost": 0.25,
        "timings": {"ttft": 0.7},
        "ttfb": 0.5,
    }
    assert {name: ours[name] for name in expected} == expected
    assert ours["usage"]["input"] == 3
    assert ours["losses"][0]["path"] == "sampling.top_k"
    assert ours["hooks"][0]["changed"] == ["body.system"]


def test_phases_of_known_length_sum_up_to_the_time() -> None:
    entry = written(make_flow())["log"]["entries"][0]
    timings = entry["timings"]
    assert {timings[name] for name in ("blocked", "dns", "connect", "ssl")} == {-1}
    assert [timings[name] for name in ("send", "wait", "receive")] == pytest.approx([200, 300, 1000], abs=0.01)
    assert entry["time"] == pytest.approx(1500, abs=0.01)
    assert entry["startedDateTime"] == "2023-11-14T22:13:20.000Z"


def test_nothing_was_forwarded() -> None:
    log = written(make_flow(forwarded=None, response=None, error="no route", outcome="refused"))["log"]
    first, second = log["entries"]
    assert first["request"] == second["request"]
    assert first["_ccproxy"]["forwarded"] is False
    assert first["response"]["status"] == 0
    assert first["response"]["_error"] == "no route"


def test_bodies() -> None:
    picture = b"\x89PNG\xff"
    flow = make_flow()
    assert flow.response is not None
    flow.response.headers = [("content-type", "image/png"), ("set-cookie", "a=b; Path=/"), ("location", "/next")]
    flow.response.body, flow.response.size = picture, len(picture)
    flow.request = RequestRecord(
        headers=[("content-type", "application/x-www-form-urlencoded"), ("cookie", "x=1; y=2")],
        body=b"name=a+b&empty=",
        size=15,
        method="POST",
        scheme="http",
        host="localhost",
        port=4000,
        target="/form?q=%C3%A9&flag",
    )
    entry = written(flow)["log"]["entries"][1]
    content = entry["response"]["content"]
    assert (b64decode(content["text"]), content["encoding"], content["size"]) == (picture, "base64", 5)
    assert entry["response"]["redirectURL"] == "/next"
    assert entry["response"]["cookies"] == [{"name": "a", "value": "b"}]
    request = entry["request"]
    assert request["postData"]["params"] == [{"name": "name", "value": "a b"}, {"name": "empty", "value": ""}]
    assert request["queryString"] == [{"name": "q", "value": "é"}, {"name": "flag", "value": ""}]
    assert request["cookies"] == [{"name": "x", "value": "1"}, {"name": "y", "value": "2"}]
    assert (request["headersSize"], request["bodySize"]) == (-1, 15)


def test_a_compressed_body_is_told_as_text() -> None:
    flow = make_flow()
    assert flow.response is not None
    plain = b"x" * 1000
    flow.response.body = gzip.compress(plain)
    flow.response.size = len(flow.response.body)
    flow.response.headers = [("content-encoding", "gzip"), ("content-type", "text/plain")]
    response = written(flow)["log"]["entries"][0]["response"]
    assert response["content"]["text"] == plain.decode()
    assert response["content"]["size"] == 1000
    assert response["content"]["compression"] == 1000 - response["bodySize"]


def test_the_messages_of_a_websocket_are_where_chrome_puts_them() -> None:
    messages = [
        WebSocketMessage(True, True, b"hi", 2, START + 1),
        WebSocketMessage(False, False, b"\xff", 1, START + 2),
    ]
    entry = written(make_flow(websocket=WebSocketRecord(messages, count=2, size=3)))["log"]["entries"][0]
    assert entry["_resourceType"] == "websocket"
    assert entry["_webSocketMessages"] == [
        {"type": "send", "time": START + 1, "opcode": 1, "data": "hi"},
        {"type": "receive", "time": START + 2, "opcode": 2, "data": "/w=="},
    ]


def test_only_http_can_stand_in_it() -> None:
    assert har.is_http(make_flow())
    assert not har.is_http(make_flow(request=RequestRecord(headers=[], scheme="tcp", host="h", port=22)))


def test_an_independent_reader_opens_it(tmp_path: Path) -> None:
    path = tmp_path / "all.har"
    path.write_bytes(b"".join(har.write([make_flow(1), converted()])))
    parser = HarParser.from_file(path)
    assert [page.page_id for page in parser.pages] == ["000000000001", "000000000002"]
    entry = parser.pages[0].entries[0]
    assert entry.url == "https://api.anthropic.com/v1/messages?beta=true"
    assert entry.status == 200
    assert entry.time == 1500
    assert entry.request.get_header_value("content-type") == "application/json"


def test_the_memory_of_a_flow_suffices() -> None:
    body = b'{"text":"' + b"x" * 200_000 + b'"}'

    def flows() -> Iterator[Flow]:
        for number in range(100):
            flow = make_flow(number)
            flow.request.body = body
            yield flow

    tracemalloc.start()
    try:
        size = sum(map(len, har.write(flows())))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size > 20_000_000
    assert peak < 5_000_000
