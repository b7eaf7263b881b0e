"""`ccproxy namespace` without a proxy; with one it is tried in tests/jail."""

import json
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the jail needs Linux")


def test_status_without_a_proxy(sandbox, free_port: int) -> None:
    env = {"CCPROXY_PORT": str(free_port)}
    done = sandbox.ccproxy("namespace", "status", env=env)
    assert done.returncode == 1
    assert f"interceptor  down: nothing listens on http://127.0.0.1:{free_port}" in done.stdout
    as_json = sandbox.ccproxy("namespace", "status", "--json", env=env)
    report = json.loads(as_json.stdout)
    assert (as_json.returncode, report["proxy"], report["interceptor"]) == (1, False, None)
    assert report["engine"] in {"tun", "redirect"}


def test_status_of_something_without_a_control_socket(sandbox, stub) -> None:
    done = sandbox.ccproxy("namespace", "status", env={"CCPROXY_PORT": str(stub.port)})
    assert done.returncode == 1
    assert "No such file" in done.stdout


def test_wireguard_config_without_a_proxy(sandbox, free_port: int) -> None:
    done = sandbox.ccproxy("namespace", "wireguard-config", env={"CCPROXY_PORT": str(free_port)})
    assert (done.returncode, done.stdout) == (1, "")
    assert "the proxy is down" in done.stderr


def test_the_doctor_always_prints_json(sandbox, free_port: int) -> None:
    done = sandbox.ccproxy("namespace", "doctor", "--json", env={"CCPROXY_PORT": str(free_port)})
    report = json.loads(done.stdout)
    assert done.returncode == (0 if report["ok"] else 1)
    assert report["checks"]
