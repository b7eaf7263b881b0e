"""Real clients through a real `ccproxy start`, in front of FakeProvider, on loopback, with dummy keys.

Every client does a task that needs a tool: read a file whose content only the tool can tell. FakeProvider answers the
first request with a call of that client's own reading tool and the next with what the tool found. Then the provider
fails, and the client is interrupted in the middle of an answer. `checks.py` says what must hold.

Run: `make clients` once, then `make e2e` (ARGS="claude codex" for some clients, ARGS="--turns" for the tool turns
alone, ARGS="--keep FOLDER" to look at what is left). Prints a table; ends with 1 if a check failed.
"""

from __future__ import annotations

import argparse
import secrets
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from checks import Verdict, cuts, full_model, interrupted, jailed_turn, refuses, tool_turn
from clients import HOSTS, Case, cases, jailed_cases
from fence import raise_fence
from workplace import BIN, Trouble, Workplace, workplace

NOT_INSTALLED = "not installed (make clients)"
_COLUMNS = (9, 9, 36, 9)


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    client: str
    version: str
    mode: str
    requests: str
    result: str
    failed: bool = False

    def __str__(self) -> str:
        cells = (self.client, self.version, self.mode, self.requests)
        return "  ".join([*map(str.ljust, cells, _COLUMNS), self.result])


def checks_of(case: Case, needle: str, *, turns_only: bool) -> Iterator[tuple[str, Callable[[Workplace], Verdict]]]:
    """What is to be checked in one way of using a client, with the name of each check."""
    yield "", partial(jailed_turn if "--inspect" in case.options else tool_turn, case=case, needle=needle)
    if case.full:
        yield ", full model", partial(full_model, case=case, needle=needle)
    if not case.errors or turns_only:
        return
    for status in case.errors:
        yield f", error {status}", partial(refuses, case=case, status=status)
    yield ", cut stream", partial(cuts, case=case)
    yield ", Ctrl-C", partial(interrupted, case=case, number=signal.SIGINT)
    yield ", kill -9", partial(interrupted, case=case, number=signal.SIGKILL)


def run_client(command: str, mine: list[Case], folder: Path, *, turns_only: bool, jail: bool) -> list[Row]:
    """All checks of one client, one after the other."""
    if not (BIN / command).exists():
        return [Row(command, "-", "-", "-", NOT_INSTALLED)]
    rows: list[Row] = []
    needle = f"NEEDLE-{secrets.token_hex(6)}"

    def note(version: str, mode: str, requests: str, result: str, *, failed: bool = False) -> None:
        rows.append(Row(command, version, mode, requests, result, failed))
        print(f"{command} {mode}: {result[:100]}", file=sys.stderr, flush=True)

    try:
        with workplace(folder / command, needle, jail=jail) as place:
            place.read_version(command)
            for case in mine:
                for name, check in checks_of(case, needle, turns_only=turns_only):
                    try:
                        verdict = check(place)
                    except Trouble as trouble:
                        note(place.version, case.mode + name, "", f"FAILED: {trouble}", failed=True)
                    else:
                        note(place.version, case.mode + name, str(verdict.requests), verdict.text)
        if errors := place.errors_logged():
            note(place.version, "the proxy's log", "", f"FAILED: {len(errors)} lines, {errors[0][:200]!r}", failed=True)
    except Trouble as trouble:
        note("-", "start and stop of the proxy", "", f"FAILED: {trouble}", failed=True)
    return rows


def main() -> int:
    """Runs what the command line asks for. Returns the exit code."""
    parser = argparse.ArgumentParser(description="Real clients through ccproxy, on loopback.")
    parser.add_argument("clients", nargs="*", metavar="CLIENT", help="only these; default: all")
    parser.add_argument("--jail", action="store_true", help="in a jail (`run --inspect`), with a tool turn each")
    parser.add_argument("--turns", action="store_true", help="only the tool turns, no failures and interruptions")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="clients at once (default 2)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave the proxies' state and clients' output here")
    parser.add_argument("--unfenced", action="store_true", help="go on where clients cannot be kept off the network")
    options = parser.parse_args()
    if options.keep and options.keep.exists() and any(options.keep.iterdir()):
        parser.error(f"{options.keep} is not empty")
    table: dict[str, list[Case]] = {}
    for case in jailed_cases() if options.jail else cases():
        table.setdefault(case.command, []).append(case)
    if unknown := set(options.clients) - set(table):
        parser.error(f"no such client: {', '.join(sorted(unknown))}; there are {', '.join(table)}")
    if problem := raise_fence(HOSTS if options.jail else None):
        print(f"e2e: {problem}, so clients could reach the network", file=sys.stderr)
        if not options.unfenced or options.jail:
            if not options.jail:
                print("e2e: --unfenced runs them all the same", file=sys.stderr)
            return 2
    chosen = {name: mine for name, mine in table.items() if not options.clients or name in options.clients}
    done: list[Row] = []
    with ExitStack() as stack:
        folder = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="e2e-")))
        # In a jail all clients find the stand-in at the same addresses, so they take turns.
        pool = stack.enter_context(ThreadPoolExecutor(1 if options.jail else options.jobs))
        run = partial(run_client, folder=folder.resolve(), turns_only=options.turns, jail=options.jail)
        print(Row("client", "version", "mode", "requests", "result"), flush=True)
        for rows in pool.map(run, chosen, chosen.values()):
            print(*rows, sep="\n", flush=True)
            done += rows
    failed = sum(row.failed for row in done)
    missing = sum(row.result == NOT_INSTALLED for row in done)
    print(f"{len(done) - missing} checks, {failed} failed, {missing} clients not installed")
    return 1 if failed or missing == len(done) else 0


if __name__ == "__main__":
    sys.exit(main())
