"""What talks to the network is tested on both event loops: production runs on uvloop, Windows and some tests do not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import uvloop

from ccproxy.errors import NotSupported
from ccproxy.testing import Certificates, make_certificates

_NETWORK = {"test_pooled", "test_response", "test_upload", "test_sockets", "test_tunnel"}


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    if item.path.stem in _NETWORK:
        return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
    return {"asyncio": asyncio.new_event_loop}


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Certificates]:
    """For 127.0.0.1 and `provider.test`, signed by an authority nobody knows."""
    directory: Path = tmp_path_factory.mktemp("certificates")
    try:
        yield make_certificates(directory, ("127.0.0.1", "provider.test"))
    except NotSupported as error:
        pytest.skip(str(error))
