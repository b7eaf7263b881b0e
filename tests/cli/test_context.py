"""The configuration as a command sees it."""

from pathlib import Path

import pytest

from ccproxy.cli.context import CliContext
from ccproxy.errors import ConfigError


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CCPROXY_CONFIG_DIR", str(tmp_path))
    path = tmp_path / "ccproxy.yaml"
    path.write_text("ccproxy: {port: 4100}")
    return path


def test_the_default_place_a_given_file_the_environment_and_the_command_line(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.yaml"
    other.write_text("ccproxy: {port: 4200}")
    assert CliContext().load().settings.port == 4100
    assert CliContext().load().path == config
    assert CliContext(other).load().settings.port == 4200
    monkeypatch.setenv("CCPROXY_PORT", "4300")
    assert CliContext(other).load().settings.port == 4300
    assert CliContext(other).load({"port": 4400}).settings.port == 4400


def test_what_is_wrong_raises(config: Path) -> None:
    config.write_text("ccproxy: {prot: 1}")
    with pytest.raises(ConfigError, match="prot"):
        CliContext().load()
