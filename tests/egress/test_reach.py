"""Whether providers can be reached, without asking them anything."""

from __future__ import annotations

import pytest

from ccproxy.auth.base import Credential
from ccproxy.egress.reach import Reach, unreachable
from ccproxy.egress.sender import Candidate, Sender
from ccproxy.egress.transport import UpstreamRequest
from ccproxy.errors import UpstreamError
from ccproxy.exchange.http import Headers
from ccproxy.providers.base import Provider
from ccproxy.providers.config import ProviderConfig
from ccproxy.providers.registry import build_provider
from ccproxy.testing import Certificates, FakeProvider, refused_port
from ccproxy.util.clock import FakeClock

from .scripted import Answer, Scripted
from .support import network


def provider(name: str, url: str, **more: object) -> Provider:
    return build_provider(name, ProviderConfig(type="anthropic", base_url=url, **more), None)  # type: ignore[arg-type]


async def test_a_provider_that_is_there_is_connected_to_and_sent_nothing() -> None:
    async with FakeProvider() as fake, network() as transport:
        assert await unreachable(provider("p", fake.url), transport) == ""
        assert (fake.connections, fake.requests) == (1, [])


async def test_one_that_is_not_says_why() -> None:
    with refused_port() as port:
        async with network() as transport:
            assert (
                await unreachable(provider("p", f"http://127.0.0.1:{port}"), transport)
                == f"cannot connect to 127.0.0.1:{port}: connection refused"
            )


async def test_its_certificate_counts(certificates: Certificates) -> None:
    async with FakeProvider(tls=certificates) as fake, network() as transport:
        assert "is not accepted" in await unreachable(provider("p", fake.url), transport)
        assert await unreachable(provider("p", fake.url, verify=False), transport) == ""


async def test_one_that_says_nothing_is_given_up() -> None:
    async with FakeProvider() as fake, network() as transport:
        url = fake.url.replace("http:", "https:")  # it never speaks TLS
        assert await unreachable(provider("p", url), transport, seconds=0.05)


async def test_all_are_tried_and_one_that_fails_stops_no_other() -> None:
    reach = Reach()
    with refused_port() as port:
        async with FakeProvider() as fake, network() as transport:
            demo = build_provider("demo", ProviderConfig(type="demo"), None)
            there, gone = provider("there", fake.url), provider("gone", f"http://127.0.0.1:{port}")
            await reach.check([gone, demo, there], transport)
    assert list(reach.problems) == ["gone"]


@pytest.mark.parametrize("problem", ["", "cannot connect"])
async def test_requests_tell_how_it_is_by_now(problem: str) -> None:
    reach = Reach()
    reach.note("one", "it was down at the start")
    answer = UpstreamError(problem) if problem else Answer(500)

    def make(credential: Credential | None, label: str) -> UpstreamRequest:
        return UpstreamRequest("GET", "http", "h", 80, b"/", Headers())

    sender = Sender(FakeClock(), note=reach.note)
    try:
        await sender.send(Candidate("one", make, Scripted([answer])))
    except UpstreamError:
        assert problem
    assert reach.problems.get("one", "") == problem
