"""Measures the budgets and prints the table: `python -m bench --help`, or `make bench`.

Exits with 0 when everything could be measured, whatever the figures say; with 1 when something could not; with
`--check`, also with 1 when a budget is exceeded.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench import conversion, cpu, history, hooks, jail, latency, memory, processes, report, start, store
from bench.processes import BenchError
from bench.world import FULL, QUICK, SMOKE, Row, World

FIGURES: dict[str, Callable[[World], list[Row]]] = {
    "small": cpu.small,
    "chunk": cpu.chunk,
    "burst": cpu.burst,
    "large": cpu.large,
    "hooks": hooks.hooks,
    "start": start.start,
    "memory": memory.memory,
    "slow": latency.slow,
    "store": store.store,
    "history": history.history,
    "translate": conversion.chunks,
    "convert": conversion.requests,
    "import": conversion.imported,
    "jail": jail.jail,
}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures ccproxy against its budgets.")
    parser.add_argument("--only", action="append", choices=FIGURES, metavar="NAME", help=f"one of {', '.join(FIGURES)}")
    parser.add_argument("--quick", action="store_true", help="fewer rounds and requests")
    parser.add_argument("--smoke", action="store_true", help="as little as possible, only to see that it works")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a budget is exceeded")
    parser.add_argument("--json", action="store_true", help="print JSON with every round instead of the table")
    return parser.parse_args()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _run(names: list[str], world: World) -> tuple[list[Row], bool]:
    rows: list[Row] = []
    complete = True
    for name in names:
        started = time.monotonic()
        try:
            rows += FIGURES[name](world)
        except BenchError as error:
            complete = False
            _say(f"bench: {name}: {error}")
        else:
            _say(f"bench: {name}: measured in {time.monotonic() - started:.0f} s")
    return rows, complete


def main() -> int:
    arguments = _arguments()
    size = SMOKE if arguments.smoke else QUICK if arguments.quick else FULL
    with tempfile.TemporaryDirectory(prefix="ccproxy-bench-") as base, World(Path(base), size) as world:
        rows, complete = _run(arguments.only or list(FIGURES), world)
    if arguments.json:
        print(json.dumps(report.document(rows), indent=2))
    else:
        print(f"{report.machine()}; median of {size.rounds} interleaved rounds ± half their range\n")
        print(report.table(rows, judge=not arguments.smoke))
        if processes.mitmdump() is None:
            print("\nmitmproxy: there was none to measure (put mitmdump on PATH, or its path into BENCH_MITMDUMP)")
        if arguments.smoke:
            print("\nA smoke run says that the bench works; its figures mean nothing.")
    over = arguments.check and any(row.kept is False for row in rows)
    return 0 if complete and not over else 1


if __name__ == "__main__":
    sys.exit(main())
