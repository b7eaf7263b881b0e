"""The clients of the SDKs, made once for a module: a client costs more than a request."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .sdks import SDKS, Sdk


@pytest.fixture(scope="module")
def sdks() -> Iterator[dict[str, Sdk]]:
    """Each SDK by the name of its dialect."""
    made = {name: make() for name, make in SDKS.items()}
    for sdk in made.values():
        sdk.__enter__()
    yield made
    for sdk in made.values():
        sdk.__exit__(None, None, None)
