"""Requests in another form of their own dialect, on the wire: Code Assist's envelope and Vertex AI's path, both ways, for
clients of all dialects, streamed and not."""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from rig import KEY, Raw, Rig, rig

from ccproxy.auth.base import Credential, StaticSource
from ccproxy.auth.pool import CredentialPool
from ccproxy.pipeline.config import HooksConfig
from ccproxy.providers.config import ProviderConfig, Retry
from ccproxy.routing.config import TransformRule
from ccproxy.testing import (
    CodeAssist,
    Cut,
    FakeProvider,
    Pause,
    Reply,
    native_error,
    sse,
)
from ccproxy.util.clock import SystemClock

JSON = ("Content-Type", "application/json")
CONTENTS = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}], "generationConfig": {"temperature": 1.0}}
CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "anthropic": ("/v1/messages", {"model": "g", "max_tokens": 50, "messages": [{"role": "user", "content": "hi"}]}),
    "openai": ("/v1/chat/completions", {"model": "g", "messages": [{"role": "user", "content": "hi"}]}),
    "openai_responses": ("/v1/responses", {"model": "g", "input": "hi"}),
    "gemini": ("/v1beta/models/g:generateContent", CONTENTS),
}
ALL = pytest.mark.parametrize("dialect", list(CALLS))
BOTH = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
VERTEX = "/v1/projects/p/locations/l/publishers"


def key(name: str) -> tuple[str, str]:
    return ("Authorization", f"Bearer sk-ant-oat-ccproxy-{name}")


async def ask(r: Rig, dialect: str, streamed: bool, name: str) -> Raw:
    path, body = CALLS[dialect]
    if dialect == "gemini" and streamed:
        path = path.replace("generateContent", "streamGenerateContent?alt=sse")
    elif streamed:
        body = body | {"stream": True}
    return await r.request("POST", path, json.dumps(body).encode(), [JSON, key(name)])


@asynccontextmanager
async def assisted(**more: Any) -> AsyncIterator[tuple[Rig, CodeAssist]]:
    """A gateway with the provider `assist` in front of a Code Assist backend."""
    options = more.pop("options", {})
    async with FakeProvider(text="Here you are, well done.") as fake:
        assist = CodeAssist(fake)
        types = {"assist": ProviderConfig(type="code_assist", base_url=fake.url, **options)}
        async with rig(types=types | more.pop("types", {}), **more) as r:
            yield r, assist


