"""Files by URL: what is fetched, what is refused, and that no way leads into a private network."""

from __future__ import annotations

import gzip
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ccproxy.egress.config import EgressConfig
from ccproxy.egress.fetch import PublicFiles, is_public, public_socket
from ccproxy.egress.pooled import PooledTransport
from ccproxy.errors import BadRequest
from ccproxy.testing import Cut, FakeProvider, Hang, Reply, Send

PNG = ("content-type", "image/png")


@asynccontextmanager
async def files(*, public: bool = False, seconds: float = 20.0) -> AsyncIterator[PublicFiles]:
    """With a transport that reaches loopback, unless it is to be the real one."""
    config = EgressConfig()
    transport = PooledTransport(config, new_socket=public_socket) if public else PooledTransport(config)
    made = PublicFiles(transport, seconds=seconds)
    try:
        yield made
    finally:
        await made.close()


async def get(fetcher: PublicFiles, url: str, limit: int = 1000) -> tuple[str, bytes]:
    return await fetcher.get(url, accept={"image/png"}.__contains__, limit=limit)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "192.0.2.1", "198.18.0.1", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1",
        "fd12::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::", "2001:db8::1", "no address", "",
    ],
)  # fmt: skip
def test_addresses_that_not_everybody_reaches(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_addresses_that_everybody_reaches(address: str) -> None:
    assert is_public(address)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with public_socket((family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, 443))) as made:
        assert made.family is family


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0", "2130706433", "0x7f.1", "127.1"])
async def test_a_private_address_is_refused_where_the_connection_is_made(host: str) -> None:
    async with FakeProvider() as fake, files(public=True) as fetcher:
        with pytest.raises(BadRequest, match="could not be fetched"):
            await get(fetcher, f"http://{host}:{fake.port}/x.png")
        assert fake.requests == []
        assert fake.connections == 0


async def test_a_redirect_into_the_private_network_is_refused_too() -> None:
    async with FakeProvider() as inside, FakeProvider() as outside:

        def only_outside(address: object) -> socket.socket:
            entry = tuple(address)  # type: ignore[arg-type,var-annotated]
            return socket.socket(*entry[:3]) if entry[4][1] == outside.port else public_socket(entry)

        fetcher = PublicFiles(PooledTransport(EgressConfig(), new_socket=only_outside))
        outside.reply(Reply(302, {"location": f"{inside.url}/secret.png"}))
        with pytest.raises(BadRequest, match="could not be fetched"):
            await get(fetcher, f"{outside.url}/x.png")
        await fetcher.close()
        assert inside.connections == 0


async def test_a_file_comes_with_its_type_and_nothing_goes_along() -> None:
    async with FakeProvider() as fake, files() as fetcher:
        fake.reply(
            Reply(301, {"location": "../b/?x=%20"}), Reply(headers=[("content-type", "Image/PNG; x=y")], body=b"png")
        )
        assert await get(fetcher, f"{fake.url}/a/a.png#part") == ("image/png", b"png")
        assert [request.target for request in fake.requests] == [b"/a/a.png", b"/b/?x=%20"]
        assert {name.lower() for name, _ in fake.requests[0].headers} == {b"host", b"accept", b"accept-encoding"}


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(404), "status 404"),
        (Reply(headers=[("content-type", "text/html")], body=b"<html>"), "of type text/html, which is not taken"),
        (Reply(body=b"x"), "of type unknown"),
        (Reply(headers=[PNG], body=[Send(bytes(600)), Send(bytes(600)), Hang()]), "larger than 1000 bytes"),
        (Reply(headers=[PNG, ("content-encoding", "gzip")], body=b"no gzip"), "cannot be read"),
        (Reply(headers=[PNG, ("content-encoding", "gzip")], body=gzip.compress(bytes(5000))), "cannot be read"),
        (Reply(headers=[PNG], body=[Send(b"x"), Cut()]), "could not be fetched"),
        (Reply(302), "redirects to nowhere"),
        (Reply(302, {"location": "file:///etc/passwd"}), "not a usable address"),
        (Reply(302, {"location": "http://[x"}), "no URL"),
    ],
)
async def test_what_is_refused(reply: Reply, words: str) -> None:
    async with FakeProvider() as fake, files() as fetcher:
        fake.reply(reply)
        with pytest.raises(BadRequest, match=words):
            await get(fetcher, f"{fake.url}/x.png")


async def test_redirects_have_an_end_and_so_has_the_time() -> None:
    async with FakeProvider() as fake:
        fake.on(".*", Reply(302, {"location": "/again"}))
        async with files() as fetcher:
            with pytest.raises(BadRequest, match="redirects more than 3 times"):
                await get(fetcher, f"{fake.url}/x.png")
        fake.on(".*", Reply(headers=[PNG], body=[Send(b"x"), Hang()]))
        async with files(seconds=0.05) as fetcher:
            with pytest.raises(BadRequest, match=r"within 0\.05 seconds"):
                await get(fetcher, f"{fake.url}/x.png")


@pytest.mark.parametrize(
    "url", ["ftp://h/x", "http://u:p@h/", "//h", "http://h:99999/", "http://h/ä", "data:image/png,x"]
)
async def test_what_is_no_url_of_the_web(url: str) -> None:
    async with files() as fetcher:
        with pytest.raises(BadRequest, match="cannot be fetched"):
            await get(fetcher, url)
