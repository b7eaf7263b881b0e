"""How Anthropic likes its credentials."""

from __future__ import annotations

from ccproxy.auth.base import Credential
from ccproxy.providers.base import Field
from ccproxy.providers.kinds.anthropic import TYPES, amend, credential_field


def test_login_tokens_and_api_keys_go_into_different_fields() -> None:
    assert credential_field("sk-ant-oat01-t") == (b"Authorization", b"Bearer sk-ant-oat01-t")
    assert credential_field("sk-ant-api03-k") == (b"x-api-key", b"sk-ant-api03-k")
    assert credential_field("another-key") == (b"x-api-key", b"another-key")


def test_the_compatible_services_are_one_dialect() -> None:
    assert {kind.dialects for kind in TYPES} == {("anthropic",)}


LOGIN = Credential("sk-ant-oat01-x")


def amended(*fields: Field, credential: Credential = LOGIN) -> tuple[list[Field], int]:
    found = list(fields)
    return found, len(amend(found, credential))


def test_the_beta_of_a_login_is_added_once_where_betas_stand() -> None:
    assert amended((b"A", b"1")) == ([(b"A", b"1"), (b"anthropic-beta", b"oauth-2025-04-20")], 1)
    assert amended((b"Anthropic-Beta", b"own-1, own-2"), (b"B", b"2")) == (
        [(b"Anthropic-Beta", b"own-1, own-2,oauth-2025-04-20"), (b"B", b"2")],
        1,
    )
    assert amended((b"anthropic-beta", b"")) == ([(b"anthropic-beta", b"oauth-2025-04-20")], 1)


def test_one_that_is_named_stays_where_it_is() -> None:
    for value in (b"oauth-2025-04-20", b"a, oauth-2025-04-20 ,b"):
        assert amended((b"anthropic-beta", value)) == ([(b"anthropic-beta", value)], 0)
    two = (b"anthropic-beta", b"a"), (b"anthropic-beta", b"oauth-2025-04-20")
    assert amended(*two) == (list(two), 0)


def test_a_key_needs_none() -> None:
    assert amended((b"A", b"1"), credential=Credential("sk-ant-api03-x")) == ([(b"A", b"1")], 0)
