"""Looking flows up: the questions that commands and the inspector ask, the same of every database.

What is asked is SQL that every database understands; a reader of one (`reader.Reader`, `postgres.reader`) says how it
is run, how bodies are put together, and how words are searched.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import batched
from typing import Any, Self

import msgspec

from ccproxy.errors import StoreError
from ccproxy.flows import rows
from ccproxy.flows.model import Flow
from ccproxy.flows.query import SQLITE, Facets, Query, Sql, conditions
from ccproxy.flows.rows import FLOW_COLUMNS, FORWARDED, HEAD_COLUMNS, REQUEST
from ccproxy.flows.search import Hit
from ccproxy.flows.stats import Figures, figures

Row = Sequence[Any]

#: A summary: `seq`, then FLOW_COLUMNS and HEAD_COLUMNS.
SUMMARY = f"seq, {FLOW_COLUMNS}, {HEAD_COLUMNS}"
FROM = "FROM flow LEFT JOIN wire ON wire.flow = flow.seq"
_SELECT = f"SELECT {SUMMARY} {FROM}"
_FACTS = 1 + len(rows.FACTS.split(","))
_DERIVED = _FACTS + len(rows.DERIVED.split(","))
#: How many values a summary has.
SUMMARY_VALUES = _DERIVED + len(rows.ROLES)
_FIGURES = (
    "id, started, duration, ttfb, streaming, outcome, status, model, answer_model, provider, session, client_key, "
    "user_agent, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, cost, timings"
)
_EVERY = Query()
_PER_PAGE = 200
_MOST_SESSIONS = 200
#: In place of no limit.
ALL = 2**63 - 1
_SESSIONS = f"""
SELECT session, count(*), max(seq) AS newest FROM flow WHERE session != ''
GROUP BY session ORDER BY newest DESC LIMIT {_MOST_SESSIONS}
"""  # noqa: S608
_TOTALS = """
SELECT count(*), coalesce(sum(CASE WHEN outcome != 'complete' THEN 1 ELSE 0 END), 0),
    coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0), coalesce(sum(cost), 0),
    coalesce(sum(CASE WHEN cost IS NULL AND (input_tokens > 0 OR output_tokens > 0) THEN 1 ELSE 0 END), 0)
