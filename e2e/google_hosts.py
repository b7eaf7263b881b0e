"""Google's own hosts, which a Google login asks before anything else: whether its token is good, and whose it is.

They are reached as a corporate network would have it, by a proxy that tunnels (`HTTPS_PROXY`); behind it stands one
server with a certificate for all of them.
"""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ccproxy.testing import FakeProvider, json_reply, make_certificates

_HOSTS = ("oauth2.googleapis.com", "www.googleapis.com", "play.googleapis.com")
_SCOPES = "https://www.googleapis.com/auth/cloud-platform https://www.googleapis.com/auth/userinfo.email"


@contextmanager
def google(folder: Path) -> Iterator[dict[str, str]]:
    """The environment of a client that is to find them. `folder` takes the certificates."""
    folder.mkdir(exist_ok=True)
    certificates = make_certificates(folder, _HOSTS)
    with FakeProvider.in_thread(tls=certificates) as hosts:
        hosts.on(".*", json_reply({}))
        hosts.on("^/tokeninfo$", json_reply({"scope": _SCOPES, "expires_in": 3599, "access_type": "offline"}))
        hosts.on("/userinfo$", json_reply({"id": "1", "email": "someone@example.com"}))
        with _tunnel(hosts.port) as port:
            yield {"HTTPS_PROXY": f"http://127.0.0.1:{port}", "NODE_EXTRA_CA_CERTS": str(certificates.ca)}


@contextmanager
def _tunnel(to: int) -> Iterator[int]:
    """A proxy that takes every CONNECT to the loopback port `to`."""

    class Tunnel(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline().strip():
                pass
            with socket.create_connection(("127.0.0.1", to)) as there:
                self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = threading.Thread(target=_pump, args=(there, self.connection), daemon=True)
                back.start()
                _pump(self.connection, there)
                back.join()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Tunnel) as server:
        server.daemon_threads = True
        server.block_on_close = False
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
