"""Provider types and configured providers."""

from __future__ import annotations

import pytest

from ccproxy.auth.base import Credential
from ccproxy.errors import CredentialError
from ccproxy.providers.base import Provider, bearer
from ccproxy.providers.config import ProviderConfig
from ccproxy.providers.registry import build_provider


def provider(**config: object) -> Provider:
    return build_provider("p", ProviderConfig(**config), None)  # type: ignore[arg-type]


def test_bearer_names_its_scheme_once() -> None:
    assert bearer("t") == (b"Authorization", b"Bearer t")
    assert bearer("bearer t") == (b"Authorization", b"bearer t")


@pytest.mark.parametrize(
    ("credential", "fields"),
    [
        (Credential("k"), [(b"x-api-key", b"k")]),
        (Credential("sk-ant-oat01-x"), [(b"Authorization", b"Bearer sk-ant-oat01-x")]),
        (Credential("k", "authorization"), [(b"Authorization", b"Bearer k")]),
        (Credential("k", "X-Other"), [(b"X-Other", b"k")]),
        (Credential("k", "api-key", ((b"acc", b"1"),)), [(b"api-key", b"k"), (b"acc", b"1")]),
    ],
)
def test_how_a_credential_is_sent(credential: Credential, fields: list[tuple[bytes, bytes]]) -> None:
    assert provider(type="anthropic").credential_fields(credential) == fields


@pytest.mark.parametrize("value", ["a\r\nX: 1", "ä", "\x00"])
def test_what_cannot_stand_in_a_header_is_refused_without_being_quoted(value: str) -> None:
    with pytest.raises(CredentialError) as refused:
        provider(type="anthropic").credential_fields(Credential(value))
    assert value not in str(refused.value)


def test_what_it_speaks() -> None:
    assert provider(type="openai").speaks("openai_responses")
    assert not provider(type="anthropic").speaks("openai")
    assert provider(type="demo").speaks("gemini")
    assert (provider(type="openai").dialect, provider(type="demo").dialect) == ("openai", "")


@pytest.mark.parametrize(
    ("config", "origin"),
    [
        ({"type": "anthropic"}, "https://api.anthropic.com"),
        ({"type": "openai", "base_url": "http://[::1]:80"}, "http://[::1]"),
        ({"type": "openai", "host": "h:8443"}, "https://h:8443"),
    ],
)
def test_origin(config: dict[str, object], origin: str) -> None:
    assert provider(**config).origin == origin
