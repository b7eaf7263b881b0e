"""`ccproxy config`: check, show and schema."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from ccproxy.cli.main import run
from ccproxy.testing import refused_port

KEY = "Zk3x9QwLm2Pv8RtY5uBnH7"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The place of the configuration file, which is not there yet."""
    monkeypatch.setenv("CCPROXY_CONFIG_DIR", str(tmp_path))
    return tmp_path / "ccproxy.yaml"


class TestCheck:
    def test_a_valid_file(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path.write_text("ccproxy: {port: 4001}")

        assert run(["config", "check"]) == 0
        assert capsys.readouterr() == (f"{path}: ok\n", "")

    def test_no_file(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["config", "check"]) == 0
        assert capsys.readouterr().out == "no configuration file, defaults: ok\n"

    def test_every_problem_a_line(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path.write_text("ccproxy:\n  prot: 1\n  port: x\n")

        assert run(["config", "check"]) == 2
        out, err = capsys.readouterr()
        assert err == ""
        assert out.splitlines() == [
            f'{path}:2: ccproxy.prot: unknown key "prot"; did you mean "port"?',
            f'{path}:3: ccproxy.port: expected a whole number from 1 to 65535, got "x"',
        ]

    def test_an_authority_that_cannot_be_used(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path.write_text(f"ccproxy: {{egress: {{ca_file: {path.parent}/none.pem}}}}")

        assert run(["config", "check"]) == 2
        assert "egress.ca_file" in capsys.readouterr().out

    def test_the_environment_counts(
        self, path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CCPROXY_PORT", "0")

        assert run(["config", "check"]) == 2
        assert capsys.readouterr().out.startswith("CCPROXY_PORT (environment): ccproxy.port: ")

    def test_warnings_go_to_stderr_and_are_no_failure(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path.write_text("ccproxy: {providers: {x: {type: demo, verify: false}}}")

        assert run(["config", "check"]) == 0
        out, err = capsys.readouterr()
        assert out == f"{path}: ok\n"
        assert err.startswith(f"ccproxy: warning: {path}:1: ccproxy.providers.x.verify: ")

    @pytest.mark.parametrize("before", [True, False])
    def test_another_file(self, path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], before: bool) -> None:
        path.write_text("broken: [")
        other = tmp_path / "other.yaml"
        other.write_text("ccproxy:")
        option = ["--config", str(other)]

        assert run([*option, "config", "check"] if before else ["config", "check", *option]) == 0
        assert capsys.readouterr().out == f"{other}: ok\n"

    @pytest.mark.parametrize("online", [[], ["--online"]])
    def test_online_says_what_could_not_be_used_at_the_first_request(
        self, path: Path, capsys: pytest.CaptureFixture[str], online: list[str]
    ) -> None:
        with refused_port() as port:
            path.write_text(
                f"ccproxy: {{providers: {{demo: {{type: demo}}, p: {{type: anthropic, base_url: 'http://127.0.0.1:{port}', "
                "auth: [echo sk-canary-0123456789, exit 3, {type: anthropic_oauth, file_path: /nowhere/login}]}}}\n"
            )
            assert run(["config", "check", *online]) == (1 if online else 0)
        lines = capsys.readouterr().out.splitlines()
        if not online:
            assert lines == [f"{path}: ok"]
            return
        assert [line.partition(": ")[0] for line in lines] == ["provider 'p'"] * 3
        assert "status 3" in lines[0]
        assert "/nowhere/login does not exist" in lines[1]
        assert "connection refused" in lines[2]

    def test_online_where_all_is_well(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path.write_text("ccproxy: {providers: {demo: {type: demo}}}\n")
        assert run(["config", "check", "--online"]) == 0
        assert capsys.readouterr().out == f"{path}: ok\n"

    def test_a_file_that_is_not_there(self, path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["config", "check", "--config", str(tmp_path / "no.yaml")]) == 2
        assert capsys.readouterr().out == f"{tmp_path}/no.yaml: there is no such file; `ccproxy init` writes one\n"


class TestShow:
    def test_effective_settings_with_their_origins_and_without_secrets(
        self, path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path.write_text(f"ccproxy:\n  port: 4001\n  gateway:\n    client_keys:\n      me: {KEY}\n")
        monkeypatch.setenv("CCPROXY_LOG_LEVEL", "DEBUG")

        assert run(["config", "show"]) == 0
        out = capsys.readouterr().out
        assert KEY not in out
        assert f"  port: 4001  # {path}:2\n" in out
        assert "  log_level: DEBUG  # CCPROXY_LOG_LEVEL (environment)\n" in out
        assert yaml.safe_load(out)["ccproxy"]["gateway"]["client_keys"] == {"me": "***"}

    def test_as_json(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path.write_text(f"ccproxy: {{port: 4001, providers: {{x: {{type: demo, auth: echo {KEY}}}}}}}")

        assert run(["config", "show", "--json"]) == 0
        out = capsys.readouterr().out
        assert KEY not in out
        shown = json.loads(out)
        assert shown["file"] == str(path)
        assert shown["ccproxy"]["port"] == 4001
        assert shown["ccproxy"]["providers"]["x"]["auth"] == "***"
        assert shown["origins"]["port"] == f"{path}:1"

    def test_defaults(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["config", "show", "--json"]) == 0
        shown = json.loads(capsys.readouterr().out)
        assert (shown["file"], shown["origins"], shown["ccproxy"]["port"]) == (None, {}, 4000)

    def test_what_is_invalid_is_not_shown(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path.write_text("ccproxy: {prot: 1}")

        assert run(["config", "show"]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert f'{path}:1: ccproxy.prot: unknown key "prot"' in err
        assert "Traceback" not in err


def test_the_schema_needs_no_configuration(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_text("broken: [")

    assert run(["config", "schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert "port" in schema["$defs"]["Settings"]["properties"]
