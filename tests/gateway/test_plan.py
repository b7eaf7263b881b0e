"""Tries and fallbacks on the wire, in the four dialects, streamed and not: what the client gets, what providers got,
what the flow tells."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import zstandard
from logins import logged_in, login_file
from rig import Raw, Rig, read_answer, rig

from ccproxy.auth.base import Credential, StaticSource
from ccproxy.auth.build import SourceBuilder
from ccproxy.auth.config import CodexOAuth
from ccproxy.auth.pool import CredentialPool
from ccproxy.pipeline.config import HookEntry, HooksConfig
from ccproxy.providers.config import ProviderConfig, Retry
from ccproxy.testing import (
    FakeProvider,
    Reply,
    Script,
    Text,
    TokenEndpoint,
    error_in_stream,
    jwt,
    native_error,
    no_answer,
    sse,
)
from ccproxy.util.clock import SystemClock

JSON = ("Content-Type", "application/json")
MESSAGES = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}
CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
RESPONSES = {"model": "m", "input": "hi"}
CONTENTS = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
#: dialect → type of provider, path, body
CALLS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "anthropic": ("anthropic", "/v1/messages", MESSAGES),
    "openai": ("openai", "/v1/chat/completions", CHAT),
    "openai_responses": ("openai_responses", "/v1/responses", RESPONSES),
    "gemini": ("gemini", "/v1beta/models/m:generateContent", CONTENTS),
}
BOTH = pytest.mark.parametrize("streamed", [False, True])
ALL = pytest.mark.parametrize("dialect", list(CALLS))


def call(dialect: str, streamed: bool) -> tuple[str, bytes]:
    _, path, body = CALLS[dialect]
    if dialect == "gemini":
        return path.replace("generateContent", "streamGenerateContent?alt=sse") if streamed else path, json.dumps(
            body
        ).encode()
    return path, json.dumps(body | ({"stream": True} if streamed else {})).encode()


async def asked(r: Rig, dialect: str, streamed: bool, *, name: str = "one") -> Raw:
    target, body = call(dialect, streamed)
    return await r.request("POST", target, body, [JSON, ("Authorization", f"Bearer sk-ant-oat-ccproxy-{name}")])


async def no_wait(seconds: float) -> None:
    """Time passes at once."""


def said(answer: Raw) -> str:
    """The error's message, wherever the dialect has it."""
    document = json.loads(answer.body)
    return str(document["error"]["message"])


async def steps(r: Rig) -> list[tuple[str, int, str]]:
    return [(step.provider, step.status, step.then) for step in (await r.flow()).story]


def provider(dialect: str, url: str, **more: Any) -> ProviderConfig:
    return ProviderConfig(type=CALLS[dialect][0], base_url=url, **more)


@ALL
@BOTH
class TestInEveryDialect:
    @pytest.mark.parametrize("failure", ["429", "503", "529", "none", "hidden"])
    async def test_a_failure_that_passes_is_not_seen(self, dialect: str, streamed: bool, failure: str) -> None:
        async with FakeProvider(text="Here you are.") as fake:
            reply = {
                "none": no_answer(),
                "hidden": sse([error_in_stream(dialect, 529, "full")]),
            }.get(failure) or native_error(dialect, int(failure), retry_after=1)
            fake.reply(reply)
            types = {"one": provider(dialect, fake.url, retry=Retry(base_seconds=0))}
            async with rig(types=types, sleep=no_wait) as r:
                answer = await asked(r, dialect, streamed)

                assert (answer.status, answer.complete) == (200, True)
                assert b"Here" in answer.body
                first, second = fake.requests
                assert first.body == second.body == call(dialect, streamed)[1]
                assert first.raw == second.raw
                assert len(await steps(r)) == 2

    async def test_the_other_provider_answers_in_the_clients_dialect(self, dialect: str, streamed: bool) -> None:
        other = "openai" if dialect != "openai" else "anthropic"
        async with FakeProvider() as full, FakeProvider(text="From the other.") as fake:
            full.on("/", native_error(dialect, 529, "full"))
            types = {
                "one": provider(dialect, full.url, fallback=["two/m2"]),
                "two": provider(other, fake.url),
            }
            async with rig(types=types) as r:
                answer = await asked(r, dialect, streamed)

                assert (answer.status, answer.complete) == (200, True), answer.body
                assert b"From" in answer.body
                assert fake.requests[0].json()["model"] == "m2"
                flow = await r.flow()
                assert (flow.provider, flow.upstream_dialect, flow.reason) == ("two", other, "fallback of one")
                assert [(s.provider, s.status, s.then) for s in flow.story] == [
                    ("one", 529, "went on to two"),
                    ("two", 200, ""),
                ]

    async def test_if_all_fail_the_first_failure_comes_as_it_was(self, dialect: str, streamed: bool) -> None:
        async with FakeProvider() as full, FakeProvider() as down:
            first = native_error(dialect, 529, "We are full.", headers={"x-own": "kept"})
            full.on("/", first)
            down.on("/", native_error("openai" if dialect != "openai" else "anthropic", 503))
            types = {
                "one": provider(dialect, full.url, fallback=["two", "three"]),
                "two": provider("openai" if dialect != "openai" else "anthropic", down.url),
                "three": provider(dialect, "http://127.0.0.1:1"),
            }
            async with rig(types=types) as r:
                answer = await asked(r, dialect, streamed)

                assert (answer.status, answer.headers["x-own"]) == (529, "kept")
                assert answer.body == first.body
                assert "retry-after" not in answer.headers
                flow = await r.flow()
                assert (flow.provider, flow.upstream_dialect, flow.losses) == ("one", "", [])
                assert [step.provider for step in flow.story] == ["one", "two", "three"]

    async def test_a_refused_login_is_renewed_and_the_same_sent_again(
        self, dialect: str, streamed: bool, tmp_path: Path
    ) -> None:
        async with FakeProvider(text="Here you are.") as fake:
            logins = TokenEndpoint(fake)
            logins.protect("^/v1", dialect=dialect)
            path = login_file(tmp_path, logins)
            logins.expire()
            async with (
                logged_in(path, logins) as pool,
                rig(types={"one": provider(dialect, fake.url)}, pools={"one": pool}) as r,
            ):
                answer = await asked(r, dialect, streamed)

                assert (answer.status, answer.complete) == (200, True)
                first, _, second = fake.requests
                assert first.body == second.body == call(dialect, streamed)[1]
                assert len(logins.renewals) == 1
                assert "canary" not in repr(await r.flow())

    async def test_a_login_that_is_over_is_the_providers_401(
        self, dialect: str, streamed: bool, tmp_path: Path
    ) -> None:
        async with FakeProvider() as fake:
            logins = TokenEndpoint(fake)
            logins.protect("^/v1", dialect=dialect)
            path = login_file(tmp_path, logins)
            logins.revoke()
            async with (
                logged_in(path, logins) as pool,
                rig(types={"one": provider(dialect, fake.url)}, pools={"one": pool}) as r,
            ):
                answer = await asked(r, dialect, streamed)

                assert answer.status == 401
                assert said(answer) == "OAuth token has expired."
                flow = await r.flow()
                assert flow.story[0].then.startswith("could not renew the credential: ")
                assert "canary" not in repr(flow) + answer.body.decode()


