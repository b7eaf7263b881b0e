"""`ccproxy hooks`: list, check and new; and the drawing of `ccproxy status --mermaid`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ccproxy.cli.main import run

HOOKS = """
from ccproxy.hooks import hook

@hook(reads=["session"], writes=["headers.x-a"])
def reads(ctx):
    "Reads the session."

@hook(writes=["session"])
def writes(ctx):
    "Writes it."
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The configuration's directory, with two hooks in a file."""
    monkeypatch.setenv("CCPROXY_CONFIG_DIR", str(tmp_path))
    (tmp_path / "mine.py").write_text(HOOKS)
    (tmp_path / "ccproxy.yaml").write_text(
        "ccproxy:\n  hooks:\n    inbound:\n      - ./mine.py:reads\n      - ./mine.py:writes\n    outbound: [shape]\n"
    )
    return tmp_path


class TestList:
    def test_in_the_order_they_run_then_the_others(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["hooks", "list"]) == 0
        rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
        assert rows[:3] == [
            ["inbound", "1", "writes", "Writes it.", "-", "session"],
            ["inbound", "2", "reads", "Reads the session.", "session", "headers.x-a"],
            ["outbound", "1", "shape", rows[2][3], "-", "-"],
        ]
        assert "(does nothing in this version)" in rows[2][3]
        others = [row[2] for row in rows[3:]]
        assert {"inject_auth", "set_model", "redact_secrets"} <= set(others)
        assert "shape" not in others

    def test_json(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["hooks", "list", "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert [(hook["name"], hook["turn"], hook["from"]) for hook in told["inbound"]] == [
            ("writes", 1, "./mine.py:writes"),
            ("reads", 2, "./mine.py:reads"),
        ]
        assert {hook["name"]: hook["locked"] for hook in told["available"]}["inject_auth"] is True

    def test_a_hook_that_cannot_be_loaded(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (folder / "mine.py").write_text("1 / 0")
        assert run(["hooks", "list"]) == 2
        assert "ccproxy.yaml:4: hooks.inbound[0]:" in capsys.readouterr().err


class TestCheck:
    def test_the_order_and_who_was_moved(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["hooks", "check"]) == 0
        out, err = capsys.readouterr()
        assert out.splitlines() == [
            "inbound: writes, reads",
            "  reads runs behind writes, whose work it reads",
            "outbound: shape",
        ]
        assert err == "ccproxy: warning: hooks.outbound: hook shape does nothing in this version\n"

    def test_every_problem_a_line(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (folder / "ccproxy.yaml").write_text("ccproxy:\n  hooks:\n  - set_modle\n  - ./absent.py\n")
        assert run(["hooks", "check"]) == 2
        out, err = capsys.readouterr()
        assert [line.partition(": ")[0] for line in out.splitlines()] == [
            f"{folder}/ccproxy.yaml:3",
            f"{folder}/ccproxy.yaml:4",
        ]
        assert err == ""

    def test_config_check_says_the_same(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["config", "check"]) == 0
        assert "hook shape does nothing" in capsys.readouterr().err
        (folder / "mine.py").write_text("1 / 0")
        assert run(["config", "check"]) == 2
        assert "ZeroDivisionError" in capsys.readouterr().out

    def test_files(self, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(folder)
        assert run(["hooks", "check", "mine.py"]) == 0
        assert capsys.readouterr().out.splitlines() == [
            "mine.py: reads: session -> headers.x-a",
            "mine.py: writes: - -> session",
        ]
        (folder / "none.py").write_text("x = 1")
        for name, says in (("none.py", "has no hook in it"), ("absent.py", "there is no file")):
            assert run(["hooks", "check", name]) == 2
            assert says in capsys.readouterr().out


class TestNew:
    def test_what_it_writes_can_be_used_and_its_test_passes(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(["hooks", "new", "greet"]) == 0
        out, err = capsys.readouterr()
        assert [Path(line).name for line in out.splitlines()] == ["greet.py", "test_greet.py"]
        assert err.endswith("- ./hooks/greet.py\n")
        (folder / "ccproxy.yaml").write_text("ccproxy: {hooks: [{hook: ./hooks/greet.py, params: {greeting: hi}}]}")
        assert run(["hooks", "check"]) == 0
        options = ["-q", "-W", "error", "-p", "no:cacheprovider", "-o", "asyncio_default_fixture_loop_scope=function"]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, "hooks"],
            cwd=folder, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    def test_elsewhere(
        self, folder: Path, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
    ) -> None:
        elsewhere = tmp_path_factory.mktemp("elsewhere") / "deep"
        assert run(["hooks", "new", "greet", "--to", str(elsewhere)]) == 0
        assert (elsewhere / "greet.py").exists()
        assert capsys.readouterr().err.endswith(f"- {elsewhere}/greet.py\n")

    @pytest.mark.parametrize("name", ["a-b", "1a", "_a", "ä", "a/b"])
    def test_what_cannot_be_a_name(self, folder: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["hooks", "new", name]) == 1
        assert "cannot be the name of a hook" in capsys.readouterr().err

    def test_nothing_is_overwritten(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["hooks", "new", "mine", "--to", str(folder)]) == 1
        assert "is there already" in capsys.readouterr().err
        assert (folder / "mine.py").read_text() == HOOKS


def test_the_drawing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["status", "--mermaid"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("flowchart LR\n")
    assert 'inbound_1 -->|"session"| inbound_0' in out
    assert 'outbound_0["1 shape"]' in out
