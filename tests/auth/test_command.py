"""Credentials that a command prints."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from ccproxy.auth.command import CommandSource
from ccproxy.auth.config import Command
from ccproxy.errors import CredentialError
from ccproxy.util.clock import FakeClock

KEY = "sk-test-0123456789abcdef"


def source(command: str, *, clock: FakeClock | None = None, ttl: float = 30, timeout: float = 10) -> CommandSource:
    config = Command(command=command, ttl_seconds=ttl, timeout_seconds=timeout, header="x-api-key")
    return CommandSource(config, clock=clock or FakeClock(), provider="p")


async def test_what_it_prints_without_white_space() -> None:
    credential = await source(f"printf '  {KEY}\\n\\n'").get()
    assert (credential.value, credential.header) == (KEY, "x-api-key")
    assert KEY not in repr(credential)


async def test_the_output_is_used_for_its_time(tmp_path: Path) -> None:
    runs, clock = tmp_path / "runs", FakeClock()
    it = source(f"echo x >> {runs}; wc -l < {runs}", clock=clock, ttl=30)
    assert [(await it.get()).value for _ in range(3)] == ["1", "1", "1"]
    clock.advance(29.9)
    assert (await it.get()).value == "1"
    clock.set_wall(0)
    clock.advance(0.2)
    assert (await it.get()).value == "2", "only the monotonic clock counts"
    assert (await it.refresh()).value == "3"
    assert (await it.get()).value == "3"


async def test_many_at_once_run_it_once(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    it = source(f"echo x >> {runs}; wc -l < {runs}")
    found = await asyncio.gather(*(it.get() for _ in range(20)), *(it.refresh() for _ in range(20)))
    assert {credential.value for credential in found} == {"1"}


async def test_a_failure_says_what_and_why_and_is_not_remembered(tmp_path: Path) -> None:
    it = source(f"test -e {tmp_path}/there || {{ echo first >&2; echo 'vault is locked' >&2; exit 3; }}; echo {KEY}")
    with pytest.raises(CredentialError) as failed:
        await it.get()
    assert failed.value.status == 503
    assert failed.value.message == "provider 'p': its command failed with status 3: vault is locked"
    (tmp_path / "there").touch()
    assert (await it.get()).value == KEY


async def test_a_secret_on_stderr_is_not_repeated() -> None:
    with pytest.raises(CredentialError) as failed:
        await source(f"echo 'refused: Bearer {KEY}' >&2; exit 1").get()
    assert KEY not in str(failed.value)


async def test_one_that_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    with pytest.raises(CredentialError, match=r"did not end within 0\.2 seconds"):
        await source(f"sleep 600 & echo $! > {pid}; wait", timeout=0.2).get()
    child = int(pid.read_text())
    async with asyncio.timeout(10):
        while _alive(child):
            await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("command", "status", "words"),
    [
        ("true", 401, "is empty"),
        ("echo '  '", 401, "is empty"),
        ("printf 'a\\nb'", 503, "has 2 lines"),
        ("printf 'a\\000b'", 503, "holds something else|is not text"),
        ("printf '\\377'", 503, "holds something else|is not text"),
        ("head -c 70000 /dev/zero | tr '\\0' x", 503, "larger than 64 KiB"),
        ("kill -9 $$", 503, "signal SIGKILL"),
        ("no-such-program-anywhere", 503, "status 127"),
    ],
)
async def test_what_is_no_credential(command: str, status: int, words: str) -> None:
    with pytest.raises(CredentialError, match=words) as failed:
        await source(command).get()
    assert failed.value.status == status


async def test_it_cannot_wait_for_a_terminal() -> None:
    assert (await source(f"cat; echo {KEY}").get()).value == KEY


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]
    except (ProcessLookupError, FileNotFoundError):
        return False
