"""Finding the sentinel key, and taking credentials out."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.errors import BadRequest
from ccproxy.exchange.http import Headers
from ccproxy.routing.sentinel import CREDENTIAL_NAMES, PREFIX, Presented, presented, strip_credentials, strip_key

S = "sk-ant-oat-ccproxy-"


def head(*pairs: tuple[str, str]) -> Headers:
    return Headers((name.encode(), value.encode()) for name, value in pairs)


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        # each of the five places
        (head(("X-Api-Key", f"{S}p")), b""),
        (head(("Authorization", f"Bearer {S}p")), b""),
        (head(("x-goog-api-key", f"{S}p")), b""),
        (head(("api-key", f"{S}p")), b""),
        (head(), f"key={S}p".encode()),
        # the forms of an Authorization
        (head(("authorization", f"{S}p")), b""),
        (head(("authorization", f"bearer {S}p")), b""),
        (head(("AUTHORIZATION", f"bEaReR   {S}p  ")), b""),
        (head(("authorization", f"Bearer\t{S}p")), b""),
        (head(("authorization", f"Token {S}p")), b""),
        # Bearer where a client puts it without need
        (head(("x-api-key", f"Bearer {S}p")), b""),
        # the forms of a query
        (head(), b"alt=sse&key=sk%2Dant-oat-ccproxy-p&x=1"),
        (head(), f"alt=sse&&key={S}p&".encode()),
        # several places
        (head(("x-api-key", f"{S}p"), ("authorization", f"Bearer {S}p")), f"key={S}p".encode()),
        (head(("x-api-key", f"{S}p"), ("x-api-key", f"{S}p")), b""),
    ],
)
def test_it_is_found_wherever_it_stands(headers: Headers, query: bytes) -> None:
    assert presented(headers, query) == Presented("p", "", ())


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        (head(("x-api-key", "own-key"), ("authorization", f"Bearer {S}p")), b""),
        (head(("x-api-key", f"{S}p"), ("authorization", "Bearer own-key")), b""),
        (head(("x-goog-api-key", f"{S}p")), b"key=own-key"),
        (head(("x-api-key", "own-key"), ("x-api-key", f"{S}p")), b""),
    ],
)
def test_it_stands_above_a_credential_of_ones_own_which_stays_a_secret(headers: Headers, query: bytes) -> None:
    found = presented(headers, query)
    assert found == Presented("p", "", ("own-key",))
    assert not found.own_credential


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        (head(("x-api-key", f"{S}p.team.key")), b""),
        (head(("authorization", f"Bearer {S}p.team.key")), b""),
        (head(), f"key={S}p.team%2Ekey".encode()),
        (head(("x-api-key", f"{S}p"), ("api-key", f"{S}p.team.key")), b""),
        (head(("x-api-key", f"{S}p.team.key"), ("api-key", f"{S}p")), b""),
    ],
)
def test_a_client_key_follows_the_name(headers: Headers, query: bytes) -> None:
    assert presented(headers, query) == Presented("p", "team.key", ("team.key",))


def test_two_providers_cannot_be_meant() -> None:
    with pytest.raises(BadRequest, match=r"several providers: a, b$") as refused:
        presented(head(("x-api-key", f"{S}b.secret"), ("api-key", f"{S}a")), b"")
    assert "secret" not in str(refused.value)
    with pytest.raises(BadRequest):
        presented(head(("x-api-key", f"{S}a")), f"key={S}b".encode())


@pytest.mark.parametrize(
    ("headers", "query", "secrets"),
    [
        (head(("x-api-key", "own-key")), b"", ("own-key",)),
        (head(("Authorization", "Bearer own-token")), b"", ("own-token",)),
        (head(("Authorization", "Basic dXNlcg==")), b"", ("Basic dXNlcg==",)),
        (head(("Authorization", "Bearer a"), ("x-api-key", "b")), b"key=c%2F", ("b", "a", "c/")),
        (head(), b"key=own-key", ("own-key",)),
        (head(("x-api-key", "sk-ant-oat01-login")), b"", ("sk-ant-oat01-login",)),
        (head(("x-api-key", "ä")), b"", ("Ã¤",)),
        # nothing that could be one
        (head(("x-api-key", "")), b"key=", ()),
        (head(("authorization", "Bearer")), b"", ()),
        (head(("authorization", " bearer ")), b"", ()),
        (head(("content-type", "x"), ("x-key", "k")), b"monkey=1&xkey=2&key", ()),
        (head(("x-ccproxy-key", f"{S}p")), b"", ()),
    ],
)
def test_the_clients_own_credential(headers: Headers, query: bytes, secrets: tuple[str, ...]) -> None:
    found = presented(headers, query)
    assert found == Presented(None, "", secrets)
    assert found.own_credential == bool(secrets)


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        (head(("X-Token", f"{S}p.team.key")), b""),
        (head(("cookie", f"a=1; session={S}p.team.key; b=2")), b""),
        (head(("x-api-key", f'my "{S}p.team.key"')), b""),
        (head(), f"api_key={S}p.team.key&a=1".encode()),
        (head(), b"a=1&k=sk%2Dant-oat-ccproxy-p.team%2Ekey"),
        (head(("X-Token", f"{S}p.team.key"), ("X-Other", f"{S}other")), b""),
    ],
)
def test_elsewhere_in_the_head_it_counts_too_since_it_must_not_leave(headers: Headers, query: bytes) -> None:
    found = presented(headers, query)
    assert (found.sentinel, found.client_key) == ("p", "team.key")
    assert "team.key" in found.secrets
    assert S.encode() not in b"".join(value for _, value in strip_credentials(headers)) + unquote_to_bytes(
        strip_key(query)
    )


def test_one_in_its_place_stands_above_one_elsewhere() -> None:
    headers = head(("X-Token", f"{S}other"), ("x-api-key", f"{S}p"))
    assert presented(headers, f"a={S}another".encode()) == Presented("p", "", ())


def test_a_sentinel_without_a_name_is_still_one() -> None:
    assert presented(head(("x-api-key", S)), b"").sentinel == ""


@pytest.mark.parametrize(
    ("query", "left"),
    [
        (b"", b""),
        (b"key=x", b""),
        (b"key=", b""),
        (b"a=1&key=x&b=2", b"a=1&b=2"),
        (b"key=x&a&key=y", b"a"),
        (b"a=1&&monkey=2&c=&xkey=1&key", b"a=1&&monkey=2&c=&xkey=1&key"),
        (b"a=%20+%zz&b=\xff", b"a=%20+%zz&b=\xff"),
        (b"other=sk-ant-oat-ccproxy-p&b=2", b"b=2"),
        (b"other=sk%2Dant%2doat-ccproxy-p&b=%2D", b"b=%2D"),
    ],
)
def test_strip_key(query: bytes, left: bytes) -> None:
    assert strip_key(query) == left


@given(st.lists(st.sampled_from([b"a=1", b"", b"b", b"alt=sse", b"key=s", b"x=%20+", b"%6Bey=1", b"=", b"\xff"])))
def test_strip_key_leaves_all_else(parts: list[bytes]) -> None:
    assert strip_key(b"&".join(parts)) == b"&".join(part for part in parts if not part.startswith(b"key="))


@given(st.binary(max_size=40))
def test_strip_key_leaves_any_other_bytes(query: bytes) -> None:
    assert strip_key(query) == query or b"key=" in query or PREFIX in unquote_to_bytes(query)


def test_strip_credentials_leaves_all_else_in_its_place() -> None:
    pairs = [
        ("Accept", "a"),
        ("X-API-Key", "own"),
        ("authorization", "Bearer own"),
        ("accept", "b"),
        ("Cookie", "session=1"),
        ("X-Custom", f"see {S}p"),
        ("x-goog-user-project", "p"),
        ("ChatGPT-Account-ID", "a"),
        ("X-Empty", ""),
    ]
    left = strip_credentials(head(*pairs))
    assert left == head(("Accept", "a"), ("accept", "b"), ("X-Empty", ""))
    assert {name.lower().encode() for name, _ in pairs} >= CREDENTIAL_NAMES - {b"x-goog-api-key", b"api-key"}
