"""What goes out: the same bytes but for what the route changes."""

from __future__ import annotations

import gzip
import json

import pytest

from ccproxy.errors import BadRequest
from ccproxy.exchange.http import Headers, Snapshot
from ccproxy.gateway.forward import document, edit, forward_headers, requested_model, set_model


def head(*pairs: tuple[str, str]) -> Headers:
    return Headers((name.encode(), value.encode()) for name, value in pairs)


def asked(body: bytes, headers: Headers | None = None) -> Snapshot:
    return Snapshot("POST", "http", "localhost", 80, b"/v1/messages", "1.1", headers or Headers(), body)


CLIENT = head(
    ("Host", "localhost"),
    ("X-First", "1"),
    ("Connection", "keep-alive, X-Hop"),
    ("X-Hop", "1"),
    ("Keep-Alive", "5"),
    ("TE", "trailers"),
    ("X-Forwarded-For", "10.0.0.1"),
    ("X-CCProxy-Hooks", "+a"),
    ("X-Api-Key", "mine"),
    ("Authorization", "Bearer mine"),
    ("Cookie", "a=b"),
    ("x-last", "2"),
)


def test_the_clients_own_credential_goes_along_where_it_is_asked_for() -> None:
    assert forward_headers(CLIENT, None) == head(
        ("X-First", "1"), ("X-Api-Key", "mine"), ("Authorization", "Bearer mine"), ("Cookie", "a=b"), ("x-last", "2")
    )


def test_a_browsers_cookies_stay() -> None:
    headers = Headers([*CLIENT, (b"Sec-Fetch-Site", b"same-origin")])
    assert b"cookie" not in forward_headers(headers, None)


def test_the_providers_credential_takes_the_place_of_the_clients() -> None:
    assert forward_headers(CLIENT, [(b"x-api-key", b"theirs"), (b"x-account", b"7")]) == head(
        ("X-First", "1"), ("x-api-key", "theirs"), ("x-account", "7"), ("x-last", "2")
    )


def test_without_a_place_the_credential_comes_last_and_companions_are_not_doubled() -> None:
    client = head(("X-Account", "forged"), ("A", "1"))
    sent = forward_headers(client, [(b"Authorization", b"Bearer t"), (b"x-account", b"7")])
    assert sent == head(("A", "1"), ("Authorization", "Bearer t"), ("x-account", "7"))


def test_a_provider_without_credential_gets_none() -> None:
    assert forward_headers(CLIENT, []) == head(("X-First", "1"), ("x-last", "2"))


def test_a_sentinel_anywhere_stays_here() -> None:
    assert forward_headers(head(("X-Odd", "x sk-ant-oat-ccproxy-demo"), ("A", "1")), []) == head(("A", "1"))


@pytest.mark.parametrize(
    ("body", "model"),
    [
        (b'{"a": {"model": "inner"}, "model": "outer"}', "outer"),
        (b'{"model": 5}', ""),
        (b"[]", ""),
        (b"nothing", ""),
        (b'{"model": "\xff"}', ""),
        (b'{"model": "a", "model": "b"}', "b"),
    ],
)
def test_requested_model(body: bytes, model: str) -> None:
    assert requested_model(asked(body)) == model


def test_requested_model_looks_into_compressed_bodies_and_shrugs_at_broken_ones() -> None:
    headers = head(("Content-Encoding", "gzip"))
    assert requested_model(asked(gzip.compress(b'{"model":"m"}'), headers)) == "m"
    assert requested_model(asked(b"no gzip", headers)) == ""


def test_a_body_is_looked_at_once_and_a_decompressed_one_is_not_kept() -> None:
    request = asked(b'{"model":"m"}')
    assert document(request) is document(request)
    packed = asked(gzip.compress(b'{"model":"m"}'), head(("Content-Encoding", "gzip")))
    assert document(packed).get("model") == "m"
    assert packed.document is None


def test_an_edit_leaves_the_body_it_was_told_about() -> None:
    request = asked(b'{"model":"m"}')
    known = document(request)
    assert set_model(Headers(), request.body or b"", "n", known) == b'{"model":"n"}'
    assert known.raw == b'{"model":"m"}' and not known.dirty


def test_an_edit_believes_nothing_of_another_body() -> None:
    other = document(asked(b'{"model":"other"}'))
    assert edit(Headers(), b'{"model":"m","x":1}', lambda body: body.delete("x") and None, other) == b'{"model":"m"}'


def test_set_model_changes_those_bytes_alone() -> None:
    headers = head(("Content-Length", "31"), ("A", "1"))
    assert (
        set_model(headers, b'{ "x":1.0, "model" : "old" , "y":[ ] }', "new")
        == b'{ "x":1.0, "model" : "new" , "y":[ ] }'
    )
    assert headers == head(("Content-Length", "38"), ("A", "1"))


def test_set_model_to_what_it_is_changes_nothing() -> None:
    headers = head(("Content-Length", "13"), ("Content-Encoding", "gzip"))
    packed = gzip.compress(b'{"model":"m"}')
    assert set_model(headers, packed, "m") is packed
    assert b"content-encoding" in headers


def test_a_compressed_body_that_changes_goes_out_plain() -> None:
    headers = head(("Content-Encoding", "gzip"), ("Content-Length", "99"))
    body = set_model(headers, gzip.compress(b'{"model":"m"}'), "n")
    assert json.loads(body) == {"model": "n"}
    assert headers == head(("Content-Length", str(len(body))))


@pytest.mark.parametrize(("encoding", "body"), [("", b"[1]"), ("gzip", b"broken")])
def test_set_model_refuses_what_it_cannot_change(encoding: str, body: bytes) -> None:
    with pytest.raises(BadRequest):
        set_model(head(("Content-Encoding", encoding)) if encoding else Headers(), body, "m")
