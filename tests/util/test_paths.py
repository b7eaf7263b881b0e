"""Where files are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from ccproxy.util.paths import config_dir, state_dir


@pytest.mark.parametrize(
    ("env", "config", "state"),
    [
        ({}, "/h/.config/ccproxy", "/h/.local/state/ccproxy"),
        ({"XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "/s"}, "/c/ccproxy", "/s/ccproxy"),
        ({"XDG_CONFIG_HOME": "relative", "XDG_STATE_HOME": ""}, "/h/.config/ccproxy", "/h/.local/state/ccproxy"),
        ({"CCPROXY_CONFIG_DIR": "/x"}, "/x", "/x/state"),
        ({"CCPROXY_CONFIG_DIR": "~/x", "XDG_CONFIG_HOME": "/c"}, "/h/x", "/h/x/state"),
    ],
)
def test_the_directories(env: dict[str, str], config: str, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CCPROXY_CONFIG_DIR", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/h")
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert (config_dir(), state_dir()) == (Path(config), Path(state))
