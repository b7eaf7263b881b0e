"""Configured providers: what they speak, and how they send a credential."""

from __future__ import annotations

import pytest

from ccproxy.auth.base import Credential, StaticSource
from ccproxy.auth.pool import CredentialPool
from ccproxy.errors import CredentialError
from ccproxy.providers.base import Provider, bearer
from ccproxy.providers.config import ProviderConfig
from ccproxy.providers.registry import build_provider
from ccproxy.util.clock import FakeClock


def provider(**config: object) -> Provider:
    return build_provider("p", ProviderConfig(**config), None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("t", b"Bearer t"),
        ("sk-a.b_c~d+e/f==", b"Bearer sk-a.b_c~d+e/f=="),
        ("Bearer t", b"Bearer t"),
        ("bearer t", b"bearer t"),
        ("Basic dXNlcjpw", b"Basic dXNlcjpw"),
        ("k-1 x", b"Bearer k-1 x"),
    ],
)
def test_bearer_names_its_scheme_once(value: str, sent: bytes) -> None:
    assert bearer(value) == (b"Authorization", sent)


@pytest.mark.parametrize(
    ("kind", "credential", "fields"),
    [
        # the type's own field
        ("anthropic", Credential("k"), [(b"x-api-key", b"k")]),
        ("anthropic", Credential("sk-ant-api03-x"), [(b"x-api-key", b"sk-ant-api03-x")]),
        ("anthropic", Credential("sk-ant-oat01-x"), [(b"Authorization", b"Bearer sk-ant-oat01-x")]),
        ("openai", Credential("sk-x"), [(b"Authorization", b"Bearer sk-x")]),
        ("gemini", Credential("AIza"), [(b"x-goog-api-key", b"AIza")]),
        ("gemini", Credential("ya29.x"), [(b"Authorization", b"Bearer ya29.x")]),
        # the configured one
        ("anthropic", Credential("k", "authorization"), [(b"Authorization", b"Bearer k")]),
        ("anthropic", Credential("k", "Authorization"), [(b"Authorization", b"Bearer k")]),
        ("anthropic", Credential("sk-ant-oat01-x", "x-api-key"), [(b"x-api-key", b"sk-ant-oat01-x")]),
        ("openai", Credential("k", "api-key"), [(b"api-key", b"k")]),
        ("openai", Credential("Bearer k", "X-Other"), [(b"X-Other", b"Bearer k")]),
        # with companions behind it
        (
            "openai",
            Credential("k", "", ((b"acc", b"1"), (b"b", b""))),
            [(b"Authorization", b"Bearer k"), (b"acc", b"1"), (b"b", b"")],
        ),
    ],
)
def test_how_a_credential_is_sent(kind: str, credential: Credential, fields: list[tuple[bytes, bytes]]) -> None:
    assert provider(type=kind).credential_fields(credential) == fields


@pytest.mark.parametrize("value", ["a\r\nX: 1", "secret-ä", "\x00", "a\tb", "a\x7f", "\N{ZERO WIDTH SPACE}secret"])
@pytest.mark.parametrize("header", ["", "authorization", "x-other"])
def test_what_cannot_stand_in_a_header_is_refused_without_being_quoted(value: str, header: str) -> None:
    with pytest.raises(CredentialError, match="provider 'p'") as refused:
        provider(type="anthropic").credential_fields(Credential(value, header))
    assert value not in str(refused.value)
    assert "secret" not in str(refused.value)


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
        ({"type": "openai", "base_url": "http://h:443"}, "http://h:443"),
        ({"type": "openai", "host": "h:8443"}, "https://h:8443"),
    ],
)
def test_origin(config: dict[str, object], origin: str) -> None:
    assert provider(**config).origin == origin


def test_representations_hold_no_secret() -> None:
    credential = Credential("the-secret", companions=((b"a", b"the-secret"),))
    built = build_provider(
        "p", ProviderConfig(type="openai"), CredentialPool([StaticSource(credential)], clock=FakeClock())
    )
    assert "the-secret" not in repr(built) + repr(credential)
