"""The interceptor as a whole: what it hands over, lets through, refuses and records, and what can be configured."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ccproxy.jail.wireguard import Tunnel
from ccproxy.testing import Reply
from ccproxy.testing.threaded import ThreadedProvider
from interceptor.conftest import TIMEOUT, Intercepted, free_port, running

MESSAGE = b'{"model": "claude-x",  "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}'
JSON = {"content-type": "application/json"}

SCRIPT = """
def requestheaders(flow):
    flow.request.headers["x-script"] = "was here"

def response(flow):
    flow.response.content = flow.response.content.replace(b"provider", b"script")
"""


class TestHandedOver:
    """The provider's name is localhost: it is known. Its address is somebody else's."""

    def test_a_provider_s_request_is_the_gateway_s(self, intercepted: Intercepted) -> None:
        key = {"x-api-key": "sk-ant-oat-ccproxy-ours", "X-Own-Case": "kept"}
        answer = intercepted.ask("localhost", "/v1/messages?handed", MESSAGE, JSON | key)
        assert answer.status == 200
        assert "x-ccproxy-flow" in answer.headers
        sent = intercepted.provider.requests[-1]
        assert sent.header("x-api-key") == "the-provider-s-own-key"
        assert (sent.body, sent.header("host")) == (MESSAGE, f"localhost:{intercepted.provider.port}")
        assert b"X-Own-Case: kept" in sent.raw
        assert b"ccproxy" not in sent.raw.lower()
        flow = intercepted.flow_of("/v1/messages?handed")
        assert flow["ccproxy"]["door"] == "interceptor"
        assert flow["ccproxy"]["reason"] == "sentinel"
        assert flow["ccproxy"]["client_request"]["url"].startswith(f"https://localhost:{intercepted.provider.port}/")

    def test_with_an_own_key_it_goes_on_as_it_is(self, intercepted: Intercepted) -> None:
        answer = intercepted.ask("localhost", "/v1/messages?own", MESSAGE, JSON | {"x-api-key": "my-own-key-123"})
        assert answer.status == 200
        assert intercepted.provider.requests[-1].header("x-api-key") == "my-own-key-123"
        flow = intercepted.flow_of("/v1/messages?own")
        assert (flow["ccproxy"]["action"], flow["ccproxy"]["reason"]) == ("passthrough", "intercepted")


class TestLetThrough:
    def test_it_is_recorded_as_it_passes(self, intercepted: Intercepted, provider: ThreadedProvider) -> None:
        provider.on("/other.*", Reply(status=201, headers=[("content-type", "text/plain")], body=b"from there"))
        secret = {"authorization": "Bearer sk-proj-canary-canary-1234"}
        answer = intercepted.ask("127.0.0.1", "/other?x=1", b"up " * 1000, secret)
        assert (answer.status, answer.body) == (201, b"from there")
        assert provider.requests[-1].header("authorization") == secret["authorization"]
        flow = intercepted.flow_of("/other?x=1")
        assert flow["response"]["content"] == "from there"
        assert flow["request"]["content"] == "up " * 1000
        assert flow["ccproxy"]["door"] == "interceptor"
        assert "canary-canary" not in json.dumps(flow)

    def test_a_sentinel_goes_nowhere_but_to_its_provider(self, intercepted: Intercepted) -> None:
        count = len(intercepted.provider.requests)
        for target, headers in (
            ("/a", {"x-api-key": "sk-ant-oat-ccproxy-ours"}),
            ("/b?key=sk-ant-oat-ccproxy-ours", {}),
        ):
            answer = intercepted.ask("127.0.0.1", target, MESSAGE, headers)
            assert answer.status == 403
            assert "is no provider's host" in json.loads(answer.body)["error"]["message"]
            flow = intercepted.flow_of(target)
            assert (flow["ccproxy"]["outcome"], flow["ccproxy"]["error_kind"]) == ("refused", "denied")
        assert len(intercepted.provider.requests) == count

    def test_nobody_there(self, intercepted: Intercepted) -> None:
        answer = intercepted.ask("127.0.0.1", "/nobody", port=free_port())
        assert answer.status == 502
        flow = intercepted.flow_of("/nobody")
        assert flow["ccproxy"]["outcome"] == "upstream_error"
        assert flow["error"]["msg"]

    def test_a_certificate_that_nobody_vouches_for(
        self, intercepted: Intercepted, tmp_path: Path, provider: ThreadedProvider
    ) -> None:
        from ccproxy.testing import FakeProvider

        with FakeProvider.in_thread(tls=True) as stranger:
            answer = intercepted.ask("127.0.0.1", "/stranger", port=stranger.port)
            assert answer.status == 502
            assert stranger.requests == []


class TestAuthority:
    def test_it_is_made_once_and_its_key_is_private(self, intercepted: Intercepted) -> None:
        key = intercepted.config / "mitmproxy-ca.pem"
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        assert b"PRIVATE KEY" in key.read_bytes()
        assert b"PRIVATE KEY" not in (intercepted.config / "mitmproxy-ca-cert.pem").read_bytes()


class HttpProxy:
    """A corporate proxy: takes CONNECT, and notes to where."""

    def __init__(self, there: int) -> None:
        self.asked: list[str] = []
        self._there = there
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            client, _ = self._server.accept()
            head = client.recv(65536).decode()
            if not head:
                client.close()
                return
            self.asked.append(head)
            server = socket.create_connection(("127.0.0.1", self._there))
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=self._copy, args=(one, other), daemon=True).start()

    @staticmethod
    def _copy(one: socket.socket, other: socket.socket) -> None:
        with one, contextlib.suppress(OSError):  # the other direction may have ended before
            while data := one.recv(65536):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._thread.join()
        self._server.close()


@pytest.fixture
def company(provider: ThreadedProvider) -> Iterator[HttpProxy]:
    made = HttpProxy(provider.port)
    yield made
    made.close()


def handshake(config: str) -> bool:
    """Whether the endpoint that a client's configuration names answers it."""
    values = dict(line.split(" = ", 1) for line in config.splitlines() if " = " in line)
    private, peer = base64.b64decode(values["PrivateKey"]), base64.b64decode(values["PublicKey"])
    tunnel = Tunnel(private, peer, stamp=time.time_ns)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as endpoint:
        endpoint.settimeout(TIMEOUT)
        endpoint.connect(("127.0.0.1", int(values["Endpoint"].rpartition(":")[2])))
        for datagram in tunnel.tick(0.0).datagrams:
            endpoint.send(datagram)
        tunnel.receive(endpoint.recv(65536), 0.0)
    return tunnel.up


