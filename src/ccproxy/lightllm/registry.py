"""Finds dialects: the folders beside this file, and entry points of the group `ccproxy.dialects`.

A dialect is imported when it is first asked for; knowing the names imports nothing. A folder's name is its dialect's.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

from ccproxy.errors import ConfigError
from ccproxy.lightllm.dialect import Dialect

#: Where other distributions announce a dialect: `name = package.module` whose `DIALECT` is the value.
ENTRY_POINTS = "ccproxy.dialects"

_HERE = "ccproxy.lightllm.dialects"


class Registry:
    """The dialects of this installation.

    Args:
        further: dialects to know beside those that are found, for tests and embedding.
    """

    __slots__ = ("_further", "_known")

    def __init__(self, *further: Dialect) -> None:
        self._known: dict[str, Dialect] = {dialect.name: dialect for dialect in further}
        self._further: dict[str, str] | None = None

    def names(self) -> list[str]:
        """Every dialect's name, sorted."""
        return sorted({*_folders(), *self._known, *self._entry_points()})

    def get(self, name: str) -> Dialect:
        """The dialect called `name`. Raises ConfigError when there is none, or when it cannot be used."""
        if name in self._known:
            return self._known[name]
        if name in _folders():
            module = f"{_HERE}.{name}"
        elif name in self._entry_points():
            module = self._entry_points()[name]
        else:
            raise ConfigError(f"there is no dialect {name!r}", hint=f"there are: {', '.join(self.names())}")
        found = getattr(importlib.import_module(module), "DIALECT", None)
        if not isinstance(found, Dialect) or found.name != name:
            raise ConfigError(f"the module {module} does not define the dialect {name!r}")
        self._known[name] = found
        return found

    def __contains__(self, name: str) -> bool:
        return name in self._known or name in _folders() or name in self._entry_points()

    def __iter__(self) -> Iterator[Dialect]:
        """Every dialect, imported."""
        return iter([self.get(name) for name in self.names()])

    def _entry_points(self) -> dict[str, str]:
        if self._further is None:
            from importlib.metadata import entry_points

            self._further = {point.name: point.value for point in entry_points(group=ENTRY_POINTS)}
        return self._further


def _folders() -> list[str]:
    here = Path(__file__).parent / "dialects"
    return [path.parent.name for path in here.glob("*/__init__.py")]
