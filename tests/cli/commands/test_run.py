"""`ccproxy run`: the command takes ccproxy's place, with the environment that points it at the proxy."""

import json
import os
import pty
import signal
import sys
from pathlib import Path

import pytest

SHOW = "import json, os, sys; print(json.dumps({'argv': sys.argv[1:], 'env': dict(os.environ)}))"


@pytest.fixture
def run(sandbox, stub):
    """Runs a command with the stub as the proxy."""

    def start(*words: str, **env: str):
        return sandbox.ccproxy("run", *words, env={"CCPROXY_PORT": str(stub.port), **env})

    return start


class TestEnvironment:
    def test_the_command_sees_the_proxy_and_its_arguments_untouched(self, run, stub) -> None:
        stub.says(providers=[{"name": "demo", "dialects": []}])
        done = run("--", sys.executable, "-c", SHOW, "--inspect", "-h", "--", "--port", "", "a b")
        assert done.returncode == 0, done.stderr
        seen = json.loads(done.stdout)
        assert seen["argv"] == ["--inspect", "-h", "--", "--port", "", "a b"]
        assert seen["env"]["ANTHROPIC_BASE_URL"] == f"http://127.0.0.1:{stub.port}"
        assert seen["env"]["OPENAI_BASE_URL"] == f"http://127.0.0.1:{stub.port}/v1"
        assert seen["env"]["ANTHROPIC_API_KEY"] == "sk-ant-oat-ccproxy-demo"
        assert "selects provider demo" in done.stderr

    def test_the_dashes_may_be_left_out(self, run) -> None:
        done = run("echo", "--", "-n", "x")
        assert done.stdout == "-- -n x\n"

    def test_a_key_of_the_user_goes_along_and_nothing_is_said(self, run, stub) -> None:
        stub.says(providers=[{"name": "anthropic", "dialects": ["anthropic"]}])
        done = run("--", "printenv", "ANTHROPIC_API_KEY", ANTHROPIC_API_KEY="mine")
        assert (done.stdout, done.stderr) == ("mine\n", "")

    def test_a_provider_can_be_forced(self, run, stub) -> None:
        stub.says(providers=[{"name": "demo", "dialects": []}, {"name": "a", "dialects": ["anthropic"]}])
        done = run("--provider", "a", "--", "printenv", "ANTHROPIC_API_KEY", ANTHROPIC_API_KEY="mine")
        assert done.stdout == "sk-ant-oat-ccproxy-a\n"

    def test_a_provider_that_the_proxy_does_not_have_is_an_error(self, run, stub) -> None:
        stub.says(providers=[{"name": "demo", "dialects": []}])
        done = run("--provider", "dmeo", "--", "echo", "ran")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == "ccproxy: the proxy has no provider 'dmeo' (it has: demo)\n"

    def test_a_client_key_of_the_gateway_goes_with_the_sentinel(self, run, sandbox, stub) -> None:
        sandbox.write_config("ccproxy: {gateway: {client_keys: {me: 9f8e7d6c5b4a39281706f5e4d3c2b1a0}}}")
        stub.says(providers=[{"name": "demo", "dialects": []}])
        done = run("--", "printenv", "GEMINI_API_KEY")
        assert done.stdout == "sk-ant-oat-ccproxy-demo.9f8e7d6c5b4a39281706f5e4d3c2b1a0\n"
        assert "9f8e" not in done.stderr


