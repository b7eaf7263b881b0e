"""Print the log of the proxy, and with -f follow it.

The file rotates: older lines are in `….1`, `….2`, ...; following goes on in the new file when the old one is full.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import click

from ccproxy.cli import output, runfile, target
from ccproxy.cli.context import CliContext
from ccproxy.errors import CommandError

BLOCK = 64 * 1024
POLL_SECONDS = 0.2


@click.command()
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written, until Ctrl-C.")
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(0),
    default=50,
    show_default=True,
    metavar="LINES",
    help="How many of the last lines.",
)
@click.option("--port", type=click.IntRange(1, 65535), metavar="N", help="Port of the proxy, if several run.")
@click.pass_obj
def command(ctx: CliContext, follow: bool, lines: int, port: int | None) -> None:
    """Print the last lines of the proxy's log, whether it runs or not."""
    found = target.find(ctx, port)
    path = Path(found.run.log) if found.run else runfile.log_file_of(found.port)
    try:
        with path.open("rb") as file:
            # The end is noted first, so that nothing written meanwhile is printed twice or not at all.
            end = file.seek(0, os.SEEK_END)
            for line in last_lines(path, end, lines):
                sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
            if follow:
                _follow(path, file)
    except FileNotFoundError:
        raise CommandError(f"there is no log yet: {output.tilde(path)}", hint="`ccproxy start` writes it") from None


def last_lines(path: Path, end: int, count: int) -> list[bytes]:
    """The last `count` lines of the log up to the offset `end` of its newest file, older files included."""
    found: list[bytes] = []
    file, stop, number = path, end, 0
    while len(found) < count and file.exists():
        found = _tail(file, stop, count - len(found)) + found
        number += 1
        file, stop = path.with_name(f"{path.name}.{number}"), -1
    return found


def _tail(path: Path, end: int, count: int) -> list[bytes]:
    with path.open("rb") as file:
        position = file.seek(0, os.SEEK_END) if end < 0 else end
        data = b""
        while position > 0 and data.count(b"\n") <= count:
            step = min(BLOCK, position)
            position -= step
            file.seek(position)
            data = file.read(step) + data
    return data.splitlines(keepends=True)[-count:] if count else []


def _follow(path: Path, file: BinaryIO) -> None:
    for chunk in new_chunks(path, file):
        if chunk:
            sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()
        else:
            time.sleep(POLL_SECONDS)


def new_chunks(path: Path, file: BinaryIO) -> Iterator[bytes]:
    """What is appended to the log from the position of `file` on, through rotation and truncation; b"" when there is
    nothing more at the moment. Closes the file when it is closed itself."""
    try:
        while True:
            # Looked at before reading: what the old file got until it was replaced is then surely read.
            replaced = _replaced(path, file)
            while chunk := file.read(BLOCK):
                yield chunk
            if replaced:
                file.close()
                file = path.open("rb")
            elif os.fstat(file.fileno()).st_size < file.tell():
                file.seek(0)
            else:
                yield b""
    finally:
        file.close()


def _replaced(path: Path, file: BinaryIO) -> bool:
    try:
        now = path.stat()
    except FileNotFoundError:
        return False
    mine = os.fstat(file.fileno())
    return (now.st_dev, now.st_ino) != (mine.st_dev, mine.st_ino)
