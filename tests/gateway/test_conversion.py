"""A request for a provider of another dialect, on the wire and in the flow."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from rig import KEY, Raw, rig

from ccproxy.egress.config import EgressConfig
from ccproxy.egress.fetch import PublicFiles, public_socket
from ccproxy.egress.pooled import PooledTransport
from ccproxy.gateway.config import GatewayConfig
from ccproxy.lightllm.config import LightllmConfig
from ccproxy.providers.config import ProviderConfig
from ccproxy.routing.config import TransformRule
from ccproxy.testing import FakeProvider, Reply, Script, Send, Text, Thinking, ToolCall, Usage, json_reply, native_error

JSON = ("Content-Type", "application/json")
MESSAGE: dict[str, Any] = {"model": "claude-x", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}


def key(name: str) -> tuple[str, str]:
    return "x-api-key", f"sk-ant-oat-ccproxy-{name}"


def body(**more: Any) -> bytes:
    return json.dumps({**MESSAGE, **more}).encode()


async def test_the_provider_gets_a_request_of_its_own_dialect_and_nothing_of_the_clients() -> None:
    async with rig() as r:
        answer = await r.request(
            "POST",
            "/v1/messages?beta=true",
            body(),
            [
                JSON,
                key("openai"),
                ("anthropic-version", "2023-06-01"),
                ("anthropic-beta", "x-1"),
                ("x-stainless-lang", "js"),
                ("Cookie", "a=b"),
                ("User-Agent", "claude-cli/9"),
            ],
        )
        assert answer.status == 200
        sent = r.provider.requests[0]
        assert (sent.method, sent.target) == ("POST", b"/v1/chat/completions")
        assert sent.json()["messages"] == [{"role": "user", "content": "hi"}]
        assert {name.lower() for name, _ in sent.headers} == {
            b"host",
            b"user-agent",
            b"content-type",
            b"accept",
            b"content-length",
            b"authorization",
        }
        assert sent.header("authorization") == f"Bearer {KEY}"
        assert sent.header("user-agent") == "claude-cli/9"
        assert json.loads(answer.body)["type"] == "message"
        assert answer.headers["content-type"] == "application/json"


async def test_the_flow_tells_both_sides() -> None:
    async with rig() as r:
        answer = await r.request("POST", "/v1/messages", body(top_k=3), [JSON, key("openai")])
        flow = await r.flow()
    assert (flow.action, flow.reason, flow.provider) == ("transform", "sentinel", "openai")
    assert (flow.dialect, flow.operation, flow.upstream_dialect, flow.outcome) == (
        "anthropic",
        "messages",
        "openai",
        "complete",
    )
    assert flow.forwarded is not None
    assert flow.response is not None
    assert flow.answer is not None
    assert flow.request.body == body(top_k=3)
    assert flow.forwarded.body == r.provider.requests[0].body
    assert flow.forwarded.target == "/v1/chat/completions"
    assert json.loads(flow.response.body)["object"] == "chat.completion"
    assert flow.answer.body == answer.body
    assert flow.answer.status == 200
    assert ("sampling.top_k", "dropped") in [(loss.path, loss.kind) for loss in flow.losses]
    assert answer.headers["x-ccproxy-losses"] == "1; top_k=dropped"
    assert {loss.path for loss in flow.losses if loss.minor} == {"answer.service_tier", "answer.system_fingerprint"}
    assert KEY not in repr(flow)


async def test_a_rule_converts_and_brings_its_model() -> None:
    rules = [
        TransformRule(match_model="^claude", action="transform", dest_provider="gemini", dest_model="g 9"),
        TransformRule(match_model="^gpt", dest_provider="anthropic", dest_model="claude-y"),
    ]
    async with rig(rules=rules) as r:
        answer = await r.request("POST", "/v1/messages", body(stream=True), [JSON, ("x-api-key", "own")])
        assert answer.status == 200
        assert r.provider.requests[0].target == b"/v1beta/models/g%209:streamGenerateContent?alt=sse"
        chat = b'{"model":"gpt-x","messages":[{"role":"user","content":"hi"}]}'
        await r.request("POST", "/v1/chat/completions", chat, [JSON])
        assert r.provider.requests[1].json()["model"] == "claude-y"
        assert r.provider.requests[1].header("anthropic-version") == "2023-06-01"
        assert [b"own" in request.raw for request in r.provider.requests] == [False, False]


@pytest.mark.parametrize("by", ["header", "configuration"])
async def test_strict_mode_refuses_what_would_be_lost_before_anything_is_sent(by: str) -> None:
    config = LightllmConfig(strict=by == "configuration")
    header = [("x-ccproxy-strict", "1")] if by == "header" else []
    async with rig(lightllm=config) as r:
        answer = await r.request("POST", "/v1/messages", body(top_k=3), [JSON, key("openai"), *header])
        assert (answer.status, answer.headers["x-ccproxy-error"]) == (400, "untranslatable")
        assert "sampling.top_k" in json.loads(answer.body)["error"]["message"]
        assert r.provider.requests == []
        flow = await r.flow()
        assert [(loss.path, flow.outcome) for loss in flow.losses] == [("sampling.top_k", "refused")]
        fine = await r.request("POST", "/v1/messages", body(), [JSON, key("openai"), *header])
        assert fine.status == 200


async def test_the_ledger_holds_no_secret() -> None:
    async with rig() as r:
        secret = "k3y-of-alice-0123456789"
        await r.request(
            "POST", "/v1/messages", body(invented=secret), [JSON, key("openai"), ("x-goog-api-key", secret)]
        )
        flow = await r.flow()
        assert [loss.path for loss in flow.losses]
        assert secret not in repr(flow)


@pytest.mark.parametrize("document", [b"", b"[]", b"{", b'{"model":"m"}'])
async def test_what_is_no_request_is_refused_with_the_field_at_fault(document: bytes) -> None:
    async with rig() as r:
        answer = await r.request("POST", "/v1/messages", document, [JSON, key("openai")])
        assert (answer.status, answer.headers["x-ccproxy-error"]) == (400, "bad_request")
        assert json.loads(answer.body)["type"] == "error"
        assert r.provider.requests == []


async def test_a_compressed_request_is_converted_from_what_it_holds() -> None:
    import zstandard

    async with rig() as r:
        packed = zstandard.compress(body())
        answer = await r.request("POST", "/v1/messages", packed, [JSON, key("gemini"), ("Content-Encoding", "zstd")])
        assert answer.status == 200
        assert r.provider.requests[0].json()["contents"][0]["parts"] == [{"text": "hi"}]
        assert r.provider.requests[0].header("content-encoding") == ""
        assert (await r.flow()).request.body == packed


async def test_a_token_count_is_asked_for_where_that_is_possible() -> None:
    async with rig() as r:
        r.provider.reply(json_reply({"totalTokens": 42}))
        answer = await r.request("POST", "/v1/messages/count_tokens", body(), [JSON, key("gemini")])
        assert json.loads(answer.body) == {"input_tokens": 42}
        assert r.provider.requests[0].target == b"/v1beta/models/claude-x:countTokens"
        assert "x-ccproxy-estimated" not in answer.headers


async def test_a_token_count_is_estimated_where_there_is_none_to_ask_and_says_so() -> None:
    async with rig() as r:
        tool = {"name": "clock", "description": "tells the time", "input_schema": {"type": "object"}}
        plain = await r.request("POST", "/v1/messages/count_tokens", body(), [JSON, key("openai")])
        tools = await r.request("POST", "/v1/messages/count_tokens", body(tools=[tool]), [JSON, key("openai")])
        assert (plain.status, plain.headers["x-ccproxy-estimated"]) == (200, "1")
        assert 0 < json.loads(plain.body)["input_tokens"] < json.loads(tools.body)["input_tokens"]
        assert r.provider.requests == []
        flow = await r.flow()
        assert (flow.action, flow.reason, flow.outcome) == ("local", "sentinel", "complete")


async def test_a_model_is_described_in_the_clients_dialect() -> None:
    types = {"local": ProviderConfig(type="openai", base_url="http://127.0.0.1:9", models=["m/1"])}
    async with rig(types=types) as r:
        fields = [key("local"), ("anthropic-version", "2023-06-01")]
        found = await r.request("GET", "/v1/models/m%2F1", None, fields)
        assert (found.status, json.loads(found.body)["id"], json.loads(found.body)["owned_by"]) == (200, "m/1", "local")
        missing = await r.request("GET", "/v1/models/m2", None, fields)
        assert (missing.status, json.loads(missing.body)["error"]["type"]) == (404, "not_found_error")
        assert "providers.NAME.models" in json.loads(missing.body)["error"]["message"]


async def test_a_server_beside_openais_own_is_asked_in_chat_completions() -> None:
    async with FakeProvider() as vllm:
        types = {"vllm": ProviderConfig(type="openai", base_url=f"{vllm.url}/v1")}
        types["vllm_too"] = ProviderConfig(
            type="openai", base_url=f"{vllm.url}/v1", dialects=["openai", "openai_responses"]
        )
        async with rig(types=types) as r:
            for name in types:
                fields = [JSON, ("Authorization", f"Bearer sk-ant-oat-ccproxy-{name}")]
                answer = await r.request("POST", "/v1/responses", b'{"model":"m","input":"hi"}', fields)
                assert json.loads(answer.body)["object"] == "response"
        assert [request.target for request in vllm.requests] == [b"/v1/chat/completions", b"/v1/responses"]


TOOL = {"type": "function", "function": {"name": "clock", "parameters": {"type": "object", "properties": {}}}}


@pytest.mark.parametrize("stream", [False, True])
async def test_a_chat_client_keeps_its_thinking_over_ten_turns_of_tools(stream: bool) -> None:
    """Anthropic wants the signed thinking before each tool call back; Chat has no place for it."""
    async with rig() as r:
        messages: list[dict[str, Any]] = [{"role": "user", "content": "what time is it?"}]
        for turn in range(10):
            signature = f"c2lnbmF0dXJl{turn:04}"
            said = Script("claude-x", [Thinking(f"thought {turn}", signature), ToolCall("clock", "{}")], Usage(9, 9))
            r.provider.reply(said)
            asked = {"model": "claude-x", "messages": messages, "tools": [TOOL], "stream": stream}
            answer = await r.request(
                "POST", "/v1/chat/completions", json.dumps(asked).encode(), [JSON, key("anthropic")]
            )
            assert answer.status == 200
            sent = r.provider.requests[turn].json()["messages"]
            thoughts = [
                part for m in sent if m["role"] == "assistant" for part in m["content"] if part["type"] == "thinking"
            ]
            assert [(t["thinking"], t["signature"]) for t in thoughts] == [
                (f"thought {n}", f"c2lnbmF0dXJl{n:04}") for n in range(turn)
            ]
            call = _call(answer.body, stream=stream)
            messages += [
                {"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": call["id"], "content": "noon"},
            ]


def _call(content: bytes, *, stream: bool) -> dict[str, Any]:
    if not stream:
        call: dict[str, Any] = json.loads(content)["choices"][0]["message"]["tool_calls"][0]
        return call
    chunks = [json.loads(line[6:]) for line in content.decode().splitlines() if line.startswith("data: {")]
    deltas = [d for c in chunks for choice in c["choices"] for d in choice["delta"].get("tool_calls", ())]
    arguments = "".join(d["function"].get("arguments", "") for d in deltas)
    return {
        "id": deltas[0]["id"],
        "type": "function",
        "function": {"name": deltas[0]["function"]["name"], "arguments": arguments},
    }


async def test_clients_do_not_share_what_they_thought() -> None:
    keys = {"alice": "k3y-of-alice-0123456789", "bob": "k3y-of-bob-01234567890"}
    async with rig(config=GatewayConfig(client_keys=keys)) as r:

        async def ask(who: str, messages: list[dict[str, Any]]) -> bytes:
            asked = {"model": "claude-x", "messages": messages, "tools": [TOOL]}
            fields = [JSON, key("anthropic"), ("x-ccproxy-key", keys[who])]
            return (await r.request("POST", "/v1/chat/completions", json.dumps(asked).encode(), fields)).body

        start: list[dict[str, Any]] = [{"role": "user", "content": "the same words"}]
        r.provider.reply(Script("claude-x", [Thinking("alice's", "YWxpY2U="), ToolCall("clock", "{}")], Usage(1, 1)))
        call = _call(await ask("alice", start), stream=False)
        later = [
            *start,
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": call["id"], "content": "noon"},
        ]
        r.provider.reply(
            Script("claude-x", [Text("noon")], Usage(1, 1)), Script("claude-x", [Text("noon")], Usage(1, 1))
        )
        await ask("bob", later)
        await ask("alice", later)
        assert [b"alice's" in request.body for request in r.provider.requests] == [False, False, True]


async def test_an_answer_of_no_use_is_not_taken_for_a_count() -> None:
    async with rig() as r:
        r.provider.reply(Reply(headers=[JSON], body=[Send(b'{"total": 1}')]))
        answer = await r.request("POST", "/v1/messages/count_tokens", body(), [JSON, key("gemini")])
        assert (answer.status, answer.headers["x-ccproxy-error"]) == (502, "upstream_error")


@pytest.mark.parametrize(("kind", "asked"), [("deepseek", False), ("anthropic", True)])
async def test_a_provider_is_asked_within_what_it_takes(kind: str, asked: bool) -> None:
    """DeepSeek's Anthropic endpoint has no budget of thinking tokens, Anthropic's own has."""
    async with FakeProvider() as fake:
        async with rig(types={"it": ProviderConfig(type=kind, base_url=fake.url)}) as r:
            thinking = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}], "generationConfig": {}}
            thinking["generationConfig"] = {"thinkingConfig": {"thinkingBudget": 2000}, "maxOutputTokens": 9000}
            target = "/v1beta/models/claude-sonnet-4-5:generateContent"
            answer = await r.request("POST", target, json.dumps(thinking).encode(), [JSON, key("it")])
            assert answer.status == 200
        assert ("budget_tokens" in fake.requests[0].json().get("thinking", {})) is asked


PICTURE = b"\x89PNG\r\n\x1a\n picture"


async def look(files: PublicFiles | None, pictures: str, count: int = 1) -> tuple[Raw, Any]:
    """The answer to a request with images by URL, for a provider that takes none by URL, and what the provider got."""
    async with FakeProvider() as fake:
        types = {"it": ProviderConfig(type="openai", base_url=f"{fake.url}/v1", family="ollama")}
        async with rig(types=types, files=files) as r:
            images = [{"type": "image", "source": {"type": "url", "url": f"{pictures}/{n}.png"}} for n in range(count)]
            asked = body(messages=[{"role": "user", "content": [*images, {"type": "text", "text": "what is it?"}]}])
            answer = await r.request("POST", "/v1/messages", asked, [JSON, key("it")])
        return answer, fake.requests[0].json() if fake.requests else None


async def test_images_by_url_are_fetched_if_that_is_allowed() -> None:
    async with FakeProvider() as pictures:
        pictures.on(".*", Reply(headers=[("content-type", "image/png")], body=PICTURE))
        transport = PooledTransport(EgressConfig())
        answer, sent = await look(PublicFiles(transport), pictures.url, 2)
        await transport.close()
        assert answer.status == 200
        urls = [part["image_url"]["url"] for part in sent["messages"][0]["content"] if part["type"] == "image_url"]
        assert urls == [f"data:image/png;base64,{base64.b64encode(PICTURE).decode()}"] * 2
        assert [request.path for request in pictures.requests] == ["/0.png", "/1.png"]


async def test_they_are_not_otherwise_and_never_from_a_private_network() -> None:
    async with FakeProvider() as pictures:
        answer, sent = await look(None, pictures.url)
        assert (answer.status, answer.headers["x-ccproxy-error"], sent) == (400, "untranslatable", None)
        assert "lightllm.fetch_images" in answer.body.decode()
        transport = PooledTransport(EgressConfig(), new_socket=public_socket)
        answer, sent = await look(PublicFiles(transport), pictures.url)
        await transport.close()
        assert (answer.status, answer.headers["x-ccproxy-error"], sent) == (400, "bad_request", None)
        assert pictures.connections == 0


async def test_not_any_number_is_fetched() -> None:
    transport = PooledTransport(EgressConfig(), new_socket=public_socket)
    answer, sent = await look(PublicFiles(transport), "http://pictures.invalid", 21)
    await transport.close()
    assert (answer.status, sent) == (400, None)
    assert "at most 20" in answer.body.decode()


async def test_a_stream_says_what_its_request_lost() -> None:
    async with rig() as r:
        answer = await r.request("POST", "/v1/messages", body(top_k=3, stream=True), [JSON, key("openai")])
        assert answer.headers["content-type"] == "text/event-stream"
        assert "top_k=dropped" in answer.headers["x-ccproxy-losses"]


async def test_nothing_that_a_provider_says_is_taken_for_ours() -> None:
    async with rig() as r:
        said = Reply(headers=[("x-ccproxy-losses", "9; all=dropped"), JSON], body=b"{}")
        r.provider.reply(said)
        answer = await r.request("POST", "/v1/messages", body(stream=True), [JSON, key("anthropic")])
        assert "x-ccproxy-losses" not in answer.headers


async def test_a_thread_is_refused_in_the_words_at_which_sdks_send_everything() -> None:
    async with rig() as r:
        answer = await r.request("POST", "/v1/messages", body(thread={"type": "create"}), [JSON, key("openai")])
        assert (answer.status, answer.headers["x-ccproxy-error"]) == (400, "untranslatable")
        assert json.loads(answer.body)["error"]["details"]["error_code"] == "thread_unsupported_request"
        chat = b'{"model":"m","input":"hi","previous_response_id":"resp_1"}'
        answer = await r.request("POST", "/v1/responses", chat, [JSON, key("anthropic")])
        assert json.loads(answer.body)["error"]["param"] == "previous_response_id"
        assert r.provider.requests == []


@pytest.mark.parametrize(
    ("action", "said", "streams"),
    [("rawPredict", {}, False), ("rawPredict", {"stream": True}, True), ("streamRawPredict", {}, True)],
)
async def test_claude_as_vertex_speaks_it_streams_as_path_and_body_say(
    action: str, said: dict[str, bool], streams: bool
) -> None:
    async with rig() as r:
        target = f"/v1/projects/p/locations/l/publishers/anthropic/models/claude-x:{action}"
        asked = {name: value for name, value in MESSAGE.items() if name != "model"} | said
        answer = await r.request("POST", target, json.dumps(asked).encode(), [JSON, key("openai")])
        assert answer.status == 200
        assert bool(r.provider.requests[0].json().get("stream")) is streams
        assert (answer.headers["content-type"] == "text/event-stream") is streams
        assert r.provider.requests[0].json()["model"] == "claude-x"


@pytest.mark.parametrize("status", [404, 405, 501])
@pytest.mark.parametrize("name", ["anthropic", "gemini"])
async def test_a_provider_without_an_endpoint_for_token_counts_is_estimated_for(status: int, name: str) -> None:
    async with rig() as r:
        r.provider.reply(json_reply({"detail": "Not Found"}, status=status))
        answer = await r.request("POST", "/v1/messages/count_tokens", body(), [JSON, key(name)])
        assert (answer.status, answer.headers["x-ccproxy-estimated"]) == (200, "1")
        assert json.loads(answer.body)["input_tokens"] > 0
        assert f"answered {status}" in (await r.flow()).reason


async def test_a_token_count_that_a_provider_refuses_is_refused() -> None:
    async with rig() as r:
        r.provider.reply(json_reply({"error": {"message": "no"}}, status=400))
        answer = await r.request("POST", "/v1/messages/count_tokens", body(), [JSON, key("anthropic")])
        assert (answer.status, "x-ccproxy-estimated" in answer.headers) == (400, False)
        own = await r.request("POST", "/v1/messages/count_tokens", body(), [JSON, ("x-api-key", "own")])
        assert own.status == 200


@pytest.mark.parametrize("name", ["anthropic", "gemini"])
async def test_a_model_that_is_not_there_is_no_missing_endpoint(name: str) -> None:
    async with rig() as r:
        r.provider.reply(native_error(name, 404, "model: claude-y"))
        answer = await r.request("POST", "/v1/messages/count_tokens", body(), [JSON, key(name)])
        assert (answer.status, "x-ccproxy-estimated" in answer.headers) == (404, False)
        assert json.loads(answer.body)["error"]["message"] == "model: claude-y"
        assert answer.complete