FROM flow WHERE run = ? AND run != ''
"""
_HOSTS = """
SELECT host, count(*) AS flows FROM flow JOIN message ON message.flow = flow.seq AND role = 'request'
WHERE run = ? AND run != '' GROUP BY host ORDER BY flows DESC, host
"""

_decode_names = msgspec.json.Decoder(list[str]).decode


@dataclass(frozen=True, slots=True)
class Totals:
    """A run in numbers. `failed` counts what did not end well, refusals included; `hosts` are the most asked first;
    `cost` is US dollars, without the `unpriced` flows that used tokens at a price that is not known."""

    flows: int = 0
    failed: int = 0
    input: int = 0
    output: int = 0
    hosts: tuple[tuple[str, int], ...] = ()
    cost: float = 0.0
    unpriced: int = 0


class FlowReader(ABC):
    """A view of a store, to be closed after use; a context manager.

    A store that does not exist reads as an empty one. Every method raises StoreError if the store cannot be read.
    """

    #: What the database says differently.
    sql: Sql = SQLITE

    @property
    @abstractmethod
    def name(self) -> str:
        """What the store is called in errors."""

    @property
    def there(self) -> bool:
        """Whether there was a store when this view of it was opened; without one it stays empty."""
        return True

    @abstractmethod
    def close(self) -> None:
        """Lets go of the store."""

    @abstractmethod
    def search(self, text: str, limit: int = 50) -> list[Hit]:
        """The flows in whose prompt or answer all words and quoted phrases of `text` are, the newest last.

        Args:
            text: as a person types it; nothing in it is wrong.
            limit: only so many of the newest; 0 for all.
        """

    @abstractmethod
    def get(self, flow_id: str) -> Flow | None:
        """The flow with this id, bodies included."""

    @abstractmethod
    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """What a statement gives; nothing if there is no store. Its parameters are marked by `?`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def count(self) -> int:
        """How many flows there are."""
        return self.matching(_EVERY)

    def summaries(self, limit: int = 0, query: Query = _EVERY) -> Iterator[Flow]:
        """The flows that meet `query` without their bodies, the newest last, read as they are asked for: what is deleted
        meanwhile is left out.

        Args:
            limit: only so many of the newest; 0 for all.

        Raises CommandError for a query that makes no sense.
        """
        condition, values = conditions(query, self.sql)
        sql = f"SELECT seq FROM flow WHERE {condition} ORDER BY seq DESC LIMIT ?"  # noqa: S608
        chosen = [row[0] for row in self._rows(sql, (*values, limit or ALL))]
        chosen.reverse()
        # Page by page: whoever reads slowly keeps no state of the store from being given up.
        for some in batched(chosen, _PER_PAGE, strict=False):
            marks = ", ".join("?" * len(some))
            for row in self._rows(f"{_SELECT} WHERE seq IN ({marks}) ORDER BY seq", some):
                yield self._flow(row)

    def select(self, query: Query = _EVERY, *, before: int | None = None, limit: int = 0) -> list[Flow]:
        """The flows that meet `query`, without their bodies, the newest last.

        Args:
            before: only flows with a smaller `seq`: the next page, towards older ones.
            limit: only so many of the newest; 0 for all.

        Raises CommandError for a query that makes no sense.
        """
        condition, values = conditions(query, self.sql)
        if before is not None:
            condition, values = f"{condition} AND seq < ?", [*values, before]
        # The flows are chosen before anything is read of them but what the conditions are about.
        chosen = f"SELECT seq FROM flow WHERE {condition} ORDER BY seq DESC LIMIT ?"  # noqa: S608
        found = self._rows(f"{_SELECT} WHERE seq IN ({chosen}) ORDER BY seq", (*values, limit or ALL))
        return [self._flow(row) for row in found]

    def after(self, seq: int, limit: int) -> list[Flow]:
        """The flows whose `seq` is larger, without their bodies, the oldest first, at most `limit` of them."""
        return [self._flow(row) for row in self._rows(f"{_SELECT} WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit))]

    def newest(self) -> int:
        """The largest `seq`, 0 for none."""
        found = self._rows("SELECT coalesce(max(seq), 0) FROM flow")
        return int(found[0][0]) if found else 0

    def matching(self, query: Query) -> int:
        """How many flows meet `query`. Raises CommandError for one that makes no sense."""
        condition, values = conditions(query, self.sql)
        found = self._rows(f"SELECT count(*) FROM flow WHERE {condition}", values)  # noqa: S608
        return int(found[0][0]) if found else 0

    def facets(self) -> Facets:
        """What flows there are."""
        tools: Counter[str] = Counter()
        for names, count in self._counted("tools"):
            tools.update(dict.fromkeys(_decode_names(names), count))
        return Facets(
            models=self._counted("model"),
            providers=self._counted("provider"),
            dialects=self._counted("dialect"),
            kinds=self._counted("kind"),
            statuses=tuple((str(status), count) for status, count in self._counted("status")),
            tools=tuple(sorted(tools.items(), key=lambda item: (-item[1], item[0]))),
            sessions=tuple((session, count) for session, count, _ in self._rows(_SESSIONS)),
        )

    def figures(self, query: Query = _EVERY) -> Iterator[Figures]:
        """The numbers of the flows in a dialect that meet `query`, the newest last. Raises CommandError for a query that
        makes no sense."""
        condition, values = conditions(query, self.sql)
        sql = f"SELECT {_FIGURES} FROM flow WHERE dialect != '' AND {condition} ORDER BY seq"  # noqa: S608
        return map(figures, self._rows(sql, values))

    def ids(self, query: Query = _EVERY) -> list[str]:
        """The ids of the flows that meet `query`, the newest last. Raises CommandError for a query that makes no sense."""
        condition, values = conditions(query, self.sql)
        return [row[0] for row in self._rows(f"SELECT id FROM flow WHERE {condition} ORDER BY seq", values)]  # noqa: S608

    def find(self, prefix: str, limit: int = 2) -> list[str]:
        """The ids that begin with `prefix`, at most `limit` of them."""
        # The largest code point ends the range, so that the index on `id` serves it.
        sql = "SELECT id FROM flow WHERE id >= ? AND id < ? ORDER BY id LIMIT ?"
        return [row[0] for row in self._rows(sql, (prefix, f"{prefix}\U0010ffff", limit))]

    def last(self) -> str | None:
        """The id of the newest flow."""
        found = self._rows("SELECT id FROM flow ORDER BY seq DESC LIMIT 1")
        return str(found[0][0]) if found else None

    def totals(self, run: str) -> Totals:
        """What the jail of a run did, summed up."""
        found = self._rows(_TOTALS, (run,))
        if not found:
            return Totals()
        flows, failed, read, written, cost, unpriced = found[0]
        hosts = tuple((host, count) for host, count in self._rows(_HOSTS, (run,)))
        return Totals(flows, int(failed), int(read), int(written), hosts, float(cost), int(unpriced))

    def _counted(self, column: str) -> tuple[tuple[Any, int], ...]:
        """The values of a column of `flow` that has an index, and how many flows have them, the most frequent first."""
        sql = (
            f"SELECT {column}, count(*) AS flows FROM flow WHERE {column} IS NOT NULL GROUP BY {column} "  # noqa: S608
            f"ORDER BY flows DESC, {column}"
        )
        return tuple((value, count) for value, count in self._rows(sql) if value != "")

    def _flow(self, row: Row, contents: list[bytes] | None = None, arrived: bytes | None = None) -> Flow:
        """The flow of a row whose first values are a summary's."""
        try:
            heads = row[_DERIVED:SUMMARY_VALUES]
            return rows.read(row[1:_FACTS], row[_FACTS:_DERIVED], heads, contents, row[0], arrived)
        except (msgspec.MsgspecError, TypeError) as error:
            raise StoreError(f"the flow store {self.name} is damaged: flow {row[0]}: {error}") from error


def contents(kept: Sequence[bytes | int | str | None], read: Callable[[int], bytes]) -> list[bytes]:
    """The bodies of a flow from what stands for them in `wire`.

    Args:
        kept: for each role the body, the id of one in `body`, or the name of the request for a forwarded body that is its.
        read: the body with an id.
    """
    found: list[bytes] = []
    for role, value in enumerate(kept):
        match value:
            case bytes():
                found.append(value)
            case int():
                found.append(read(value))
            case str() if role == FORWARDED:
                found.append(found[REQUEST])
            case _:
                found.append(b"")
    return found
