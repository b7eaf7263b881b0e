"""The layer that asks a proxy above to go on, without a connection."""

from __future__ import annotations

import pytest
from mitmproxy.connection import Client, ConnectionState, Server
from mitmproxy.options import Options
from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.context import Context

from ccproxy.egress.proxy import EgressProxy
from ccproxy.interceptor.above import Above, connect_request

PROXY = EgressProxy("proxy.test", 3128, "Basic bWU6d29yZA==")


class Listener(layer.Layer):
    """Opens the connection, and notes what comes of it."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.error: str | None = "not yet"
        self.got = b""

    def _handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        if isinstance(event, events.Start):
            self.error = yield commands.OpenConnection(self.context.server)
        elif isinstance(event, events.DataReceived):
            self.got += event.data


def asked(name: str = "") -> tuple[Above, Listener, list[commands.Command]]:
    """A layer whose connection to the proxy is open, what is above it, and what it has said by then."""
    client = Client(peername=("10.0.0.1", 1), sockname=("203.0.113.1", 22), state=ConnectionState.OPEN)
    context = Context(client, Options())
    context.server = Server(address=("2001:db8::7", 22))
    above = Above(context, PROXY, lambda address: name)
    listener = Listener(context)
    above.child_layer = listener
    (opening,) = above.handle_event(events.Start())
    assert isinstance(opening, commands.OpenConnection)
    assert opening.connection is above.tunnel_connection
    above.tunnel_connection.state = ConnectionState.OPEN
    return above, listener, list(above.handle_event(events.OpenConnectionCompleted(opening, None)))


def hear(above: Above, data: bytes) -> list[commands.Command]:
    return list(above.handle_event(events.DataReceived(above.tunnel_connection, data)))


@pytest.mark.parametrize(
    ("target", "authority"), [(("some.test", 22), "some.test:22"), (("2001:db8::7", 443), "[2001:db8::7]:443")]
)
def test_the_request(target: tuple[str, int], authority: str) -> None:
    assert connect_request(target) == f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode()
    assert b"\r\nProxy-Authorization: Basic eA==\r\n\r\n" in connect_request(target, "Basic eA==")


@pytest.mark.parametrize(("name", "authority"), [("", b"[2001:db8::7]:22"), ("some.test", b"some.test:22")])
def test_it_asks_by_the_name_if_there_is_one(name: str, authority: bytes) -> None:
    _, _, (sent,) = asked(name)
    assert isinstance(sent, commands.SendData)
    assert sent.data.startswith(b"CONNECT " + authority + b" HTTP/1.1\r\n")


ANSWER = b"HTTP/1.1 200 Connection established\r\nVia: 1.1 above\r\n\r\nSSH-2.0-x\r\n"


@pytest.mark.parametrize("split", range(len(ANSWER) + 1))
def test_a_yes_and_what_comes_with_it_in_any_pieces(split: int) -> None:
    above, listener, _ = asked()
    for piece in filter(None, (ANSWER[:split], ANSWER[split:])):
        assert hear(above, piece) == []
    assert (listener.error, listener.got) == (None, b"SSH-2.0-x\r\n")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "refused it: 403 Forbidden"),
        (b"HTTP/1.0 502\r\nX: y\r\n\r\n", "refused it: 502"),
        (b"SSH-2.0-x\r\n\r\n", "did not answer in HTTP/1"),
        (b"x" * 70000, "sent no end of its answer"),
    ],
)
def test_a_no_is_told(answer: bytes, reason: str) -> None:
    above, listener, _ = asked()
    (closing,) = hear(above, answer)
    assert isinstance(closing, commands.CloseConnection)
    assert listener.error == (
        f"no connection to 2001:db8::7 port 22: the proxy proxy.test:3128 (interceptor.upstream_proxy) {reason}"
    )


def test_an_end_instead_of_an_answer() -> None:
    above, listener, _ = asked()
    list(above.handle_event(events.ConnectionClosed(above.tunnel_connection)))
    assert listener.error == "connection closed"
