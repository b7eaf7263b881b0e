"""The live state of one request."""

from __future__ import annotations

from ccproxy.exchange.exchange import Client, Exchange, Timings, new_id
from ccproxy.exchange.http import Snapshot


def test_ids_are_short_and_do_not_repeat() -> None:
    ids = {new_id() for _ in range(10_000)}
    assert len(ids) == 10_000
    assert all(len(each) == 12 and int(each, 16) >= 0 for each in ids)


def test_secrets_stay_out_of_representations() -> None:
    exchange = Exchange("i", Client("a", 1), Snapshot("GET", "http", "h", 1, b"/", "1.1"), Timings())
    exchange.secrets.add("the-secret")
    assert "the-secret" not in repr(exchange)
    assert exchange.outcome == "pending"
