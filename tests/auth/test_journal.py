from __future__ import annotations

import stat
from pathlib import Path

import pytest

from ccproxy.auth.journal import Journal, Note


def test_a_note_is_private_and_found_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "auth.json")
    assert (journal.read(), journal.version()) == (Note(), ())

    journal.write(Note("used", {"a.b": "canary"}, "family"))

    [file] = tmp_path.iterdir()
    assert (file.name, stat.S_IMODE(file.stat().st_mode)) == (".auth.json.ccproxy-renewal", 0o600)
    assert Journal(tmp_path / "auth.json").read() == Note("used", {"a.b": "canary"}, "family")
    assert journal.version() != ()
    assert "canary" not in repr(journal.read())
    journal.clear()
    journal.clear()
    assert (journal.read(), journal.version()) == (Note(), ())


@pytest.mark.parametrize("content", ["", "{", "[]", '{"changes": 1}'])
def test_a_broken_note_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / ".auth.json.ccproxy-renewal").write_text(content)

    assert Journal(tmp_path / "auth.json").read().changes == {}
