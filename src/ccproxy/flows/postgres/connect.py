"""Connecting to the database, and saying what is wrong with it: no password in any word, no waiting without end."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from ccproxy.errors import StoreError

if TYPE_CHECKING:
    from types import ModuleType

    import psycopg

_log = logging.getLogger(__name__)

#: The schema (the namespace) in which everything is.
NAMESPACE = "ccproxy"
_CONNECT_SECONDS = 5
_HIDDEN = "***"
_ATTEMPTS = 3
#: Milliseconds: how long the network, a statement, a lock, and a transaction that does nothing may take.
_TCP_MS, _STATEMENT_MS, _LOCK_MS, _IDLE_MS = 10_000, 60_000, 10_000, 60_000
_OPTIONS = (
    f"-c statement_timeout={_STATEMENT_MS} -c lock_timeout={_LOCK_MS} "
    f"-c idle_in_transaction_session_timeout={_IDLE_MS} -c search_path={NAMESPACE}"
)


def connect(url: str, *, read_only: bool = False) -> psycopg.Connection:
    """A connection in autocommit mode. Raises StoreError without psycopg, psycopg.Error as it comes.

    Args:
        url: `postgresql://user@host/database`; what is not in it comes from libpq's own places (PGPASSWORD, ~/.pgpass).
    """
    read = " -c default_transaction_read_only=on" if read_only else ""
    connection: psycopg.Connection = driver().connect(
        url,
        autocommit=True,
        connect_timeout=_CONNECT_SECONDS,
        tcp_user_timeout=_TCP_MS,
        keepalives_idle=_TCP_MS // 1000,
        application_name="ccproxy",
        options=f"{_OPTIONS}{read}",
        client_encoding="utf8",
    )
    return connection


def driver() -> ModuleType:
    """psycopg, imported when it is first needed. Raises StoreError if it is not installed."""
    try:
        import psycopg
    except ImportError as error:
        raise StoreError(
            f"flows.store names a PostgreSQL database, for which psycopg is missing ({error})",
            hint="pip install 'ai-ccproxy[postgres]'",
        ) from error
    return psycopg


def repeated[T](attempt: Callable[[], T]) -> T:
    """Runs a transaction, and again if another proxy was in its way: what one deletes the other may just have begun to
    need. Raises psycopg.Error as it comes the third time."""
    errors = driver().errors
    in_the_way = (
        errors.DeadlockDetected,
        errors.SerializationFailure,
        errors.ForeignKeyViolation,
        errors.UniqueViolation,
    )
    for _ in range(_ATTEMPTS - 1):
        try:
            return attempt()
        except in_the_way as error:
            _log.debug("a transaction is tried again: %s", type(error).__name__)
    return attempt()


def shown(url: str) -> str:
    """The database for people: without password and options."""
    try:
        parts = urlsplit(url)
        user, host, port = parts.username, parts.hostname, parts.port
    except ValueError:
        return "the database of flows.store"
    where = f"{'[' + host + ']' if host and ':' in host else host or ''}{f':{port}' if port else ''}"
    return f"postgresql://{f'{user}@' if user else ''}{where}{parts.path}"


def hidden(text: str, url: str) -> str:
    """`text` without the password of `url`, however it is written there."""
    for secret in sorted(_secrets(url), key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    return text


def _secrets(url: str) -> set[str]:
    _, _, rest = url.partition("://")
    before, _, parameters = rest.partition("?")
    found = {before.rpartition("@")[0].partition(":")[2]}
    for parameter in parameters.split("&"):
        name, _, value = parameter.partition("=")
        if "password" in name.lower():
            found.add(value)
    return {secret for one in found for secret in (one, unquote(one), quote(unquote(one), safe="")) if secret}


def problem(error: Exception, url: str) -> str:
    """What a failure of the store means for a person: what happened, where, what to do."""
    if isinstance(error, StoreError):
        return hidden(str(error), url)
    where = f"the flow store {shown(url)}"
    text = hidden(" ".join(str(error).split()), url) or type(error).__name__
    state = str(getattr(error, "sqlstate", None) or "")
    match state[:2], state:
        case "28", _:
            return f"{where} refuses the user or the password ({text})"
        case "3D", _:
            return f"{where} does not exist (`createdb` makes it)"
        case "53", "53100":
            return f"the disk of {where} is full"
        case "25", "25006":
            return f"{where} is read-only at the moment (a standby?)"
        case "42", "42501":
            return f"{where} may not be used so ({text}; its user needs a schema of its own, see docs/how-to/team-store.md)"
        case "55", _:
            return f"{where} is locked by another program ({text})"
    if type(error).__name__ == "ProgrammingError" and not state:
        return "flows.store is no valid address of a PostgreSQL database (postgresql://user@host/database)"
    return f"{where} cannot be used: {text}"
