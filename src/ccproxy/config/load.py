"""The configuration from its sources: defaults, the file, `CCPROXY_*` variables, command line flags; later ones win.

Everything is checked before anything is used, and all problems are reported at once, a line each, with the place to
mend. The file is read as data only: no tags, no includes, nothing is run.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from ccproxy.config import rules, validate
from ccproxy.config.locate import read_file
from ccproxy.config.problems import Place, Problems, dotted
from ccproxy.config.settings import Settings
from ccproxy.config.sources import from_environment, from_overrides
from ccproxy.config.tree import Node, Table, merge
from ccproxy.errors import ConfigError
from ccproxy.telemetry.text import printable
from ccproxy.util.paths import CONFIG_NAME, config_dir

MOST_BYTES = 1024 * 1024

#: Tells one state of a file from another: modification time (ns), size (bytes), inode.
Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A configuration that can be used.

    Attributes:
        settings: the effective settings. Holds secrets, so it stays out of the representation.
        path: the file that was read, None if there was none.
        warnings: lines for the user about what is valid and may surprise.
        origins: where each setting that is not a default comes from: `providers.demo.type` → `FILE:3`.
        stamp: the state of the file that was read.
    """

    settings: Settings = field(repr=False)
    path: Path | None
    warnings: list[str]
    origins: Mapping[str, str] = field(default_factory=dict, repr=False)
    stamp: Stamp | None = None


def config_path(path: Path | None = None) -> Path:
    """The file that `load` reads: the given one, else ccproxy.yaml in the configuration directory."""
    return path.expanduser() if path is not None else config_dir() / CONFIG_NAME


def load(
    path: Path | None = None, *, env: Mapping[str, str], overrides: Mapping[str, object] | None = None
) -> LoadedConfig:
    """Reads and checks the configuration.

    Args:
        path: the file, which must exist; None for the default place, where a missing file means defaults.
        env: the environment variables; those that begin with `CCPROXY_` are settings.
        overrides: settings from the command line by dotted path (`gateway.drain_seconds`); None values are left out.

    Raises ConfigError with every problem there is, one line each.
    """
    problems = Problems()
    file = config_path(path)
    text, stamp = _read(file, problems, required=path is not None)
    name = printable(str(file))
    tree: Node = Table({}, Place(name)) if text is None else read_file(text, name, problems)
    tree = merge(merge(tree, from_environment(env, problems)), from_overrides(overrides or {}))
    data, origins = validate.check(tree, problems)
    rules.check(data, tree, problems)
    if problems:
        raise problems.error()
    try:
        settings = msgspec.convert(data, Settings)
    except msgspec.ValidationError as error:
        # Not reached unless a model constrains what `validate` does not know of. msgspec quotes no values.
        raise ConfigError(f"{name}: {error}") from None
    return LoadedConfig(
        settings=settings,
        path=None if stamp is None else file,
        warnings=[*rules.warnings(settings, tree), *_readable(file, settings)],
        origins={dotted(setting).removeprefix("ccproxy."): str(place) for setting, place in origins.items()},
        stamp=stamp,
    )


def _readable(file: Path, settings: Settings) -> list[str]:
    """A warning if other users can read the client keys in the file."""
    if not settings.gateway.client_keys:
        return []
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
    except OSError:
        return []
    if not mode & 0o044:
        return []
    name = printable(str(file))
    return [f"{name} holds client keys and other users can read it (mode {mode:o}): chmod 600 {name}"]


def stamp_of(status: os.stat_result) -> Stamp:
    """The state of a file, from its status."""
    return status.st_mtime_ns, status.st_size, status.st_ino


def _read(file: Path, problems: Problems, *, required: bool) -> tuple[str | None, Stamp | None]:
    """The file's text and state; no text where there is none to use, no state where there is no file."""
    place = Place(printable(str(file)))
    try:
        # Opening a pipe would wait for its writer, so not before it is known to be a file.
        status = file.stat()
        if not stat.S_ISREG(status.st_mode) and str(file) != os.devnull:
            problems.add(
                place, None, "is a directory, not a file" if stat.S_ISDIR(status.st_mode) else "is not a regular file"
            )
            return None, None
        with file.open("rb") as opened:
            stamp = stamp_of(os.fstat(opened.fileno()))
            raw = opened.read(MOST_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        if required:
            problems.add(place, None, "there is no such file; `ccproxy init` writes one")
        return None, None
    except (OSError, ValueError) as error:
        problems.add(place, None, f"cannot be read: {getattr(error, 'strerror', None) or error}")
        return None, None
    if len(raw) > MOST_BYTES:
        problems.add(place, None, f"is larger than {MOST_BYTES // 1024} KiB")
        return None, stamp
    try:
        return raw.decode("utf-8-sig"), stamp
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        problems.add(Place(place.source, line), None, f"not UTF-8 text (byte 0x{raw[error.start]:02x})")
        return None, stamp
