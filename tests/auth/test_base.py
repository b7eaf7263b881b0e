"""What a credential is."""

from __future__ import annotations

from ccproxy.auth.base import Credential, CredentialSource, StaticSource


async def test_a_fixed_source_gives_what_it_has() -> None:
    source: CredentialSource = StaticSource(Credential("value"))
    assert (await source.get()).value == (await source.refresh()).value == "value"


def test_secrets_stay_out_of_representations() -> None:
    shown = repr(Credential("the-secret", "x-api-key", ((b"account", b"the-account"),)))
    assert "the-secret" not in shown
    assert "the-account" not in shown
