from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from ccproxy.auth.config import File
from ccproxy.auth.file import FileSource
from ccproxy.errors import CredentialError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "key"
    made.write_text("sk-dummy\n")
    made.chmod(0o600)
    return made


def source(path: Path | str, header: str = "") -> FileSource:
    return FileSource(File(file=str(path), header=header), provider="deepseek")


class TestReading:
    async def test_what_the_file_holds(self, path: Path) -> None:
        credential = await source(path, "X-Api-Key").get()

        assert credential.value == "sk-dummy"
        assert credential.header == "x-api-key"
        assert credential.companions == ()

    async def test_a_path_in_the_home_directory(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", str(path.parent))

        mine = source("~/key")

        assert (await mine.get()).value == "sk-dummy"
        assert mine.label == "file ~/key"

    async def test_a_link(self, path: Path) -> None:
        link = path.parent / "link"
        link.symlink_to(path)

        assert (await source(link).get()).value == "sk-dummy"

    async def test_an_unchanged_file_is_not_read_again(self, path: Path) -> None:
        mine = source(path)
        first = await mine.get()

        assert await mine.get() is first

    async def test_a_changed_file_is_used_at_once(self, path: Path) -> None:
        mine = source(path)
        await mine.get()

        path.write_text("sk-longer-dummy\n")
        assert (await mine.get()).value == "sk-longer-dummy"

        replacement = path.parent / "new"
        replacement.write_text("sk-other-dummy!\n")  # the same length, put in its place as secret managers do
        os.utime(replacement, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
        replacement.replace(path)
        assert (await mine.get()).value == "sk-other-dummy!"

    async def test_refresh_reads_even_what_looks_unchanged(self, path: Path) -> None:
        mine = source(path)
        await mine.get()
        before = path.stat()
        path.write_text("sk-other\n")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

        assert (await mine.get()).value == "sk-dummy"
        assert (await mine.refresh()).value == "sk-other"

    async def test_a_file_that_comes_later(self, tmp_path: Path) -> None:
        mine = source(tmp_path / "late")
        with pytest.raises(CredentialError):
            await mine.get()

        (tmp_path / "late").write_text("sk-late")

        assert (await mine.get()).value == "sk-late"

    async def test_a_file_that_goes_is_missed(self, path: Path) -> None:
        mine = source(path)
        await mine.get()
        path.unlink()

        with pytest.raises(CredentialError, match="does not exist"):
            await mine.get()


class TestWhatIsWrong:
    async def fails(self, path: Path | str) -> CredentialError:
        with pytest.raises(CredentialError) as caught:
            await source(path).get()
        assert caught.value.message.startswith(f"provider 'deepseek': its credential file {path} ")
        assert caught.value.hint == "see providers.deepseek.auth"
        return caught.value

    async def test_missing(self, tmp_path: Path) -> None:
        error = await self.fails(tmp_path / "none")

        assert error.message.endswith(" does not exist")
        assert error.status == 503

    async def test_a_directory(self, tmp_path: Path) -> None:
        assert (await self.fails(tmp_path)).message.endswith(" is not a regular file")

    async def test_a_pipe_does_not_stop_everything(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")

        assert (await self.fails(tmp_path / "pipe")).message.endswith(" is not a regular file")

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    async def test_unreadable(self, path: Path) -> None:
        path.chmod(0)

        assert (await self.fails(path)).message.endswith(" cannot be read: permission denied")

    async def test_below_a_file(self, path: Path) -> None:
        assert (await self.fails(path / "below")).message.endswith(" cannot be read: not a directory")

    @pytest.mark.parametrize("name", ["~nobody-of-this-name/key", "a\0b"])
    async def test_no_path_at_all(self, name: str) -> None:
        await self.fails(name)

    async def test_empty(self, path: Path) -> None:
        path.write_text(" \n")

        assert (await self.fails(path)).status == 401

    async def test_not_text_and_too_large(self, path: Path) -> None:
        path.write_bytes(b"\xff\xfe")
        assert (await self.fails(path)).message.endswith(" is not text")
        path.write_bytes(b"canary" * 20_000)
        assert (await self.fails(path)).message.endswith(" is larger than 64 KiB")


class TestPermissions:
    @pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
    async def test_a_file_that_others_can_read_is_told_once(
        self, mode: int, path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        path.chmod(mode)
        mine = source(path)

        await mine.get()
        await mine.refresh()

        assert [record.getMessage() for record in caplog.records] == [
            f"provider 'deepseek': its credential file {path} can be read by other users (mode {mode:04o}): chmod 600 it"
        ]
        assert caplog.records[0].levelno == logging.WARNING

    async def test_a_private_one_is_not(self, path: Path, caplog: pytest.LogCaptureFixture) -> None:
        await source(path).get()

        assert caplog.records == []
