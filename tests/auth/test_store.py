from __future__ import annotations

from pathlib import Path

import pytest

from ccproxy.auth.journal import Note
from ccproxy.auth.reading import Missing, Unreadable
from ccproxy.auth.store import FileStore


async def test_a_login_behind_a_link_is_read_locked_and_written_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    target = tmp_path / "real" / "auth.json"
    target.write_text('{"a":1}')
    (tmp_path / "link.json").symlink_to(target)
    store = FileStore(str(tmp_path / "link.json"))
    before = store.version()

    assert (await store.load()).get("a") == 1
    store.check_writable()
    [lock] = store.locks()
    assert lock.take()
    lock.release()
    await store.save(b'{"a":2}')

    assert target.read_text() == '{"a":2}'
    assert (tmp_path / "link.json").is_symlink()
    assert store.version() != before


async def test_a_note_is_another_version(tmp_path: Path) -> None:
    (tmp_path / "auth.json").write_text("{}")
    store = FileStore(str(tmp_path / "auth.json"))
    before = store.version()
    store.journal.write(Note("x"))

    assert store.version() != before


async def test_what_cannot_be_used(tmp_path: Path) -> None:
    store = FileStore(str(tmp_path / "auth.json"))
    with pytest.raises(Missing):
        await store.load()
    with pytest.raises(Unreadable, match="cannot be read"):
        store.check_writable()
    (tmp_path / "auth.json").write_text("{}")
    (tmp_path / "auth.json").chmod(0o400)
    with pytest.raises(Unreadable, match="read-only"):
        store.check_writable()
