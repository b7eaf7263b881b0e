"""What must hold of the repository as a whole: its files, its locks, its wheel, and a test file for every source file."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "ccproxy"
TESTS = ROOT / "tests"

#: Source files with behaviour that another file's tests hold, and which.
TESTED_ELSEWHERE = {
    "__main__.py": "tests/cli/test_main.py",
    # What the writer's thread does inside a transaction.
    "flows/insert.py": "tests/flows/test_sqlite.py",
    "flows/lookup.py": "tests/flows/test_query.py",
    "flows/writer.py": "tests/flows/test_sqlite.py",
    # What happens inside a jail is seen from outside, by commands that really run in one.
    "jail/helper.py": "tests/jail/test_launch.py",
    "jail/mounts.py": "tests/jail/test_launch.py",
    "jail/namespace.py": "tests/jail/test_launch.py",
    "jail/network.py": "tests/jail/test_launch.py",
    "jail/relay.py": "tests/jail/test_launch.py",
    "jail/syscalls.py": "tests/jail/test_launch.py",
    # The addons and ways in of one process, which is tested as a whole.
    "interceptor/gatekeeper.py": "tests/interceptor/test_process.py",
    "interceptor/scribe.py": "tests/interceptor/test_process.py",
    "interceptor/ways.py": "tests/interceptor/test_process.py",
    # The first commands on flows, as a user runs them.
    "cli/commands/flows/clear.py": "tests/cli/commands/test_flows.py",
    "cli/commands/flows/compare.py": "tests/cli/commands/test_flows.py",
    "cli/commands/flows/list.py": "tests/cli/commands/test_flows.py",
    "cli/commands/flows/show.py": "tests/cli/commands/test_flows.py",
    "cli/flowset.py": "tests/cli/commands/test_flows.py",
    # Its leases are what `run --inspect` gets.
    "cli/jailed.py": "tests/jail/test_launch.py",
    # The parts of one translator, which is tested as a whole.
    "lightllm/schema_rules.py": "tests/lightllm/test_schema.py",
    "lightllm/schema_walk.py": "tests/lightllm/test_schema.py",
}

#: Folders that tools make.
_MADE = {
    ".git",
    ".venv",
    ".cache",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".hypothesis",
    ".import_linter_cache",
}
_MADE |= {"__pycache__", "build", "dist", "node_modules"}


@cache
def project_files() -> list[Path]:
    """The files of the project: what git knows of or would add, or, in a copy without git, what is not made by tools."""
    if (ROOT / ".git").exists() and shutil.which("git"):
        listing = subprocess.run(
            ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            check=True,
            capture_output=True,
        ).stdout.decode()
        found = [ROOT / name for name in listing.split("\0") if name]
    else:
        found = [path for path in ROOT.rglob("*") if not _MADE & set(path.relative_to(ROOT).parts)]
    return sorted(path for path in found if path.is_file())


def text_of(path: Path) -> str:
    """The content of a text file, "" of a binary one."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def modules(*folders: str) -> list[Path]:
    """The Python files of these top-level folders."""
    return [path for path in project_files() if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in folders]


def nothing(offenders: list[str]) -> None:
    """Fails with all offenders, one a line."""
    assert not offenders, "\n" + "\n".join(offenders)


def offending_lines(pattern: re.Pattern[str], files: list[Path]) -> list[str]:
    return [
        f"{relative(path)}:{number}: {line.strip()[:100]}"
        for path in files
        for number, line in enumerate(text_of(path).splitlines(), 1)
        if pattern.search(line)
    ]


