"""`ccproxy flows tail` as a user runs it: live, through a restart of the proxy, and gone when nobody reads."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from recorded_flows import flow, record

from ccproxy.flows import retention

if TYPE_CHECKING:
    from conftest import Sandbox


def line(process: subprocess.Popen[bytes]) -> str:
    """The next line that it prints."""
    assert process.stdout is not None
    return process.stdout.readline().decode()


def store(sandbox: Sandbox) -> Path:
    return sandbox.state / "flows.db"


def test_flows_as_they_end(sandbox: Sandbox) -> None:
    record(store(sandbox), flow(1))
    process = sandbox.spawn("flows", "tail")
    assert line(process).startswith("000000000001\tPOST\t200\tapi.anthropic.com\t/v1/messages\t")
    record(store(sandbox), flow(2), flow(3))
    assert line(process).startswith("000000000002")
    assert line(process).startswith("000000000003")
    retention.clear(store(sandbox), None)
    record(store(sandbox), flow(4))
    assert line(process).startswith("000000000004")


def test_before_anything_is_recorded_and_through_filters(sandbox: Sandbox) -> None:
    process = sandbox.spawn("flows", "tail", "--json", "--jq", "map(select(.response.status_code >= 400) | {id})")
    record(store(sandbox), flow(1), flow(2, status=529))
    assert json.loads(line(process)) == {"id": "000000000002"}


def test_interrupted(sandbox: Sandbox) -> None:
    record(store(sandbox), flow(1))
    process = sandbox.spawn("flows", "tail")
    line(process)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stdout, stderr) == (130, b"", b"")


def test_nobody_reads_any_more(sandbox: Sandbox) -> None:
    record(store(sandbox), flow(1))
    process = sandbox.spawn("flows", "tail")
    line(process)
    assert process.stdout is not None
    process.stdout.close()  # and no further flow comes
    assert process.wait(timeout=30) == 0
    assert process.stderr is not None
    assert process.stderr.read() == b""


def test_a_wrong_filter_is_said_at_once(sandbox: Sandbox) -> None:
    result = sandbox.ccproxy("flows", "tail", "--jq", "map(.nonsense")
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert "line 1, column" in result.stderr


def test_a_filter_that_fails_ends_it(sandbox: Sandbox) -> None:
    record(store(sandbox), flow(1))
    result = sandbox.ccproxy("flows", "tail", "--jq", "length")
    assert (result.returncode, result.stdout) == (1, "")
    assert "gives a number instead of an array" in result.stderr


def test_a_terminal_gets_a_line_that_fits(sandbox: Sandbox) -> None:
    record(store(sandbox), flow(1, path=f"/{'x' * 500}"))
    main, sub = os.openpty()
    process = sandbox.spawn("flows", "tail", env={"COLUMNS": "60", "NO_COLOR": "1"}, stdout=sub)
    os.close(sub)
    shown = b""
    while not shown.endswith(b"\n"):
        shown += os.read(main, 1000)
    process.send_signal(signal.SIGINT)
    process.wait(timeout=30)
    os.close(main)
    assert len(shown.decode().rstrip()) == 60
    assert "  200  POST  api.anthropic.com/xxx" in shown.decode()
