"""The file a running proxy leaves in the state directory, so that other commands find it.

`run-PORT.json`, mode 0600: process id and creation time (together they name one process: ids alone are reused),
address, version, configuration and log file. A file whose process is gone is stale and treated as absent.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import psutil

from ccproxy.util.fs import atomic_write
from ccproxy.util.paths import state_dir

#: How far two readings of one process's creation time may lie apart: the kernel rounds the time of boot to seconds.
TOLERANCE_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class RunFile:
    """One running proxy. `created` is when its process was created, in seconds after the machine's boot: unlike the
    time of day it does not move when the clock is set."""

    pid: int
    created: float
    host: str
    port: int
    version: str
    config: str
    log: str

    def process(self) -> psutil.Process | None:
        """The process, if it is still the one that wrote the file."""
        try:
            process = psutil.Process(self.pid)
            same = abs(_created(process) - self.created) < TOLERANCE_SECONDS
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.Error:
            return None


def of_this_process(*, host: str, port: int, version: str, config: Path | None, log: Path) -> RunFile:
    """The run file that this process should write."""
    return RunFile(
        pid=os.getpid(),
        created=_created(psutil.Process()),
        host=host,
        port=port,
        version=version,
        config=str(config or ""),
        log=str(log),
    )


def path_of(port: int) -> Path:
    """Where the run file of the proxy on `port` is."""
    return state_dir() / f"run-{port}.json"


def log_file_of(port: int) -> Path:
    """Where the proxy on `port` logs. One file per port: two proxies must not rotate the same file."""
    return state_dir() / f"ccproxy-{port}.log"


def write(run: RunFile) -> None:
    """Writes a run file. Raises OSError."""
    atomic_write(path_of(run.port), json.dumps(asdict(run), indent=2).encode() + b"\n")


def remove(run: RunFile) -> None:
    """Removes the run file if it still is `run`'s own."""
    if read(run.port) == run:
        path_of(run.port).unlink(missing_ok=True)


def read(port: int) -> RunFile | None:
    """The run file of `port`, stale or not; None if there is none or it makes no sense."""
    return _parse(path_of(port))


def live() -> list[RunFile]:
    """The proxies of this state directory that run now, by port."""
    runs = [run for run in map(_parse, state_dir().glob("run-*.json")) if run is not None]
    return sorted((run for run in runs if run.process() is not None), key=lambda run: run.port)


def _created(process: psutil.Process) -> float:
    return process.create_time() - psutil.boot_time()


def _parse(path: Path) -> RunFile | None:
    try:
        value = json.loads(path.read_bytes())
        run = RunFile(**{field.name: value[field.name] for field in fields(RunFile)})
    except (OSError, ValueError, KeyError, TypeError):
        return None
    sound = type(run.pid) is int and type(run.port) is int and type(run.created) is float and run.pid > 0
    return run if sound else None
