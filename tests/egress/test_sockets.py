from __future__ import annotations

import asyncio
import logging

import pytest

from ccproxy.egress.pooled import PooledTransport
from ccproxy.egress.sockets import OpenSocket
from ccproxy.egress.transport import Timeouts, UpstreamRequest
from ccproxy.errors import BadRequest, UpstreamCut, UpstreamError, UpstreamTimeout
from ccproxy.testing import (
    Certificates,
    CloseSocket,
    Cut,
    Expect,
    FakeProvider,
    Hang,
    Reply,
    SendMessage,
    Socket,
    SocketSession,
    no_answer,
    refused_port,
)
from egress.support import PATIENCE, SOON, ConnectProxy, Wire, answered, ask, network, server, whole

LIMIT = 1024 * 1024


async def opened(
    transport: PooledTransport, request: UpstreamRequest, subprotocols: list[str] | None = None, limit: int = LIMIT
) -> OpenSocket:
    answer = await transport.open_socket(request, subprotocols or [], max_message=limit)
    assert isinstance(answer, OpenSocket)
    return answer


class TestHandshake:
    async def test_what_the_client_sent_is_relayed_and_nothing_of_the_library(self) -> None:
        headers = [
            (b"OpenAI-Beta", b"responses_websockets=2026-02-06"),
            (b"authorization", b"Bearer dummy"),
            (b"x-codex-a", b"1"),
            (b"X-Codex-A", b"2"),
            (b"x-latin", b"caf\xe9"),
            (b"Host", b"elsewhere"),
            (b"Connection", b"Upgrade"),
            (b"upgrade", b"websocket"),
            (b"Sec-WebSocket-Key", b"x3JJHMbDL1EzLkh9GBhXDw=="),
            (b"sec-websocket-version", b"13"),
            (b"Sec-WebSocket-Extensions", b"foo"),
        ]
        async with FakeProvider() as provider, network() as transport:
            provider.reply(Socket())

            socket = await opened(
                transport, ask(provider.port, b"/backend-api//codex%2Fresponses?a=b&a=?", headers=headers)
            )
            await socket.close()

        [request] = provider.requests
        assert request.target == b"/backend-api//codex%2Fresponses?a=b&a=?"
        own = [(name, value) for name, value in request.headers if name.lower().startswith(b"sec-websocket-")]
        assert sorted(name for name, _ in own) == [
            b"Sec-WebSocket-Extensions",
            b"Sec-WebSocket-Key",
            b"Sec-WebSocket-Version",
        ]
        assert dict(own)[b"Sec-WebSocket-Extensions"].startswith(b"permessage-deflate")
        assert dict(own)[b"Sec-WebSocket-Key"] != b"x3JJHMbDL1EzLkh9GBhXDw=="
        assert [pair for pair in request.headers if pair not in own] == [
            (b"Host", b"127.0.0.1:%d" % provider.port),
            (b"Upgrade", b"websocket"),
            (b"Connection", b"Upgrade"),
            *headers[:5],
        ]

    async def test_an_empty_query_stays(self) -> None:
        async with FakeProvider() as provider, network() as transport:
            provider.reply(Socket())

            await (await opened(transport, ask(provider.port, b"/x?"))).close()

        assert provider.requests[0].target == b"/x?"

    async def test_the_answers_fields_and_the_subprotocol_come_back(self) -> None:
        async with FakeProvider() as provider, network() as transport:
            provider.reply(Socket(subprotocols=["b"], headers={"x-codex-turn-state": "t1"}))

            socket = await opened(transport, ask(provider.port), ["a", "b"])
            await socket.close()

        assert provider.requests[0].header("sec-websocket-protocol") == "a, b"
        assert socket.subprotocol == "b"
        assert socket.headers.get(b"x-codex-turn-state") == b"t1"

    @pytest.mark.parametrize("status", [401, 426, 302, 503])
    async def test_a_refusal_is_an_answer(self, status: int) -> None:
        async with FakeProvider() as provider, network() as transport:
            provider.reply(
                Reply(status, [("X-Request-ID", "7"), ("location", "/other"), ("x-latin", b"caf\xe9")], b'{"error":1}')  # type: ignore[list-item]
            )

            response = answered(await transport.open_socket(ask(provider.port), [], max_message=LIMIT))

            assert response.status == status
            assert response.http_version == "1.1"
            assert response.reason
            assert response.headers.pairs[:3] == [
                (b"X-Request-ID", b"7"),
                (b"location", b"/other"),
                (b"x-latin", b"caf\xe9"),
            ]
            assert await whole(response) == b'{"error":1}'
        assert len(provider.requests) == 1

    @pytest.mark.parametrize(
        ("answer", "message"),
        [
            (b"SSH-2.0-OpenSSH_9.9\r\n", "did not answer in HTTP"),
            (b"", "closed the connection without an answer"),
            (
                b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
                b"sec-websocket-accept: canary\r\n\r\n",
                "made no valid WebSocket handshake",
            ),
        ],
    )
    async def test_a_handshake_that_is_none(self, answer: bytes, message: str) -> None:
        async def odd(wire: Wire) -> None:
            await wire.head()
            await wire.send(answer)

        async with server(odd) as port, network() as transport:
            with pytest.raises(UpstreamError, match=message) as caught:
                await transport.open_socket(ask(port), [], max_message=LIMIT)

        assert "canary" not in repr(caught.value)

    async def test_no_answer_in_time(self) -> None:
        async def mute(wire: Wire) -> None:
            await wire.end()

        async with server(mute) as port, network() as transport:
            with pytest.raises(UpstreamTimeout, match=r"within 0\.05 seconds"):
                await transport.open_socket(ask(port, timeouts=Timeouts(connect=SOON)), [], max_message=LIMIT)

    async def test_no_tunnel_in_time(self) -> None:
        async def mute(wire: Wire) -> None:
            await wire.end()

        async with server(mute) as port, network(proxy=f"http://127.0.0.1:{port}") as transport:
            with pytest.raises(UpstreamTimeout, match=rf"through the proxy 127\.0\.0\.1:{port} within 0\.05 seconds"):
                asked = ask(443, host="provider.test", timeouts=Timeouts(connect=SOON))
                await transport.open_socket(asked, [], max_message=LIMIT)

    async def test_refused_and_unknown(self) -> None:
        with refused_port() as port:
            async with network() as transport:
                with pytest.raises(UpstreamError, match=f"cannot connect to 127.0.0.1:{port}: connection refused"):
                    await transport.open_socket(ask(port), [], max_message=LIMIT)
                with pytest.raises(UpstreamError, match="cannot find the address"):
                    await transport.open_socket(ask(80, host="nowhere.invalid"), [], max_message=LIMIT)

    @pytest.mark.parametrize(
        "request_",
        [
            ask(9, b"/a b"),
            ask(9, headers=[(b"x", b"a\r\nb: c")]),
            ask(9, headers=[(b"x y", b"a")]),
        ],
    )
    async def test_what_would_change_the_message_never_leaves(self, request_: UpstreamRequest) -> None:
        async with network() as transport:
            with pytest.raises(BadRequest):
                await transport.open_socket(request_, [], max_message=LIMIT)

    @pytest.mark.parametrize(
        ("host", "target", "subprotocols"),
        [("a b", b"/", []), ("", b"/", []), ("127.0.0.1", b"/\xe9", []), ("127.0.0.1", b"/", ["a\r\nx: sk-canary"])],
    )
    async def test_nor_what_the_library_cannot_send(self, host: str, target: bytes, subprotocols: list[str]) -> None:
        async with FakeProvider() as provider, network() as transport:
            with pytest.raises(UpstreamError) as caught:
                await transport.open_socket(ask(provider.port, target, host=host), subprotocols, max_message=LIMIT)

        assert "canary" not in str(caught.value)
        assert provider.requests == []


