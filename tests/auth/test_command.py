from __future__ import annotations

import asyncio
import os
import re
import shlex
from pathlib import Path

import pytest

from ccproxy.auth.command import CommandSource
from ccproxy.auth.config import Command
from ccproxy.errors import CredentialError
from ccproxy.util.clock import FakeClock

PATIENCE = 10.0


class Counted:
    """A command that says how often it has run, and a source for it."""

    def __init__(self, directory: Path, *, ttl: float = 30.0) -> None:
        self._log = directory / "runs"
        self.clock = FakeClock()
        command = (
            f"echo run >> {shlex.quote(str(self._log))}; echo key-$(wc -l < {shlex.quote(str(self._log))} | tr -d ' ')"
        )
        self.source = CommandSource(Command(command=command, ttl_seconds=ttl), clock=self.clock, provider="p")

    @property
    def runs(self) -> int:
        return len(self._log.read_text().splitlines()) if self._log.exists() else 0


def source(command: str, **settings: float) -> CommandSource:
    return CommandSource(Command(command=command, **settings), clock=FakeClock(), provider="deepseek")  # type: ignore[arg-type]


async def failure(command: str, **settings: float) -> CredentialError:
    """What a source of this command raises."""
    with pytest.raises(CredentialError) as caught:
        await asyncio.wait_for(source(command, **settings).get(), PATIENCE)
    return caught.value


class TestRunning:
    async def test_its_output_is_the_credential(self) -> None:
        mine = CommandSource(
            Command(command="echo '  sk-dummy '; echo noise >&2", header="X-Api-Key"), clock=FakeClock(), provider="p"
        )

        credential = await mine.get()

        assert credential.value == "sk-dummy"
        assert credential.header == "x-api-key"
        assert mine.label == "command"
        assert "sk-dummy" not in repr(credential)

    async def test_the_shell_and_the_environment_are_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DEEPSEEK_API_KEY", "sk-from-env")

        assert (await source("printenv DEEPSEEK_API_KEY | tr a-z A-Z && true").get()).value == "SK-FROM-ENV"

    async def test_nothing_is_on_its_input(self) -> None:
        assert (await source("cat; echo sk-dummy").get()).value == "sk-dummy"

    async def test_it_has_a_process_group_of_its_own(self) -> None:
        group = int((await source("ps -o pgid= -p $$ 2>/dev/null || cut -d' ' -f5 /proc/$$/stat").get()).value)

        assert group != os.getpgid(0)

    async def test_the_event_loop_goes_on_meanwhile(self, tmp_path: Path) -> None:
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        getting = asyncio.create_task(source(f"cat {shlex.quote(str(pipe))}").get())

        await asyncio.to_thread(pipe.write_text, "sk-dummy")

        assert (await getting).value == "sk-dummy"

    async def test_much_error_output_does_not_block_it(self) -> None:
        assert (await source("head -c 1000000 /dev/zero >&2; echo sk-dummy").get()).value == "sk-dummy"


class TestCache:
    async def test_the_output_is_used_for_its_time(self, tmp_path: Path) -> None:
        counted = Counted(tmp_path, ttl=30.0)

        assert (await counted.source.get()).value == "key-1"
        counted.clock.advance(29.9)
        assert (await counted.source.get()).value == "key-1"
        counted.clock.advance(0.1)
        assert (await counted.source.get()).value == "key-2"
        assert counted.runs == 2

    async def test_a_change_of_the_wall_clock_changes_nothing(self, tmp_path: Path) -> None:
        counted = Counted(tmp_path)
        await counted.source.get()

        counted.clock.set_wall(0.0)
        await counted.source.get()
        counted.clock.set_wall(4e9)
        await counted.source.get()

        assert counted.runs == 1

    async def test_zero_runs_it_each_time(self, tmp_path: Path) -> None:
        counted = Counted(tmp_path, ttl=0.0)

        assert [(await counted.source.get()).value for _ in range(2)] == ["key-1", "key-2"]

    async def test_refresh_does_not_ask_the_cache_and_fills_it(self, tmp_path: Path) -> None:
        counted = Counted(tmp_path)
        await counted.source.get()

        assert (await counted.source.refresh()).value == "key-2"
        assert (await counted.source.get()).value == "key-2"

    async def test_a_failure_is_not_remembered(self, tmp_path: Path) -> None:
        key = tmp_path / "key"
        mine = source(f"cat {shlex.quote(str(key))}")
        with pytest.raises(CredentialError):
            await mine.get()

        key.write_text("sk-dummy")

        assert (await mine.get()).value == "sk-dummy"


