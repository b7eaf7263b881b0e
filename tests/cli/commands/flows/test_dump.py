"""`ccproxy flows dump` as a user runs it: a HAR file on stdout, in little memory, and no secret in it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from recorded_flows import flow, record, tcp

if TYPE_CHECKING:
    from conftest import Sandbox


@pytest.fixture
def box(sandbox: Sandbox) -> Sandbox:
    """A user's machine with three flows, one of them no HTTP."""
    record(sandbox.state / "flows.db", flow(1), tcp(2), flow(3, path="/v1/models"))
    return sandbox


def dumped(box: Sandbox, *args: str) -> Any:
    result = box.ccproxy("flows", "dump", *args)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)["log"]


def test_all_flows(box: Sandbox) -> None:
    log = dumped(box)
    assert len(log["pages"]) == 2
    assert len(log["entries"]) == 4
    assert log["entries"][0]["request"]["url"] == "https://api.anthropic.com/v1/messages"


def test_what_is_left_out_is_said(box: Sandbox) -> None:
    result = box.ccproxy("flows", "dump", "--json")
    assert result.stderr == "ccproxy: 1 flow left out that HAR cannot hold: bare TCP or UDP\n"


def test_a_part(box: Sandbox) -> None:
    path = 'map(select(.request.path | startswith("/v1/messages")))'
    assert [page["id"] for page in dumped(box, "--jq", path)["pages"]] == ["000000000001"]
    assert [page["id"] for page in dumped(box, "-n", "1")["pages"]] == ["000000000003"]
    assert [page["id"] for page in dumped(box, "last")["pages"]] == ["000000000003"]


def test_with_secrets_it_says_what_that_means(box: Sandbox) -> None:
    record(box.state / "flows.db", flow(9, body={"api_key": "in-a-prompt-0123456789"}))
    assert "in-a-prompt" not in box.ccproxy("flows", "dump").stdout
    result = box.ccproxy("flows", "dump", "--with-secrets")
    assert "in-a-prompt-0123456789" in result.stdout
    assert "masked before anything is stored" in result.stderr


def test_nobody_reads_on(box: Sandbox) -> None:
    record(box.state / "flows.db", *(flow(number, body={"text": "x" * 100_000}) for number in range(10, 30)))
    process = box.spawn("flows", "dump")
    assert process.stdout is not None
    process.stdout.read(10)
    process.stdout.close()
    assert process.wait(timeout=30) == 1
    assert process.stderr is not None
    assert process.stderr.read() == b""


def test_nothing_recorded(sandbox: Sandbox) -> None:
    result = sandbox.ccproxy("flows", "dump")
    assert (result.returncode, result.stdout) == (1, "")
    assert "no flows are recorded" in result.stderr


MEASURE = """
import sys
from pathlib import Path
from ccproxy.cli.main import run
code = run(["flows", "dump"])
[peak] = [line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
print(peak, file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")
def test_memory_does_not_grow_with_the_number_of_flows(sandbox: Sandbox) -> None:
    def peak() -> int:
        """Of a dump, in KiB."""
        done = subprocess.run(
            [sys.executable, "-P", "-c", MEASURE],
            env=sandbox.env(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=60,
            check=True,
        )
        return int(done.stderr)

    body = {"text": "x" * 100_000}
    record(sandbox.state / "flows.db", *(flow(number, body=body) for number in range(20)))
    few = peak()
    record(sandbox.state / "flows.db", *(flow(number, body=body) for number in range(20, 300)))
    # The whole file is more than 60 MB.
    assert peak() - few < 8_000
