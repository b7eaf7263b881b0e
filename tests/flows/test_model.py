"""What a flow says about itself."""

from __future__ import annotations

import pytest

from ccproxy.flows.model import RequestRecord


@pytest.mark.parametrize(
    ("scheme", "host", "port", "url"),
    [
        ("https", "api.example.com", 443, "https://api.example.com/v1?x=1"),
        ("https", "api.example.com", 8443, "https://api.example.com:8443/v1?x=1"),
        ("http", "localhost", 80, "http://localhost/v1?x=1"),
        ("http", "localhost", 443, "http://localhost:443/v1?x=1"),
        ("http", "::1", 4000, "http://[::1]:4000/v1?x=1"),
    ],
)
def test_a_url_names_the_port_only_where_it_has_to(scheme: str, host: str, port: int, url: str) -> None:
    assert RequestRecord([], b"", 0, scheme=scheme, host=host, port=port, target="/v1?x=1").url == url


def test_the_first_header_of_a_name_in_any_case() -> None:
    record = RequestRecord([("X-One", "1"), ("x-one", "2"), ("other", "3")], b"", 0)
    assert (record.header("x-one"), record.header("other"), record.header("absent")) == ("1", "3", "")
