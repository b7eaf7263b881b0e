"""What every test of a dialect needs: the dialects of this package, their golden cases, and the ways through them of
`ccproxy.testing.conformance`."""

from __future__ import annotations

import os
from pathlib import Path

from ccproxy.lightllm.registry import Registry
from ccproxy.testing import conformance
from ccproxy.testing.conformance import (
    KINDS,
    carried,
    checked,
    collected,
    context,
    decode_document,
    decode_stream,
    encode_frames,
    encode_stream,
    essence,
    same_answer,
    thinking_text,
)

__all__ = [
    "CASES",
    "KINDS",
    "NAMES",
    "REGISTRY",
    "Case",
    "carried",
    "cases",
    "checked",
    "collected",
    "context",
    "decode_document",
    "decode_stream",
    "encode_frames",
    "encode_stream",
    "essence",
    "same_answer",
    "thinking_text",
]

REGISTRY = Registry()
NAMES = REGISTRY.names()
CASES = Path(__file__).parent / "cases"

#: Set to write the golden files that a new case lacks, from what the code says now. Then read them.
WRITE = os.environ.get("CCPROXY_WRITE_GOLDEN") == "1"


class Case(conformance.Case):
    """A case whose missing golden files are written if `WRITE` is set."""

    def value[T](self, name: str, kind: type[T], actual: T, *, write: bool = WRITE) -> T:
        return super().value(name, kind, actual, write=write)


def cases(name: str) -> list[Case]:
    """Every case of every dialect that has a file of that name."""
    return [
        Case(REGISTRY.get(folder.name), path)
        for folder in sorted(CASES.iterdir())
        if folder.is_dir()
        for path in sorted(folder.iterdir())
        if (path / name).exists()
    ]
