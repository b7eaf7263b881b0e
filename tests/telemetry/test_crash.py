"""An unexpected error leaves a traceback in a private file, and no secret in it."""

import stat
from pathlib import Path

from ccproxy.telemetry import crash

KEY = "sk-ant-api03-" + "c4n4ry" * 8


def failure() -> Exception:
    try:
        try:
            raise KeyError(f"first {KEY}")
        except KeyError as error:
            raise ValueError(f"bad\nvalue \x1b[2J {KEY}") from error
    except ValueError as error:
        return error


def test_the_summary_is_one_line_without_secrets_and_control_characters() -> None:
    line = crash.summary(failure())
    assert line.startswith("ValueError: bad value")
    assert line.isprintable()
    assert "c4n4ry" not in line.replace(line[-4:], "")


def test_a_long_summary_is_cut() -> None:
    assert len(crash.summary(ValueError("x" * 5000))) == crash.MAX_SUMMARY


def test_the_record_holds_the_traceback_with_its_cause_and_no_secret(tmp_path: Path) -> None:
    path = crash.record(failure(), tmp_path / "state")
    assert path == tmp_path / "state" / "crash.log"
    text = path.read_text()
    assert "KeyError" in text
    assert "ValueError" in text
    assert "in failure" in text
    assert KEY not in text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_records_are_appended_until_the_file_is_large(tmp_path: Path) -> None:
    path = tmp_path / "crash.log"
    path.write_text("earlier\n")
    crash.record(failure(), tmp_path)
    assert path.read_text().startswith("earlier\n")
    path.write_text("x" * (crash.MAX_BYTES + 1))
    crash.record(failure(), tmp_path)
    assert path.stat().st_size < crash.MAX_BYTES


def test_a_directory_that_cannot_be_written_is_no_second_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert crash.record(failure(), tmp_path / "file") is None
