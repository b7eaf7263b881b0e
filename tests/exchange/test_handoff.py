"""The field that says where an intercepted request was going: what it says, and whom it convinces."""

from __future__ import annotations

import pytest

from ccproxy.exchange import handoff
from ccproxy.exchange.handoff import FIELD, Handoff
from ccproxy.exchange.http import Headers

NOTE = Handoff(scheme="https", host="api.test", port=443, http_version="2", run="a1", process='7 sh "ü"')
SECRET = "made-for-this-process"


def test_what_is_said_arrives_and_the_field_is_gone() -> None:
    value = handoff.field(NOTE, SECRET)
    headers = Headers([(b"Host", b"api.test"), (b"X-CCProxy-Handoff", value)])
    assert value.isascii()
    assert handoff.take(headers, SECRET) == NOTE
    assert headers.pairs == [(b"Host", b"api.test")]


@pytest.mark.parametrize(
    ("value", "secret"),
    [
        (handoff.field(NOTE, "guessed"), SECRET),
        (handoff.field(NOTE, ""), ""),
        (b"no json", SECRET),
        (b"{}", SECRET),
    ],
)
def test_what_proves_nothing_is_taken_out_too(value: bytes, secret: str) -> None:
    headers = Headers([(FIELD, value), (b"Host", b"x")])
    assert handoff.take(headers, secret) is None
    assert headers.pairs == [(b"Host", b"x")]


def test_most_requests_have_none() -> None:
    assert handoff.take(Headers([(b"Host", b"x")]), SECRET) is None
