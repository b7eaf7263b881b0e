"""A click group whose commands are the modules of a folder, imported when they are invoked.

The help of a tool used hundreds of times a day must not cost the import of a proxy: a group's help reads the first line
of each module's docstring from its source. A folder with an `__init__.py` is a command too, usually a group of its own.
Names that begin with "_" are no commands.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem


class LazyGroup(click.Group):
    """The commands of a package: each module or package in it is named after its command and defines `command`.

    Args:
        package: its dotted name.
        directory: where its files are.
    """

    def __init__(self, *args: Any, package: str, directory: Path, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._package = package
        self._directory = directory

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self._sources())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._sources():
            return None
        name = f"{self._package}.{cmd_name.replace('-', '_')}"
        command = importlib.import_module(name).command
        assert isinstance(command, click.Command), f"{name} defines no command"
        return command

    def short_helps(self, ctx: click.Context) -> list[tuple[str, str]]:
        """Each command's name and its one line of help."""
        return [(name, _first_line(source)) for name, source in sorted(self._sources().items())]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(self.short_helps(ctx))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        commands = [
            CompletionItem(name, help=line) for name, line in self.short_helps(ctx) if name.startswith(incomplete)
        ]
        # Options of the group itself; click's own method would import every command to complete a name.
        return [*commands, *click.Command.shell_complete(self, ctx, incomplete)]

    def _sources(self) -> dict[str, Path]:
        """The file that documents each command."""
        named = {file.stem: file for file in self._directory.glob("*.py")}
        named |= {file.parent.name: file for file in self._directory.glob("*/__init__.py")}
        return {name.replace("_", "-"): file for name, file in named.items() if not name.startswith("_")}


def _first_line(source: Path) -> str:
    """The first line of a module's docstring, read without importing it."""
    with source.open(encoding="utf-8") as file:
        return file.readline().strip().removeprefix('"""').removesuffix('"""').strip()
