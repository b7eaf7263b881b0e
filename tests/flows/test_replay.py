"""A recorded request made ready to be sent again, and two answers side by side."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ccproxy.errors import CommandError
from ccproxy.flows import coding
from ccproxy.flows.model import Usage, WebSocketRecord
from ccproxy.flows.replay import HEADER, document, order, render, replayed

from .support import make_flow


def test_the_clients_request_goes_with_the_providers_credential() -> None:
    flow = make_flow()
    flow.request.headers = [
        ("Host", "localhost:4000"), ("Content-Type", "application/json"), ("X-Api-Key", "…abcd"), ("Cookie", "a=…"),
        ("anthropic-version", "2023-06-01"), ("X-Other", "Bearer …wxyz"), ("Content-Length", "24"), ("Accept-Encoding", "gzip"),
        ("x-ccproxy-hooks", "-a"), ("X-CCProxy-Key", "…key1"), ("authorization", "Bearer sk-ant-oat-ccproxy-anthropic"),
    ]  # fmt: skip
    found = order(flow, "zai")
    assert (found.method, found.target, found.body) == ("POST", "/v1/messages?beta=true", flow.request.body)
    assert found.headers == [
        ("Content-Type", "application/json"),
        ("anthropic-version", "2023-06-01"),
        ("x-ccproxy-hooks", "-a"),
        ("authorization", "Bearer sk-ant-oat-ccproxy-zai"),
        ("accept-encoding", "identity"),
        (HEADER, flow.id),
    ]
    assert found.words == "POST /v1/messages?beta=true (26 bytes) for claude-x to provider zai"


def test_a_gateway_that_asks_for_a_key_gets_one() -> None:
    assert ("x-ccproxy-key", "secret") in order(make_flow(), "zai", client_key="secret").headers


def test_another_model_takes_the_place_of_the_old_one_and_of_nothing_else() -> None:
    found = order(make_flow(7), "zai", model="glm-4.6")
    assert found.body == b'{"model":"glm-4.6","n":7}'
    assert found.model == "glm-4.6"


def test_the_model_may_stand_in_the_path() -> None:
    flow = make_flow(dialect="gemini")
    flow.request.target = "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse&key=…abcd"
    found = order(flow, "google", model="gemini-3 pro")
    assert found.target == "/v1beta/models/gemini-3%20pro:streamGenerateContent?alt=sse"
    assert found.body == flow.request.body
    flow.request.target = "/v1beta/models/gemini-2.5-pro:generateContent?key=sk-ant-oat-ccproxy-google"
    assert order(flow, "google").target == "/v1beta/models/gemini-2.5-pro:generateContent"


def test_a_compressed_body_goes_as_it_is_inside() -> None:
    flow = make_flow()
    plain = flow.request.body
    flow.request.headers.append(("Content-Encoding", "gzip"))
    flow.request.body = coding.encode(plain, "gzip")
    found = order(flow, "anthropic")
    assert found.body == plain
    assert "content-encoding" not in {name.lower() for name, _ in found.headers}


@pytest.mark.parametrize(
    ("changes", "spoil", "message"),
    [
        ({}, {"truncated": True, "size": 99}, "only the first 26 of its 99 bytes are recorded"),
        ({}, {"redacted": True}, "secrets, which are overwritten"),
        ({"websocket": WebSocketRecord()}, {}, "it is a WebSocket"),
        ({"dialect": ""}, {}, "no request to a model"),
        ({}, {"scheme": "tcp"}, "no request to a model"),
        ({}, {"headers": [("content-encoding", "gzip")]}, "cannot be decoded"),
    ],
)
def test_what_is_not_there_as_it_was_is_not_sent(changes: dict[str, Any], spoil: dict[str, Any], message: str) -> None:
    flow = make_flow(**changes)
    for name, value in spoil.items():
        setattr(flow.request, name, value)
    with pytest.raises(CommandError, match=message):
        order(flow, "anthropic")


def test_a_body_that_is_no_json_cannot_be_asked_for_another_model() -> None:
    flow = make_flow()
    flow.request.body = b"not json"
    assert order(flow, "anthropic").body == b"not json"
    with pytest.raises(CommandError, match="with another model"):
        order(flow, "anthropic", model="m")


def pair() -> tuple[Any, Any]:
    recorded, replay = make_flow(1), make_flow(2, provider="zai", cost=0.0125, usage=Usage(1200, 30, cache_read=1000))
    for flow, text in ((recorded, "\x1b[31mOne"), (replay, "Two")):
        assert flow.response is not None
        body = {"type": "message", "content": [{"type": "text", "text": text}]}
        flow.response.body = json.dumps(body).encode()
    replay.request.headers.append((HEADER, recorded.id))
    replay.timings["ttft"] = 0.75
    return recorded, replay


def test_both_answers_are_shown() -> None:
    recorded, replay = pair()
    assert replayed(replay) == recorded.id
    assert replayed(recorded) == ""
    assert render(recorded, replay, heading=str.upper).splitlines() == [
        "RECORDED 000000000001",
        "  anthropic, claude-x, 200, 1.50 s",
        "",
        "  \\x1b[31mOne",
        "",
        "REPLAYED 000000000002",
        "  zai, claude-x, 200, 1.2k → 30 tokens (1.0k cached), $0.0125, 1.50 s, first token after 0.75 s",
        "",
        "  Two",
        "",
        "The two answers differ.",
    ]
    assert render(recorded, recorded).endswith("The two answers are the same.\n")


def test_an_error_is_shown_as_it_came() -> None:
    recorded, replay = pair()
    replay.response.status, replay.response.body = 429, b'{"error":"slow down"}'
    replay.error = "upstream answered 429"
    text = render(recorded, replay)
    assert "  error: upstream answered 429\n" in text
    assert '  {"error":"slow down"}\n' in text
    replay.response = None
    assert "(no text)" in render(recorded, replay)


def test_json_has_both_flows_and_their_words() -> None:
    found = document(*pair())
    assert [found[name]["answer_text"] for name in ("recorded", "replayed")] == ["\x1b[31mOne", "Two"]
    assert found["replayed"]["ccproxy"]["replay_of"] == found["recorded"]["id"]
