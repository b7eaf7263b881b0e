"""The whole proxy as a process: started as a user starts it, in front of a FakeProvider."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import websockets
import websockets.sync.client

from ccproxy.cli.launch import launch
from ccproxy.flows.reader import Reader
from ccproxy.testing import (
    FakeProvider,
    Gate,
    Pause,
    Reply,
    Send,
    Socket,
    ThreadedProvider,
    TokenEndpoint,
    native_error,
    no_answer,
    refused_port,
)

PATIENCE = 20.0
MESSAGE = b'{"model":"claude-x","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}'
SENTINEL = {"Content-Type": "application/json", "x-api-key": "sk-ant-oat-ccproxy-p"}


@dataclass
class Proxy:
    """A running `ccproxy start`."""

    folder: Path
    process: subprocess.Popen[bytes]
    port: int

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def post(self, path: str = "/v1/messages", body: bytes = MESSAGE, **headers: str) -> tuple[int, str, bytes]:
        """One request: status, flow id, body."""
        connection = self.connect()
        try:
            connection.request("POST", path, body, SENTINEL | {k.replace("_", "-"): v for k, v in headers.items()})
            answer = connection.getresponse()
            return answer.status, answer.headers["x-ccproxy-flow"], answer.read()
        finally:
            connection.close()

    def health(self) -> dict[str, object]:
        connection = self.connect()
        try:
            connection.request("GET", "/health")
            return json.loads(connection.getresponse().read())  # type: ignore[no-any-return]
        finally:
            connection.close()

    def said(self, *words: str) -> str:
        """What a command prints, beside the proxy."""
        env = {"HOME": str(self.folder), "CCPROXY_CONFIG_DIR": str(self.folder), "PATH": os.environ["PATH"]}
        line = [sys.executable, "-P", "-m", "ccproxy", *words]
        done = subprocess.run(line, env=env, capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    def log(self) -> str:
        return "".join(path.read_text() for path in self.state.glob("*.log*"))

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(PATIENCE)


def eventually(condition: Callable[[], bool]) -> None:
    """Waits for what another process does; fails if it does not come."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        os.sched_yield()


def configure(folder: Path, url: str, *, port: int = 0, extra: str = "", key: str = "secret-of-the-provider") -> None:
    (folder / "ccproxy.yaml").write_text(
        f"ccproxy:\n  port: {port or _free_port()}\n  providers:\n    p:\n      type: anthropic\n      base_url: {url}\n"
        f"      auth: {{type: command, command: 'echo {key}', header: x-api-key, ttl_seconds: 0}}\n{extra}"
    )


@contextmanager
def running(folder: Path) -> Iterator[Proxy]:
    env = {
        "HOME": str(folder),
        "CCPROXY_CONFIG_DIR": str(folder),
        "CCPROXY_INSPECTOR__PORT": "null",
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
    }
    process, urls = launch(["start"], env)
    proxy = Proxy(folder, process, int(urls[0].rsplit(":", 1)[1]))
    try:
        yield proxy
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


@pytest.fixture
def provider() -> Iterator[ThreadedProvider]:
    with FakeProvider.in_thread() as fake:
        yield fake


