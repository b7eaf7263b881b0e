"""What the gateway answers itself."""

from __future__ import annotations

import json

import pytest
from rig import rig

from ccproxy.gateway.config import GatewayConfig
from ccproxy.providers.config import ProviderConfig
from ccproxy.testing import Reply, Send


@pytest.mark.parametrize("path", ["/health", "/healthz"])
async def test_health_needs_no_key_and_is_not_recorded(path: str) -> None:
    async with rig(config=GatewayConfig(client_keys={"a": "k3y-of-alice-0123456789"})) as r:
        answer = await r.request("GET", path)
        assert (answer.status, json.loads(answer.body)) == (200, {"status": "ok"})
        assert r.store.flows == []


TYPES = {"local": ProviderConfig(type="openai", base_url="http://127.0.0.1:9", models=["m1", "m2"])}


@pytest.mark.parametrize(
    ("target", "fields", "read"),
    [
        ("/v1/models", [], lambda d: {(m["id"], m["owned_by"]) for m in d["data"]}),
        (
            "/v1/models?limit=9",
            [("anthropic-version", "2023-06-01")],
            lambda d: {(m["id"], m["display_name"].partition(" (")[2].rstrip(")")) for m in d["data"]},
        ),
        (
            "/v1beta/models?key=sk-ant-oat-ccproxy-demo",
            [],
            lambda d: {(m["name"][7:], m["displayName"].partition(" (")[2].rstrip(")")) for m in d["models"]},
        ),
    ],
)
async def test_models_in_the_clients_dialect(target: str, fields: list[tuple[str, str]], read: object) -> None:
    async with rig(types=TYPES) as r:
        answer = await r.request("GET", target, None, fields)
        assert answer.status == 200
        listed = read(json.loads(answer.body))  # type: ignore[operator]
        assert {("m1", "local"), ("m2", "local"), ("demo-1", "demo"), ("anthropic", "anthropic")} <= listed
        flow = await r.flow()
        assert (flow.action, flow.reason, flow.outcome) == ("local", "model list", "complete")
        assert answer.headers["x-ccproxy-flow"] == flow.id
        assert r.provider.requests == []


async def test_a_client_with_its_own_credential_gets_its_providers_list() -> None:
    async with rig() as r:
        r.provider.reply(Reply(body=[Send(b'{"data":[]}')]))
        answer = await r.request("GET", "/v1/models", None, [("Authorization", "Bearer own")])
        assert answer.body == b'{"data":[]}'
        assert len(r.provider.requests) == 1


PAGE = ("Origin", "https://app.example")


async def test_a_page_of_an_allowed_origin_may_ask_and_read() -> None:
    config = GatewayConfig(allowed_origins=["https://app.example"], client_keys={"a": "k3y-of-alice-0123456789"})
    async with rig(config=config) as r:
        asks = [
            PAGE,
            ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", "x-api-key,x-ccproxy-key"),
        ]
        answer = await r.request("OPTIONS", "/v1/messages", None, asks)
        assert answer.status == 204
        assert answer.headers["access-control-allow-origin"] == "https://app.example"
        assert answer.headers["access-control-allow-headers"] == "x-api-key,x-ccproxy-key"
        assert r.provider.requests == []
        r.provider.reply(Reply(headers=[("access-control-allow-origin", "*")], body=[Send(b"{}")]))
        fields = [PAGE, ("x-api-key", "sk-ant-oat-ccproxy-anthropic"), ("x-ccproxy-key", "k3y-of-alice-0123456789")]
        answer = await r.request("POST", "/v1/messages", b"{}", fields)
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, "https://app.example")
        answer = await r.request("POST", "/v1/messages", b"{}", [PAGE])
        assert answer.status == 401, "the question alone needs no key"


async def test_another_page_may_not_even_ask() -> None:
    async with rig() as r:
        asks = [PAGE, ("Access-Control-Request-Method", "POST")]
        answer = await r.request("OPTIONS", "/v1/messages", None, asks)
        assert answer.status == 403
        assert "access-control-allow-origin" not in answer.headers


async def test_options_of_a_client_that_is_no_page_goes_through() -> None:
    async with rig() as r:
        r.provider.reply(Reply(body=[Send(b"{}")]))
        answer = await r.request("OPTIONS", "/v1/messages", None, [("x-api-key", "own")])
        assert (answer.status, len(r.provider.requests)) == (200, 1)