class TestFiles:
    def test_no_paths_of_a_machine(self) -> None:
        # Written in pieces, so that this file is none of the offenders.
        machine = re.compile("/" + "work/|/" + r"root/|/home/(?!linuxbrew)\w|/Users/\w|/" + r"tmp/\w+/(bin|lib)\b")
        examples = {TESTS / "fixtures", TESTS / "captures"}
        files = [path for path in project_files() if not examples & set(path.parents)]

        nothing(offending_lines(machine, files))

    def test_no_open_ends(self) -> None:
        marks = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")

        nothing(offending_lines(marks, modules("src", "tests", "bench", "tools")))

    def test_every_module_says_what_it_is_for(self) -> None:
        silent = [
            relative(path)
            for path in modules("src", "bench", "tools")
            if not ast.get_docstring(ast.parse(text_of(path))) and text_of(path).strip()
        ]

        nothing(silent)

    def test_long_files_say_why(self) -> None:
        unexplained = [
            f"{relative(path)} has {lines} lines and no sentence `Long because ...` at its head"
            for path in modules("src")
            if (lines := len(text_of(path).splitlines())) > 500
            and "Long because" not in (ast.get_docstring(ast.parse(text_of(path))) or "")
        ]

        nothing(unexplained)

    def test_packages_hand_names_on_and_define_nothing(self) -> None:
        allowed_names = {"__all__", "__version__"}

        def defines(statement: ast.stmt) -> bool:
            if isinstance(statement, ast.Import | ast.ImportFrom):
                return False
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                return False
            targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
            return not all(isinstance(target, ast.Name) and target.id in allowed_names for target in targets)

        offenders = [
            f"{relative(path)}:{statement.lineno}"
            for path in modules("src")
            if path.name == "__init__.py"
            for statement in ast.parse(text_of(path)).body
            if defines(statement)
        ]

        nothing(offenders)

    def test_licence_is_the_agpl(self) -> None:
        lines = text_of(ROOT / "LICENSE").splitlines()

        assert lines[0].strip() == "GNU AFFERO GENERAL PUBLIC LICENSE"
        assert lines[1].strip() == "Version 3, 19 November 2007"
        assert "How to Apply These Terms to Your New Programs" in text_of(ROOT / "LICENSE")
        assert len(lines) == 661

    def test_readme_shows_the_two_commands(self) -> None:
        readme = text_of(ROOT / "README.md")

        assert "make run" in readme
        assert "make test" in readme

    def test_scripts_can_be_run(self) -> None:
        scripts = [ROOT / ".ci" / "run", *(ROOT / "tools").glob("*.sh")]

        assert [relative(path) for path in scripts if not path.stat().st_mode & 0o100] == []


