from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from ccproxy.auth.anthropic import CLIENT_ID, ENDPOINT, AnthropicVendor, lock_folders
from ccproxy.auth.config import AnthropicOAuth
from ccproxy.auth.document import Document


def document(**login: Any) -> Document:
    return Document(
        json.dumps(
            {"claudeAiOauth": {"accessToken": "a", "refreshToken": "r", "expiresAt": 1_700_000_000_000, **login}}
        ).encode()
    )


def test_the_file_of_claude_code_is_read() -> None:
    login = AnthropicVendor(AnthropicOAuth()).read(document(scopes=["x", 1], clientId="theirs"))

    assert (login.access, login.refresh, login.expires) == ("a", "r", 1_700_000_000.0)
    assert (login.client_id, login.scopes) == ("theirs", ("x",))


def test_another_schema_is_read_by_its_paths() -> None:
    config = AnthropicOAuth(access_path="t", refresh_path="deep.r", expiry_path="deep.e")
    vendor = AnthropicVendor(config)
    file = Document(b'{"t":"a","deep":{"r":"r","e":1700000000}}')

    assert (vendor.read(file).access, vendor.read(file).refresh, vendor.read(file).expires) == ("a", "r", 1.7e9)
    assert vendor.changes(file, {"access_token": "b", "expires_in": 10, "refresh_token_expires_in": 5}, 1.7e9) == {
        "t": "b",
        "deep.e": 1_700_000_010,
    }


def test_the_request_is_json_with_the_public_client_unless_the_login_or_the_configuration_has_another() -> None:
    plain = AnthropicVendor(AnthropicOAuth())
    request = plain.request(plain.read(document(scopes=["a", "b"])), scopes=True, timeout=7.0)
    assert (request.url, request.content_type, request.timeout) == (ENDPOINT, "application/json", 7.0)
    assert json.loads(request.body) == {
        "grant_type": "refresh_token",
        "refresh_token": "r",
        "client_id": CLIENT_ID,
        "scope": "a b",
    }
    assert (
        json.loads(plain.request(plain.read(document(clientId="own")), scopes=False, timeout=1).body)["client_id"]
        == "own"
    )

    other = AnthropicVendor(
        AnthropicOAuth(endpoint="http://127.0.0.1:1/t", encoding="form", client_id="mine", client_secret="s")
    )
    request = other.request(other.read(document(clientId="own", scopes=["a"])), scopes=False, timeout=1)
    assert (request.url, request.content_type) == ("http://127.0.0.1:1/t", "application/x-www-form-urlencoded")
    assert parse_qs(request.body.decode()) == {
        "grant_type": ["refresh_token"],
        "refresh_token": ["r"],
        "client_id": ["mine"],
        "client_secret": ["s"],
    }
    assert "refresh_token" not in repr(request)


def test_the_answer_changes_what_it_names() -> None:
    vendor = AnthropicVendor(AnthropicOAuth())
    changes = vendor.changes(document(scopes=["a"]), {"access_token": "b", "expires_in": 10, "scope": "x y"}, 1.7e9)

    assert changes == {
        "claudeAiOauth.accessToken": "b",
        "claudeAiOauth.expiresAt": 1_700_000_010_000,
        "claudeAiOauth.scopes": ["x", "y"],
    }


def test_refusals_are_final_and_breakdowns_are_not() -> None:
    vendor = AnthropicVendor(AnthropicOAuth())

    assert vendor.final(400, "invalid_grant")
    assert vendor.final(403, "")
    assert not vendor.final(400, "invalid_scope")
    assert not vendor.final(429, "")
    assert not vendor.final(500, "")


def test_the_lock_folders_are_those_of_claude_code() -> None:
    assert lock_folders(Path("/h/.claude/.credentials.json")) == (
        Path("/h/.claude/.oauth_refresh.lock"),
        Path("/h/.claude.lock"),
    )
