"""The answer of a provider of another dialect: what the client gets, byte by byte, and what it gets when things break."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from typing import Any

import pytest
from rig import PATIENCE, Raw, Rig, rig

from ccproxy.flows.prepare import read_bodies
from ccproxy.gateway.config import GatewayConfig
from ccproxy.testing import (
    Cut,
    Gate,
    Hang,
    Pause,
    Received,
    Reply,
    Script,
    Text,
    Usage,
    error_in_stream,
    html,
    json_reply,
    native_error,
    no_answer,
    sse,
)

JSON = ("Content-Type", "application/json")
PROVIDERS = {"anthropic": "anthropic", "openai": "openai", "responses": "openai_responses", "gemini": "gemini"}

#: What asks for "hi", by the client's dialect: path, path of a stream, body, body of a stream.
ASKS: dict[str, tuple[str, str, dict[str, Any], dict[str, Any]]] = {
    "anthropic": (
        "/v1/messages",
        "/v1/messages",
        {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]},
        {"stream": True},
    ),
    "openai": (
        "/v1/chat/completions",
        "/v1/chat/completions",
        {"model": "m", "messages": [{"role": "user", "content": "hi"}]},
        {"stream": True},
    ),
    "openai_responses": ("/v1/responses", "/v1/responses", {"model": "m", "input": "hi"}, {"stream": True}),
    "gemini": (
        "/v1beta/models/m:generateContent",
        "/v1beta/models/m:streamGenerateContent?alt=sse",
        {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]},
        {},
    ),
}
CELLS = [(client, name) for client in ASKS for name, dialect in PROVIDERS.items() if dialect != client]
SAID = Script("said-by", [Text("Grüße aus der Ferne")], Usage(input=11, output=7))


def asking(client: str, name: str, *, stream: bool) -> tuple[str, str, bytes, list[tuple[str, str]]]:
    """A request of `client` for the provider `name`: the arguments of `Rig.request`."""
    plain, streamed, content, more = ASKS[client]
    document = {**content, **more} if stream else content
    return (
        "POST",
        streamed if stream else plain,
        json.dumps(document).encode(),
        [JSON, ("x-api-key", f"sk-ant-oat-ccproxy-{name}")],
    )


async def ask(r: Rig, client: str, name: str, *, stream: bool) -> Raw:
    return await r.request(*asking(client, name, stream=stream))


def events(content: bytes) -> list[Any]:
    """The JSON documents of a stream."""
    return [
        json.loads(line[5:])
        for line in content.splitlines()
        if line.startswith(b"data:") and line[5:].lstrip()[:1] == b"{"
    ]


def is_error(client: str, event: Any) -> bool:
    return (
        (event.get("type") in {"error", "response.failed"})
        if client in {"anthropic", "openai_responses"}
        else "error" in event
    )


def ends_well(client: str, content: bytes) -> bool:
    """Whether a stream says that it is complete."""
    match client:
        case "anthropic":
            return b"message_stop" in content
        case "openai":
            return b"[DONE]" in content
        case "openai_responses":
            return b"response.completed" in content
        case _:
            return b"finishReason" in content


def words(client: str, documents: list[Any]) -> str:
    """The text of an answer: a document, or the events of a stream."""
    pieces: list[str] = []
    for found in documents:
        match client:
            case "anthropic":
                blocks = [found["delta"]] if found["type"] == "content_block_delta" else found.get("content", ())
                pieces += [block["text"] for block in blocks]
            case "openai":
                pieces += [
                    (c.get("delta") or c.get("message"))["content"] or ""
                    for c in found["choices"]
                    if c.get("message") or "content" in c["delta"]
                ]
            case "openai_responses" if "output" in found:
                pieces += [part["text"] for item in found["output"] for part in item["content"]]
            case "openai_responses":
                pieces += [found["delta"]] if found["type"] == "response.output_text.delta" else []
            case _:
                pieces += [part["text"] for c in found.get("candidates", ()) for part in c["content"]["parts"]]
    return "".join(pieces)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("client", "name"), CELLS)
async def test_every_dialect_gets_the_answer_of_every_other(client: str, name: str, stream: bool) -> None:
    async with rig() as r:
        r.provider.reply(SAID)
        answer = await ask(r, client, name, stream=stream)
        assert (answer.status, answer.complete) == (200, True)
        kind = "text/event-stream" if stream else "application/json"
        assert answer.headers["content-type"] == kind
        if stream:
            assert ends_well(client, answer.body)
        assert words(client, events(answer.body) if stream else [json.loads(answer.body)]) == "Grüße aus der Ferne"
        flow = await r.flow()
        read_bodies(flow)
        assert (flow.outcome, flow.streaming) == ("complete", stream)
        assert flow.usage is not None
        assert (flow.usage.input, flow.usage.output, flow.answer_model) == (11, 7, "said-by")
        assert flow.answer is not None
        assert flow.answer.body == answer.body


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd", "deflate"])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_compressed_answer_is_read_as_it_comes(encoding: Any, stream: bool) -> None:
    async with rig() as r:

        def compressed(request: Received) -> Reply:
            return dataclasses.replace(r.provider.write(request, SAID), encoding=encoding)

        r.provider.reply(compressed)
        answer = await ask(r, "anthropic", "openai", stream=stream)
        assert (answer.status, answer.complete) == (200, True)
        assert "content-encoding" not in answer.headers
        assert words("anthropic", events(answer.body) if stream else [json.loads(answer.body)]) == "Grüße aus der Ferne"
        assert (await r.flow()).outcome == "complete"


@pytest.mark.parametrize(
    ("dialect", "name", "client", "sent", "got"),
    [
        ("openai", "openai", "anthropic", 429, 429),
        ("anthropic", "anthropic", "openai", 529, 503),
        ("anthropic", "anthropic", "gemini", 529, 503),
        ("openai", "openai", "anthropic", 529, 529),
        ("gemini", "gemini", "anthropic", 400, 400),
        ("openai_responses", "responses", "gemini", 500, 500),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_an_error_keeps_its_status_message_and_retry_after(
    dialect: str, name: str, client: str, sent: int, got: int, stream: bool
) -> None:
    async with rig() as r:
        limits = {"x-ratelimit-remaining-requests": "0", "retry-after": "7", "server": "them"}
        r.provider.reply(native_error(dialect, sent, "too much, too soon", headers=limits))
        answer = await ask(r, client, name, stream=stream)
        assert answer.status == got
        assert "too much, too soon" in answer.body.decode()
        assert (answer.headers["retry-after"], answer.headers["x-ratelimit-remaining-requests"]) == ("7", "0")
        assert "server" not in answer.headers
        assert "x-ccproxy-error" not in answer.headers
        document = json.loads(answer.body)
        assert "error" in document
        flow = await r.flow()
        assert (flow.response and flow.response.status, flow.answer and flow.answer.status) == (sent, got)
        assert (flow.outcome, flow.error_kind) == ("complete", "")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("client", "name"), CELLS)
async def test_an_error_that_is_hidden_in_a_stream_has_a_real_status(client: str, name: str, stream: bool) -> None:
    async with rig() as r:
        r.provider.reply(sse([error_in_stream(PROVIDERS[name], 503, "all busy")]))
        answer = await ask(r, client, name, stream=stream)
        assert answer.status >= 500
        assert answer.headers["content-type"] == "application/json"
        assert "all busy" in answer.body.decode()
        flow = await r.flow()
        assert (flow.outcome, flow.error_kind) == ("upstream_error", "upstream_error")


async def start(r: Rig, client: str, name: str, *, stream: bool) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A client that has asked and not yet read."""
    reader, writer = await r.open()
    writer.write(wire(*asking(client, name, stream=stream)))
    return reader, writer


