"""Answers for Gemini clients: events as chunks, and the buffered answer as the fold of its own chunks.

Calls go out whole, since their arguments are an object. The finish reason stands in the last chunk, with the last call
if there was one, because clients take a chunk without parts for a broken answer. A client that came with Code Assist's
envelope gets each chunk inside of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ccproxy.lightllm.dialect import Context, Frame
from ccproxy.lightllm.dialects.gemini.citations import grounding_of, segment_of
from ccproxy.lightllm.dialects.gemini.errors import error_object
from ccproxy.lightllm.dialects.gemini.request import ENVELOPE
from ccproxy.lightllm.dialects.gemini.spelling import NAME, said
from ccproxy.lightllm.dialects.gemini.stops import REASONS, STOPS
from ccproxy.lightllm.dialects.gemini.usage import write_usage
from ccproxy.lightllm.dialects.gemini.write import media_part
from ccproxy.lightllm.errors import ErrorInfo
from ccproxy.lightllm.ir.events import CitationDelta, End, Start, Stop
from ccproxy.lightllm.ir.parts import (
    Audio,
    Citation,
    Document,
    Image,
    JsonObject,
    Opaque,
    Part,
    Refusal,
    ServerTool,
    Signature,
    Text,
    Thinking,
    ToolCall,
)
from ccproxy.lightllm.jsontext import dumps
from ccproxy.lightllm.machine import BaseEncoder
from ccproxy.lightllm.media import type_of
from ccproxy.lightllm.signatures import wrap
from ccproxy.lightllm.toolargs import to_object
from ccproxy.lightllm.toolids import is_made

#: Extras of an answer that stand outside of `response`, beside the candidates, or in the candidate.
_OUTSIDE = frozenset({"traceId", "consumedCredits", "remainingCredits"})
_BESIDE = frozenset({"promptFeedback", "createTime", "modelStatus", "automaticFunctionCallingHistory"})


class GeminiEncoder(BaseEncoder):
    """Events become chunks for a Gemini client."""

    speaks = (Text, Thinking, ToolCall, Refusal, ServerTool, Opaque, Image, Audio, Document)

    def __init__(self, context: Context) -> None:
        super().__init__(context, NAME)
        self._about: JsonObject = {}
        self._args: list[str] = []
        self._signature: Signature | None = None
        self._refused = False
        #: The text of the open part and its citations, what was cited before, and the bytes of all text before.
        self._text: list[str] = []
        self._cited: list[Citation] = []
        self._citations: list[tuple[Citation, JsonObject]] = []
        self._bytes = 0
        #: A part that waits to be said with the finish reason, or by what follows.
        self._held: JsonObject | None = None
        request = context.request
        self._wrapped = request is not None and request.dialect == NAME and ENVELOPE in request.extras

    def keepalive(self) -> list[Frame]:
        """Nothing: the clients cannot parse a comment."""
        return []

    def can_say(self, part: Part) -> bool:
        # Inline bytes need a media type, which other dialects may leave to the request.
        untyped = isinstance(part, Image | Audio) and part.source.kind == "base64" and not type_of(part.source)
        return super().can_say(part) and not untyped

    def on_start(self, event: Start) -> list[Frame]:
        self._about = {
            "modelVersion": self.context.model or event.model,
            "responseId": event.id or self.context.new_id(),
        }
        return []

    def on_part_start(self, part: Part) -> list[Frame]:
        frames = self._flush()
        self._args, self._signature = [], None
        match part:
            case ToolCall():
                self._signature = part.signature
            case Thinking(form="redacted", signature=Signature() as signature):
                return [
                    *frames,
                    self._part({"text": "", "thought": True, "thoughtSignature": wrap(signature, NAME, "whole")}),
                ]
            case Text() | Thinking():
                if extras := self._own(part.extras):
                    first: JsonObject = {"text": ""} if isinstance(part, Text) else {"text": "", "thought": True}
                    return [*frames, self._part(first | extras)]
            case Refusal():
                self._refused = True
            case ServerTool() | Opaque():
                return [*frames, self._part(part.raw)]
            case Image() | Audio():
                return [*frames, self._part(media_part(part.source, self._own(part.extras)))]
            case Document() if part.source is not None:
                return [*frames, self._part(media_part(part.source, self._own(part.extras)))]
            case _:
                self.context.ledger.dropped("answer.document", "the dialect has no document of parts")
        return frames

    def on_text(self, text: str) -> list[Frame]:
        self._text.append(text)
        return [self._part({"text": text})]

    def on_thinking(self, text: str) -> list[Frame]:
        return [self._part({"text": text, "thought": True})]

    def on_args(self, text: str) -> list[Frame]:
        self._args.append(text)
        return []

    def on_signature(self, signature: Signature) -> list[Frame]:
        if isinstance(self.part, ToolCall):
            self._signature = signature
            return []
        value: JsonObject = {"text": "", "thoughtSignature": wrap(signature, NAME)}
        return [self._part(value | {"thought": True} if isinstance(self.part, Thinking) else value)]

    def on_citation(self, event: CitationDelta) -> list[Frame]:
        if self.source == NAME:
            return []
        if not event.citation.url:
            return super().on_citation(event)
        self._cited.append(event.citation)
        return []

    def on_part_end(self, part: Part) -> list[Frame]:
        if isinstance(part, Text | Refusal):
            text = "".join(self._text)
            self._citations += [(one, segment_of(one, text, self._bytes)) for one in self._cited]
            self._bytes += len(text.encode("utf-8", "replace"))
            self._text, self._cited = [], []
        if isinstance(part, ToolCall):
            self._held = self._call(part)
        return []

    def on_end(self, event: End) -> list[Frame]:
        stop = event.stop
        extras = event.extras if self.source == NAME else {}
        beside = {name: value for name, value in extras.items() if name in _BESIDE}
        if self.source == NAME and "promptFeedback" in stop.details:
            beside["promptFeedback"] = stop.details["promptFeedback"]
            chunk: JsonObject = {}
        else:
            part, self._held = self._held, None
            candidate: JsonObject = {
                "content": {"role": "model", "parts": [{"text": ""} if part is None else part]},
                "finishReason": self._reason(stop),
                "index": 0,
            }
            if message := self._message(stop, candidate["finishReason"]):
                candidate["finishMessage"] = message
            candidate |= {name: value for name, value in extras.items() if name not in _BESIDE and name not in _OUTSIDE}
            if self._citations:
                candidate["groundingMetadata"] = grounding_of(self._citations)
            chunk = {"candidates": [candidate]}
        if usage := write_usage(self.usage, self.source):
            chunk["usageMetadata"] = usage
        outside = {name: value for name, value in extras.items() if name in _OUTSIDE}
        return [self._frame(chunk | beside | self._about, outside)]

    def on_failed(self, error: ErrorInfo) -> list[Frame]:
        return [*self._flush(), Frame(error_object(error))]

    # Inside

    def _own(self, extras: JsonObject) -> JsonObject:
        return said(extras) if self.source == NAME else {}

    def _call(self, part: ToolCall) -> JsonObject:
        arguments, is_object = to_object("".join(self._args))
        if not is_object:
            self.context.ledger.approximated(
                f"answer.parts[{self.parts}].arguments", "the arguments are no JSON object", None, "an object"
            )
        call: JsonObject = {"name": part.name, "args": arguments}
        # An id that an upstream without ids got from us is of use to no Gemini client.
        if part.id and not (self.source == NAME and is_made(part.id)):
            call["id"] = part.id
        written: JsonObject = {"functionCall": call}
        if self._signature is not None:
            written["thoughtSignature"] = wrap(self._signature, NAME)
        for name, value in self._own(part.extras).items():
            holder, dot, inner = name.partition(".")
            (call if dot and holder == "functionCall" else written)[inner if dot else name] = value
        return written

    def _reason(self, stop: Stop) -> str:
        if self.source == NAME and stop.native and STOPS.get(stop.native, "other") in (stop.reason, "end"):
            return stop.native
        if self._refused and stop.reason == "end":
            return "SAFETY"
        return REASONS[stop.reason]

    def _message(self, stop: Stop, reason: str) -> str:
        """Why, for a person, where the word alone does not tell."""
        if self.source == NAME:
            return str(stop.details.get("finishMessage") or "")
        if reason in ("SAFETY", "OTHER"):
            return f"the provider stopped the answer: {stop.native or stop.reason}"
        return "the context window is full" if stop.reason == "context_window" else ""

    def _flush(self) -> list[Frame]:
        if self._held is None:
            return []
        part, self._held = self._held, None
        return [self._part(part)]

    def _part(self, part: JsonObject) -> Frame:
        chunk = {"candidates": [{"content": {"role": "model", "parts": [part]}, "index": 0}], **self._about}
        return Frame({"response": chunk}) if self._wrapped else Frame(chunk)

    def _frame(self, chunk: JsonObject, outside: JsonObject) -> Frame:
        return Frame({"response": chunk, **outside}) if self._wrapped else Frame(chunk | outside)


def collect(frames: Sequence[Frame]) -> bytes:
    """The buffered answer that the chunks of one complete answer add up to."""
    whole: JsonObject = {}
    outside: JsonObject = {}
    wrapped = False
    parts: list[JsonObject] = []
    last: JsonObject = {}
    for frame in frames:
        chunk: Any = frame.data
        if "response" in chunk:
            wrapped = True
            outside |= {name: value for name, value in chunk.items() if name != "response"}
            chunk = chunk["response"]
        for candidate in chunk.get("candidates", ()):
            last |= {name: value for name, value in candidate.items() if name != "content"}
            for part in candidate["content"]["parts"]:
                _append(parts, part)
        whole |= {name: value for name, value in chunk.items() if name != "candidates"}
    if last:
        content: JsonObject = {"role": "model", "parts": parts} if parts else {"role": "model"}
        whole = {"candidates": [{"content": content, **last}], **whole}
    return dumps({"response": whole, **outside} if wrapped else whole)


def _append(parts: list[JsonObject], part: JsonObject) -> None:
    """Adds a part; a text goes on with the text before it while that is not signed."""
    text = part.get("text")
    if text is not None and part.keys() <= {"text", "thought", "thoughtSignature"}:
        if part == {"text": ""}:
            return
        before = parts[-1] if parts else {}
        if "text" in before and before.get("thought") == part.get("thought") and "thoughtSignature" not in before:
            parts[-1] = {**before, **part, "text": before["text"] + text}
            return
    parts.append(part)