class TestMessages:
    async def test_text_stays_text_and_binary_binary(self) -> None:
        sent: list[str | bytes] = ["hello", b"\0\xff", "", b"", "ü" * 40_000]
        async with FakeProvider() as provider, network() as transport:
            provider.reply(Socket(echo=True))
            socket = await opened(transport, ask(provider.port))
            messages = aiter(socket.messages())

            for message in sent:
                await socket.send(message)
                assert await anext(messages) == message
            await socket.close()

        assert provider.requests[0].messages == sent

    async def test_a_message_comes_when_it_is_sent(self) -> None:
        async with FakeProvider() as provider, network() as transport:
            provider.reply(Socket([SendMessage("one"), Expect(), SendMessage("two"), Hang()]))
            socket = await opened(transport, ask(provider.port))
            messages = aiter(socket.messages())

            assert await anext(messages) == "one"
            await socket.send("go on")
            assert await anext(messages) == "two"
            await socket.close()

    async def test_one_that_is_too_large(self) -> None:
        async with FakeProvider() as provider, network() as transport:
            provider.reply(Socket([SendMessage("x" * 2000), Hang()], compression=False))
            socket = await opened(transport, ask(provider.port), limit=1000)

            with pytest.raises(UpstreamCut, match="a WebSocket message of more than 1000 bytes"):
                [message async for message in socket.messages()]
            assert provider.requests[0].close_code == 1009

    async def test_no_pings_of_our_own(self) -> None:
        async with FakeProvider() as provider, network() as transport:
            provider.reply(Socket([Hang()]))
            socket = await opened(transport, ask(provider.port))

            assert [task for task in asyncio.all_tasks() if "keepalive" in repr(task.get_coro())] == []
            await socket.close()


