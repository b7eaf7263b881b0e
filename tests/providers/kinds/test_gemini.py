"""How Google likes its credentials."""

from __future__ import annotations

from ccproxy.providers.kinds.gemini import credential_field


def test_access_tokens_and_api_keys_go_into_different_fields() -> None:
    assert credential_field("ya29.token") == (b"Authorization", b"Bearer ya29.token")
    assert credential_field("AIzaKey") == (b"x-goog-api-key", b"AIzaKey")