class TestCodeAssist:
    @ALL
    @BOTH
    async def test_a_client_of_any_dialect_is_answered(self, dialect: str, streamed: bool) -> None:
        async with assisted() as (r, assist):
            answer = await ask(r, dialect, streamed, "assist")

            assert (answer.status, answer.complete) == (200, True), answer.body
            assert b"Here" in answer.body
            assert b"traceId" not in answer.body and "x-ccproxy-losses" not in answer.headers
            assert assist.asked == ["g"]
            flow = await r.flow()
            assert flow.forwarded is not None and flow.answer is not None and flow.response is not None
            sent = json.loads(flow.forwarded.body)
            assert sent["model"] == "g" and sent["project"] == "project-of-tests"
            assert uuid.UUID(sent["user_prompt_id"]) and uuid.UUID(sent["request"]["session_id"])
            assert b'"traceId"' in flow.response.body and b'"traceId"' not in flow.answer.body
            action = "streamGenerateContent?alt=sse" if streamed else "generateContent"
            assert flow.forwarded.target == f"/v1internal:{action}"

    async def test_what_a_plain_client_says_keeps_its_bytes(self) -> None:
        async with assisted() as (r, _):
            said = b'{ "contents" : [{"parts":[{"text":"\\u00e4"}]}], "generationConfig":{"temperature":1.50e0}, "model":"g"}'
            answer = await r.request("POST", "/v1/models/g:generateContent", said, [JSON, key("assist")])
            assert answer.status == 200
            sent = (await r.flow()).forwarded
            assert sent is not None
            inside = b'{ "contents" : [{"parts":[{"text":"\\u00e4"}]}], "generationConfig":{"temperature":1.50e0}'
            assert sent.body.startswith(b'{"model":"g","request":' + inside)

    async def test_a_stream_is_unwrapped_chunk_by_chunk(self) -> None:
        async with assisted() as (r, assist):
            frames = [b'data: {"response": {"candidates": [%d]}, "traceId": "t"}\r\n\r\n' % n for n in range(3)]
            gate = asyncio.Event()
            assist.provider.on(":streamGenerateContent", sse([frames[0], Pause(gate), *frames[1:]]))
            reader, writer = await r.open()
            body = json.dumps(CONTENTS).encode()
            writer.write(
                b"POST /v1beta/models/g:streamGenerateContent?alt=sse HTTP/1.1\r\nHost: localhost\r\n"
                b"x-goog-api-key: sk-ant-oat-ccproxy-assist\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
            )
            first = await reader.readuntil(b'{"candidates": [0]}\n\n')  # while the provider stands at the gate
            assert b"text/event-stream" in first
            gate.set()
            assert await reader.readuntil(b'data: {"candidates": [2]}\n\n')

    async def test_a_client_that_wants_an_array_gets_one(self) -> None:
        async with assisted() as (r, _):
            target = "/v1beta/models/g:streamGenerateContent"
            answer = await r.request("POST", target, json.dumps(CONTENTS).encode(), [JSON, key("assist")])
            assert answer.headers["content-type"] == "application/json"
            chunks = json.loads(answer.body)
            assert len(chunks) > 1 and all("candidates" in chunk for chunk in chunks)
            assert (await r.flow()).forwarded.target.endswith("?alt=sse")  # type: ignore[union-attr]

    @pytest.mark.parametrize("encoding", ["gzip", "br", "zstd"])
    @BOTH
    async def test_compressed_answers_are_unwrapped(self, encoding: Any, streamed: bool) -> None:
        async with assisted() as (r, assist):
            fake = assist.provider

            def squeezed(request: Any) -> Reply:
                made = fake.answer(request)
                return Reply(made.status, made.headers, made.body, encoding=encoding)

            fake.on("GenerateContent|generateContent", squeezed)
            answer = await ask(r, "gemini", streamed, "assist")
            assert "content-encoding" not in answer.headers
            assert answer.complete and b"Here" in answer.body and b"traceId" not in answer.body

    async def test_a_request_in_the_envelope_passes_byte_for_byte(self) -> None:
        async with assisted() as (r, assist):
            body = b'{"model": "g" ,"project":"project-of-tests", "request":{"contents":[]} }'
            target = "/v1internal:streamGenerateContent?alt=sse"
            answer = await r.request("POST", target, body, [JSON, key("assist")])
            received = assist.provider.requests[-1]
            assert (received.content, received.target.decode()) == (body, target)
            assert answer.body == b"".join(assist.provider.answer(received).pieces)
            assert assist.loads == [] and (await r.flow()).answer is None

    @pytest.mark.parametrize("dialect", ["anthropic", "openai_responses", "gemini"])
    async def test_tokens_are_counted(self, dialect: str) -> None:
        path, body = CALLS[dialect]
        ends = {"anthropic": "/count_tokens", "openai_responses": "/input_tokens", "gemini": ""}
        path = path.replace("generateContent", "countTokens") + ends[dialect]
        async with assisted() as (r, assist):
            answer = await r.request("POST", path, json.dumps(body).encode(), [JSON, key("assist")])
            assert answer.status == 200, answer.body
            assert 7 in json.loads(answer.body).values()
            assert assist.loads == []

    async def test_what_a_count_leaves_out_is_told(self) -> None:
        async with assisted() as (r, _):
            body = {"generateContentRequest": {"model": "models/g", **CONTENTS, "tools": [{"googleSearch": {}}]}}
            target = "/v1beta/models/g:countTokens"
            answer = await r.request("POST", target, json.dumps(body).encode(), [JSON, key("assist")])
            assert (answer.status, answer.headers["x-ccproxy-losses"]) == (200, "1; tools=dropped")
            strict = [JSON, key("assist"), ("x-ccproxy-strict", "1")]
            assert (await r.request("POST", target, json.dumps(body).encode(), strict)).status == 400

    @BOTH
    async def test_the_other_way_a_plain_provider_answers_in_the_envelope(self, streamed: bool) -> None:
        rules = [TransformRule(match_path="^/v1internal", dest_provider="gemini")]
        async with rig(rules=rules) as r:
            action = "streamGenerateContent?alt=sse" if streamed else "generateContent"
            body = {"model": "g-1", "project": "p", "request": {**CONTENTS, "session_id": "s"}}
            answer = await r.request("POST", f"/v1internal:{action}", json.dumps(body).encode(), [JSON])
            received = r.provider.requests[-1]
            assert received.target.decode() == f"/v1beta/models/g-1:{action}"
            assert received.json() == CONTENTS
            first = answer.body.partition(b"\n")[0].removeprefix(b"data: ") if streamed else answer.body
            assert "candidates" in json.loads(first)["response"]

    @BOTH
    async def test_so_does_a_provider_of_another_dialect(self, streamed: bool) -> None:
        rules = [TransformRule(match_path="^/v1internal", dest_provider="openai", dest_model="gpt")]
        async with rig(rules=rules) as r:
            action = "streamGenerateContent?alt=sse" if streamed else "generateContent"
            body = {"model": "g-1", "project": "p", "user_prompt_id": "u", "request": CONTENTS}
            answer = await r.request("POST", f"/v1internal:{action}", json.dumps(body).encode(), [JSON])
            assert answer.status == 200 and r.provider.requests[-1].json()["model"] == "gpt"
            first = answer.body.partition(b"\n")[0].removeprefix(b"data: ") if streamed else answer.body
            assert "candidates" in json.loads(first)["response"]

    @ALL
    @BOTH
    async def test_an_error_is_in_the_clients_dialect(self, dialect: str, streamed: bool) -> None:
        async with assisted() as (r, assist):
            assist.provider.on("enerateContent", native_error("gemini", 403, "Not for you."))
            answer = await ask(r, dialect, streamed, "assist")
            assert answer.status == 403
            assert "Not for you." in json.loads(answer.body)["error"]["message"]

    async def test_a_stream_that_is_cut_is_no_whole_answer(self) -> None:
        async with assisted() as (r, assist):
            fake = assist.provider
            fake.on("enerateContent", lambda request: sse([*fake.answer(request).pieces[:2], Cut()]))
            answer = await ask(r, "gemini", True, "assist")
            assert not answer.complete and b'"error"' in answer.body
            assert (await r.flow()).outcome == "upstream_cut"
            fake.on("enerateContent", sse([b'data: {"response": {"candidates": []}}\r\n\r\n', b'data: {"respon']))
            answer = await ask(r, "gemini", True, "assist")
            assert not answer.complete and b"middle of an event" in answer.body

    async def test_a_conversation_has_one_session(self) -> None:
        async with assisted() as (r, _):
            turn = CONTENTS["contents"] + [{"role": "model", "parts": [{"text": "x"}]}]  # type: ignore[operator]
            for contents in (CONTENTS["contents"], turn, [{"parts": [{"text": "another"}]}]):
                body = json.dumps({"contents": contents}).encode()
                await r.request("POST", "/v1/models/g:generateContent", body, [JSON, key("assist")])
                await r.flow()
            first, second, other = (json.loads(f.forwarded.body)["request"]["session_id"] for f in r.store.flows)  # type: ignore[union-attr]
            assert first == second != other


