"""Private files, replaced atomically."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ccproxy.util.fs import atomic_write, ensure_private_file, private_dir


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(directory: Path) -> list[str]:
    return sorted(entry.name for entry in directory.iterdir())


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct, autouse=True)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    """Everything below holds whatever the user's umask is."""
    before = os.umask(request.param)
    yield
    os.umask(before)


class TestPrivateDir:
    def test_what_is_made_is_0700_and_what_is_there_stays(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o755)
        made = private_dir(tmp_path / "a" / "b")
        assert [mode(made), mode(made.parent), mode(tmp_path)] == [0o700, 0o700, 0o755]
        made.chmod(0o750)
        assert private_dir(made) == made
        assert mode(made) == 0o750

    def test_a_link_to_a_directory_is_one(self, tmp_path: Path) -> None:
        private_dir(tmp_path / "real")
        (tmp_path / "link").symlink_to("real")
        private_dir(tmp_path / "link" / "inner")
        assert (tmp_path / "real" / "inner").is_dir()
        assert (tmp_path / "link").is_symlink()

    def test_a_file_in_the_way_is_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "f").write_bytes(b"")
        with pytest.raises(OSError):
            private_dir(tmp_path / "f" / "d")


class TestAtomicWrite:
    def test_a_file_is_written_0600_and_replaced_whole(self, tmp_path: Path) -> None:
        path = tmp_path / "f"
        atomic_write(path, b"one, and long")
        path.chmod(0o644)
        atomic_write(path, b"two")
        assert (path.read_bytes(), mode(path), names(tmp_path)) == (b"two", 0o600, ["f"])
        atomic_write(path, b"", mode=0o640)
        assert (path.read_bytes(), mode(path)) == (b"", 0o640)

    def test_missing_directories_are_made_private(self, tmp_path: Path) -> None:
        path = tmp_path / "a" / "b" / "f"
        atomic_write(path, b"x")
        assert [mode(path.parent), mode(path.parent.parent)] == [0o700, 0o700]

    @pytest.mark.parametrize("to", ["real", "dir/real", "other-link"])
    def test_the_target_of_a_link_is_what_changes(self, tmp_path: Path, to: str) -> None:
        (tmp_path / "dir").mkdir()
        for real in (tmp_path / "real", tmp_path / "dir" / "real"):
            real.write_bytes(b"old")
        (tmp_path / "other-link").symlink_to("dir/real")
        link = tmp_path / "link"
        link.symlink_to(to)
        atomic_write(link, b"new")
        assert link.readlink() == Path(to)
        assert link.resolve().read_bytes() == b"new"
        assert (tmp_path / "other-link").is_symlink()

    def test_a_link_to_nothing_gets_its_target(self, tmp_path: Path) -> None:
        link = tmp_path / "link"
        link.symlink_to("dir/real")
        atomic_write(link, b"new")
        assert (tmp_path / "dir" / "real").read_bytes() == b"new"

    def test_a_hard_link_keeps_the_old_content(self, tmp_path: Path) -> None:
        path = tmp_path / "f"
        path.write_bytes(b"old")
        (tmp_path / "g").hardlink_to(path)
        atomic_write(path, b"new")
        assert (tmp_path / "g").read_bytes() == b"old"

    @pytest.mark.parametrize("data", ["not bytes", None])
    def test_a_failed_write_leaves_the_old_content_and_no_litter(self, tmp_path: Path, data: object) -> None:
        path = tmp_path / "f"
        path.write_bytes(b"old")
        with pytest.raises(TypeError):
            atomic_write(path, data)  # type: ignore[arg-type]
        assert path.read_bytes() == b"old"
        assert names(tmp_path) == ["f"]

    def test_what_cannot_be_replaced_stays(self, tmp_path: Path) -> None:
        (tmp_path / "d").mkdir()
        (tmp_path / "d" / "inside").write_bytes(b"")
        with pytest.raises(OSError):
            atomic_write(tmp_path / "d", b"new")
        assert names(tmp_path) == ["d"]
        assert names(tmp_path / "d") == ["inside"]

    def test_a_crash_in_the_middle_leaves_the_old_content(self, tmp_path: Path) -> None:
        path = tmp_path / "f"
        path.write_bytes(b"old")
        # The kernel kills a process that writes beyond its limit, in the middle of the write.
        code = (
            "import resource, signal, sys; from pathlib import Path; from ccproxy.util.fs import atomic_write\n"
            "resource.setrlimit(resource.RLIMIT_CORE, (0, 0)); resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
            "signal.signal(signal.SIGXFSZ, signal.SIG_DFL); atomic_write(Path(sys.argv[1]), b'x' * 1_000_000)"
        )
        ended = subprocess.run([sys.executable, "-c", code, path], check=False, capture_output=True)
        assert ended.returncode == -signal.SIGXFSZ, ended.stderr.decode()
        assert path.read_bytes() == b"old"
        assert [mode(entry) for entry in tmp_path.iterdir() if entry != path] == [0o600], "what is left is private"

    def test_a_reader_sees_the_old_or_the_new_content(self, tmp_path: Path) -> None:
        path = tmp_path / "f"
        contents = [b"a" * 100_000, b"b" * 50_000]
        atomic_write(path, contents[0])
        seen: set[bytes] = set()
        done = threading.Event()

        def read() -> None:
            while not done.is_set():
                seen.add(path.read_bytes())

        reader = threading.Thread(target=read)
        reader.start()
        try:
            for turn in range(40):
                atomic_write(path, contents[turn % 2])
        finally:
            done.set()
            reader.join()
        assert seen <= set(contents)


class TestEnsurePrivateFile:
    def test_it_creates_or_tightens_and_keeps_content(self, tmp_path: Path) -> None:
        path = ensure_private_file(tmp_path / "d" / "f")
        assert (path.read_bytes(), mode(path), mode(path.parent)) == (b"", 0o600, 0o700)
        path.write_bytes(b"kept")
        path.chmod(0o666)
        assert ensure_private_file(path) == path
        assert (path.read_bytes(), mode(path)) == (b"kept", 0o600)

    def test_a_link_stays_and_its_target_is_tightened(self, tmp_path: Path) -> None:
        (tmp_path / "real").write_bytes(b"kept")
        (tmp_path / "real").chmod(0o644)
        (tmp_path / "link").symlink_to("real")
        ensure_private_file(tmp_path / "link")
        assert (tmp_path / "link").is_symlink()
        assert mode(tmp_path / "real") == 0o600

    def test_a_directory_is_none(self, tmp_path: Path) -> None:
        with pytest.raises(IsADirectoryError):
            ensure_private_file(tmp_path)
