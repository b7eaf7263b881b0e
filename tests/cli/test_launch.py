"""A proxy in a process of its own: ready, or an error with its exit code."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ccproxy.cli import launch
from ccproxy.errors import CommandError


def test_a_proxy_is_ready_when_launch_returns(sandbox, free_port: int) -> None:
    child, urls = launch.launch(["start", "--port", str(free_port)], sandbox.env())
    try:
        assert urls[0] == f"http://127.0.0.1:{free_port}"
        assert sandbox.ccproxy("status", "--proxy", "--port", str(free_port)).returncode == 0
        assert os.getsid(child.pid) == child.pid != os.getsid(0)
    finally:
        child.terminate()
        assert child.wait(30) == 0


def test_its_own_error_is_told_where_we_tell_ours(sandbox, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(launch.Ended) as caught:
        launch.launch(["--config", str(tmp_path / "none.yaml"), "start"], sandbox.env())
    assert caught.value.exit_code == 2
    assert "none.yaml" in capfd.readouterr().err


def test_one_that_is_killed_before_it_is_ready(sandbox, free_port: int, tmp_path: Path) -> None:
    fatal = tmp_path / "path" / "sitecustomize.py"
    fatal.parent.mkdir()
    fatal.write_text("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(CommandError, match="SIGKILL"):
        launch.launch(["start", "--port", str(free_port)], sandbox.env(PYTHONPATH=str(fatal.parent)))


def test_one_that_takes_too_long_is_ended(sandbox, tmp_path: Path) -> None:
    stuck = tmp_path / "path" / "sitecustomize.py"
    stuck.parent.mkdir()
    stuck.write_text(f"import os, time; os.mkfifo({str(tmp_path / 'fifo')!r}); open({str(tmp_path / 'fifo')!r})")
    with pytest.raises(CommandError, match="not ready within 1 seconds"):
        launch.launch(["start"], sandbox.env(PYTHONPATH=str(stuck.parent)), seconds=1)


def test_what_the_child_is_told_to_call_lets_go_of_the_terminal_first() -> None:
    code = (
        "import os, sys\n"
        "from ccproxy.cli.launch import announcer\n"
        "announcer(int(sys.argv[1]))(['http://x'])\n"
        "print('nobody reads this')\n"
        "input()\n"
    )
    reader, writer = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-c", code, str(writer)], pass_fds=(writer,), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        os.close(writer)
        with os.fdopen(reader) as pipe:
            assert pipe.read() == '["http://x"]'
        assert child.stdout is not None
        assert child.stdout.read() == b""
        child.send_signal(signal.SIGTERM)
