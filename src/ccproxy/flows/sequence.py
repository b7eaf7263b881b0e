"""Recorded flows as a Python sequence, for `flows repl` and for scripts.

A `Flows` is a choice of flows of a store; nothing of a flow is read before it is asked for, and then the whole flow with
its bodies. Choosing further gives another choice; the store is asked anew only where that is needed.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import Any, overload

import msgspec

from ccproxy.errors import CommandError
from ccproxy.flows import coding
from ccproxy.flows.cache import Blame, blame
from ccproxy.flows.filters import apply
from ccproxy.flows.lookup import FlowReader
from ccproxy.flows.model import Flow, Message
from ccproxy.flows.query import Query
from ccproxy.flows.stats import By, Stats, tally
from ccproxy.flows.text import count
from ccproxy.flows.views import flow_json


class Flows(Sequence[Flow]):
    """A choice of flows, the newest last. `flows[-1]` is the newest, `flows["3f2a"]` the one whose id begins so.

    Args:
        reader: the store, to be kept open as long as the choice is used.
        query: which flows.
        ids: the flows instead of those that the query chooses.
    """

    def __init__(self, reader: FlowReader, query: Query | None = None, ids: Sequence[str] | None = None) -> None:
        self._reader = reader
        self._query = query or Query()
        self._ids = list(ids) if ids is not None else None

    @property
    def ids(self) -> list[str]:
        """The ids of the flows."""
        if self._ids is None:
            self._ids = self._reader.ids(self._query)
        return self._ids

    def __len__(self) -> int:
        return len(self._ids) if self._ids is not None else self._reader.matching(self._query)

    @overload
    def __getitem__(self, index: int) -> Flow: ...
    @overload
    def __getitem__(self, index: str) -> Flow: ...
    @overload
    def __getitem__(self, index: slice) -> Flows: ...
    def __getitem__(self, index: int | str | slice) -> Flow | Flows:
        if isinstance(index, slice):
            return Flows(self._reader, ids=self.ids[index])
        if isinstance(index, str):
            found = [one for one in self.ids if one.startswith(index)]
            if not found:
                raise KeyError(f"there is no flow {index!r} among these {len(self):,}")
            if len(found) > 1 and index not in found:
                raise KeyError(f"several flows begin with {index!r}: {', '.join(found[:5])}")
            return self._get(index if index in found else found[0])
        return self._get(self.ids[index])

    def __iter__(self) -> Iterator[Flow]:
        for one in self.ids:
            if (flow := self._reader.get(one)) is not None:  # it may have been removed meanwhile
                yield flow

    def __repr__(self) -> str:
        return f"<{count(len(self), 'flow')}>"

    def select(self, text: str = "", **conditions: Any) -> Flows:
        """The flows of this choice that meet conditions: `select(model="claude-opus-5", status="error")`, or
        `select("a word")`; the names are those of `Query`. Raises CommandError for one that there is not."""
        try:
            query = msgspec.structs.replace(self._query, **{**conditions, **({"text": text} if text else {})})
        except TypeError:
            known = ", ".join(Query.__struct_fields__)
            raise CommandError(f"no such condition among {', '.join(conditions)}", hint=f"there are: {known}") from None
        if self._ids is None:
            return Flows(self._reader, query)
        meet = set(self._reader.ids(query))
        return Flows(self._reader, ids=[one for one in self._ids if one in meet])

    def jq(self, *filters: str) -> Any:
        """What jq filters make of the flows, each from array to array: a choice, if only flows are left, else the values.
        Raises CommandError for a filter that is wrong."""
        chosen = set(self.ids)
        items = (flow_json(flow) for flow in self._reader.summaries(0, self._query) if flow.id in chosen)
        left = apply(filters, list(items))
        ids = [item["id"] for item in left if isinstance(item, dict) and item.get("id") in chosen]
        return Flows(self._reader, ids=ids) if len(ids) == len(left) else left

    def stats(self, by: By = "model") -> Stats:
        """The flows added up."""
        chosen = set(self.ids) if self._ids is not None else None
        figures = self._reader.figures(self._query)
        return tally((one for one in figures if chosen is None or one.id in chosen), by)

    def blame(self) -> Blame:
        """Who broke the prompt cache."""
        return blame(self)

    def _get(self, flow_id: str) -> Flow:
        flow = self._reader.get(flow_id)
        if flow is None:
            raise KeyError(f"flow {flow_id} is gone: retention or `flows clear` has removed it")
        return flow


def body(message: Message | None) -> Any:
    """What a request or response holds: the value of its JSON, else its text, else its bytes."""
    if message is None:
        return None
    decoded = coding.decode(message.body, message.header("content-encoding"))
    content = message.body if decoded is None else decoded.data
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content


def diff(old: Flow, new: Flow) -> str:
    """The difference of what was forwarded in two flows, as a unified diff of indented JSON."""
    before, after = (_lines(flow) for flow in (old, new))
    return "\n".join(difflib.unified_diff(before, after, f"flow:{old.id}", f"flow:{new.id}", lineterm=""))


def _lines(flow: Flow) -> list[str]:
    value = body(flow.forwarded or flow.request)
    text = value if isinstance(value, str) else msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    return text.splitlines()
