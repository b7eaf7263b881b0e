"""The order of hooks: data first, then the list; circles are refused by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.errors import ConfigError
from ccproxy.pipeline.graph import Graph, Node, build, mermaid
from ccproxy.pipeline.places import overlap, parse


def node(name: str, reads: str = "", writes: str = "") -> Node:
    return Node(name, tuple(map(parse, reads.split())), tuple(map(parse, writes.split())))


def order(*nodes: Node) -> str:
    graph = build(nodes)
    return " ".join(graph.nodes[position].name for position in graph.order)


def test_the_list_decides_what_data_does_not() -> None:
    assert order(node("a"), node("b"), node("c")) == "a b c"
    assert order(node("a", writes="headers.x"), node("b", writes="headers.x")) == "a b"
    assert order(node("a", "body", "body"), node("b", "body", "body")) == "a b"


def test_a_reader_comes_behind_the_writer_wherever_it_is_listed() -> None:
    assert order(node("reads", "session"), node("writes", writes="session")) == "writes reads"
    assert order(node("reads", "body.metadata.user_id"), node("x"), node("writes", writes="body.metadata")) == (
        "x writes reads"
    )
    assert order(node("both", "body", "body"), node("writes", writes="body.model")) == "writes both"


def test_a_chain_is_followed() -> None:
    assert order(node("c", "state.B", "headers.x"), node("b", "state.A", "state.B"), node("a", writes="state.A")) == (
        "a b c"
    )


def test_where_both_edit_one_place_another_place_decides() -> None:
    late = node("late", "body.tools session", "body.tools")
    early = node("early", "body.tools", "body.tools session")
    assert order(late, early) == "early late"


def test_who_moves_is_told() -> None:
    graph = build([node("reads", "session"), node("other"), node("writes", writes="session")])
    assert graph.moved == (0,)
    assert build([node("writes", writes="session"), node("reads", "session")]).moved == ()


def test_the_order_of_two_writers_gives_way_to_data() -> None:
    """The list wants a before b before c, the data c before a."""
    a, b, c = (
        node("a", "session", "headers.x"),
        node("b", "", "headers.x headers.y"),
        node("c", "", "headers.y session"),
    )
    graph = build([a, b, c])
    assert [graph.nodes[position].name for position in graph.order] == ["b", "c", "a"]
    assert {(edge.first, edge.second, edge.data) for edge in graph.edges} == {
        (2, 0, True),
        (1, 0, False),
        (1, 2, False),
    }


def test_a_circle_is_refused_with_names_and_places() -> None:
    with pytest.raises(ConfigError) as caught:
        build(
            [
                node("x"),
                node("a", "session", "headers.t"),
                node("b", "headers.t", "state.S"),
                node("c", "state.S", "session"),
            ]
        )
    text = str(caught.value)
    assert "wait for each other: a, b, c" in text or "wait for each other: c, a, b" in text
    assert "b reads headers.t, which a writes" in text
    assert "x" not in text.partition("(")[0].replace("these hooks wait for each other", "")


def test_two_that_need_each_other_are_a_circle() -> None:
    with pytest.raises(ConfigError, match=r"a, b|b, a"):
        build([node("a", "session", "route"), node("b", "route", "session")])


WORDS = ["body", "body.a", "body.a.b", "body.c", "model", "headers.x", "headers.y", "session", "state.S", "route"]
NODES = st.lists(
    st.builds(
        lambda reads, writes: node("", " ".join(reads), " ".join(writes)),
        st.lists(st.sampled_from(WORDS), max_size=3),
        st.lists(st.sampled_from(WORDS), max_size=2),
    ),
    max_size=7,
).map(lambda nodes: [Node(f"n{number}", one.reads, one.writes) for number, one in enumerate(nodes)])


def touches(some: tuple[tuple[str, ...], ...], others: tuple[tuple[str, ...], ...]) -> bool:
    return any(overlap(one, other) for one in some for other in others)


def sorted_or_none(nodes: list[Node]) -> Graph | None:
    try:
        return build(nodes)
    except ConfigError:
        return None


@given(NODES)
def test_any_declarations_give_an_order_or_a_circle(nodes: list[Node]) -> None:
    graph = sorted_or_none(nodes)
    if graph is None:
        assert any(one.reads and one.writes for one in nodes)
        return
    assert sorted(graph.order) == list(range(len(nodes)))
    turn = {position: place for place, position in enumerate(graph.order)}
    for second, other in enumerate(nodes):
        for first, one in enumerate(nodes[:second]):
            reads_later = touches(other.writes, one.reads)
            reads_earlier = touches(one.writes, other.reads)
            if reads_later and not reads_earlier:
                assert turn[second] < turn[first], "a reader is moved behind its writer"
            elif reads_earlier and not reads_later:
                assert turn[first] < turn[second]
            ordered = first in graph.before[second] or second in graph.before[first]
            conflict = reads_later or reads_earlier or touches(one.writes, other.writes)
            assert ordered == conflict, "at the same time run those, and only those, that do not meet"
    for position in graph.order:
        assert all(turn[earlier] < turn[position] for earlier in graph.before[position])


@given(NODES)
def test_hooks_that_meet_nowhere_keep_their_order(nodes: list[Node]) -> None:
    graph = build([Node(one.name, (), ()) for one in nodes])
    assert graph.order == tuple(range(len(nodes)))


@given(NODES)
def test_the_order_is_the_same_each_time(nodes: list[Node]) -> None:
    one, other = sorted_or_none(nodes), sorted_or_none(list(nodes))
    assert one == other


def test_mermaid_draws_both_stages_without_what_follows_from_other_arrows() -> None:
    chain = build([node("a", writes="session"), node("b", "session", "session"), node("c", "session")])
    drawn = mermaid(chain, build([]))
    assert drawn.startswith("flowchart LR\n")
    assert '    inbound_0["1 a"]' in drawn
    assert '    inbound_0 -->|"session"| inbound_1' in drawn
    assert '    inbound_1 -->|"session"| inbound_2' in drawn
    assert 'inbound_0 -->|"session"| inbound_2' not in drawn
    assert "outbound_none[no hooks]" in drawn
    assert drawn.count("subgraph") == drawn.count("  end") == 2


def test_mermaid_dots_what_only_the_list_decided() -> None:
    drawn = mermaid(build([]), build([node("a", writes="headers.x"), node("b", writes="headers.x")]))
    assert 'outbound_0 -.->|"headers.x"| outbound_1' in drawn
