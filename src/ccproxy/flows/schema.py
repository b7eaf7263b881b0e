"""The tables of the flow store, their versions, and opening the file for writing.

One SQLite file, documented in docs/reference/flow-store.md. `PRAGMA user_version` is the number of migrations that
have run; an older store is brought up to date in one transaction, a newer one and the file of another program are
refused before anything is written to them. Deleting a row of `flow` deletes what belongs to it, by triggers, whoever
does it: a body goes with the last message that refers to it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from ccproxy.errors import StoreError
from ccproxy.flows import migrate
from ccproxy.util.fs import ensure_private_file

#: "ccpx": tells a flow store from other SQLite files.
APPLICATION_ID = 0x63637078

_V1 = """
CREATE TABLE body (
    hash      BLOB NOT NULL PRIMARY KEY,
    encoding  TEXT NOT NULL,
    size      INTEGER NOT NULL,
    data      BLOB NOT NULL
);

CREATE TABLE flow (
    seq                 INTEGER PRIMARY KEY AUTOINCREMENT,
    id                  TEXT NOT NULL UNIQUE,
    started             REAL NOT NULL,
    duration            REAL NOT NULL,
    ttfb                REAL,
    door                TEXT NOT NULL,
    client_address      TEXT NOT NULL,
    client_port         INTEGER NOT NULL,
    client_key          TEXT NOT NULL,
    user_agent          TEXT NOT NULL,
    dialect             TEXT NOT NULL,
    operation           TEXT NOT NULL,
    model               TEXT NOT NULL,
    answer_model        TEXT NOT NULL,
    provider            TEXT NOT NULL,
    action              TEXT NOT NULL,
    reason              TEXT NOT NULL,
    credential          TEXT NOT NULL,
    streaming           INTEGER NOT NULL,
    outcome             TEXT NOT NULL,
    error_kind          TEXT NOT NULL,
    error               TEXT NOT NULL,
    input_tokens        INTEGER,
    output_tokens       INTEGER,
    cache_read_tokens   INTEGER,
    cache_write_tokens  INTEGER,
    reasoning_tokens    INTEGER
);

CREATE TABLE message (
    flow          INTEGER NOT NULL,
    role          TEXT NOT NULL CHECK (role IN ('request', 'forwarded', 'response', 'websocket')),
    method        TEXT,
    scheme        TEXT,
    host          TEXT,
    port          INTEGER,
    target        TEXT,
    status        INTEGER,
    reason        TEXT,
    http_version  TEXT,
    headers       TEXT,
    started       REAL NOT NULL,
    ended         REAL NOT NULL,
    size          INTEGER NOT NULL,
    count         INTEGER,
    truncated     INTEGER NOT NULL,
    redacted      INTEGER NOT NULL,
    body          BLOB,
    UNIQUE (flow, role)
);

CREATE INDEX message_body ON message (body) WHERE body IS NOT NULL;

CREATE TRIGGER flow_deleted AFTER DELETE ON flow BEGIN
    DELETE FROM message WHERE flow = OLD.seq;
END;

CREATE TRIGGER message_deleted AFTER DELETE ON message WHEN OLD.body IS NOT NULL BEGIN
    DELETE FROM body WHERE hash = OLD.body AND NOT EXISTS (SELECT 1 FROM message WHERE body = OLD.body);
END;
"""

#: Small bodies stand in the row of their message, and what was forwarded as its difference from what the client sent.
_V2 = """
ALTER TABLE message ADD COLUMN content BLOB;
ALTER TABLE message ADD COLUMN likeness INTEGER NOT NULL DEFAULT 0;
"""

#: What a conversion lost, and the answer it made: a further role, for which the table is made anew.
_V3 = """
ALTER TABLE flow ADD COLUMN upstream_dialect TEXT NOT NULL DEFAULT '';
ALTER TABLE flow ADD COLUMN losses TEXT NOT NULL DEFAULT '[]';

ALTER TABLE message RENAME TO message_2;

CREATE TABLE message (
    flow          INTEGER NOT NULL,
    role          TEXT NOT NULL CHECK (role IN ('request', 'forwarded', 'response', 'answer', 'websocket')),
    method        TEXT,
    scheme        TEXT,
    host          TEXT,
    port          INTEGER,
    target        TEXT,
    status        INTEGER,
    reason        TEXT,
    http_version  TEXT,
    headers       TEXT,
    started       REAL NOT NULL,
    ended         REAL NOT NULL,
    size          INTEGER NOT NULL,
    count         INTEGER,
    truncated     INTEGER NOT NULL,
    redacted      INTEGER NOT NULL,
    body          BLOB,
    content       BLOB,
    likeness      INTEGER NOT NULL DEFAULT 0,
    UNIQUE (flow, role)
);