def wire(method: str, target: str, content: bytes, fields: list[tuple[str, str]], version: str = "1.1") -> bytes:
    """A request as bytes."""
    head = "".join(f"{field}: {value}\r\n" for field, value in fields)
    first = f"{method} {target} HTTP/{version}\r\nHost: 127.0.0.1\r\n{head}Content-Length: {len(content)}\r\n\r\n"
    return first.encode() + content


async def half(r: Rig, request: Received) -> list[bytes]:
    """The frames of an answer up to its first words."""
    frames = r.provider.write(request, SAID).pieces
    cut = next(number for number, frame in enumerate(frames, 1) if "Grü".encode() in frame or b"Gr\\u" in frame)
    return frames[:cut]


@pytest.mark.parametrize("end", ["error", "cut", "reset", "early end"])
@pytest.mark.parametrize(("client", "name"), CELLS)
async def test_an_answer_that_breaks_off_ends_with_an_error_and_a_broken_connection(
    client: str, name: str, end: str
) -> None:
    async with rig() as r:

        async def broken(request: Received) -> Reply:
            frames: list[Any] = [*await half(r, request)]
            match end:
                case "error":
                    frames.append(error_in_stream(PROVIDERS[name], 500, "it broke"))
                case "cut" | "reset":
                    frames.append(Cut(reset=end == "reset"))
            return sse(frames)

        r.provider.reply(broken)
        answer = await ask(r, client, name, stream=True)
        assert answer.status == 200
        assert not answer.complete
        assert not ends_well(client, answer.body)
        last = events(answer.body)[-1]
        assert is_error(client, last)
        flow = await r.flow()
        assert flow.outcome == ("upstream_error" if end == "error" else "upstream_cut")
        assert flow.error
        assert flow.answer is not None
        assert flow.answer.body == answer.body


