"""`ccproxy logs`: the last lines, and what follows, through rotation."""

import os
import signal
from pathlib import Path

import pytest

from ccproxy.cli.commands import logs

LINES = [f"line {number}\n" for number in range(2000)]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "proxy.log"


class TestLastLines:
    def tail(self, log: Path, count: int) -> str:
        return b"".join(logs.last_lines(log, log.stat().st_size, count)).decode()

    @pytest.mark.parametrize("count", [0, 1, 2, 1999, 2000, 5000])
    def test_the_last_lines_of_one_file(self, log: Path, count: int) -> None:
        log.write_text("".join(LINES))
        assert self.tail(log, count) == "".join(LINES[len(LINES) - min(count, len(LINES)) :])

    def test_longer_lines_than_a_block(self, log: Path) -> None:
        long = ["a" * logs.BLOCK * 2 + "\n", "b" * logs.BLOCK + "\n", "c\n"]
        log.write_text("".join(long))
        assert self.tail(log, 2) == "".join(long[1:])

    def test_older_files_fill_up_what_is_missing(self, log: Path) -> None:
        log.write_text("".join(LINES[15:]))
        Path(f"{log}.1").write_text("".join(LINES[10:15]))
        Path(f"{log}.2").write_text("".join(LINES[:10]))
        assert self.tail(log, 1992) == "".join(LINES[8:])
        assert self.tail(log, 9999) == "".join(LINES)

    def test_an_unfinished_line_counts(self, log: Path) -> None:
        log.write_text("one\ntwo")
        assert self.tail(log, 1) == "two"

    def test_what_comes_after_the_end_that_was_seen_is_not_printed(self, log: Path) -> None:
        log.write_text("one\ntwo\nthree\n")
        assert logs.last_lines(log, len("one\ntwo\n"), 1) == [b"two\n"]


class TestNewChunks:
    def test_appended_rotated_truncated(self, log: Path) -> None:
        log.write_text("old\n")
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            chunks = logs.new_chunks(log, file)
            assert next(chunks) == b""
            with log.open("a") as writer:
                writer.write("one\n")
                writer.flush()
                assert next(chunks) == b"one\n"
                assert next(chunks) == b""
                writer.write("last of the old file\n")
            log.rename(f"{log}.1")
            assert next(chunks) == b"last of the old file\n"
            assert next(chunks) == b""  # rotation is under way: there is no new file yet
            log.write_text("first of the new\n")
            assert next(chunks) == b"first of the new\n"
            assert next(chunks) == b""
            log.write_text("cut\n")
            assert next(chunks) == b"cut\n"
            chunks.close()


class TestCommand:
    def test_the_last_lines_are_printed_whether_the_proxy_runs_or_not(self, sandbox) -> None:
        sandbox.state.mkdir()
        (sandbox.state / "ccproxy-4000.log").write_text("".join(LINES))
        assert sandbox.ccproxy("logs").stdout == "".join(LINES[-50:])
        assert sandbox.ccproxy("logs", "-n", "3").stdout == "".join(LINES[-3:])

    def test_no_log_is_one_line(self, sandbox) -> None:
        done = sandbox.ccproxy("logs", "-f")
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert "there is no log yet" in done.stderr

    def test_following_goes_on_until_interrupted(self, sandbox) -> None:
        sandbox.state.mkdir()
        log = sandbox.state / "ccproxy-4000.log"
        log.write_text("one\ntwo\n")
        process = sandbox.spawn("logs", "-f", "-n", "1")
        assert process.stdout.readline() == b"two\n"
        with log.open("a") as file:
            file.write("three\n")
        assert process.stdout.readline() == b"three\n"
        log.rename(f"{log}.1")
        log.write_text("four\n")
        assert process.stdout.readline() == b"four\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        assert process.stderr.read().strip() == b""
