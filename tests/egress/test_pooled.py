from __future__ import annotations

import asyncio
import base64
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ccproxy.egress.transport import Timeouts
from ccproxy.errors import BadRequest, ConfigError, Overloaded, UpstreamCut, UpstreamError, UpstreamTimeout
from ccproxy.testing import Certificates, FakeProvider, Gate, Pause, Reply, Send, no_answer, refused_port, silence, sse
from egress.support import PATIENCE, SOON, ConnectProxy, Wire, ask, network, server, stream, whole

TARGETS = [
    b"/",
    b"/v1/messages?beta=true",
    b"//double//slash",
    b"/a%2Fb%2fc",
    b"/with%20space?q=%20&q=+",
    b"/x?",
    b"/x??y",
    b"/x?a=b&a=%20&a=",
    b"/x?key=%e2%82%ac#not-a-fragment",
    b"/../up/./same",
    b"/v1beta/models/gemini-x:streamGenerateContent?alt=sse",
    b"/semi;colon='quote'\"[]{}|\\^`",
    b"/caf\xc3\xa9/latin\xe9",
    b"*",
]


class TestExactRelay:
    async def test_targets_arrive_byte_for_byte(self) -> None:
        seen: list[bytes] = []

        async def keep(wire: Wire) -> None:
            while True:
                seen.append((await wire.head()).split(b"\r\n")[0])
                await wire.send(b"HTTP/1.1 204 No Content\r\n\r\n")

        async with server(keep) as port, network() as transport:
            for target in TARGETS:
                await whole(await transport.send(ask(port, target, method="OPTIONS")))

        assert seen == [b"OPTIONS " + target + b" HTTP/1.1" for target in TARGETS]

    async def test_header_fields_arrive_in_case_order_and_number(self) -> None:
        headers = [
            (b"X-Upper", b"1"),
            (b"x-lower", b"2"),
            (b"Repeated", b"a"),
            (b"accept", b"*/*"),
            (b"repeated", b"b"),
            (b"x-empty", b""),
            (b"x-latin", b"caf\xe9"),
            (b"x-utf8", "café".encode()),
            (b"cookie", b"a=b; c=d"),
        ]
        async with FakeProvider() as provider, network() as transport:
            provider.reply(Reply(204))

            await whole(await transport.send(ask(provider.port, headers=headers)))

        [request] = provider.requests
        assert request.headers.pairs == [(b"Host", b"127.0.0.1:%d" % provider.port), *headers]

    @pytest.mark.parametrize("method", ["GET", "DELETE", "POST", "HEAD", "PATCH", "PURGE"])
    async def test_a_request_without_body_is_nothing_but_its_head(self, method: str) -> None:
        async with FakeProvider() as provider, network() as transport:
            provider.reply(Reply(204))

            await whole(await transport.send(ask(provider.port, method=method)))

        [request] = provider.requests
        host = b"Host: 127.0.0.1:%d" % provider.port
        assert request.raw == method.encode() + b" / HTTP/1.1\r\n" + host + b"\r\n\r\n"

    @settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(body=st.binary(max_size=2000))
    def test_bodies_arrive_as_they_are(self, body: bytes) -> None:
        async def one() -> bytes:
            async with FakeProvider() as provider, network() as transport:
                provider.reply(lambda request: Reply(body=request.body))
                answer = await whole(await transport.send(ask(provider.port, method="POST", body=body)))
            assert provider.requests[0].body == body
            return answer

        assert asyncio.run(one()) == body

    async def test_a_large_body_arrives_whole(self) -> None:
        body = os.urandom(3_000_000)
        async with FakeProvider() as provider, network() as transport:
            provider.reply(Reply(204))

            await whole(await transport.send(ask(provider.port, method="POST", body=body)))

        [request] = provider.requests
        assert request.body == body
        assert request.header("content-length") == "3000000"

    async def test_the_answer_is_relayed_as_it_is(self) -> None:
        raw = (
            b"HTTP/1.1 299 Rather  \xd6dd\r\nX-Request-ID: 7\r\nset-cookie: a=1\r\nSet-Cookie: b=2\r\n"
            b"content-encoding: gzip\r\nX-Latin: caf\xe9\r\ncontent-length: 4\r\n\r\nnope"
        )

        async def odd(wire: Wire) -> None:
            await wire.head()
            await wire.send(raw)

        async with server(odd) as port, network() as transport:
            response = await transport.send(ask(port))
            body = await whole(response)

        assert (response.status, response.reason, response.http_version) == (299, "Rather  Ödd", "1.1")
        assert response.headers.pairs == [
            (b"X-Request-ID", b"7"),
            (b"set-cookie", b"a=1"),
            (b"Set-Cookie", b"b=2"),
            (b"content-encoding", b"gzip"),
            (b"X-Latin", b"caf\xe9"),
            (b"content-length", b"4"),
        ]
        assert body == b"nope"  # not taken for gzip

    async def test_redirects_and_cookies_are_not_ours(self) -> None:
        async with FakeProvider() as provider, network() as transport:
            provider.reply(Reply(307, {"location": "/elsewhere", "set-cookie": "a=1"}), Reply(204))

            response = await transport.send(ask(provider.port))
            await whole(response)
            await whole(await transport.send(ask(provider.port)))

        assert response.status == 307
        assert [request.target for request in provider.requests] == [b"/", b"/"]
        assert b"cookie" not in provider.requests[1].headers

    async def test_informational_answers_are_passed_over(self) -> None:
        async def patient(wire: Wire) -> None:
            await wire.head()
            await wire.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n")
            await wire.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

        async with server(patient) as port, network() as transport:
            response = await transport.send(ask(port))

            assert response.status == 200
            assert await whole(response) == b"ok"

    async def test_large_heads_are_allowed(self) -> None:
        value = "v" * 60_000
        many = {f"x-{number}": "1" for number in range(450)}
        async with FakeProvider() as provider, network() as transport:
            provider.reply(Reply(204, {"x-long": value, **many}))

            response = await transport.send(ask(provider.port))
            await whole(response)

        assert response.headers.text(b"x-long") == value
        assert b"x-449" in response.headers

    async def test_a_bad_request_never_leaves(self) -> None:
        async with FakeProvider() as provider, network() as transport:
            with pytest.raises(BadRequest):
                await transport.send(ask(provider.port, headers=[(b"x", b"a\r\nb: c")]))

        assert provider.connections == 0


