"""CPU per request, per SSE delta and per large body, against the bare relay and a bare mitmproxy."""

from __future__ import annotations

import statistics

from bench.load import Outcome
from bench.processes import Server
from bench.world import Row, Sample, World, cpu_rounds, ratio

_RELAY, _MITMPROXY, _CCPROXY = "uvicorn+aiohttp", "mitmproxy", "ccproxy"


def _requests(_outcome: Outcome, count: int) -> int:
    return count


def _deltas(outcome: Outcome, _count: int) -> int:
    return max(1, outcome.deltas)


def _against_relay(figure: str, unit: str, samples: dict[str, Sample], limit: float) -> Row:
    times = ratio(samples, _CCPROXY, _RELAY)
    return Row(figure, unit, samples, f"{times:.2f} x bare relay", f"<= {limit:g} x", times <= limit)


def small(world: World) -> list[Row]:
    """A small request, buffered 1 KB answer, hooks and recording on."""

    def send(server: Server, count: int) -> Outcome:
        return world.client.send(server, count, 16)

    samples = cpu_rounds(world, send, _requests, world.size.small)
    rows = [_against_relay("small request", "µs CPU", samples, 1.6)]
    if _MITMPROXY in samples:
        share = ratio(samples, _CCPROXY, _MITMPROXY)
        verdict = f"1/{1 / share:.1f} of mitmproxy" if share else "0 of mitmproxy"
        rows.append(Row("small request", "", {}, verdict, "<= 1/6", share <= 1 / 6))
    return rows


def chunk(world: World) -> list[Row]:
    """An SSE delta that comes by itself, as from a model that is thinking: 10 ms apart in each stream."""
    target = f"/v1/messages?chunks={world.size.deltas}&gap=0.01"

    def send(server: Server, count: int) -> Outcome:
        return world.client.send(server, count, count, kind="stream", target=target)

    samples = cpu_rounds(world, send, _deltas, world.size.streams)
    return [_against_relay("SSE delta, one by one", "µs CPU", samples, 2)]


def burst(world: World) -> list[Row]:
    """An SSE delta among many that come at once."""
    target = f"/v1/messages?chunks={world.size.burst_deltas}"

    def send(server: Server, count: int) -> Outcome:
        return world.client.send(server, count, 16, kind="stream", target=target)

    samples = cpu_rounds(world, send, _deltas, 16)
    return [_against_relay("SSE delta, back to back", "µs CPU", samples, 2)]


def large(world: World) -> list[Row]:
    """A 200 KB body whose model a rule replaces; the others pass it on as it is."""

    def send(server: Server, count: int) -> Outcome:
        return world.client.send(server, count, 8, kind="large")

    samples = cpu_rounds(world, send, _requests, world.size.large)
    pairs = zip(samples[_CCPROXY].values, samples[_RELAY].values, strict=True)
    own = statistics.median(ours - bare for ours, bare in pairs)
    return [Row("200 KB, one field changed", "µs CPU", samples, f"{own:.0f} µs of our own", "<= 500 µs", own <= 500)]
