"""Loading: sources and their order, files that cannot be used, nothing but ConfigError for any content."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccproxy.config.load import MOST_BYTES, config_path, load, stamp_of
from ccproxy.config.settings import Settings
from ccproxy.errors import ConfigError

from .support import below, load_text, problems

README = r"""
ccproxy:
  port: 4000

  providers:
    anthropic:
      auth:
        type: anthropic_oauth
        file_path: ~/.claude/.credentials.json
        access_path: claudeAiOauth.accessToken
        refresh_path: claudeAiOauth.refreshToken
        expiry_path: claudeAiOauth.expiresAt
        header: authorization
      host: api.anthropic.com
      path: /v1/messages
      type: anthropic

    deepseek:
      auth:
        type: command
        command: "printenv DEEPSEEK_API_KEY"
        header: x-api-key
      host: api.deepseek.com
      path: /anthropic/v1/messages
      type: anthropic

  hooks:
    inbound:
      - ccproxy.hooks.inject_auth
      - ccproxy.hooks.extract_session_id
    outbound:
      - ccproxy.hooks.gemini_cli
      - hook: ccproxy.hooks.some_hook
        params:
          key: value

  inspector:
    transforms:
      - match_path: ^/v1/chat/completions
        match_model: ^gpt-4o
        action: transform
        dest_provider: anthropic
        dest_model: claude-haiku-4-5-20251001

  flows:
    default_jq_filters:
      - 'map(select(.request.path | startswith("/v1/messages")))'
