from __future__ import annotations

from collections.abc import Iterator

import pytest

from inspector.world import World, an_agents_day, world


@pytest.fixture(scope="package")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, dict[str, str]]]:
    """A proxy with an agent's day behind it, for tests that only look; and its flows by what they show."""
    with world(tmp_path_factory.mktemp("inspector")) as made:
        yield made, an_agents_day(made)