class TestTheHook:
    async def test_all_that_is_asked_carries_gemini_clis_name(self) -> None:
        hooks = HooksConfig(outbound=["ccproxy.hooks.gemini_cli", "ccproxy.hooks.redact_secrets"])
        async with assisted(hooks=hooks) as (r, assist):
            for dialect in CALLS:
                assert (await ask(r, dialect, True, "assist")).status == 200
            agents = {request.header("user-agent") for request in assist.provider.requests}
            assert agents == {"GeminiCLI-tui/0.61.0/g (linux; x64; terminal) google-api-nodejs-client/10.9.0"}

    async def test_other_hooks_see_the_envelope_and_the_answer(self, tmp_path: Path) -> None:
        (tmp_path / "mine.py").write_text(HOOK)
        hooks = HooksConfig(outbound=[f"{tmp_path}/mine.py:mine"])
        async with assisted(hooks=hooks) as (r, assist):
            for streamed in (False, True):
                answer = await ask(r, "gemini", streamed, "assist")
                assert b"HERE" in answer.body and b'"response"' not in answer.body
            assert assist.asked == ["another", "another"]
            sent = assist.provider.requests[-1].json()
            assert sent["request"]["generationConfig"]["temperature"] == 0.5


HOOK = """
import msgspec
from ccproxy.hooks import HookContext, hook
from ccproxy.lightllm.ir.events import TextDelta

@hook(reads=["request"], writes=["request", "answer"])
def mine(ctx: HookContext) -> None:
    sampling = msgspec.structs.replace(ctx.request.sampling, temperature=0.5)
    ctx.request = msgspec.structs.replace(ctx.request, sampling=sampling, model="another")
    ctx.on_event(lambda event: TextDelta(event.text.upper()) if isinstance(event, TextDelta) else None, edit=True)
"""


