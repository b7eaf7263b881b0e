"""What every test of a dialect needs: machines with fixed ids and times, ways through them, and the golden cases."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from ccproxy.lightllm.dialect import Context, Dialect, Frame
from ccproxy.lightllm.ir.events import Event, EventChecker
from ccproxy.lightllm.ir.parts import Part, Refusal, Text, Thinking, ToolCall
from ccproxy.lightllm.ir.request import Request
from ccproxy.lightllm.ir.response import Response, fold
from ccproxy.lightllm.registry import Registry
from ccproxy.lightllm.toolargs import to_object
from ccproxy.lightllm.translate import ArrayReader, ArrayWriter, SseReader, SseWriter

REGISTRY = Registry()
NAMES = REGISTRY.names()
CASES = Path(__file__).parent / "cases"

#: Set to write the golden files that a new case lacks, from what the code says now. Then read them.
WRITE = os.environ.get("CCPROXY_WRITE_GOLDEN") == "1"


def context(request: Request | None = None, *, model: str = "", origin: str = "") -> Context:
    """A context whose ids and time are the same in every run."""
    numbers = itertools.count(1)
    return Context(request, model, origin, new_id=lambda: f"{next(numbers):04d}", now=lambda: 1_700_000_000)


# Ways through a dialect


def decode_stream(dialect: Dialect, chunks: Iterable[bytes], origin: str = "") -> list[Event]:
    """The events of a stream, however cut, with its end."""
    reader = ArrayReader() if dialect.stream_form == "json_array" else SseReader()
    decoder = dialect.decoder(context(origin=origin))
    events: list[Event] = []
    read: Iterable[tuple[str | None, bytes | None]]
    for chunk in [*chunks, None]:
        read = reader.eof() if chunk is None else reader.feed(chunk)
        for name, data in read:
            if data is not None:
                events += decoder.frame(name, data)
    return events + decoder.eof()


def decode_document(dialect: Dialect, body: bytes, origin: str = "") -> list[Event]:
    """The events of a buffered answer."""
    return dialect.decoder(context(origin=origin)).document(body)


def encode_frames(dialect: Dialect, events: Iterable[Event], request: Request | None = None) -> list[Frame]:
    """The frames a client of `dialect` gets."""
    encoder = dialect.encoder(context(request))
    return [frame for event in events for frame in encoder.event(event)]


def encode_stream(dialect: Dialect, events: Iterable[Event], request: Request | None = None) -> bytes:
    """The bytes a client of `dialect` gets."""
    writer = ArrayWriter() if dialect.stream_form == "json_array" else SseWriter()
    return writer.write(encode_frames(dialect, events, request)) + writer.close()


def collected(dialect: Dialect, events: Sequence[Event], request: Request | None = None) -> bytes:
    """The buffered answer a client of `dialect` gets."""
    return dialect.collect(encode_frames(dialect, events, request))


def checked(events: Sequence[Event]) -> Response:
    """The fold of events that obey the grammar and are complete."""
    checker = EventChecker()
    checker.check_all(events)
    checker.finish()
    return fold(events)


# Comparing


def same_answer(response: Response) -> Response:
    """`response` with the declared normalisations of every dialect: arguments as compact JSON, nothing of usage that
    is only said while a stream runs."""
    parts = tuple(_part(part) for part in response.parts)
    return msgspec.structs.replace(response, parts=parts)


def _part(part: Part) -> Part:
    if isinstance(part, ToolCall) and part.kind == "function":
        return msgspec.structs.replace(part, args=json.dumps(to_object(part.args)[0]))
    return part


#: Reasons of one kind: a dialect without a word for one uses another of its kind.
KINDS = {
    "end": "complete",
    "stop_sequence": "complete",
    "tool_use": "tools",
    "max_tokens": "truncated",
    "context_window": "truncated",
    "pause": "truncated",
    "refusal": "refused",
    "content_filter": "refused",
    "other": "refused",
}


def essence(response: Response) -> dict[str, Any]:
    """What every dialect must carry of an answer: visible text (refusals too), tool calls with ids, why it stopped, what it cost."""
    calls = [(part.id, part.name, to_object(part.args)[0]) for part in response.parts if isinstance(part, ToolCall)]
    kind = KINDS[response.stop.reason] if response.stop else None
    if kind == "complete" and any(isinstance(part, Refusal) for part in response.parts):
        # What one dialect says with a part of its own, another says with its stop reason.
        kind = "refused"
    return {
        "text": "".join(part.text for part in response.parts if isinstance(part, Text | Refusal)),
        "calls": calls,
        "reason": kind,
        "input": response.usage.input if response.usage else None,
        "output": response.usage.output if response.usage else None,
        "error": response.error.kind if response.error else None,
    }


def thinking_text(response: Response) -> str:
    """All thinking of an answer."""
    return "".join(part.text for part in response.parts if isinstance(part, Thinking))


# Golden cases


@dataclass(frozen=True)
class Case:
    """A folder of `cases/DIALECT/`."""

    dialect: Dialect
    path: Path

    @property
    def id(self) -> str:
        return f"{self.path.parent.name}-{self.path.name}"

    def has(self, name: str) -> bool:
        return (self.path / name).exists()

    def read(self, name: str) -> bytes:
        return (self.path / name).read_bytes()

    def json(self, name: str) -> Any:
        return json.loads(self.read(name))

    def value[T](self, name: str, kind: type[T], actual: T) -> T:
        """The golden value in the file `name`; written first if it is missing and `WRITE` is set."""
        file = self.path / name
        if not file.exists() and WRITE:
            file.write_bytes(msgspec.json.format(msgspec.json.encode(actual), indent=2) + b"\n")
        return msgspec.json.decode(file.read_bytes(), type=kind)


def cases(name: str) -> list[Case]:
    """Every case that has a file of that name."""
    return [
        Case(REGISTRY.get(folder.name), path)
        for folder in sorted(CASES.iterdir())
        if folder.is_dir()
        for path in sorted(folder.iterdir())
        if (path / name).exists()
    ]
