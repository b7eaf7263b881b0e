"""`ccproxy flows replay` as a user runs it: through a proxy, to the same provider, to another one, to another dialect."""

from __future__ import annotations

import http.client
import json
import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from recorded import answered, record

from ccproxy.testing import FakeProvider, Received, Script, Text, Usage

if TYPE_CHECKING:
    from conftest import Sandbox

CONFIG = """\
ccproxy:
  providers:
    anthropic: {{type: anthropic, base_url: "{url}", auth: "printf sk-ant-api03-one-0123456789abcdef"}}
    chat: {{type: openai, base_url: "{url}", auth: "printf sk-two-0123456789abcdef"}}
  gateway: {{default_upstreams: {{anthropic: "{url}"}}, client_keys: {keys}}}
"""
KEY = secrets.token_hex(32)
BODY = {"model": "claude-opus-5", "max_tokens": 99, "messages": [{"role": "user", "content": "Say one."}]}


class Proxy:
    """A proxy in a process of its own."""

    def __init__(self, sandbox: Sandbox, port: int, provider: Any) -> None:
        self.sandbox, self.port, self.provider = sandbox, port, provider

    def start(self, keys: str = "{}") -> None:
        self.sandbox.write_config(CONFIG.format(url=self.provider.url, keys=keys)).chmod(0o600)
        process = self.sandbox.spawn("start", "--port", str(self.port))
        assert process.stdout is not None
        assert process.stderr is not None
        for line in iter(process.stdout.readline, b""):
            if b"export ANTHROPIC_BASE_URL" in line:
                return
        raise AssertionError(process.stderr.read().decode())

    def send(self, body: dict[str, Any], key: str = "sk-ant-oat-ccproxy-anthropic") -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
        connection.request("POST", "/v1/messages", json.dumps(body), headers)
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        answer.read()
        connection.close()

    def replay(self, *words: str) -> dict[str, Any]:
        done = self.sandbox.ccproxy("flows", "replay", *words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)  # type: ignore[no-any-return]


@pytest.fixture
def proxy(sandbox: Sandbox, free_port: int) -> Iterator[Proxy]:
    with FakeProvider.in_thread() as provider:
        words = iter(("One.", "Two.", "Three."))

        def answer(request: Received) -> Any:
            model = request.json()["model"]
            return provider.write(request, Script(model, [Text(next(words))], usage=Usage(100, 20)))

        provider.on("/(messages|completions)$", answer)
        yield Proxy(sandbox, free_port, provider)


def test_the_same_again(proxy: Proxy) -> None:
    proxy.start()
    proxy.send(BODY)
    found = proxy.replay("last")
    recorded, replayed = found["recorded"], found["replayed"]
    assert (recorded["answer_text"], replayed["answer_text"]) == ("One.", "Two.")
    assert replayed["ccproxy"]["replay_of"] == recorded["id"] != replayed["id"]
    first, second = proxy.provider.requests
    assert first.body == second.body
    assert second.header("x-api-key") == "sk-ant-api03-one-0123456789abcdef"
    assert not [name for name, _ in second.headers if name.lower().startswith(b"x-ccproxy")]
    assert f"repeats  {recorded['id']}" in proxy.sandbox.ccproxy("flows", "show", replayed["id"]).stdout


def test_to_another_dialect_and_model_as_a_stream(proxy: Proxy) -> None:
    proxy.start()
    proxy.send({**BODY, "stream": True})
    done = proxy.sandbox.ccproxy("flows", "replay", "last", "--provider", "chat", "--model", "gpt-5")
    assert done.returncode == 0, done.stderr
    assert "sending POST /v1/messages (" in done.stderr
    assert ") for gpt-5 to provider chat, through http://127.0.0.1:" in done.stderr
    lines = done.stdout.splitlines()
    assert "anthropic, claude-opus-5, 200, 100 → 20 tokens, $0.0010, " in lines[1]
    assert "chat, gpt-5, 200, 100 → 20 tokens, " in lines[6]
    assert lines[3::5][:2] == ["  One.", "  Two."]
    sent = proxy.provider.requests[1]
    assert (sent.path, sent.json()["model"], sent.json()["stream"]) == ("/v1/chat/completions", "gpt-5", True)


def test_through_a_gateway_that_asks_for_a_key(proxy: Proxy) -> None:
    proxy.start(f"{{laptop: {KEY}}}")
    proxy.send(BODY, f"sk-ant-oat-ccproxy-anthropic.{KEY}")
    assert proxy.replay("last")["replayed"]["answer_text"] == "Two."


def test_a_request_with_the_clients_own_key_takes_the_provider_of_that_host(proxy: Proxy) -> None:
    proxy.start()
    proxy.send(BODY, "sk-ant-api03-own-0123456789abcdef")
    assert proxy.replay("last")["replayed"]["ccproxy"]["provider"] == "anthropic"


def test_with_the_proxy_down_nothing_is_sent(sandbox: Sandbox, free_port: int) -> None:
    sandbox.write_config(CONFIG.format(url="http://127.0.0.1:1", keys="{}") + f"  port: {free_port}\n")
    record(sandbox.state / "flows.db", [answered(1, BODY, {})])
    done = sandbox.ccproxy("flows", "replay", "last")
    assert done.returncode == 1
    assert "the proxy is down, nothing was sent" in done.stderr
    unknown = sandbox.ccproxy("flows", "replay", "last", "--provider", "nobody")
    assert "provider 'nobody' is not configured" in unknown.stderr
    assert "there are: anthropic, chat" in unknown.stderr


def test_which_one_has_to_be_said_and_a_set_means_its_newest(sandbox: Sandbox, free_port: int) -> None:
    sandbox.write_config(CONFIG.format(url="http://127.0.0.1:1", keys="{}") + f"  port: {free_port}\n")
    record(sandbox.state / "flows.db", [answered(1, BODY, {})])
    done = sandbox.ccproxy("flows", "replay")
    assert (done.returncode, "its ID, or --jq" in done.stderr) == (2, True)
    done = sandbox.ccproxy("flows", "replay", "--jq", ".")
    assert (done.returncode, "the proxy is down, nothing was sent" in done.stderr) == (1, True)