@pytest.mark.parametrize("client", ["anthropic", "gemini"])
async def test_a_client_that_does_not_stream_gets_a_status_for_a_broken_stream(client: str) -> None:
    async with rig() as r:

        async def broken(request: Received) -> Reply:
            return sse([*await half(r, _streaming(request)), Cut()])

        r.provider.reply(broken)
        answer = await ask(r, client, "openai", stream=False)
        assert answer.status == 502
        assert (await r.flow()).outcome == "upstream_cut"


def _streaming(request: Received) -> Received:
    """The request, had it asked for a stream."""
    return dataclasses.replace(request, content=bytearray(json.dumps({**request.json(), "stream": True}).encode()))


async def test_a_provider_that_streams_unasked_gives_a_document() -> None:
    async with rig() as r:
        r.provider.reply(lambda request: r.provider.write(_streaming(request), SAID))
        answer = await ask(r, "anthropic", "openai", stream=False)
        assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
        assert json.loads(answer.body)["content"] == [{"type": "text", "text": "Grüße aus der Ferne"}]


async def test_a_provider_that_does_not_stream_when_asked_gives_a_stream() -> None:
    async with rig() as r:
        completion = {
            "id": "c",
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
        }
        r.provider.reply(json_reply(completion))
        answer = await ask(r, "anthropic", "openai", stream=True)
        assert answer.headers["content-type"] == "text/event-stream"
        assert ends_well("anthropic", answer.body)


async def test_a_gemini_client_without_sse_gets_an_array() -> None:
    async with rig() as r:
        r.provider.reply(SAID)
        method, target, content, fields = asking("gemini", "openai", stream=True)
        answer = await r.request(method, target.partition("?")[0], content, fields)
        assert answer.headers["content-type"] == "application/json"
        parts = [
            p["text"] for e in json.loads(answer.body) for c in e.get("candidates", ()) for p in c["content"]["parts"]
        ]
        assert "".join(parts) == "Grüße aus der Ferne"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_web_page_is_an_error_and_the_flow_has_the_page(stream: bool) -> None:
    async with rig() as r:
        r.provider.reply(html(200, "Please log in"))
        answer = await ask(r, "anthropic", "openai", stream=stream)
        assert (answer.status, answer.headers["x-ccproxy-error"]) == (502, "upstream_error")
        flow = await r.flow()
        assert flow.response is not None
        assert b"Please log in" in flow.response.body


async def test_no_answer_is_an_error_in_the_clients_dialect() -> None:
    async with rig() as r:
        r.provider.reply(no_answer())
        answer = await ask(r, "gemini", "openai", stream=True)
        assert answer.status == 502
        assert json.loads(answer.body)["error"]["code"] == 502


