"""The log of a running proxy: one line per record, to a private rotating file and, in the foreground, to stderr.

A record is formatted and cleaned where it is logged (secrets removed from message, arguments and traceback; control
characters escaped, so that no header or error text can forge a line or drive a terminal), then a thread writes it:
the event loop never waits for a disk. The queue between them is bounded; what does not fit is counted, and the count is
logged. uvicorn, aiohttp, asyncio, warnings and the errors of threads and finalizers go the same way.

All state lives in the handler on the root logger: `setup` puts it there, `shutdown` (also at exit) takes it away again
and returns when everything is written.
"""

from __future__ import annotations

import atexit
import logging
import logging.handlers
import queue
import sys
import threading
from datetime import datetime
from pathlib import Path
from typing import TextIO, override

from ccproxy.telemetry.text import printable
from ccproxy.util.fs import ensure_private_file
from ccproxy.util.redact import redact_text

MAX_FILE_BYTES = 10 * 1024 * 1024
KEPT_FILES = 3
MAX_QUEUED = 10_000

#: Libraries that log through the root logger. Below INFO some of them log frames and header fields, so they stay above.
LIBRARIES = ("aiohttp", "asyncio", "uvicorn", "uvicorn.access", "uvicorn.asgi", "uvicorn.error", "websockets")


class LineFormatter(logging.Formatter):
    """`2026-11-24T08:21:00.123+01:00 INFO    ccproxy.gateway: message`, without secrets and control characters.

    The lines of a traceback follow, indented behind a bar, so that none of them can look like a record.
    """

    @override
    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="milliseconds")
        lines = [f"{when} {record.levelname:<7} {record.name}: {printable(redact_text(record.getMessage()))}"]
        if record.exc_info:
            lines += self._block(self.formatException(record.exc_info))
        if record.stack_info:
            lines += self._block(record.stack_info)
        return "\n".join(lines)

    def _block(self, text: str) -> list[str]:
        return [f"    | {printable(line)}" for line in redact_text(text).splitlines()]


class FileSink(logging.handlers.RotatingFileHandler):
    """The log file, mode 0600 from its first byte, `KEPT_FILES` older ones beside it. Raises OSError if it cannot be opened.

    When it cannot be written later (disk full) that is said once on stderr, and the proxy goes on.
    """

    def __init__(self, path: Path, *, max_bytes: int = MAX_FILE_BYTES) -> None:
        ensure_private_file(path)
        super().__init__(path, maxBytes=max_bytes, backupCount=KEPT_FILES, encoding="utf-8", errors="backslashreplace")
        self.rotator = self._rotated
        self._failed = False

    @staticmethod
    def _rotated(source: str, dest: str) -> None:
        Path(source).rename(dest)
        ensure_private_file(Path(source))

    @override
    def handleError(self, record: logging.LogRecord) -> None:
        if not self._failed and sys.stderr is not None:
            self._failed = True
            sys.stderr.write(f"ccproxy: cannot write the log {self.baseFilename}: {sys.exception()}\n")


class ConsoleSink(logging.StreamHandler[TextIO]):
    """stderr; warnings and errors in colour if `colour`. A terminal that has gone away is not an error."""

    def __init__(self, stream: TextIO, *, colour: bool) -> None:
        super().__init__(stream)
        self._colour = colour

    @override
    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        if not self._colour or record.levelno < logging.WARNING:
            return text
        return f"\x1b[{31 if record.levelno >= logging.ERROR else 33}m{text}\x1b[0m"

    @override
    def handleError(self, record: logging.LogRecord) -> None:
        pass


class RecordQueue(logging.handlers.QueueHandler):
    """Formats records where they are logged and lets a thread write them to the sinks.

    Between `start` and `stop` it also receives what threads and finalizers would print to stderr.
    """

    def __init__(self, sinks: list[logging.Handler], *, max_queued: int = MAX_QUEUED) -> None:
        self._records: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
        super().__init__(self._records)
        self.setFormatter(LineFormatter())
        self._sinks = sinks
        self._writer = logging.handlers.QueueListener(self._records, *sinks)
        self._max_queued = max_queued
        self._lost = 0
        self._thread_hook = threading.excepthook
        self._finalizer_hook = sys.unraisablehook

    def start(self) -> None:
        """Starts writing."""
        self._writer.start()
        self._thread_hook, threading.excepthook = threading.excepthook, self._thread_failed
        self._finalizer_hook, sys.unraisablehook = sys.unraisablehook, self._finalizer_failed

    def stop(self) -> None:
        """Writes what is queued and closes the sinks. May be called twice."""
        if threading.excepthook == self._thread_failed:
            threading.excepthook = self._thread_hook
        if sys.unraisablehook == self._finalizer_failed:
            sys.unraisablehook = self._finalizer_hook
        self._report_lost()
        self._writer.stop()
        for sink in self._sinks:
            sink.close()

    @override
    def enqueue(self, record: logging.LogRecord) -> None:
        if self._records.qsize() >= self._max_queued:
            self._lost += 1
            return
        self._report_lost()
        self._records.put(record)

    def _report_lost(self) -> None:
        if self._lost:
            lost, self._lost = self._lost, 0
            message = f"{lost} log records were lost: they came faster than they could be written"
            notice = logging.LogRecord(__name__, logging.WARNING, __file__, 0, message, None, None)
            self._records.put(self.prepare(notice))

    @override
    def handleError(self, record: logging.LogRecord) -> None:
        # The default prints the arguments, which may be secrets.
        if sys.stderr is not None:
            sys.stderr.write(f"ccproxy: the log call at {record.pathname}:{record.lineno} failed\n")

    @staticmethod
    def _thread_failed(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            name = args.thread.name if args.thread else "?"
            logging.getLogger(__name__).error("thread %s failed", name, exc_info=args.exc_value)

    @staticmethod
    def _finalizer_failed(args: sys.UnraisableHookArgs) -> None:
        if args.exc_value is not None:
            logging.getLogger(__name__).error("%s", args.err_msg or "a finalizer failed", exc_info=args.exc_value)


def setup(level: str, log_file: Path | None, *, console: bool, colour: bool = False) -> None:
    """Starts logging for this process. What an earlier call set up is shut down first.

    Args:
        level: `DEBUG`, `INFO`, `WARNING` or `ERROR`.
        log_file: the file to write to, created with mode 0600, or None for no file.
        console: write to stderr as well; in colour if `colour`.

    Raises OSError if the file cannot be opened for writing.
    """
    shutdown()
    sinks: list[logging.Handler] = []
    if log_file is not None:
        sinks.append(FileSink(log_file))
    if console:
        sinks.append(ConsoleSink(sys.stderr, colour=colour))
    for name in LIBRARIES:
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
    handler = RecordQueue(sinks)
    logging.getLogger().addHandler(handler)
    logging.captureWarnings(True)
    set_level(level)
    handler.start()
    atexit.register(handler.stop)


def set_level(level: str) -> None:
    """Changes how much is logged from now on. Libraries log warnings, and their INFO records only at `DEBUG`."""
    logging.getLogger().setLevel(level)
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(logging.INFO if level == "DEBUG" else logging.WARNING)


def shutdown() -> None:
    """Ends what `setup` began and returns when every record is written. Does nothing if there was no `setup`.

    Call it before `os._exit`, which runs no exit handlers.
    """
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, RecordQueue)]:
        root.removeHandler(handler)
        logging.captureWarnings(False)
        handler.stop()
        atexit.unregister(handler.stop)
