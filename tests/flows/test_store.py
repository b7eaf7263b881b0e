"""Where the store's file is."""

from __future__ import annotations

from pathlib import Path

import pytest

from ccproxy.flows.config import FlowsConfig
from ccproxy.flows.store import store_path


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CCPROXY_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


def test_by_default_in_the_state_directory(directory: Path) -> None:
    assert store_path(FlowsConfig()) == directory / "state" / "flows.db"


def test_a_configured_place(directory: Path) -> None:
    assert store_path(FlowsConfig(path="/var/flows.db")) == Path("/var/flows.db")
    assert store_path(FlowsConfig(path="~/flows.db")) == directory / "home" / "flows.db"
    assert store_path(FlowsConfig(path="other.db")) == directory / "state" / "other.db"