INSERT INTO message SELECT flow, role, method, scheme, host, port, target, status, reason, http_version, headers,
    started, ended, size, count, truncated, redacted, body, content, likeness FROM message_2;

DROP TRIGGER flow_deleted;

DROP TABLE message_2;

CREATE INDEX message_body ON message (body) WHERE body IS NOT NULL;

CREATE TRIGGER flow_deleted AFTER DELETE ON flow BEGIN
    DELETE FROM message WHERE flow = OLD.seq;
END;

CREATE TRIGGER message_deleted AFTER DELETE ON message WHEN OLD.body IS NOT NULL BEGIN
    DELETE FROM body WHERE hash = OLD.body AND NOT EXISTS (SELECT 1 FROM message WHERE body = OLD.body);
END;
"""

#: The tries of an exchange that took more than one.
_V4 = """
ALTER TABLE flow ADD COLUMN story TEXT NOT NULL DEFAULT '[]';
"""

#: Which run of a jail a flow belongs to, and which process in it sent the request.
_V5 = """
ALTER TABLE flow ADD COLUMN run TEXT NOT NULL DEFAULT '';
ALTER TABLE flow ADD COLUMN process TEXT NOT NULL DEFAULT '';
CREATE INDEX flow_run ON flow (run) WHERE run != '';
"""

#: Flows have one row of facts and one of what was on the wire, bodies may be deltas. Bodies that are there stay where they
#: are (there may be gigabytes of them) and go with their flows.
_V6 = """
ALTER TABLE body RENAME TO old_body;

CREATE TABLE body (
    id        INTEGER PRIMARY KEY,
    base      INTEGER,
    encoding  TEXT NOT NULL,
    size      INTEGER NOT NULL,
    crc       INTEGER,
    data      BLOB NOT NULL
);

CREATE INDEX body_base ON body (base) WHERE base IS NOT NULL;
CREATE INDEX body_moved ON body (data) WHERE encoding = 'moved';

CREATE TABLE wire (
    flow            INTEGER PRIMARY KEY,
    request         TEXT NOT NULL,
    forwarded       TEXT,
    response        TEXT,
    answer          TEXT,
    websocket       TEXT,
    request_body    BLOB,
    forwarded_body  BLOB,
    response_body   BLOB,
    answer_body     BLOB,
    websocket_body  BLOB
);

ALTER TABLE flow ADD COLUMN session TEXT NOT NULL DEFAULT '';
ALTER TABLE flow ADD COLUMN conversation TEXT NOT NULL DEFAULT '';
ALTER TABLE flow ADD COLUMN parent TEXT NOT NULL DEFAULT '';
ALTER TABLE flow ADD COLUMN kind TEXT NOT NULL DEFAULT '';
ALTER TABLE flow ADD COLUMN cost REAL;
ALTER TABLE flow ADD COLUMN hooks TEXT;
ALTER TABLE flow ADD COLUMN timings TEXT;
"""

_V6_AFTER_MOVE = """
DROP TRIGGER flow_deleted;
DROP TABLE message;

CREATE INDEX flow_session ON flow (session) WHERE session != '';

CREATE TRIGGER flow_deleted AFTER DELETE ON flow BEGIN
    DELETE FROM wire WHERE flow = OLD.seq;
    DELETE FROM body WHERE id BETWEEN OLD.seq * 8 AND OLD.seq * 8 + 7
        AND NOT EXISTS (SELECT 1 FROM body AS other WHERE other.base = body.id);
END;

CREATE TRIGGER body_deleted AFTER DELETE ON body WHEN OLD.base IS NOT NULL BEGIN
    DELETE FROM body WHERE id = OLD.base
        AND NOT EXISTS (SELECT 1 FROM body AS other WHERE other.base = OLD.base)
        AND NOT EXISTS (SELECT 1 FROM flow WHERE seq = OLD.base / 8);
END;

CREATE TRIGGER moved_body_deleted AFTER DELETE ON body WHEN OLD.encoding = 'moved' BEGIN
    DELETE FROM old_body WHERE hash = OLD.data
        AND NOT EXISTS (SELECT 1 FROM body WHERE encoding = 'moved' AND data = OLD.data);
