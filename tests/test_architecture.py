"""The laws of the architecture that a program can check: layers, no hidden state, no swallowed errors, light imports.

Each law has a function that finds offences in source text, and a test that the function finds a planted one.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "ccproxy"

#: Where `except Exception` may stand: the boundaries at which an unforeseen error must not end more than its own
#: connection, task or command, and is logged or handed on.
BOUNDARIES = {
    "cli/main.py": "the command line",
    "config/watch.py": "a background task: the watching goes on",
    "egress/upload.py": "a background task: the error goes to who waits for the answer",
    "flows/insert.py": "the recording thread: one odd flow",
    "flows/recorder.py": "several exchanges at once: the error goes to who waits for its own",
    "flows/writer.py": "the recording thread: one odd flow",
    "gateway/handler.py": "an exchange",
    "gateway/websocket.py": "an exchange",
    "inspector/pages.py": "a request for the page",
    "pipeline/answers.py": "a hook's callback: the hook's choice decides what becomes of the answer",
    "pipeline/runner.py": "a hook: its choice decides what becomes of the request",
    "telemetry/logging.py": "a broken log call must not break who logs",
    "testing/connection.py": "a test's own handler: the error goes to the test",
    "testing/site.py": "a test's own handler: the error goes to the test",
    "testing/threaded.py": "a thread: the error goes to who waits for it",
}

#: What no command may load before it knows that it needs it. `ccproxy --help` has 150 ms in all.
HEAVY = {
    "aiohttp",
    "asyncio",
    "jq",
    "msgspec",
    "psutil",
    "rich",
    "sqlite3",
    "ssl",
    "uvicorn",
    "uvloop",
    "websockets",
    "yaml",
}

#: Names with an underscore that are documented parts of the standard library.
PUBLIC_ALL_THE_SAME = {"os._exit", "sys._getframe"}

_MUTABLE_CALLS = {
    "dict",
    "list",
    "set",
    "bytearray",
    "defaultdict",
    "OrderedDict",
    "Counter",
    "deque",
    "WeakValueDictionary",
}

type Finder = Callable[[ast.Module], Iterator[tuple[int, str]]]


def mutable_state(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Module-level dicts, lists and sets that are not constants by their name, and every `global`."""
    for statement in tree.body:
        match statement:
            case ast.Assign(targets=targets, value=value):
                names = [target.id for target in targets if isinstance(target, ast.Name)]
            case ast.AnnAssign(target=ast.Name(id=name), value=value) if value is not None:
                names = [name]
            case _:
                continue
        if not _is_mutable(value):
            continue
        for name in names:
            if name != name.upper() and name != "__all__":
                yield statement.lineno, f"module-level state `{name}`"
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            yield node.lineno, f"`global {', '.join(node.names)}`"


def _is_mutable(value: ast.expr) -> bool:
    match value:
        case ast.Dict() | ast.List() | ast.Set() | ast.DictComp() | ast.ListComp() | ast.SetComp():
            return True
        case ast.Call(func=ast.Name(id=name)) | ast.Call(func=ast.Attribute(attr=name)):
            return name in _MUTABLE_CALLS
    return False


def broad_excepts(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """`except:`, `except Exception` and `except BaseException` that do not end by raising."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.ExceptHandler):
            continue
        caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        names = {one.id if isinstance(one, ast.Name) else "" for one in caught}
        broad = node.type is None or names & {"Exception", "BaseException"}
        if broad and not isinstance(node.body[-1], ast.Raise):
            yield node.lineno, "a broad except"


def private_names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Names with a leading underscore taken from another package."""
    modules: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {(alias.asname or alias.name.partition(".")[0]): alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.module.startswith("ccproxy"):
            for name in [*node.module.split("."), *(alias.name for alias in node.names)]:
                if name.startswith("_") and name != "__future__":
                    yield node.lineno, f"`{node.module}.{name}`"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            private = node.attr.startswith("_") and not node.attr.endswith("__")
            name = f"{node.value.id}.{node.attr}"
            if private and name not in PUBLIC_ALL_THE_SAME:
                yield node.lineno, f"`{name}`"


def sleeps(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """`time.sleep`, and `asyncio.sleep` for longer than a step of waiting for a condition."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="time"), attr="sleep")):
                yield node.lineno, "time.sleep"
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="asyncio"), attr="sleep"), args=[ast.Constant(value=value)]
            ):
                if isinstance(value, int | float) and 0.05 < value < 60:
                    yield node.lineno, f"asyncio.sleep({value})"


def offences(finder: Finder, folder: Path, allowed: dict[str, str] | None = None) -> str:
    """What a finder finds in a folder, one offence a line, "" if nothing."""
    return "\n".join(
        f"{path.relative_to(ROOT).as_posix()}:{line}: {what}"
        for path in sorted(folder.rglob("*.py"))
        if path.relative_to(folder).as_posix() not in (allowed or {})
        for line, what in finder(ast.parse(path.read_text(encoding="utf-8")))
    )


def test_packages_import_only_what_is_below_them() -> None:
    linter = Path(sys.executable).with_name("lint-imports")

    result = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stdout + result.stderr


def test_no_state_hides_in_modules() -> None:
    assert offences(mutable_state, SOURCE) == ""


def test_errors_are_swallowed_nowhere() -> None:
    assert offences(broad_excepts, SOURCE, BOUNDARIES) == ""


def test_boundaries_exist() -> None:
    unused = [name for name in BOUNDARIES if not list(broad_excepts(ast.parse((SOURCE / name).read_text())))]

    assert unused == []


def test_other_packages_are_used_by_their_public_names() -> None:
    assert offences(private_names, SOURCE) == ""


def test_tests_do_not_sleep() -> None:
    assert offences(sleeps, ROOT / "tests") == ""


@pytest.mark.parametrize(
    ("finder", "planted"),
    [
        (mutable_state, "cache = {}"),
        (mutable_state, "_seen: set[str] = set()"),
        (mutable_state, "def f():\n    global x\n    x = 1"),
        (broad_excepts, "try:\n    f()\nexcept Exception:\n    pass"),
        (broad_excepts, "try:\n    f()\nexcept (ValueError, BaseException) as error:\n    log(error)"),
        (broad_excepts, "try:\n    f()\nexcept:\n    pass"),
        (private_names, "from aiohttp._http import x"),
        (private_names, "import asyncio\nasyncio._get_running_loop()"),
        (sleeps, "import time\ntime.sleep(1)"),
        (sleeps, "import asyncio\nasync def f():\n    await asyncio.sleep(0.5)"),
    ],
)
def test_an_offence_is_found(finder: Finder, planted: str) -> None:
    assert list(finder(ast.parse(planted)))


@pytest.mark.parametrize(
    ("finder", "innocent"),
    [
        (mutable_state, "NAMES = {'a': 1}\n_KINDS = [1]\n__all__ = ['x']\ndef f():\n    found = []\n    return found"),
        (broad_excepts, "try:\n    f()\nexcept BaseException:\n    undo()\n    raise\nexcept ValueError:\n    pass"),
        (private_names, "from __future__ import annotations\nimport os\nos._exit(1)\nself._x = 1"),
        (sleeps, "import asyncio\nasync def f():\n    await asyncio.sleep(0)\n    await asyncio.sleep(3600)"),
    ],
)
def test_innocence_is_not(finder: Finder, innocent: str) -> None:
    assert not list(finder(ast.parse(innocent)))


def test_the_command_line_loads_nothing_heavy() -> None:
    code = f"import sys; import ccproxy.cli.main; print(*sorted(set(sys.modules) & {HEAVY!r}))"

    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert result.stdout.split() == []
