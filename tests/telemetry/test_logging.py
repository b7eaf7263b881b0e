"""The log: one clean line per record, in a private file, written off the caller's thread."""

import asyncio
import errno
import gc
import io
import logging
import re
import stat
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from ccproxy.telemetry import logging as telemetry
from ccproxy.telemetry.logging import ConsoleSink, FileSink, LineFormatter, RecordQueue

KEY = "sk-ant-api03-" + "c4n4ry" * 8
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d (DEBUG|INFO|WARNING|ERROR|CRITICAL) +\S+: .*")
log = logging.getLogger("ccproxy.test")


@pytest.fixture(autouse=True)
def ended() -> Iterator[None]:
    level = logging.getLogger().level
    yield
    telemetry.shutdown()
    logging.getLogger().setLevel(level)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "ccproxy.log"


def written(file: Path) -> list[str]:
    """Every line, once all of it is written."""
    telemetry.shutdown()
    return file.read_text().splitlines()


def record(message: str, *args: object) -> logging.LogRecord:
    return logging.LogRecord("ccproxy.x", logging.INFO, __file__, 1, message, args, None)


class TestLineFormatter:
    def test_a_record_is_one_line_with_an_iso_time(self) -> None:
        text = LineFormatter().format(record("%s %s -> %d", "POST", "/v1/messages", 200))
        assert LINE.fullmatch(text)
        assert text.endswith(" INFO    ccproxy.x: POST /v1/messages -> 200")

    def test_a_message_cannot_forge_a_line(self) -> None:
        forged = "2026-01-01T00:00:00.000+00:00 ERROR ccproxy: owned"
        text = LineFormatter().format(record("agent %s", f"x\r\n{forged}\x1b[2J"))
        assert "\n" not in text
        assert "\x1b" not in text
        assert f"x\\r\\n{forged}\\x1b[2J" in text

    @pytest.mark.parametrize(
        "secret",
        [
            KEY,
            "Bearer abcdefghijklmnop1234567890",
            "AIza" + "SyA1234567890abcdefghijklmnopqrstuv",
            "ya29.a0AfH6SMBx1234567890abcdef",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
        ],
    )
    def test_secrets_are_removed_from_message_and_arguments(self, secret: str) -> None:
        for text in (
            LineFormatter().format(record("failed: %s", secret)),
            LineFormatter().format(record(f"failed: {secret}")),
            LineFormatter().format(record("GET %s", f"/v1beta/models?key={secret.rsplit(maxsplit=1)[-1]}&alt=sse")),
        ):
            assert secret.rsplit(maxsplit=1)[-1] not in text
            assert "failed" in text or "alt=sse" in text

    def test_a_traceback_stays_readable_behind_a_bar_and_without_secrets(self) -> None:
        try:
            raise ValueError(f"{KEY}\n2026-01-01T00:00:00.000+00:00 ERROR ccproxy: owned")
        except ValueError:
            failed = logging.LogRecord("ccproxy.x", logging.ERROR, __file__, 1, "broke", (), sys.exc_info())
        first, *rest = LineFormatter().format(failed).splitlines()
        assert LINE.fullmatch(first)
        assert rest[0] == "    | Traceback (most recent call last):"
        assert all(line.startswith("    | ") for line in rest)
        assert KEY not in "\n".join(rest)


