"""Watching the configuration file, with a clock of the test's own."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from ccproxy.config.load import LoadedConfig, load
from ccproxy.config.watch import POLL_SECONDS, SETTLE_SECONDS, ConfigWatcher
from ccproxy.errors import ConfigError


class Rig:
    """A watcher on a file, whose time passes when the test says so.

    `during_settle` are done one by one, each in one of the short waits in which a change settles.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.applied: list[LoadedConfig] = []
        self.loads = 0
        self.during_settle: list[Callable[[], object]] = []
        self.settles = 0
        self.refuse: Exception | None = None
        self._version = 0
        self._idle = asyncio.Event()
        self._tick = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        #: Further files that the configuration is made of.
        self.files: list[Path] = []
        self.watcher = ConfigWatcher(
            load(path_or_none(path), env={}), self.load, self.apply, files=lambda: self.files, sleep=self.sleep
        )

    def load(self) -> LoadedConfig:
        self.loads += 1
        return load(path_or_none(self.path), env={})

    def apply(self, loaded: LoadedConfig) -> Awaitable[None] | None:
        if self.refuse is not None:
            raise self.refuse
        self.applied.append(loaded)
        return None

    async def sleep(self, seconds: float) -> None:
        if seconds == SETTLE_SECONDS:
            self.settles += 1
            if self.during_settle:
                self.during_settle.pop(0)()
            return
        assert seconds == POLL_SECONDS
        self._idle.set()
        await self._tick.wait()
        self._tick.clear()

    def write(self, text: str, path: Path | None = None) -> None:
        """New content, with a time of change that no other version has."""
        self._version += 1
        path = path or self.path
        path.write_text(text)
        os.utime(path, ns=(self._version * 10**9, self._version * 10**9))

    async def looked(self) -> None:
        """Until the watcher waits for the next look."""
        await asyncio.wait_for(self._idle.wait(), 10)

    async def tick(self) -> None:
        """A second passes, and the watcher has looked."""
        await self.looked()
        self._idle.clear()
        self._tick.set()
        await self.looked()

    async def hup(self) -> None:
        """SIGHUP came, and the watcher has looked."""
        await self.looked()
        self._idle.clear()
        self.watcher.trigger()
        await self.looked()

    @property
    def ports(self) -> list[int]:
        return [loaded.settings.port for loaded in self.applied]

    def start(self) -> None:
        self._idle.clear()
        self._tick.clear()
        self._task = asyncio.create_task(self.watcher.run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task


def path_or_none(path: Path) -> Path | None:
    """As with the default place: a missing file means defaults."""
    return path if os.path.lexists(path) else None


@pytest.fixture
async def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Rig]:
    monkeypatch.setenv("CCPROXY_CONFIG_DIR", str(tmp_path / "none"))
    caplog.set_level(logging.INFO, logger="ccproxy.config.watch")
    path = tmp_path / "ccproxy.yaml"
    path.write_text("ccproxy: {port: 1}")
    made = Rig(path)
    made.start()
    yield made
    await made.stop()


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


