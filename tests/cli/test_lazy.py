"""Groups made of a folder's modules: what they name, and that naming imports nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from ccproxy.cli.lazy import LazyGroup

COMMAND = '''"""{line}"""

import click


@click.command()
def command():
    click.echo("{line}")
'''


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LazyGroup:
    folder = tmp_path / "lazy_sample"
    (folder / "deep").mkdir(parents=True)
    (folder / "__init__.py").write_text('"""The package."""\n')
    (folder / "two_words.py").write_text(COMMAND.format(line="A module."))
    (folder / "deep" / "__init__.py").write_text(COMMAND.format(line="A package."))
    (folder / "_shared.py").write_text('"""No command."""\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [name for name in sys.modules if name.startswith("lazy_sample")]:
        monkeypatch.delitem(sys.modules, name)
    return LazyGroup("sample", package="lazy_sample", directory=folder)


def test_help_names_modules_and_packages_without_importing_them(group: LazyGroup) -> None:
    text = CliRunner().invoke(group, ["--help"]).output
    assert "two-words  A module." in text
    assert "deep       A package." in text
    assert "shared" not in text and "init" not in text
    assert "lazy_sample.two_words" not in sys.modules and "lazy_sample.deep" not in sys.modules


def test_a_command_is_imported_when_it_runs(group: LazyGroup) -> None:
    assert CliRunner().invoke(group, ["two-words"]).output == "A module.\n"
    assert CliRunner().invoke(group, ["deep"]).output == "A package.\n"
    assert "lazy_sample.two_words" in sys.modules


def test_what_is_no_command_is_not_found(group: LazyGroup) -> None:
    context = click.Context(group)
    assert group.get_command(context, "shared") is None
    assert group.get_command(context, "../escape") is None


def test_completion_offers_names_with_their_line(group: LazyGroup) -> None:
    items = group.shell_complete(click.Context(group), "tw")
    assert [(item.value, item.help) for item in items] == [("two-words", "A module.")]
