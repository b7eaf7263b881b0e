"""What the page gets of a flow is complete, and cut where a browser would not bear it."""

from __future__ import annotations

import gzip
import json

from ccproxy.exchange.exchange import Step
from ccproxy.exchange.hooks import HookResult
from ccproxy.flows.compare import compare
from ccproxy.flows.model import RequestRecord, Usage, WebSocketMessage, WebSocketRecord
from ccproxy.inspector import views
from ccproxy.inspector.frames import Frame
from flows.support import START, make_flow


def request(body: bytes, *headers: tuple[str, str], **changes: object) -> RequestRecord:
    return RequestRecord(headers=list(headers), body=body, size=len(body), method="POST", target="/x", **changes)  # type: ignore[arg-type]


class TestRow:
    def test_it_has_what_the_list_shows(self) -> None:
        usage = Usage(input=10, output=2, cache_read=8)
        hooks = [HookResult("a", "inbound", 1, changed=["body"]), HookResult("b", "inbound", 2)]
        row = views.row(make_flow(usage=usage, cost=0.5, hooks=hooks, tools=["Bash"], timings={"ttft": 0.7}))
        assert (row["input"], row["output"], row["cache_read"], row["cost"]) == (10, 2, 8, 0.5)
        assert (row["status"], row["path"], row["host"]) == (200, "/v1/messages", "api.anthropic.com")
        assert (row["tools"], row["hooks"], row["ttft"]) == (["Bash"], 1, 0.7)

    def test_a_flow_without_an_answer(self) -> None:
        row = views.row(make_flow(response=None, forwarded=None))
        assert row["status"] is row["input"] is row["ttft"] is None
        assert row["host"] == "localhost"


class TestFacts:
    def test_everything_but_the_bodies(self) -> None:
        facts = views.facts(make_flow(story=[Step("p", status=529, then="waited 2 s", seconds=2.0)]))
        text = json.dumps(facts)
        assert facts["story"][0]["then"] == "waited 2 s"
        assert facts["forwarded"]["url"] == "https://api.anthropic.com/v1/messages?beta=true"
        assert facts["same_body"] is True
        assert abs(facts["response"]["begin"] - 0.5) < 1e-6
        assert facts["answer"] is None
        assert "input_tokens" not in text

    def test_roles(self) -> None:
        flow = make_flow()
        assert views.message_of(flow, "request") is flow.request
        assert views.message_of(flow, "forwarded") is flow.forwarded
        assert views.message_of(flow, "response") is flow.response
        assert views.message_of(flow, "answer") is None
        assert views.message_of(flow, "headers") is None


class TestBody:
    def test_json_is_indented(self) -> None:
        body = views.body(request(b'{"a":[1,2]}'))
        assert body["json"] is True
        assert body["text"].startswith('{\n  "a": [')
        assert body["whole"] is True

    def test_compressed(self) -> None:
        body = views.body(request(gzip.compress(b"hello"), ("Content-Encoding", "gzip")))
        assert (body["text"], body["decoded"], body["encoding"]) == ("hello", 5, "gzip")

    def test_binary_is_shown_as_bytes(self) -> None:
        body = views.body(request(b"\xff\x00AB"))
        assert body["binary"] is True
        assert body["text"] == "00000000  ff 00 41 42                                      ..AB"

    def test_long_ones_are_cut_and_say_by_how_much(self) -> None:
        body = views.body(request(b"x" * (views.MAX_TEXT + 5)))
        assert body["cut"] == 5
        assert len(body["text"]) == views.MAX_TEXT

    def test_what_is_not_whole_says_so(self) -> None:
        body = views.body(request(b"abc", truncated=True, redacted=True))
        assert (body["whole"], body["redacted"]) == (False, True)

    def test_deep_json_is_text(self) -> None:
        body = views.body(request(b"[" * 20_000 + b"]" * 20_000))
        assert body["json"] is False


class TestDifference:
    def test_changes_with_what_caused_them(self) -> None:
        flow = make_flow()
        flow.hooks = [HookResult("set_param", "outbound", 1, changed=["body.n"])]
        assert flow.forwarded is not None
        flow.forwarded = request(b'{"model":"claude-x","n":"' + b"y" * 30_000 + b'"}')
        found = views.difference(flow, compare(flow))
        (change,) = [change for change in found["changes"] if change["path"] == "body.n"]
        assert change["causes"] == ("hook set_param (outbound)",)
        assert len(change["after"]) < 20_100

    def test_nothing_was_forwarded(self) -> None:
        flow = make_flow(forwarded=None)
        assert views.difference(flow, compare(flow))["changes"] is None


class TestStreams:
    def test_events(self) -> None:
        found = views.events([Frame(b"1", "a", at=0.5), Frame(b"\xff", comment=True)])
        assert found["count"] == 2
        assert found["events"][0] == {"name": "a", "comment": False, "at": 0.5, "size": 1, "text": "1"}
        assert found["events"][1]["text"] == "\ufffd"
        assert views.events(None)["stream"] is False

    def test_many_events_come_in_pages(self) -> None:
        frames = [Frame(b"%d" % number) for number in range(views.MAX_EVENTS + 3)]
        assert len(views.events(frames)["events"]) == views.MAX_EVENTS
        assert [event["text"] for event in views.events(frames, begin=views.MAX_EVENTS)["events"]] == [
            "10000",
            "10001",
            "10002",
        ]

    def test_messages_of_a_websocket(self) -> None:
        record = WebSocketRecord(
            [WebSocketMessage(True, True, b"hi", 2, START + 1), WebSocketMessage(False, False, b"\0", 1, START + 2)],
            count=2,
        )
        found = views.messages(make_flow(websocket=record))
        assert [(one["from_client"], one["at"]) for one in found["messages"]] == [(True, 1.0), (False, 2.0)]
        assert found["messages"][1]["body"].startswith("00000000  00")
        assert views.messages(make_flow())["count"] == 0
