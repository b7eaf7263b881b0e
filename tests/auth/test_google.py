from __future__ import annotations

from urllib.parse import parse_qs

import pytest

from ccproxy.auth.config import GoogleOAuth
from ccproxy.auth.discover import OAuthClient
from ccproxy.auth.document import Document
from ccproxy.auth.google import ENDPOINT, GoogleVendor
from ccproxy.errors import CredentialError

FILE = Document(
    b'{"access_token":"ya29.a","refresh_token":"1//r","expiry_date":1700000000000,"id_token":"i","scope":"s","token_type":"Bearer"}'
)


def vendor(client: OAuthClient | None = None, **config: str) -> GoogleVendor:
    return GoogleVendor(GoogleOAuth(**config), discover=lambda: client, provider="g")  # type: ignore[arg-type]


def test_the_file_of_gemini_cli_is_read() -> None:
    login = vendor().read(FILE)

    assert (login.access, login.refresh, login.expires) == ("ya29.a", "1//r", 1.7e9)
    with pytest.raises(ValueError, match="no access token at access_token"):
        vendor().read(Document(b"{}"))


@pytest.mark.parametrize(
    "renewer", [vendor(OAuthClient("id-1", "secret-1")), vendor(client_id="id-1", client_secret="secret-1")]
)
def test_it_is_renewed_by_the_client_that_was_found_or_configured(renewer: GoogleVendor) -> None:
    renewer.prepare()
    request = renewer.request(renewer.read(FILE), scopes=True, timeout=2)

    assert (request.url, request.content_type) == (ENDPOINT, "application/x-www-form-urlencoded")
    assert parse_qs(request.body.decode()) == {
        "grant_type": ["refresh_token"],
        "refresh_token": ["1//r"],
        "client_id": ["id-1"],
        "client_secret": ["secret-1"],
    }


def test_without_a_client_it_says_where_to_get_one() -> None:
    with pytest.raises(CredentialError, match="no OAuth client") as caught:
        vendor().prepare()
    assert "providers.g.auth.client_id" in caught.value.hint


def test_the_answer_keeps_the_refresh_token_and_takes_what_it_brings() -> None:
    assert vendor().changes(
        FILE, {"access_token": "ya29.b", "expires_in": 10, "id_token": "j", "scope": ""}, 1.7e9
    ) == {
        "access_token": "ya29.b",
        "expiry_date": 1_700_000_010_000,
        "id_token": "j",
    }


def test_siblings_are_found_beside_a_nested_token() -> None:
    nested = vendor(access_path="google.access", refresh_path="google.refresh", expiry_path="google.expiry")

    assert "google.scope" in nested.changes(Document(b"{}"), {"access_token": "b", "expires_in": 1, "scope": "s"}, 1.0)


def test_what_is_final() -> None:
    assert vendor().final(400, "invalid_grant")
    assert not vendor().final(500, "")
