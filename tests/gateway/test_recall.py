"""A Chat client with DeepSeek, which refuses a conversation whose thinking is missing, and Chat clients drop it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rig import Rig, rig

from ccproxy.pipeline.config import HookEntry, HooksConfig
from ccproxy.providers.config import ProviderConfig
from ccproxy.testing import FakeProvider, Received, Reply, Script, Text, Thinking, ToolCall, Usage, native_error

JSON = ("Content-Type", "application/json")
KEY = ("Authorization", "Bearer sk-ant-oat-ccproxy-it")
TOOL = {"type": "function", "function": {"name": "clock", "parameters": {"type": "object", "properties": {}}}}


class Strict:
    """A provider that thinks before each call, and wants it back."""

    def __init__(self, fake: FakeProvider) -> None:
        self.fake = fake
        self.turn = 0

    def __call__(self, request: Received) -> Reply:
        messages = request.json()["messages"]
        thoughts = [m.get("reasoning_content") for m in messages if m["role"] == "assistant" and m.get("tool_calls")]
        if thoughts != [f"thought {n}" for n in range(self.turn)]:
            return native_error("openai", 400, f"the reasoning_content must be passed back, not {thoughts}")
        script = Script("deepseek", [Thinking(f"thought {self.turn}", ""), ToolCall("clock", "{}")], Usage(9, 9))
        self.turn += 1
        return self.fake.write(request, script)


async def turn(r: Rig, messages: list[dict[str, Any]], *, stream: bool, spaced: bool = False) -> bytes:
    asked = {"model": "deepseek-chat", "messages": messages, "tools": [TOOL], "stream": stream}
    body = json.dumps(asked, indent=2 if spaced else None).encode()
    answer = await r.request("POST", "/v1/chat/completions", body, [JSON, KEY])
    assert answer.status == 200, answer.body
    return answer.body


def called(content: bytes, *, stream: bool) -> list[dict[str, Any]]:
    """What the client remembers of an answer: the call, without the thinking."""
    if stream:
        chunks = [json.loads(line[6:]) for line in content.decode().splitlines() if line.startswith("data: {")]
        deltas = [d for c in chunks for choice in c["choices"] for d in choice["delta"].get("tool_calls", ())]
        ident, name = deltas[0]["id"], deltas[0]["function"]["name"]
    else:
        call = json.loads(content)["choices"][0]["message"]["tool_calls"][0]
        ident, name = call["id"], call["function"]["name"]
    function = {"name": name, "arguments": "{}"}
    return [
        {"role": "assistant", "content": None, "tool_calls": [{"id": ident, "type": "function", "function": function}]},
        {"role": "tool", "tool_call_id": ident, "content": "noon"},
    ]


def deepseek(fake: FakeProvider) -> dict[str, ProviderConfig]:
    return {"it": ProviderConfig(type="openai", base_url=f"{fake.url}/v1", family="deepseek")}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("hooks", [None, HooksConfig(inbound=[HookEntry(hook="set_model", params={"model": "m"})])])
async def test_ten_turns_of_tools(stream: bool, hooks: HooksConfig | None) -> None:
    async with FakeProvider() as fake:
        fake.on(".*", Strict(fake))
        async with rig(types=deepseek(fake), hooks=hooks) as r:
            messages: list[dict[str, Any]] = [{"role": "user", "content": "what time is it?"}]
            for _ in range(10):
                messages += called(await turn(r, messages, stream=stream), stream=stream)
            flow = await r.flow()
            assert [(loss.path, loss.kind) for loss in flow.losses] == [("messages", "repaired")]
            assert (flow.action, flow.upstream_dialect) == ("redirect", "")


async def test_what_lacks_nothing_passes_to_the_byte_and_so_does_every_answer() -> None:
    async with FakeProvider() as fake:
        fake.on(".*", Strict(fake))
        async with rig(types=deepseek(fake)) as r:
            start = [{"role": "user", "content": "what time is it?"}]
            answer = await turn(r, start, stream=True, spaced=True)
            flow = await r.flow()
            assert fake.requests[0].body == flow.request.body
            assert b"\n  " in fake.requests[0].body
            assert flow.response is not None
            assert flow.response.body == answer
            assert (flow.answer, flow.losses) == (None, [])


async def test_a_client_that_sends_it_back_itself_is_left_alone() -> None:
    async with FakeProvider() as fake:
        fake.on(".*", Strict(fake))
        async with rig(types=deepseek(fake)) as r:
            start: list[dict[str, Any]] = [{"role": "user", "content": "what time is it?"}]
            kept = called(await turn(r, start, stream=False), stream=False)
            kept[0]["reasoning_content"] = "thought 0"
            await turn(r, [*start, *kept], stream=False, spaced=True)
            assert fake.requests[1].body == (await r.flow()).request.body


async def test_other_providers_are_sent_what_the_client_sent() -> None:
    async with FakeProvider() as fake:
        fake.on(".*", lambda request: fake.write(request, Script("m", [Thinking("t", ""), Text("x")], Usage(1, 1))))
        async with rig(types={"it": ProviderConfig(type="openai", base_url=f"{fake.url}/v1")}) as r:
            await turn(r, [{"role": "user", "content": "hi"}], stream=False)
            assert len(r.runtime.reasoning) == 0


async def test_the_client_is_told_what_was_put_in() -> None:
    async with FakeProvider() as fake:
        fake.on(".*", Strict(fake))
        async with rig(types=deepseek(fake)) as r:
            messages: list[dict[str, Any]] = [{"role": "user", "content": "what time is it?"}]
            messages += called(await turn(r, messages, stream=False), stream=False)
            asked = {"model": "deepseek-chat", "messages": messages, "tools": [TOOL]}
            answer = await r.request("POST", "/v1/chat/completions", json.dumps(asked).encode(), [JSON, KEY])
            assert answer.headers["x-ccproxy-losses"] == "1; messages=repaired"