"""


def test_the_file_of_the_documentation() -> None:
    settings = load_text(README).settings

    assert settings.port == 4000
    assert settings.providers["deepseek"].path == "/anthropic/v1/messages"
    assert settings.inspector.transforms[0].match_model == "^gpt-4o"
    assert settings.flows.default_jq_filters == ['map(select(.request.path | startswith("/v1/messages")))']


def test_later_sources_win(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(below("port: 1\nlog_level: ERROR\ngateway: {drain_seconds: 1, max_headers: 100}"))
    env = {"CCPROXY_PORT": "2", "CCPROXY_GATEWAY__DRAIN_SECONDS": "2"}

    loaded = load(path, env=env, overrides={"port": 3, "host": None})

    assert loaded.path == path
    assert loaded.settings.port == 3
    assert loaded.settings.log_level == "ERROR"
    assert loaded.settings.gateway.drain_seconds == 2
    assert loaded.settings.gateway.max_headers == 100
    assert loaded.settings.flows == Settings().flows
    assert loaded.origins == {
        "port": "--port",
        "log_level": f"{path}:3",
        "gateway.drain_seconds": "CCPROXY_GATEWAY__DRAIN_SECONDS (environment)",
        "gateway.max_headers": f"{path}:4",
    }
    assert loaded.stamp == stamp_of(path.stat())


def test_a_bad_value_that_is_overridden_does_no_harm() -> None:
    assert load_text("ccproxy: {port: x}", overrides={"port": 5}).settings.port == 5


class TestPlaces:
    def test_without_a_file_there_are_defaults(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CCPROXY_CONFIG_DIR", str(tmp_path / "none"))

        loaded = load(env={})

        assert loaded.settings == Settings()
        assert (loaded.path, loaded.stamp, loaded.warnings, loaded.origins) == (None, None, [], {})

    def test_the_default_place(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CCPROXY_CONFIG_DIR", str(tmp_path))
        (tmp_path / "ccproxy.yaml").write_text("ccproxy: {port: 7}")

        assert config_path() == tmp_path / "ccproxy.yaml"
        assert load(env={}).settings.port == 7
        assert load(env={}).path == tmp_path / "ccproxy.yaml"

    def test_a_given_file_must_exist(self, tmp_path: Path) -> None:
        path = tmp_path / "missing.yaml"

        with pytest.raises(ConfigError) as caught:
            load(path, env={})

        assert str(caught.value) == f"{path}: there is no such file; `ccproxy init` writes one"

    def test_home_is_expanded(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))

        assert config_path(Path("~/x.yaml")) == tmp_path / "x.yaml"

    def test_a_name_cannot_break_the_line(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError) as caught:
            load(tmp_path / "a\nb.yaml", env={})

        assert "\n" not in str(caught.value)


class TestFiles:
    @pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "ccproxy:\n", "ccproxy: {}", "\ufeffccproxy:\n"])
    def test_an_empty_file_means_defaults(self, text: str) -> None:
        assert load_text(text).settings == Settings()

    @pytest.mark.parametrize(
        ("content", "line"),
        [
            (b"ccproxy:\n  port: 1\n  host: \xff\n", "FILE:3: not UTF-8 text (byte 0xff)"),
            ("ccproxy: {}".encode("utf-16"), "FILE:1: not UTF-8 text (byte 0xff)"),
            (b"ccproxy:\n  port: 1\x00\n", "FILE:2: character U+0000 is not allowed in YAML"),
            (b"#" * (MOST_BYTES + 1), f"FILE: is larger than {MOST_BYTES // 1024} KiB"),
        ],
    )
    def test_content_that_is_no_yaml_text(self, content: bytes, line: str) -> None:
        assert problems(content) == [line]

    def test_a_directory(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="is a directory, not a file"):
            load(tmp_path, env={})

    def test_a_pipe_is_refused_without_waiting_for_its_writer(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")

        with pytest.raises(ConfigError, match="is not a regular file"):
            load(tmp_path / "pipe", env={})

    def test_the_null_device_is_an_empty_file(self) -> None:
        assert load(Path(os.devnull), env={}).settings == Settings()

    @pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
    def test_a_file_one_may_not_read(self, tmp_path: Path) -> None:
        path = tmp_path / "c.yaml"
        path.write_text("ccproxy:")
        path.chmod(0)

        with pytest.raises(ConfigError, match="cannot be read: Permission denied"):
            load(path, env={})

    def test_a_loop_of_links(self, tmp_path: Path) -> None:
        path = tmp_path / "c.yaml"
        path.symlink_to(path)

        with pytest.raises(ConfigError, match="cannot be read: "):
            load(path, env={})

    def test_a_path_no_file_can_have(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError):
            load(tmp_path / "a\0b", env={})
        with pytest.raises(ConfigError):
            load(tmp_path / ("x" * 5000), env={})


@pytest.mark.parametrize(("mode", "warned"), [(0o644, True), (0o640, True), (0o600, False)])
def test_client_keys_that_others_can_read(tmp_path: Path, mode: int, warned: bool) -> None:
    file = tmp_path / "ccproxy.yaml"
    file.write_text("ccproxy: {gateway: {client_keys: {me: 9f8e7d6c5b4a39281706f5e4d3c2b1a0}}}")
    file.chmod(mode)
    found = [line for line in load(file, env={}).warnings if "chmod 600" in line]
    assert len(found) == warned
    assert all(f"mode {mode:o}" in line for line in found)


def test_an_unreadable_file_does_not_hide_other_problems() -> None:
    found = problems(b"\xff", env={"CCPROXY_PROT": "1"})

    assert [line.partition(":")[0] for line in found] == ["FILE", "CCPROXY_PROT (environment)"]


def test_the_result_does_not_show_its_secrets() -> None:
    assert "printenv" not in repr(load_text(README))


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_file_gives_a_configuration_or_a_configuration_error(content: bytes) -> None:
    problems(content)


KEYS = ["port", "host", "providers", "hooks", "inspector", "transforms", "gateway", "client_keys", "auth", "type", "x"]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.sampled_from(["demo", "command", "~/x", "(", "https://u:p@h", "", "[", "0.0.0.0"])
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(KEYS), VALUES))
@settings(max_examples=150, deadline=None)
def test_any_values_give_a_configuration_or_a_configuration_error(value: dict[str, object]) -> None:
    problems("", overrides=value)


SECRET = "Zk3x9QwLm2Pv8RtY5uBnH7"
SECRETS_EVERYWHERE = f"""
ccproxy:
  host: 0.0.0.0
  providers:
    a: {{type: demo, auth: {{type: command, command: "echo {SECRET}"}}}}
    b:
      type: demo
      auth: echo {SECRET}
    c:
      type: demo
      auth:
        type: google_oauth
        client_secret: {SECRET}
  egress:
    proxy: http://user:{SECRET}@proxy:3128
  gateway:
    client_keys:
      laptop: {SECRET}
    drain_seconds: 3
"""


@given(
    st.integers(1, len(SECRETS_EVERYWHERE) - 1),
    st.sampled_from(["", "x", ":", '"', "'", "\n", "\t", "[", "]", "{", ",", "#", "*", "!", "&", "-", " ", "  ", "@"]),
)
@settings(max_examples=200, deadline=None)
def test_a_slip_of_the_finger_never_shows_a_secret(position: int, inserted: str) -> None:
    # One character taken out, or something put in.
    end = position if inserted else position + 1

    found = problems(SECRETS_EVERYWHERE[:position] + inserted + SECRETS_EVERYWHERE[end:])

    # A part of it would be one too.
    assert not [part for start in range(len(SECRET) - 9) if (part := SECRET[start : start + 10]) in "\n".join(found)]


def test_the_text_of_the_slips_is_valid() -> None:
    assert problems(SECRETS_EVERYWHERE) == []


def test_loading_imports_nothing_heavy() -> None:
    code = (
        "import sys, os; from ccproxy.config.load import load; load(env={}); "
        "print([m for m in ('asyncio', 'aiohttp', 'ssl', 'jq', 'uvicorn', 'click', 'sqlite3') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert result.stdout.strip() == "[]"
