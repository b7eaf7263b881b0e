"""`x-ccproxy-hooks`: what it says, and who may say it."""

from __future__ import annotations

import pytest

from ccproxy.errors import BadRequest, Forbidden
from ccproxy.exchange.exchange import Client
from ccproxy.exchange.http import Headers
from ccproxy.pipeline.overrides import Overrides, may, parse, wanted

LOCAL = Client("127.0.0.1", 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("+a,-b", Overrides(("a",), ("b",))),
        (" -b , +set-model,+a ", Overrides(("a", "set_model"), ("b",))),
        ("", None),
        (" , ", None),
    ],
)
def test_what_it_says(text: str, expected: Overrides | None) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a", "'a' is not \\+NAME or -NAME"),
        ("+a b", "is not"),
        ("+", "is not"),
        ("+a,-a", "a is switched both on and off"),
        (",".join(f"+h{number}" for number in range(40)), "more than 32"),
    ],
)
def test_what_cannot_be_read(text: str, says: str) -> None:
    with pytest.raises(BadRequest, match=says):
        parse(text)


@pytest.mark.parametrize(
    ("client", "allowed"),
    [
        (LOCAL, True),
        (Client("::1", 1), True),
        (Client("::ffff:127.0.0.1", 1), True),
        (Client("10.0.0.9", 1, key="team"), True),
        (Client("10.0.0.9", 1), False),
        (Client("", 0), False),
        (Client("127.0.0.1", 1, origin="http://app.example"), False),
        (Client("10.0.0.9", 1, key="team", origin="http://app.example"), False),
    ],
)
def test_who_may(client: Client, allowed: bool) -> None:
    assert may(client) is allowed


def test_several_fields_are_one_list() -> None:
    headers = Headers([(b"X-CCProxy-Hooks", b"+a"), (b"x-ccproxy-hooks", b"-b")])
    assert wanted(headers, LOCAL) == Overrides(("a",), ("b",))
    assert wanted(Headers(), Client("10.0.0.9", 1)) is None
    with pytest.raises(Forbidden, match="client key"):
        wanted(headers, Client("10.0.0.9", 1))
