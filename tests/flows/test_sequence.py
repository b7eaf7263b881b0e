"""Flows as a Python sequence."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from ccproxy.errors import CommandError
from ccproxy.flows.query import Query
from ccproxy.flows.sequence import Flows, body, diff

from .conftest import Kind
from .support import START, make_flow


@pytest_asyncio.fixture
async def flows(kind: Kind) -> AsyncIterator[Flows]:
    """Six flows: two that failed, one of another model."""
    some = [make_flow(n, outcome="upstream_error" if n in {1, 4} else "complete") for n in range(6)]
    some[5].model = "other"
    await kind.watched().put(*some)
    with kind.reader() as reader:
        yield Flows(reader)


def numbers(flows: Flows) -> list[int]:
    return [int(one, 16) for one in flows.ids]


async def test_it_is_a_sequence(flows: Flows) -> None:
    assert len(flows) == 6
    assert repr(flows) == "<6 flows>"
    assert flows[-1].model == "other"
    assert flows[0].request.body == b'{"model":"claude-x","n":0}'
    assert numbers(flows[1:3]) == [1, 2]
    assert [flow.id for flow in flows] == flows.ids
    assert flows["000000000003"].id == flows.ids[3]
    with pytest.raises(IndexError):
        flows[6]


async def test_a_flow_by_the_beginning_of_its_id(flows: Flows) -> None:
    with pytest.raises(KeyError, match="several flows begin with '0'"):
        flows["0"]
    with pytest.raises(KeyError, match="there is no flow 'x' among these 6"):
        flows["x"]


async def test_choices_of_choices(flows: Flows) -> None:
    assert numbers(flows.select(status="error")) == [1, 4]
    assert numbers(flows.select(status="error").select(since=START + 2)) == [4]
    assert numbers(flows[3:].select(status="error")) == [4]
    assert len(flows.select(model="other")) == 1
    with pytest.raises(CommandError, match="no such condition among colour"):
        flows.select(colour="red")


async def test_filters_leave_flows_or_values(flows: Flows) -> None:
    left = flows.jq('map(select(.ccproxy.model == "other"))')
    assert numbers(left) == [5]
    assert flows[:2].jq("map(.ccproxy.outcome)") == ["complete", "upstream_error"]


async def test_numbers_and_blame(flows: Flows) -> None:
    assert flows.stats().total.requests == 6
    assert flows[:2].stats("provider").total.errors == 1
    assert len(flows.blame().turns) == 6


async def test_what_a_message_holds(flows: Flows) -> None:
    flow = flows[0]
    assert body(flow.request) == {"model": "claude-x", "n": 0}
    flow.request.body = b"text"
    assert body(flow.request) == "text"
    flow.request.body = b"\xff\x00"
    assert body(flow.request) == b"\xff\x00"
    assert body(None) is None


async def test_the_difference_of_two_requests(flows: Flows) -> None:
    lines = diff(flows[0], flows[1]).splitlines()
    assert lines[:2] == [f"--- flow:{flows.ids[0]}", f"+++ flow:{flows.ids[1]}"]
    assert lines[-3:] == ['-  "n": 0', '+  "n": 1', " }"]


async def test_a_flow_that_was_removed_meanwhile_is_passed_over(flows: Flows, kind: Kind) -> None:
    with kind.reader() as reader:
        some = Flows(reader, Query(), ids=["gone", flows.ids[0]])
        assert [flow.id for flow in some] == [flows.ids[0]]
        with pytest.raises(KeyError, match="is gone"):
            some[0]