END;

CREATE VIEW message AS
    SELECT flow, role,
        head ->> '$.method' AS method, head ->> '$.scheme' AS scheme, head ->> '$.host' AS host,
        head ->> '$.port' AS port, head ->> '$.target' AS target,
        head ->> '$.status' AS status, head ->> '$.reason' AS reason,
        ifnull(head ->> '$.http_version', '1.1') AS http_version,
        head -> '$.headers' AS headers, ifnull(head ->> '$.size', 0) AS size,
        ifnull(head ->> '$.truncated', 0) AS truncated, ifnull(head ->> '$.redacted', 0) AS redacted
    FROM (
        SELECT flow, 'request' AS role, request AS head FROM wire
        UNION ALL SELECT flow, 'forwarded', forwarded FROM wire
        UNION ALL SELECT flow, 'response', response FROM wire
        UNION ALL SELECT flow, 'answer', answer FROM wire
        UNION ALL SELECT flow, 'websocket', websocket FROM wire
    ) WHERE head IS NOT NULL;
"""


#: Which tools an answer calls, its status, when its pieces came, and what was said, to be searched. Flows that are there
#: get their status; their bodies are not read again.
_V7 = """
ALTER TABLE flow ADD COLUMN tools TEXT;
ALTER TABLE flow ADD COLUMN status INTEGER;
ALTER TABLE wire ADD COLUMN arrivals BLOB;

UPDATE flow SET status = (SELECT response ->> '$.status' FROM wire WHERE wire.flow = flow.seq);

CREATE INDEX flow_started ON flow (started);
CREATE INDEX flow_model ON flow (model);
CREATE INDEX flow_provider ON flow (provider);
CREATE INDEX flow_dialect ON flow (dialect);
CREATE INDEX flow_kind ON flow (kind);
CREATE INDEX flow_status ON flow (status);
CREATE INDEX flow_conversation ON flow (conversation) WHERE conversation != '';
CREATE INDEX flow_tools ON flow (tools) WHERE tools IS NOT NULL;
CREATE INDEX flow_outcome ON flow (outcome) WHERE outcome != 'complete';

CREATE TABLE said (
    flow    INTEGER PRIMARY KEY,
    prompt  TEXT NOT NULL,
    answer  TEXT NOT NULL
);

CREATE VIRTUAL TABLE said_index USING fts5(
    prompt, answer, content = 'said', content_rowid = 'flow', columnsize = 0,
    tokenize = "unicode61 remove_diacritics 2"
);

CREATE TRIGGER said_inserted AFTER INSERT ON said BEGIN
    INSERT INTO said_index (rowid, prompt, answer) VALUES (NEW.flow, NEW.prompt, NEW.answer);
END;

CREATE TRIGGER said_deleted AFTER DELETE ON said BEGIN
    INSERT INTO said_index (said_index, rowid, prompt, answer) VALUES ('delete', OLD.flow, OLD.prompt, OLD.answer);
END;

CREATE TRIGGER flow_said_deleted AFTER DELETE ON flow BEGIN
    DELETE FROM said WHERE flow = OLD.seq;
