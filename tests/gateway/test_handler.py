"""The way of a request, told as conversations on the wire."""

from __future__ import annotations

import json

import pytest
from rig import KEY, Raw, read_answer, rig

from ccproxy.egress.transport import Timeouts
from ccproxy.gateway.config import GatewayConfig
from ccproxy.providers.config import ProviderConfig
from ccproxy.routing.config import TransformRule
from ccproxy.testing import (
    Cut,
    FakeProvider,
    Gate,
    Hang,
    Pause,
    Reply,
    Send,
    html,
    no_answer,
    refused_port,
    silence,
    sse,
)

JSON = ("Content-Type", "application/json")
MESSAGE = b'{"model": "claude-x",  "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}'
CHAT = b'{"model":"gpt-x","messages":[{"role":"user","content":"hi"}]}'


def key(name: str, field: str = "x-api-key") -> tuple[str, str]:
    value = f"sk-ant-oat-ccproxy-{name}"
    return (field, f"Bearer {value}" if field == "Authorization" else value)


async def test_sentinel_becomes_the_providers_credential_and_never_leaves() -> None:
    async with rig() as r:
        answer = await r.request(
            "POST", "/v1/messages", MESSAGE, [JSON, key("anthropic"), ("Authorization", "Bearer my-own-login")]
        )
        assert answer.status == 200
        sent = r.provider.requests[0]
        assert sent.body == MESSAGE
        assert sent.header("x-api-key") == KEY
        assert b"ccproxy" not in sent.raw
        assert b"my-own-login" not in sent.raw
        flow = await r.flow()
        assert (flow.provider, flow.reason, flow.outcome, flow.model) == (
            "anthropic",
            "sentinel",
            "complete",
            "claude-x",
        )
        assert answer.headers["x-ccproxy-flow"] == flow.id
        assert KEY not in repr(flow)


@pytest.mark.parametrize(
    ("target", "fields"),
    [
        ("/v1/messages", [key("anthropic")]),
        ("/v1/messages", [key("anthropic", "Authorization")]),
        ("/v1/messages", [("authorization", "sk-ant-oat-ccproxy-anthropic")]),
        ("/v1/messages", [key("anthropic", "api-key")]),
        ("/v1beta/models/g:generateContent", [key("gemini", "x-goog-api-key")]),
        ("/v1beta/models/g:generateContent?key=sk-ant-oat-ccproxy-gemini&alt=json", []),
    ],
)
async def test_sentinel_is_found_in_every_place_a_client_puts_its_key(
    target: str, fields: list[tuple[str, str]]
) -> None:
    async with rig() as r:
        answer = await r.request("POST", target, b'{"model":"m","messages":[],"contents":[]}', [JSON, *fields])
        assert answer.status == 200, answer.body
        sent = r.provider.requests[0]
        assert KEY.encode() in sent.raw
        assert b"sk-ant-oat" not in sent.raw
        assert b"key=" not in sent.target


async def test_unknown_sentinel_is_a_401_in_the_clients_dialect_and_nothing_goes_out() -> None:
    async with rig() as r:
        answer = await r.request("POST", "/v1/messages", MESSAGE, [JSON, key("nobody")])
        assert answer.status == 401
        error = json.loads(answer.body)
        assert error["error"]["type"] == "authentication_error"
        assert "'nobody'" in error["error"]["message"]
        assert answer.headers["x-should-retry"] == "false"
        assert r.provider.requests == []
        assert (await r.flow()).outcome == "refused"


async def test_the_clients_own_credential_goes_to_the_default_upstream_unchanged() -> None:
    async with rig() as r:
        answer = await r.request("POST", "/v1/messages?beta=true", MESSAGE, [JSON, ("X-Api-Key", "sk-own-key-123456")])
        assert answer.status == 200
        sent = r.provider.requests[0]
        assert (sent.target, sent.body) == (b"/v1/messages?beta=true", MESSAGE)
        assert (b"X-Api-Key", b"sk-own-key-123456") in sent.headers.pairs
        flow = await r.flow()
        assert flow.reason == "default upstream"
        assert "sk-own-key-123456" not in repr(flow)