async def test_nothing_is_read_while_nothing_changes(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    await rig.tick()
    await rig.tick()

    assert (rig.loads, rig.applied, caplog.records) == (0, [], [])


async def test_a_change_is_taken_over_once(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.write("ccproxy: {port: 2}")
    await rig.tick()
    await rig.tick()

    assert rig.ports == [2]
    assert rig.loads == 1
    assert warnings(caplog) == []
    assert caplog.messages == [f"took over the configuration {rig.path}"]


async def test_an_invalid_edit_keeps_the_old_one_and_says_so_once(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.write("ccproxy:\n  prot: 2\n  port: x\n")
    await rig.tick()
    await rig.tick()

    assert rig.applied == []
    assert len(warnings(caplog)) == 1
    assert f'{rig.path}:2: ccproxy.prot: unknown key "prot"; did you mean "port"?; {rig.path}:3:' in warnings(caplog)[0]

    rig.write("ccproxy: {port: 3}")
    await rig.tick()

    assert rig.ports == [3]
    assert len(warnings(caplog)) == 1


async def test_the_problem_is_known_while_there_is_one(rig: Rig) -> None:
    seen = [rig.watcher.problem]
    for text in ("ccproxy: {prot: 1}", "", "ccproxy: {port: 1}"):
        rig.write(text)
        await rig.tick()
        seen.append(rig.watcher.problem)
    rig.path.unlink()
    await rig.tick()
    seen.append(rig.watcher.problem)

    none, invalid, empty, mended, gone = seen
    assert none == mended == ""
    assert 'unknown key "prot"' in invalid
    assert "is empty" in empty
    assert "is gone" in gone


async def test_an_edit_that_is_undone_changes_nothing(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.write("ccproxy: [")
    await rig.tick()
    rig.write("ccproxy: {port: 1}  # as before")
    await rig.tick()

    assert rig.applied == []
    assert caplog.messages[-1] == f"the configuration {rig.path} was written again and says the same"


async def test_a_file_that_is_gone_keeps_the_old_one_and_says_so_once(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.path.unlink()
    await rig.tick()
    await rig.tick()

    assert (rig.loads, rig.applied) == (0, [])
    assert warnings(caplog) == [f"the configuration {rig.path} is gone; what was read from it stays in force"]

    rig.write("ccproxy: {port: 2}")
    await rig.tick()

    assert rig.ports == [2]
    rig.path.unlink()
    await rig.tick()
    assert len(warnings(caplog)) == 2


async def test_a_directory_that_is_gone_counts_as_a_file_that_is_gone(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.path.unlink()
    rig.path.parent.rmdir()
    await rig.tick()

    assert len(warnings(caplog)) == 1
    rig.path.parent.mkdir()


async def test_an_editor_that_moves_files_about_is_waited_for(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    # vim and others: the old file goes to a backup, the new one is written under the name.
    rig.path.rename(rig.path.with_suffix(".bak"))
    rig.during_settle = [
        lambda: rig.write(""),
        lambda: rig.write("ccproxy: {po"),
        lambda: rig.write("ccproxy: {port: 2}"),
    ]
    await rig.tick()

    assert rig.ports == [2]
    assert rig.loads == 1
    assert rig.settles == 4
    assert warnings(caplog) == []


async def test_a_change_while_it_is_read_is_read_again(rig: Rig) -> None:
    original = rig.load

    def load_and_change() -> LoadedConfig:
        loaded = original()
        if loaded.settings.port == 2:
            rig.write("ccproxy: {port: 3}")
        return loaded

    rig.watcher = ConfigWatcher(load(rig.path, env={}), load_and_change, rig.apply, sleep=rig.sleep)
    await rig.stop()
    rig.start()
    rig.write("ccproxy: {port: 2}")
    await rig.tick()
    await rig.tick()
    await rig.tick()

    assert rig.ports == [2, 3]


async def test_an_empty_file_is_not_taken_for_a_wish(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.write("")
    await rig.tick()
    await rig.tick()

    assert (rig.loads, rig.applied) == (0, [])
    assert warnings(caplog) == [f"the configuration {rig.path} is empty; what was read from it stays in force"]

    await rig.hup()

    assert rig.ports == [4000]


async def test_a_signal_reloads_at_once_even_what_is_unchanged(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    await rig.hup()
    await rig.hup()

    assert rig.ports == [1, 1]
    assert rig.settles == 0

    rig.write("ccproxy: {port: x}")
    await rig.hup()
    await rig.tick()

    assert rig.ports == [1, 1]
    assert len(warnings(caplog)) == 1


async def test_a_signal_without_a_file_keeps_the_old_one(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.path.unlink()
    await rig.hup()
    await rig.tick()

    assert rig.applied == []
    assert len(warnings(caplog)) == 1


async def test_a_file_that_comes_later_is_picked_up(tmp_path: Path, rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    late = Rig(tmp_path / "none" / "ccproxy.yaml")
    late.start()
    try:
        await late.tick()
        await late.hup()
        assert (late.applied, caplog.records) == ([], [])
        late.path.parent.mkdir()
        late.write("ccproxy: {port: 5}")
        await late.tick()
        assert late.ports == [5]
    finally:
        await late.stop()


async def test_a_configuration_that_cannot_be_applied_is_like_an_invalid_one(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.refuse = ConfigError("no such ca_file")
    rig.write("ccproxy: {port: 2}")
    await rig.tick()
    assert warnings(caplog) == [
        "the changed configuration is not taken over, the previous one stays in force: no such ca_file"
    ]

    rig.refuse = None
    rig.write("ccproxy: {port: 2} ")
    await rig.tick()
    assert rig.ports == [2]


async def test_a_bug_does_not_end_the_watching(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.refuse = ZeroDivisionError("bug")
    rig.write("ccproxy: {port: 2}")
    await rig.tick()
    assert len(warnings(caplog)) == 1
    assert caplog.records[-1].exc_info is not None

    rig.refuse = None
    rig.write("ccproxy: {port: 3}")
    await rig.tick()
    assert rig.ports == [3]


async def test_applying_may_take_its_time(rig: Rig) -> None:
    order: list[str] = []

    async def apply(loaded: LoadedConfig) -> None:
        order.append("begun")
        await asyncio.sleep(0)
        order.append(f"applied {loaded.settings.port}")

    await rig.stop()
    rig.watcher = ConfigWatcher(load(rig.path, env={}), rig.load, apply, sleep=rig.sleep)
    rig.start()
    rig.write("ccproxy: {port: 2}")
    await rig.tick()

    assert order == ["begun", "applied 2"]


@pytest.mark.parametrize("kind", ["directory", "loop"])
async def test_what_cannot_be_looked_at_or_read_is_a_warning(
    rig: Rig, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    rig.path.unlink()
    if kind == "directory":
        rig.path.mkdir()
    else:
        rig.path.symlink_to(rig.path)
    await rig.tick()
    await rig.tick()

    assert rig.applied == []
    assert len(warnings(caplog)) == 1


class TestFurtherFiles:
    """Files that the configuration names, such as hooks."""

    async def test_an_edit_is_taken_over_though_the_settings_are_the_same(self, rig: Rig) -> None:
        hook = rig.path.parent / "hook.py"
        rig.files = [hook]
        await rig.tick()
        seen = len(rig.applied)
        rig.write("one", hook)
        await rig.tick()
        assert len(rig.applied) == seen + 1
        await rig.tick()
        assert len(rig.applied) == seen + 1

    async def test_an_edit_settles_first(self, rig: Rig) -> None:
        hook = rig.path.parent / "hook.py"
        rig.files = [hook]
        await rig.tick()
        seen = len(rig.applied)
        rig.write("", hook)
        rig.during_settle = [lambda: rig.write("whole", hook)]
        await rig.tick()
        assert len(rig.applied) == seen + 1

    async def test_one_that_was_refused_is_tried_again_when_it_changes(self, rig: Rig) -> None:
        hook = rig.path.parent / "hook.py"
        rig.files = [hook]
        rig.write("bad", hook)
        rig.refuse = ConfigError("hook.py cannot be loaded")
        await rig.tick()
        assert "hook.py cannot be loaded" in rig.watcher.problem
        rig.refuse = None
        seen = len(rig.applied)
        rig.write("good", hook)
        await rig.tick()
        assert (len(rig.applied), rig.watcher.problem) == (seen + 1, "")
