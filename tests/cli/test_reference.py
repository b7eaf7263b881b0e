"""The command line reference says what `--help` says."""

import importlib.util
from pathlib import Path
from types import ModuleType

import click
import pytest

from ccproxy.cli.main import cli

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gen_cli_reference", ROOT / "tools" / "gen_cli_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date(generator: ModuleType) -> None:
    written = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    assert written == generator.page(), "run `python tools/gen_cli_reference.py`"


def test_it_does_not_depend_on_the_terminal(generator: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    narrow = generator.page()
    monkeypatch.setenv("COLUMNS", "200")
    assert generator.page() == narrow


def test_it_holds_every_command(generator: ModuleType) -> None:
    page = generator.page()
    for name in cli.list_commands(click.Context(cli)):
        assert f"## ccproxy {name}\n" in page
        assert f"Usage: ccproxy {name}" in page