class TestSetup:
    def test_the_file_is_private_and_complete_after_shutdown(self, file: Path) -> None:
        telemetry.setup("INFO", file, console=False)
        for number in range(500):
            log.info("line %d", number)
        log.debug("not this one")
        lines = written(file)
        assert [line.rsplit(" ", 1)[1] for line in lines] == [str(number) for number in range(500)]
        assert all(LINE.fullmatch(line) for line in lines)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700

    def test_an_existing_file_is_continued_and_made_private(self, file: Path) -> None:
        file.parent.mkdir()
        file.write_text("before\n")
        file.chmod(0o644)
        telemetry.setup("INFO", file, console=False)
        log.info("after")
        before, after = written(file)
        assert before == "before"
        assert after.endswith("after")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600

    def test_a_file_that_cannot_be_opened_is_an_os_error(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(OSError, match="file"):
            telemetry.setup("INFO", tmp_path / "file" / "ccproxy.log", console=False)

    def test_a_second_setup_replaces_the_first(self, file: Path, tmp_path: Path) -> None:
        telemetry.setup("INFO", file, console=False)
        log.info("one")
        telemetry.setup("INFO", tmp_path / "other.log", console=False)
        log.info("two")
        assert [line[-3:] for line in written(tmp_path / "other.log")] == ["two"]
        assert [line[-3:] for line in written(file)] == ["one"]

    def test_it_leaves_no_handler_behind(self, file: Path) -> None:
        before = list(logging.getLogger().handlers)
        telemetry.setup("INFO", file, console=False)
        assert logging.getLogger().handlers != before
        telemetry.shutdown()
        assert logging.getLogger().handlers == before

    def test_libraries_come_through_at_warning_even_if_they_brought_handlers(self, file: Path) -> None:
        library = logging.getLogger("uvicorn.error")
        library.addHandler(logging.StreamHandler(io.StringIO()))
        library.propagate = False
        telemetry.setup("INFO", file, console=False)
        library.info("Started server process")
        library.warning("Invalid HTTP request received.")
        assert [line.partition(" uvicorn")[2] for line in written(file)] == [".error: Invalid HTTP request received."]

    def test_debug_never_reaches_the_frames_that_libraries_log(self, file: Path) -> None:
        telemetry.setup("DEBUG", file, console=False)
        logging.getLogger("websockets.client").debug("> Authorization: %s", "frame")
        log.debug("ours")
        assert [line[-4:] for line in written(file)] == ["ours"]

    def test_the_level_can_change_while_running(self, file: Path) -> None:
        telemetry.setup("WARNING", file, console=False)
        log.info("no")
        telemetry.set_level("INFO")
        log.info("yes")
        assert [line[-3:] for line in written(file)] == ["yes"]

    def test_warnings_and_failing_threads_and_finalizers_and_tasks_are_logged(self, file: Path) -> None:
        class Broken:
            def __del__(self) -> None:
                raise RuntimeError("in a finalizer")

        def fail() -> None:
            raise RuntimeError("in a thread")

        async def lose_a_failure() -> None:
            async def fail() -> None:
                raise RuntimeError("in a task")

            task = asyncio.create_task(fail())
            await asyncio.wait([task])
            del task
            gc.collect()

        telemetry.setup("INFO", file, console=False)
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("a warning", stacklevel=1)
        thread = threading.Thread(target=fail, name="worker")
        thread.start()
        thread.join()
        Broken()
        gc.collect()
        asyncio.run(lose_a_failure())
        text = "\n".join(written(file))
        assert "a warning" in text
        assert "thread worker failed" in text
        assert "in a finalizer" in text
        assert "Task exception was never retrieved" in text
        assert "in a task" in text


def test_a_rotated_file_is_private_too(file: Path) -> None:
    sink = FileSink(file, max_bytes=200)
    for number in range(20):
        sink.emit(record("x" * 50 + f" {number}"))
    sink.close()
    files = sorted(file.parent.iterdir())
    assert [path.name for path in files] == ["ccproxy.log", "ccproxy.log.1", "ccproxy.log.2", "ccproxy.log.3"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert file.read_text().endswith(" 19\n")


def test_a_full_disk_is_said_once_and_does_not_raise(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class FullDisk(io.StringIO):
        def write(self, text: str, /) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    sink = FileSink(file)
    real = sink.setStream(FullDisk())
    sink.handle(record("one"))
    sink.handle(record("two"))
    sink.close()
    assert real is not None
    real.close()
    complaint = capsys.readouterr().err
    assert complaint.count("\n") == 1
    assert "cannot write the log" in complaint
    assert "No space left" in complaint


def test_what_the_queue_cannot_hold_is_counted() -> None:
    arrived: list[str] = []
    gate = threading.Event()

    class Slow(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            gate.wait()
            arrived.extend(record.getMessage().splitlines())

    queue = RecordQueue([Slow()], max_queued=3)
    for number in range(10):
        queue.emit(record("line %d", number))
    gate.set()
    queue.start()
    queue.stop()
    assert [line.rpartition(": ")[2] for line in arrived[:3]] == ["line 0", "line 1", "line 2"]
    assert "7 log records were lost" in arrived[3]
    assert len(arrived) == 4


class Arrivals(logging.Handler):
    """Keeps what a sink is given, and says when something came."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self.some = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.pieces.append(record.getMessage())
        self.some.set()


def messages(piece: str) -> list[str]:
    return [line.rpartition(": ")[2] for line in piece.splitlines()]


def test_lines_gather_and_are_written_in_one_piece() -> None:
    sink = Arrivals()
    handler = RecordQueue([sink], flush_seconds=3600.0)
    handler.start()
    for number in range(100):
        handler.handle(record("line %d", number))
    handler.stop()
    assert [messages(piece) for piece in sink.pieces] == [[f"line {number}" for number in range(100)]]


def test_what_gathered_is_written_after_a_while() -> None:
    sink = Arrivals()
    handler = RecordQueue([sink], flush_seconds=0.001)
    handler.start()
    for number in range(3):
        handler.handle(record("line %d", number))
        assert sink.some.wait(20)
        sink.some.clear()
    handler.stop()
    assert [line for piece in sink.pieces for line in messages(piece)] == ["line 0", "line 1", "line 2"]


def test_a_warning_is_written_at_once_with_what_came_before_it() -> None:
    sink = Arrivals()
    handler = RecordQueue([sink], flush_seconds=3600.0)
    handler.start()
    handler.handle(record("fine"))
    handler.handle(logging.LogRecord("ccproxy.x", logging.WARNING, __file__, 1, "look", (), None))
    assert sink.some.wait(20)
    handler.stop()
    assert [messages(piece) for piece in sink.pieces] == [["fine"], ["look"]]


def test_a_piece_is_no_larger_than_its_limit() -> None:
    sink = Arrivals()
    handler = RecordQueue([sink], flush_seconds=3600.0)
    handler.start()
    for _ in range(100):
        handler.handle(record("x" * 2_000))
    handler.stop()
    assert len(sink.pieces) > 1
    assert max(map(len, sink.pieces)) < 70_000
    assert sum(len(messages(piece)) for piece in sink.pieces) == 100


def test_times_keep_their_milliseconds_from_second_to_second() -> None:
    formatter = LineFormatter()
    moments = [1_700_000_000.001, 1_700_000_000.999, 1_700_000_001.5, 1_700_000_000.25]
    shown = []
    for moment in moments:
        made = record("x")
        made.created = moment
        shown.append(formatter.format(made)[17:23])
    assert shown == ["20.001", "20.999", "21.500", "20.250"]


def test_a_failing_log_call_shows_where_but_not_its_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    RecordQueue([]).handle(record("%d", KEY))
    complaint = capsys.readouterr().err
    assert complaint == f"ccproxy: the log call at {__file__}:1 failed\n"


def test_colour_marks_warnings_on_a_terminal_only() -> None:
    plain, coloured = io.StringIO(), io.StringIO()
    failed = logging.LogRecord("x", logging.ERROR, __file__, 1, "bad", (), None)
    for sink in (ConsoleSink(plain, colour=False), ConsoleSink(coloured, colour=True)):
        sink.emit(record("fine"))
        sink.emit(failed)
    assert plain.getvalue() == "fine\nbad\n"
    assert coloured.getvalue() == "fine\n\x1b[31mbad\x1b[0m\n"


def test_a_terminal_that_is_gone_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    stream.close()
    ConsoleSink(stream, colour=False).handle(record("x"))
    assert capsys.readouterr().err == ""
