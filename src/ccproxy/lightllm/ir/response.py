"""An answer as a whole, and its two directions: `fold` collects events, `unfold` gives them out again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from ccproxy.lightllm.errors import ErrorInfo, cut
from ccproxy.lightllm.ir.events import (
    ArgsDelta,
    CitationDelta,
    Delta,
    End,
    Event,
    Failed,
    PartEnd,
    PartStart,
    RawDelta,
    SignatureDelta,
    Start,
    Stop,
    TextDelta,
    ThinkingDelta,
    UsageUpdate,
)
from ccproxy.lightllm.ir.parts import (
    Citation,
    JsonObject,
    Opaque,
    Part,
    Refusal,
    ServerTool,
    Signature,
    Text,
    Thinking,
    ToolCall,
    empty,
)
from ccproxy.lightllm.ir.usage import Usage


class Response(msgspec.Struct, frozen=True, omit_defaults=True):
    """A model's answer. Exactly one of `stop` and `error` is set.

    Attributes:
        created: seconds since the epoch, or None where the dialect does not say.
        dialect: whose extras these are.
        extras: those of its start and its end; a buffered answer does not tell them apart.
    """

    id: str
    model: str
    parts: tuple[Part, ...] = ()
    stop: Stop | None = None
    error: ErrorInfo | None = None
    usage: Usage | None = None
    created: int | None = None
    dialect: str = ""
    extras: JsonObject = {}


class _Open:
    """A part while its deltas arrive."""

    __slots__ = ("citations", "part", "pieces", "raw", "signature")

    def __init__(self, part: Part) -> None:
        self.part = part
        self.pieces: list[str] = []
        self.citations: list[Citation] = []
        self.signature: Signature | None = None
        self.raw: JsonObject = {}

    def close(self) -> Part:
        part, text = self.part, "".join(self.pieces)
        match part:
            case Text():
                return msgspec.structs.replace(
                    part,
                    text=part.text + text,
                    citations=(*part.citations, *self.citations),
                    signature=self.signature or part.signature,
                )
            case Thinking():
                return msgspec.structs.replace(part, text=part.text + text, signature=self.signature or part.signature)
            case ToolCall():
                return msgspec.structs.replace(part, args=part.args + text, signature=self.signature or part.signature)
            case Refusal():
                return msgspec.structs.replace(part, text=part.text + text)
            case ServerTool():
                return msgspec.structs.replace(part, args=part.args + text, raw={**part.raw, **self.raw})
            case Opaque():
                return msgspec.structs.replace(part, raw={**part.raw, **self.raw})
            case _:
                return part


def fold(events: Iterable[Event]) -> Response:
    """The answer that `events` tell. Events that stop before their end make an answer that was cut."""
    start = Start("", "")
    parts: list[Part] = []
    current: _Open | None = None
    usage: Usage | None = None
    end: End | None = None
    error: ErrorInfo | None = None
    for event in events:
        match event:
            case Start():
                start = event
                usage = event.usage
            case PartStart(part=part):
                current = _Open(part)
            case TextDelta(text=text) | ThinkingDelta(text=text) | ArgsDelta(text=text) if current:
                current.pieces.append(text)
            case SignatureDelta(signature=signature) if current:
                current.signature = signature
            case CitationDelta(citation=citation) if current:
                current.citations.append(citation)
            case RawDelta(fields=fields) if current:
                current.raw |= fields
            case PartEnd() if current:
                parts.append(current.close())
                current = None
            case UsageUpdate(usage=reported):
                usage = usage.merged(reported) if usage else reported
            case End():
                end = event
            case Failed():
                error = event.error
            case _:
                pass
    if current:
        parts.append(current.close())
    return Response(
        id=start.id,
        model=start.model,
        parts=tuple(parts),
        stop=end.stop if end else None,
        error=None if end else error or cut(),
        usage=usage,
        created=start.created,
        dialect=start.dialect,
        extras={**start.extras, **end.extras} if end else start.extras,
    )


def unfold(response: Response) -> Iterator[Event]:
    """The events that tell `response`: each part whole, in one delta where its kind has deltas."""
    yield Start(response.id, response.model, created=response.created, dialect=response.dialect, extras=response.extras)
    for index, part in enumerate(response.parts):
        yield PartStart(index, empty(part))
        yield from deltas_of(part)
        yield PartEnd()
    if response.usage is not None:
        yield UsageUpdate(response.usage)
    if response.stop is not None:
        yield End(response.stop)
    else:
        yield Failed(response.error or cut())


def deltas_of(part: Part) -> Iterator[Delta]:
    """The deltas that make `empty(part)` into `part`."""
    match part:
        case Text() | Refusal():
            if part.text:
                yield TextDelta(part.text)
        case Thinking():
            if part.text:
                yield ThinkingDelta(part.text)
        case ToolCall() | ServerTool():
            if part.args:
                yield ArgsDelta(part.args)
        case _:
            return
    if isinstance(part, Text):
        for citation in part.citations:
            yield CitationDelta(citation)
    match part:
        case Text(signature=Signature() as signature):
            yield SignatureDelta(signature)
        case Thinking(signature=Signature() as signature) if part.form != "redacted":
            yield SignatureDelta(signature)
        case _:
            pass
