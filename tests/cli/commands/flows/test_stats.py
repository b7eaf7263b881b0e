"""`ccproxy flows stats` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from recorded import answered, record

if TYPE_CHECKING:
    from conftest import Sandbox


@pytest.fixture
def store(sandbox: Sandbox) -> Path:
    path = sandbox.state / "flows.db"
    usage = {"input_tokens": 100, "output_tokens": 50, "cache_read_input_tokens": 300}
    answers = [{"model": model, "usage": usage} for model in ("claude-opus-5", "claude-opus-5", "claude-of-tomorrow")]
    flows = [answered(number, {"model": "claude"}, answer) for number, answer in enumerate(answers)]
    record(path, flows)
    return path


def test_for_a_pipe(sandbox: Sandbox, store: Path) -> None:
    done = sandbox.ccproxy("flows", "stats")
    assert [line.split("\t") for line in done.stdout.splitlines()] == [
        ["claude-opus-5", "2", "0", "800", "75%", "100", "$0.0038", "", ""],
        ["claude-of-tomorrow", "1", "0", "400", "75%", "50", "1 of unknown price", "", ""],
        ["total", "3", "0", "1.2k", "75%", "150", "$0.0038 + 1 of unknown price", "", ""],
    ]


def test_json(sandbox: Sandbox, store: Path) -> None:
    found = json.loads(sandbox.ccproxy("flows", "stats", "--json", "--by", "provider", "--since", "1h").stdout)
    assert found["by"] == "provider"
    assert [group["key"] for group in found["groups"]] == ["anthropic"]
    assert found["total"]["cost"] == pytest.approx(0.0038)
    assert found["total"]["unpriced"] == 1


def test_a_set_chosen_by_filters(sandbox: Sandbox, store: Path) -> None:
    words = ("flows", "stats", "--jq", 'map(select(.ccproxy.answer_model == "claude-of-tomorrow"))')
    assert json.loads(sandbox.ccproxy(*words, "--json").stdout)["total"]["requests"] == 1


def test_nothing_to_add_up(sandbox: Sandbox, store: Path) -> None:
    done = sandbox.ccproxy("flows", "stats", "--since", "2999-01-01")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "no flows since 2999-01-01\n")
    wrong = sandbox.ccproxy("flows", "stats", "--since", "noon")
    assert wrong.returncode == 2
    assert "'noon' is no time" in wrong.stderr
