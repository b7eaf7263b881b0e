"""mitmproxy's format, as mitmproxy itself reads it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import version
from mitmproxy.http import HTTPFlow
from mitmproxy.io import FlowReader, tnetstring
from mitmproxy.tcp import TCPFlow
from mitmproxy.udp import UDPFlow

from ccproxy.flows import mflow
from ccproxy.flows.model import Flow, RequestRecord, WebSocketMessage, WebSocketRecord

from .support import START, make_flow


def read(*flows: Flow, client: bool = False) -> list[Any]:
    """What mitmproxy makes of a file with these flows."""
    data = b"".join(mflow.dumps(flow, client=client) for flow in flows)
    return list(FlowReader(io.BytesIO(data)).stream())


def other(scheme: str) -> Flow:
    request = RequestRecord(headers=[], scheme=scheme, host="192.0.2.1", port=22, size=99)
    return make_flow(3, request=request, forwarded=request, response=None)


def test_http() -> None:
    [flow] = read(make_flow(1, error="cut off", outcome="upstream_cut"))
    assert isinstance(flow, HTTPFlow)
    assert flow.request.pretty_url == "https://api.anthropic.com/v1/messages?beta=true"
    assert flow.request.method == "POST"
    assert flow.request.json() == {"model": "claude-x", "n": 1}
    assert flow.request.headers.fields == ((b"Content-Type", b"application/json"), (b"x-api-key", b"\xe2\x80\xa6abcd"))
    assert flow.response is not None
    assert flow.response.status_code == 200
    assert flow.response.json()["model"] == "claude-x-2"
    assert flow.timestamp_created == START + 1
    assert flow.client_conn.peername == ("127.0.0.1", 50_000)
    assert flow.server_conn.address == ("api.anthropic.com", 443)
    assert flow.error is not None
    assert flow.error.msg == "cut off"
    assert "ccproxy flow 000000000001" in flow.comment
    assert json.loads(flow.metadata["ccproxy"])["provider"] == "anthropic"


def test_the_clients_side() -> None:
    [flow] = read(make_flow(1), client=True)
    assert flow.request.url == "http://localhost:4000/v1/messages?beta=true"


def test_nothing_forwarded_and_nothing_answered() -> None:
    [flow] = read(make_flow(forwarded=None, response=None))
    assert flow.request.host == "localhost"
    assert flow.response is None
    assert flow.server_conn.address is None


def test_a_websocket() -> None:
    messages = [
        WebSocketMessage(True, True, "hällo".encode(), 6, START + 1),
        WebSocketMessage(False, False, b"\xff\0", 2, START + 2),
    ]
    [flow] = read(make_flow(websocket=WebSocketRecord(messages, count=2, size=8, last=START + 2)))
    assert flow.websocket is not None
    assert [(m.from_client, m.is_text, m.content) for m in flow.websocket.messages] == [
        (True, True, "hällo".encode()),
        (False, False, b"\xff\0"),
    ]


@pytest.mark.parametrize(("scheme", "kind"), [("tcp", TCPFlow), ("udp", UDPFlow)])
def test_what_is_not_http(scheme: str, kind: type) -> None:
    [flow] = read(other(scheme))
    assert isinstance(flow, kind)
    assert flow.server_conn.address == ("192.0.2.1", 22)
    assert flow.client_conn.transport_protocol == scheme


def test_many_flows_in_one_file() -> None:
    flows = read(*(make_flow(number) for number in range(10, 15)), other("tcp"))
    assert len({flow.id for flow in flows}) == 6


def test_mitmdump_shows_them(tmp_path: Path) -> None:
    messages = [WebSocketMessage(True, True, b"hi", 2, START + 1)]
    flows = [make_flow(1), make_flow(2, websocket=WebSocketRecord(messages, count=1, size=2)), other("tcp")]
    file = tmp_path / "all.mflow"
    file.write_bytes(b"".join(mflow.dumps(flow) for flow in flows))
    done = subprocess.run(
        [Path(sys.executable).with_name("mitmdump"), "--set", f"confdir={tmp_path}", "-nr", file],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.count("POST https://api.anthropic.com/v1/messages?beta=true") == 2
    assert "200 OK" in done.stdout
    assert "Error" not in done.stdout + done.stderr


def test_the_format_is_the_one_that_the_installed_mitmproxy_writes() -> None:
    assert mflow.FORMAT == version.FLOW_FORMAT_VERSION
    [flow] = read(make_flow())
    written = mflow.state(make_flow())
    assert written.keys() == flow.get_state().keys()
    for part in ("request", "response", "client_conn", "server_conn"):
        assert written[part].keys() == flow.get_state()[part].keys(), part


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.binary() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(values)
def test_tnetstrings_are_read_as_they_were_written(value: Any) -> None:
    assert tnetstring.loads(mflow.tnetstring(value)) == value


def test_a_value_without_a_place_in_a_tnetstring() -> None:
    with pytest.raises(TypeError, match="object"):
        mflow.tnetstring(object())