class TestClosing:
    @pytest.mark.parametrize(("code", "reason"), [(1000, ""), (1001, "going"), (1008, "policy"), (4321, "own")])
    async def test_code_and_reason_of_the_upstream(self, code: int, reason: str) -> None:
        async with FakeProvider() as provider, network() as transport:
            provider.reply(Socket([SendMessage("last"), CloseSocket(code, reason)]))
            socket = await opened(transport, ask(provider.port))
            assert socket.close_code == 0

            assert [message async for message in socket.messages()] == ["last"]
            assert (socket.close_code, socket.close_reason) == (code, reason)
            with pytest.raises(UpstreamCut, match=f"closed the WebSocket with {code}"):
                await socket.send("too late")

    @pytest.mark.parametrize(
        ("code", "arrives"),
        [(1000, 1000), (4000, 4000), (1011, 1011), (1005, 1000), (1006, 1001), (1015, 1001), (77, 1001)],
    )
    async def test_our_code(self, code: int, arrives: int) -> None:
        async with FakeProvider() as provider, network() as transport:
            provider.reply(Socket([Hang()]))
            socket = await opened(transport, ask(provider.port))

            await socket.close(code, "ü" * 100)
            await socket.close()

            await provider.wait_until(lambda: provider.requests[0].close_code is not None, "the close frame")
        assert provider.requests[0].close_code == arrives

    async def test_a_reader_ends_when_we_close(self) -> None:
        async with FakeProvider() as provider, network() as transport:
            provider.reply(Socket([Hang()]))
            socket = await opened(transport, ask(provider.port))

            async def read() -> list[str | bytes]:
                return [message async for message in socket.messages()]

            reading = asyncio.create_task(read())
            await asyncio.sleep(0)
            await socket.close(1000)

            assert await asyncio.wait_for(reading, PATIENCE) == []

    @pytest.mark.parametrize("reset", [False, True])
    async def test_a_connection_that_just_ends(self, reset: bool) -> None:
        async with FakeProvider() as provider, network() as transport:
            provider.reply(Socket([SendMessage("one"), Expect(), Cut(reset)]))
            socket = await opened(transport, ask(provider.port))
            messages = aiter(socket.messages())
            assert await anext(messages) == "one"
            await socket.send("go on")

            with pytest.raises(UpstreamCut, match="broke the WebSocket connection"):
                await anext(messages)
            assert socket.close_code == 1006

    async def test_the_upstream_sees_it_at_once_even_if_it_does_not_answer(self) -> None:
        async def deaf(session: SocketSession) -> None:
            await asyncio.Event().wait()

        async with FakeProvider() as provider, network() as transport:
            provider.reply(Socket(deaf))
            socket = await opened(transport, ask(provider.port))
            begun = asyncio.get_running_loop().time()

            closing = asyncio.create_task(socket.close(1001))
            await provider.wait_until(lambda: provider.requests[0].close_code is not None, "the close frame")

            assert asyncio.get_running_loop().time() - begun < 0.25
            closing.cancel()
            await asyncio.gather(closing, return_exceptions=True)


