"""Each dialect's README lists the losses that its code records, and no others."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import ccproxy.lightllm.dialects as package

FOLDERS = sorted(path.parent for path in Path(package.__path__[0]).glob("*/__init__.py"))
KINDS = ("dropped", "approximated", "defaulted", "repaired")


def recorded(folder: Path) -> set[tuple[str, str]]:
    """(name, kind) of each call of the ledger in the folder's code."""
    found: set[tuple[str, str]] = set()
    for file in folder.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in KINDS:
                found.add((_name(node.args[0]), node.func.attr))
    return found


def _name(path: ast.expr) -> str:
    """The last name of a path, as `Loss.name` has it."""
    if isinstance(path, ast.JoinedStr):
        text = "".join(piece.value if isinstance(piece, ast.Constant) else "{}" for piece in path.values)  # type: ignore[misc]
    else:
        assert isinstance(path, ast.Constant), "a loss's path is written out where it is recorded"
        text = path.value  # type: ignore[assignment]
    return str(text).rpartition(".")[2].partition("[")[0]


def documented(folder: Path) -> set[tuple[str, str]]:
    """(name, kind) of each row of the table under `## Losses`."""
    table = (folder / "README.md").read_text().partition("## Losses")[2]
    found: set[tuple[str, str]] = set()
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("| `"):
            found |= {
                (name, kind.strip()) for name in re.findall(r"`([^`]+)`", cells[0]) for kind in cells[1].split(",")
            }
    return found


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_loss_table_is_what_the_code_records(folder: Path) -> None:
    assert documented(folder) == recorded(folder)
