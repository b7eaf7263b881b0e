"""`ccproxy flows repl`, typed at and piped into."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from recorded import answered, record

if TYPE_CHECKING:
    from conftest import Sandbox


@pytest.fixture
def box(sandbox: Sandbox) -> Sandbox:
    """A user's machine with two flows."""
    answer = {"model": "claude-opus-5", "usage": {"input_tokens": 100, "output_tokens": 50}}
    record(sandbox.state / "flows.db", [answered(n, {"model": f"m{n}", "messages": []}, answer) for n in (1, 2)])
    return sandbox


def piped(box: Sandbox, text: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "ccproxy", "flows", "repl", *words]
    return subprocess.run(command, input=text, env=box.env(), capture_output=True, text=True, timeout=60, check=False)


def test_what_is_piped_in_is_run_as_if_it_were_typed(box: Sandbox) -> None:
    done = piped(box, "len(flows)\nfor flow in flows:\n    print(flow.model)\n\nflows[-1].usage.input\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "2\nm1\nm2\n100\n", "")


def test_helpers_are_at_hand(box: Sandbox) -> None:
    done = piped(
        box,
        'show(flows[0])\ncompare(flows[0])\ndiff(flows[0], flows[1])\nas_json(flows[0])["id"]\n'
        "body(flows[0].response)['model']\ncache()\nflows.stats().total.requests\n",
    )
    assert done.returncode == 0, done.stderr
    for words in ("Flow 000000000001", '-  "model": "m1"', "'000000000001'", "'claude-opus-5'", "<2 flows>", "\n2\n"):
        assert words in done.stdout


def test_a_set_chosen_by_filters(box: Sandbox) -> None:
    assert piped(box, "flows\n", "--jq", 'map(select(.ccproxy.model == "m2"))').stdout == "<1 flow>\n"


def test_an_error_is_shown_and_the_rest_is_run(box: Sandbox) -> None:
    done = piped(box, "1 / 0\n)\nprint('on')\n")
    assert (done.returncode, done.stdout) == (1, "on\n")
    assert "ZeroDivisionError" in done.stderr
    assert "SyntaxError" in done.stderr


def test_a_block_without_a_blank_line_behind_it_is_run(box: Sandbox) -> None:
    assert piped(box, "for n in range(2):\n    print(n)").stdout == "0\n1\n"


def test_without_a_store(sandbox: Sandbox) -> None:
    assert piped(sandbox, "len(flows)\n").stdout == "0\n"


def test_at_a_terminal(box: Sandbox, tmp_path: Path) -> None:
    main, sub = pty.openpty()
    command = [sys.executable, "-P", "-m", "ccproxy", "flows", "repl"]
    process = subprocess.Popen(command, env=box.env(TERM="dumb"), stdin=sub, stdout=sub, stderr=sub, close_fds=True)
    os.close(sub)
    os.write(main, b"flows[0].model + '!'\nexit()\n")
    shown = b""
    try:
        while piece := os.read(main, 65_536):
            shown += piece
    except OSError:  # the other side is closed
        pass
    os.close(main)
    assert process.wait(30) == 0
    assert b"2 flows, the newest last" in shown
    assert b"'m1!'" in shown
