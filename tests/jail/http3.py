"""HTTP/3, with nothing but aioquic: a server for `site.py`, and as a program a client for what runs in a jail.

    http3.py HOST PATH

prints the status and the body of an answer. Like browsers it uses a connected socket, so that it learns at once if
nobody is there: then it prints `refused`.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time

from aioquic.asyncio import QuicConnectionProtocol, serve
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DataReceived, H3Event, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import HandshakeCompleted, QuicEvent


class Site(QuicConnectionProtocol):
    """Says who was asked for what, and how much was sent."""

    _http: H3Connection | None = None

    def quic_event_received(self, event: QuicEvent) -> None:
        if self._http is None:
            self._http = H3Connection(self._quic)
            self._heads: dict[int, dict[bytes, bytes]] = {}
        for happened in self._http.handle_event(event):
            self._answer(self._http, happened)
        self.transmit()

    def _answer(self, http: H3Connection, event: H3Event) -> None:
        if isinstance(event, HeadersReceived):
            self._heads[event.stream_id] = dict(event.headers)
        if isinstance(event, HeadersReceived | DataReceived) and event.stream_ended:
            head = self._heads.pop(event.stream_id)
            body = b"http3 site %s %s\n" % (head[b":authority"], head[b":path"])
            http.send_headers(event.stream_id, [(b":status", b"200"), (b"content-type", b"text/plain")])
            http.send_data(event.stream_id, body, end_stream=True)


def server(certificate: str, key: str) -> None:
    """Serves on port 443 of every IPv4 address for ever."""

    async def run() -> None:
        configuration = QuicConfiguration(is_client=False, alpn_protocols=["h3"])
        configuration.load_cert_chain(certificate, key)
        await serve("0.0.0.0", 443, configuration=configuration, create_protocol=Site)
        await asyncio.get_running_loop().create_future()

    asyncio.run(run())


def ask(host: str, path: str) -> str:
    """The answer to a request. Raises ConnectionRefusedError."""
    configuration = QuicConfiguration(alpn_protocols=["h3"], server_name=host)
    configuration.load_verify_locations(os.environ["SSL_CERT_FILE"])
    quic = QuicConnection(configuration=configuration)
    http = H3Connection(quic)
    address = socket.gethostbyname(host), 443
    status, body = b"", b""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.connect(address)
        quic.connect(address, time.monotonic())
        while True:
            while event := quic.next_event():
                if isinstance(event, HandshakeCompleted):
                    fields = ((":method", "GET"), (":scheme", "https"), (":authority", host), (":path", path))
                    head = [(name.encode(), value.encode()) for name, value in fields]
                    http.send_headers(quic.get_next_available_stream_id(), head, end_stream=True)
                for happened in http.handle_event(event):
                    if isinstance(happened, HeadersReceived):
                        status = dict(happened.headers)[b":status"]
                    elif isinstance(happened, DataReceived):
                        body += happened.data
                        if happened.stream_ended:
                            return f"{status.decode()} {body.decode()}"
            for data, _ in quic.datagrams_to_send(time.monotonic()):
                wire.send(data)
            wire.settimeout(max(0.001, (quic.get_timer() or time.monotonic()) - time.monotonic()))
            try:
                quic.receive_datagram(wire.recv(65536), address, time.monotonic())
            except TimeoutError:
                quic.handle_timer(time.monotonic())


if __name__ == "__main__":
    try:
        sys.stdout.write(ask(*sys.argv[1:]))
    except ConnectionRefusedError:
        sys.stdout.write("refused\n")