async def test_a_default_upstream_set_to_null_refuses_with_the_fix_in_the_message() -> None:
    async with rig(defaults={"openai": None}) as r:
        answer = await r.request("POST", "/v1/chat/completions", CHAT, [JSON, ("Authorization", "Bearer own")])
        assert answer.status == 404
        assert "default_upstreams.openai" in json.loads(answer.body)["error"]["message"]
        assert r.provider.requests == []


async def test_a_rule_wins_over_the_sentinel_and_changes_the_model_alone() -> None:
    rules = [TransformRule(match_path="^/v1/messages", match_model="^claude-x", dest_provider="other", dest_model="m2")]
    async with FakeProvider() as fake:
        types = {"other": ProviderConfig(type="anthropic", base_url=f"{fake.url}/prefix?v=1")}
        async with rig(rules=rules, types=types) as r:
            answer = await r.request("POST", "/v1/messages?beta=true", MESSAGE, [JSON, ("x-api-key", "own-credential")])
            assert answer.status == 200
            sent = fake.requests[0]
            assert sent.target == b"/prefix/v1/messages?v=1&beta=true"
            assert sent.body == MESSAGE.replace(b'"claude-x"', b'"m2"')
            assert sent.header("x-api-key") == KEY
            assert r.provider.requests == []
            assert (await r.flow()).reason == "rule 1"


async def test_an_endpoint_without_a_counterpart_is_refused_in_words() -> None:
    rules = [TransformRule(match_path="embeddings", action="transform", dest_provider="anthropic")]
    async with rig(rules=rules) as r:
        answer = await r.request("POST", "/v1/embeddings", b"{}", [JSON])
        assert answer.status == 400
        assert "model requests are converted, this is not" in json.loads(answer.body)["error"]["message"]
        assert r.provider.requests == []


async def test_events_reach_the_client_as_they_come_and_the_flow_has_them_all() -> None:
    gate = Gate()
    async with rig() as r:
        r.provider.reply(
            Reply(
                headers=[("content-type", "text/event-stream")],
                body=[Send(b"data: 1\n\n"), Pause(gate), Send(b"data: 2\n\n")],
            )
        )
        reader, writer = await r.open()
        writer.write(_post("/v1/messages", MESSAGE, r.port))
        await reader.readuntil(b"data: 1\n\n")  # the upstream has not sent the second yet
        gate.open()
        await reader.readuntil(b"data: 2\n\n")
        await reader.readuntil(b"0\r\n\r\n")
        writer.close()
        flow = await r.flow()
        assert flow.response is not None
        assert flow.response.body == b"data: 1\n\ndata: 2\n\n"
        assert flow.streaming


@pytest.mark.parametrize("stage", ["before the head", "before the first byte", "mid-stream", "buffered"])
async def test_a_client_that_leaves_ends_the_upstream_at_once(stage: str) -> None:
    replies = {
        "before the head": silence(),
        "before the first byte": Reply(headers=[("content-type", "text/event-stream")], body=[Hang()]),
        "mid-stream": Reply(headers=[("content-type", "text/event-stream")], body=[Send(b"data: 1\n\n"), Hang()]),
        "buffered": Reply(content_length=100, body=[Send(b"half"), Hang()]),
    }
    async with rig() as r:
        r.provider.reply(replies[stage])
        reader, writer = await r.open()
        writer.write(_post("/v1/messages", MESSAGE, r.port))
        await r.provider.wait_for_request(0)
        if stage in {"mid-stream", "buffered"}:
            await reader.readuntil(b"1\n\n" if stage == "mid-stream" else b"half")
        elif stage == "before the first byte":
            await reader.readuntil(b"\r\n\r\n")
        writer.close()
        await r.provider.wait_for_disconnect(0)
        flow = await r.flow()
        assert flow.outcome == "client_gone"


