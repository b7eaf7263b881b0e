"""The documentation is tried out: configurations load, commands exist, links lead somewhere, the first request answers."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from ccproxy.cli.launch import launch
from ccproxy.cli.main import cli
from ccproxy.config.load import load
from ccproxy.config.settings import Settings

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!https?://)([^)#\s]+)")
_SETTING = re.compile(r"`((?:gateway|egress|flows|inspector)\.[a-z_]+(?:\.[a-z_]+)*)")


def blocks(page: Path, language: str) -> list[str]:
    return [text for kind, text in _BLOCK.findall(page.read_text()) if kind == language]


def commands() -> list[list[str]]:
    """Every `ccproxy …` line of a shell block, without what follows the command itself."""
    found = []
    for page in PAGES:
        for line in "\n".join(blocks(page, "bash")).replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            for cut in ("|", ">", "&&"):
                words = words[: words.index(cut)] if cut in words else words
            if words[:1] == ["ccproxy"]:
                found.append(words[1:])
    return found


@pytest.mark.parametrize("name", NAMES)
def test_configurations_load_without_a_problem(name: str, tmp_path: Path) -> None:
    for number, text in enumerate(blocks(ROOT / name, "yaml")):
        if text.startswith("ccproxy:"):
            path = tmp_path / f"{number}.yaml"
            path.write_text(text)
            assert load(path, env={}).warnings == []


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name: str) -> None:
    page = ROOT / name
    assert [link for link in _LINK.findall(page.read_text()) if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("docs/reference")])
def test_settings_that_are_named_exist(name: str) -> None:
    known = Settings()
    for setting in _SETTING.findall((ROOT / name).read_text()):
        value: object = known
        for part in setting.split("."):
            assert hasattr(value, part), setting
            value = getattr(value, part)


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_commands_and_their_options_exist(words: list[str]) -> None:
    command: click.Command = cli
    context = click.Context(command, info_name="ccproxy")
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(context, words[0])
        assert found is not None, words[0]
        command, words = found, words[1:]
        context = click.Context(command, info_name=command.name, parent=context)
    known = {option for parameter in command.get_params(context) for option in parameter.opts}
    own = words[: words.index("--")] if "--" in words else words
    assert [word for word in own if word.startswith("-") and word not in known] == []


def test_the_first_request_of_the_readme(tmp_path: Path) -> None:
    """`ccproxy init`, the proxy, and the README's own curl line."""
    env = {"HOME": str(tmp_path), "CCPROXY_CONFIG_DIR": str(tmp_path), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    subprocess.run([sys.executable, "-m", "ccproxy", "init"], env=env, check=True, capture_output=True)
    (curl,) = [text for text in blocks(ROOT / "README.md", "bash") if text.startswith("curl")]
    process, urls = launch(["start", "--port", str(_free_port())], env)
    try:
        line = curl.replace("http://127.0.0.1:4000", urls[0])
        answer = json.loads(subprocess.run(["sh", "-c", line], check=True, capture_output=True, timeout=30).stdout)
    finally:
        process.terminate()
        process.wait()
    assert answer["stop_reason"] == "end_turn"
    assert "hello" in answer["content"][0]["text"]


def _free_port() -> int:
    import socket

    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])