END;
"""


def _to_v6(connection: sqlite3.Connection) -> None:
    _run(connection, _V6)
    migrate.move_messages(connection)
    _run(connection, _V6_AFTER_MOVE)


def _run(connection: sqlite3.Connection, script: str) -> None:
    for statement in statements(script):
        connection.execute(statement)


Migration = str | Callable[[sqlite3.Connection], None]

#: One step per version: a script, or a function that runs in the transaction. A store that exists is never changed in
#: any other way.
MIGRATIONS: tuple[Migration, ...] = (_V1, _V2, _V3, _V4, _V5, _to_v6, _V7)

#: Of a new file. Rows of `wire` are some KB long.
_PAGE_BYTES = 8192


def open_for_writing(
    path: Path, *, busy_seconds: float = 5.0, migrations: Sequence[Migration] = MIGRATIONS
) -> sqlite3.Connection:
    """Opens the store at `path`, creating or upgrading it as needed. The file and its companions are 0600.

    The connection is in autocommit mode: transactions are begun and ended explicitly.

    Args:
        busy_seconds: how long to wait for another writer.
        migrations: the steps to bring the store to; for tests.

    Raises StoreError for a store that this version must not touch, sqlite3.Error and OSError as they come.
    """
    ensure_private_file(path)
    connection = sqlite3.connect(path, timeout=busy_seconds, autocommit=True, cached_statements=128)
    try:
        check(connection, path, newest=len(migrations))
        connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")  # these two only take effect in a new file
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        _set_up(connection)
        connection.execute("PRAGMA wal_autocheckpoint = 2000")
        connection.execute("PRAGMA journal_size_limit = 16777216")
        _migrate(connection, path, migrations)
    except BaseException:
        connection.close()
        raise
    return connection


def open_existing(
    path: Path, *, read_only: bool, busy_seconds: float, immutable: bool = False
) -> sqlite3.Connection | None:
    """Opens a store that is up to date, beside a running proxy or without one; None if it is still empty.

    Args:
        immutable: trust that nobody writes meanwhile: for a directory in which SQLite may not create its companions.

    Raises StoreError for a store of another version, sqlite3.Error as it comes.
    """
    uri = f"file:{quote(str(path.absolute()))}?mode={'ro' if read_only else 'rw'}{'&immutable=1' if immutable else ''}"
    connection = sqlite3.connect(uri, uri=True, timeout=busy_seconds, autocommit=True)
    try:
        check(connection, path)
        _set_up(connection)
        found = version(connection)
        if 0 < found < len(MIGRATIONS):
            raise StoreError(
                f"the flow store {path} was written by an older ccproxy (its version is {found})",
                hint="`ccproxy start` brings it up to date",
            )
    except BaseException:
        connection.close()
        raise
    if found == 0:
        connection.close()
        return None
    return connection


def _set_up(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA recursive_triggers = ON")
    # Some builds of SQLite overwrite whatever is deleted, which writes a large store once more to clear it.
    connection.execute("PRAGMA secure_delete = FAST").fetchall()


def version(connection: sqlite3.Connection) -> int:
    """The version of the store's schema; 0 for an empty file."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def check(connection: sqlite3.Connection, path: Path, *, newest: int = len(MIGRATIONS)) -> None:
    """Raises StoreError unless the file is empty or a flow store of a version up to `newest`."""
    # One transaction, so that a store which another process creates meanwhile is seen before or after, never in between.
    alone = not connection.in_transaction
    if alone:
        connection.execute("BEGIN")
    try:
        found = version(connection)
        application = int(connection.execute("PRAGMA application_id").fetchone()[0])
        empty = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
    finally:
        if alone:
            connection.execute("ROLLBACK")
    if empty and found == 0 and application == 0:
        return
    if application != APPLICATION_ID:
        raise StoreError(
            f"{path} is an SQLite file of another program", hint="set flows.path to a file that ccproxy may create"
        )
    if found > newest:
        raise StoreError(
            f"the flow store {path} was written by a newer ccproxy (its version is {found}, this one knows {newest})",
            hint="update ccproxy, or set flows.path to another file",
        )


def _migrate(connection: sqlite3.Connection, path: Path, migrations: Sequence[Migration]) -> None:
    if version(connection) == len(migrations):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        check(connection, path, newest=len(migrations))  # again: another process may have been here in the meantime
        for step in migrations[version(connection) :]:
            if isinstance(step, str):
                _run(connection, step)
            else:
                step(connection)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(migrations)}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def statements(script: str) -> list[str]:
    """The statements of a script, one by one (`executescript` would end the transaction they run in)."""
    found: list[str] = []
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            found.append(pending.strip())
            pending = ""
    assert not pending.strip(), "a migration ends in the middle of a statement"
    return found


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """A write transaction: committed at the end, rolled back on any exception."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def problem(error: Exception, path: Path) -> str:
    """What a failure of the store means for a person: what happened, where, what to do."""
    if isinstance(error, StoreError):
        return str(error)
    code = getattr(error, "sqlite_errorcode", None)
    primary = code & 0xFF if isinstance(code, int) else None
    if primary == sqlite3.SQLITE_FULL or "No space left" in str(error):
        return f"the disk of the flow store {path} is full (free some space, or run `ccproxy flows clear`)"
    if primary in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return f"the flow store {path} is damaged ({error}; move it away, and a new one is begun)"
    if primary in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return f"another program keeps the flow store {path} locked"
    if isinstance(error, OSError):
        return f"the flow store {path} cannot be opened: {error.strerror or error}"
    if primary in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}:
        return f"the flow store {path} cannot be written ({error}; check the permissions of the file and its directory)"
    return f"the flow store {path} fails: {error}"
