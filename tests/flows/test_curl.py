"""curl command lines: pasted into a shell, they put on the wire what was recorded."""

from __future__ import annotations

import shutil
import subprocess
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ccproxy.errors import CommandError
from ccproxy.flows import curl
from ccproxy.flows.model import Flow, RequestRecord, WebSocketRecord
from ccproxy.testing.fake_provider import FakeProvider
from ccproxy.testing.threaded import ThreadedProvider

from .support import make_flow

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl(1)")


@pytest.fixture(scope="module")
def provider() -> Any:
    with FakeProvider.in_thread() as provider:
        yield provider


def asked(provider: ThreadedProvider, body: bytes = b"", **changes: Any) -> Flow:
    """A flow whose forwarded request went to the provider."""
    facts: dict[str, Any] = {
        "headers": [("Host", f"127.0.0.1:{provider.port}"), ("Content-Type", "application/json")],
        "body": body,
        "size": len(body),
        "method": "POST",
        "scheme": "http",
        "host": "127.0.0.1",
        "port": provider.port,
        "target": "/v1/messages",
    }
    return make_flow(forwarded=RequestRecord(**(facts | changes)))


def run(line: str, **env: str) -> subprocess.CompletedProcess[bytes]:
    """Pastes a line into a shell."""
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", **env}
    return subprocess.run(
        ["sh"], input=f"{line}\n".encode(), env=environment, capture_output=True, timeout=30, check=False
    )


def sent(provider: ThreadedProvider, flow: Flow, **env: str) -> Any:
    """What arrives when the command line of `flow` is run."""
    before = len(provider.requests)
    done = run(curl.command(flow), **env)
    assert done.returncode == 0, done.stderr
    return provider.wait_for_request(before)


@needs_curl
@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"claude-x","messages":[{"role":"user","content":"what\'s 2+2? $HOME `id` \\\\ \\"x\\" !!"}]}',
        b"@/etc/passwd",
        b"-x --data",
        b"line\nline\n\n",
        b"%s %d 100%",
        "天気 é".encode(),
        b"tab\tand\0zero",
        b"\xff\xfe\x00binary",
        b"'" * 500,
        b'{"text":"' + b"long ' % $ " * 30_000 + b'"}',
        b"",
    ],
    ids=lambda body: repr(body[:12]),
)
def test_the_body_arrives_byte_for_byte(provider: ThreadedProvider, body: bytes) -> None:
    request = sent(provider, asked(provider, body))
    assert request.body == body
    assert request.method == "POST"


@needs_curl
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
def test_any_body_arrives(provider: ThreadedProvider, body: bytes) -> None:
    assert sent(provider, asked(provider, body)).body == body


@needs_curl
def test_the_head_arrives_and_nothing_is_added(provider: ThreadedProvider) -> None:
    headers = [
        ("Host", f"127.0.0.1:{provider.port}"),
        ("x-quote", 'it\'s "so" $HOME'),
        ("x-empty", ""),
        ("x-latin", "Ã©"),  # the bytes of an é in UTF-8
        ("Content-Length", "999"),
        ("Connection", "close"),
    ]
    request = sent(provider, asked(provider, b"{}", headers=headers, target="/a/../b?x={1,2}&y=[1-3]&z=%20"))
    assert request.target == b"/a/../b?x={1,2}&y=[1-3]&z=%20"
    arrived = [(name.lower(), value) for name, value in request.headers.pairs]
    assert sorted(arrived) == sorted(
        [
            (b"host", f"127.0.0.1:{provider.port}".encode()),
            (b"x-quote", b'it\'s "so" $HOME'),
            (b"x-empty", b""),
            (b"x-latin", "é".encode()),
            (b"content-length", b"2"),
        ]
    )


@needs_curl
@pytest.mark.parametrize("method", ["GET", "DELETE", "HEAD", "PUT"])
def test_methods(provider: ThreadedProvider, method: str) -> None:
    body = b"{}" if method == "PUT" else b""
    assert sent(provider, asked(provider, body, method=method, target="/v1/models")).method == method


@needs_curl
def test_a_variable_stands_for_each_secret(provider: ThreadedProvider) -> None:
    headers = [("Authorization", "Bearer …wxyz"), ("x-api-key", "…"), ("Cookie", "…abcd"), ("x-note", "plain")]
    flow = asked(provider, b"{}", headers=headers, target="/v1/x?key=…wxyz&b=2")
    line = curl.command(flow)
    assert line.startswith("# Secrets are not recorded; set ANTHROPIC_API_KEY, ANTHROPIC_COOKIE first.\n")
    assert "…" not in line

    refused = run(line)
    assert refused.returncode != 0
    assert b"ANTHROPIC_API_KEY" in refused.stderr

    request = sent(provider, flow, ANTHROPIC_API_KEY="it's-1", ANTHROPIC_COOKIE="a=b")
    assert request.headers.text(b"authorization") == "Bearer it's-1"
    assert request.headers.text(b"x-api-key") == "it's-1"
    assert request.headers.text(b"cookie") == "a=b"
    assert request.target == b"/v1/x?key=it's-1&b=2"


def test_a_variable_in_the_url() -> None:
    flow = make_flow(provider="my-gemini")
    assert flow.forwarded is not None
    flow.forwarded.target = "/v1/x?key=…wxyz&b=2"
    assert """'https://api.anthropic.com/v1/x?key='"${MY_GEMINI_API_KEY:?}"'&b=2'""" in curl.command(flow)


def test_a_sentinel_key_is_no_secret() -> None:
    flow = make_flow()
    flow.request.headers = [("x-api-key", "sk-ant-oat-ccproxy-anthropic")]
    line = curl.command(flow, client=True)
    assert "-H 'x-api-key: sk-ant-oat-ccproxy-anthropic'" in line
    assert "'http://localhost:4000/v1/messages?beta=true'" in line


def test_what_is_not_whole_is_said() -> None:
    flow = make_flow()
    assert flow.forwarded is not None
    flow.forwarded.truncated, flow.forwarded.redacted, flow.forwarded.size = True, True, 9_999
    comments = [line for line in curl.command(flow).splitlines() if line.startswith("#")]
    assert len(comments) == 3
    assert "of 9999 bytes" in comments[1]


@pytest.mark.parametrize(
    "flow",
    [
        make_flow(websocket=WebSocketRecord()),
        make_flow(request=RequestRecord(headers=[], scheme="tcp", host="h", port=22), forwarded=None),
    ],
    ids=["websocket", "tcp"],
)
def test_what_curl_cannot_send(flow: Flow) -> None:
    with pytest.raises(CommandError, match="curl cannot send"):
        curl.command(flow)
