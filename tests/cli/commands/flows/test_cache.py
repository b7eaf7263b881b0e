"""`ccproxy flows cache` as a user runs it, over conversations that went through a real proxy, with a known culprit each."""

from __future__ import annotations

import copy
import http.client
import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from ccproxy.testing import FakeProvider, Received, json_reply
from flows.conversations import Cache, Talk

if TYPE_CHECKING:
    from conftest import Sandbox

CONFIG = """\
ccproxy:
  providers:
    anthropic: {{type: anthropic, base_url: "{url}", auth: "printf sk-ant-api03-one-0123456789abcdef"}}
    second: {{type: anthropic, base_url: "{url}", auth: ["printf sk-ant-api03-two-0123456789abcdeg", "printf sk-ant-api03-three-0123456789abcdeh"]}}
  {more}
"""
CLOCK = '''
from itertools import count
from ccproxy.hooks import HookContext, hook

numbers = count(10)

@hook(reads=["body.system"], writes=["body.system"], stage="outbound")
def clock(ctx: HookContext) -> None:
    """Tells the model the time."""
    ctx.body["system"] = [{"type": "text", "text": f"It is 08:{next(numbers)}"}, *ctx.body["system"]]
'''
STEADY = "numbers = iter(lambda: 10, None)"


class Proxy:
    """A proxy in a process of its own, in front of a provider with a cache."""

    def __init__(self, sandbox: Sandbox, port: int, provider: Any) -> None:
        self.sandbox, self.port, self.provider = sandbox, port, provider

    def start(self, more: str = "") -> None:
        self.sandbox.write_config(CONFIG.format(url=self.provider.url, more=more))
        process = self.sandbox.spawn("start", "--port", str(self.port))
        assert process.stdout is not None
        for line in iter(process.stdout.readline, b""):
            if b"export ANTHROPIC_BASE_URL" in line:
                return
        raise AssertionError(process.stderr.read().decode())  # type: ignore[union-attr]

    def send(self, body: Any, name: str = "anthropic", path: str = "/v1/messages") -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"content-type": "application/json", "session-id": "talk-1"}
        headers |= {"authorization": f"Bearer sk-ant-oat-ccproxy-{name}"}
        connection.request("POST", path, json.dumps(body), headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        assert answer.status == 200, content

    def last(self) -> dict[str, Any]:
        """What is said of the last request."""
        done = self.sandbox.ccproxy("flows", "cache", "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["turns"][-1]  # type: ignore[no-any-return]


@pytest.fixture
def proxy(sandbox: Sandbox, free_port: int) -> Iterator[Proxy]:
    cache, moments = Cache(), iter(range(10**6))

    def answer(request: Received) -> Any:
        body = request.json()
        usage = cache.ask(body, next(moments), request.header("authorization") or request.header("x-api-key") or "")
        content = [{"type": "text", "text": "Done."}]
        head = {"id": "msg_1", "type": "message", "role": "assistant", "model": body["model"], "content": content}
        return json_reply(head | {"stop_reason": "end_turn", "stop_sequence": None, "usage": usage})

    with FakeProvider.in_thread() as provider:
        provider.on("/v1/messages$", answer)
        yield Proxy(sandbox, free_port, provider)


def grow(talk: Talk, send: Callable[[dict[str, Any]], None], times: int = 2) -> None:
    """Sends requests of a conversation that only grows."""
    for _ in range(times):
        send(talk.request() | {"max_tokens": 99})
        talk.say()


def test_a_conversation_that_only_grows(proxy: Proxy) -> None:
    proxy.start()
    grow(Talk(), proxy.send, 3)
    turn = proxy.last()
    assert (turn["verdict"], turn["cause"]) == ("hit", None)
    page = proxy.sandbox.ccproxy("flows", "cache", "talk-1").stdout
    assert page.startswith("Session talk-1\n  3 requests, ")
    assert "; nothing lost\n" in page


def test_our_hook(proxy: Proxy) -> None:
    (proxy.sandbox.config / "clock.py").write_text(CLOCK)
    proxy.start("hooks: {outbound: [./clock.py]}")
    grow(Talk(), proxy.send)
    turn = proxy.last()
    assert turn["verdict"] == "miss"
    cause = turn["cause"]
    assert (cause["kind"], cause["who"], cause["path"]) == ("hook", "hook clock (outbound)", "body.system.0")
    assert (cause["before"], cause["after"]) == ("It is 08:10", "It is 08:11")
    assert turn["lost"] > 1000
    assert turn["dollars"] == pytest.approx(turn["lost"] * (6.25 - 0.5) / 1e6)
    page = proxy.sandbox.ccproxy("flows", "cache", "last").stdout
    assert "hook clock (outbound): a time in the system text changed (at body.system.0)" in page


def test_a_hook_that_always_writes_the_same(proxy: Proxy) -> None:
    (proxy.sandbox.config / "clock.py").write_text(CLOCK.replace("numbers = count(10)", STEADY))
    proxy.start("hooks: {outbound: [./clock.py]}")
    grow(Talk(), proxy.send)
    assert proxy.last()["verdict"] == "hit"


def test_the_conversion(proxy: Proxy) -> None:
    proxy.start()
    talk = Talk()

    def send(body: dict[str, Any]) -> None:
        texts = [{"role": "system", "content": body["system"][0]["text"]}]
        texts += [{"role": m["role"], "content": m["content"][0]["text"]} for m in body["messages"]]
        proxy.send({"model": body["model"], "messages": texts}, path="/v1/chat/completions")

    grow(talk, send)
    cause = proxy.last()["cause"]
    assert (cause["kind"], cause["who"]) == ("breakpoints", "conversion from openai to anthropic")


def test_the_model(proxy: Proxy) -> None:
    proxy.start()
    talk = Talk()
    grow(talk, proxy.send)
    talk.body["model"] = "claude-sonnet-5"
    grow(talk, proxy.send, 1)
    cause = proxy.last()["cause"]
    assert (cause["kind"], cause["who"]) == ("model", "client")
    assert cause["what"] == "the model changed from claude-opus-5 to claude-sonnet-5"


def test_the_credential(proxy: Proxy) -> None:
    """The first key meets its limit, and the conversation goes on with the second."""
    proxy.start()
    talk = Talk()
    grow(talk, lambda body: proxy.send(body, "second"))
    assert proxy.last()["verdict"] == "hit"
    proxy.provider.reply(
        json_reply({"type": "error", "error": {"type": "rate_limit_error", "message": "no"}}, status=429)
    )
    grow(talk, lambda body: proxy.send(body, "second"), 1)
    turn = proxy.last()
    assert turn["verdict"] == "miss"
    assert turn["cause"]["kind"] == "credential"
    assert turn["cause"]["who"] == "fallback after status 429"


def test_the_provider(proxy: Proxy) -> None:
    proxy.start()
    talk = Talk()
    grow(talk, proxy.send)
    grow(talk, lambda body: proxy.send(body, "second"), 1)
    cause = proxy.last()["cause"]
    assert (cause["kind"], cause["what"]) == ("provider", "the provider changed from anthropic to second")


def test_the_client(proxy: Proxy) -> None:
    proxy.start()
    talk = Talk()
    grow(talk, proxy.send)
    talk.body["tools"] = copy.deepcopy(talk.body["tools"])[::-1]
    grow(talk, proxy.send, 1)
    cause = proxy.last()["cause"]
    assert (cause["kind"], cause["what"]) == ("client", "the same tools come in another order")


def test_nothing_to_look_at(sandbox: Sandbox) -> None:
    done = sandbox.ccproxy("flows", "cache")
    assert done.returncode == 1
    assert "no flows are recorded" in done.stderr
    assert "there is no flow 'x'" in sandbox.ccproxy("flows", "cache", "x").stderr