class TestSingleFlight:
    async def test_many_who_ask_make_one_run(self, tmp_path: Path) -> None:
        counted = Counted(tmp_path)

        credentials = await asyncio.gather(
            *(counted.source.get() for _ in range(20)), *(counted.source.refresh() for _ in range(20))
        )

        assert {credential.value for credential in credentials} == {"key-1"}
        assert counted.runs == 1

    async def test_one_who_gives_up_does_not_stop_it_for_the_others(self, tmp_path: Path) -> None:
        counted = Counted(tmp_path)
        impatient, patient = (asyncio.create_task(counted.source.get()) for _ in range(2))
        await asyncio.sleep(0)

        impatient.cancel()

        assert (await patient).value == "key-1"
        assert impatient.cancelled()
        assert counted.runs == 1

    async def test_a_failure_reaches_all(self) -> None:
        mine = source("exit 3")

        results = await asyncio.gather(*(mine.get() for _ in range(5)), return_exceptions=True)

        assert all(isinstance(result, CredentialError) for result in results)


class TestFailures:
    async def test_a_status_and_the_last_line_of_the_error_output(self) -> None:
        error = await failure("echo first >&2; echo 'vault is locked' >&2; exit 7")

        assert error.message == "provider 'deepseek': its command failed with status 7: vault is locked"
        assert error.hint == "run it in a shell; see providers.deepseek.auth"
        assert error.status == 503

    async def test_without_error_output(self) -> None:
        assert (await failure("exit 1")).message == "provider 'deepseek': its command failed with status 1"

    async def test_a_command_that_is_not_there(self) -> None:
        assert "failed with status 127: " in (await failure("no-such-command-anywhere")).message

    async def test_a_signal(self) -> None:
        assert "failed with signal SIGTERM" in (await failure("kill -TERM $$")).message

    async def test_no_output(self) -> None:
        error = await failure("true")

        assert error.message == "provider 'deepseek': the output of its command is empty"
        assert error.status == 401

    async def test_output_that_is_no_credential(self) -> None:
        assert "has 2 lines" in (await failure("printf 'a\\nx-injected: b'")).message

    async def test_a_command_line_that_is_none(self) -> None:
        assert "its command is not a command line" in (await failure("a\0b")).message

    async def test_endless_output_is_ended_at_once(self) -> None:
        assert "is larger than 64 KiB" in (await failure("yes", timeout_seconds=1000.0)).message

    async def test_output_of_a_failed_command_is_not_used(self) -> None:
        assert "sk-dummy" not in (await failure("echo sk-dummy; exit 1")).message


class TestTimeLimit:
    async def test_the_whole_group_is_ended(self, tmp_path: Path) -> None:
        pids = tmp_path / "pids"
        command = f"sleep 1000 & echo $$ $! > {shlex.quote(str(pids))}; echo waiting for a password >&2; wait"

        error = await failure(command, timeout_seconds=0.5)

        assert error.message == (
            "provider 'deepseek': its command did not end within 0.5 seconds: waiting for a password"
        )
        assert error.status == 503
        for pid in map(int, pids.read_text().split()):
            await gone(pid)

    async def test_a_child_that_keeps_the_output_open(self) -> None:
        assert "did not end within" in (await failure("sleep 1000 & echo sk-dummy", timeout_seconds=0.2)).message

    async def test_cancelling_ends_it_too(self, tmp_path: Path) -> None:
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        mine = source(f"echo $$ > {shlex.quote(str(pipe))}; exec sleep 1000", timeout_seconds=1000.0)
        getting = asyncio.create_task(mine.get())
        pid = int(await asyncio.to_thread(pipe.read_text))
        before = {task for task in asyncio.all_tasks() if task.get_name().startswith("single-flight")}

        getting.cancel()
        for task in before:  # as the end of the event loop does
            task.cancel()
        await asyncio.gather(getting, *before, return_exceptions=True)

        await gone(pid)


async def gone(pid: int) -> None:
    """Returns when there is no such process, or only what init has not yet collected of it."""
    async with asyncio.timeout(PATIENCE):
        while alive(pid):
            await asyncio.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not (status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z")


class TestSecrets:
    @pytest.mark.parametrize(
        "said",
        [
            "token sk-canary-0123456789 is expired",
            "Authorization: Bearer canary0123456789abcdef",
            "GET https://vault.corp/v1?token=canary0123",
            "unknown key canary0123456789canary0123",
            "password=canary99",
        ],
    )
    async def test_what_looks_like_a_key_is_not_in_the_message(self, said: str) -> None:
        error = await failure(f"echo {shlex.quote(said)} >&2; exit 1")

        assert "canary" not in str(error)
        assert "…" in error.message

    async def test_nor_what_the_command_has_printed(self) -> None:
        error = await failure("echo correct-horse-canary; echo 'rejected: correct-horse-canary' >&2; exit 1")

        assert "canary" not in re.sub("…nary", "…", error.message)

    async def test_ordinary_words_stay(self) -> None:
        said = "ERROR: /run/secrets/deepseek: item 'DeepSeek API key' not found in vault Private (exit 2)"

        assert (await failure(f"echo {shlex.quote(said)} >&2; exit 1")).message.endswith(said)

    async def test_the_line_is_short_and_plain(self) -> None:
        error = await failure("printf '\\033[31m' >&2; printf 'word %.0s' $(seq 500) >&2; exit 1")

        assert len(error.message) < 300
        assert error.message.isprintable()
