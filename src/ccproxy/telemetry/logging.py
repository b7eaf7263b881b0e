"""The log of a running proxy: one line per record, to a private rotating file and, in the foreground, to stderr.

A record is formatted and cleaned once, where it is logged (secrets removed from message, arguments and traceback;
control characters escaped, so that no header or error text can forge a line or drive a terminal), and added to a
buffer. A thread writes what the buffer holds, in one piece: about 50 ms after the first line came, at once for warnings
and errors, and at the end. So a line costs no change of threads, and the event loop never waits for a disk or a
terminal. The buffer is bounded; what does not fit is counted, and the count is logged. uvicorn, aiohttp, asyncio,
warnings and the errors of threads and finalizers go the same way.

All state lives in the handler on the root logger: `setup` puts it there, `shutdown` (also at exit) takes it away again
and returns when everything is written. A process that is killed loses the last moment of its INFO lines.
"""

from __future__ import annotations

import atexit
import logging
import logging.handlers
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TextIO, override

from ccproxy.telemetry.text import printable
from ccproxy.util.fs import ensure_private_file
from ccproxy.util.redact import redact_text

MAX_FILE_BYTES = 10 * 1024 * 1024
KEPT_FILES = 3
MAX_QUEUED = 10_000
#: How long lines gather before they are written together.
FLUSH_SECONDS = 0.05
#: What is written at once, so that a file is rotated about where it should be.
_MAX_PIECE = 64 * 1024

#: Libraries that log through the root logger. Below INFO some of them log frames and header fields, so they stay above.
LIBRARIES = ("aiohttp", "asyncio", "uvicorn", "uvicorn.access", "uvicorn.asgi", "uvicorn.error", "websockets")


class LineFormatter(logging.Formatter):
    """`2026-11-24T08:21:00.123+01:00 INFO    ccproxy.gateway: message`, without secrets and control characters.

    The lines of a traceback follow, indented behind a bar, so that none of them can look like a record.
    """

    def __init__(self) -> None:
        super().__init__()
        self._second = (-1, "", "")

    @override
    def format(self, record: logging.LogRecord) -> str:
        whole, begin, offset = self._second
        second = int(record.created)
        if second != whole:
            text = datetime.fromtimestamp(second).astimezone().isoformat(timespec="seconds")
            begin, offset = text[:19], text[19:]
            self._second = second, begin, offset
        when = f"{begin}.{int((record.created - second) * 1000 + 0.001):03d}{offset}"
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


class RecordQueue(logging.Handler):
    """Formats records where they are logged and lets a thread write them to the sinks, many at once.

    Between `start` and `stop` it also receives what threads and finalizers would print to stderr.

    Args:
        max_queued: most lines that wait.
        flush_seconds: how long lines gather; those from WARNING on do not.
    """

    def __init__(
        self, sinks: list[logging.Handler], *, max_queued: int = MAX_QUEUED, flush_seconds: float = FLUSH_SECONDS
    ) -> None:
        super().__init__()
        self.setFormatter(LineFormatter())
        self._sinks = sinks
        self._max_queued = max_queued
        self._flush_seconds = flush_seconds
        # Guarded by the handler's own lock, which is held while a record is handled:
        self._lines: list[tuple[int, str]] = []
        self._lost = 0
        self._begun = threading.Event()
        self._urgent = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._thread_hook = threading.excepthook
        self._finalizer_hook = sys.unraisablehook

    def start(self) -> None:
        """Starts writing."""
        self._thread = threading.Thread(target=self._work, name="log", daemon=True)
        self._thread.start()
        self._thread_hook, threading.excepthook = threading.excepthook, self._thread_failed
        self._finalizer_hook, sys.unraisablehook = sys.unraisablehook, self._finalizer_failed

    def stop(self) -> None:
        """Writes what is queued and closes the sinks. May be called twice."""
        if threading.excepthook == self._thread_failed:
            threading.excepthook = self._thread_hook
        if sys.unraisablehook == self._finalizer_failed:
            sys.unraisablehook = self._finalizer_hook
        self._stopping = True
        self._urgent.set()
        self._begun.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
            self._write(self._take())  # what came after the thread's last look
        for sink in self._sinks:
            sink.close()

    @override
    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 - a broken log call must not break who logs
            self.handleError(record)
            return
        lines = self._lines
        if len(lines) >= self._max_queued:
            self._lost += 1
            return
        lines.append((record.levelno, line))
        if record.levelno >= logging.WARNING:
            self._urgent.set()
            self._begun.set()
        elif len(lines) == 1:
            self._begun.set()

    def _work(self) -> None:
        """In the thread: waits for a line, lets others gather, writes them."""
        while True:
            self._begun.wait()
            self._urgent.wait(self._flush_seconds)
            last = self._stopping
            self._write(self._take())
            if last:
                return

    def _take(self) -> list[tuple[int, str]]:
        with self._guard():
            self._begun.clear()
            self._urgent.clear()
            lines, self._lines = self._lines, []
            lost, self._lost = self._lost, 0
        if lost:
            lines.append((logging.WARNING, self._loss(lost)))
        return lines

    @contextmanager
    def _guard(self) -> Iterator[None]:
        self.acquire()
        try:
            yield
        finally:
            self.release()

    def _write(self, lines: Iterable[tuple[int, str]]) -> None:
        for level, text in _pieces(lines):
            record = logging.LogRecord(__name__, level, __file__, 0, text, None, None)
            for sink in self._sinks:
                sink.handle(record)

    def _loss(self, lost: int) -> str:
        message = f"{lost} log records were lost: they came faster than they could be written"
        return self.format(logging.LogRecord(__name__, logging.WARNING, __file__, 0, message, None, None))

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


def _pieces(lines: Iterable[tuple[int, str]]) -> Iterable[tuple[int, str]]:
    """Lines joined to larger pieces; one from WARNING on stays by itself, for its colour."""
    some: list[str] = []
    size = 0
    for level, line in lines:
        if some and (level >= logging.WARNING or size + len(line) > _MAX_PIECE):
            yield logging.INFO, "\n".join(some)
            some, size = [], 0
        if level >= logging.WARNING:
            yield level, line
        else:
            some.append(line)
            size += len(line)
    if some:
        yield logging.INFO, "\n".join(some)


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
    _look_up(False)
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
        _look_up(True)
        handler.stop()
        atexit.unregister(handler.stop)


def _look_up(wanted: bool) -> None:
    """Whether every record is to look up its thread, process and task, which our lines do not name."""
    logging.logThreads = wanted
    logging.logProcesses = wanted
    logging.logMultiprocessing = wanted
    logging.logAsyncioTasks = wanted  # type: ignore[attr-defined]  # typeshed does not know it yet