class TestTheProject:
    async def test_twenty_requests_cause_one_question(self) -> None:
        async with assisted() as (r, assist):
            assist.gate = gate = asyncio.Event()
            asking = [asyncio.create_task(ask(r, "gemini", False, "assist")) for _ in range(20)]
            await assist.provider.wait_for_request(0)
            gate.set()
            assert {answer.status for answer in await asyncio.gather(*asking)} == {200}
            await ask(r, "gemini", False, "assist")
            [load] = assist.loads
            assert load.header("authorization") == f"Bearer {KEY}"
            assert json.loads(load.content)["metadata"]["pluginType"] == "GEMINI"

    async def test_the_configured_one_is_taken(self) -> None:
        async with assisted(options={"project": "my-own"}) as (r, assist):
            assist.projects[KEY] = "my-own"
            assert (await ask(r, "openai", False, "assist")).status == 200
            assert assist.loads == []

    async def test_each_login_has_its_own(self) -> None:
        clock = SystemClock()
        pools = {
            name: CredentialPool([StaticSource(Credential(f"token-of-{name}"))], clock=clock)
            for name in ("assist", "b")
        }
        async with FakeProvider() as fake:
            assist = CodeAssist(fake)
            assist.projects = {"token-of-assist": "one", "token-of-b": "two"}
            types = {name: ProviderConfig(type="code_assist", base_url=fake.url) for name in ("assist", "b")}
            async with rig(types=types, pools=pools) as r:
                for name in ("assist", "b"):
                    assert (await ask(r, "gemini", False, name)).status == 200
                sent = [each.json()["project"] for each in fake.requests if "generate" in each.path]
                assert sent == ["one", "two"]

    @ALL
    @BOTH
    async def test_a_refusal_is_the_answer_and_is_not_remembered(self, dialect: str, streamed: bool) -> None:
        async with assisted() as (r, assist):
            assist.refusal = native_error("gemini", 403, "The API is not enabled.")
            answer = await ask(r, dialect, streamed, "assist")
            assert answer.status == 403
            assert "The API is not enabled." in json.loads(answer.body)["error"]["message"]
            flow = await r.flow()
            assert flow.forwarded is not None and flow.forwarded.target == "/v1internal:loadCodeAssist"
            assert flow.response is not None and flow.response.status == 403
            assert assist.asked == []
            assist.refusal = None
            assert (await ask(r, dialect, streamed, "assist")).status == 200

    async def test_a_refused_token_is_renewed_and_then_has_a_project(self) -> None:
        renewed = Credential("token-that-is-new")

        class Source(StaticSource):
            async def refresh(self, rejected: Credential | None = None) -> Credential:
                return renewed

        pools = {"assist": CredentialPool([Source(Credential("token-that-is-old"))], clock=SystemClock())}
        async with assisted(pools=pools) as (r, assist):
            fake = assist.provider

            def load(request: Any) -> Reply:
                good = request.header("authorization") == "Bearer token-that-is-new"
                return fake.answer(request) if good else native_error("gemini", 401)

            fake.on(":loadCodeAssist", load)
            assist.projects["token-that-is-new"] = "demo-project"
            assert (await ask(r, "gemini", True, "assist")).status == 200
            story = (await r.flow()).story
            assert [(step.status, step.then) for step in story] == [(401, "renewed the credential"), (200, "")]
            assert b"token-that" not in repr(await r.flow()).encode()

    @pytest.mark.parametrize(
        ("account", "words"),
        [
            ({"currentTier": None, "cloudaicompanionProject": None}, "run gemini-cli once"),
            ({"cloudaicompanionProject": None}, "set providers.assist.project"),
            (
                {
                    "currentTier": None,
                    "cloudaicompanionProject": None,
                    "ineligibleTiers": [
                        {"reasonMessage": "Verify your age.", "validationUrl": "https://example.com/age"}
                    ],
                },
                r"Verify your age\..*see https://example.com/age",
            ),
        ],
    )
    async def test_an_account_without_one_is_told_what_to_do(self, account: dict[str, Any], words: str) -> None:
        async with assisted() as (r, assist):
            assist.account = account
            answer = await ask(r, "anthropic", True, "assist")
            assert (answer.status, answer.headers["x-ccproxy-error"]) == (403, "credential_error")
            assert re.search(words, json.loads(answer.body)["error"]["message"])

    async def test_no_answer_is_tried_again(self) -> None:
        async with assisted(options={"retry": Retry(base_seconds=0)}) as (r, assist):
            assist.provider.reply(Reply(200, [JSON], b"[]"))
            assert (await ask(r, "gemini", False, "assist")).status == 200
            first, second = (await r.flow()).story
            assert "does not tell its project" in first.problem and second.status == 200


