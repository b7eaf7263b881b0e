"""Writes docs/reference/cli.md from the `--help` of every command. `--check` only says whether the page is up to date.

The page holds what `--help` says and nothing else of the commands, so it cannot be wrong about them;
tests/cli/test_reference.py fails when it is not up to date.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from ccproxy.cli.main import cli

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "cli.md"
WIDTH = 92

HEAD = """\
# The command line

<!-- Written by tools/gen_cli_reference.py from the --help of every command: do not edit. -->

Results go to stdout, everything else to stderr. Errors are one line, `ccproxy: what happened (what to do)`. Where there
is a table there is `--json`, and for a pipe the table is plain, tab-separated text. Colours are for terminals only, and
not with `NO_COLOR`.

## Exit codes

| Code | Meaning |
| --- | --- |
| 0 | done |
| 1 | the command could not be carried out; the line on stderr says why |
| 2 | wrong usage, or the configuration is invalid |
| 70 | a bug of ccproxy; the traceback is in `crash.log` in the state directory, or on stderr with `CCPROXY_DEBUG=1` |
| 130 | interrupted (Ctrl-C) |

`status` and `run` have codes of their own, listed with them.

## Environment

| Variable | Meaning |
| --- | --- |
| `CCPROXY_CONFIG_DIR` | configuration directory; state goes to `state/` in it. Gives an instance files of its own |
| `CCPROXY_…` | any setting, `__` between levels: `CCPROXY_PORT=4001`, `CCPROXY_GATEWAY__DRAIN_SECONDS=5` |
| `CCPROXY_DEBUG` | `1`: show the traceback of an unexpected error |
| `NO_COLOR` | no colours |

## Files

The configuration is `ccproxy.yaml` in `$CCPROXY_CONFIG_DIR`, else in `$XDG_CONFIG_HOME/ccproxy`, else in
`~/.config/ccproxy`. The state directory is `$CCPROXY_CONFIG_DIR/state`, else `$XDG_STATE_HOME/ccproxy`, else
`~/.local/state/ccproxy`. Everything in it is for its owner alone (0600 in 0700).

| File in the state directory | Content |
| --- | --- |
| `ccproxy-PORT.log` | log of the proxy on that port; at 10 MB it becomes `.1`, and three older ones are kept |
| `run-PORT.json` | the running proxy: process, address, configuration and log; removed when it ends |
| `flows.db` | recorded flows (SQLite) |
| `crash.log` | tracebacks of unexpected errors |
"""


def page() -> str:
    """The whole page."""
    with cli.make_context("ccproxy", [], resilient_parsing=True, terminal_width=WIDTH, max_content_width=WIDTH) as top:
        sections = [f"## {name}\n\n```text\n{text}\n```\n" for name, text in _helps(top)]
    return "\n".join([HEAD, *sections])


def _helps(context: click.Context) -> Iterator[tuple[str, str]]:
    """Name and help of a command and of every command below it."""
    command = context.command
    help_text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    yield context.command_path, help_text
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None and not child.hidden:
                yield from _helps(click.Context(child, info_name=name, parent=context))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit with 1 if the page is not up to date")
    wanted = page()
    if parser.parse_args().check:
        if PAGE.read_text(encoding="utf-8") == wanted:
            return 0
        print(f"{PAGE} is not up to date; run tools/gen_cli_reference.py", file=sys.stderr)
        return 1
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
