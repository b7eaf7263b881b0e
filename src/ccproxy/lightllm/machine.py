"""The parts of decoders and encoders that are the same in every dialect.

`BaseDecoder` is the only thing that makes events: it starts and ends the stream, keeps at most one part open (parts of
upstreams that interleave are put in order), pairs tool calls with tool stops, and turns whatever cannot be read into a
failure. So the grammar holds by construction, for any input. `BaseEncoder` keeps the place in the answer, leaves out
parts that the client's dialect has no words for, and records them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

import msgspec

from ccproxy.lightllm.dialect import COMMENT, Context, Frame
from ccproxy.lightllm.errors import ErrorInfo, cut, malformed
from ccproxy.lightllm.fields import ShapeError
from ccproxy.lightllm.ir.events import (
    ArgsDelta,
    CitationDelta,
    Delta,
    End,
    Event,
    Failed,
    PartEnd,
    PartStart,
    Ping,
    RawDelta,
    SignatureDelta,
    Start,
    Stop,
    TextDelta,
    ThinkingDelta,
    UsageUpdate,
    fits,
)
from ccproxy.lightllm.ir.parts import JsonObject, Part, Signature, ToolCall, empty
from ccproxy.lightllm.ir.response import deltas_of
from ccproxy.lightllm.ir.usage import Usage
from ccproxy.lightllm.jsontext import JsonError
from ccproxy.lightllm.toolids import ToolIds

#: The key of no part.
_NONE = object()


#: Extras of answers that say how the provider served them, nothing of what it said.
_BOOKKEEPING = frozenset(
    {
        "system_fingerprint",
        "service_tier",
        "inference_geo",
        "speed",
        "promptTokensDetails",
        "candidatesTokensDetails",
        "traceId",
    }
)


class BaseDecoder:
    """Base of decoders. A dialect defines `_frame`, `_document` and, if its stream may end without a last word, `_eof`;
    they call the methods below in any order and may raise ShapeError or JsonError.

    Args:
        context: of the exchange.
        dialect: the name of the dialect, for extras and signatures.
    """

    def __init__(self, context: Context, dialect: str) -> None:
        self.context = context
        self.dialect = dialect
        self.origin = context.origin or dialect
        self.ended = False
        self.started = False
        self._out: list[Event] = []
        self._index = 0
        self._open: Hashable = _NONE
        self._kind: type[Part] | None = None
        #: Parts that began while another was open, in order: part, deltas so far, whether it ended.
        self._waiting: dict[Hashable, tuple[Part, list[Delta], bool]] = {}
        self._called_tool = False
        self._ids: ToolIds | None = None

    # What the translator calls

    def frame(self, name: str | None, data: bytes) -> list[Event]:
        """See `dialect.Decoder`."""
        if not self.ended:
            try:
                self._frame(name, data)
            except (ShapeError, JsonError, RecursionError) as problem:
                self.error(malformed(str(problem)))
        return self._take()

    def document(self, body: bytes) -> list[Event]:
        """See `dialect.Decoder`."""
        if not self.ended:
            try:
                self._document(body)
            except (ShapeError, JsonError, RecursionError) as problem:
                self.error(malformed(str(problem)))
        return self._take() + self.eof()

    def eof(self) -> list[Event]:
        """See `dialect.Decoder`."""
        if not self.ended:
            self._eof()
        if not self.ended:
            self.error(cut())
        return self._take()

    def fail(self, error: ErrorInfo) -> list[Event]:
        """See `dialect.Decoder`."""
        self.error(error)
        return self._take()

    # What a dialect defines

    def _frame(self, name: str | None, data: bytes) -> None:
        raise NotImplementedError

    def _document(self, body: bytes) -> None:
        raise NotImplementedError

    def _eof(self) -> None:
        """The stream ended. Call `end` here if the dialect allows it to end like that; else it was cut."""

    # What a dialect calls

    def start(
        self,
        answer_id: str,
        model: str,
        *,
        created: int | None = None,
        usage: Usage | None = None,
        extras: JsonObject | None = None,
    ) -> None:
        """The answer begins; ignored the second time."""
        if self.started:
            return
        self.started = True
        self._out.append(Start(answer_id, model, created, usage, self.dialect, extras or {}))

    def begin(self, key: Hashable, part: Part) -> None:
        """A part begins; `key` tells it from others that may be open. What it holds already is given out as its first
        deltas. A key in use ends its earlier part."""
        self._begun()
        if key == self._open or key in self._waiting:
            self.finish(key)
        if isinstance(part, ToolCall):
            part = self._claimed(part)
        bare = empty(part)
        if self._open is _NONE:
            self._emit_start(key, bare)
        else:
            self._waiting[key] = (bare, [], False)
        for delta in deltas_of(part):
            self.add(key, delta)

    def has(self, key: Hashable) -> bool:
        """Whether a part with this key is under way."""
        return key == self._open or (key in self._waiting and not self._waiting[key][2])

    def add(self, key: Hashable, delta: Delta) -> None:
        """Adds to the part with this key. Raises ShapeError if there is none, or if it is of another kind."""
        if key == self._open:
            if not fits(self._kind, delta):
                raise ShapeError(f"a {type(delta).__name__} for a {self._kind.__name__ if self._kind else 'part'}")
            self._out.append(delta)
            return
        waiting = self._waiting.get(key)
        if waiting is None or waiting[2]:
            raise ShapeError(f"a {type(delta).__name__} for a part that is not open")
        if not fits(type(waiting[0]), delta):
            raise ShapeError(f"a {type(delta).__name__} for a {type(waiting[0]).__name__}")
        waiting[1].append(delta)

    def finish(self, key: Hashable) -> None:
        """The part with this key is complete; ignored if there is none."""
        if key == self._open:
            self._out.append(PartEnd())
            self._open, self._kind = _NONE, None
            self._next()
        elif key in self._waiting:
            part, deltas, _ = self._waiting[key]
            self._waiting[key] = (part, deltas, True)

    def finish_all(self) -> None:
        """Every open part is complete."""
        for key in list(self._waiting):
            self.finish(key)
        if self._open is not _NONE:
            self.finish(self._open)

    def whole(self, part: Part) -> None:
        """A part that comes all at once, through the same events as one that comes in pieces."""
        key = object()
        self.begin(key, part)
        self.finish(key)

    def usage(self, usage: Usage) -> None:
        """Tokens so far."""
        self._begun()
        self._out.append(UsageUpdate(usage))

    def ping(self) -> None:
        """The provider is still there; said only once the answer has begun."""
        if self.started and not self.ended:
            self._out.append(Ping())

    def end(self, stop: Stop, extras: JsonObject | None = None) -> None:
        """The answer is complete. A tool call makes `end` a tool stop, and a tool stop without one is an end."""
        if self.ended:
            return
        self._begun()
        self.finish_all()
        reason = stop.reason
        if self._called_tool and reason == "end":
            stop = msgspec.structs.replace(stop, reason="tool_use")
        elif reason == "tool_use" and not self._called_tool:
            stop = msgspec.structs.replace(stop, reason="end")
        self._out.append(End(stop, extras or {}))
        self.ended = True

    def error(self, error: ErrorInfo) -> None:
        """The answer cannot be completed; ignored after the end."""
        if self.ended:
            return
        self._begun()
        self._out.append(Failed(error))
        self._open, self._kind = _NONE, None
        self._waiting.clear()
        self.ended = True

    def signature(self, value: str) -> Signature:
        """A signature of this upstream."""
        return Signature(value, self.origin)

    # Inside

    def _take(self) -> list[Event]:
        if not self._out:
            return []
        out, self._out = self._out, []
        return out

    def _begun(self) -> None:
        if self.ended:
            raise ShapeError("an event after the end")
        if not self.started:
            self.start("", "")

    def _emit_start(self, key: Hashable, part: Part) -> None:
        self._open, self._kind = key, type(part)
        self._out.append(PartStart(self._index, part))
        self._index += 1

    def _next(self) -> None:
        """Opens what waited, up to the first part that has not ended."""
        while self._waiting and self._open is _NONE:
            key = next(iter(self._waiting))
            part, deltas, ended = self._waiting.pop(key)
            self._emit_start(key, part)
            self._out += deltas
            if ended:
                self._out.append(PartEnd())
                self._open, self._kind = _NONE, None

    def _claimed(self, call: ToolCall) -> ToolCall:
        """The call with an id that is its own in the conversation."""
        self._called_tool = True
        if self._ids is None:
            request = self.context.request
            self._ids = ToolIds(request.messages if request else (), self.context.new_id)
        unique = self._ids.claim(call.id)
        return call if unique == call.id else msgspec.structs.replace(call, id=unique)


class BaseEncoder:
    """Base of encoders. A dialect defines the `on_...` methods it has something to say for; each returns frames.

    `parts` counts the parts that were said, `part` is the open one, `usage` what was reported so far, `context` the
    exchange's.
    """

    #: The parts that the dialect can say; others are left out with a loss.
    speaks: tuple[type, ...] = ()

    def __init__(self, context: Context, dialect: str) -> None:
        self.context = context
        self.dialect = dialect
        self.source = ""
        self.parts = 0
        self.part: Part | None = None
        self.usage: Usage | None = None
        self._handlers: dict[type, Callable[..., list[Frame]]] = {
            Start: self._start,
            PartStart: self._part_start,
            PartEnd: self._part_end,
            UsageUpdate: self._usage,
            Ping: lambda _: self.keepalive(),
            End: self._end,
            Failed: lambda event: self.on_failed(event.error),
        }
        deltas: dict[type, Callable[..., list[Frame]]] = {
            TextDelta: lambda event: self.on_text(event.text),
            ThinkingDelta: lambda event: self.on_thinking(event.text),
            ArgsDelta: lambda event: self.on_args(event.text),
            SignatureDelta: lambda event: self.on_signature(event.signature),
            CitationDelta: self.on_citation,
            RawDelta: self.on_raw,
        }
        self._deltas = deltas

    def event(self, event: Event) -> list[Frame]:
        """See `dialect.Encoder`."""
        handler = self._deltas.get(type(event))
        if handler is not None:
            return handler(event) if self.part is not None else []
        return self._handlers[type(event)](event)

    def keepalive(self) -> list[Frame]:
        """See `dialect.Encoder`."""
        return [COMMENT]

    def on_start(self, event: Start) -> list[Frame]:
        """The answer begins."""
        return []

    def on_part_start(self, part: Part) -> list[Frame]:
        """`part`, which the dialect speaks, begins."""
        return []

    def on_text(self, text: str) -> list[Frame]:
        """More text of a Text or Refusal."""
        return []

    def on_thinking(self, text: str) -> list[Frame]:
        """More thinking."""
        return []

    def on_args(self, text: str) -> list[Frame]:
        """More of a call's arguments."""
        return []

    def on_signature(self, signature: Signature) -> list[Frame]:
        """The open part's signature."""
        return []

    def on_citation(self, event: CitationDelta) -> list[Frame]:
        """A citation of the open text; left out with a loss unless the dialect says otherwise."""
        self.context.ledger.dropped(
            f"answer.parts[{self.parts}].citations", "the client's dialect has no such citations"
        )
        return []

    def on_raw(self, event: RawDelta) -> list[Frame]:
        """More fields of an Opaque or ServerTool."""
        return []

    def on_part_end(self, part: Part) -> list[Frame]:
        """The open part is complete (`part` is as it began)."""
        return []

    def on_usage(self, usage: Usage) -> list[Frame]:
        """Tokens so far, everything reported merged."""
        return []

    def on_end(self, event: End) -> list[Frame]:
        """The answer is complete."""
        raise NotImplementedError

    def on_failed(self, error: ErrorInfo) -> list[Frame]:
        """The answer failed."""
        raise NotImplementedError

    def can_say(self, part: Part) -> bool:
        """Whether the client's dialect has words for `part`. Provider-bound parts need their own dialect."""
        return isinstance(part, self.speaks) and getattr(part, "dialect", self.dialect) == self.dialect

    def _start(self, event: Start) -> list[Frame]:
        self.source = event.dialect
        self.usage = event.usage
        self._left_behind("answer", event.extras)
        return self.on_start(event)

    def _part_start(self, event: PartStart) -> list[Frame]:
        if not self.can_say(event.part):
            kind = getattr(event.part, "type", "") or getattr(event.part, "name", "") or type(event.part).__name__
            self.context.ledger.dropped(f"answer.{kind}", "the client's dialect has no such part")
            return []
        self.part = event.part
        self._left_behind(f"answer.parts[{self.parts}]", getattr(event.part, "extras", None))
        return self.on_part_start(event.part)

    def _part_end(self, event: PartEnd) -> list[Frame]:
        if self.part is None:
            return []
        frames = self.on_part_end(self.part)
        self.part = None
        self.parts += 1
        return frames

    def _usage(self, event: UsageUpdate) -> list[Frame]:
        self.usage = self.usage.merged(event.usage) if self.usage else event.usage
        return self.on_usage(self.usage)

    def _end(self, event: End) -> list[Frame]:
        self._left_behind("answer", event.extras)
        counts = self.usage.extras if self.usage else {}
        self._left_behind("answer.usage", {name: value for name, value in counts.items() if _says(value)})
        return self.on_end(event)

    def _left_behind(self, path: str, extras: JsonObject | None) -> None:
        """Records the extras of another dialect's answer, which no encoder writes."""
        if extras and self.source != self.dialect:
            for name, value in extras.items():
                if value is not None:
                    minor = name in _BOOKKEEPING
                    reason = "only the provider's dialect knows it"
                    self.context.ledger.dropped(f"{path}.{name}", reason, value, minor=minor)


def _says(count: object) -> bool:
    """Whether a count of the provider's own, or a group of them, says anything."""
    return any(map(_says, count.values())) if isinstance(count, dict) else bool(count)
