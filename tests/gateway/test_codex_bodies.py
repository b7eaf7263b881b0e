"""Codex with a ChatGPT login sends its bodies compressed with zstd: what becomes of them on every way through."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import zstandard
from rig import Raw, Rig, rig

from ccproxy.auth.base import Credential, StaticSource
from ccproxy.auth.pool import CredentialPool
from ccproxy.pipeline.config import HookEntry, HooksConfig
from ccproxy.providers.config import ProviderConfig, Retry
from ccproxy.testing import FakeProvider, Received, native_error
from ccproxy.util.clock import SystemClock

#: What Codex sends fits the backend as it is.
ASKED: dict[str, Any] = {
    "model": "gpt-5.1-codex",
    "stream": True,
    "store": False,
    "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}],
    "tools": [],
    "tool_choice": "auto",
    "parallel_tool_calls": False,
    "include": ["reasoning.encrypted_content"],
    "prompt_cache_key": "11111111-2222-3333-4444-555555555555",
}
PACKED = zstandard.compress(json.dumps(ASKED).encode(), 3)


@asynccontextmanager
async def backend(*, hooks: HooksConfig | None = None, **more: Any) -> AsyncIterator[tuple[Rig, FakeProvider]]:
    async with FakeProvider(text="Here you are.") as fake:
        config = ProviderConfig(type="codex", base_url=f"{fake.url}/backend-api/codex", **more)
        sources = [StaticSource(Credential(f"sk-{n}"), n) for n in ("one", "two")]
        pools = {"codex": CredentialPool(sources, clock=SystemClock())}
        async with rig(types={"codex": config}, hooks=hooks, pools=pools) as r:
            yield r, fake


async def codex(r: Rig, body: bytes = PACKED, *, key: str = "codex", path: str = "/v1/responses") -> Raw:
    fields = [
        ("content-type", "application/json"),
        ("content-encoding", "zstd"),
        ("authorization", f"Bearer sk-ant-oat-ccproxy-{key}"),
        ("accept", "text/event-stream"),
    ]
    return await r.request("POST", path, body, fields)


def pack(**fields: Any) -> bytes:
    return zstandard.compress(json.dumps(ASKED | fields).encode())


@pytest.mark.parametrize("path", ["/v1/responses", "/backend-api/codex/responses"])
async def test_what_fits_passes_to_the_byte(path: str) -> None:
    async with backend() as (r, fake):
        answer = await codex(r, path=path)
        assert (answer.status, answer.complete) == (200, True)
        assert b"response.completed" in answer.body
        [sent] = fake.requests
        assert (sent.path, sent.body) == ("/backend-api/codex/responses", PACKED)
        assert sent.header("content-encoding") == "zstd"
        flow = await r.flow()
        assert (flow.model, flow.losses) == ("gpt-5.1-codex", [])


async def test_what_the_backend_refuses_is_changed_in_sight() -> None:
    async with backend() as (r, fake):
        answer = await codex(r, pack(store=True, max_output_tokens=5, input="hi"))
        assert answer.status == 200
        [sent] = fake.requests
        assert sent.header("content-encoding") == "", "what was changed goes out plain"
        body = sent.json()
        assert (body["store"], "max_output_tokens" in body, body["input"][0]["role"]) == (False, False, "user")
        assert {loss.path for loss in (await r.flow()).losses} == {"store", "max_output_tokens"}


async def test_a_client_that_does_not_stream_gets_the_folded_answer() -> None:
    async with backend() as (r, _):
        answer = await codex(r, pack(stream=False))
        document = json.loads(answer.body)
        assert (answer.status, document["object"], document["status"]) == (200, "response", "completed")


@pytest.mark.parametrize("trouble", [401, 429])
async def test_it_is_sent_again_to_the_byte(trouble: int) -> None:
    async with backend() as (r, fake):
        fake.reply(native_error("openai_responses", trouble, "not you"))
        answer = await codex(r)
        assert answer.status == 200
        assert [sent.body for sent in fake.requests] == [PACKED, PACKED]
        assert len({sent.header("authorization") for sent in fake.requests}) == 2


async def test_after_an_error_that_passes_too() -> None:
    async with backend(retry=Retry(base_seconds=0)) as (r, fake):
        fake.reply(native_error("openai_responses", 503, "full"))
        assert (await codex(r)).status == 200
        assert [sent.body for sent in fake.requests] == [PACKED, PACKED]


async def test_a_hook_sees_and_changes_what_is_in_it() -> None:
    hooks = HooksConfig(
        outbound=[HookEntry(hook="ccproxy.hooks.set_param", params={"set": {"reasoning.effort": "low"}})]
    )
    async with backend(hooks=hooks) as (r, fake):
        assert (await codex(r)).status == 200
        [sent] = fake.requests
        assert sent.header("content-encoding") == ""
        assert sent.json() == ASKED | {"reasoning": {"effort": "low"}}


async def test_a_hook_that_changes_nothing_leaves_it_as_it_is() -> None:
    hooks = HooksConfig(inbound=[HookEntry(hook="ccproxy.hooks.extract_session_id")])
    async with backend(hooks=hooks) as (r, fake):
        assert (await codex(r)).status == 200
        assert fake.requests[0].body == PACKED


@pytest.mark.parametrize("name", ["anthropic", "openai", "gemini"])
async def test_a_provider_of_another_dialect_gets_it_converted(name: str) -> None:
    async with backend() as (r, _):
        answer = await codex(r, key=name)
        assert answer.status == 200
        assert b"response.completed" in answer.body
        [sent] = r.provider.requests
        assert sent.header("content-encoding") == ""
        assert "hi" in json.dumps(sent.json())


async def test_the_provider_behind_it_too() -> None:
    async with backend(fallback=["anthropic/claude"]) as (r, fake):

        def broken(_: Received) -> Any:
            return native_error("openai_responses", 529, "full")

        fake.on(".*", broken)
        answer = await codex(r)
        assert answer.status == 200
        assert r.provider.requests[0].json()["model"] == "claude"


@pytest.mark.parametrize("body", [b"no zstd at all", PACKED[:-9]])
async def test_what_cannot_be_unpacked_is_a_clear_400(body: bytes) -> None:
    async with backend() as (r, fake):
        answer = await codex(r, body)
        assert answer.status == 400
        assert "zstd" in json.loads(answer.body)["error"]["message"]
        assert fake.requests == []
