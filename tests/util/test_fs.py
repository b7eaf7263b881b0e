"""Private files, replaced atomically."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from ccproxy.util.fs import atomic_write, ensure_private_file, private_dir


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_directories_are_0700_and_existing_ones_stay(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    made = private_dir(tmp_path / "a" / "b")
    assert [mode(made), mode(made.parent), mode(tmp_path)] == [0o700, 0o700, 0o755]
    assert private_dir(made) == made


def test_a_file_is_written_0600_and_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "d" / "f"
    atomic_write(path, b"one")
    path.chmod(0o644)
    atomic_write(path, b"two")
    assert (path.read_bytes(), mode(path)) == (b"two", 0o600)
    assert [entry.name for entry in path.parent.iterdir()] == ["f"]
    atomic_write(path, b"x", mode=0o640)
    assert mode(path) == 0o640


def test_the_target_of_a_link_is_what_changes(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_bytes(b"old")
    link.symlink_to(real)
    atomic_write(link, b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"


def test_a_failed_write_leaves_the_old_content_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")
    with pytest.raises(TypeError):
        atomic_write(path, "not bytes")  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["f"]


def test_ensure_private_file_creates_or_tightens_and_keeps_content(tmp_path: Path) -> None:
    path = ensure_private_file(tmp_path / "d" / "f")
    assert (path.read_bytes(), mode(path)) == (b"", 0o600)
    path.write_bytes(b"kept")
    path.chmod(0o666)
    ensure_private_file(path)
    assert (path.read_bytes(), mode(path)) == (b"kept", 0o600)
