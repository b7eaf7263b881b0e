"""The live state of one request."""

from __future__ import annotations

from ccproxy.exchange.exchange import Client, Exchange, Timings, new_id
from ccproxy.exchange.http import Headers, Snapshot


def exchange() -> Exchange:
    return Exchange("i", Client("a", 1), Snapshot("GET", "http", "h", 1, b"/", "1.1"), Timings())


def test_ids_are_short_and_do_not_repeat() -> None:
    ids = {new_id() for _ in range(10_000)}
    assert len(ids) == 10_000
    assert all(len(each) == 12 and int(each, 16) >= 0 and each == each.lower() for each in ids)


def test_secrets_stay_out_of_representations() -> None:
    live = exchange()
    live.secrets.add("the-secret")
    live.request.headers = Headers([(b"x-api-key", b"the-secret")])
    assert "the-secret" not in repr(live)


def test_exchanges_share_nothing() -> None:
    one, other = exchange(), exchange()
    one.secrets.add("s")
    one.request.headers.add(b"a", b"1")
    assert (other.secrets, other.request.headers, other.outcome) == (set(), Headers(), "pending")