async def test_nothing_is_sent_twice_once_content_has_reached_the_client() -> None:
    async with FakeProvider() as fake, FakeProvider() as other:
        good = fake.write
        fake.on("/", lambda request: Reply(200, {"content-type": "text/event-stream"}, [
            *good(request, Script([Text("Some words.")])).pieces[:4], error_in_stream("anthropic", 529, "full")]))  # fmt: skip
        types = {
            "one": provider("anthropic", fake.url, retry=Retry(base_seconds=0), fallback=["two"]),
            "two": provider("anthropic", other.url),
        }
        async with rig(types=types, sleep=no_wait) as r:
            answer = await asked(r, "anthropic", True)

            assert answer.status == 200
            assert b"Some" in answer.body
            assert b"full" in answer.body
            assert len(fake.requests) == 1
            assert other.requests == []


async def test_without_configuration_every_failure_is_the_clients_to_handle() -> None:
    async with rig() as r:
        r.provider.on("/", native_error("anthropic", 529, retry_after=3))
        answer = await asked(r, "anthropic", False, name="anthropic")

        assert (answer.status, answer.headers["retry-after"]) == (529, "3")
        assert len(r.provider.requests) == 1
        assert await steps(r) == []


async def test_an_upload_that_streams_through_is_sent_once() -> None:
    async with FakeProvider() as fake:
        fake.on("/", native_error("anthropic", 401))
        types = {"one": provider("anthropic", fake.url, retry=Retry(base_seconds=0))}
        async with rig(types=types, sleep=no_wait) as r:
            answer = await r.request(
                "POST",
                "/v1/files",
                b"12345",
                [("content-type", "application/octet-stream"), ("x-api-key", "sk-ant-oat-ccproxy-one")],
            )

            assert answer.status == 401
            assert [request.body for request in fake.requests] == [b"12345"]


async def test_several_credentials_of_one_provider() -> None:
    async with FakeProvider() as fake:
        fake.on(
            "/",
            lambda request: (
                native_error("anthropic", 429) if request.header("x-api-key") == "key-a-0123456789" else None
            ),  # type: ignore[arg-type, return-value]
        )
        clock = SystemClock()
        keys = [StaticSource(Credential(f"key-{name}-0123456789"), label=f"key {name}") for name in "ab"]
        async with rig(
            types={"one": provider("anthropic", fake.url)}, pools={"one": CredentialPool(keys, clock=clock)}
        ) as r:
            answers = [await asked(r, "anthropic", False) for _ in range(2)]

            assert [answer.status for answer in answers] == [200, 200]
            assert [request.header("x-api-key")[4] for request in fake.requests] == ["a", "b", "b"]
            assert (await r.flow()).credential == "key b"
            assert "0123456789" not in repr(r.store.flows)


