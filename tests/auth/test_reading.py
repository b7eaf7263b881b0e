from __future__ import annotations

import os
from pathlib import Path

import pytest

from ccproxy.auth.reading import Missing, Unreadable, expand, read_file, version_of


def test_content_version_and_mode(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_text("12345")
    file.chmod(0o644)

    content = read_file(file, 3)

    assert (content.data, content.mode, content.exposed) == (b"1234", 0o644, True)
    assert content.version == version_of(file)
    assert "1234" not in repr(content)
    file.chmod(0o600)
    assert not read_file(file, 3).exposed


def test_a_change_is_another_version(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_text("1")
    before = version_of(file)
    (tmp_path / "g").write_text("2")
    (tmp_path / "g").replace(file)

    assert version_of(file) != before


def test_what_cannot_be_read_completes_a_sentence(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    cases = {
        "none": "does not exist",
        "pipe": "is not a regular file",
        "": "is not a regular file",
        "a\0b": "not a path",
    }
    for name, says in cases.items():
        with pytest.raises(Unreadable, match=says):
            read_file(tmp_path / name, 10)
    with pytest.raises(Missing):
        version_of(tmp_path / "none")
    with pytest.raises(Unreadable, match="cannot be read"):
        version_of(tmp_path / ("x" * 5000))


def test_home_directories(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))

    assert expand("~/x") == tmp_path / "x"
    with pytest.raises(Unreadable, match="not known"):
        expand("~nobody-of-this-name/x")