async def test_each_piece_reaches_the_client_before_the_next_is_there() -> None:
    gate = Gate()
    async with rig() as r:

        async def slow(request: Received) -> Reply:
            first = await half(r, request)
            rest = r.provider.write(request, SAID).pieces[len(first) :]
            return sse([*first, Pause(gate), *rest])

        r.provider.reply(slow)
        reader, _ = await start(r, "anthropic", "openai", stream=True)
        async with asyncio.timeout(PATIENCE):
            seen = await reader.readuntil(b"content_block_delta")
        gate.open()
        seen += await read_rest(reader)
        assert b"message_stop" in seen
        assert b"text/event-stream" in seen


async def read_rest(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(PATIENCE):
        return await reader.readuntil(b"0\r\n\r\n")


@pytest.mark.parametrize(
    ("client", "sign"), [("anthropic", b"event: ping\n"), ("openai", b":"), ("openai_responses", b":")]
)
async def test_a_client_is_told_to_wait_while_the_provider_is_silent(client: str, sign: bytes) -> None:
    gate = Gate()
    async with rig(config=GatewayConfig(keepalive_seconds=0.01)) as r:

        async def slow(request: Received) -> Reply:
            return sse([Pause(gate), *r.provider.write(request, SAID).pieces])

        r.provider.reply(slow)
        name = "openai" if client == "anthropic" else "anthropic"
        reader, _ = await start(r, client, name, stream=True)
        async with asyncio.timeout(PATIENCE):
            await reader.readuntil(b"\r\n\r\n")
            await reader.readuntil(sign)
        gate.open()
        assert ends_well(client, await read_rest(reader))
        assert (await r.flow()).outcome == "complete"


@pytest.mark.parametrize(("client", "seconds"), [("gemini", 0.001), ("anthropic", 0.0)])
async def test_who_has_no_words_for_it_and_who_does_not_want_it_is_not_told(client: str, seconds: float) -> None:
    gate = Gate()
    async with rig(config=GatewayConfig(keepalive_seconds=seconds)) as r:

        async def slow(request: Received) -> Reply:
            return sse([Pause(gate), *r.provider.write(request, SAID).pieces])

        r.provider.reply(slow)
        asked = asyncio.create_task(ask(r, client, "openai", stream=True))
        await r.provider.wait_for_request()
        for _ in range(200):
            await asyncio.sleep(0)
        gate.open()
        answer = await asked
        assert answer.complete
        assert b"ping" not in answer.body
        assert not any(line.startswith(b":") for line in answer.body.splitlines())


async def test_after_a_keepalive_an_early_error_is_an_event() -> None:
    gate = Gate()
    async with rig(config=GatewayConfig(keepalive_seconds=0.01)) as r:
        r.provider.reply(sse([Pause(gate), error_in_stream("openai", 503, "all busy")]))
        reader, _ = await start(r, "anthropic", "openai", stream=True)
        async with asyncio.timeout(PATIENCE):
            await reader.readuntil(b"event: ping\n")
            gate.open()
            rest = await reader.read(-1)
        assert b"event: error" in rest
        assert b"all busy" in rest
        assert not rest.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_closes_the_upstream(stream: bool) -> None:
    async with rig() as r:

        async def forever(request: Received) -> Reply:
            return sse([*await half(r, _streaming(request)), Hang()])

        r.provider.reply(forever)
        reader, writer = await start(r, "anthropic", "openai", stream=stream)
        await r.provider.wait_for_request()
        if stream:
            async with asyncio.timeout(PATIENCE):
                await reader.readuntil(b"content_block_delta")
        writer.close()
        assert (await r.provider.wait_for_disconnect()).by_client
        assert (await r.flow()).outcome == "client_gone"


async def test_http_1_0_gets_a_whole_answer() -> None:
    async with rig() as r:
        r.provider.reply(SAID)
        answer = await r.raw(wire(*asking("anthropic", "openai", stream=True), version="1.0"))
        assert (answer.status, answer.complete) == (200, True)
        assert ends_well("anthropic", answer.body)
        assert "content-length" in answer.headers
