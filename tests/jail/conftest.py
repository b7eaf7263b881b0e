"""One world for all tests of the jail, with a proxy for each person in it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator

import pytest

from jail.world import Proxy, World

PEOPLE = ("root", "user") if sys.platform == "linux" and os.geteuid() == 0 else ("user",)
#: Set where the tests of the jail must not be skipped.
REQUIRED = "JAIL_TESTS"


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    if sys.platform != "linux":
        pytest.skip("the jail needs Linux")
    with World() as made:
        yield made


@pytest.fixture(scope="session")
def proxies(world: World) -> dict[str, Proxy]:
    """A proxy for each person, none of which is started twice."""
    made = {}
    for number, who in enumerate(PEOPLE):
        proxy = made[who] = world.proxy(who, port=4100 + number)
        report = json.loads(proxy.ccproxy("namespace", "doctor", "--json").stdout)
        if not report["ok"]:
            bad = next(check for check in report["checks"] if not (check["ok"] or check["skipped"]))
            reason = f"{who} can have no jail here: {bad['name']}: {bad['detail']} ({bad['fix']})"
            assert not os.environ.get(REQUIRED), reason
            pytest.skip(reason)
    return made


@pytest.fixture(params=PEOPLE)
def proxy(request: pytest.FixtureRequest, proxies: dict[str, Proxy]) -> Proxy:
    """The proxy of each person in turn."""
    return proxies[request.param]


@pytest.fixture
def one(proxies: dict[str, Proxy]) -> Proxy:
    """The proxy of the least privileged, where once is enough."""
    return proxies["user"]
