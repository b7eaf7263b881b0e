from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from ccproxy.auth.build import SourceBuilder, no_network
from ccproxy.auth.call import TokenRequest
from ccproxy.auth.config import AnthropicOAuth, Auth, CodexOAuth, Command, File, GoogleOAuth
from ccproxy.auth.discover import OAuthClient
from ccproxy.errors import CredentialError
from ccproxy.testing import jwt
from ccproxy.util.clock import FakeClock

from .support import Endpoint, access, renewed


async def test_each_kind_has_its_source(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from-file")
    (tmp_path / "key").chmod(0o600)
    (tmp_path / "claude.json").write_text('{"claudeAiOauth":{"accessToken":"sk-ant-oat01-x"}}')
    (tmp_path / "google.json").write_text('{"access_token":"ya29.x"}')
    (tmp_path / "codex.json").write_text(json.dumps({"tokens": {"access_token": "x", "account_id": "acc"}}))
    cases: list[tuple[Auth | str, str, str]] = [
        ("printf from-string", "command", "from-string"),
        (Command(command="printf from-command"), "command", "from-command"),
        (File(file=f"{tmp_path}/key"), f"file {tmp_path}/key", "from-file"),
        (
            AnthropicOAuth(file_path=f"{tmp_path}/claude.json"),
            f"anthropic_oauth (file {tmp_path}/claude.json)",
            "sk-ant-oat01-x",
        ),
        (GoogleOAuth(file_path=f"{tmp_path}/google.json"), f"google_oauth (file {tmp_path}/google.json)", "ya29.x"),
        (CodexOAuth(file_path=f"{tmp_path}/codex.json"), f"codex_oauth (file {tmp_path}/codex.json)", "x"),
    ]
    for auth, label, value in cases:
        source = SourceBuilder(clock=FakeClock()).source(auth, "x")

        assert source.label == label
        assert (await source.get()).value == value
        assert source.status().problem == ""
        await source.close()


def test_no_credential_is_no_source() -> None:
    assert SourceBuilder(clock=FakeClock()).pool(None, "x") is None


def test_a_list_is_several_in_its_order() -> None:
    builder = SourceBuilder(clock=FakeClock())
    pool = builder.pool(["printf a", File(file="/k")], "x")

    assert pool is not None
    assert pool.label == "command, file /k"
    assert len(pool) == 2
    single = builder.pool("printf a", "x")
    assert single is not None
    assert single.label == "command"


async def test_who_only_reads_asks_nobody() -> None:
    with pytest.raises(CredentialError):
        await no_network(TokenRequest("http://127.0.0.1:1", "", b""))


async def test_the_settings_reach_the_source(tmp_path: Path) -> None:
    clock = FakeClock()
    endpoint = Endpoint([(200, {"access_token": "ya29.new", "expires_in": 100})])
    builder = SourceBuilder(clock=clock, post=endpoint, discover=lambda: OAuthClient("id", "secret"))
    file = tmp_path / "g.json"
    file.write_text(
        json.dumps({"access_token": "ya29.a", "refresh_token": "r", "expiry_date": (clock.wall() + 500) * 1000})
    )
    config = GoogleOAuth(
        file_path=str(file), header="x-token", headroom_seconds=600, timeout_seconds=3, endpoint="http://127.0.0.1:1/t"
    )

    credential = await builder.source(config, "g").get()

    assert (credential.value, credential.header) == ("ya29.new", "x-token")
    [request] = endpoint.requests
    assert (request.timeout, request.url) == (3, "http://127.0.0.1:1/t")
    read_only = GoogleOAuth(file_path=str(file), headroom_seconds=600, refresh=False)
    assert (await builder.source(read_only, "g").get()).value == "ya29.new"
    assert len(endpoint.requests) == 1


async def test_claude_code_is_kept_out_while_its_login_is_renewed(tmp_path: Path) -> None:
    clock = FakeClock()
    endpoint = Endpoint([renewed(2)])
    endpoint.gate = asyncio.Event()
    folder = tmp_path / ".claude"
    folder.mkdir()
    (folder / ".credentials.json").write_text(
        json.dumps({"claudeAiOauth": {"accessToken": "a", "refreshToken": "r", "expiresAt": 1}})
    )
    source = SourceBuilder(clock=clock, post=endpoint).source(
        AnthropicOAuth(file_path=str(folder / ".credentials.json")), "c"
    )
    asked = asyncio.create_task(source.get())
    await endpoint.arrived.wait()

    assert (folder / ".oauth_refresh.lock").is_dir()
    assert (tmp_path / ".claude.lock").is_dir()

    endpoint.gate.set()
    assert (await asked).value == access(2)
    assert sorted(path.name for path in tmp_path.rglob("*")) == [".claude", ".credentials.json"]


class Security:
    """A keychain that has Claude Code's login, which has expired."""

    def __init__(self) -> None:
        self.calls = 0

    async def __call__(self, arguments: Sequence[str], stdin: bytes) -> tuple[int, bytes]:
        self.calls += 1
        login = {"accessToken": "old", "refreshToken": "r", "expiresAt": 1}
        return 0, json.dumps({"claudeAiOauth": login}).encode()


@pytest.mark.parametrize(
    ("platform", "config", "expected"),
    [
        ("darwin", AnthropicOAuth(), True),
        ("darwin", AnthropicOAuth(keychain="never"), False),
        ("darwin", AnthropicOAuth(file_path="/none/x.json"), False),
        ("darwin", AnthropicOAuth(file_path="/none/x.json", keychain="always"), True),
        ("linux", AnthropicOAuth(), False),
    ],
)
async def test_the_keychain_is_asked_on_macos(
    platform: str, config: AnthropicOAuth, expected: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    security = Security()
    source = SourceBuilder(clock=FakeClock(), platform=platform, run=security).source(config, "c")

    with pytest.raises(CredentialError) as caught:
        await source.get()

    assert (security.calls > 0) is expected
    # What stands in the keychain is Claude Code's to renew, unless told otherwise.
    assert ("not to renew it" in str(caught.value)) is expected


async def test_a_login_in_the_keychain_is_renewed_when_told_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    endpoint = Endpoint([renewed(2)])
    builder = SourceBuilder(clock=FakeClock(), platform="darwin", run=Security(), post=endpoint)

    assert (await builder.source(AnthropicOAuth(refresh=True), "c").get()).value == access(2)


def test_a_jwt_of_the_kit_is_one() -> None:
    assert jwt({}).count(".") == 2
