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