class TestTlsAndProxy:
    async def test_tls_trust_is_the_same(self, certificates: Certificates) -> None:
        async with FakeProvider(tls=certificates) as provider:
            provider.reply(Socket(echo=True), Socket(echo=True))
            async with network() as transport:
                with pytest.raises(UpstreamError, match="is not accepted"):
                    await transport.open_socket(ask(provider.port, scheme="https"), [], max_message=LIMIT)
                await (await opened(transport, ask(provider.port, scheme="https", verify=False))).close()
            async with network(ca_file=str(certificates.ca)) as transport:
                socket = await opened(transport, ask(provider.port, scheme="https"))
                await socket.send("hello")
                assert await anext(aiter(socket.messages())) == "hello"
                await socket.close()

    @pytest.mark.parametrize("scheme", ["http", "https"])
    async def test_through_a_proxy(self, scheme: str, certificates: Certificates) -> None:
        async with FakeProvider(tls=certificates if scheme == "https" else False) as provider:
            provider.reply(Socket(echo=True))
            proxy = ConnectProxy(provider.port, authorization=b"Basic bWU6cEBzcw==")
            async with (
                server(proxy) as port,
                network(proxy=f"http://me:p%40ss@127.0.0.1:{port}", ca_file=str(certificates.ca)) as transport,
            ):
                socket = await opened(transport, ask(8443, scheme=scheme, host="provider.test"))
                await socket.send("hello")
                assert await anext(aiter(socket.messages())) == "hello"
                await socket.close()

        assert proxy.heads[0].startswith(b"CONNECT provider.test:8443 HTTP/1.1\r\n")
        assert provider.requests[0].header("host") == "provider.test:8443"

    async def test_a_proxy_that_refuses_or_is_none(self) -> None:
        async def silent(wire: Wire) -> None:
            await wire.head()

        refusing = ConnectProxy(9, authorization=b"Basic other")
        async with server(refusing) as port, network(proxy=f"http://me:canary@127.0.0.1:{port}") as transport:
            with pytest.raises(
                UpstreamError, match=r"refused to connect to provider\.test:443 \(status 407\)"
            ) as caught:
                await transport.open_socket(ask(443, scheme="https", host="provider.test"), [], max_message=LIMIT)
            assert "canary" not in repr(caught.value)
        async with server(silent) as port, network(proxy=f"http://127.0.0.1:{port}") as transport:
            with pytest.raises(UpstreamError, match=f"the proxy 127.0.0.1:{port} did not answer in HTTP"):
                await transport.open_socket(ask(443, scheme="https", host="provider.test"), [], max_message=LIMIT)
        with refused_port() as port:
            async with network(proxy=f"http://127.0.0.1:{port}") as transport:
                with pytest.raises(UpstreamError, match=f"the proxy 127.0.0.1:{port}: connection refused"):
                    await transport.open_socket(ask(443, host="provider.test"), [], max_message=LIMIT)


class TestSecrets:
    async def test_nothing_is_logged_at_any_level(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        async with FakeProvider() as provider, network() as transport:
            provider.reply(Socket(echo=True), Reply(401, body=b"sk-canary"), no_answer())
            request = ask(provider.port, b"/?key=sk-canary", headers=[(b"authorization", b"Bearer sk-canary")])

            socket = await opened(transport, request)
            await socket.send("sk-canary")
            await anext(aiter(socket.messages()))
            await socket.close()
            await whole(answered(await transport.open_socket(request, [], max_message=LIMIT)))
            with pytest.raises(UpstreamError):
                await transport.open_socket(request, [], max_message=LIMIT)

        ours = [
            record.getMessage() for record in caplog.records if record.name != "websockets.server"
        ]  # the provider's
        assert "canary" not in "".join(ours)
