"""`ccproxy stop`: ends the proxy that is meant, and no other process."""

import json
import subprocess
import sys

import psutil
import pytest


@pytest.fixture
def bystander():
    """A process that must not be harmed."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.communicate(b"")


def run_file(sandbox, port: int, **facts: object) -> None:
    sandbox.state.mkdir(exist_ok=True)
    value = {"host": "127.0.0.1", "port": port, "version": "1", "config": "", "log": "/log", **facts}
    (sandbox.state / f"run-{port}.json").write_text(json.dumps(value))


def created(pid: int) -> float:
    return psutil.Process(pid).create_time() - psutil.boot_time()


def test_nothing_to_stop_is_1_and_one_line(sandbox, free_port: int) -> None:
    done = sandbox.ccproxy("stop", env={"CCPROXY_PORT": str(free_port)})
    assert done.returncode == 1
    assert done.stderr == f"ccproxy: no proxy runs on http://127.0.0.1:{free_port} (`ccproxy start` starts one)\n"


def test_a_process_that_only_has_the_same_id_is_left_alone(sandbox, bystander, free_port: int) -> None:
    run_file(sandbox, free_port, pid=bystander.pid, created=created(bystander.pid) - 60)
    done = sandbox.ccproxy("stop", "--port", str(free_port))
    assert done.returncode == 1
    assert "no proxy runs" in done.stderr
    assert bystander.poll() is None


def test_the_process_of_the_run_file_is_ended_even_if_it_no_longer_answers(sandbox, free_port: int) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        run_file(sandbox, free_port, pid=process.pid, created=created(process.pid))
        done = sandbox.ccproxy("stop")
        assert done.returncode == 0, done.stderr
        assert process.wait(30) != 0
    assert list(sandbox.state.iterdir()) == []


def test_a_broken_configuration_does_not_keep_it_from_being_stopped(sandbox, free_port: int) -> None:
    sandbox.write_config("ccproxy: {prot: 1}")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        run_file(sandbox, free_port, pid=process.pid, created=created(process.pid))
        assert sandbox.ccproxy("stop").returncode == 0
        process.wait(30)


def test_a_proxy_of_another_configuration_directory_is_not_touched(sandbox, stub) -> None:
    done = sandbox.ccproxy("stop", "--port", str(stub.port))
    assert done.returncode == 1
    assert "pid 4242" in done.stderr
    assert "not one started with this configuration directory" in done.stderr


def test_one_of_several_has_to_be_named(sandbox, bystander) -> None:
    for port in (41001, 41002):
        run_file(sandbox, port, pid=bystander.pid, created=created(bystander.pid))
    done = sandbox.ccproxy("stop")
    assert done.returncode == 1
    assert "41001, 41002" in done.stderr
    assert bystander.poll() is None


def test_it_says_what_it_waits_for(sandbox, stub) -> None:
    stub.says(exchanges={"active": 3})
    sandbox.write_config("ccproxy: {gateway: {drain_seconds: 17}}")
    busy = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: print('asked', flush=True)); print('up', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", busy], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        run_file(sandbox, stub.port, pid=process.pid, created=created(process.pid))
        stop = sandbox.spawn("stop")
        assert process.stdout.readline() == "asked\n"
        assert (
            stop.stdout.readline()
            == b"Waiting for 3 running answers (at most 17 seconds; Ctrl-C stops waiting, not the proxy)\n"
        )
        process.communicate("")
        assert stop.wait(30) == 0
        assert stop.stdout.readline().startswith(b"Stopped the proxy")
