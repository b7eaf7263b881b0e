"""`ccproxy status`: what runs, for people, programs and scripts."""

import json

import pytest

REPORT = {
    "status": "ok",
    "version": "3.1.4",
    "pid": 4242,
    "uptime_seconds": 7300,
    "exchanges": {"active": 2, "total": 17},
    "recording": {"on": False, "problem": "disk full"},
    "inspector": {"up": False, "url": "", "problem": "port 8083 cannot be had: Address already in use"},
    "config": {"path": "/etc/x.yaml", "loaded_at": "2026-11-24T08:00:00Z", "problem": "line 3: bad\x1b[2J"},
    "providers": [{"name": "demo", "type": "demo", "dialect": "", "url": "", "auth": "none"}],
}


class TestExitCode:
    @pytest.mark.parametrize(
        ("flags", "down", "up"),
        [
            ((), 1, 0),
            (("--proxy",), 1, 0),
            (("--inspect",), 2, 2),
            (("--mcp",), 4, 4),
            (("--proxy", "--inspect"), 3, 2),
            (("--proxy", "--inspect", "--mcp"), 7, 6),
        ],
    )
    def test_it_is_the_sum_of_what_is_down_among_what_was_asked(
        self, sandbox, stub, free_port: int, flags: tuple[str, ...], down: int, up: int
    ) -> None:
        assert sandbox.ccproxy("status", "--port", str(free_port), *flags).returncode == down
        assert sandbox.ccproxy("status", "--port", str(stub.port), *flags).returncode == up

    def test_a_broken_configuration_is_2_and_one_line(self, sandbox) -> None:
        sandbox.write_config("ccproxy: {prot: 1}")
        done = sandbox.ccproxy("status")
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1


class TestText:
    def test_a_proxy_that_runs(self, sandbox, stub) -> None:
        stub.says(**REPORT)
        done = sandbox.ccproxy("status", env={"CCPROXY_PORT": str(stub.port)})
        lines = done.stdout.splitlines()
        assert lines[0] == f"proxy          up, http://127.0.0.1:{stub.port}, pid 4242, version 3.1.4, up 2.0 h"
        assert "exchanges      2 running, 17 since the start" in lines
        assert "recording      off: disk full" in lines
        assert "               the file as it is now is not in use: line 3: bad\\x1b[2J" in lines
        assert "inspector      down (port 8083 cannot be had: Address already in use)" in lines
        assert lines[-1] == "demo\tdemo\t-\t-\tnone\t-"
        assert "\x1b" not in done.stdout
        assert done.stderr == ""

    def test_an_inspector_that_runs(self, sandbox, stub) -> None:
        stub.says(inspector={"up": True, "url": "http://127.0.0.1:8083", "problem": ""})
        done = sandbox.ccproxy("status", "--inspect", "--port", str(stub.port))
        assert done.returncode == 0
        assert done.stdout == "inspector      up, http://127.0.0.1:8083 (`ccproxy inspector` logs you in)\n"

    @pytest.mark.parametrize(
        ("says", "problem"),
        [
            ({"inspector": {"up": False, "url": "http://127.0.0.1:1", "problem": ""}}, "it is starting"),
            ({}, "the proxy says nothing of it"),
        ],
    )
    def test_an_inspector_that_does_not(self, sandbox, stub, says: dict[str, object], problem: str) -> None:
        stub.says(**says)
        done = sandbox.ccproxy("status", "--inspect", "--port", str(stub.port))
        assert done.stdout == f"inspector      down ({problem})\n"

    def test_credentials_and_their_troubles(self, sandbox, stub) -> None:
        ended = "provider 'demo': it has ended"
        credentials = [{"expires_in": 3100, "problem": ""}, {"expires_in": None, "problem": ended}]
        more = {"credentials": credentials, "breaker": "open", "problem": "cannot connect to it"}
        stub.says(providers=[REPORT["providers"][0] | more])
        lines = sandbox.ccproxy("status", "--port", str(stub.port)).stdout.splitlines()
        assert lines[-4:] == [
            "demo\tdemo\t-\t-\tnone\tin 52 min",
            "demo: it has ended",
            "demo: cannot connect to it",
            "demo: fails, and is left alone for a while (circuit breaker open)",
        ]

    def test_a_report_with_little_in_it(self, sandbox, stub) -> None:
        done = sandbox.ccproxy("status", "--proxy", "--port", str(stub.port))
        assert done.stdout == f"proxy          up, http://127.0.0.1:{stub.port}, pid 4242, version 9.9, up ?\n"

    def test_a_report_with_odd_things_in_it(self, sandbox, stub) -> None:
        stub.says(exchanges=[], recording="on", config=None, providers={"a": 1}, uptime_seconds="long")
        assert sandbox.ccproxy("status", "--port", str(stub.port)).returncode == 0

    def test_nothing_runs(self, sandbox, free_port: int) -> None:
        done = sandbox.ccproxy("status", "--proxy", env={"CCPROXY_PORT": str(free_port)})
        assert done.stdout == f"proxy          down (nothing listens on http://127.0.0.1:{free_port})\n"

    def test_only_what_was_asked_is_shown(self, sandbox, free_port: int) -> None:
        done = sandbox.ccproxy("status", "--mcp", "--port", str(free_port))
        assert done.stdout == "mcp            down (not part of this version)\n"


class TestJson:
    def test_a_proxy_that_runs(self, sandbox, stub) -> None:
        stub.says(**REPORT)
        done = sandbox.ccproxy("status", "--json", "--port", str(stub.port))
        assert json.loads(done.stdout) == {
            "proxy": {
                "up": True,
                "url": f"http://127.0.0.1:{stub.port}",
                "problem": None,
                "health": REPORT,
                "run": None,
            },
            "inspector": {"up": False, "url": None, "problem": "port 8083 cannot be had: Address already in use"},
            "mcp": {"up": False, "problem": "not part of this version"},
        }

    def test_nothing_runs(self, sandbox, free_port: int) -> None:
        done = sandbox.ccproxy("status", "--json", "--proxy", "--port", str(free_port))
        assert json.loads(done.stdout)["proxy"] == {
            "up": False,
            "url": f"http://127.0.0.1:{free_port}",
            "problem": f"nothing listens on http://127.0.0.1:{free_port}",
            "health": None,
            "run": None,
        }
