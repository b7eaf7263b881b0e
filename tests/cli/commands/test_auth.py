"""`ccproxy auth`: what a user sees of credentials, and what never."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ccproxy.testing import FakeProvider, ThreadedProvider, TokenEndpoint, refused_port


@pytest.fixture
def provider() -> Iterator[ThreadedProvider]:
    with FakeProvider.in_thread() as fake:
        yield fake


class Login:
    """A login of Claude Code in a sandbox, at the provider `claude`, and a key at the provider `key`."""

    def __init__(self, sandbox, provider: ThreadedProvider, *, lifetime: float = 3000) -> None:
        self.endpoint = TokenEndpoint(provider, lifetime=3000)
        self.endpoint.protect("^/v1/")
        self.path = Path(sandbox.home) / ".claude" / ".credentials.json"
        self.path.parent.mkdir()
        tokens = self.endpoint.sign_in()
        expires = int((time.time() + lifetime) * 1000)
        login = {"accessToken": tokens.access, "refreshToken": tokens.refresh, "expiresAt": expires}
        self.path.write_text(json.dumps({"claudeAiOauth": login}))
        self.path.chmod(0o600)
        sandbox.write_config(
            f"""
ccproxy:
  providers:
    claude:
      type: anthropic
      base_url: {provider.url}
      auth: {{type: anthropic_oauth, endpoint: {self.endpoint.url}}}
    key: {{type: anthropic, base_url: {provider.url}, auth: echo canary-key-0123456789}}
    demo: {{type: demo}}
"""
        )

    @property
    def stored(self) -> str:
        return str(json.loads(self.path.read_text())["claudeAiOauth"]["accessToken"])


class TestStatus:
    def test_where_they_come_from_and_when_they_expire(self, sandbox, provider) -> None:
        Login(sandbox, provider)
        done = sandbox.ccproxy("auth", "status")
        assert done.returncode == 0
        assert done.stdout.splitlines() == [
            "claude\tanthropic_oauth (file ~/.claude/.credentials.json)\tin 50 min\tok, renewed when it expires",
            "key\tcommand\t-\tok",
        ]
        assert provider.requests == []

    def test_one_provider_as_json(self, sandbox, provider) -> None:
        Login(sandbox, provider)
        done = sandbox.ccproxy("auth", "status", "key", "--json")
        [found] = json.loads(done.stdout)
        assert (found["provider"], found["source"], found["problem"]) == ("key", "command", "")

    def test_trouble_is_1_and_says_what_to_do(self, sandbox, provider) -> None:
        login = Login(sandbox, provider)
        login.path.write_text('{"claudeAiOauth":{"accessToken":"","refreshToken":"","expiresAt":0}}')
        done = sandbox.ccproxy("auth", "status", "claude")
        assert done.returncode == 1
        assert "/login" in done.stdout

    def test_an_unknown_name(self, sandbox, provider) -> None:
        Login(sandbox, provider)
        for command in ("status", "refresh", "test"):
            done = sandbox.ccproxy("auth", command, "nobody")
            assert done.returncode == 1
            assert "there are: claude, key, demo" in done.stderr


class TestRefresh:
    def test_it_renews_what_has_not_expired_and_the_file_has_it(self, sandbox, provider) -> None:
        login = Login(sandbox, provider)
        done = sandbox.ccproxy("auth", "refresh", "claude")
        assert done.returncode == 0
        assert done.stdout == (
            "claude: anthropic_oauth (file ~/.claude/.credentials.json): renewed, expires in 50 min\n"
        )
        assert login.endpoint.current is not None
        assert login.stored == login.endpoint.current.access
        assert "canary" not in done.stdout + done.stderr

    def test_a_login_that_has_ended_is_1(self, sandbox, provider) -> None:
        login = Login(sandbox, provider)
        login.endpoint.revoke()
        done = sandbox.ccproxy("auth", "refresh", "claude")
        assert done.returncode == 1
        assert "/login in Claude Code" in done.stdout
        assert "canary" not in done.stdout + done.stderr

    def test_a_command_is_run_again(self, sandbox, provider) -> None:
        Login(sandbox, provider)
        assert sandbox.ccproxy("auth", "refresh", "key").stdout == "key: command: read again\n"

    def test_where_there_is_none(self, sandbox, provider) -> None:
        Login(sandbox, provider)
        done = sandbox.ccproxy("auth", "refresh", "demo")
        assert done.returncode == 1
        assert "has no credential" in done.stderr


class TestTest:
    def test_an_accepted_one(self, sandbox, provider) -> None:
        Login(sandbox, provider)
        done = sandbox.ccproxy("auth", "test", "claude")
        assert done.returncode == 0
        assert f"accepted: {provider.url}/v1/models answered 200" in done.stdout
        [request] = provider.requests
        assert request.header("anthropic-beta") == "oauth-2025-04-20"
        assert request.header("anthropic-version")

    def test_a_refused_one_that_could_be_renewed(self, sandbox, provider) -> None:
        login = Login(sandbox, provider)
        login.endpoint.expire()
        done = sandbox.ccproxy("auth", "test", "claude")
        assert done.returncode == 0
        assert "the credential was renewed first" in done.stdout

    def test_a_refused_one(self, sandbox, provider) -> None:
        Login(sandbox, provider)
        done = sandbox.ccproxy("auth", "test", "key")
        assert done.returncode == 1
        assert "refused" in done.stdout
        assert "canary" not in done.stdout + done.stderr

    def test_a_provider_that_cannot_be_reached(self, sandbox) -> None:
        with refused_port() as port:
            sandbox.write_config(
                f"ccproxy: {{providers: {{x: {{type: openai, base_url: 'http://127.0.0.1:{port}', auth: echo k}}}}}}"
            )
            done = sandbox.ccproxy("auth", "test", "x")
        assert done.returncode == 1
        assert "connection refused" in done.stdout

    def test_one_without_a_list_of_models(self, sandbox, provider) -> None:
        provider.on("/models", _nothing())
        sandbox.write_config(
            f"ccproxy: {{providers: {{x: {{type: openai, base_url: '{provider.url}', auth: echo k}}}}}}"
        )
        done = sandbox.ccproxy("auth", "test", "x")
        assert done.returncode == 0
        assert "not refused" in done.stdout

    def test_the_demo_needs_none(self, sandbox, provider) -> None:
        Login(sandbox, provider)
        assert "needs no credential" in sandbox.ccproxy("auth", "test", "demo").stdout


def _nothing():
    from ccproxy.testing import native_error

    return native_error("openai", 404)
