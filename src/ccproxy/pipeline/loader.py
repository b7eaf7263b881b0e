"""Finding hooks by what the configuration calls them.

| form | what |
| --- | --- |
| `ccproxy.hooks.inject_auth`, `my_package.hooks.route` | a hook in a module, or a module with one hook in it |
| `./my_hook.py`, `~/hooks/route.py`, `./my_hooks.py:route` | a file, relative to the configuration's directory |
| `set_model`, `their_hook` | a built-in hook, or one that an installed package announces (entry points `ccproxy.hooks`) |

A file is read anew each time, so that a reload takes its changes over; modules are those that Python has imported.
Whatever goes wrong in somebody else's module is a ConfigError with file and line.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.machinery import SourceFileLoader
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

from ccproxy.errors import ConfigError
from ccproxy.pipeline.hook import Hook
from ccproxy.pipeline.problems import described

#: Where other distributions announce hooks: `name = package.module:hook`.
ENTRY_POINTS = "ccproxy.hooks"
#: The built-in ones: a module each, whose hook has its name.
BUILT_IN = "ccproxy.hooks"


@dataclass(frozen=True, slots=True)
class Found:
    """A hook and where it is from: `built-in`, `module NAME`, `file PATH` or `package NAME`."""

    hook: Hook
    origin: str


class _Source(SourceFileLoader):
    """Reads the source and nothing that was compiled before, as two edits within a second look alike to the cache."""

    def path_stats(self, path: str) -> dict[str, float]:
        raise OSError


class Loader:
    """Loads hooks.

    Args:
        base: the directory that relative files are looked for in.
    """

    def __init__(self, base: Path) -> None:
        self._base = base
        #: The files that hooks were loaded from, to be watched.
        self.files: set[Path] = set()

    def load(self, spec: str) -> Found:
        """The hook that `spec` names. Raises ConfigError."""
        if is_file(spec):
            return self._from_file(spec)
        if "." in spec:
            return self._from_module(spec)
        return self._by_name(spec)

    def load_all(self, path: Path) -> list[tuple[str, Hook]]:
        """Every hook in a file, by the names they have in it. Raises ConfigError where there is none."""
        path = (self._base / path.expanduser()).resolve()
        self.files.add(path)
        if not path.is_file():
            raise ConfigError(f"there is no file {path}", hint=f"`ccproxy hooks new {path.stem}` writes one")
        found = list(_hooks_of(_run(path)))
        if not found:
            raise ConfigError(f"{path} has no hook in it", hint="put @hook(…) above its function")
        return found

    def _from_file(self, spec: str) -> Found:
        name = ""
        if not spec.endswith(".py"):
            spec, _, name = spec.rpartition(":")
        path = (self._base / Path(spec).expanduser()).resolve()
        self.files.add(path)
        if not path.is_file():
            raise ConfigError(f"there is no file {path}", hint=f"`ccproxy hooks new {path.stem}` writes one")
        module = _run(path)
        return Found(_pick(module, name or None, str(path)), f"file {path}")

    def _from_module(self, spec: str) -> Found:
        module, rest = _import(spec)
        if module.__name__ == BUILT_IN:
            near = get_close_matches(rest, built_in(), 1)
            raise ConfigError(
                f"there is no hook {spec}",
                hint=f"did you mean {BUILT_IN}.{near[0]}?" if near else "`ccproxy hooks list` shows those there are",
            )
        origin = "built-in" if module.__name__.startswith(f"{BUILT_IN}.") else f"module {module.__name__}"
        if not rest:
            return Found(_pick(module, None, module.__name__), origin)
        return Found(_pick(module, rest, module.__name__), origin)

    def _by_name(self, spec: str) -> Found:
        if spec in built_in():
            return self._from_module(f"{BUILT_IN}.{spec}")
        if (point := announced().get(spec)) is not None:
            return _from_entry_point(point)
        names = [*built_in(), *announced()]
        near = get_close_matches(spec, names, 1)
        raise ConfigError(
            f"there is no hook {spec!r}",
            hint=f"did you mean {near[0]!r}?" if near else "`ccproxy hooks list` shows those there are",
        )


def is_file(spec: str) -> bool:
    """Whether a hook is named by its file."""
    return "/" in spec or spec.endswith(".py") or ".py:" in spec


def built_in() -> list[str]:
    """Names of the built-in hooks."""
    return sorted(module.name for module in pkgutil.iter_modules(importlib.import_module(BUILT_IN).__path__))


def announced() -> dict[str, EntryPoint]:
    """Hooks that installed packages announce, by name."""
    return {point.name: point for point in entry_points(group=ENTRY_POINTS)}


def _from_entry_point(point: EntryPoint) -> Found:
    package = point.dist.name if point.dist is not None else point.module
    try:
        found = point.load()
    except (Exception, SystemExit) as error:
        raise ConfigError(f"the hook {point.name!r} of {package} cannot be loaded: {described(error)}") from error
    if isinstance(found, ModuleType):
        found = _pick(found, None, found.__name__)
    if not isinstance(found, Hook):
        raise ConfigError(f"what {package} announces as the hook {point.name!r} is none")
    return Found(found, f"package {package}")


def _import(spec: str) -> tuple[ModuleType, str]:
    """The module that a dotted path goes through, and what follows it: at most one name."""
    path, _, last = spec.rpartition(".")
    for name, rest in ((spec, ""), (path, last)):
        try:
            return importlib.import_module(name), rest
        except ModuleNotFoundError as error:
            # Of the path itself; a module that it needs and that is missing is another matter.
            if error.name is None or not (name == error.name or name.startswith(f"{error.name}.")):
                raise ConfigError(f"{name} cannot be imported: {described(error)}") from error
        except (Exception, SystemExit) as error:
            raise ConfigError(f"{name} cannot be imported: {described(error)}") from error
    raise ConfigError(f"there is no module {path}", hint="is its package installed beside ccproxy?")


def _run(path: Path) -> ModuleType:
    """A module from a file, under a name of its own."""
    digest = hashlib.sha256(str(path).encode()).hexdigest()[:8]
    name = f"ccproxy_hook_file_{digest}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path, loader=_Source(name, str(path)))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(name)
    sys.modules[name] = module  # types look their annotations up there
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        if before is None:
            del sys.modules[name]
        else:
            sys.modules[name] = before
        raise ConfigError(f"{path} cannot be loaded: {described(error)}") from error
    return module


def _pick(module: ModuleType, name: str | None, where: str) -> Hook:
    """The hook of a module: the one named, or the one that has the module's name, or the only one."""
    own = list(_hooks_of(module))
    if name is None:
        last = module.__name__.rpartition(".")[2]
        named = [hook for attribute, hook in own if attribute == last]
        chosen = named or [hook for _, hook in own]
        if len(chosen) == 1:
            return chosen[0]
        if not chosen:
            raise ConfigError(f"{where} has no hook in it", hint="put @hook(…) above its function")
        names = ", ".join(attribute for attribute, _ in own)
        separator = ":" if where.endswith(".py") else "."
        raise ConfigError(f"{where} has several hooks: {names}", hint=f"name one: {where}{separator}{own[0][0]}")
    found = getattr(module, name, None)
    if isinstance(found, Hook):
        return found
    if callable(found):
        raise ConfigError(f"{name} in {where} is a function and no hook", hint="put @hook(…) above it")
    near = get_close_matches(name, [attribute for attribute, _ in own], 1)
    raise ConfigError(f"{where} has no hook {name!r}", hint=f"did you mean {near[0]!r}?" if near else "")


def _hooks_of(module: ModuleType) -> Iterator[tuple[str, Hook]]:
    """The hooks that a module defines, by the names they have in it."""
    for attribute, value in vars(module).items():
        if isinstance(value, Hook) and getattr(value.function, "__module__", "") == module.__name__:
            yield attribute, value
