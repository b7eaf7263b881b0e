"""The run file names one process for good, and a stale one counts for nothing."""

import dataclasses
import os
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from ccproxy.cli import runfile


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CCPROXY_CONFIG_DIR", str(tmp_path))
    return tmp_path / "state"


def mine(port: int = 4000) -> runfile.RunFile:
    return runfile.of_this_process(
        host="127.0.0.1", port=port, version="1", config=Path("/c.yaml"), log=runfile.log_file_of(port)
    )


def test_what_was_written_is_read_and_private(state: Path) -> None:
    run = mine()
    runfile.write(run)
    assert runfile.read(4000) == run
    assert run.pid == os.getpid()
    assert runfile.live() == [run]
    assert stat.S_IMODE((state / "run-4000.json").stat().st_mode) == 0o600


def test_each_port_has_its_own() -> None:
    runfile.write(mine(5000))
    runfile.write(mine(4000))
    assert [run.port for run in runfile.live()] == [4000, 5000]
    assert runfile.log_file_of(4000) != runfile.log_file_of(5000)


def test_a_reused_process_id_is_not_the_process() -> None:
    runfile.write(dataclasses.replace(mine(), created=mine().created - 60))
    assert runfile.live() == []


def test_setting_the_clock_does_not_make_it_stale() -> None:
    # What is compared is the distance from the boot: both ends of it move with the clock.
    created = psutil.Process().create_time() - psutil.boot_time()
    assert mine().created == pytest.approx(created, abs=runfile.TOLERANCE_SECONDS)


def test_a_process_that_ended_is_stale_even_before_its_parent_has_noticed() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process = psutil.Process(child.pid)
    run = dataclasses.replace(mine(), pid=child.pid, created=process.create_time() - psutil.boot_time())
    runfile.write(run)
    assert runfile.live() == [run]
    assert child.stdin is not None
    child.stdin.close()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and stays a zombie
    assert runfile.live() == []
    child.wait()
    assert runfile.live() == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"{}",
        b'{"pid":"1","created":1.0,"host":"h","port":4000,"version":"","config":"","log":""}',
        b'{"pid":-1,"created":1.0,"host":"h","port":4000,"version":"","config":"","log":""}',
        b"\xff\xfe",
    ],
)
def test_nonsense_counts_for_nothing(state: Path, content: bytes) -> None:
    state.mkdir()
    (state / "run-4000.json").write_bytes(content)
    assert runfile.read(4000) is None
    assert runfile.live() == []


def test_no_state_directory_means_nothing_runs() -> None:
    assert runfile.live() == []


def test_only_its_own_file_is_removed(state: Path) -> None:
    run, other = mine(), dataclasses.replace(mine(), created=1.0)
    runfile.write(other)
    runfile.remove(run)
    assert runfile.read(4000) == other
    runfile.write(run)
    runfile.remove(run)
    assert list(state.iterdir()) == []
    runfile.remove(run)
