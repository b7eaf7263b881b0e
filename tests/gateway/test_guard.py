"""Who may use the listener."""

from __future__ import annotations

import json

import pytest
from rig import rig

from ccproxy.errors import BadRequest, CCProxyError, Forbidden
from ccproxy.exchange.http import Headers
from ccproxy.gateway.config import GatewayConfig
from ccproxy.gateway.guard import Guard

GUARD = Guard(hosts=frozenset({"proxy.team"}), origins=frozenset({"https://app.team"}), client_keys={})


def head(*pairs: tuple[str, str]) -> Headers:
    return Headers((name.encode(), value.encode("latin-1")) for name, value in pairs)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:4000",
        "127.0.0.1:4000",
        "[::1]:4000",
        "app.localhost:1",
        "192.168.1.7:4000",
        "proxy.team",
        "Proxy.Team:4000",
        "localhost.",
    ],
)
def test_own_names_and_addresses_are_served(host: str) -> None:
    GUARD.check_host(head(("Host", host)), "1.1")


@pytest.mark.parametrize(
    ("host", "error"),
    [
        ("evil.example", Forbidden),
        ("localhost.evil.example", Forbidden),
        ("127.0.0.1.evil.example:4000", Forbidden),
        ("proxy.team.evil", Forbidden),
        ("", BadRequest),
        ("a b", BadRequest),
        ("localhost:99999999", BadRequest),
        ("user@localhost", BadRequest),
        ("localhost/path", BadRequest),
        ("[::1", BadRequest),
        ("löcalhost", BadRequest),
    ],
)
def test_foreign_and_malformed_hosts_are_not(host: str, error: type[CCProxyError]) -> None:
    with pytest.raises(error):
        GUARD.check_host(head(("Host", host)), "1.1")


def test_exactly_one_host_is_needed_except_from_http_1_0() -> None:
    GUARD.check_host(head(), "1.0")
    for headers in (head(), head(("Host", "localhost"), ("host", "localhost"))):
        with pytest.raises(BadRequest):
            GUARD.check_host(headers, "1.1")


@pytest.mark.parametrize("origin", ["https://app.team", "http://localhost:4000"])
def test_allowed_origins(origin: str) -> None:
    assert GUARD.check_origin(head(("Host", "localhost:4000"), ("Origin", origin))) == origin


@pytest.mark.parametrize(
    "fields",
    [
        [("Origin", "http://evil.example")],
        [("Origin", "null")],
        [("Origin", "http://localhost:3000")],
        [("Origin", "https://app.team.evil")],
        [("Sec-Fetch-Site", "cross-site")],
        [("Sec-Fetch-Site", "same-site")],
    ],
)
def test_other_pages_may_not_spend_the_users_tokens(fields: list[tuple[str, str]]) -> None:
    with pytest.raises(Forbidden):
        GUARD.check_origin(head(("Host", "localhost:4000"), *fields))


@pytest.mark.parametrize("fields", [[], [("Sec-Fetch-Site", "none")], [("Sec-Fetch-Site", "same-origin")]])
def test_what_is_no_foreign_page_passes(fields: list[tuple[str, str]]) -> None:
    assert GUARD.check_origin(head(("Host", "localhost:4000"), *fields)) == ""


@pytest.mark.parametrize("path", ["/v1/messages", "/health", "/v1/models", "/anything"])
async def test_every_path_is_guarded(path: str) -> None:
    async with rig() as r:
        for field in ("Host: evil.example\r\n", f"Host: localhost:{r.port}\r\nOrigin: http://evil.example\r\n"):
            answer = await r.raw(f"GET {path} HTTP/1.1\r\n{field}\r\n".encode())
            assert answer.status == 403
        assert r.provider.requests == []


KEY = "k3y-of-alice-0123456789"


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ([("x-api-key", "sk-ant-oat-ccproxy-anthropic")], 401),
        ([("x-api-key", "sk-ant-oat-ccproxy-anthropic"), ("x-ccproxy-key", "wrong")], 401),
        ([("x-api-key", "sk-ant-oat-ccproxy-anthropic.wrong")], 401),
        ([("x-api-key", "sk-ant-oat-ccproxy-anthropic"), ("X-CCProxy-Key", KEY)], 200),
        ([("x-api-key", f"sk-ant-oat-ccproxy-anthropic.{KEY}")], 200),
        ([("authorization", f"Bearer sk-ant-oat-ccproxy-anthropic.{KEY}")], 200),
    ],
)
async def test_client_keys(fields: list[tuple[str, str]], status: int) -> None:
    async with rig(config=GatewayConfig(client_keys={"alice": KEY, "bob": "k3y-of-bob-0123456789ab"})) as r:
        answer = await r.request(
            "POST", "/v1/messages", b'{"model":"m"}', [("Content-Type", "application/json"), *fields]
        )
        assert answer.status == status
        flow = await r.flow()
        if status == 200:
            assert flow.client_key == "alice"
            assert KEY.encode() not in r.provider.requests[0].raw
        else:
            assert json.loads(answer.body)["error"]["type"] == "authentication_error"
            assert r.provider.requests == []
        assert KEY not in repr(flow)
