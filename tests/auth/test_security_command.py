"""A login in the macOS keychain, with a `security` command that is a real process: a stand-in that is found by its name.

It keeps its entries in a folder, one file each, and writes down how it was called.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from ccproxy.auth.build import SourceBuilder
from ccproxy.auth.config import AnthropicOAuth
from ccproxy.auth.keychain import KEPT, KeychainStore, run_command
from ccproxy.auth.oauth import OAuthSource
from ccproxy.auth.reading import Unreadable
from ccproxy.errors import CredentialError
from ccproxy.util.clock import FakeClock

from .support import REFUSED, Answer, Endpoint, renewed

SERVICE = "Claude Code-credentials"
SECURITY = f"""#!{sys.executable}
import pathlib, shlex, sys, time
home = pathlib.Path(__file__).parent
with (home / "calls").open("a") as calls:
    calls.write(" ".join(sys.argv[1:]) + "\\n")
if (home / "locked").exists():
    sys.exit(int((home / "locked").read_text()))
if (home / "asks").exists():
    time.sleep(3600)
if sys.argv[1] == "-i":
    words = shlex.split(sys.stdin.read())
    entry = home / f"entry {{words[words.index('-s') + 1]}} {{words[words.index('-a') + 1]}}"
    entry.write_bytes(bytes.fromhex(words[words.index("-X") + 1]))
else:
    _, _, account, _, service, _ = sys.argv[1:]
    entry = home / f"entry {{service}} {{account}}"
    if not entry.exists():
        print("security: SecKeychainSearchCopyNext: The specified item could not be found.", file=sys.stderr)
        sys.exit(44)
    content = entry.read_bytes()
    sys.stdout.write((content.decode() if content.isascii() else content.hex()) + "\\n")
"""


class Mac:
    """A machine with the command, the login of one user in its keychain, and a source for it."""

    def __init__(self, folder: Path, *answers: Answer, **config: Any) -> None:
        self.folder = folder / "bin"
        self.folder.mkdir()
        command = self.folder / "security"
        command.write_text(SECURITY)
        command.chmod(0o755)
        self.entry = self.folder / f"entry {SERVICE} me"
        self.clock = FakeClock()
        self.endpoint = Endpoint(list(answers))
        builder = SourceBuilder(clock=self.clock, post=self.endpoint, platform="darwin")
        source = builder.source(AnthropicOAuth(**config), "claude")
        assert isinstance(source, OAuthSource)
        self.source = source

    def write(self, number: int = 1, *, lifetime: float = 3600.0, **more: object) -> None:
        """What Claude Code keeps there."""
        login = {
            "accessToken": f"sk-ant-oat01-{number:04d}-canary-access",
            "refreshToken": f"sk-ant-ort01-{number:04d}-canary-refresh",
            "expiresAt": int((self.clock.wall() + lifetime) * 1000),
            **more,
        }
        self.entry.write_text(json.dumps({"claudeAiOauth": login, "mcpOAuth": {"kept": "ä"}}, ensure_ascii=False))

    @property
    def calls(self) -> list[str]:
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture(autouse=True)
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody called `me`, whose commands are found in `bin` first."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "me")


async def test_the_login_is_read_and_nothing_but_read(tmp_path: Path) -> None:
    mac = Mac(tmp_path)
    mac.write()
    assert (await mac.source.get()).value == "sk-ant-oat01-0001-canary-access"
    assert mac.calls == [f"find-generic-password -a me -s {SERVICE} -w"]
    assert mac.source.label == f"anthropic_oauth (keychain entry '{SERVICE}')"
    mac.clock.advance(7200)
    with pytest.raises(CredentialError, match="ccproxy is not to renew it") as caught:
        await mac.source.get()
    assert "use Claude Code once" in caught.value.hint
    assert mac.endpoint.requests == [], "its refresh token belongs to another program"


async def test_what_claude_code_renews_is_seen(tmp_path: Path) -> None:
    mac = Mac(tmp_path)
    mac.write(1)
    await mac.source.get()
    mac.write(2)
    mac.clock.advance(KEPT)
    assert (await mac.source.get()).value == "sk-ant-oat01-0002-canary-access"


async def test_many_at_once_start_it_once(tmp_path: Path) -> None:
    mac = Mac(tmp_path)
    mac.write()
    found = await asyncio.gather(*(mac.source.get() for _ in range(20)))
    assert len({each.value for each in found}) == 1
    assert len(mac.calls) == 1


async def test_told_to_it_renews_and_writes_back_past_every_list_of_processes(tmp_path: Path) -> None:
    mac = Mac(tmp_path, renewed(2), refresh=True)
    mac.write(lifetime=-5)
    assert (await mac.source.get()).value == "sk-ant-oat01-0002-canary-access"
    kept = json.loads(mac.entry.read_text())
    assert kept["claudeAiOauth"]["refreshToken"] == "sk-ant-ort01-0002-canary-refresh"
    assert kept["mcpOAuth"] == {"kept": "ä"}
    assert "-i" in mac.calls
    assert "canary" not in "\n".join(mac.calls)
    mac.clock.advance(KEPT)
    assert (await mac.source.get()).value == "sk-ant-oat01-0002-canary-access"
    assert len(mac.endpoint.requests) == 1


async def test_a_refused_one_says_how_to_log_in(tmp_path: Path) -> None:
    mac = Mac(tmp_path, REFUSED, refresh=True)
    mac.write(lifetime=-5)
    with pytest.raises(CredentialError, match="is refused") as caught:
        await mac.source.get()
    assert "/login" in caught.value.hint


async def test_without_an_entry_the_file_counts(tmp_path: Path) -> None:
    mac = Mac(tmp_path)
    login = {"accessToken": "sk-ant-oat01-from-the-file", "refreshToken": "r", "expiresAt": 4_102_444_800_000}
    (tmp_path / ".claude").mkdir()
    (tmp_path / ".claude" / ".credentials.json").write_text(json.dumps({"claudeAiOauth": login}))
    assert (await mac.source.get()).value == "sk-ant-oat01-from-the-file"
    assert mac.source.status().renews, "a file is shared, as everywhere"


async def test_a_locked_keychain_is_told(tmp_path: Path) -> None:
    mac = Mac(tmp_path)
    (mac.folder / "locked").write_text("36")
    with pytest.raises(CredentialError, match=r"status 36; is the keychain locked\?"):
        await mac.source.get()


async def test_one_that_asks_the_user_and_gets_no_answer_is_ended(tmp_path: Path) -> None:
    mac = Mac(tmp_path)
    (mac.folder / "asks").touch()

    async def impatient(arguments: Any, stdin: bytes) -> tuple[int, bytes]:
        return await run_command(arguments, stdin, seconds=0.2)

    store = KeychainStore(SERVICE, folder=tmp_path, clock=mac.clock, run=impatient)
    with pytest.raises(Unreadable, match=r"is a dialog of the system open\?"):
        await store.load()


async def test_who_gives_up_ends_it(tmp_path: Path) -> None:
    mac = Mac(tmp_path)
    (mac.folder / "asks").touch()
    asking = asyncio.create_task(run_command(["security", "find-generic-password"], b""))
    while not mac.calls:
        await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
