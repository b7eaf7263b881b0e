from __future__ import annotations

import asyncio

import pytest

from ccproxy.auth.call import TokenRequest
from ccproxy.egress.tokens import TokenPost
from ccproxy.errors import UpstreamError, UpstreamTimeout
from ccproxy.testing import FakeProvider, Reply, json_reply, no_answer, refused_port, silence

from .support import SOON, network


def request(url: str, timeout: float = 5.0) -> TokenRequest:
    return TokenRequest(url, "application/json", b'{"refresh_token":"canary"}', timeout)


async def test_it_goes_out_as_it_is_and_comes_back_decoded() -> None:
    async with FakeProvider() as provider, network() as transport:
        provider.reply(json_reply({"access_token": "a"}, encoding="gzip"), Reply(503, body=b"down"))
        post = TokenPost(lambda: transport)

        answer = await post(request(f"{provider.url}/oauth/token?x=1"))

        assert (answer.status, answer.body) == (200, b'{"access_token":"a"}')
        [sent] = provider.requests
        assert (sent.method, sent.target, sent.body) == ("POST", b"/oauth/token?x=1", b'{"refresh_token":"canary"}')
        assert sent.header("content-type") == "application/json"
        assert (await post(request(provider.url))).status == 503
        assert provider.requests[1].target == b"/"


async def test_what_goes_wrong_is_told_without_what_was_sent() -> None:
    with refused_port() as port:
        async with FakeProvider() as provider, network() as transport:
            provider.reply(no_answer(), Reply(body=b"x" * 1_100_000), silence())
            post = TokenPost(lambda: transport)
            urls = [f"http://127.0.0.1:{port}/t", provider.url, provider.url, "http://user@h/", "https://h/ä"]
            for url in urls:
                with pytest.raises(UpstreamError) as caught:
                    await post(request(url))
                assert "canary" not in str(caught.value)
            with pytest.raises(UpstreamTimeout):
                await post(request(provider.url, SOON))


async def test_it_takes_the_transport_of_the_moment() -> None:
    async with FakeProvider() as provider, network() as first, network() as second:
        current = [first]
        post = TokenPost(lambda: current[0])
        await post(request(provider.url))
        await first.close()
        current[0] = second

        assert (await asyncio.wait_for(post(request(provider.url)), 5)).status
