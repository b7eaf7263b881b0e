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
        ({"XDG_CONFIG_HOME": "/c"}, "/c/ccproxy", "/h/.local/state/ccproxy"),
        ({"XDG_CONFIG_HOME": "relative", "XDG_STATE_HOME": ""}, "/h/.config/ccproxy", "/h/.local/state/ccproxy"),
        ({"XDG_CONFIG_HOME": "~/c", "XDG_STATE_HOME": "./s"}, "/h/.config/ccproxy", "/h/.local/state/ccproxy"),
        ({"CCPROXY_CONFIG_DIR": "/x"}, "/x", "/x/state"),
        ({"CCPROXY_CONFIG_DIR": "/x/"}, "/x", "/x/state"),
        ({"CCPROXY_CONFIG_DIR": ""}, "/h/.config/ccproxy", "/h/.local/state/ccproxy"),
        ({"CCPROXY_CONFIG_DIR": "~/x", "XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "/s"}, "/h/x", "/h/x/state"),
    ],
)
def test_the_directories(env: dict[str, str], config: str, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _environment(monkeypatch, env)
    assert (config_dir(), state_dir()) == (Path(config), Path(state))


def test_a_relative_directory_is_taken_from_where_the_command_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _environment(monkeypatch, {"CCPROXY_CONFIG_DIR": ".ccproxy"})
    monkeypatch.chdir(tmp_path)
    assert (config_dir(), state_dir()) == (tmp_path / ".ccproxy", tmp_path / ".ccproxy" / "state")


def test_asking_creates_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _environment(monkeypatch, {"HOME": str(tmp_path)})
    config_dir()
    state_dir()
    assert list(tmp_path.iterdir()) == []


def _environment(monkeypatch: pytest.MonkeyPatch, env: dict[str, str]) -> None:
    for name in ("CCPROXY_CONFIG_DIR", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/h", **env}.items():
        monkeypatch.setenv(name, value)