async def test_an_upstream_that_cannot_be_reached_is_a_502_in_the_clients_dialect() -> None:
    with refused_port() as port:
        types = {"gone": ProviderConfig(type="openai", base_url=f"http://127.0.0.1:{port}")}
        async with rig(types=types) as r:
            answer = await r.request("POST", "/v1/chat/completions", CHAT, [JSON, key("gone", "Authorization")])
            assert answer.status == 502
            error = json.loads(answer.body)["error"]
            assert error["code"] == "upstream_error"
            assert f"127.0.0.1:{port}" in error["message"]
            assert "x-should-retry" not in answer.headers
            assert (await r.flow()).outcome == "upstream_error"


async def test_an_upstream_that_closes_without_an_answer_is_a_502() -> None:
    async with rig() as r:
        r.provider.reply(no_answer(), no_answer())
        answer = await r.request("POST", "/v1/messages", MESSAGE, [JSON, key("anthropic")])
        assert answer.status == 502
        assert json.loads(answer.body)["type"] == "error"


@pytest.mark.parametrize(
    ("reply", "timeouts"),
    [
        (silence(), Timeouts(first_byte=0.05)),
        (Reply(headers=[("content-type", "application/json")], body=[Hang()]), Timeouts(idle=0.05)),
    ],
)
async def test_a_hung_upstream_is_given_up(reply: Reply, timeouts: Timeouts) -> None:
    async with rig(timeouts=timeouts) as r:
        r.provider.reply(reply)
        answer = await r.request("POST", "/v1/messages", MESSAGE, [JSON, key("anthropic")])
        assert answer.status == 504 or not answer.complete
        flow = await r.flow()
        assert (flow.outcome, flow.error_kind) == ("upstream_error", "upstream_timeout")
        await r.provider.wait_for_disconnect(0)


async def test_a_cut_document_is_never_complete_for_the_client() -> None:
    async with rig() as r:
        r.provider.reply(Reply(content_length=50, body=[Send(b'{"half":'), Cut()]))
        answer = await r.request("POST", "/v1/messages", MESSAGE, [JSON, key("anthropic")])
        assert not answer.complete
        assert (await r.flow()).outcome == "upstream_cut"


@pytest.mark.parametrize(
    ("path", "name", "body"), [("/v1/messages", "anthropic", MESSAGE), ("/v1/chat/completions", "openai", CHAT)]
)
@pytest.mark.parametrize("sent", [b"data: {}\n\n", b"data: {", b""])
async def test_a_cut_stream_ends_with_an_error_event(path: str, name: str, body: bytes, sent: bytes) -> None:
    async with rig() as r:
        r.provider.reply(
            Reply(headers=[("content-type", "text/event-stream")], body=[Send(sent), Cut()] if sent else [Cut()])
        )
        answer = await r.request("POST", path, body, [JSON, key(name)])
        assert not answer.complete, "a client that passes over the event misses the end"
        assert answer.body.startswith(sent)
        last = answer.body.rstrip(b"\n").rsplit(b"\n", 1)[-1]
        assert last.startswith(b"data: ")
        message = json.loads(last[6:])["error"]["message"]
        assert message.startswith("ccproxy: ")
        assert (await r.flow()).outcome == "upstream_cut"


async def test_a_cut_compressed_stream_breaks_the_connection_since_nothing_can_be_added() -> None:
    async with rig() as r:
        r.provider.reply(
            Reply(
                headers=[("content-type", "text/event-stream"), ("content-encoding", "br")], body=[Send(b"xx"), Cut()]
            )
        )
        answer = await r.request("POST", "/v1/messages", MESSAGE, [JSON, key("anthropic")])
        assert not answer.complete


