"""The token endpoint of the kit: what vendors do with logins, good and bad."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ccproxy.auth.codex import claims_of
from ccproxy.testing import FakeProvider, Gate, TokenEndpoint, jwt

from .raw import ask, connected, get, post


async def renew(
    endpoint: TokenEndpoint, provider: FakeProvider, refresh: str, *, form: bool = False
) -> tuple[int, Any]:
    body = f"grant_type=refresh_token&refresh_token={refresh}" if form else json.dumps({"refresh_token": refresh})
    kind = "application/x-www-form-urlencoded" if form else "application/json"
    answer = await ask(provider, post("/oauth/token", body.encode(), f"Content-Type: {kind}"))
    return answer.status, json.loads(answer.body) if answer.status != 502 else answer.body


@pytest.mark.parametrize("form", [False, True])
async def test_a_login_is_renewed_and_its_refresh_token_rotates(form: bool) -> None:
    async with FakeProvider() as provider:
        endpoint = TokenEndpoint(provider, lifetime=60)
        first = endpoint.sign_in()
        status, answer = await renew(endpoint, provider, first.refresh, form=form)

        assert status == 200
        assert endpoint.current is not None
        assert (answer["access_token"], answer["refresh_token"]) == (endpoint.current.access, endpoint.current.refresh)
        assert answer["expires_in"] == 60
        assert len({first.access, first.refresh, endpoint.current.access, endpoint.current.refresh}) == 4
        assert [fields["refresh_token"] for fields in endpoint.renewals] == [first.refresh]
        assert endpoint.url.endswith("/oauth/token")


async def test_an_old_refresh_token_ends_the_login() -> None:
    async with FakeProvider() as provider:
        endpoint = TokenEndpoint(provider)
        first = endpoint.sign_in()
        _, answer = await renew(endpoint, provider, first.refresh)

        assert (await renew(endpoint, provider, first.refresh))[0] == 400
        assert (await renew(endpoint, provider, answer["refresh_token"]))[0] == 400


async def test_what_does_not_rotate_can_be_used_again() -> None:
    async with FakeProvider() as provider:
        endpoint = TokenEndpoint(provider, rotate=False)
        login = endpoint.sign_in()

        for _ in range(2):
            status, answer = await renew(endpoint, provider, login.refresh)
            assert status == 200
            assert "refresh_token" not in answer


async def test_down_and_revoked_and_slow() -> None:
    async with FakeProvider() as provider:
        endpoint = TokenEndpoint(provider)
        login = endpoint.sign_in()
        endpoint.down = 502
        assert (await renew(endpoint, provider, login.refresh))[0] == 502
        endpoint.down, gate = None, Gate()
        endpoint.gate = gate
        async with connected(provider) as wire:
            wire.send(
                post(
                    "/oauth/token",
                    json.dumps({"refresh_token": login.refresh}).encode(),
                    "Content-Type: application/json",
                )
            )
            await provider.wait_for_request(1)
            gate.open()
            assert (await wire.answer()).status == 200
        endpoint.revoke()
        status, answer = await renew(endpoint, provider, login.refresh)
        assert (status, answer["error"]) == (400, "invalid_grant")


async def test_only_the_current_token_is_let_in() -> None:
    async with FakeProvider() as provider:
        endpoint = TokenEndpoint(provider)
        endpoint.protect("^/v1/models")
        endpoint.expire()
        login = endpoint.sign_in()

        async def status(token: str) -> int:
            return (await ask(provider, get("/v1/models", f"Authorization: Bearer {token}"))).status

        assert await status(login.access) == 200
        assert await status("another") == 401
        endpoint.expire()
        assert await status(login.access) == 401
        assert (await renew(endpoint, provider, login.refresh))[0] == 200


async def test_tokens_that_say_themselves_when_they_expire() -> None:
    async with FakeProvider() as provider:
        endpoint = TokenEndpoint(provider, jwt=True, claims={"exp": 5})
        login = endpoint.sign_in()
        _, answer = await renew(endpoint, provider, login.refresh)

        assert claims_of(answer["access_token"])["exp"] == 5
        assert "expires_in" not in answer
        assert claims_of(jwt({"a": 1})) == {"a": 1}
