"""Choosing flows by conditions, and what there is to choose from; on a real store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ccproxy.errors import CommandError
from ccproxy.flows.lookup import FlowReader
from ccproxy.flows.model import Flow, ResponseRecord
from ccproxy.flows.query import Facets, Query
from ccproxy.flows.reader import Reader

from .conftest import Kind
from .support import START, make_flow


def flow(number: int, *, said: str = "", answer: str = "", tool: str = "", status: int = 200, **changes: Any) -> Flow:
    content: list[dict[str, Any]] = [{"type": "text", "text": answer}]
    if tool:
        content.append({"type": "tool_use", "name": tool, "input": {}})
    body = msgspec.json.encode({"type": "message", "content": content})
    made = make_flow(number, response=ResponseRecord([], body, len(body), status=status), **changes)
    made.request.body = msgspec.json.encode({"messages": [{"role": "user", "content": said}]})
    return made


FLOWS = [
    flow(0, said="hello world", session="s1", kind="main", conversation="c1"),
    flow(1, model="gpt-x", provider="openai", dialect="openai", kind="main", tool='Say "hi"', session="s1"),
    flow(2, status=429, model="gpt-x", kind="side", run="abc123", session="s2"),
    flow(3, outcome="client_gone", tool="Bash", answer="the world is flat", run="abd", kind="main", session="s2"),
    flow(4, status=503, outcome="upstream_error", kind="subagent", run="x", session="s3"),
    flow(5, tool="Bash", said="100%", answer="世界", kind="main", session="s3"),
]


@pytest.fixture
async def reader(kind: Kind) -> AsyncIterator[FlowReader]:
    watched = kind.watched()
    assert all(await watched.put(*FLOWS))
    with kind.reader() as reader:
        yield reader


def numbers(flows: list[Flow]) -> list[int]:
    return [int(flow.id, 16) for flow in flows]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query(), [0, 1, 2, 3, 4, 5]),
        (Query(text="world"), [0, 3]),
        (Query(text='"hello world"'), [0]),
        (Query(text="世"), [5]),
        (Query(text="%"), []),
        (Query(text=" "), [0, 1, 2, 3, 4, 5]),
        (Query(model="gpt-x"), [1, 2]),
        (Query(model="gpt"), []),
        (Query(provider="openai"), [1]),
        (Query(dialect="openai"), [1]),
        (Query(session="s2"), [2, 3]),
        (Query(conversation="c1"), [0]),
        (Query(kind="main"), [0, 1, 3, 5]),
        (Query(status="200"), [0, 1, 3, 5]),
        (Query(status="4XX"), [2]),
        (Query(status="5xx"), [4]),
        (Query(status="error"), [2, 3, 4]),
        (Query(tool="Bash"), [3, 5]),
        (Query(tool='Say "hi"'), [1]),
        (Query(tool="Ba"), []),
        (Query(run="ab"), [2, 3]),
        (Query(run="abc123"), [2]),
        (Query(since=START + 2), [2, 3, 4, 5]),
        (Query(since=START + 2, until=START + 4), [2, 3]),
        (Query(status="error", kind="main"), [3]),
        (Query(text="world", tool="Bash"), [3]),
        (Query(model="' OR 1"), []),
    ],
)
def test_each_condition(reader: FlowReader, query: Query, expected: list[int]) -> None:
    assert numbers(reader.select(query)) == expected
    assert reader.matching(query) == len(expected)


def test_pages_go_back_and_are_the_newest_last(reader: FlowReader) -> None:
    page = reader.select(limit=2)
    assert numbers(page) == [4, 5]
    page = reader.select(before=page[0].seq, limit=3)
    assert numbers(page) == [1, 2, 3]
    assert numbers(reader.select(before=page[0].seq, limit=3)) == [0]
    assert reader.select(before=1) == []
    assert numbers(reader.select(Query(kind="main"), before=6, limit=2)) == [1, 3]


def test_a_page_has_summaries(reader: FlowReader) -> None:
    [last] = reader.select(limit=1)
    assert (last.request.body, last.tools, last.request.size) == (b"", ["Bash"], FLOWS[5].request.size)


def test_what_there_is(reader: FlowReader) -> None:
    assert reader.facets() == Facets(
        models=(("claude-x", 4), ("gpt-x", 2)),
        providers=(("anthropic", 5), ("openai", 1)),
        dialects=(("anthropic", 5), ("openai", 1)),
        kinds=(("main", 4), ("side", 1), ("subagent", 1)),
        statuses=(("200", 4), ("429", 1), ("503", 1)),
        tools=(("Bash", 2), ('Say "hi"', 1)),
        sessions=(("s3", 2), ("s2", 2), ("s1", 2)),
    )


@pytest.mark.parametrize("status", ["20", "x", "xxx", "2000", "-20", "²xx", "２００"])
def test_a_status_that_is_none_is_said(reader: FlowReader, status: str) -> None:
    with pytest.raises(CommandError, match="is no status"):
        reader.select(Query(status=status))


def test_search_tells_where_and_whose_words(reader: FlowReader) -> None:
    hits = reader.search("world")
    assert [(hit.id, hit.seq, hit.role, hit.snippet) for hit in hits] == [
        ("000000000000", 1, "prompt", "hello world"),
        ("000000000003", 4, "answer", "the world is flat Bash"),
    ]
    assert [hit.snippet[begin:end] for hit in hits for begin, end in hit.marks] == ["world", "world"]
    assert [hit.seq for hit in reader.search("world", limit=1)] == [4]
    assert reader.search("世界")[0].snippet == "世界 Bash"
    assert reader.search("") == reader.search('"') == []


def test_a_store_that_does_not_exist_has_nothing(tmp_path: Path) -> None:
    with Reader(tmp_path / "none.db") as reader:
        assert reader.select(Query(model="x")) == []
        assert reader.matching(Query()) == 0
        assert reader.facets() == Facets()
        assert reader.search("x") == []


async def test_what_is_said_goes_with_its_flow(kind: Kind) -> None:
    watched = kind.watched()
    await watched.put(*FLOWS)
    assert kind.clear([FLOWS[0].id, "other"]) == 1
    with kind.reader() as reader:
        assert [hit.id for hit in reader.search("world")] == [FLOWS[3].id]
    assert kind.clear(None) == 5
    await watched.put(flow(9, said="another world"))
    with kind.reader() as reader:
        assert [hit.snippet for hit in reader.search("world")] == ["another world"]
