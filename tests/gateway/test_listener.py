"""Hostile and odd clients, on raw sockets."""

from __future__ import annotations

import asyncio
import json

import pytest
from rig import read_answer, rig

from ccproxy.gateway.config import GatewayConfig
from ccproxy.testing import Reply, Send, silence

HOST = b"Host: localhost\r\n"


async def test_header_names_keep_their_case_and_order_all_the_way() -> None:
    async with rig() as r:
        r.provider.reply(Reply(body=[Send(b"{}")]))
        await r.raw(
            b"GET /v1/models/x?b=2&a=1&&e= HTTP/1.1\r\n"
            + HOST
            + b"X-Zeta: 1\r\nx-alpha: 2\r\nX-ZETA: 3\r\nX-API-Key: own\r\n\r\n"
        )
        sent = r.provider.requests[0]
        assert sent.target == b"/v1/models/x?b=2&a=1&&e="
        assert sent.headers.pairs[1:] == [
            (b"X-Zeta", b"1"),
            (b"x-alpha", b"2"),
            (b"X-ZETA", b"3"),
            (b"X-API-Key", b"own"),
        ]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"CONNECT api.anthropic.com:443 HTTP/1.1\r\nHost: api.anthropic.com:443\r\n\r\n", 501),
        (b"GET http://api.anthropic.com/v1/models HTTP/1.1\r\nHost: api.anthropic.com\r\n\r\n", 403),
        (b"GET http://evil.example/v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: local host\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403),
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Bad\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n", 400),
        (b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
        (
            b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (
            b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
            400,
        ),
        (b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
        (b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        (b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (
            b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
            400,
        ),
        (b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: +3\r\n\r\nabc", 400),
        (b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length : 3\r\n\r\nabc", 400),
    ],
)
async def test_malformed_and_misdirected_requests_are_refused_in_words(request_: bytes, status: int) -> None:
    async with rig() as r:
        answer = await r.raw(request_)
        assert answer.status == status, answer.head + answer.body
        assert json.loads(answer.body)["error"]["message"].startswith("ccproxy: ")
        assert r.provider.requests == []


async def test_absolute_form_for_this_very_host_is_the_same_request() -> None:
    async with rig() as r:
        host = f"127.0.0.1:{r.port}"
        answer = await r.raw(f"GET http://{host}/v1/models?x=1 HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert answer.status == 200
        assert (await r.flow()).request.target == "/v1/models?x=1"


@pytest.mark.parametrize(
    ("head", "limit"),
    [
        (b"GET / HTTP/1.1\r\n" + HOST + b"".join(b"X-%d: 1\r\n" % i for i in range(10_000)) + b"\r\n", "max_headers"),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 200_000 + b"\r\n\r\n", "max_header_bytes"),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 200_000, "max_header_bytes"),
        (b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", "max_header_bytes"),
    ],
)
async def test_oversized_heads_are_a_431_that_names_the_limit(head: bytes, limit: str) -> None:
    async with rig() as r:
        answer = await r.raw(head)
        assert answer.status == 431
        assert limit in json.loads(answer.body)["error"]["message"]


async def test_a_client_that_drips_its_head_is_given_up() -> None:
    async with rig(config=GatewayConfig(header_seconds=0.05)) as r:
        answer = await r.raw(b"GET / HTTP/1.1\r\nHost: lo")
        assert answer.status == 408


async def test_a_connection_that_says_nothing_is_closed() -> None:
    async with rig(config=GatewayConfig(header_seconds=0.05)) as r:
        reader, _ = await r.open()
        assert await asyncio.wait_for(reader.read(), 10) == b""


async def test_the_head_timer_does_not_run_while_an_answer_is_awaited() -> None:
    async with rig(config=GatewayConfig(header_seconds=0.05)) as r:
        released = asyncio.Event()

        async def late(_: object) -> Reply:
            await asyncio.wait_for(released.wait(), 10)
            return Reply(body=[Send(b"{}")])

        r.provider.on("/v1/models", late)
        reader, writer = await r.open()
        writer.write(b"GET /v1/models/x HTTP/1.1\r\n" + HOST + b"x-api-key: own\r\n\r\n")
        await r.provider.wait_for_request(0)
        asyncio.get_running_loop().call_later(0.15, released.set)
        assert (await read_answer(reader)).status == 200


async def test_a_body_that_stops_is_given_up_with_a_408() -> None:
    async with rig(config=GatewayConfig(body_idle_seconds=0.05)) as r:
        answer = await r.raw(
            b"POST /v1/messages HTTP/1.1\r\n"
            + HOST
            + b"Content-Type: application/json\r\nx-api-key: own\r\nContent-Length: 10\r\n\r\n{"
        )
        assert answer.status == 408
        assert r.provider.requests == []


async def test_an_upload_that_stops_takes_its_upstream_along() -> None:
    async with rig(config=GatewayConfig(body_idle_seconds=0.05)) as r:
        answer = await r.raw(
            b"POST /v1/files HTTP/1.1\r\n"
            + HOST
            + b"Content-Type: application/octet-stream\r\nAuthorization: Bearer own\r\nContent-Length: 10\r\n\r\nabc"
        )
        assert answer.status == 408
        await r.provider.wait_for_disconnect(0)
        assert not r.provider.requests[0].complete


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with rig() as r:
        reader, writer = await r.open()
        writer.write(
            b"GET /v1/models HTTP/1.1\r\n"
            + HOST
            + b"\r\n"
            + b"GET /health HTTP/1.1\r\n"
            + HOST
            + b"\r\n"
            + b"GET /nix HTTP/1.1\r\n"
            + HOST
            + b"\r\n"
        )
        statuses = [(await read_answer(reader)).status for _ in range(3)]
        assert statuses == [200, 200, 404]


async def test_garbage_behind_a_good_request_does_not_spoil_its_answer() -> None:
    async with rig() as r:
        reader, writer = await r.open()
        writer.write(b"GET /v1/models HTTP/1.1\r\n" + HOST + b"\r\n" + b"\x00\x01garbage\r\n\r\n")
        answer = await read_answer(reader)
        assert (answer.status, answer.complete) == (200, True)


async def test_expect_100_continue_is_answered_before_the_body() -> None:
    async with rig() as r:
        reader, writer = await r.open()
        body = b'{"model":"m"}'
        writer.write(
            b"POST /v1/messages HTTP/1.1\r\n"
            + HOST
            + b"Content-Type: application/json\r\nx-api-key: sk-ant-oat-ccproxy-anthropic\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"
            % len(body)
        )
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
        writer.write(body)
        assert (await read_answer(reader)).status == 200
        assert b"expect" not in r.provider.requests[0].raw.lower()


async def test_a_client_that_half_closes_counts_as_gone() -> None:
    async with rig() as r:
        r.provider.reply(silence())
        _, writer = await r.open()
        writer.write(
            b"POST /v1/messages HTTP/1.1\r\n"
            + HOST
            + b"Content-Type: application/json\r\nx-api-key: own\r\nContent-Length: 2\r\n\r\n{}"
        )
        await r.provider.wait_for_request(0)
        writer.write_eof()
        await r.provider.wait_for_disconnect(0)
        assert (await r.flow()).outcome == "client_gone"


async def test_an_idle_connection_is_closed_after_its_time() -> None:
    async with rig(config=GatewayConfig(idle_seconds=0.05)) as r:
        reader, writer = await r.open()
        writer.write(b"GET /health HTTP/1.1\r\n" + HOST + b"\r\n")
        await read_answer(reader)
        assert await asyncio.wait_for(reader.read(), 10) == b""


async def test_a_hundred_megabyte_body_goes_through() -> None:
    body = b'{"model":"m","x":"' + b"a" * (100 * 1024 * 1024) + b'"}'
    async with rig() as r:
        r.provider.reply(Reply(body=[Send(b"{}")]))
        answer = await r.request(
            "POST",
            "/v1/messages",
            body,
            [("Content-Type", "application/json"), ("x-api-key", "sk-ant-oat-ccproxy-anthropic")],
        )
        assert answer.status == 200
        assert r.provider.requests[0].body == body
        assert (await r.flow()).model == "m"
