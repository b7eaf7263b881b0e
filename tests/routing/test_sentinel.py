"""Finding the sentinel key, and taking credentials out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.errors import BadRequest
from ccproxy.exchange.http import Headers
from ccproxy.routing.sentinel import presented, strip_key

S = "sk-ant-oat-ccproxy-"


def head(*pairs: tuple[str, str]) -> Headers:
    return Headers((name.encode(), value.encode()) for name, value in pairs)


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        (head(("X-Api-Key", f"{S}p")), b""),
        (head(("Authorization", f"Bearer {S}p")), b""),
        (head(("authorization", f"bearer  {S}p ")), b""),
        (head(("authorization", f"{S}p")), b""),
        (head(("x-goog-api-key", f"{S}p")), b""),
        (head(("api-key", f"{S}p")), b""),
        (head(), f"key={S}p".encode()),
        (head(), b"alt=sse&key=sk%2Dant-oat-ccproxy-p&x=1"),
        (head(("x-api-key", f"{S}p"), ("authorization", f"Bearer {S}p")), b""),
        (head(("x-api-key", "own"), ("authorization", f"Bearer {S}p")), b""),
    ],
)
def test_it_is_found_wherever_it_stands(headers: Headers, query: bytes) -> None:
    found = presented(headers, query)
    assert (found.sentinel, found.client_key, found.own_credential) == ("p", "", False)


def test_a_client_key_follows_the_name() -> None:
    found = presented(head(("x-api-key", f"{S}p.team.key")), b"")
    assert (found.sentinel, found.client_key, found.secrets) == ("p", "team.key", ("team.key",))


def test_two_providers_cannot_be_meant() -> None:
    with pytest.raises(BadRequest, match="a, b"):
        presented(head(("x-api-key", f"{S}b"), ("api-key", f"{S}a")), b"")


@pytest.mark.parametrize(
    ("headers", "query", "secrets"),
    [
        (head(("x-api-key", "own-key")), b"", ("own-key",)),
        (head(("Authorization", "Bearer own-token")), b"", ("own-token",)),
        (head(("Authorization", "Basic dXNlcg==")), b"", ("Basic dXNlcg==",)),
        (head(), b"key=own-key", ("own-key",)),
        (head(("x-api-key", "")), b"", ()),
        (head(("content-type", "x")), b"monkey=1", ()),
    ],
)
def test_the_clients_own_credential(headers: Headers, query: bytes, secrets: tuple[str, ...]) -> None:
    found = presented(headers, query)
    assert (found.sentinel, found.secrets, found.own_credential) == (None, secrets, bool(secrets))


@pytest.mark.parametrize(
    ("query", "left"),
    [
        (b"", b""),
        (b"key=x", b""),
        (b"a=1&key=x&b=2", b"a=1&b=2"),
        (b"a=1&&monkey=2&c=", b"a=1&&monkey=2&c="),
        (b"other=sk-ant-oat-ccproxy-p&b=2", b"b=2"),
    ],
)
def test_strip_key(query: bytes, left: bytes) -> None:
    assert strip_key(query) == left


@given(st.lists(st.sampled_from([b"a=1", b"", b"b", b"alt=sse", b"key=s", b"x=%20+"]), max_size=6))
def test_strip_key_leaves_all_else(parts: list[bytes]) -> None:
    assert strip_key(b"&".join(parts)) == b"&".join(part for part in parts if not part.startswith(b"key="))