class TestPool:
    async def test_a_connection_whose_answer_was_read_is_used_again(self) -> None:
        async with FakeProvider() as provider, network() as transport:
            for _ in range(3):
                provider.reply(Reply(body=b"ok"))
                await whole(await transport.send(ask(provider.port)))

        assert [request.connection for request in provider.requests] == [0, 0, 0]

    async def test_all_answers_without_a_body_give_their_connection_back(self) -> None:
        async with FakeProvider() as provider, network() as transport:
            provider.reply(Reply(204), Reply(304), Reply(200, body=b"x"), Reply(200))
            for method in ("GET", "GET", "HEAD", "GET"):
                await whole(await transport.send(ask(provider.port, method=method)))

        assert provider.connections == 1

    async def test_a_closed_idle_connection_is_replaced_unseen(self) -> None:
        # The provider has closed, but the news arrives only together with the next request.
        async def closes_after_one(wire: Wire) -> None:
            await wire.head()
            await wire.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
            await wire.head()
            wire.reset()

        async with server(closes_after_one) as port, network() as transport:
            for _ in range(3):
                assert await whole(await transport.send(ask(port, method="POST", body=b"{}"))) == b"ok"

    async def test_a_request_is_repeated_once_at_most(self) -> None:
        async with FakeProvider() as provider, network() as transport:
            provider.reply(Reply(body=b"ok"), no_answer(), no_answer(), Reply(body=b"never"))
            await whole(await transport.send(ask(provider.port)))

            with pytest.raises(UpstreamError, match="closed the connection without an answer"):
                await transport.send(ask(provider.port))

        assert [request.connection for request in provider.requests] == [0, 0, 1]

    async def test_a_repeat_leaves_every_idle_connection_alone(self) -> None:
        gate = Gate()
        async with FakeProvider() as provider, network() as transport:
            provider.reply(Reply(body=[Pause(gate)]), Reply(body=[Pause(gate)]))
            first, second = await transport.send(ask(provider.port)), await transport.send(ask(provider.port))
            gate.open()
            await whole(first)
            await whole(second)
            provider.reply(no_answer(), Reply(body=b"fresh"))

            assert await whole(await transport.send(ask(provider.port))) == b"fresh"

        assert provider.requests[-1].connection == 2

    async def test_nothing_is_repeated_on_a_fresh_connection(self) -> None:
        async with FakeProvider() as provider, network() as transport:
            provider.reply(no_answer(reset=True), Reply(body=b"never"))

            with pytest.raises(UpstreamError, match="without an answer"):
                await transport.send(ask(provider.port, method="GET"))

        assert len(provider.requests) == 1

    async def test_nothing_is_repeated_when_an_answer_had_begun(self) -> None:
        async with FakeProvider() as provider, network() as transport:
            begun = Reply(framing="raw", body=[Send(b"HTTP/1.1 200 OK\r\ncontent-")], close=True)
            provider.reply(Reply(body=b"ok"), begun, Reply(body=b"never"))
            await whole(await transport.send(ask(provider.port)))

            with pytest.raises(UpstreamError):
                await transport.send(ask(provider.port))

        assert len(provider.requests) == 2

    async def test_nothing_is_repeated_whose_body_is_gone(self) -> None:
        async with FakeProvider() as provider, network() as transport:
            provider.reply(Reply(body=b"ok"), no_answer(), Reply(body=b"never"))
            await whole(await transport.send(ask(provider.port)))

            with pytest.raises(UpstreamError, match="without an answer"):
                await transport.send(ask(provider.port, method="POST", body=stream(b"a", b"b")))

        assert len(provider.requests) == 2

    async def test_an_unasked_answer_is_not_taken_for_the_next_one(self) -> None:
        said = asyncio.Event()

        async def talkative(wire: Wire) -> None:
            await wire.head()
            await wire.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
            if not said.is_set():
                await wire.send(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n")
                said.set()
            await wire.end()

        async with server(talkative) as port, network() as transport:
            await whole(await transport.send(ask(port)))
            await said.wait()
            response = await transport.send(ask(port))

            assert response.status == 200
            await whole(response)

    async def test_the_number_of_connections_is_limited(self) -> None:
        gate = Gate()
        async with FakeProvider() as provider, network(max_connections=1) as transport:
            provider.reply(sse([Send(b"data: 1\n\n"), Pause(gate)]))
            held = await transport.send(ask(provider.port))

            with pytest.raises(UpstreamTimeout, match=r"all 1 are in use \(see egress.max_connections\)"):
                await transport.send(ask(provider.port, timeouts=Timeouts(connect=SOON)))

            gate.open()
            await whole(held)
            provider.reply(Reply(body=b"ok"))
            assert await whole(await transport.send(ask(provider.port))) == b"ok"

    async def test_one_who_waits_gets_the_connection_that_becomes_free(self) -> None:
        gate = Gate()
        async with FakeProvider() as provider, network(max_connections=1) as transport:
            provider.reply(sse([Pause(gate)]), Reply(body=b"ok"))
            held = await transport.send(ask(provider.port))
            waiting = asyncio.create_task(transport.send(ask(provider.port)))
            gate.open()
            await whole(held)

            assert await whole(await waiting) == b"ok"

    async def test_after_close_nothing_is_sent(self) -> None:
        async with network() as transport:
            await transport.close()

            with pytest.raises(Overloaded, match="shutting down"):
                await transport.send(ask(9))

    async def test_closing_ends_what_is_open(self) -> None:
        async with FakeProvider() as provider:
            provider.reply(sse([Send(b"data: 1\n\n"), Pause(Gate())]), sse([Pause(Gate())]), silence())
            async with network() as transport:
                unread, read = await transport.send(ask(provider.port)), await transport.send(ask(provider.port))
                reading = asyncio.create_task(whole(read))
                sending = asyncio.create_task(transport.send(ask(provider.port)))
                await provider.wait_for_request(2)

                await transport.close()

                for waiting in (whole(unread), reading, sending):
                    with pytest.raises(UpstreamCut, match="was given up"):
                        await waiting
            for index in range(3):
                assert (await provider.wait_for_disconnect(index)).by_client


class TestCancellation:
    async def test_while_waiting_for_the_answer(self) -> None:
        async with FakeProvider() as provider, network() as transport:
            provider.reply(Reply(body=[Pause(Gate())], framing="raw"))
            sending = asyncio.create_task(transport.send(ask(provider.port)))
            await provider.wait_for_request()

            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending

            assert (await provider.wait_for_disconnect()).by_client

    async def test_while_sending(self) -> None:
        never = asyncio.Event()
        async with FakeProvider() as provider, network() as transport:
            body = stream(b"a", never)
            sending = asyncio.create_task(transport.send(ask(provider.port, method="POST", body=body)))
            await provider.wait_for_body(0, 1)

            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending

            assert (await provider.wait_for_disconnect()).by_client


class TestConnecting:
    async def test_refused(self) -> None:
        with refused_port() as port:
            async with network() as transport:
                with pytest.raises(UpstreamError) as caught:
                    await transport.send(ask(port))

        assert str(caught.value) == f"cannot connect to 127.0.0.1:{port}: connection refused"
        assert caught.value.status == 502

    async def test_a_name_nobody_knows(self) -> None:
        async with network() as transport:
            with pytest.raises(UpstreamError, match=r"cannot find the address of nowhere.invalid"):
                await transport.send(ask(80, host="nowhere.invalid"))

    @pytest.mark.parametrize("host", ["", "a b", "a\r\nb", "127.1", "." * 3])
    async def test_something_that_is_no_host(self, host: str) -> None:
        async with network() as transport:
            with pytest.raises(UpstreamError):
                await transport.send(ask(80, host=host))

    async def test_a_handshake_that_takes_too_long(self) -> None:
        async def mute(wire: Wire) -> None:
            await wire.end()

        async with server(mute) as port, network() as transport:
            with pytest.raises(UpstreamTimeout, match=r"within 0.05 seconds \(see egress.connect_seconds\)") as caught:
                await transport.send(ask(port, scheme="https", timeouts=Timeouts(connect=SOON)))

        assert caught.value.status == 504

    @pytest.mark.parametrize(
        "answer",
        [b"SSH-2.0-OpenSSH_9.9\r\n", b"HTTP/1.1 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n", b"\x15\x03\x01"],
    )
    async def test_something_that_is_not_http(self, answer: bytes) -> None:
        async def other(wire: Wire) -> None:
            await wire.head()
            await wire.send(answer)
            await wire.end()

        async with server(other) as port, network() as transport:
            with pytest.raises(UpstreamError, match="did not answer in HTTP"):
                await transport.send(ask(port, timeouts=Timeouts(first_byte=PATIENCE)))

    async def test_a_head_over_the_limits(self) -> None:
        async with FakeProvider() as provider, network() as transport:
            provider.reply(Reply(204, {"x": "v" * 70_000}), Reply(204, {f"x-{n}": "1" for n in range(600)}))

            with pytest.raises(UpstreamError, match="more than 65536 bytes"):
                await transport.send(ask(provider.port))
            with pytest.raises(UpstreamError, match="more than 500 header fields"):
                await transport.send(ask(provider.port))

    async def test_a_change_of_protocol_nobody_asked_for(self) -> None:
        async def eager(wire: Wire) -> None:
            await wire.head()
            await wire.send(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n")
            await wire.end()

        async with server(eager) as port, network() as transport:
            with pytest.raises(UpstreamError, match="switched to another protocol"):
                await transport.send(ask(port))


class TestTls:
    async def test_an_unknown_authority_is_refused_with_the_way_out(self, certificates: Certificates) -> None:
        async with FakeProvider(tls=certificates) as provider, network() as transport:
            with pytest.raises(UpstreamError) as caught:
                await transport.send(ask(provider.port, scheme="https"))

        assert caught.value.message.startswith(f"the TLS certificate of 127.0.0.1:{provider.port} is not accepted: ")
        assert "egress.ca_file" in caught.value.hint
        assert "verify: false" in caught.value.hint
        assert provider.requests == []

    async def test_ca_file_makes_it_known(self, certificates: Certificates) -> None:
        async with FakeProvider(tls=certificates) as provider, network(ca_file=str(certificates.ca)) as transport:
            provider.reply(Reply(body=b"ok"), Reply(body=b"ok"))

            assert await whole(await transport.send(ask(provider.port, scheme="https"))) == b"ok"
            assert await whole(await transport.send(ask(provider.port, scheme="https"))) == b"ok"

        assert provider.connections == 1

    async def test_another_name_is_refused(self, certificates: Certificates) -> None:
        async with FakeProvider(tls=certificates) as provider, network(ca_file=str(certificates.ca)) as transport:
            with pytest.raises(UpstreamError, match=r"not accepted: .*mismatch"):
                await transport.send(ask(provider.port, scheme="https", host="localhost"))

    async def test_verification_is_off_for_one_request_alone(self, certificates: Certificates) -> None:
        async with FakeProvider(tls=certificates) as provider, network() as transport:
            provider.reply(Reply(body=b"ok"))
            assert await whole(await transport.send(ask(provider.port, scheme="https", verify=False))) == b"ok"

            with pytest.raises(UpstreamError, match="not accepted"):
                await transport.send(ask(provider.port, scheme="https"))

    async def test_plain_http_behind_an_https_url(self) -> None:
        async def plain(wire: Wire) -> None:
            await wire.reader.read(1)
            await wire.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await wire.end()

        async with server(plain) as port, network() as transport:
            with pytest.raises(UpstreamError, match=r"no TLS connection to .*does it speak https"):
                await transport.send(ask(port, scheme="https"))

    async def test_a_missing_ca_file(self, tmp_path: os.PathLike[str]) -> None:
        async with network(ca_file=f"{tmp_path}/none.pem") as transport:
            with pytest.raises(ConfigError, match=r"egress.ca_file"):
                await transport.send(ask(443, scheme="https"))

    async def test_closing_an_answer_is_seen_at_once(self, certificates: Certificates) -> None:
        async with FakeProvider(tls=certificates) as provider, network(ca_file=str(certificates.ca)) as transport:
            provider.reply(sse([Send(b"data: 1\n\n"), Pause(Gate())]))
            response = await transport.send(ask(provider.port, scheme="https"))
            begun = asyncio.get_running_loop().time()

            await response.close()

            assert (await provider.wait_for_disconnect()).by_client
            assert asyncio.get_running_loop().time() - begun < 0.25


class TestThroughAProxy:
    async def test_https_by_connect_and_the_name_is_the_proxys_business(self, certificates: Certificates) -> None:
        async with FakeProvider(tls=certificates) as provider:
            provider.reply(Reply(body=b"ok"), Reply(body=b"ok"))
            proxy = ConnectProxy(provider.port)
            async with (
                server(proxy) as proxy_port,
                network(proxy=f"http://127.0.0.1:{proxy_port}", ca_file=str(certificates.ca)) as transport,
            ):
                for _ in range(2):
                    request = ask(443, b"/v1?", scheme="https", host="provider.test", headers=[(b"x-key", b"canary")])
                    assert await whole(await transport.send(request)) == b"ok"

        assert len(proxy.heads) == 1  # the tunnel is used again
        assert proxy.heads[0].startswith(b"CONNECT provider.test:443 HTTP/1.1\r\n")
        assert b"canary" not in proxy.heads[0]
        assert provider.requests[0].headers.pairs == [(b"Host", b"provider.test"), (b"x-key", b"canary")]
        assert provider.requests[0].target == b"/v1?"

    async def test_loopback_and_what_is_excepted_is_reached_directly(self) -> None:
        async with FakeProvider() as provider:
            proxy = ConnectProxy(9)
            async with server(proxy) as port, network(proxy=f"http://127.0.0.1:{port}") as transport:
                for host in ("127.0.0.1", "localhost"):
                    provider.reply(Reply(body=b"ok"))
                    assert await whole(await transport.send(ask(provider.port, host=host))) == b"ok"
            assert proxy.heads == []

    async def test_http_by_an_absolute_target(self) -> None:
        async with FakeProvider() as provider:
            provider.reply(Reply(body=b"ok"))
            proxy = ConnectProxy(provider.port)
            async with server(proxy) as port, network(proxy=f"http://127.0.0.1:{port}") as transport:
                assert await whole(await transport.send(ask(8080, b"/a//b?", host="provider.test"))) == b"ok"

        assert proxy.heads == [b"GET http://provider.test:8080/a//b? HTTP/1.1\r\nHost: provider.test:8080\r\n\r\n"]

    @pytest.mark.parametrize("scheme", ["http", "https"])
    async def test_with_user_and_password(self, scheme: str, certificates: Certificates) -> None:
        async with FakeProvider(tls=certificates if scheme == "https" else False) as provider:
            provider.reply(Reply(body=b"ok"))
            proxy = ConnectProxy(provider.port, authorization=b"Basic " + base64.b64encode(b"me:p@ss"))
            async with (
                server(proxy) as port,
                network(proxy=f"http://me:p%40ss@127.0.0.1:{port}", ca_file=str(certificates.ca)) as transport,
            ):
                response = await transport.send(ask(443, scheme=scheme, host="provider.test"))
                assert await whole(response) == b"ok"

        if scheme == "https":
            assert b"proxy-authorization" not in provider.requests[0].headers

    @pytest.mark.parametrize("scheme", ["http", "https"])
    async def test_a_wrong_password(self, scheme: str) -> None:
        proxy = ConnectProxy(9, authorization=b"Basic other")
        async with server(proxy) as port, network(proxy=f"http://me:canary@127.0.0.1:{port}") as transport:
            with pytest.raises(UpstreamError) as caught:
                await transport.send(ask(443, scheme=scheme, host="provider.test"))

        assert caught.value.message == (
            f"the proxy 127.0.0.1:{port} refused to connect to provider.test:443 (status 407)"
        )
        assert "user and password" in caught.value.hint
        assert "canary" not in repr(caught.value) + str(caught.value.__cause__)

    async def test_a_proxy_that_is_not_there(self) -> None:
        with refused_port() as port:
            async with network(proxy=f"http://127.0.0.1:{port}") as transport:
                for scheme in ("http", "https"):
                    with pytest.raises(
                        UpstreamError, match=f"cannot connect to the proxy 127.0.0.1:{port}: connection refused"
                    ):
                        await transport.send(ask(443, scheme=scheme, host="provider.test"))

    def test_a_proxy_that_cannot_be_used_is_found_at_once(self) -> None:
        from ccproxy.egress.config import EgressConfig
        from ccproxy.egress.pooled import PooledTransport

        with pytest.raises(ConfigError, match="socks5://"):
            PooledTransport(EgressConfig(proxy="socks5://127.0.0.1:1080"))

    async def test_variables_of_the_environment_are_not_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        async with FakeProvider() as provider, network() as transport:
            provider.reply(Reply(body=b"direct"))

            assert await whole(await transport.send(ask(provider.port))) == b"direct"
