"""The rest of the world, for tests: a server on ports 80 and 443 of every address of its network namespace, which prints
`up` and serves until its standard input ends.

    site.py CERTIFICATE KEY

`/` says which host was asked, `POST /echo` how much came, `/big/N` gives N megabytes, `/sse` three events, the second
one after somebody has asked for `/next`; `/v1/messages` answers as Anthropic would. Port 7 echoes lines, port 25 speaks
first, UDP port 7 echoes, port 3128 takes CONNECT to anything but port 9 (`/connects` tells who was asked for), port 7000 begins an answer and never ends it. WebSockets are echoed on any port 443 path that
begins with `/ws`. UDP port 443 speaks HTTP/3 (`http3.py`).
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.server
import json
import socket
import socketserver
import ssl
import sys
import threading

import http3

MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-x",
    "content": [{"type": "text", "text": "hi"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 11, "output_tokens": 7},
}
NEXT = threading.Event()
#: The authorities that CONNECT asked for, each with its credential.
ASKED: list[tuple[str, str]] = []


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536

    def log_message(self, *_: object) -> None:
        pass

    def give(self, body: bytes, kind: str = "text/plain", status: int = 200) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def do_GET(self) -> None:
        if self.path.startswith("/ws"):
            self.websocket()
        elif self.path.startswith("/big/"):
            megabytes = int(self.path.rpartition("/")[2])
            self.send_response(200)
            self.send_header("content-length", str(megabytes << 20))
            self.end_headers()
            for _ in range(megabytes):
                self.wfile.write(bytes(1 << 20))
            self.wfile.flush()
        elif self.path == "/sse":
            self.events()
        elif self.path == "/connects":
            self.give(json.dumps(ASKED).encode(), "application/json")
        elif self.path == "/next":
            NEXT.set()
            self.give(b"ok\n")
        elif self.path == "/forever":
            self.send_response(200)
            self.send_header("content-length", "100")
            self.end_headers()
            self.wfile.write(b"begun\n")
            self.wfile.flush()
            threading.Event().wait()
        else:
            self.give(f"site {self.headers['host']} {self.path}\n".encode())

    do_HEAD = do_GET  # noqa: N815 - the name that http.server looks for

    def do_POST(self) -> None:
        left = size = int(self.headers.get("content-length") or 0)
        body = b""
        while left:
            piece = self.rfile.read(min(left, 1 << 20))
            left -= len(piece)
            body = piece
        if self.path.startswith("/v1/messages"):
            self.give(json.dumps(MESSAGE).encode(), "application/json")
        else:
            self.give(f"got {size} {len(body) and body[-1]}\n".encode())

    def events(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        NEXT.clear()
        for number in range(3):
            if number == 1:
                NEXT.wait()
            self.wfile.write(f"data: {number}\n\n".encode())
            self.wfile.flush()
        self.close_connection = True

    def websocket(self) -> None:
        key = self.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("upgrade", "websocket")
        self.send_header("connection", "Upgrade")
        self.send_header("sec-websocket-accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        self.wfile.flush()
        while head := self.rfile.read(2):
            size = head[1] & 127
            size = int.from_bytes(self.rfile.read(2), "big") if size == 126 else size
            mask = self.rfile.read(4)
            data = bytes(byte ^ mask[place % 4] for place, byte in enumerate(self.rfile.read(size)))
            length = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big")
            self.wfile.write(bytes([head[0]]) + length + data)
            self.wfile.flush()
            if head[0] & 15 == 8:
                break
        self.close_connection = True


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    request_queue_size = 128

    def __init__(self, port: int, context: ssl.SSLContext | None = None) -> None:
        self.context = context
        super().__init__(("::", port), Handler)

    def finish_request(self, request: socket.socket, client: object) -> None:
        if self.context is not None:
            request = self.context.wrap_socket(request, server_side=True)
        super().finish_request(request, client)

    def handle_error(self, request: object, client: object) -> None:
        pass


class Echo(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        if self.server.server_address[1] == 25:
            self.wfile.write(b"220 hello\r\n")
        for line in self.rfile:
            self.wfile.write(b"echo " + line)


class ProxyAbove(socketserver.StreamRequestHandler):
    """What a company may have: nothing gets out but through it."""

    def handle(self) -> None:
        target = self.rfile.readline().split()[1].decode()
        fields = dict(line.decode().strip().lower().split(": ", 1) for line in iter(self.rfile.readline, b"\r\n"))
        ASKED.append((target, fields.get("proxy-authorization", "")))
        host, _, port = target.rpartition(":")
        if port == "9":
            self.wfile.write(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")
            return
        with socket.create_connection((host.strip("[]"), int(port))) as there:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\nvia: 1.1 above\r\n\r\n")
            back = threading.Thread(target=copy, args=(there, self.connection), daemon=True)
            back.start()
            copy(self.connection, there)
            back.join()


def copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


class EchoServer(socketserver.ThreadingTCPServer):
    address_family = socket.AF_INET6
    allow_reuse_address = True
    daemon_threads = True


class EchoDatagrams(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        data, answer = self.request
        answer.sendto(b"echo " + data, self.client_address)


def main() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    servers: list[socketserver.BaseServer] = [Server(80), Server(443, context)]
    servers += [EchoServer(("::", port), Echo) for port in (7, 25, 9999)]
    servers.append(EchoServer(("::", 3128), ProxyAbove))
    servers.append(socketserver.UDPServer(("0.0.0.0", 7), EchoDatagrams))
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    threading.Thread(target=http3.server, args=sys.argv[1:], daemon=True).start()
    print("up", flush=True)
    sys.stdin.read()


main()
