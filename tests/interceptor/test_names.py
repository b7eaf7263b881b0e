"""Names resolve as they do on this machine."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from mitmproxy import dns
from mitmproxy.net.dns import response_codes, types
from mitmproxy.test import tflow

from ccproxy.interceptor.names import Names


@pytest.fixture
def names() -> Iterator[Names]:
    made = Names()
    yield made
    made.done()


def question(name: str, kind: int) -> dns.DNSFlow:
    flow = tflow.tdnsflow()
    flow.request.questions = [dns.Question(name, kind, dns.classes.IN)]
    return flow


async def test_an_address(names: Names) -> None:
    flow = question("localhost", types.A)
    await names.dns_request(flow)
    assert flow.response is not None
    assert [str(record.ipv4_address) for record in flow.response.answers] == ["127.0.0.1"]


async def test_a_literal_of_the_other_family_has_none(names: Names) -> None:
    assert await names.lookup("127.0.0.1", socket.AF_INET6) == []


async def test_a_name_that_cannot_be_one(names: Names) -> None:
    assert await names.lookup("x" * 70 + ".test", socket.AF_INET) == response_codes.NXDOMAIN


async def test_other_questions_are_left_to_others(names: Names) -> None:
    flow = question("localhost", types.MX)
    await names.dns_request(flow)
    assert flow.response is None


async def test_what_is_answered_stays(names: Names) -> None:
    flow = question("localhost", types.A)
    flow.response = before = flow.request.succeed([])
    await names.dns_request(flow)
    assert flow.response is before
