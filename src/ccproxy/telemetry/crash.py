"""What is kept of an error nobody expected: the traceback, without secrets, in a private file.

The command line shows one line and says where the rest is; a traceback on a terminal helps nobody but us.
"""

from __future__ import annotations

import traceback
from datetime import datetime
from pathlib import Path

from ccproxy import __version__
from ccproxy.telemetry.text import printable
from ccproxy.util.fs import ensure_private_file
from ccproxy.util.paths import state_dir
from ccproxy.util.redact import redact_text

MAX_BYTES = 1024 * 1024
MAX_SUMMARY = 300


def summary(error: BaseException) -> str:
    """The error's type and message in one line without secrets."""
    text = printable(" ".join(redact_text(f"{type(error).__name__}: {error}").split()))
    return text if len(text) <= MAX_SUMMARY else text[: MAX_SUMMARY - 1] + "…"


def render(error: BaseException) -> str:
    """The traceback with its causes, without secrets."""
    return redact_text("".join(traceback.format_exception(error))).rstrip()


def record(error: BaseException, directory: Path | None = None) -> Path | None:
    """Appends the traceback to `crash.log` in `directory` (default: the state directory), started anew at 1 MiB.

    Returns the file, or None if it cannot be written: this is called when something is wrong already.
    """
    path = (directory or state_dir()) / "crash.log"
    when = datetime.now().astimezone().isoformat(timespec="seconds")
    try:
        ensure_private_file(path)
        with path.open("w" if path.stat().st_size > MAX_BYTES else "a", encoding="utf-8", errors="replace") as file:
            file.write(f"{when} ccproxy {__version__}\n{render(error)}\n\n")
    except OSError:
        return None
    return path
