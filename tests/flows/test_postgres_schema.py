"""The tables in PostgreSQL: made once, documented, only in a database that can keep every text."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest

from ccproxy.errors import StoreError
from ccproxy.flows.postgres import connect, schema

from .server import Server

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "flow-store.md"


def test_made_once(server: Server) -> None:
    url = server.database()
    with connect.connect(url) as connection:
        assert schema.version(connection) == 0
        schema.prepare(connection, url)
        schema.prepare(connection, url)
        assert schema.version(connection) == len(schema.MIGRATIONS)
        assert connection.execute("SELECT count(*) FROM message").fetchone() == (0,)


def test_the_tables_are_those_of_the_reference(server: Server) -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    own = set(re.findall(r"`(\w+)`", text.partition("\n## In PostgreSQL\n")[2].partition("\n## ")[0]))
    url = server.database()
    with connect.connect(url) as connection:
        schema.prepare(connection, url)
        for table in ("flow", "wire", "body", "said"):
            section = re.search(rf"^## Table `{table}`\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
            assert section is not None
            documented = set(re.findall(r"^\| `(\w+)` \|", section[1], re.MULTILINE))
            sql = "SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name = %s"
            columns = {row[0] for row in connection.execute(sql, ("ccproxy", table))}
            assert documented <= columns
            assert columns - documented <= own


def test_a_failed_migration_leaves_nothing(server: Server) -> None:
    url = server.database()
    with connect.connect(url) as connection:
        connection.execute("CREATE SCHEMA ccproxy")
        connection.execute("CREATE TABLE ccproxy.said (theirs int)")
        with pytest.raises(psycopg.errors.DuplicateTable):
            schema.prepare(connection, url)
        assert schema.version(connection) == 0
        assert connection.execute("SELECT to_regclass('ccproxy.flow')").fetchone() == (None,)


def test_a_database_in_another_encoding_is_refused(server: Server) -> None:
    with server.admin() as connection:
        connection.execute("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
    url = server.database().replace("/test_", "/latin?old=").replace("?old=", "?application_name=x&old=")
    url = re.sub(r"/latin\?.*?\?", "/latin?", url)
    with connect.connect(url) as connection, pytest.raises(StoreError, match="not in UTF-8"):
        schema.prepare(connection, url)


def test_a_user_without_rights_is_told(server: Server) -> None:
    url = server.database()
    with server.admin() as connection:
        connection.execute("CREATE ROLE guest LOGIN")
    guest = url.replace("admin@", "guest@")
    with connect.connect(guest) as connection, pytest.raises(psycopg.Error) as caught:
        schema.prepare(connection, guest)
    assert "may not be used so" in connect.problem(caught.value, guest)
