"""Credentials in files."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from ccproxy.auth.config import File
from ccproxy.auth.file import FileSource
from ccproxy.errors import CredentialError


def source(path: Path | str) -> FileSource:
    return FileSource(File(file=str(path), header="x-api-key"), provider="p")


def private(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    path.chmod(0o600)
    return path


async def test_its_content_without_white_space(tmp_path: Path) -> None:
    credential = await source(private(tmp_path / "key", b" sk-abc\n")).get()
    assert (credential.value, credential.header) == ("sk-abc", "x-api-key")


async def test_a_change_counts_at_once(tmp_path: Path) -> None:
    path = private(tmp_path / "key", b"one")
    it = source(path)
    assert (await it.get()).value == "one"
    private(path, b"second")
    assert (await it.get()).value == "second"
    replacement = private(tmp_path / "new", b"thirdy")
    replacement.replace(path)
    assert (await it.get()).value == "thirdy"


async def test_refresh_reads_again_whatever_the_stamp(tmp_path: Path) -> None:
    path = private(tmp_path / "key", b"one")
    it = source(path)
    await it.get()
    stamp = path.stat()
    with path.open("r+b") as file:
        file.write(b"two")
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert (await it.get()).value == "one"
    assert (await it.refresh()).value == "two"


async def test_the_home_directory(tmp_path: Path) -> None:
    it = source("~/no-such-file-of-ccproxy-tests")
    assert it.label == "file ~/no-such-file-of-ccproxy-tests"
    with pytest.raises(CredentialError, match="does not exist"):
        await it.get()


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [
        (b"", 401, "is empty"),
        (b"\n \n", 401, "is empty"),
        (b"a\nb", 503, "has 2 lines"),
        (b"x" * 70_000, 503, "larger than"),
    ],
)
async def test_what_is_no_credential(tmp_path: Path, content: bytes, status: int, words: str) -> None:
    with pytest.raises(CredentialError, match=words) as failed:
        await source(private(tmp_path / "key", content)).get()
    assert failed.value.status == status


async def test_a_directory(tmp_path: Path) -> None:
    with pytest.raises(CredentialError, match="is a directory"):
        await source(tmp_path).get()


async def test_one_that_others_can_read_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = private(tmp_path / "key", b"one")
    path.chmod(0o644)
    it = source(path)
    with caplog.at_level(logging.WARNING):
        await it.get()
        await it.refresh()
    assert len(caplog.records) == 1
    assert "chmod 600" in caplog.text
