"""The how-to's dialect works as it stands, from a package of its own: nothing of ccproxy is touched for it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ccproxy.testing import conformance

from .toy import PAGE, REQUEST, SOURCE, STREAM, TEST


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder on the path of Python in which the dialect is installed as pip would."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "parley.py").write_text(SOURCE)
    about = folder / "parley-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: parley\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[ccproxy.dialects]\nparley = parley\n")
    return folder


def run(installed: Path, *words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "HOME": str(installed), "PYTHONPATH": str(installed), "LANG": "C.UTF-8"}
    line = [sys.executable, "-m", *words]
    return subprocess.run(line, cwd=cwd, env=env, capture_output=True, text=True, timeout=300, check=False)


def test_it_keeps_the_laws_by_the_pages_own_test(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "cases" / "tools").mkdir(parents=True)
    (tmp_path / "cases" / "tools" / "stream.txt").write_text(STREAM)
    (tmp_path / "test_parley.py").write_text(TEST)
    options = ["-q", "-W", "error", "-p", "no:cacheprovider", "-o", "asyncio_default_fixture_loop_scope=function"]
    done = run(installed, "pytest", *options, "test_parley.py", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) > 30


def test_the_command_line_knows_it(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "request.json").write_text(json.dumps(REQUEST))
    line = ["ccproxy", "convert", "--from", "parley", "--to", "anthropic", "--json", "request.json"]
    done = run(installed, *line, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["result"]["messages"][-1]["content"][0]["tool_use_id"] == "c1"
    assert [loss["path"] for loss in document["losses"]] == ["mood", "max_tokens"]


def test_the_page_names_every_law() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for number, name in conformance.LAWS.items():
        assert f"| {number} {name} |" in page
