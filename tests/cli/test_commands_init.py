"""`ccproxy init`."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from ccproxy.cli.main import run
from ccproxy.config.template import template


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The place of the configuration file; its directory is not there yet."""
    monkeypatch.setenv("CCPROXY_CONFIG_DIR", str(tmp_path / "config"))
    return tmp_path / "config" / "ccproxy.yaml"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_writes_a_private_file_that_is_valid(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init"]) == 0
    assert capsys.readouterr() == (f"wrote {path}\n", "")
    assert path.read_text() == template()
    assert mode(path) == 0o600
    assert mode(path.parent) == 0o700
    assert [file.name for file in path.parent.iterdir()] == ["ccproxy.yaml"]
    assert run(["config", "check"]) == 0


def test_a_file_that_is_there_is_left_alone(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.parent.mkdir()
    path.write_text("mine")

    assert run(["init"]) == 1
    assert capsys.readouterr() == ("", f"ccproxy: {path} is there already (--force replaces it)\n")
    assert path.read_text() == "mine"


def test_unless_it_is_to_be_replaced(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("mine")
    path.chmod(0o644)

    assert run(["init", "--force"]) == 0
    assert path.read_text() == template()
    assert mode(path) == 0o600


def test_a_given_place(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "deep" / "other.yaml"

    assert run(["--config", str(other), "init"]) == 0
    assert other.read_text() == template()
    assert not path.exists()


def test_the_target_of_a_link_is_written(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    path.symlink_to(tmp_path / "dotfiles.yaml")

    assert run(["init"]) == 0
    assert path.is_symlink()
    assert (tmp_path / "dotfiles.yaml").read_text() == template()


def test_a_place_that_cannot_be_written(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config").write_text("a file, not a directory")

    assert run(["init"]) == 1
    assert capsys.readouterr().err == f"ccproxy: cannot write {path}: Not a directory\n"
    assert run(["--config", str(tmp_path), "init", "--force"]) == 1
    assert capsys.readouterr().err == f"ccproxy: {tmp_path} is a directory (name a file)\n"
