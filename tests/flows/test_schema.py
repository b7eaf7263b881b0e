"""The file: private, versioned, upgraded in one piece, never someone else's."""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ccproxy.errors import StoreError
from ccproxy.flows.schema import (
    APPLICATION_ID,
    MIGRATIONS,
    check,
    open_existing,
    open_for_writing,
    problem,
    statements,
    version,
)

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "flow-store.md"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "flows.db"


def test_a_new_store_and_all_its_files_are_private(path: Path) -> None:
    before = os.umask(0)
    try:
        connection = open_for_writing(path)
        connection.execute("INSERT INTO body (encoding, size, data) VALUES ('raw', 0, x'')")
        files = sorted(file.name for file in path.parent.iterdir())
        assert files == ["flows.db", "flows.db-shm", "flows.db-wal"]
        assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}
        assert path.parent.stat().st_mode & 0o777 == 0o700
        connection.close()
    finally:
        os.umask(before)


def test_an_existing_file_is_made_private(path: Path) -> None:
    path.parent.mkdir()
    path.touch(0o644)
    path.chmod(0o644)
    open_for_writing(path).close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_new_store_is_of_the_newest_version(path: Path) -> None:
    connection = open_for_writing(path)
    assert version(connection) == len(MIGRATIONS)
    assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_an_older_store_is_upgraded_and_keeps_its_rows(path: Path) -> None:
    connection = open_for_writing(path)
    connection.execute("INSERT INTO body (encoding, size, data) VALUES ('raw', 0, x'')")
    connection.close()
    newer = (*MIGRATIONS, "CREATE TABLE one (a);\nALTER TABLE body ADD COLUMN extra TEXT;")
    connection = open_for_writing(path, migrations=newer)
    assert version(connection) == len(newer)
    assert connection.execute("SELECT encoding, extra FROM body").fetchall() == [("raw", None)]
    connection.close()


def test_an_upgrade_that_fails_leaves_the_store_as_it_was(path: Path) -> None:
    open_for_writing(path).close()
    broken = (*MIGRATIONS, "CREATE TABLE one (a);\nCREATE TABLE one (a);")
    with pytest.raises(sqlite3.OperationalError):
        open_for_writing(path, migrations=broken)
    connection = open_for_writing(path)
    assert version(connection) == len(MIGRATIONS)
    assert connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'one'").fetchone() == (0,)
    connection.close()


def test_a_newer_store_is_refused_and_untouched(path: Path) -> None:
    newer = (*MIGRATIONS, "CREATE TABLE one (a);")
    open_for_writing(path, migrations=newer).close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="written by a newer ccproxy") as caught:
        open_for_writing(path)
    assert str(path) in caught.value.message
    with pytest.raises(StoreError, match="newer"):
        open_existing(path, read_only=True, busy_seconds=1)
    assert path.read_bytes() == before


def test_the_file_of_another_program_is_refused_and_untouched(path: Path) -> None:
    path.parent.mkdir()
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE theirs (a)")
    other.commit()
    other.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="another program"):
        open_for_writing(path)
    with pytest.raises(StoreError, match="another program"):
        open_existing(path, read_only=False, busy_seconds=1)
    assert path.read_bytes() == before


def test_an_existing_store_is_not_upgraded_on_the_side(path: Path) -> None:
    open_for_writing(path, migrations=("CREATE TABLE old (a);",)).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 0")
    connection.close()
    assert open_existing(path, read_only=True, busy_seconds=1) is None


def test_scripts_are_taken_apart_with_their_triggers() -> None:
    script = "CREATE TABLE a (b);\n\nCREATE TRIGGER t AFTER DELETE ON a BEGIN\n DELETE FROM a;\nEND;\n"
    assert [statement.split()[1] for statement in statements(script)] == ["TABLE", "TRIGGER"]
    with pytest.raises(AssertionError):
        statements("CREATE TABLE a (b)")


def _deleting_store(path: Path) -> sqlite3.Connection:
    """Two flows: the second's bodies are deltas of one another and of the first's."""
    connection = open_for_writing(path)
    for number, base in ((8, None), (9, 8), (10, None), (16, 8), (17, 16)):
        connection.execute("INSERT INTO body VALUES (?, ?, 'raw', 0, 0, x'')", (number, base))
    columns = len(connection.execute("SELECT * FROM flow").description)
    for seq in (1, 2):
        values = [seq, f"id{seq}", *(["0"] * (columns - 2))]
        connection.execute(f"INSERT INTO flow VALUES ({', '.join('?' * columns)})", values)
        connection.execute("INSERT INTO wire (flow, request) VALUES (?, '{}')", (seq,))
    return connection


def _bodies(connection: sqlite3.Connection) -> list[int]:
    return [row[0] for row in connection.execute("SELECT id FROM body ORDER BY id")]


def test_deleting_a_flow_deletes_what_belongs_to_it_but_the_bases_of_others(path: Path) -> None:
    connection = _deleting_store(path)
    connection.execute("DELETE FROM flow WHERE id = 'id1'")
    assert connection.execute("SELECT flow FROM wire").fetchall() == [(2,)]
    assert _bodies(connection) == [8, 16, 17]
    connection.execute("DELETE FROM flow")
    assert connection.execute("SELECT count(*) FROM wire").fetchone() == (0,)
    assert _bodies(connection) == []
    connection.close()


def test_the_other_way_round(path: Path) -> None:
    connection = _deleting_store(path)
    connection.execute("DELETE FROM flow WHERE id = 'id2'")
    assert _bodies(connection) == [8, 9, 10]
    connection.close()


def test_the_heads_can_be_read_in_sql(path: Path) -> None:
    connection = open_for_writing(path)
    head = '{"headers":[["a","b"]],"size":7,"method":"POST","host":"h","truncated":true}'
    connection.execute("INSERT INTO wire (flow, request, response) VALUES (1, ?, '{\"status\":200}')", (head,))
    found = connection.execute("SELECT role, method, host, status, size, truncated FROM message").fetchall()
    assert found == [("request", "POST", "h", None, 7, 1), ("response", None, None, 200, 0, 0)]
    connection.close()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(28, "No space left on device"), "is full"),
        (PermissionError(13, "Permission denied"), "cannot be opened: Permission denied"),
        (StoreError("as it stands", hint="do it"), "as it stands (do it)"),
        (sqlite3.DatabaseError("odd"), "fails: odd"),
    ],
)
def test_problems_are_said_in_words(error: Exception, words: str) -> None:
    assert words in problem(error, Path("/x/flows.db"))


def test_every_table_and_column_is_documented(path: Path) -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    connection = open_for_writing(path)
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    for table in tables:
        if table.startswith(("sqlite_", "said_index_")):
            continue
        section = re.search(rf"^## Table `{table}`\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
        assert section is not None, f"table {table} is not documented"
        documented = set(re.findall(r"^\| `(\w+)` \|", section[1], re.MULTILINE))
        columns = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
        assert documented == columns
    connection.close()


def test_a_store_that_is_created_meanwhile_is_not_taken_for_another_programs(tmp_path: Path) -> None:
    path = tmp_path / "flows.db"
    path.touch()

    class Interrupted(sqlite3.Connection):
        """Lets a writer in before the last of the questions that are asked of the file."""

        def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
            if "sqlite_schema" in sql:
                with suppress(sqlite3.OperationalError):
                    open_for_writing(path, busy_seconds=0).close()
            return super().execute(sql, *args)

    connection = sqlite3.connect(path, autocommit=True, factory=Interrupted)
    try:
        check(connection, path)
        assert not connection.in_transaction
    finally:
        connection.close()