class TestProcess:
    @pytest.mark.parametrize("code", [0, 1, 3, 125, 255])
    def test_the_exit_code_is_the_command_s_own(self, run, code: int) -> None:
        assert run("--", "sh", "-c", f"exit {code}").returncode == code

    def test_the_command_takes_our_place(self, sandbox, stub) -> None:
        process = sandbox.spawn("run", "--", "sh", "-c", "echo $$", env={"CCPROXY_PORT": str(stub.port)})
        out, _ = process.communicate()
        assert int(out) == process.pid

    def test_a_signal_ends_the_command_and_is_seen_as_such(self, sandbox, stub) -> None:
        process = sandbox.spawn("run", "--", "sh", "-c", "echo up; exec sleep 60", env={"CCPROXY_PORT": str(stub.port)})
        assert process.stdout.readline() == b"up\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == -signal.SIGINT

    def test_the_signals_that_python_ignores_are_not_ignored_for_the_command(self, run) -> None:
        done = run("--", "grep", "SigIgn", "/proc/self/status")
        if done.returncode != 0:
            pytest.skip("no /proc on this machine")
        ignored = int(done.stdout.split()[1], 16)
        assert not ignored & (1 << (signal.SIGPIPE - 1))
        assert not ignored & (1 << (signal.SIGXFSZ - 1))

    def test_the_terminal_is_the_command_s_own(self, sandbox, stub) -> None:
        leader, follower = pty.openpty()
        process = sandbox.spawn(
            "run", "--", "tty", env={"CCPROXY_PORT": str(stub.port)}, stdin=follower, stdout=follower, stderr=follower
        )
        name = os.ttyname(follower)
        os.close(follower)
        assert process.wait(30) == 0
        assert name.encode() in os.read(leader, 1000)
        os.close(leader)

    def test_a_command_that_is_not_there_is_127(self, run) -> None:
        done = run("--", "no-such-command-here")
        assert (done.returncode, done.stderr) == (127, "ccproxy: no-such-command-here: command not found\n")
        assert run("--", "/no/such/file").returncode == 127

    def test_a_command_that_cannot_be_executed_is_126(self, run, tmp_path: Path) -> None:
        file = tmp_path / "data"
        file.write_text("data")
        done = run("--", str(file))
        assert (done.returncode, done.stderr) == (126, f"ccproxy: {file}: Permission denied\n")
        assert run("--", str(tmp_path)).returncode == 126

    def test_a_script_whose_interpreter_is_missing_says_so(self, run, tmp_path: Path) -> None:
        script = tmp_path / "script"
        script.write_text("#!/no/such/interpreter\n")
        script.chmod(0o755)
        done = run("--", str(script))
        assert (done.returncode, done.stderr) == (127, f"ccproxy: {script}: its interpreter was not found\n")

    def test_a_script_without_an_interpreter_line_runs_as_in_a_shell(self, run, tmp_path: Path) -> None:
        script = tmp_path / "script"
        script.write_text('echo "ran $1"; exit 5\n')
        script.chmod(0o755)
        done = run("--", str(script), "x")
        assert (done.returncode, done.stdout) == (5, "ran x\n")


class TestRefusals:
    def test_without_a_proxy_nothing_is_started(self, sandbox, free_port: int, tmp_path: Path) -> None:
        made = tmp_path / "made"
        done = sandbox.ccproxy("run", "--", "touch", str(made), env={"CCPROXY_PORT": str(free_port)})
        assert done.returncode == 1
        assert done.stderr == (
            f"ccproxy: the proxy is down, touch was not started: nothing listens on http://127.0.0.1:{free_port} "
            "(start it with `ccproxy start --detach`)\n"
        )
        assert not made.exists()

    def test_without_a_jail_nothing_is_run(self, run, tmp_path: Path) -> None:
        # The stub answers like a proxy, and has no control socket.
        made = tmp_path / "made"
        done = run("--inspect", "--", "touch", str(made))
        assert done.returncode == 125
        assert "cannot be asked for a way out" in done.stderr or "the jail needs Linux" in done.stderr
        assert not made.exists()

    def test_options_of_the_jail_are_for_the_jail(self, run) -> None:
        assert run("--deny", "a.test", "--", "true").returncode == 2
        assert run("--inspect", "--provider", "demo", "--", "true").returncode == 2

    def test_a_command_is_needed(self, run) -> None:
        assert run().returncode == 2
        assert run("--").returncode == 2