async def test_the_beta_of_a_login_is_added_in_sight() -> None:
    pool = CredentialPool([StaticSource(Credential("sk-ant-oat01-" + "x" * 20))], clock=SystemClock())
    async with FakeProvider() as fake, rig(types={"one": provider("anthropic", fake.url)}, pools={"one": pool}) as r:
        target, body = call("anthropic", False)
        fields = [JSON, ("x-api-key", "sk-ant-oat-ccproxy-one"), ("anthropic-beta", "own-1")]
        await r.request("POST", target, body, fields)

        assert fake.requests[0].header("anthropic-beta") == "own-1,oauth-2025-04-20"
        [loss] = (await r.flow()).losses
        assert (loss.path, loss.kind) == ("headers.anthropic-beta", "defaulted")


class TestCodex:
    """The backend for ChatGPT accounts: it streams, and wants to be asked in its own way."""

    @pytest.mark.parametrize("dialect", ["openai_responses", "anthropic", "openai"])
    @BOTH
    async def test_every_client_gets_its_answer(self, dialect: str, streamed: bool) -> None:
        async with FakeProvider(text="Here you are.") as fake:
            types = {"codex": ProviderConfig(type="codex", base_url=f"{fake.url}/backend-api/codex")}
            async with rig(types=types) as r:
                answer = await asked(r, dialect, streamed, name="codex")

                assert (answer.status, answer.complete) == (200, True), answer.body
                assert b"Here" in answer.body
                sent = fake.requests[0]
                assert sent.path == "/backend-api/codex/responses"
                body = sent.json()
                assert (body["store"], body["stream"]) == (False, True)
                assert isinstance(body["input"], list)
                assert "max_output_tokens" not in body
                kind = answer.headers["content-type"]
                assert kind.startswith("text/event-stream" if streamed else "application/json")

    async def test_what_was_changed_is_told_and_an_error_keeps_its_status(self) -> None:
        async with FakeProvider() as fake:
            fake.reply(native_error("openai_responses", 429, "slow"))
            types = {"codex": ProviderConfig(type="codex", base_url=f"{fake.url}/backend-api/codex")}
            async with rig(types=types) as r:
                answer = await asked(r, "openai_responses", False, name="codex")

                assert (answer.status, said(answer)) == (429, "slow")
                flow = await r.flow()
                assert "store" in [loss.path for loss in flow.losses]

    async def test_the_account_goes_along(self, tmp_path: Path) -> None:
        tokens = {"access_token": jwt({"exp": 9_999_999_999}), "refresh_token": "r", "account_id": "acc-1"}
        (tmp_path / "auth.json").write_text(json.dumps({"tokens": tokens}))
        pool = SourceBuilder(clock=SystemClock()).pool(CodexOAuth(file_path=str(tmp_path / "auth.json")), "codex")
        async with FakeProvider() as fake:
            types = {"codex": ProviderConfig(type="codex", base_url=f"{fake.url}/backend-api/codex")}
            async with rig(types=types, pools={"codex": pool} if pool else {}) as r:
                await asked(r, "openai_responses", True, name="codex")

                sent = fake.requests[0]
                assert sent.header("chatgpt-account-id") == "acc-1"
                assert sent.header("authorization") == f"Bearer {tokens['access_token']}"


async def test_a_websocket_that_is_refused_renews_once(tmp_path: Path) -> None:
    async with FakeProvider() as fake:
        logins = TokenEndpoint(fake)
        path = login_file(tmp_path, logins)
        fake.on("^/v1/responses", native_error("openai", 401))
        async with (
            logged_in(path, logins) as pool,
            rig(types={"one": provider("openai_responses", fake.url)}, pools={"one": pool}) as r,
        ):
            reader, writer = await r.open()
            writer.write(
                b"GET /v1/responses HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
                b"Authorization: Bearer sk-ant-oat-ccproxy-one\r\n\r\n"
            )
            answer = await read_answer(reader)

            assert answer.status == 401
            assert len(logins.renewals) == 1
            assert [request.path for request in fake.requests] == ["/v1/responses", "/oauth/token", "/v1/responses"]


async def test_a_compressed_body_that_a_hook_has_edited_is_folded_from_what_the_hook_made() -> None:
    hooks = HooksConfig(inbound=[HookEntry(hook="set_model", params={"model": "by-hook"})])
    async with FakeProvider() as fake:
        types = {"it": ProviderConfig(type="codex", base_url=f"{fake.url}/backend-api/codex")}
        async with rig(types=types, hooks=hooks) as r:
            packed = zstandard.compress(b'{"model":"m","input":"hi","stream":false}')
            fields = [
                ("Content-Type", "application/json"),
                ("Content-Encoding", "zstd"),
                ("Authorization", "Bearer sk-ant-oat-ccproxy-it"),
            ]
            answer = await r.request("POST", "/v1/responses", packed, fields)
            assert (answer.status, json.loads(answer.body)["object"]) == (200, "response")
            assert fake.requests[0].json()["model"] == "by-hook"
            assert fake.requests[0].json()["stream"] is True
