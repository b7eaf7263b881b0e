"""The events an answer arrives in, and their grammar.

    stream := Start (part | UsageUpdate | Ping)* (End | Failed)
    part   := PartStart delta* PartEnd

Exactly one terminal, and nothing after it. At most one part is open; decoders of dialects that interleave parts put
them in order (`machine.BaseDecoder`). `PartStart.part` is the part as it begins, without text, arguments and citations
(`parts.empty`): its deltas bring them.

| part | its deltas |
| --- | --- |
| Text | TextDelta, CitationDelta, SignatureDelta |
| Refusal | TextDelta |
| Thinking | ThinkingDelta, SignatureDelta |
| ToolCall | ArgsDelta, SignatureDelta |
| ServerTool | ArgsDelta, RawDelta |
| Opaque | RawDelta |
| others | none: they come whole |
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from ccproxy.lightllm.errors import ErrorInfo
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

type StopReason = Literal[
    "end",
    "max_tokens",
    "context_window",
    "stop_sequence",
    "tool_use",
    "refusal",
    "content_filter",
    "pause",
    "other",
]


class Stop(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why an answer ended.

    Attributes:
        reason: `end` (the turn is over), `max_tokens`, `context_window`, `stop_sequence`, `tool_use`, `refusal` (the
            model or a classifier declined), `content_filter` (the provider removed content), `pause` (send it back to
            go on), `other` (see `native`).
        sequence: the stop sequence that was met, or "" when it is not known.
        native: the provider's own word.
        details: what else the provider says about it, verbatim.
    """

    reason: StopReason
    sequence: str = ""
    native: str = ""
    details: JsonObject = {}


class Start(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="event", tag="start"):
    """The answer begins. `created` is seconds since the epoch; `dialect` is whose extras the answer has."""

    id: str
    model: str
    created: int | None = None
    usage: Usage | None = None
    dialect: str = ""
    extras: JsonObject = {}


class PartStart(msgspec.Struct, frozen=True, tag_field="event", tag="part_start"):
    """A part begins; `index` counts parts from 0 without gaps."""

    index: int
    part: Part


class TextDelta(msgspec.Struct, frozen=True, gc=False, tag_field="event", tag="text_delta"):
    text: str


class ThinkingDelta(msgspec.Struct, frozen=True, gc=False, tag_field="event", tag="thinking_delta"):
    text: str


class SignatureDelta(msgspec.Struct, frozen=True, gc=False, tag_field="event", tag="signature_delta"):
    """The part's signature, whole."""

    signature: Signature


class ArgsDelta(msgspec.Struct, frozen=True, gc=False, tag_field="event", tag="args_delta"):
    """A piece of a call's arguments (JSON text, cut anywhere)."""

    text: str


class CitationDelta(msgspec.Struct, frozen=True, tag_field="event", tag="citation_delta"):
    citation: Citation


class RawDelta(msgspec.Struct, frozen=True, tag_field="event", tag="raw_delta"):
    """Fields that a later event of the provider's sets on an Opaque or ServerTool part."""

    fields: JsonObject


class PartEnd(msgspec.Struct, frozen=True, gc=False, tag_field="event", tag="part_end"):
    pass


class UsageUpdate(msgspec.Struct, frozen=True, tag_field="event", tag="usage"):
    """Tokens so far; what it says replaces what was said."""

    usage: Usage


class Ping(msgspec.Struct, frozen=True, gc=False, tag_field="event", tag="ping"):
    """The provider is still there."""


class End(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="event", tag="end"):
    """The answer is complete as far as its stop reason says."""

    stop: Stop
    extras: JsonObject = {}


class Failed(msgspec.Struct, frozen=True, tag_field="event", tag="failed"):
    """The answer is not complete and will not be."""

    error: ErrorInfo


type Delta = TextDelta | ThinkingDelta | SignatureDelta | ArgsDelta | CitationDelta | RawDelta
type Event = Start | PartStart | Delta | PartEnd | UsageUpdate | Ping | End | Failed

_ALLOWED: dict[type, tuple[type, ...]] = {
    Text: (TextDelta, CitationDelta, SignatureDelta),
    Refusal: (TextDelta,),
    Thinking: (ThinkingDelta, SignatureDelta),
    ToolCall: (ArgsDelta, SignatureDelta),
    ServerTool: (ArgsDelta, RawDelta),
    Opaque: (RawDelta,),
}


def fits(kind: type[Part] | None, delta: Delta) -> bool:
    """Whether a part of this kind may get this delta."""
    return kind is not None and type(delta) in _ALLOWED.get(kind, ())


class EventChecker:
    """Asserts the grammar, event by event. For tests and debug runs: a violation is a bug of a decoder or filter."""

    __slots__ = ("_next_index", "_part", "ended", "started")

    def __init__(self) -> None:
        self.started = False
        self.ended = False
        self._part: Part | None = None
        self._next_index = 0

    def check(self, event: Event) -> None:
        """Raises AssertionError when `event` may not come now."""
        if self.ended:
            raise AssertionError(f"{event!r} after the end")
        if isinstance(event, Start):
            if self.started:
                raise AssertionError("a second Start")
            self.started = True
            return
        if not self.started:
            raise AssertionError(f"{event!r} before Start")
        match event:
            case PartStart():
                if self._part is not None:
                    raise AssertionError(f"{event!r} inside of {self._part!r}")
                if event.part != empty(event.part):
                    raise AssertionError(f"{event!r} holds what its deltas should bring")
                if event.index != self._next_index:
                    raise AssertionError(f"part {event.index} where {self._next_index} was due")
                self._part = event.part
                self._next_index += 1
            case PartEnd():
                if self._part is None:
                    raise AssertionError("PartEnd without a part")
                self._part = None
            case UsageUpdate() | Ping():
                pass
            case End():
                if self._part is not None:
                    raise AssertionError(f"End inside of {self._part!r}")
                self.ended = True
            case Failed():
                self.ended = True
            case _:
                if self._part is None or not fits(type(self._part), event):
                    raise AssertionError(f"{event!r} inside of {self._part!r}")

    def check_all(self, events: Iterable[Event]) -> None:
        """Checks each event in turn."""
        for event in events:
            self.check(event)

    def finish(self) -> None:
        """Raises AssertionError unless the stream is complete."""
        if not self.ended:
            raise AssertionError("the stream has no terminal event")
