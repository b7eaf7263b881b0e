"""`ccproxy inspector`: a link that logs a browser in."""

from __future__ import annotations

import json
import stat

import pytest

KEY = bytes(range(32))


@pytest.fixture
def key(sandbox) -> None:
    sandbox.state.mkdir()
    path = sandbox.state / "inspector.key"
    path.write_bytes(KEY)


def test_it_prints_a_link(sandbox, stub, key: None) -> None:
    stub.says(inspector={"up": True, "url": "http://127.0.0.1:8083", "problem": ""})
    done = sandbox.ccproxy("inspector", "--port", str(stub.port))
    assert done.returncode == 0
    assert done.stdout.startswith("http://127.0.0.1:8083/#login=")
    assert done.stdout.count("\n") == 1
    again = sandbox.ccproxy("inspector", "--json", "--port", str(stub.port))
    assert json.loads(again.stdout)["url"] != done.stdout.strip()


def test_it_opens_a_browser(sandbox, stub, key: None) -> None:
    stub.says(inspector={"up": True, "url": "http://127.0.0.1:8083", "problem": ""})
    browser = sandbox.home / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {sandbox.home}/opened\n')
    browser.chmod(browser.stat().st_mode | stat.S_IXUSR)
    done = sandbox.ccproxy("inspector", "--open", "--port", str(stub.port), env={"BROWSER": str(browser)})
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert (sandbox.home / "opened").read_text().startswith("http://127.0.0.1:8083/#login=")


def test_the_proxy_is_down(sandbox, free_port: int) -> None:
    done = sandbox.ccproxy("inspector", "--port", str(free_port))
    assert done.returncode == 1
    assert "the proxy is down" in done.stderr
    assert "ccproxy start" in done.stderr


@pytest.mark.parametrize(
    ("report", "said"),
    [
        (
            {"up": False, "url": "", "problem": "port 8083 cannot be had: Address already in use"},
            "port 8083 cannot be had",
        ),
        (None, "does not say where it is"),
        ({"up": True, "url": 7}, "does not say where it is"),
    ],
)
def test_the_inspector_is_down(sandbox, stub, report: object, said: str) -> None:
    stub.says(inspector=report)
    done = sandbox.ccproxy("inspector", "--port", str(stub.port))
    assert done.returncode == 1
    assert said in done.stderr


def test_the_key_belongs_to_somebody_else(sandbox, stub) -> None:
    stub.says(inspector={"up": True, "url": "http://127.0.0.1:8083", "problem": ""})
    done = sandbox.ccproxy("inspector", "--port", str(stub.port))
    assert done.returncode == 1
    assert "inspector.key" in done.stderr
