"""The command line itself: finding commands, and turning failures into one line and an exit code."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from ccproxy import __version__
from ccproxy.cli import main
from ccproxy.errors import CommandError, ConfigError, StoreError
from ccproxy.telemetry import logging

HEAVY = ("aiohttp", "asyncio", "jq", "msgspec", "psutil", "rich", "uvicorn", "uvloop", "websockets", "yaml")


def run_raising(error: BaseException) -> int:
    """The exit code of a command line whose command raises `error`."""

    @click.command()
    def broken() -> None:
        raise error

    return main.run(["broken"], group=click.Group("ccproxy", commands={"broken": broken}))


class TestHelp:
    def test_it_lists_every_command_with_the_first_line_of_its_module(self, sandbox) -> None:
        done = sandbox.ccproxy("--help")
        assert done.returncode == 0
        folder = Path(main.__file__).parent / "commands"
        for module in folder.glob("[!_]*.py"):
            first = module.read_text().splitlines()[0].strip('"')
            assert f"  {module.stem.replace('_', '-')} " in done.stdout
            assert first.split()[0] in done.stdout

    def test_it_imports_nothing_heavy_and_no_command(self, sandbox) -> None:
        code = (
            "import sys\n"
            "from ccproxy.cli.main import run\n"
            "run(['--help'])\n"
            "print([name for name in sys.modules if name.startswith('ccproxy.cli.commands.')], file=sys.stderr)\n"
            f"print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], env=sandbox.env(), capture_output=True, text=True, timeout=30, check=True
        )
        assert done.stderr.splitlines() == ["[]", "[]"]

    @pytest.mark.parametrize("name", main.cli.list_commands(click.Context(main.cli)))
    def test_every_command_has_help_and_a_module_docstring_of_one_line_first(self, name: str, capsys) -> None:
        assert main.run([name, "--help"]) == 0
        assert capsys.readouterr().out.startswith(f"Usage: ccproxy {name}")
        line = dict(main.cli.short_helps(click.Context(main.cli)))[name]
        assert line.endswith(".")

    def test_version(self, sandbox) -> None:
        done = sandbox.ccproxy("--version")
        assert (done.returncode, done.stdout) == (0, f"ccproxy {__version__}\n")

    def test_no_arguments_show_the_help(self, sandbox) -> None:
        done = sandbox.ccproxy()
        assert done.returncode == 2
        assert "Commands:" in done.stderr


class TestErrors:
    @pytest.mark.parametrize(
        ("error", "code", "line"),
        [
            (CommandError("no", hint="do this", exit_code=7), 7, "ccproxy: no (do this)\n"),
            (StoreError("cannot read it"), 1, "ccproxy: cannot read it\n"),
            (ConfigError("a.yaml:3: port: not a number"), 2, "ccproxy: a.yaml:3: port: not a number\n"),
            (ConfigError("a.yaml:3: one\na.yaml:4: two"), 2, "ccproxy: a.yaml:3: one\nccproxy: a.yaml:4: two\n"),
            (click.BadParameter("odd."), 2, "ccproxy: Invalid value: odd (see `ccproxy broken --help`)\n"),
            (click.ClickException("sigh"), 1, "ccproxy: sigh\n"),
            (click.Abort(), 1, "ccproxy: nothing done\n"),
            (OSError(errno.EACCES, "Permission denied", "/x/y"), 1, "ccproxy: /x/y: Permission denied\n"),
        ],
    )
    def test_an_expected_error_is_a_line_and_a_code(self, error, code, line, capsys) -> None:
        assert run_raising(error) == code
        assert capsys.readouterr() == ("", line)

    def test_an_interrupt_is_130_without_words(self, capsys) -> None:
        assert run_raising(KeyboardInterrupt()) == 130
        assert capsys.readouterr().err.strip() == ""

    def test_a_broken_pipe_is_quiet(self, sandbox) -> None:
        reader, writer = os.pipe()
        os.close(reader)
        process = sandbox.spawn("--help", stdout=writer)
        os.close(writer)
        assert process.stderr.read() == b""
        assert process.wait() == 1

    def test_a_bug_is_one_line_and_a_file(self, monkeypatch, capsys, tmp_path) -> None:
        monkeypatch.setenv("CCPROXY_CONFIG_DIR", str(tmp_path))
        monkeypatch.delenv("CCPROXY_DEBUG", raising=False)
        assert run_raising(ZeroDivisionError("oh\nno")) == 70
        file = tmp_path / "state" / "crash.log"
        assert capsys.readouterr().err == f"ccproxy: internal error: ZeroDivisionError: oh no (traceback in {file})\n"
        assert "Traceback" in file.read_text()

    def test_a_bug_shows_its_traceback_on_demand(self, monkeypatch, capsys, tmp_path) -> None:
        monkeypatch.setenv("CCPROXY_CONFIG_DIR", str(tmp_path))
        monkeypatch.setenv("CCPROXY_DEBUG", "1")
        assert run_raising(ZeroDivisionError("oh")) == 70
        assert "Traceback (most recent call last)" in capsys.readouterr().err
        assert not (tmp_path / "state").exists()

    def test_a_bug_of_a_running_proxy_is_in_its_log(self, monkeypatch, tmp_path) -> None:
        monkeypatch.setenv("CCPROXY_CONFIG_DIR", str(tmp_path))
        log = tmp_path / "proxy.log"
        logging.setup("INFO", log, console=False)
        try:
            assert run_raising(ZeroDivisionError("oh")) == 70
        finally:
            logging.shutdown()
        assert "CRITICAL ccproxy: internal error: ZeroDivisionError: oh (traceback in " in log.read_text()

    def test_an_unknown_command_and_option_point_to_the_help(self, sandbox) -> None:
        done = sandbox.ccproxy("statsu")
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert "see `ccproxy --help`" in done.stderr
        done = sandbox.ccproxy("status", "--jsn")
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert "--json" in done.stderr


def test_config_names_the_file_to_use(sandbox, free_port) -> None:
    path = sandbox.home / "mine.yaml"
    path.write_text(f"ccproxy:\n  port: {free_port}\n")
    done = sandbox.ccproxy("--config", str(path), "status")
    assert f":{free_port}" in done.stdout
    done = sandbox.ccproxy("--config", str(sandbox.home / "none.yaml"), "status")
    assert done.returncode == 2
    assert "none.yaml" in done.stderr
    assert "Traceback" not in done.stderr


def test_completing_a_command_name_imports_no_command(sandbox) -> None:
    done = sandbox.ccproxy(env={"_CCPROXY_COMPLETE": "zsh_complete", "COMP_WORDS": "ccproxy sta", "COMP_CWORD": "1"})
    assert [line for line in done.stdout.splitlines() if line in {"start", "status"}] == ["start", "status"]