def test_a_request_is_served_and_recorded_privately(tmp_path: Path, provider: ThreadedProvider) -> None:
    configure(tmp_path, provider.url)
    with running(tmp_path) as proxy:
        status, flow, _ = proxy.post()
        assert status == 200
        assert proxy.health()["status"] == "ok"
        assert proxy.stop() == 0
    with Reader(tmp_path / "state" / "flows.db") as reader:
        assert reader.get(flow) is not None
    private = [path for path in (tmp_path / "state").iterdir() if path.is_file()]
    assert private
    assert {path.stat().st_mode & 0o777 for path in private} == {0o600}
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_an_edited_file_counts_for_the_next_request_and_running_streams_go_on(
    tmp_path: Path, provider: ThreadedProvider
) -> None:
    gate = Gate()
    port = _free_port()
    configure(tmp_path, provider.url, port=port)
    with running(tmp_path) as proxy, FakeProvider.in_thread() as second:
        provider.reply(
            Reply(
                headers=[("content-type", "text/event-stream")],
                body=[Send(b"data: 1\n\n"), Pause(gate), Send(b"data: 2\n\n")],
            )
        )
        stream = proxy.connect()
        stream.request("POST", "/v1/messages", MESSAGE, SENTINEL)
        answer = stream.getresponse()
        assert answer.readline() == b"data: 1\n"
        configure(tmp_path, second.url, port=port)
        proxy.process.send_signal(signal.SIGHUP)
        eventually(lambda: proxy.post()[0] == 200 and bool(second.requests))
        (tmp_path / "ccproxy.yaml").write_text("ccproxy:\n  prot: 4000\n")
        proxy.process.send_signal(signal.SIGHUP)
        eventually(lambda: "prot" in str(proxy.health()["config"]))
        assert proxy.post()[0] == 200, "the last good configuration stays in force"
        (tmp_path / "ccproxy.yaml").unlink()
        assert proxy.post()[0] == 200
        gate.open()
        assert answer.read() == b"\ndata: 2\n\n"
        stream.close()
        assert 'unknown key "prot"' in proxy.log() or "prot" in proxy.log()


def test_an_edited_hook_counts_for_the_next_request_and_a_broken_one_does_not(
    tmp_path: Path, provider: ThreadedProvider
) -> None:
    port = _free_port()
    hook = tmp_path / "mine.py"
    source = "from ccproxy.hooks import hook\n@hook(writes=['headers.x-hook'])\ndef mine(ctx):\n    ctx.headers['x-hook'] = '{}'\n"
    hook.write_text(source.format("one"))
    configure(tmp_path, provider.url, port=port, extra="  hooks: {outbound: [./mine.py]}\n")
    with running(tmp_path) as proxy:
        assert proxy.health()["hooks"] == {"inbound": ["inject_auth", "extract_session_id"], "outbound": ["mine"]}
        assert proxy.post()[0] == 200
        assert provider.requests[-1].header("x-hook") == "one"
        hook.write_text(source.format("two"))
        eventually(lambda: proxy.post()[0] == 200 and provider.requests[-1].header("x-hook") == "two")
        hook.write_text("def (")
        eventually(lambda: "mine.py cannot be loaded" in str(proxy.health()["config"]))
        assert proxy.post()[0] == 200, "the last good hook stays in force"
        assert provider.requests[-1].header("x-hook") == "two"


