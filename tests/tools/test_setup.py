"""`make run` and `make test` on machines of all kinds: the scripts are run with made-up interpreters and a made-up uv."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"
REAL = Path(sys.executable).resolve()


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def interpreter(path: Path, prelude: str = "") -> Path:
    """A Python at `path`; `prelude` runs before what it is asked to run and may make it look like another."""
    return script(path, f'[ "$1" = -I ] && shift\nshift\nexec "{REAL}" -I -c "{prelude}\n$1"')


TOO_OLD = "import sys; sys.version_info = (3, 9, 2, 'final', 0)"
NO_ENSUREPIP = "import importlib.util; find = importlib.util.find_spec; importlib.util.find_spec = lambda name: None if name == 'ensurepip' else find(name)"


class TestFindingPython:
    @pytest.fixture
    def find(self, tmp_path: Path) -> Finder:
        return Finder(tmp_path)

    def test_a_shim_that_points_nowhere_and_an_old_one_are_passed_over(self, find: Finder) -> None:
        script(find.folder("shims") / "python3.13", "echo 'pyenv: python3.13: command not found' >&2; exit 127")
        interpreter(find.folder("old") / "python3.13", TOO_OLD)
        interpreter(find.folder("good") / "python3.13")

        result = find()

        assert result.returncode == 0, result.stderr
        assert Path(result.stdout.strip()).resolve() == REAL

    def test_a_version_of_pyenv_is_found_without_pyenv_on_path(self, find: Finder) -> None:
        marked = f"import sys; sys._base_executable = '{find.home}/mine'"
        interpreter(find.home / ".pyenv" / "versions" / "3.13.99" / "bin" / "python3", marked)

        result = find()

        assert result.returncode == 0, result.stderr
        assert result.stdout.strip() == f"{find.home}/mine"

    def test_a_path_with_spaces_is_no_problem(self, find: Finder) -> None:
        interpreter(find.folder("with a space") / "python3.13")

        assert find().returncode == 0

    def test_the_given_one_must_fit(self, find: Finder, tmp_path: Path) -> None:
        old = interpreter(tmp_path / "old", TOO_OLD)

        result = find(PYTHON=str(old))

        assert result.returncode == 1
        assert result.stderr == f"ccproxy: PYTHON={old} is not a CPython >= 3.13\n"

    def test_without_ensurepip_it_will_do_for_uv_only(self, find: Finder, tmp_path: Path) -> None:
        incomplete = interpreter(tmp_path / "incomplete", NO_ENSUREPIP)

        alone = find(PYTHON=str(incomplete))
        with_uv = find("bare", PYTHON=str(incomplete))

        assert alone.returncode == 1
        assert "venv and ensurepip" in alone.stderr
        assert with_uv.returncode == 0


@dataclass
class Finder:
    """Runs tools/python.sh with a PATH of made-up folders, a home of its own, and nothing else."""

    base: Path
    path: list[Path] = field(default_factory=list)

    @property
    def home(self) -> Path:
        return self.base / "home"

    def folder(self, name: str) -> Path:
        """A folder at the end of PATH."""
        self.path.append(self.base / name)
        return self.path[-1]

    def __call__(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join(map(str, self.path))
        return subprocess.run(
            ["/bin/sh", str(TOOLS / "python.sh"), *arguments],
            env={"PATH": path, "HOME": str(self.home), **variables},
            capture_output=True,
            text=True,
            check=False,
        )


# Makes an environment that only has a Python, notes every other call, and fails when told to.
FAKE_UV = f"""
echo "$*" >> "$CALLS"
[ -z "${{UV_FAILS:-}}" ] || exit 1
case $1 in venv) mkdir -p .venv/bin; ln -s "{REAL}" .venv/bin/python ;; esac
"""


@dataclass
class Checkout:
    """A copy of what tools/setup.sh works on, with a uv that installs nothing."""

    root: Path
    base: Path

    def setup(self, kind: str, **variables: str) -> list[str]:
        """Runs tools/setup.sh and returns the calls of uv."""
        calls = self.base / "calls"
        calls.unlink(missing_ok=True)
        path = f"{self.base / 'bin'}:/usr/bin:/bin"
        environment = {"PATH": path, "HOME": str(self.base), "CALLS": str(calls), "PYTHON": str(REAL), **variables}
        self.result = subprocess.run(
            ["sh", str(self.root / "tools" / "setup.sh"), kind],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return calls.read_text().splitlines() if calls.exists() else []


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    root = tmp_path / "a check out"
    (root / "tools").mkdir(parents=True)
    for name in ("python.sh", "setup.sh"):
        shutil.copy(TOOLS / name, root / "tools" / name)
    for name in ("pyproject.toml", "requirements.lock", "requirements-dev.lock"):
        (root / name).write_text(f"{name}\n")
    script(tmp_path / "bin" / "uv", FAKE_UV)
    return Checkout(root, tmp_path)


class TestSetup:
    def test_the_first_time_installs_by_hash_and_the_project_offline(self, checkout: Checkout) -> None:
        calls = checkout.setup("run")

        assert checkout.result.returncode == 0, checkout.result.stderr
        assert [call.split()[:2] for call in calls] == [["venv", "--quiet"], ["pip", "install"], ["pip", "install"]]
        assert "--require-hashes --requirements requirements.lock" in calls[1]
        assert "--offline" in calls[2]
        assert "--editable" in calls[2]

    def test_the_second_time_does_and_says_nothing(self, checkout: Checkout) -> None:
        checkout.setup("run")

        assert checkout.setup("run", UV_FAILS="1") == []
        assert checkout.result.returncode == 0
        assert checkout.result.stdout == ""

    def test_development_is_more_than_running(self, checkout: Checkout) -> None:
        checkout.setup("run")

        assert "requirements-dev.lock" in checkout.setup("dev")[0]
        assert checkout.setup("run") == []
        assert checkout.setup("dev") == []

    @pytest.mark.parametrize("changed", ["requirements-dev.lock", "requirements.lock", "pyproject.toml"])
    def test_a_changed_input_is_installed_again_in_place(self, checkout: Checkout, changed: str) -> None:
        checkout.setup("dev")
        (checkout.root / changed).write_text("other\n")

        assert [call.split()[0] for call in checkout.setup("dev")] == ["pip", "pip"]
        assert checkout.setup("dev") == []

    def test_a_moved_checkout_gets_a_new_environment(self, checkout: Checkout) -> None:
        checkout.setup("run")
        checkout.root = checkout.root.rename(checkout.base / "moved")

        assert checkout.setup("run")[0].startswith("venv")
        assert checkout.setup("run") == []

    def test_a_vanished_interpreter_gets_a_new_environment(self, checkout: Checkout) -> None:
        checkout.setup("run")
        (checkout.root / ".venv" / "bin" / "python").unlink()
        (checkout.root / ".venv" / "bin" / "python").symlink_to("/nonexistent")

        assert checkout.setup("run")[0].startswith("venv")

    def test_a_failed_installation_is_said_and_tried_again(self, checkout: Checkout) -> None:
        checkout.setup("run")
        (checkout.root / "requirements.lock").write_text("other\n")

        checkout.setup("run", UV_FAILS="1")

        assert checkout.result.returncode == 1
        assert "requirements.lock could not be installed" in checkout.result.stderr
        assert checkout.setup("run") != []

    def test_a_kind_that_does_not_exist_is_refused(self, checkout: Checkout) -> None:
        checkout.setup("prod")

        assert checkout.result.returncode == 2