@pytest.mark.parametrize(("status", "expected"), [(200, 502), (503, 503), (429, 429)])
async def test_a_web_page_instead_of_an_answer_is_an_error_and_is_recorded(status: int, expected: int) -> None:
    async with rig() as r:
        r.provider.reply(html(status, "Attention required"))
        answer = await r.request("POST", "/v1/chat/completions", CHAT, [JSON, key("openai")])
        assert answer.status == expected
        assert "web page" in json.loads(answer.body)["error"]["message"]
        flow = await r.flow()
        assert flow.response is not None
        assert b"Attention required" in flow.response.body


async def test_provider_errors_pass_byte_for_byte_with_their_headers() -> None:
    async with rig() as r:
        body = b'{ "type":"error", "error":{"type":"overloaded_error","message":"x"} }'
        r.provider.reply(
            Reply(
                status=529,
                headers=[("retry-after", "7"), ("request-id", "req_1"), ("content-type", "application/json")],
                body=[Send(body)],
            )
        )
        answer = await r.request("POST", "/v1/messages", MESSAGE, [JSON, key("anthropic")])
        assert (answer.status, answer.body) == (529, body)
        assert (answer.headers["retry-after"], answer.headers["request-id"]) == ("7", "req_1")
        assert "x-ccproxy-error" not in answer.headers


async def test_what_concerns_only_the_upstreams_connection_stays_there() -> None:
    async with rig() as r:
        headers = [
            ("alt-svc", "h3"),
            ("strict-transport-security", "max-age=1"),
            ("x-ccproxy-flow", "foreign"),
            ("connection", "keep-alive, x-hop"),
            ("x-hop", "1"),
            ("x-kept", "2"),
        ]
        r.provider.reply(Reply(headers=headers, body=[Send(b"{}")]))
        answer = await r.request("GET", "/v1/models/x", None, [("x-api-key", "own")])
        assert answer.headers["x-kept"] == "2"
        assert not {"alt-svc", "strict-transport-security", "x-hop"} & set(answer.headers)
        assert answer.headers["x-ccproxy-flow"] == (await r.flow()).id


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[1,2]",
        b"42",
        b'{"model": 7}',
        b'{"model"',
        b"\xff\xfe",
        b'{"a":' * 5000,
        b'{"model":"x"} trailing',
    ],
)
async def test_bodies_that_are_no_json_object_pass_untouched(body: bytes) -> None:
    async with rig() as r:
        r.provider.reply(Reply(status=400, body=[Send(b"no")]))
        answer = await r.request("POST", "/v1/messages", body, [JSON, key("anthropic")])
        assert (answer.status, answer.body) == (400, b"no")
        assert r.provider.requests[0].body == body


async def test_a_body_that_must_change_and_cannot_is_a_400() -> None:
    rules = [TransformRule(dest_provider="anthropic", dest_model="m")]
    async with rig(rules=rules) as r:
        answer = await r.request("POST", "/v1/messages", b"[1]", [JSON])
        assert answer.status == 400
        assert r.provider.requests == []


async def test_a_large_binary_upload_streams_through() -> None:
    body = bytes(range(256)) * 4096
    async with rig() as r:
        r.provider.reply(Reply(body=[Send(b"{}")]))
        answer = await r.request(
            "POST", "/v1/files", body, [("Content-Type", "application/octet-stream"), ("Authorization", "Bearer own")]
        )
        assert answer.status == 200
        assert r.provider.requests[0].body == body
        flow = await r.flow()
        assert flow.request.size == len(body)


async def test_a_chunked_upload_stays_one() -> None:
    async with rig() as r:
        r.provider.reply(Reply(body=[Send(b"{}")]))
        head = f"POST /v1/files HTTP/1.1\r\nHost: localhost:{r.port}\r\nTransfer-Encoding: chunked\r\nContent-Type: multipart/form-data; boundary=x\r\nAuthorization: Bearer own\r\n\r\n"
        answer = await r.raw(head.encode() + b"3\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n")
        assert answer.status == 200
        assert r.provider.requests[0].body == b"abcde"
        assert b"x-trailer" not in r.provider.requests[0].headers


