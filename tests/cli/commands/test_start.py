"""`ccproxy start`: from the command to a serving proxy and back, as a user sees it."""

import http.client
import json
import os
import signal
import socket
import stat
import sys

import pytest

from ccproxy.cli.commands.start import is_any

DEMO = "ccproxy: {providers: {demo: {type: demo}}, gateway: {drain_seconds: 20}}\n"
CANARY = "sk-ant-api03-" + "c4n4ry" * 8


def wait_ready(process) -> str:
    """The greeting, up to its last line. Fails with what is on stderr if the proxy ends instead."""
    lines = []
    for line in iter(process.stdout.readline, b""):
        lines.append(line.decode())
        if "export ANTHROPIC_BASE_URL" in lines[-1]:
            return "".join(lines)
    raise AssertionError(process.stderr.read().decode())


def ask(port: int, method: str, path: str, body: object = None, **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        data = None if body is None else json.dumps(body)
        connection.request(method, path, data, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@pytest.fixture
def start(sandbox, free_port: int):
    """Starts a proxy in the foreground on the free port and waits until it serves."""
    sandbox.write_config(DEMO)

    def begin(*args: str, **env: str):
        process = sandbox.spawn("start", "--port", str(free_port), *args, env=env)
        return process, wait_ready(process)

    return begin


class TestForeground:
    def test_it_serves_tells_a_person_what_to_do_and_ends_when_asked(self, sandbox, start, free_port: int) -> None:
        process, greeting = start()
        assert f"http://127.0.0.1:{free_port}" in greeting
        assert str(sandbox.config / "ccproxy.yaml") in greeting
        assert f"ccproxy-{free_port}.log" in greeting
        assert "flows.db" in greeting
        assert "\x1b" not in greeting
        run = sandbox.state / f"run-{free_port}.json"
        assert json.loads(run.read_text())["pid"] == process.pid
        assert stat.S_IMODE(run.stat().st_mode) == 0o600
        status, body = ask(free_port, "GET", "/health")
        assert (status, json.loads(body)["pid"]) == (200, process.pid)

        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert not run.exists()
        log = process.stderr.read().decode()
        assert " INFO " in log
        assert "Traceback" not in log

    def test_ctrl_c_is_an_orderly_end(self, start) -> None:
        process, _ = start()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert b"Traceback" not in process.stderr.read()

    def test_a_running_answer_may_finish(self, start, free_port: int) -> None:
        process, _ = start()
        body = {"model": "m", "max_tokens": 99, "stream": True, "messages": [{"role": "user", "content": "word " * 30}]}
        connection = http.client.HTTPConnection("127.0.0.1", free_port, timeout=30)
        connection.request("POST", "/v1/messages", json.dumps(body), {"x-api-key": "sk-ant-oat-ccproxy-demo"})
        answer = connection.getresponse()
        first = answer.readline()
        process.send_signal(signal.SIGTERM)
        rest = answer.read()
        connection.close()
        assert first == b"event: message_start\n"
        assert b"event: message_stop" in rest
        assert process.wait(30) == 0

    def test_the_log_is_private_and_holds_no_secret(self, sandbox, start, free_port: int) -> None:
        process, _ = start(CCPROXY_GATEWAY__DEFAULT_UPSTREAMS__ANTHROPIC="null", CCPROXY_LOG_LEVEL="DEBUG")
        ask(
            free_port,
            "POST",
            f"/v1/messages?key={CANARY}",
            {"model": CANARY},
            x_api_key=CANARY,
            user_agent=f"a {CANARY}",
        )
        ask(free_port, "POST", "/v1/messages", {"model": "m"}, authorization=f"Bearer {CANARY}")
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        log = sandbox.state / f"ccproxy-{free_port}.log"
        text = log.read_text()
        assert "/v1/messages" in text
        assert stat.S_IMODE(log.stat().st_mode) == 0o600
        assert CANARY not in text
        assert CANARY not in process.stderr.read().decode()

    def test_one_that_was_killed_leaves_nothing_in_the_way(self, sandbox, start, free_port: int) -> None:
        process, _ = start()
        process.kill()
        process.wait()
        assert (sandbox.state / f"run-{free_port}.json").exists()
        assert sandbox.ccproxy("status", "--proxy", "--port", str(free_port)).returncode == 1
        again, _ = start()
        assert json.loads(ask(free_port, "GET", "/health")[1])["pid"] == again.pid

    def test_an_unverified_provider_is_shouted_about(self, sandbox, free_port: int) -> None:
        sandbox.write_config(
            "ccproxy: {providers: {lab: {type: anthropic, host: lab.invalid, path: /v1/messages, verify: false}}}\n"
        )
        process = sandbox.spawn("start", "--port", str(free_port))
        wait_ready(process)
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        assert "WARNING: the TLS certificate of provider lab is NOT VERIFIED" in process.stderr.read().decode()


class TestRefusals:
    def test_a_port_taken_by_another_program_names_it(self, sandbox) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            done = sandbox.ccproxy("start", "--port", str(port))
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert f"port {port} is taken by pid {os.getpid()}: " in done.stderr
        assert "--port" in done.stderr
        assert not (sandbox.state / f"run-{port}.json").exists()

    @pytest.mark.parametrize("detach", [[], ["--detach"]])
    def test_a_second_proxy_on_the_port_is_told_of_the_first(self, sandbox, start, free_port: int, detach) -> None:
        process, _ = start()
        done = sandbox.ccproxy("start", "--port", str(free_port), *detach)
        assert done.returncode == 1
        assert f"ccproxy already runs on port {free_port} (pid {process.pid})" in done.stderr
        assert (sandbox.state / f"run-{free_port}.json").exists()

    @pytest.mark.parametrize("detach", [[], ["--detach"]])
    def test_an_invalid_configuration_is_2(self, sandbox, detach) -> None:
        sandbox.write_config("ccproxy: {prot: 1}\n")
        done = sandbox.ccproxy("start", *detach)
        assert done.returncode == 2
        assert "ccproxy.yaml:1" in done.stderr
        assert done.stderr.count("\n") == 1

    def test_a_log_that_cannot_be_written_is_one_line(self, sandbox, free_port: int) -> None:
        sandbox.state.write_text("a file where a directory should be")
        done = sandbox.ccproxy("start", "--port", str(free_port))
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert str(sandbox.state) in done.stderr


class TestDetached:
    def test_it_returns_when_the_proxy_serves_and_stop_ends_it(self, sandbox, free_port: int) -> None:
        sandbox.write_config(DEMO)
        done = sandbox.ccproxy("start", "--detach", "--port", str(free_port))
        try:
            assert done.returncode == 0, done.stderr
            pid = json.loads((sandbox.state / f"run-{free_port}.json").read_text())["pid"]
            assert f"pid {pid}" in done.stdout
            assert f"http://127.0.0.1:{free_port}" in done.stdout
            assert done.stderr == ""
            # It is found without saying where it is.
            assert sandbox.ccproxy("status", "--proxy").returncode == 0
            ran = sandbox.ccproxy("run", "--", sys.executable, "-c", "import os; print(os.environ['OPENAI_BASE_URL'])")
            assert ran.stdout == f"http://127.0.0.1:{free_port}/v1\n"
            assert "listens on" in sandbox.ccproxy("logs").stdout
        finally:
            stopped = sandbox.ccproxy("stop")
        assert (stopped.returncode, stopped.stderr) == (0, "")
        assert f"Stopped the proxy on http://127.0.0.1:{free_port} (pid {pid})" in stopped.stdout
        assert sandbox.ccproxy("status", "--proxy", "--port", str(free_port)).returncode == 1
        assert not (sandbox.state / f"run-{free_port}.json").exists()

    def test_what_will_not_work_is_said_where_it_is_seen(self, sandbox, free_port: int) -> None:
        sandbox.write_config(
            "ccproxy: {providers: {p: {type: anthropic, base_url: 'http://127.0.0.1:9', auth: {type: file, file: /nowhere/key}}}}"
        )
        done = sandbox.ccproxy("start", "--detach", "--port", str(free_port))
        stopped = sandbox.ccproxy("stop")
        assert (done.returncode, stopped.returncode) == (0, 0)
        assert done.stderr.splitlines() == [
            "ccproxy: warning: p: its credential file /nowhere/key does not exist (see providers.p.auth)",
            "ccproxy: warning: p: cannot connect to 127.0.0.1:9: connection refused",
        ]

    def test_a_failing_start_shows_its_error_and_its_code(self, sandbox, free_port: int) -> None:
        # Found only once the proxy itself starts: the launcher's own checks pass.
        sandbox.state.write_text("a file where a directory should be")
        done = sandbox.ccproxy("start", "--detach", "--port", str(free_port))
        assert done.returncode == 1
        assert str(sandbox.state) in done.stderr
        assert done.stdout == ""


def test_an_address_that_is_every_address_is_none_to_go_to() -> None:
    assert [is_any(url) for url in ("http://0.0.0.0:1", "http://[::]:1", "http://[::1]:1", "http://10.0.0.1:1")] == [
        True,
        True,
        False,
        False,
    ]
