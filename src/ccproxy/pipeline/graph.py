"""The order of hooks: a graph made from what they declare, sorted so that the list decides what the data does not.

Two hooks that touch overlapping places depend on each other:

- One reads what the other writes: the reader comes behind the writer, wherever the list has them.
- Both write: the list decides. So it does where both read and write one and the same place.

A circle of the first kind has no order and is a ConfigError that names the hooks. A dependency of the second kind gives
way where it would close a circle. Hooks without a dependency, direct or not, may run at the same time.

Mermaid text draws the result.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ccproxy.errors import ConfigError
from ccproxy.pipeline.places import Place, overlap, show


@dataclass(frozen=True, slots=True)
class Node:
    """What the graph knows of a hook."""

    name: str
    reads: tuple[Place, ...] = ()
    writes: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True)
class Edge:
    """`first` runs before `second` (positions in the list) because of `place`. `data`: a reader behind a writer; if
    False, the list decided between two writers."""

    first: int
    second: int
    place: Place
    data: bool


@dataclass(frozen=True, slots=True)
class Graph:
    """The sorted graph.

    Attributes:
        nodes: the hooks as they were listed.
        order: their positions in the list, in the order they run.
        edges: every direct dependency.
        before: for each position, those that must have run before it.
        moved: positions that the data moved behind something that is listed later.
    """

    nodes: tuple[Node, ...]
    order: tuple[int, ...]
    edges: tuple[Edge, ...]
    before: tuple[frozenset[int], ...]

    @property
    def moved(self) -> tuple[int, ...]:
        """Positions of hooks that run behind one that is listed later and that they depend on."""
        return tuple(sorted({edge.second for edge in self.edges if edge.first > edge.second}))


def build(nodes: Sequence[Node]) -> Graph:
    """Sorts the hooks of a stage. Raises ConfigError for hooks that wait for each other."""
    hard: list[Edge] = []
    soft: list[Edge] = []
    for second in range(len(nodes)):
        for first in range(second):
            found = list(_between(nodes, first, second))
            (hard if found and found[0].data else soft).extend(found)
    _refuse_circles(nodes, hard)
    order = _sort(len(nodes), hard, soft)
    place_of = {position: place for place, position in enumerate(order)}
    edges = [*hard]
    for edge in soft:
        forward = place_of[edge.first] < place_of[edge.second]
        edges.append(edge if forward else Edge(edge.second, edge.first, edge.place, data=False))
    before: list[set[int]] = [set() for _ in nodes]
    for edge in edges:
        before[edge.second].add(edge.first)
    return Graph(tuple(nodes), tuple(order), tuple(edges), tuple(frozenset(found) for found in before))


def _between(nodes: Sequence[Node], first: int, second: int) -> Iterator[Edge]:
    """The dependencies of two hooks, of which `first` is listed before `second`."""
    one, other = nodes[first], nodes[second]
    forward = _flows(one, other)
    backward = _flows(other, one)
    if forward and backward:
        # What both write is contested: there neither is "the" writer that the other one waits for.
        own_forward = [place for place in forward if not _touches(place, other.writes)]
        own_backward = [place for place in backward if not _touches(place, one.writes)]
        if not own_forward and not own_backward:
            yield Edge(first, second, forward[0], data=False)
            return
        forward, backward = own_forward, own_backward
    if forward:
        yield Edge(first, second, forward[0], data=True)
    if backward:
        yield Edge(second, first, backward[0], data=True)
    if not forward and not backward:
        contested = [place for place in one.writes if _touches(place, other.writes)]
        if contested:
            yield Edge(first, second, contested[0], data=False)


def _flows(writer: Node, reader: Node) -> list[Place]:
    """What the reader reads of what the writer writes."""
    return [place for place in writer.writes if _touches(place, reader.reads)]


def _touches(place: Place, others: Sequence[Place]) -> bool:
    return any(overlap(place, other) for other in others)


def _sort(count: int, hard: list[Edge], soft: list[Edge]) -> list[int]:
    """Always the first in the list for which nothing is waited; where the list itself closes a circle, the first for
    which no data is waited."""
    waits_hard: list[set[int]] = [set() for _ in range(count)]
    waits_soft: list[set[int]] = [set() for _ in range(count)]
    for edge in hard:
        waits_hard[edge.second].add(edge.first)
    for edge in soft:
        waits_soft[edge.second].add(edge.first)
    left = list(range(count))
    order: list[int] = []
    while left:
        done = set(order)
        ready = [position for position in left if waits_hard[position] <= done]
        chosen = next((position for position in ready if waits_soft[position] <= done), ready[0])
        order.append(chosen)
        left.remove(chosen)
    return order


def _refuse_circles(nodes: Sequence[Node], hard: list[Edge]) -> None:
    """Raises ConfigError that tells of one circle, if there is any."""
    after: dict[int, list[Edge]] = {}
    for edge in hard:
        after.setdefault(edge.first, []).append(edge)
    settled: set[int] = set()

    def walk(position: int, way: list[Edge]) -> list[Edge] | None:
        for start, edge in enumerate(way):
            if edge.first == position:
                return way[start:]
        if position in settled:
            return None
        for edge in after.get(position, ()):
            if circle := walk(edge.second, [*way, edge]):
                return circle
        settled.add(position)
        return None

    for position in range(len(nodes)):
        if circle := walk(position, []):
            names = ", ".join(dict.fromkeys(nodes[edge.first].name for edge in circle))
            story = "; ".join(
                f"{nodes[edge.second].name} reads {show(edge.place)}, which {nodes[edge.first].name} writes"
                for edge in circle
            )
            raise ConfigError(
                f"these hooks wait for each other: {names} ({story})",
                hint="take one out, or have it declare less: a path below body or headers instead of all of it",
            )


def mermaid(inbound: Graph, outbound: Graph) -> str:
    """A flowchart of both stages. Solid arrows carry data; dotted ones are what the list decided."""
    lines = ["flowchart LR", "  client([client]) --> inbound"]
    for stage, graph in (("inbound", inbound), ("outbound", outbound)):
        lines += [f'  subgraph {stage}["{stage} hooks"]', "    direction TB"]
        if not graph.nodes:
            lines.append(f"    {stage}_none[no hooks]")
        for turn, position in enumerate(graph.order, 1):
            lines.append(f'    {stage}_{position}["{turn} {_label(graph.nodes[position].name)}"]')
        for edge in _needed(graph):
            arrow = "-->" if edge.data else "-.->"
            lines.append(f'    {stage}_{edge.first} {arrow}|"{_label(show(edge.place))}"| {stage}_{edge.second}')
        lines.append("  end")
    lines += [
        "  inbound --> route{{route and conversion}} --> outbound",
        "  outbound --> credential[credential] --> provider([provider])",
    ]
    return "\n".join(lines) + "\n"


def _needed(graph: Graph) -> list[Edge]:
    """The edges that no way over other hooks already says."""
    reach: dict[int, set[int]] = {}
    for position in graph.order:
        reach[position] = set(graph.before[position])
        for earlier in graph.before[position]:
            reach[position] |= reach[earlier]
    return [
        edge
        for edge in graph.edges
        if not any(edge.first in reach[middle] for middle in graph.before[edge.second] if middle != edge.first)
    ]


def _label(text: str) -> str:
    return text.replace('"', "#quot;")
