"""Golden cases of a dialect: one folder per case, whose files are one thing said in several ways.

| File | What it is |
| --- | --- |
| `request.json` | a client's request in the dialect |
| `path.json` | what the path says, for dialects that say it there: `{"model": "...", "stream": true}` |
| `ir.json` | the same request as `Request` |
| `normal.json` | the request written back, where that differs from `request.json` (declared normalisations only) |
| `stream.txt` | an upstream's stream, byte for byte |
| `document.json` | an upstream's buffered answer; beside a `stream.txt` it is the same answer |
| `answer.json` | the answer as `Response` |
| `again.json` | the buffered answer written back, where that differs from `document.json` |
| `error.json` | `{"status": 529, "body": ..., "info": ErrorInfo, "again": body written back if it differs}` |

A case has any of them. `ir.json`, `answer.json` and `info` are compared where they are there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.ir.request import Request


@dataclass(frozen=True)
class Case:
    """A folder of golden files of one dialect."""

    dialect: Dialect
    path: Path

    @property
    def id(self) -> str:
        return f"{self.dialect.name}-{self.path.name}"

    def has(self, name: str) -> bool:
        """Whether there is a file of that name."""
        return (self.path / name).exists()

    def read(self, name: str) -> bytes:
        """The file's bytes."""
        return (self.path / name).read_bytes()

    def json(self, name: str) -> Any:
        """The file's value."""
        return json.loads(self.read(name))

    def value[T](self, name: str, kind: type[T], actual: T, *, write: bool = False) -> T:
        """The value in the golden file `name`. With `write`, a file that is missing is made from `actual` first."""
        file = self.path / name
        if write and not file.exists():
            file.write_bytes(msgspec.json.format(msgspec.json.encode(actual), indent=2) + b"\n")
        return msgspec.json.decode(file.read_bytes(), type=kind)

    def request(self) -> Request:
        """The request of `request.json`, with what `path.json` says."""
        path: dict[str, Any] = self.json("path.json") if self.has("path.json") else {}
        return self.dialect.decode_request(self.read("request.json"), **path)


def cases_of(dialect: Dialect, folder: Path) -> list[Case]:
    """The cases in `folder`, by name. Raises FileNotFoundError if there is none."""
    found = [Case(dialect, path) for path in sorted(folder.iterdir()) if path.is_dir()]
    if not found:
        raise FileNotFoundError(f"{folder} holds no folder with a case of {dialect.name}")
    return found
