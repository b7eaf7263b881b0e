"""Reading the store for the page: in one thread of its own, so that neither a large flow nor a slow disk holds up what
the proxy is for. The last few flows that were opened stay decoded.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from ccproxy.errors import BadRequest, CommandError, Overloaded
from ccproxy.flows.cache import blame
from ccproxy.flows.compare import Comparison, compare
from ccproxy.flows.lookup import FlowReader
from ccproxy.flows.model import Flow
from ccproxy.flows.open import open_reader
from ccproxy.flows.query import Query
from ccproxy.flows.store import Place
from ccproxy.inspector import conversation, views
from ccproxy.inspector.conversation import Conversation
from ccproxy.inspector.series import Key, series
from ccproxy.lightllm.registry import Registry

type Json = dict[str, Any]

_KEPT_FLOWS = 4
_MOST_JOBS = 64
_MOST_IN_SESSION = 2000
#: Requests of a session, the newest, whose prompts are held against one another.
_MOST_BLAMED = 200


class Opened:
    """A flow that was opened, with what has been made of it."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self._conversation: Conversation | None = None
        self._comparison: tuple[Comparison | None] | None = None

    def conversation(self, dialects: Registry) -> Conversation:
        """It as a conversation."""
        if self._conversation is None:
            self._conversation = conversation.read(self.flow, dialects)
        return self._conversation

    def comparison(self) -> Comparison | None:
        """Its two requests compared."""
        if self._comparison is None:
            self._comparison = (compare(self.flow),)
        return self._comparison[0]


class Reading:
    """The store at `place`, for the event loop.

    Args:
        dialects: the dialects that conversations are read in.
    """

    def __init__(self, place: Place, dialects: Registry) -> None:
        self._place = place
        self.dialects = dialects
        self._thread = ThreadPoolExecutor(1, "inspector")
        self._jobs = 0
        self._reader: FlowReader | None = None
        self._opened: OrderedDict[str, Opened] = OrderedDict()

    async def run[T](self, job: Callable[[], T]) -> T:
        """Runs `job` in the thread. Raises Overloaded if too much waits for it."""
        if self._jobs >= _MOST_JOBS:
            raise Overloaded("the inspector has too much to do")
        self._jobs += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, job)
        finally:
            self._jobs -= 1

    async def close(self) -> None:
        """Closes the store."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown()

    async def page(self, query: Query, before: int | None, limit: int) -> Json:
        """A page of the list: rows, the newest first, and how many there are in all."""
        return await self.run(lambda: self._page(query, before, limit))

    async def rows_of(self, ids: list[str]) -> dict[str, Json]:
        """Rows by id, of the flows that are there among the newest."""
        return await self.run(lambda: self._rows_of(ids))

    async def session(self, session: str) -> Json:
        """The flows of a session, the oldest first."""
        return await self.run(lambda: self._session(session))

    async def cache(self, session: str) -> Json:
        """Who broke the prompt cache in a session."""
        return await self.run(lambda: self._cache(session))

    async def series(self, key: Key, since: float, until: float, offset: int) -> Json:
        """Cost and tokens over time."""
        return await self.run(
            lambda: series(self._store().figures(Query(since=since, until=until)), key, since, until, offset=offset)
        )

    async def facets(self) -> Json:
        """What there is to filter by."""
        return await self.run(self._facets)

    async def open[T](self, flow_id: str, look: Callable[[Opened], T]) -> T | None:
        """What `look`, called in the thread, makes of a flow; None if there is no such flow."""

        def job() -> T | None:
            opened = self._open(flow_id)
            return None if opened is None else look(opened)

        return await self.run(job)

    def _store(self) -> FlowReader:
        if self._reader is None:
            reader = open_reader(self._place)
            if not reader.there:
                return reader  # looked for again next time
            self._reader = reader
        return self._reader

    def _close(self) -> None:
        self._opened.clear()
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _page(self, query: Query, before: int | None, limit: int) -> Json:
        store = self._store()
        try:
            flows = store.select(query, before=before, limit=limit)
            total = store.matching(query) if before is None else None
        except CommandError as error:
            raise BadRequest(error.message, hint=error.hint) from error
        rows = [views.row(flow) for flow in reversed(flows)]
        if query.text and rows:
            first, last = rows[-1]["seq"], rows[0]["seq"]
            # Hits cannot be asked for by place: those of this page are among as many of the newest.
            hits = {hit.id: hit for hit in store.search(query.text, limit=5 * limit) if first <= hit.seq <= last}
            for row in rows:
                if (hit := hits.get(row["id"])) is not None:
                    row["hit"] = {"role": hit.role, "snippet": hit.snippet, "marks": hit.marks}
        return {"rows": rows, "total": total, "more": len(rows) == limit}

    def _rows_of(self, ids: list[str]) -> dict[str, Json]:
        wanted = set(ids)
        newest = self._store().select(limit=len(ids) + 50)
        return {flow.id: views.row(flow) for flow in newest if flow.id in wanted}

    def _session(self, session: str) -> Json:
        store = self._store()
        query = Query(session=session)
        flows = sorted(store.select(query, limit=_MOST_IN_SESSION), key=lambda flow: flow.started)
        return {"session": session, "rows": [views.row(flow) for flow in flows], "total": store.matching(query)}

    def _cache(self, session: str) -> Json:
        store = self._store()
        flows = sorted(store.select(Query(session=session), limit=_MOST_BLAMED), key=lambda flow: flow.started)
        whole = (each for flow in flows if (each := store.get(flow.id)) is not None)
        found: Json = msgspec.to_builtins(blame(whole))
        return found | {"limited": len(flows) == _MOST_BLAMED}

    def _facets(self) -> Json:
        facets = self._store().facets()
        return {
            "model": facets.models,
            "provider": facets.providers,
            "dialect": facets.dialects,
            "kind": facets.kinds,
            "status": facets.statuses,
            "tool": facets.tools,
            "session": facets.sessions,
        }

    def _open(self, flow_id: str) -> Opened | None:
        opened = self._opened.get(flow_id)
        if opened is None:
            flow = self._store().get(flow_id)
            if flow is None:
                return None
            opened = self._opened[flow_id] = Opened(flow)
        self._opened.move_to_end(flow_id)
        while len(self._opened) > _KEPT_FLOWS:
            self._opened.popitem(last=False)
        return opened
