"""Which flows to choose: a query of simple conditions, and what the store holds to choose from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from ccproxy.errors import CommandError
from ccproxy.flows import search

#: Largest code point: the end of the range of all texts with a beginning.
_LAST = "\U0010ffff"
_EXACT = ("model", "provider", "session", "conversation", "dialect", "kind")
_FAILED = "seq IN (SELECT seq FROM flow WHERE outcome != 'complete' UNION ALL SELECT seq FROM flow WHERE status >= 400)"


class Query(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Conditions, all of which a flow must meet; what is empty is none.

    Attributes:
        text: words of the prompt or the answer, as `search.terms` reads them.
        model: the model that was asked for.
        status: `200`, a class such as `4xx`, or `error`: an answer of 400 and more, or an exchange that did not end well.
        tool: a tool that the answer calls.
        run: the id of a run, or its beginning.
        since, until: when the request came, seconds since the epoch; `until` is no longer in.
    """

    text: str = ""
    model: str = ""
    provider: str = ""
    session: str = ""
    conversation: str = ""
    status: str = ""
    tool: str = ""
    run: str = ""
    dialect: str = ""
    kind: str = ""
    since: float | None = None
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Facets:
    """What flows there are: each value with the number of flows that have it, the most frequent first. `sessions` are
    those of the newest flows, the newest first."""

    models: tuple[tuple[str, int], ...] = ()
    providers: tuple[tuple[str, int], ...] = ()
    dialects: tuple[tuple[str, int], ...] = ()
    kinds: tuple[tuple[str, int], ...] = ()
    statuses: tuple[tuple[str, int], ...] = ()
    tools: tuple[tuple[str, int], ...] = ()
    sessions: tuple[tuple[str, int], ...] = ()


class Sql(NamedTuple):
    """What databases say differently.

    Attributes:
        said: the condition that words were said, with one parameter; `expression` makes it from what a person typed, None
            if there is nothing to look for.
        contains: the function that finds one text in another and gives its place.
    """

    said: str
    expression: Callable[[str], str | None]
    contains: str


SQLITE = Sql("seq IN (SELECT rowid FROM said_index WHERE said_index MATCH ?)", search.expression, "instr")


def conditions(query: Query, sql: Sql = SQLITE) -> tuple[str, list[Any]]:
    """The condition on table `flow` in SQL, and its parameters. Raises CommandError for a status that is none."""
    parts: list[str] = []
    values: list[Any] = []
    for part, some in _conditions(query, sql):
        parts.append(part)
        values += some
    return " AND ".join(parts) or "1 = 1", values


def _conditions(query: Query, sql: Sql) -> Iterator[tuple[str, list[Any]]]:
    for name in _EXACT:
        if value := getattr(query, name):
            yield f"{name} = ?", [value]
    if query.text.strip():
        expression = sql.expression(query.text)
        yield (sql.said, [expression]) if expression is not None else ("1 = 0", [])
    if query.status:
        yield _status(query.status)
    if query.tool:
        # The condition is on the text of a JSON array: the name stands there as JSON writes it.
        yield (
            f"seq IN (SELECT seq FROM flow WHERE tools IS NOT NULL AND {sql.contains}(tools, ?) > 0)",  # noqa: S608
            [msgspec.json.encode(query.tool).decode()],
        )
    if query.run:
        yield "run >= ? AND run < ? AND run != ''", [query.run, query.run + _LAST]
    if query.since is not None:
        yield "started >= ?", [query.since]
    if query.until is not None:
        yield "started < ?", [query.until]


def _status(given: str) -> tuple[str, list[Any]]:
    text = given.lower()
    if text == "error":
        return _FAILED, []
    if not text.isascii() or len(text) != 3:
        text = ""
    if text[:1].isdecimal() and text[1:] == "xx":
        return "status BETWEEN ? AND ?", [int(text[0]) * 100, int(text[0]) * 100 + 99]
    if text.isdecimal():
        return "status = ?", [int(text)]
    raise CommandError(f"{given!r} is no status", hint="a status is 200, 4xx or error")
