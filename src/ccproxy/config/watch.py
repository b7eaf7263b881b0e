"""Takes a changed configuration over while the proxy runs, and changed files that belong to it (hooks).

The file's status is looked at about once a second, which works on every file system and with every editor. A change is
let settle before it is read, so that an editor's moment of an empty or missing file is not taken for the new content.
Loading happens in a thread. Whatever goes wrong, the settings in force stay in force and one WARNING says why.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from ccproxy.config.load import LoadedConfig, Stamp, config_path, stamp_of
from ccproxy.errors import CCProxyError

_log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
SETTLE_SECONDS = 0.25

#: The file as last looked at: its state, None for a missing file, or why it could not be looked at.
_Seen = Stamp | str | None


class ConfigWatcher:
    """Watches one configuration file and hands each new valid configuration to `apply`.

    Args:
        current: the configuration in force; its file is watched, or the default place if it has none.
        load: loads the configuration anew; runs in a thread; raises ConfigError.
        apply: takes a configuration over; runs in the event loop, may be a coroutine function. If it raises a
            CCProxyError the configuration in force counts as unchanged.
        files: the further files that the configuration in force, or the last one that was tried, is made of.
        sleep: waits for a number of seconds.
    """

    def __init__(
        self,
        current: LoadedConfig,
        load: Callable[[], LoadedConfig],
        apply: Callable[[LoadedConfig], Awaitable[None] | None],
        *,
        files: Callable[[], Iterable[Path]] = tuple,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._path = current.path or config_path()
        self._current = current
        self._load = load
        self._apply = apply
        self._files = files
        self._sleep = sleep
        self._seen: _Seen = current.stamp
        self._files_seen = self._file_states()
        self._existed = current.stamp is not None
        self._problem = ""
        self._asked = asyncio.Event()

    @property
    def problem(self) -> str:
        """Why the file as it is now is not in force, in one line; "" if it is."""
        return self._problem

    def trigger(self) -> None:
        """Asks for a reload now, changed or not (SIGHUP). To be called in the event loop; returns at once."""
        self._asked.set()

    async def run(self) -> None:
        """Watches until it is cancelled. To be run as a background task."""
        while True:
            await self._pause()
            asked = self._asked.is_set()
            self._asked.clear()
            try:
                await self._look(asked=asked)
            except Exception:  # noqa: BLE001 - the boundary of the background task: a bug here must not end the watching
                _log.exception("looking at the configuration %s failed", self._path)

    async def _pause(self) -> None:
        """Until it is time to look again, or somebody asks for it."""
        waits = [asyncio.ensure_future(self._sleep(POLL_SECONDS)), asyncio.ensure_future(self._asked.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    async def _look(self, *, asked: bool) -> None:
        seen, files = self._status(), self._file_states()
        if seen == self._seen and files == self._files_seen and not asked:
            return
        while not asked and (later := await self._settled()) != (seen, files):
            seen, files = later
        # A further file has no state of its own in the settings, so its change is taken over as if it was asked for.
        asked = asked or (seen == self._seen and files != self._files_seen)
        self._seen, self._files_seen = seen, files
        if seen is None:
            # Where there never was a file, none is missed.
            if self._existed:
                self._keep(f"the configuration {self._path} is gone; what was read from it stays in force")
            return
        self._existed = True
        if _is_empty(seen) and not asked:
            # A program that writes slowly, or a mistake; it would drop all providers and client keys.
            self._keep(f"the configuration {self._path} is empty; what was read from it stays in force")
            return
        await self._reload(asked=asked)
        # Files that are new to the configuration; of those known before, what was seen before they were read.
        self._files_seen = self._file_states() | {path: files[path] for path in files if path in self._files()}

    async def _settled(self) -> tuple[_Seen, dict[Path, _Seen]]:
        await self._sleep(SETTLE_SECONDS)
        return self._status(), self._file_states()

    async def _reload(self, *, asked: bool) -> None:
        try:
            loaded = await asyncio.to_thread(self._load)
            if loaded.stamp is None:
                # Gone between the look and the read: the next look says so.
                return
            # Exactly what was read; a change made meanwhile is seen by the next look.
            self._seen = loaded.stamp
            same = loaded.settings == self._current.settings
            if not same or asked:
                pending = self._apply(loaded)
                if pending is not None:
                    await pending
        except CCProxyError as error:
            problems = "; ".join(str(error).splitlines())
            self._keep(f"the changed configuration is not taken over, the previous one stays in force: {problems}")
            return
        self._current = loaded
        self._problem = ""
        if same and not asked:
            _log.info("the configuration %s was written again and says the same", self._path)
        else:
            _log.info("took over the configuration %s", self._path)

    def _keep(self, problem: str) -> None:
        self._problem = problem
        _log.warning("%s", problem)

    def _file_states(self) -> dict[Path, _Seen]:
        return {path: self._status(path) for path in self._files()}

    def _status(self, path: Path | None = None) -> _Seen:
        try:
            return stamp_of((path or self._path).stat())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            return error.strerror or "unreadable"


def _is_empty(seen: _Seen) -> bool:
    return isinstance(seen, tuple) and seen[1] == 0
