"""Hooks are found by dotted path, file and short name, and what is wrong with them is told in one line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from ccproxy.errors import ConfigError
from ccproxy.pipeline.loader import Loader, announced, built_in, is_file

HOOK = """\
from __future__ import annotations
import msgspec
from ccproxy.hooks import HookContext, hook

class Params(msgspec.Struct):
    names: list[str] = []

@hook(reads=["model"], params=Params)
def {name}(ctx: HookContext, params: Params) -> None:
    "{summary}"
"""

SECOND = """
@hook
def {name}(ctx: HookContext) -> None: ...
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    before = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def refusal(folder: Path, spec: str) -> str:
    with pytest.raises(ConfigError) as caught:
        Loader(folder).load(spec)
    return str(caught.value)


@pytest.mark.parametrize("name", built_in())
def test_every_built_in_hook_has_its_module_s_name(name: str, tmp_path: Path) -> None:
    for spec in (f"ccproxy.hooks.{name}", f"ccproxy.hooks.{name}.{name}", name):
        found = Loader(tmp_path).load(spec)
        assert (found.hook.name, found.origin) == (name, "built-in")
    assert found.hook.summary.endswith(".")


class TestFiles:
    def test_the_only_hook_of_a_file(self, folder: Path) -> None:
        path = write(folder, "mine.py", HOOK.format(name="whatever", summary="Mine."))
        loader = Loader(folder)
        found = loader.load("./mine.py")
        assert (found.hook.name, found.hook.summary, found.origin) == ("whatever", "Mine.", f"file {path}")
        assert found.hook.params is not None
        assert loader.files == {path}

    def test_one_of_several(self, folder: Path) -> None:
        path = write(folder, "two.py", HOOK.format(name="a", summary="") + SECOND.format(name="b"))
        assert Loader(folder).load("./two.py:b").hook.name == "b"
        assert Loader(folder).load(f"{path}:a").hook.name == "a"
        assert "several hooks: a, b" in refusal(folder, "./two.py")
        assert "did you mean 'a'" in refusal(folder, "./two.py:aa")
        write(folder, "two.py", HOOK.format(name="b", summary="") + SECOND.format(name="two"))
        assert "several hooks" in refusal(folder, "./two.py")

    def test_an_edit_is_seen_at_once(self, folder: Path) -> None:
        write(folder, "mine.py", HOOK.format(name="hook_a", summary="One."))
        loader = Loader(folder)
        old = loader.load("./mine.py").hook
        write(folder, "mine.py", HOOK.format(name="hook_a", summary="Two."))
        assert loader.load("./mine.py").hook.summary == "Two."
        assert old.summary == "One."
        assert list(folder.glob("**/__pycache__")) == []

    def test_a_broken_edit_leaves_the_old_module(self, folder: Path) -> None:
        write(folder, "mine.py", HOOK.format(name="hook_a", summary="One."))
        loader = Loader(folder)
        old = loader.load("./mine.py").hook
        write(folder, "mine.py", "def (")
        assert "mine.py cannot be loaded: SyntaxError" in refusal(folder, "./mine.py")
        assert sys.modules[old.function.__module__].__dict__["hook_a"] is old

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("x = 1", "has no hook in it (put @hook(…) above its function)"),
            ("import nothing_of_the_kind", "ModuleNotFoundError: No module named 'nothing_of_the_kind' (bad.py:1)"),
            ("\n\n1 / 0", "ZeroDivisionError: division by zero (bad.py:3)"),
            ("raise SystemExit(3)", "SystemExit: 3"),
            ("from ccproxy.hooks import hook\n@hook(reads=['bdy'])\ndef h(ctx): ...", "did you mean 'body'"),
            ("from ccproxy.hooks.set_model import set_model", "has no hook in it"),
        ],
    )
    def test_what_is_wrong_with_a_file(self, folder: Path, text: str, says: str) -> None:
        write(folder, "bad.py", text)
        assert says in refusal(folder, "./bad.py")

    def test_a_file_that_is_not_there(self, folder: Path) -> None:
        assert "there is no file" in refusal(folder, "./absent.py")
        assert "ccproxy hooks new absent" in refusal(folder, "./absent.py")

    def test_a_function_that_is_no_hook(self, folder: Path) -> None:
        write(folder, "plain.py", "def route(ctx): ...")
        assert "route in" in refusal(folder, "./plain.py:route")
        assert "is a function and no hook (put @hook(…) above it)" in refusal(folder, "./plain.py:route")

    @pytest.mark.parametrize("spec", ["./a.py", "a.py", "~/x/a.py:b", "/abs/a.py"])
    def test_what_is_a_file(self, spec: str) -> None:
        assert is_file(spec)
        assert not is_file("a.b.c")


class TestModules:
    def test_a_hook_in_a_package(self, folder: Path) -> None:
        write(folder, "pkg/__init__.py", "")
        write(folder, "pkg/hooks.py", HOOK.format(name="route", summary=""))
        for spec in ("pkg.hooks.route", "pkg.hooks"):
            found = Loader(folder).load(spec)
            assert (found.hook.name, found.origin) == ("route", "module pkg.hooks")

    @pytest.mark.parametrize(
        ("spec", "says"),
        [
            ("ccproxy.hooks.inject_aut", "did you mean ccproxy.hooks.inject_auth?"),
            ("no_such_package.hooks.x", "there is no module no_such_package.hooks (is its package installed"),
            ("broken.hook", "broken.hook cannot be imported: ZeroDivisionError"),
            ("needs.hook", "needs.hook cannot be imported: ModuleNotFoundError"),
            ("json.loads", "is a function and no hook"),
            ("json.lods", "json has no hook 'lods'"),
        ],
    )
    def test_what_is_wrong_with_a_path(self, folder: Path, spec: str, says: str) -> None:
        write(folder, "broken.py", "1 / 0")
        write(folder, "needs.py", "import something_else_missing")
        assert says in refusal(folder, spec)


class TestShortNames:
    def test_a_name_nobody_has(self, tmp_path: Path) -> None:
        assert "there is no hook 'set_modle' (did you mean 'set_model'?)" in refusal(tmp_path, "set_modle")
        assert "ccproxy hooks list" in refusal(tmp_path, "zzz")

    def test_packages_announce_theirs(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write(folder, "their_pkg.py", HOOK.format(name="theirs", summary="Theirs."))
        info = folder / "their_dist-1.0.dist-info"
        write(folder, f"{info.name}/METADATA", "Metadata-Version: 2.1\nName: their-dist\nVersion: 1.0\n")
        write(
            folder,
            f"{info.name}/entry_points.txt",
            "[ccproxy.hooks]\ntheirs = their_pkg:theirs\nwhole = their_pkg\nodd = json:loads\ngone = no_such_pkg:x\n",
        )
        assert isinstance(announced()["theirs"], EntryPoint)
        for name in ("theirs", "whole"):
            found = Loader(folder).load(name)
            assert (found.hook.name, found.origin) == ("theirs", "package their-dist")
        assert "what their-dist announces as the hook 'odd' is none" in refusal(folder, "odd")
        assert "cannot be loaded" in refusal(folder, "gone")