REFUSED = "The signature of a thought is invalid."


class TestWhatIsSentAgain:
    """A request without the signatures that were refused stands in the form of its provider, too."""

    async def test_to_code_assist(self) -> None:
        async with assisted() as (r, assist):
            signed = {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "Zm9yZWlnbg=="}
            result = {"functionResponse": {"name": "f", "response": {}}}
            contents = [
                *CONTENTS["contents"],
                {"role": "model", "parts": [signed]},
                {"role": "user", "parts": [result]},
            ]  # type: ignore[misc]
            assist.provider.on("enerateContent", native_error("gemini", 400, REFUSED), times=1)
            body = json.dumps({**CONTENTS, "contents": contents}).encode()
            answer = await r.request("POST", "/v1/models/g:generateContent", body, [JSON, key("assist")])
            assert answer.status == 200, answer.body
            first, second = (each.json() for each in assist.provider.requests if "enerateContent" in each.path)
            assert b"Signature" not in json.dumps(second).encode()
            for name in ("model", "project", "user_prompt_id"):
                assert first[name] == second[name]
            assert first["request"]["session_id"] == second["request"]["session_id"]

    async def test_to_vertex(self) -> None:
        async with TestVertex()._rig() as r:
            thought = {"type": "thinking", "thinking": "hm", "signature": "Zm9yZWlnbg=="}
            said = {"role": "assistant", "content": [thought, {"type": "text", "text": "x"}]}
            asked = {
                **CALLS["anthropic"][1],
                "messages": [{"role": "user", "content": "a"}, said, {"role": "user", "content": "b"}],
            }
            r.provider.reply(native_error("anthropic", 400, REFUSED))
            body = json.dumps(asked | {"stream": True}).encode()
            answer = await r.request("POST", "/v1/messages", body, [JSON, key("vertex_claude")])
            assert answer.status == 200 and b"Here" in answer.body
            first, second = (each.json() for each in r.provider.requests)
            assert "model" not in second and second["anthropic_version"] == first["anthropic_version"]
            assert second["stream"] is True and "signature" not in json.dumps(second)


