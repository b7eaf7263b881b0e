from __future__ import annotations

import json
from typing import Any

import pytest

from ccproxy.auth.codex import CLIENT_ID, ENDPOINT, CodexVendor, claims_of
from ccproxy.auth.config import CodexOAuth
from ccproxy.auth.document import Document
from ccproxy.testing import jwt

CLAIMS = "https://api.openai.com/auth"
NOW = 1_700_000_000.0


def document(
    *, access: dict[str, Any] | str | None = None, identity: dict[str, Any] | None = None, **more: Any
) -> Document:
    token = access if isinstance(access, str) else jwt(access or {"exp": NOW + 100})
    tokens = {"id_token": jwt(identity or {}), "access_token": token, "refresh_token": "r"}
    return Document(json.dumps({"auth_mode": "chatgpt", "tokens": tokens | more.pop("tokens", {}), **more}).encode())


@pytest.fixture
def vendor() -> CodexVendor:
    return CodexVendor(CodexOAuth())


def test_expiry_stands_in_the_token(vendor: CodexVendor) -> None:
    assert vendor.read(document()).expires == NOW + 100
    assert vendor.read(document(access="opaque")).expires is None


def test_a_login_is_renewed_after_eight_days_at_the_latest(vendor: CodexVendor) -> None:
    login = vendor.read(document(access="opaque", last_refresh="2023-11-06T22:13:20.5Z"))

    assert login.renew_by == NOW + 0.5
    assert vendor.read(document(last_refresh="yesterday")).renew_by is None
    assert vendor.read(document(last_refresh="2023-11-06T22:13:20")).renew_by == NOW


def test_the_account_comes_from_the_file_or_the_claims(vendor: CodexVendor) -> None:
    assert vendor.read(document(tokens={"account_id": "acc-1"})).companions == ((b"ChatGPT-Account-ID", b"acc-1"),)
    claims = {CLAIMS: {"chatgpt_account_id": "acc-2", "chatgpt_account_is_fedramp": True}}
    expected = ((b"ChatGPT-Account-ID", b"acc-2"), (b"X-OpenAI-Fedramp", b"true"))
    assert vendor.read(document(identity=claims)).companions == expected
    assert vendor.read(document(access=claims)).companions == expected
    assert vendor.read(document()).companions == ()
    assert vendor.read(document(tokens={"account_id": "a\nb"})).companions == ()


def test_an_api_key_is_no_login(vendor: CodexVendor) -> None:
    with pytest.raises(ValueError, match="an API key and no ChatGPT login"):
        vendor.read(Document(b'{"OPENAI_API_KEY":"sk-1","tokens":null}'))
    with pytest.raises(ValueError, match=r"tokens\.access_token"):
        vendor.read(Document(b'{"tokens":{}}'))


def test_the_request(vendor: CodexVendor) -> None:
    request = vendor.request(vendor.read(document()), scopes=True, timeout=3)

    assert (request.url, request.content_type) == (ENDPOINT, "application/json")
    assert json.loads(request.body) == {"client_id": CLIENT_ID, "grant_type": "refresh_token", "refresh_token": "r"}
    own = CodexVendor(CodexOAuth(endpoint="http://127.0.0.1:1/t", client_id="mine"))
    request = own.request(own.read(document()), scopes=True, timeout=3)
    assert (request.url, json.loads(request.body)["client_id"]) == ("http://127.0.0.1:1/t", "mine")


def test_only_what_came_is_replaced(vendor: CodexVendor) -> None:
    assert vendor.changes(document(), {"access_token": "b", "id_token": None}, NOW) == {
        "tokens.access_token": "b",
        "last_refresh": "2023-11-14T22:13:20.000000Z",
    }
    with pytest.raises(ValueError, match="no token"):
        vendor.changes(document(), {"id_token": ""}, NOW)


def test_what_is_final(vendor: CodexVendor) -> None:
    assert vendor.final(401, "")
    assert vendor.final(400, "refresh_token_reused")
    assert vendor.final(400, "invalid_grant")
    assert not vendor.final(400, "invalid_request")
    assert not vendor.final(503, "")


@pytest.mark.parametrize("token", ["", "a.b", "a.!!.c", "a.bm90anNvbg.c", "a.W10.c", "ä.ä.ä"])
def test_claims_of_what_is_no_token_are_none(token: str) -> None:
    assert claims_of(token) == {}


def test_nothing_more_is_needed(vendor: CodexVendor) -> None:
    vendor.prepare()