class TestConfiguration:
    def test_scripts_a_proxy_above_keys_and_an_endpoint(
        self, tmp_path: Path, provider: ThreadedProvider, company: HttpProxy
    ) -> None:
        script = tmp_path / "addon.py"
        script.write_text(SCRIPT)
        interceptor = (
            f"    scripts: [{script}]\n"
            f"    upstream_proxy: http://me:word@127.0.0.1:{company.port}\n"
            f"    wireguard: {{listen: 127.0.0.1, port: {free_port(socket.SOCK_DGRAM)}, endpoint: vpn.test}}\n"
        )
        provider.on("/scripted.*", Reply(body=b"of the provider"))
        with running(tmp_path, provider, interceptor, "  inspector: {keylog: true}\n") as made:
            answer = made.ask("127.0.0.1", "/scripted")
            assert answer.body == b"of the script"
            assert provider.requests[-1].header("x-script") == "was here"
            assert company.asked[0].startswith(f"CONNECT 127.0.0.1:{provider.port} HTTP/1.1\r\n")
            assert "Basic bWU6d29yZA==" in company.asked[0]
            # What goes to a provider goes its own way, and that can be decrypted too.
            made.ask("localhost", "/v1/messages?keys", MESSAGE, JSON | {"x-api-key": "my-own-key-123"})
            log = made.config / "state" / "keylog" / "tls.keylog"
            assert stat.S_IMODE(log.stat().st_mode) == 0o600
            handshakes = {line.split()[1] for line in log.read_text().splitlines() if line and line[0] != "#"}
            # Two clients, the server behind the proxy, and the gateway's own connection.
            assert len(handshakes) >= 4
            shown = made.ccproxy("namespace", "wireguard-config").stdout
            assert "Endpoint = vpn.test:" in shown
            assert handshake(shown)
            assert "me:word" not in json.dumps(made.flow_of("/v1/messages?keys"))

    def test_an_endpoint_that_is_not_there(self, intercepted: Intercepted) -> None:
        shown = intercepted.ccproxy("namespace", "wireguard-config")
        assert shown.returncode == 1
        assert "interceptor.wireguard.listen" in shown.stderr
