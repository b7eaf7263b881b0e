"""What is lent to hooks is found by type."""

from __future__ import annotations

import pytest

from ccproxy.errors import HookError
from ccproxy.pipeline.services import Services
from ccproxy.util.clock import FakeClock, SystemClock


def test_the_first_of_a_type() -> None:
    clock = FakeClock()
    services = Services(SystemClock(), clock)
    assert services.get(FakeClock) is clock
    assert services.find(Services) is None
    with pytest.raises(HookError, match="there is no service Services"):
        services.get(Services)