def has_behaviour(path: Path) -> bool:
    """Whether a module defines a function that does something; declarations (models, protocols) need no test."""

    def does_something(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
        return not all(isinstance(line, ast.Pass | ast.Expr) and not calls(line) for line in function.body)

    def calls(node: ast.AST) -> bool:
        return any(isinstance(inner, ast.Call | ast.Await | ast.Yield | ast.YieldFrom) for inner in ast.walk(node))

    tree = ast.parse(text_of(path))
    return any(
        does_something(node) for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def expected_tests(path: Path) -> list[Path]:
    """Where the test of a source file may be: `a/b/c.py` has it in tests/a/b/test_c.py or tests/a/test_c.py, or,
    if `a` alone would be ambiguous, in tests/a/test_b_c.py."""
    *folders, name = path.relative_to(SOURCE).parts
    if name == "__init__.py":
        return []
    tests = TESTS.joinpath(*folders) / f"test_{name}"
    if len(folders) < 2:
        return [tests]
    found = [tests, TESTS / folders[0] / f"test_{name}", TESTS / folders[0] / f"test_{'_'.join(folders[1:])}_{name}"]
    if folders[:2] == ["lightllm", "dialects"]:
        # A dialect is one value: its parts are tested together, by the laws, the golden cases and what is its own.
        found += (TESTS / "lightllm" / "dialects").glob(f"test_{folders[2]}_*.py")
    return found


class TestTests:
    def test_every_source_file_has_its_test_file(self) -> None:
        missing = [
            f"{relative(path)} needs {relative(candidates[0])}"
            for path in modules("src")
            if (candidates := expected_tests(path))
            and path.relative_to(SOURCE).as_posix() not in TESTED_ELSEWHERE
            and has_behaviour(path)
            and not any(candidate.exists() for candidate in candidates)
        ]

        nothing(missing)

    def test_exceptions_are_needed_and_true(self) -> None:
        assert [name for name in TESTED_ELSEWHERE if not (SOURCE / name).exists()] == []
        assert [tests for tests in TESTED_ELSEWHERE.values() if not (ROOT / tests).exists()] == []
        assert [name for name in TESTED_ELSEWHERE if any(test.exists() for test in expected_tests(SOURCE / name))] == []

    def test_a_declaration_needs_no_test_and_a_function_does(self, tmp_path: Path) -> None:
        declaration = tmp_path / "declaration.py"
        declaration.write_text('class A:\n    x: int\n\n    def f(self) -> int:\n        """Says it."""\n        ...\n')
        behaviour = tmp_path / "behaviour.py"
        behaviour.write_text("def f(x: int) -> int:\n    return x\n")

        assert not has_behaviour(declaration)
        assert has_behaviour(behaviour)


@cache
def project() -> dict[str, Any]:
    return tomllib.loads(text_of(ROOT / "pyproject.toml"))


def locked(name: str) -> dict[str, Version]:
    """The packages and versions of a lock file."""
    pins = re.findall(r"^([a-z0-9._-]+)==([^\s;\\]+)", text_of(ROOT / name), flags=re.MULTILINE)
    return {package: Version(version) for package, version in pins}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


RUNTIME = "requirements.lock"
DEVELOPMENT = "requirements-dev.lock"


class TestDependencies:
    def test_each_has_a_floor_and_a_cap(self) -> None:
        declared = [*project()["project"]["dependencies"], *project()["dependency-groups"]["dev"]]
        declared += project()["build-system"]["requires"]
        # Calendar versions: a year says nothing of compatibility.
        uncapped = {"certifi"}

        open_ended = [
            text
            for text in declared
            if not any(bound.operator in {">=", "=="} for bound in Requirement(text).specifier)
            or (
                not any(bound.operator in {"<", "=="} for bound in Requirement(text).specifier)
                and Requirement(text).name not in uncapped
            )
        ]

        nothing(open_ended)

    @pytest.mark.parametrize(
        ("lock", "declared"),
        [
            (RUNTIME, lambda: project()["project"]["dependencies"] + project()["build-system"]["requires"]),
            (DEVELOPMENT, lambda: project()["project"]["dependencies"] + project()["dependency-groups"]["dev"]),
        ],
    )
    def test_the_lock_satisfies_the_project(self, lock: str, declared: Any) -> None:
        pins = locked(lock)
        requirements = [Requirement(text) for text in declared()]

        unsatisfied = [
            f"{requirement} but {lock} has {pins.get(canonical(requirement.name))}: run `make lock`"
            for requirement in requirements
            if canonical(requirement.name) not in pins
            or not requirement.specifier.contains(pins[canonical(requirement.name)])
        ]

        nothing(unsatisfied)

    def test_no_lock_holds_an_address(self) -> None:
        locks = [path for path in project_files() if "lock" in path.name and path.suffix in {".lock", ".json"}]

        assert len(locks) >= 3
        nothing(offending_lines(re.compile(r"https?://"), locks))

    def test_the_development_lock_is_the_runtime_lock_and_more(self) -> None:
        assert locked(RUNTIME).items() <= locked(DEVELOPMENT).items()

    @pytest.mark.parametrize("lock", [RUNTIME, DEVELOPMENT])
    def test_a_lock_holds_hashes_and_no_addresses(self, lock: str) -> None:
        text = text_of(ROOT / lock)
        blocks = re.split(r"^(?=[a-z0-9._-]+==)", text, flags=re.MULTILINE)[1:]

        assert len(blocks) == len(locked(lock))
        assert [block.split("\n")[0] for block in blocks if "--hash=sha256:" not in block] == []
        assert re.findall(r"\S*(?:://|--index|--find-links|\bfile:|@ )\S*", text) == []


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The names in a wheel that is built from the project's files, by the locked backend, without network."""
    copy = tmp_path_factory.mktemp("project")
    for path in project_files():
        target = copy / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel"], cwd=copy, check=True, capture_output=True
    )
    [wheel] = (copy / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


class TestWheel:
    def test_it_holds_the_package_and_nothing_else(self, wheel_names: list[str]) -> None:
        assert {name.split("/")[0].partition("-")[0] for name in wheel_names} == {"ccproxy", "ai_ccproxy"}
        assert "ccproxy/py.typed" in wheel_names
        assert "ccproxy/cli/main.py" in wheel_names
        assert "ccproxy/inspector/static/index.html" in wheel_names
        assert [name for name in wheel_names if "__pycache__" in name or "/test_" in name or "conftest" in name] == []

    def test_it_holds_the_licence_and_the_command(self, wheel_names: list[str]) -> None:
        assert any(name.endswith(".dist-info/licenses/LICENSE") for name in wheel_names)
        assert any(name.endswith(".dist-info/entry_points.txt") for name in wheel_names)
