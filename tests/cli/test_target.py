"""Which proxy is meant, and what it says."""

import dataclasses
import socket
from pathlib import Path

import pytest

from ccproxy.cli import runfile, target
from ccproxy.cli.context import CliContext
from ccproxy.cli.target import Target
from ccproxy.errors import CommandError, ConfigError


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CCPROXY_CONFIG_DIR", str(tmp_path))
    return tmp_path / "ccproxy.yaml"


def running(port: int, host: str = "127.0.0.1") -> runfile.RunFile:
    run = runfile.of_this_process(host=host, port=port, version="1", config=None, log=Path("/log"))
    runfile.write(run)
    return run


class TestFind:
    def test_nothing_runs_and_nothing_is_configured(self) -> None:
        assert target.find(CliContext()) == Target("127.0.0.1", 4000)

    def test_nothing_runs_so_the_configured_address_is_meant(self, config: Path) -> None:
        config.write_text('ccproxy: {port: 4444, host: "::1"}')
        assert target.find(CliContext()).url == "http://[::1]:4444"

    def test_the_only_one_that_runs_is_meant(self) -> None:
        run = running(5000)
        assert target.find(CliContext()) == Target("127.0.0.1", 5000, run)

    def test_of_several_the_configured_one_is_meant(self, config: Path) -> None:
        config.write_text("ccproxy: {port: 5001}")
        running(5000)
        run = running(5001)
        assert target.find(CliContext()).run == run

    def test_of_several_others_one_has_to_be_named(self) -> None:
        running(5000)
        run = running(5001)
        with pytest.raises(CommandError, match=r"5000, 5001.*--port"):
            target.find(CliContext())
        assert target.find(CliContext(), 5001).run == run

    def test_a_named_port_is_meant_even_if_nothing_runs_there(self) -> None:
        running(5000)
        assert target.find(CliContext(), 6000) == Target("127.0.0.1", 6000)

    def test_a_stale_run_file_is_no_proxy(self) -> None:
        runfile.write(dataclasses.replace(running(5000), created=1.0))
        assert target.find(CliContext()).port == 4000

    def test_a_broken_configuration_matters_only_where_it_is_needed(self, config: Path) -> None:
        config.write_text("ccproxy: {prot: 1}")
        with pytest.raises(ConfigError):
            target.find(CliContext())
        run = running(5000)
        assert target.find(CliContext()).run == run

    @pytest.mark.parametrize(
        ("bound", "reached"),
        [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("localhost", "127.0.0.1"), ("192.0.2.7", "192.0.2.7")],
    )
    def test_a_wildcard_is_reached_by_loopback(self, bound: str, reached: str) -> None:
        running(5000, bound)
        assert target.find(CliContext()).host == reached


class TestAsk:
    def test_a_proxy_reports(self, stub) -> None:
        health = target.ask(Target("127.0.0.1", stub.port))
        assert health.up
        assert health.report["pid"] == 4242
        assert stub.paths == ["/health"]

    def test_a_report_with_another_status_is_a_report(self, stub) -> None:
        stub.status = 503
        stub.says(status="draining")
        assert target.ask(Target("127.0.0.1", stub.port)).up

    def test_nothing_listens(self, free_port: int) -> None:
        health = target.ask(Target("127.0.0.1", free_port))
        assert not health.up
        assert health.problem == f"nothing listens on http://127.0.0.1:{free_port}"

    @pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"status":"ok"}', b"\xff"])
    def test_something_else_listens(self, stub, body: bytes) -> None:
        stub.body = body
        health = target.ask(Target("127.0.0.1", stub.port))
        assert not health.up
        assert "not ccproxy" in health.problem

    def test_a_running_proxy_may_refuse_to_report(self, stub) -> None:
        stub.status, stub.body = 401, b"{}"
        health = target.ask(Target("127.0.0.1", stub.port, running(stub.port)))
        assert health.up
        assert "401" in health.problem

    def test_something_that_speaks_no_http(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            health_of = Target("127.0.0.1", server.getsockname()[1])
            server.settimeout(10)
            import threading

            def answer() -> None:
                peer, _ = server.accept()
                with peer:
                    peer.recv(65536)
                    peer.sendall(b"SSH-2.0-nope\r\n")

            thread = threading.Thread(target=answer)
            thread.start()
            health = target.ask(health_of)
            thread.join()
        assert not health.up
        assert "does not answer" in health.problem


def test_running_exchanges_are_counted_if_they_are_reported(stub) -> None:
    asked = Target("127.0.0.1", stub.port)
    assert target.active_exchanges(target.ask(asked)) == 0
    stub.says(exchanges={"active": 3})
    assert target.active_exchanges(target.ask(asked)) == 3
    stub.says(exchanges=["odd"])
    assert target.active_exchanges(target.ask(asked)) == 0
