"""The completion scripts work in the shells they are for."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_registers_itself_and_says_how_to_install_it(sandbox, shell: str) -> None:
    done = sandbox.ccproxy("completion", shell)
    assert done.returncode == 0
    assert done.stderr == ""
    assert f"_CCPROXY_COMPLETE={shell}_complete" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("# To install: ")


def test_another_shell_is_an_error_that_names_those_there_are(sandbox) -> None:
    done = sandbox.ccproxy("completion", "tcsh")
    assert done.returncode == 2
    assert "'bash'" in done.stderr


def test_bash_completes_commands_and_options(sandbox, tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash on this machine")
    script = tmp_path / "complete.bash"
    script.write_text(sandbox.ccproxy("completion", "bash").stdout)
    launcher = tmp_path / "bin" / "ccproxy"
    launcher.parent.mkdir()
    launcher.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m ccproxy "$@"\n')
    launcher.chmod(0o755)

    def completions(*words: str) -> list[str]:
        ask = (
            f"source {script}; COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; "
            "_ccproxy_completion ccproxy; printf '%s\\n' \"${COMPREPLY[@]}\""
        )
        env = sandbox.env()
        done = subprocess.run(
            [bash, "--norc", "-c", ask],
            env=env | {"PATH": f"{launcher.parent}:{env['PATH']}"},
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        return done.stdout.split()

    assert completions("ccproxy", "sta") == ["start", "status"]
    assert completions("ccproxy", "status", "--pr") == ["--proxy"]
