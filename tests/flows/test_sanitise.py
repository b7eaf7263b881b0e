"""The second look for secrets: what goes, what stays, and that nothing moves."""

from __future__ import annotations

import gzip
import json

import msgspec
import pytest

from ccproxy.flows import coding, sanitise
from ccproxy.flows.model import RequestRecord, WebSocketMessage, WebSocketRecord

from .support import START, make_flow

CANARY = "CANARYcanary0123456789WXYZ"


@pytest.mark.parametrize(
    "text",
    [
        f'{{"api_key": "{CANARY}"}}',
        f'{{"apiKey":"{CANARY}","model":"x"}}',
        f'{{"mcp_servers":[{{"authorization_token":"{CANARY}"}}]}}',
        f'{{"headers":{{"X-Api-Key":"{CANARY}","Authorization":"Bearer {CANARY}"}}}}',
        f'{{"arguments":"{{\\"password\\": \\"{CANARY}\\"}}"}}',
        f'{{"arguments":"{{\\\\\\"client_secret\\\\\\":\\\\\\"{CANARY}\\\\\\"}}"}}',
        f'{{"secret":"with \\"quotes\\" {CANARY}"}}',
        f'{{"type":"auth","token":"{CANARY}"}}',
        f"export DEMO_API_KEY={CANARY}",
        f'DEMO_TOKEN="{CANARY}"',
        f"curl -H 'x-api-key: {CANARY}' -H 'Authorization: Bearer {CANARY}'",
        f"the header was Bearer {CANARY}",
        f"see https://user:{CANARY}@example.com/x",
        f"see https://example.com/x?a=1&key={CANARY}&b=2",
        f"sk-ant-api03-{CANARY}",
        f"sk-ant-oat-ccproxy-demo.{CANARY}",
        f"AIza{CANARY}",
    ],
)
def test_a_secret_goes_and_nothing_moves(text: str) -> None:
    cleaned = sanitise.text(text)
    assert CANARY not in cleaned
    assert len(cleaned) == len(text)
    assert sanitise.text(cleaned) == cleaned
    if text.startswith("{"):
        assert json.loads(cleaned).keys() == json.loads(text).keys()


@pytest.mark.parametrize(
    "text",
    [
        '{"token":"Hello"}',
        '{"token":"a whole sentence, which no credential is"}',
        '{"max_tokens":100,"usage":{"input_tokens":"12345678"}}',
        '{"api_key":"sk-ant-oat-ccproxy-demo"}',
        '{"thinking":"...","signature":"EqQBCkYIAhgCIkDzZ0"}',
        '{"secret":""}',
        "the secret is that there is none",
        "https://example.com/?page=2&model=x",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert sanitise.text(text) == text


def test_a_body_without_secrets_is_the_same_object() -> None:
    body = gzip.compress(b'{"model":"x"}')
    assert sanitise.body(body, "gzip") is body


def test_a_compressed_body_is_searched() -> None:
    body = gzip.compress(f'{{"api_key":"{CANARY}"}}'.encode())
    cleaned = coding.decode(sanitise.body(body, "gzip"), "gzip")
    assert cleaned is not None
    assert cleaned.data == b'{"api_key":"**********************WXYZ"}'


def test_bytes_that_are_no_text_stay() -> None:
    body = b'\xff\xfe"api_key":"' + CANARY.encode() + b'"\x80'
    assert sanitise.body(body) == b'\xff\xfe"api_key":"**********************WXYZ"\x80'


def test_a_form() -> None:
    body = f"grant_type=x&code={CANARY}&client_secret={CANARY}&page=2".encode()
    cleaned = sanitise.body(body, "", "application/x-www-form-urlencoded")
    assert cleaned == b"grant_type=x&code=**********************WXYZ&client_secret=**********************WXYZ&page=2"


def test_a_whole_flow() -> None:
    body = f'{{"password":"{CANARY}"}}'.encode()
    flow = make_flow(error=f"refused: api_key={CANARY}", user_agent=f"x sk-ant-api03-{CANARY}")
    for message in (flow.request, flow.forwarded):
        assert message is not None
        message.body, message.target = body, f"/v1?key={CANARY}"
        message.headers = [("Cookie", f"a={CANARY}"), ("x-note", f"sk-ant-api03-{CANARY}"), ("x-api-key", "…abcd")]
    flow.websocket = WebSocketRecord([WebSocketMessage(True, True, body, len(body), START)], count=1)

    cleaned = sanitise.sanitised(flow)

    assert CANARY.encode() not in msgspec.msgpack.encode(cleaned)
    assert cleaned.request.redacted
    assert cleaned.forwarded is not None
    assert cleaned.forwarded.body is cleaned.request.body
    assert cleaned.forwarded.redacted
    assert cleaned.request.header("x-api-key") == "…abcd"  # what the store masked stays as it is
    assert cleaned.websocket is not None
    assert cleaned.websocket.redacted
    assert flow.request.body == body  # the flow itself is untouched


def test_a_flow_without_secrets_is_equal() -> None:
    flow = make_flow()
    flow.forwarded = RequestRecord(headers=[], method="POST", scheme="https", host="h", port=443, target="/?a=1")
    assert sanitise.sanitised(flow) == flow
