from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from ccproxy.auth.keychain import KEPT, FirstOf, KeychainStore, run_command
from ccproxy.auth.reading import Missing, Unreadable
from ccproxy.auth.store import FileStore
from ccproxy.util.clock import FakeClock


class Security:
    """The `security` command with one entry or none."""

    def __init__(self, entry: str | None) -> None:
        self.entry = entry
        self.calls: list[list[str]] = []
        self.status = 0

    async def __call__(self, arguments: Sequence[str], stdin: bytes) -> tuple[int, bytes]:
        self.calls.append(list(arguments))
        if self.status:
            return self.status, b""
        if arguments[1] == "-i":
            command, _, rest = stdin.decode().partition(" ")
            assert command == "add-generic-password"
            assert rest.startswith('-U -a "me" -s "Claude Code-credentials" -X "')
            self.entry = bytes.fromhex(rest.split('-X "')[1].split('"')[0]).decode()
            return 0, b""
        assert arguments[1:] == ["find-generic-password", "-a", "me", "-s", "Claude Code-credentials", "-w"]
        return (44, b"") if self.entry is None else (0, f"{self.entry}\n".encode())


class Rig:
    def __init__(self, folder: Path, entry: str | None = '{"a":1}') -> None:
        self.clock = FakeClock()
        self.security = Security(entry)
        self.store = KeychainStore(
            "Claude Code-credentials", folder=folder, clock=self.clock, run=self.security, account="me"
        )


async def test_an_entry_is_read_and_looked_at_again_after_a_while(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    assert (await rig.store.load()).get("a") == 1
    before = rig.store.version()
    rig.clock.advance(KEPT - 1)
    assert rig.store.version() == before

    rig.clock.advance(1)

    assert rig.store.version() != before
    assert "Claude Code-credentials" in rig.store.where
    assert rig.store.journal is None


async def test_an_entry_in_hexadecimal_digits(tmp_path: Path) -> None:
    rig = Rig(tmp_path, '{"a":"ü"}'.encode().hex())

    assert (await rig.store.load()).get("a") == "ü"


async def test_it_is_written_through_standard_input(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    await rig.store.load()
    before = rig.store.version()
    rig.store.check_writable()
    await rig.store.save(b'{"a":"canary"}')

    assert json.loads(rig.security.entry or "") == {"a": "canary"}
    assert "canary" not in str(rig.security.calls)
    assert rig.store.version() != before
    [lock] = rig.store.locks()
    assert lock.take()
    lock.release()


async def test_what_goes_wrong(tmp_path: Path) -> None:
    rig = Rig(tmp_path, None)
    with pytest.raises(Missing):
        await rig.store.load()
    rig.security.entry = "not hex"
    with pytest.raises(Unreadable, match="no JSON"):
        await rig.store.load()
    rig.security.status = 36
    with pytest.raises(Unreadable, match="locked"):
        await rig.store.load()
    with pytest.raises(Unreadable, match="cannot be written"):
        await rig.store.save(b"{}")
    with pytest.raises(Unreadable, match="name"):
        KeychainStore('a"b', folder=tmp_path, clock=rig.clock, run=rig.security).check_writable()
    missing = KeychainStore("x", folder=tmp_path, clock=rig.clock, run=_no_command)
    with pytest.raises(Unreadable, match="cannot be read"):
        await missing.load()


async def _no_command(arguments: Sequence[str], stdin: bytes) -> tuple[int, bytes]:
    return await run_command(["/does/not/exist"], stdin)


async def test_a_command_is_run_with_its_input() -> None:
    assert await run_command(["sh", "-c", "cat; exit 3"], b"text") == (3, b"text")


async def test_the_file_takes_the_place_of_a_missing_entry(tmp_path: Path) -> None:
    (tmp_path / "f.json").write_text('{"a":2}')
    rig = Rig(tmp_path)
    both = FirstOf(rig.store, FileStore(str(tmp_path / "f.json")))

    assert (await both.load()).get("a") == 1
    assert both.in_keychain
    assert both.journal is None
    assert len(both.version()) == 1
    rig.security.entry = None
    assert (await both.load()).get("a") == 2
    assert not both.in_keychain
    assert both.journal is not None
    assert len(both.version()) > 1
    assert both.where.startswith("file")
    both.check_writable()
    assert len(both.locks()) == 1
    await both.save(b'{"a":3}')
    assert (tmp_path / "f.json").read_text() == '{"a":3}'
    (tmp_path / "f.json").unlink()
    with pytest.raises(Missing):
        await both.load()
    assert both.where.startswith("keychain")