class TestVertex:
    TYPES = ("vertex_claude", "vertex_ai")

    @asynccontextmanager
    async def _rig(self, **more: Any) -> AsyncIterator[Rig]:
        async with FakeProvider(text="Here you are.") as fake:
            types = {
                kind: ProviderConfig(type=kind, base_url=fake.url, project="p", location="l") for kind in self.TYPES
            }
            types["plain"] = ProviderConfig(type="anthropic", base_url=fake.url)
            async with rig(types=types, **more) as r:
                r.provider = fake
                yield r

    @ALL
    @BOTH
    async def test_claude_answers_a_client_of_any_dialect(self, dialect: str, streamed: bool) -> None:
        async with self._rig() as r:
            answer = await ask(r, dialect, streamed, "vertex_claude")
            assert (answer.status, answer.complete) == (200, True), answer.body
            assert b"Here" in answer.body
            [received] = r.provider.requests
            action = "streamRawPredict" if streamed else "rawPredict"
            assert received.target.decode() == f"{VERTEX}/anthropic/models/g:{action}"
            sent = received.json()
            assert "model" not in sent and sent["anthropic_version"] == "vertex-2023-10-16"
            assert received.header("authorization") == f"Bearer {KEY}"
            assert (await r.flow()).forwarded.target == received.target.decode()  # type: ignore[union-attr]

    @ALL
    @BOTH
    async def test_gemini_answers_a_client_of_any_dialect(self, dialect: str, streamed: bool) -> None:
        async with self._rig() as r:
            answer = await ask(r, dialect, streamed, "vertex_ai")
            assert (answer.status, answer.complete) == (200, True), answer.body
            action = "streamGenerateContent?alt=sse" if streamed else "generateContent"
            assert r.provider.requests[0].target.decode() == (
                f"/v1beta1/projects/p/locations/l/publishers/google/models/g:{action}"
            )

    async def test_a_messages_body_keeps_its_bytes(self) -> None:
        async with self._rig() as r:
            body = b'{"model":"claude-x@1", "max_tokens":5e0 ,"messages":[{"role":"user","content":"\\u00e4"}],"stream":true}'
            headers = [JSON, key("vertex_claude"), ("anthropic-version", "2026-10-21"), ("anthropic-beta", "a,b")]
            answer = await r.request("POST", "/v1/messages?beta=true", body, headers)
            [received] = r.provider.requests
            assert received.target.decode() == f"{VERTEX}/anthropic/models/claude-x@1:streamRawPredict"
            assert received.content == (
                b'{ "max_tokens":5e0 ,"messages":[{"role":"user","content":"\\u00e4"}],"stream":true'
                b',"anthropic_version":"2026-10-21"}'
            )
            assert received.header("anthropic-beta") == "a,b"
            assert answer.body == b"".join(r.provider.answer(received).pieces)

    async def test_tokens_are_counted(self) -> None:
        async with self._rig() as r:
            body = json.dumps(CALLS["anthropic"][1]).encode()
            answer = await r.request("POST", "/v1/messages/count_tokens", body, [JSON, key("vertex_claude")])
            assert json.loads(answer.body)["input_tokens"] > 0
            [received] = r.provider.requests
            assert received.target.decode() == f"{VERTEX}/anthropic/models/count-tokens:rawPredict"
            assert received.json()["model"] == "g"

    async def test_gemini_counts_what_stands_at_the_top(self) -> None:
        async with self._rig() as r:
            body = json.dumps(
                CALLS["anthropic"][1] | {"tools": [{"name": "t", "input_schema": {"type": "object"}}]}
            ).encode()
            answer = await r.request("POST", "/v1/messages/count_tokens", body, [JSON, key("vertex_ai")])
            assert json.loads(answer.body)["input_tokens"] > 0
            [received] = r.provider.requests
            assert received.target.endswith(b"/publishers/google/models/g:countTokens")
            assert set(received.json()) == {"contents", "tools"}

    async def test_tokens_of_another_dialect_are_counted(self) -> None:
        async with self._rig() as r:
            body = json.dumps(CONTENTS).encode()
            answer = await r.request("POST", "/v1beta/models/c:countTokens", body, [JSON, key("vertex_claude")])
            assert json.loads(answer.body)["totalTokens"] > 0
            [received] = r.provider.requests
            assert received.target.decode() == f"{VERTEX}/anthropic/models/count-tokens:rawPredict"
            assert (received.json()["model"], received.json()["anthropic_version"]) == ("c", "vertex-2023-10-16")

    @pytest.mark.parametrize(("action", "streams"), [("rawPredict", False), ("streamRawPredict", True)])
    async def test_the_other_way_a_plain_provider_answers(self, action: str, streams: bool) -> None:
        rules = [TransformRule(match_path=":(stream)?[rR]awPredict", dest_provider="plain")]
        async with self._rig(rules=rules) as r:
            body = {"anthropic_version": "vertex-2023-10-16", "max_tokens": 5, "messages": []}
            target = f"/v1/projects/x/locations/y/publishers/anthropic/models/claude-x:{action}"
            answer = await r.request("POST", target, json.dumps(body).encode(), [JSON])
            assert answer.headers["content-type"].startswith("text/event-stream" if streams else "application/json")
            [received] = r.provider.requests
            assert (received.path, received.header("anthropic-version")) == ("/v1/messages", "2023-06-01")
            asked = {"max_tokens": 5, "messages": [], "model": "claude-x"}
            assert received.json() == asked | ({"stream": True} if streams else {})

    @pytest.mark.parametrize("status", [400, 429])
    async def test_an_error_passes_as_it_is(self, status: int) -> None:
        async with self._rig() as r:
            r.provider.reply(native_error("anthropic", status, "No."))
            answer = await ask(r, "anthropic", True, "vertex_claude")
            assert (answer.status, json.loads(answer.body)["error"]["message"]) == (status, "No.")
