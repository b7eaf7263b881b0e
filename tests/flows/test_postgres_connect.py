"""An address shows no password, whatever goes wrong."""

from __future__ import annotations

import pytest

from ccproxy.errors import StoreError
from ccproxy.flows.postgres import connect


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://me:pa%2Fss@db.example:5433/flows?sslmode=require", "postgresql://me@db.example:5433/flows"),
        ("postgresql://db/flows", "postgresql://db/flows"),
        ("postgresql://me:x@[::1]:5/flows", "postgresql://me@[::1]:5/flows"),
        ("postgresql://me@/flows?host=/run/x&password=y", "postgresql://me@/flows"),
        ("postgresql://me:x@h:port/flows", "the database of flows.store"),
    ],
)
def test_an_address_for_people(url: str, expected: str) -> None:
    assert connect.shown(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:s3%2Fcret@h/x",
        "postgresql://me:s3/cret@h/x",
        "postgresql://me@h/x?password=s3%2Fcret",
        "postgresql://h/x?user=me&sslpassword=s3/cret",
        "postgresql://me:s3%2Fcret@h:port/x",
    ],
)
def test_a_password_is_hidden_however_it_is_written(url: str) -> None:
    text = f"in {url} the password s3/cret or s3%2Fcret"
    assert "cret" not in connect.hidden(text, url)
    assert "cret" not in connect.problem(Exception(text), url)
    assert "cret" not in connect.problem(StoreError(text), url)


class _Refused(Exception):
    sqlstate = "28P01"


class _Denied(Exception):
    sqlstate = "42501"


def test_what_is_wrong_is_said_with_what_to_do() -> None:
    url = "postgresql://me:x@h/flows"
    assert connect.problem(_Refused("no"), url).startswith("the flow store postgresql://me@h/flows refuses the user")
    assert "schema" in connect.problem(_Denied("permission denied"), url)
    assert connect.problem(OSError("a\nb"), url) == "the flow store postgresql://me@h/flows cannot be used: a b"


def test_an_address_that_is_none_is_not_quoted() -> None:
    psycopg = connect.driver()
    url = "postgresql://me:s3cret@h:port:x/flows"
    with pytest.raises(psycopg.Error) as caught:
        connect.connect(url)
    assert "s3cret" not in connect.problem(caught.value, url)
