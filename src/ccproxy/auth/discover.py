"""Finds the OAuth client of an installed gemini-cli in its program text.

gemini-cli publishes it as two constants, `OAUTH_CLIENT_ID` and `OAUTH_CLIENT_SECRET`, in its bundle or in its core
package. The file that holds its `oauth2` module is looked for; where a bundle defines such constants several times, the
ones that follow the mark of that module count.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

_PACKAGES = ("@google/gemini-cli", "@google/gemini-cli-core")
_MARK = b"code_assist/oauth2"
_ID = re.compile(rb"\bOAUTH_CLIENT_ID\s*=\s*[\"'`]([\w.-]{8,200})[\"'`]")
_SECRET = re.compile(rb"\bOAUTH_CLIENT_SECRET\s*=\s*[\"'`]([\w.-]{8,200})[\"'`]")
_LARGEST = 64 * 1024 * 1024
_PLACES = ("bundle", "dist")


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """An OAuth client: its id, and its secret or ""."""

    id: str
    secret: str = field(default="", repr=False)


def find_client(packages: Iterable[Path]) -> OAuthClient | None:
    """The client in the first of the packages that has one. Reads files; call it beside the event loop."""
    for package in packages:
        for file in _candidates(package):
            if (found := _client_in(file)) is not None:
                return found
    return None


def installed_packages(path: str | None = None) -> Iterator[Path]:
    """The folders of gemini-cli that the command `gemini` belongs to.

    Args:
        path: folders to look for the command in, as in PATH; None takes PATH.
    """
    command = shutil.which("gemini", path=path)
    if command is None:
        return
    real = Path(command).resolve()
    for folder in real.parents:
        if folder.name == "gemini-cli" and folder.parent.name == "@google":
            yield folder
        for modules in (folder / "node_modules", folder / "lib" / "node_modules"):
            for name in _PACKAGES:
                if (modules / name).is_dir():
                    yield modules / name


def _candidates(package: Path) -> Iterator[Path]:
    """The program files of a package, its dependencies left out; those that are called after the module first."""
    files: list[Path] = []
    for place in _PLACES:
        for folder, folders, names in os.walk(package / place):
            folders[:] = sorted(name for name in folders if name != "node_modules")
            files += [Path(folder, name) for name in names if name.endswith((".js", ".mjs", ".cjs"))]
    yield from sorted(files, key=lambda file: (file.stem != "oauth2", str(file)))
    core = package / "node_modules" / "@google" / "gemini-cli-core"
    if core.is_dir():
        yield from _candidates(core)


def _client_in(file: Path) -> OAuthClient | None:
    try:
        if file.stat().st_size > _LARGEST:
            return None
        text = file.read_bytes()
    except OSError:
        return None
    start = max(text.find(_MARK), 0)
    found = _ID.search(text, start) or _ID.search(text)
    if found is None:
        return None
    secret = _SECRET.search(text, start) or _SECRET.search(text)
    return OAuthClient(found[1].decode(), secret[1].decode() if secret else "")