def test_a_hook_that_cannot_be_used_is_found_at_the_start(tmp_path: Path, provider: ThreadedProvider) -> None:
    configure(tmp_path, provider.url, extra="  hooks: [ccproxy.hooks.set_modle]\n")
    env = {
        "HOME": str(tmp_path),
        "CCPROXY_CONFIG_DIR": str(tmp_path),
        "CCPROXY_INSPECTOR__PORT": "null",
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
    }
    done = subprocess.run(
        [sys.executable, "-m", "ccproxy", "start"],
        env=env, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert f"{tmp_path}/ccproxy.yaml:8: hooks[0]: there is no hook ccproxy.hooks.set_modle" in done.stderr
    assert "did you mean ccproxy.hooks.set_model?" in done.stderr


def test_kill_9_under_load_loses_no_completed_flow_and_a_restart_works(
    tmp_path: Path, provider: ThreadedProvider
) -> None:
    port = _free_port()
    configure(tmp_path, provider.url, port=port)
    completed: list[str] = []
    with running(tmp_path) as proxy:

        def load() -> None:
            try:
                while True:
                    status, flow, _ = proxy.post()
                    assert status == 200
                    completed.append(flow)
            except (OSError, http.client.HTTPException):
                pass

        threads = [threading.Thread(target=load) for _ in range(8)]
        for thread in threads:
            thread.start()
        eventually(lambda: len(completed) >= 200)
        proxy.process.kill()
        for thread in threads:
            thread.join()
    with running(tmp_path) as proxy:
        assert proxy.post()[0] == 200
        proxy.stop()
    with Reader(tmp_path / "state" / "flows.db") as reader:
        missing = [flow for flow in completed if reader.get(flow) is None]
    assert not missing, f"{len(missing)} of {len(completed)}"


def test_no_secret_is_written_anywhere(tmp_path: Path, provider: ThreadedProvider) -> None:
    """A canary in every place a secret can stand; every kind of outcome; then all that was written is searched."""
    configure(
        tmp_path,
        provider.url,
        extra=f"  gateway:\n    default_upstreams: {{anthropic: '{provider.url}'}}\n  log_level: DEBUG\n",
        key="canary-provider-key",
    )
    with running(tmp_path) as proxy:
        proxy.post()
        for place in ("x_api_key", "x_goog_api_key", "api_key"):
            proxy.post(**{place: "canary-" + place})
        proxy.post(
            authorization="Bearer canary-bearer",
            cookie="session=canary-cookie",
            proxy_authorization="Basic canary-proxy",
        )
        proxy.post("/v1/messages?key=canary-query&x=1", x_api_key="")
        proxy.post(x_api_key="sk-ant-oat-ccproxy-p.canary-client-key")
        proxy.post(x_ccproxy_key="canary-header-key")
        provider.reply(native_error("anthropic", 401, "invalid x-api-key: canary-provider-key"))
        proxy.post()
        provider.reply(
            Reply(headers=[("set-cookie", "id=canary-set-cookie")], body=[Send(b'{"echo":"canary-provider-key"}')])
        )
        proxy.post()
        provider.reply(no_answer(), no_answer())
        proxy.post("/v1/messages?key=canary-in-error", x_api_key="")
        proxy.post(body=b'{"model":')
        proxy.post("/nowhere?key=canary-nowhere")
        assert proxy.health()
        proxy.stop()
        written = {path.name: path.read_bytes() for path in proxy.state.rglob("*") if path.is_file()}
    with Reader(tmp_path / "state" / "flows.db") as reader:
        flows = [reader.get(identifier) for identifier in [summary.id for summary in reader.summaries()]]
    assert len(flows) >= 12
    # The provider's key in its own answer is the one body that is cleaned: by value.
    assert "canary-" not in repr(flows)
    assert {name: at for name, data in written.items() if (at := _around(data, b"canary-"))} == {}


def test_no_token_of_a_login_is_written_anywhere_but_into_its_file(tmp_path: Path, provider: ThreadedProvider) -> None:
    """Renewed, refused, renewed again, ended, down: then all that was written is searched."""
    logins = TokenEndpoint(provider)
    logins.protect("^/v1/")
    tokens = logins.sign_in()
    login = tmp_path / "login" / "credentials.json"
    login.parent.mkdir()
    expired = {"accessToken": tokens.access, "refreshToken": tokens.refresh, "expiresAt": 1}
    login.write_text(json.dumps({"claudeAiOauth": expired}))
    (tmp_path / "ccproxy.yaml").write_text(
        f"ccproxy:\n  port: {_free_port()}\n  log_level: DEBUG\n  providers:\n    p:\n      type: anthropic\n"
        f"      base_url: {provider.url}\n"
        f"      auth: {{type: anthropic_oauth, file_path: '{login}', endpoint: '{logins.url}'}}\n"
    )
    with running(tmp_path) as proxy:
        seen = [proxy.post()]
        logins.expire()
        seen.append(proxy.post())
        logins.error = {"error": "invalid_grant", "error_description": "refresh-canary is over"}
        logins.down = 503
        logins.expire()
        seen.append(proxy.post())
        logins.down = None
        logins.revoke()
        seen.append(proxy.post())
        health = proxy.health()
        said = [
            proxy.said(*words)
            for words in (
                ("status",),
                ("status", "--json"),
                ("auth", "status"),
                ("auth", "status", "--json"),
                ("auth", "refresh", "p"),
                ("auth", "test", "p"),
                ("config", "show"),
                ("config", "check", "--online"),
                ("flows", "list", "--json"),
                ("flows", "show", "last"),
                ("logs",),
            )
        ]
        proxy.stop()
        written = {path.name: path.read_bytes() for path in proxy.state.rglob("*") if path.is_file()}
    assert all("canary" not in text for text in said)
    assert sum(str(login) in text for text in said) >= 4, "they do tell of the login"
    assert [status for status, _, _ in seen] == [200, 200, 401, 401]
    assert "status 503" in json.dumps(health)
    assert "canary" not in json.dumps(health)
    assert not any(b"canary" in body for _, _, body in seen)
    assert {name: at for name, data in written.items() if (at := _around(data, b"canary"))} == {}
    with Reader(tmp_path / "state" / "flows.db") as reader:
        flows = [reader.get(identifier) for identifier in [summary.id for summary in reader.summaries()]]
    assert "canary" not in repr(flows)
    assert b"canary" in login.read_bytes()


def test_no_token_of_a_login_for_codex_either(tmp_path: Path, provider: ThreadedProvider) -> None:
    """By HTTP and by WebSocket, refused and renewed; its tokens are JWTs."""
    claims = {"exp": 4_102_444_800, "https://api.openai.com/auth": {"chatgpt_account_id": "account-canary-0123456789"}}
    logins = TokenEndpoint(provider, jwt=True, claims=claims)
    tokens = logins.sign_in()
    given = [tokens.access]
    login = tmp_path / "login" / "auth.json"
    login.parent.mkdir()
    kept = {"access_token": tokens.access, "id_token": tokens.access, "refresh_token": tokens.refresh}
    login.write_text(json.dumps({"auth_mode": "chatgpt", "tokens": kept, "last_refresh": "2099-01-01T00:00:00Z"}))
    provider.on(
        "^/backend-api/codex/responses",
        lambda request: Socket(echo=True) if logins.accepts(request) else native_error("openai_responses", 401, "no"),
        method="GET",
    )
    logins.protect("^/backend-api/codex/models", dialect="openai_responses")
    (tmp_path / "ccproxy.yaml").write_text(
        f"ccproxy:\n  port: {_free_port()}\n  log_level: DEBUG\n  providers:\n    p:\n      type: codex\n"
        f"      base_url: {provider.url}/backend-api/codex\n"
        f"      auth: {{type: codex_oauth, file_path: '{login}', endpoint: '{logins.url}'}}\n"
    )
    body = b'{"model":"gpt-5.1-codex","stream":true,"store":false,"input":[]}'
    with running(tmp_path) as proxy:
        url = f"ws://127.0.0.1:{proxy.port}/v1/responses"
        fields = {"authorization": "Bearer sk-ant-oat-ccproxy-p"}
        assert proxy.post("/v1/responses", body, authorization=fields["authorization"])[0] == 200
        logins.expire()
        with websockets.sync.client.connect(url, additional_headers=fields, proxy=None) as socket:
            socket.send("hello")
            assert socket.recv() == "hello"
        assert logins.current is not None
        given.append(logins.current.access)
        logins.revoke()
        with pytest.raises(websockets.InvalidStatus):
            websockets.sync.client.connect(url, additional_headers=fields, proxy=None)
        said = [proxy.said(*words) for words in (("status", "--json"), ("auth", "status"), ("flows", "list", "--json"))]
        eventually(lambda: len(_flows(proxy)) == 3)
        flows = _flows(proxy)
        proxy.stop()
        written = {path.name: path.read_bytes() for path in proxy.state.rglob("*") if path.is_file()}
    secrets = [part for token in given for part in token.split(".")[1:2]] + ["canary"]
    texts = [repr(flows), *said, *(data.decode("latin-1") for data in written.values())]
    assert [secret for secret in secrets if any(secret in text for text in texts)] == []
    assert len(logins.renewals) == 2


def _flows(proxy: Proxy) -> list[object]:
    with Reader(proxy.state / "flows.db") as reader:
        identifiers = [summary.id for summary in reader.summaries()]
        return [reader.get(identifier) for identifier in identifiers]


def test_a_store_that_cannot_be_written_stops_nothing(tmp_path: Path, provider: ThreadedProvider) -> None:
    configure(tmp_path, provider.url, extra="  flows:\n    path: /dev/null/flows.db\n")
    with running(tmp_path) as proxy:
        assert proxy.post()[0] == 200
        eventually(lambda: proxy.health()["recording"] != {"on": True, "problem": ""})
        assert proxy.post()[0] == 200
        recording = proxy.health()["recording"]
        assert isinstance(recording, dict)
        assert recording["on"] is False
        assert recording["problem"]
        assert "WARNING" in proxy.log()


def test_a_failing_credential_is_an_answer_and_nothing_goes_out(tmp_path: Path, provider: ThreadedProvider) -> None:
    configure(tmp_path, provider.url)
    text = (
        (tmp_path / "ccproxy.yaml").read_text().replace("echo secret-of-the-provider", "echo vault locked >&2; exit 4")
    )
    (tmp_path / "ccproxy.yaml").write_text(text)
    with running(tmp_path) as proxy:
        status, _, body = proxy.post()
        assert status == 503
        message = json.loads(body)["error"]["message"]
        assert "'p'" in message
        assert "vault locked" in message
        assert provider.requests == []


def test_keys_cannot_be_edited_away_from_an_open_listener(tmp_path: Path, provider: ThreadedProvider) -> None:
    key = "k9Qz-Wm4Tb7XrL2-vPc8"
    configure(tmp_path, provider.url, extra=f"  host: 0.0.0.0\n  gateway:\n    client_keys: {{alice: {key}}}\n")
    with running(tmp_path) as proxy:
        assert proxy.post()[0] == 401
        assert proxy.post(x_ccproxy_key=key)[0] == 200
        configure(tmp_path, provider.url, port=proxy.port)
        proxy.process.send_signal(signal.SIGHUP)
        eventually(lambda: "client_keys" in str(proxy.health()["config"]))
        assert proxy.post()[0] == 401


def _around(data: bytes, what: bytes) -> bytes:
    """What stands around the first place of `what`, for the message; b"" if it is nowhere."""
    at = data.find(what)
    return data[max(0, at - 40) : at + 40] if at >= 0 else b""


def _free_port() -> int:
    import socket

    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def test_a_reload_that_cannot_be_used_changes_nothing(tmp_path: Path, provider: ThreadedProvider) -> None:
    port = _free_port()
    configure(tmp_path, provider.url, port=port)
    with running(tmp_path) as proxy:
        configure(tmp_path, provider.url, port=port, extra="  egress:\n    ca_file: /no/such/file.pem\n")
        proxy.process.send_signal(signal.SIGHUP)
        eventually(lambda: "ca_file" in str(proxy.health()["config"]))
        assert proxy.post()[0] == 200


def test_what_will_not_work_is_said_at_the_start_and_until_it_does(tmp_path: Path, provider: ThreadedProvider) -> None:
    with refused_port() as port:
        extra = (
            f"    gone: {{type: anthropic, base_url: 'http://127.0.0.1:{port}', auth: echo unused}}\n"
            f"    lost: {{type: anthropic, base_url: '{provider.url}', auth: {{type: file, file: /nowhere/key}}}}\n"
        )
        configure(tmp_path, provider.url, extra=extra)
        with running(tmp_path) as proxy:
            eventually(lambda: bool(proxy.health()["checked"]))
            told = {each["name"]: each for each in proxy.health()["providers"]}  # type: ignore[attr-defined]
            assert [told[name]["problem"] for name in ("p", "lost")] == ["", ""]
            assert "connection refused" in told["gone"]["problem"]
            assert "/nowhere/key does not exist" in told["lost"]["credentials"][0]["problem"]
            eventually(lambda: "ERROR   ccproxy: provider 'lost': " in proxy.log())
            eventually(lambda: "WARNING ccproxy: provider 'gone': cannot connect" in proxy.log())
            assert proxy.post()[0] == 200, "one that does not work stops no other"
            with FakeProvider.in_thread() as late:  # an edit: only what is another is looked at again
                configure(
                    tmp_path, provider.url, port=proxy.port, extra=extra.replace(f"127.0.0.1:{port}", late.url[7:])
                )
                eventually(lambda: all(not each["problem"] for each in proxy.health()["providers"]))  # type: ignore[attr-defined]
                assert proxy.log().count("provider 'lost'") == 1


def test_nothing_is_connected_to_at_the_start_where_that_is_not_wanted(
    tmp_path: Path, provider: ThreadedProvider
) -> None:
    configure(tmp_path, provider.url, extra="  egress: {check_at_start: false}\n")
    with running(tmp_path) as proxy:
        eventually(lambda: bool(proxy.health()["checked"]))
    assert provider.connections == 0
