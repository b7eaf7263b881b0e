from __future__ import annotations

import base64

import pytest

from ccproxy.egress.proxy import Direct, parse_proxy
from ccproxy.errors import ConfigError


def test_none() -> None:
    assert parse_proxy("") is None


@pytest.mark.parametrize(
    ("value", "name", "origin"),
    [
        ("http://proxy.corp:3128", "proxy.corp:3128", "http://proxy.corp:3128"),
        ("http://proxy.corp:3128/", "proxy.corp:3128", "http://proxy.corp:3128"),
        ("proxy.corp:3128", "proxy.corp:3128", "http://proxy.corp:3128"),
        ("http://proxy.corp", "proxy.corp:80", "http://proxy.corp:80"),
        ("http://[::1]:3128", "[::1]:3128", "http://[::1]:3128"),
    ],
)
def test_without_a_password(value: str, name: str, origin: str) -> None:
    proxy = parse_proxy(value)

    assert proxy is not None
    assert (proxy.name, proxy.origin, proxy.authorization) == (name, origin, "")


@pytest.mark.parametrize(
    ("userinfo", "pair"),
    [("me:secret", "me:secret"), ("me", "me:"), ("m%40e:p%3Ass%2F", "m@e:p:ss/"), ("%C3%A9:x", "é:x")],
)
def test_with_one(userinfo: str, pair: str) -> None:
    proxy = parse_proxy(f"http://{userinfo}@proxy.corp:3128")

    assert proxy is not None
    assert proxy.authorization == "Basic " + base64.b64encode(pair.encode()).decode()
    assert proxy.origin == "http://proxy.corp:3128"
    assert "secret" not in repr(proxy)


@pytest.mark.parametrize(
    "value",
    [
        "https://me:canary@proxy.corp:3128",
        "socks5://me:canary@proxy.corp:1080",
        "http://me:canary@proxy.corp:port",
        "http://me:canary@proxy.corp:99999",
        "http://me:canary@",
        "http://me:canary@proxy.corp/path",
        "http://me:canary@proxy.corp?query",
        "http://me:canary@[::1",
        "://",
    ],
)
def test_what_cannot_be_used_and_no_password_in_the_message(value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_proxy(value)

    assert caught.value.message.startswith("egress.proxy")
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("entries", "host", "direct"),
    [
        ([], "localhost", True),
        ([], "a.localhost", True),
        ([], "127.0.0.1", True),
        ([], "127.8.9.1", True),
        ([], "::1", True),
        ([], "10.0.0.1", False),
        ([], "api.example.com", False),
        (["LLM.example.com"], "llm.EXAMPLE.com.", True),
        (["llm.example.com"], "x.llm.example.com", False),
        ([".example.com"], "x.y.example.com", True),
        ([".example.com"], "example.com", True),
        (["*.example.com"], "x.example.com", True),
        ([".example.com"], "badexample.com", False),
        (["10.0.0.0/8", "fd00::/8"], "10.200.1.1", True),
        (["10.0.0.0/8", "fd00::/8"], "fd12::1", True),
        (["10.0.0.0/8"], "11.0.0.1", False),
        (["[2001:db8::1]"], "2001:db8::1", True),
        (["192.168.1.7"], "192.168.1.7", True),
    ],
)
def test_what_goes_past_the_proxy(entries: list[str], host: str, direct: bool) -> None:
    assert (host in Direct(entries)) is direct


@pytest.mark.parametrize("entry", ["", "*", "http://h", "h:80", "a b", "10.0.0.0/40", "ä.example"])
def test_an_exception_that_is_none(entry: str) -> None:
    with pytest.raises(ConfigError, match=r"egress\.no_proxy: .* is neither a host name nor a network"):
        Direct([entry])