async def test_an_upload_over_the_limit_is_a_413() -> None:
    async with rig(config=GatewayConfig(max_body_bytes=1024)) as r:
        answer = await r.request("POST", "/v1/messages", b"x" * 1025, [JSON, key("anthropic")])
        assert answer.status == 413
        assert "max_body_bytes" in json.loads(answer.body)["error"]["message"]
        head = f"POST /v1/messages HTTP/1.1\r\nHost: localhost:{r.port}\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\nx-api-key: k\r\n\r\n"
        answer = await r.raw(head.encode() + b"800\r\n" + b"x" * 0x800 + b"\r\n")
        assert answer.status == 413
        assert r.provider.requests == []


async def test_held_bodies_have_a_common_limit() -> None:
    async with rig(config=GatewayConfig(max_buffered_bytes=1024)) as r:
        answer = await r.request("POST", "/v1/messages", b"x" * 2000, [JSON, key("anthropic")])
        assert answer.status == 503
        answer = await r.request("POST", "/v1/messages", MESSAGE, [JSON, key("anthropic")])
        assert answer.status == 200, "what was held is given back"


async def test_too_many_exchanges_at_once() -> None:
    async with rig(config=GatewayConfig(max_exchanges=1)) as r:
        r.provider.reply(silence())
        _, writer = await r.open()
        writer.write(_post("/v1/messages", MESSAGE, r.port))
        await r.provider.wait_for_request(0)
        answer = await r.request("POST", "/v1/messages", MESSAGE, [JSON, key("anthropic")])
        assert (answer.status, answer.headers["x-ccproxy-error"]) == (503, "overloaded")
        writer.close()


async def test_one_connection_serves_many_requests() -> None:
    async with rig() as r:
        reader, writer = await r.open()
        for _ in range(3):
            writer.write(_post("/v1/messages", MESSAGE, r.port))
            assert (await read_answer(reader)).status == 200
        writer.close()
        assert r.provider.connections == 1, "the upstream connection is kept too"


async def test_http_1_0_clients_get_an_answer_they_can_read() -> None:
    async with rig() as r:
        r.provider.reply(sse([b"data: 1\n\n", b"data: 2\n\n"]))
        request = b"POST /v1/messages HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: %d\r\nx-api-key: sk-ant-oat-ccproxy-anthropic\r\n\r\n%s"
        answer: Raw = await r.raw(request % (len(MESSAGE), MESSAGE))
        assert answer.headers["content-length"] == str(len(answer.body))
        assert answer.body == b"data: 1\n\ndata: 2\n\n"


async def test_a_bodiless_post_stays_bodiless() -> None:
    async with rig() as r:
        r.provider.reply(Reply(body=[Send(b"{}")]), Reply(body=[Send(b"{}")]))
        await r.request("POST", "/v1/messages/batches/x/cancel", None, [("x-api-key", "own")])
        assert b"content-length" not in r.provider.requests[0].raw.lower()
        await r.request("POST", "/v1/messages/batches/x/cancel", b"", [("x-api-key", "own")])
        assert b"content-length: 0" in r.provider.requests[1].raw.lower()


def _post(path: str, body: bytes, port: int) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"x-api-key: sk-ant-oat-ccproxy-anthropic\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


async def test_a_rules_model_reaches_a_code_assist_body() -> None:
    async with FakeProvider() as fake:
        types = {"assist": ProviderConfig(type="gemini", base_url=fake.url, path="/v1internal:{action}")}
        rules = [TransformRule(dest_provider="assist", dest_model="new")]
        async with rig(rules=rules, types=types) as r:
            fake.on(".*", Reply(body=[Send(b"{}")]))
            await r.request("POST", "/v1internal:generateContent", b'{"model":"old","request":{}}', [JSON])
            assert fake.requests[0].body == b'{"model":"new","request":{}}'
