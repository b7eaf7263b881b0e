"""Answers: the events of `message_start` ... `message_stop`, and the buffered message, both ways.

The decoder reads a buffered message block by block through the handlers of a stream; the encoder's buffered message is
the fold of its own frames. Declared normalisations: null is absent; tool input is compact JSON; `ping` has no place in
a buffered message.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ccproxy.lightllm.dialect import Context, Frame
from ccproxy.lightllm.dialects.anthropic.errors import decode_error, error_object, info_of_object
from ccproxy.lightllm.dialects.anthropic.read import NAME, read_block, read_citation
from ccproxy.lightllm.dialects.anthropic.usage import read_usage, write_delta_usage, write_usage
from ccproxy.lightllm.dialects.anthropic.write import dialect_extras, write_citation, write_server_tool, write_thinking
from ccproxy.lightllm.errors import ErrorInfo, malformed
from ccproxy.lightllm.fields import Fields, as_list, as_object, as_text
from ccproxy.lightllm.ir.events import (
    ArgsDelta,
    CitationDelta,
    End,
    RawDelta,
    SignatureDelta,
    Start,
    Stop,
    StopReason,
    TextDelta,
    ThinkingDelta,
)
from ccproxy.lightllm.ir.parts import (
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
from ccproxy.lightllm.jsontext import dumps, loads
from ccproxy.lightllm.machine import BaseDecoder, BaseEncoder
from ccproxy.lightllm.signatures import wrap
from ccproxy.lightllm.toolargs import to_object

_STOPS: dict[str, StopReason] = {
    "end_turn": "end",
    "max_tokens": "max_tokens",
    "stop_sequence": "stop_sequence",
    "tool_use": "tool_use",
    "pause_turn": "pause",
    "refusal": "refusal",
    "model_context_window_exceeded": "context_window",
}

#: Our reasons in Anthropic's words. A filter of another provider is a refusal here: the answer is not what it was to be.
_REASONS: dict[StopReason, str] = {reason: word for word, reason in _STOPS.items()} | {
    "content_filter": "refusal",
    "other": "refusal",
}


class AnthropicDecoder(BaseDecoder):
    """An upstream's answer becomes events."""

    def __init__(self, context: Context) -> None:
        super().__init__(context, NAME)
        self._stop: Stop | None = None
        self._extras: JsonObject = {}
        self._usage: JsonObject = {}

    def _frame(self, name: str | None, data: bytes) -> None:
        event = as_object(loads(data), "event")
        kind = event.get("type") or name
        if kind == "content_block_delta":
            self._delta(event.get("index"), as_object(event.get("delta"), "delta"))
        elif kind == "content_block_start":
            self._block(event.get("index"), event.get("content_block"), "content_block")
        elif kind == "content_block_stop":
            self.finish(_key(event.get("index")))
        elif kind == "message_start":
            self._message(Fields(event.get("message"), "message"))
        elif kind == "message_delta":
            self._message_delta(Fields(event, "event"))
        elif kind == "message_stop":
            self._end()
        elif kind == "ping":
            self.ping()
        elif kind == "error" or (kind is None and "error" in event):
            self.error(info_of_object(event, 0))

    def _document(self, body: bytes) -> None:
        message = as_object(loads(body), "message")
        if type(message.get("content")) is not list:
            info = decode_error(0, body)
            self.error(info if "error" in message else malformed(info.message))
            return
        fields = Fields(message, "message")
        blocks = as_list(fields.value("content"), "content")
        stop = {name: fields.value(name) for name in ("stop_reason", "stop_sequence", "stop_details")}
        self._message(fields)
        for index, block in enumerate(blocks):
            self._block(index, block, f"content[{index}]")
            self.finish(_key(index))
        self._stopped(Fields(stop, "message"))
        self._end()

    def _eof(self) -> None:
        # Everything was said with the stop reason; some providers leave `message_stop` out.
        if self._stop is not None:
            self._end()

    def _message(self, fields: Fields) -> None:
        for name in ("type", "role", "content", "stop_reason", "stop_sequence", "stop_details"):
            fields.value(name)
        usage = fields.mapping("usage")
        answer_id, model = fields.text("id"), fields.text("model")
        self._merge(usage)
        extras = {name: value for name, value in fields.rest().items() if value is not None}
        self.start(answer_id, model, usage=read_usage(self._usage) if usage else None, extras=extras)

    def _block(self, index: object, block: object, path: str) -> None:
        self.begin(_key(index), read_block(block, path, self.origin))

    def _delta(self, index: object, delta: JsonObject) -> None:
        key = _key(index)
        kind = delta.get("type")
        if kind == "text_delta":
            self.add(key, TextDelta(as_text(delta.get("text"), "delta.text")))
        elif kind == "input_json_delta":
            self.add(key, ArgsDelta(as_text(delta.get("partial_json"), "delta.partial_json")))
        elif kind == "thinking_delta":
            self.add(key, ThinkingDelta(as_text(delta.get("thinking"), "delta.thinking")))
        elif kind == "signature_delta":
            if value := as_text(delta.get("signature"), "delta.signature"):
                self.add(key, SignatureDelta(self.signature(value)))
        elif kind == "citations_delta":
            self.add(key, CitationDelta(read_citation(delta.get("citation"), "delta.citation")))
        elif self.has(key):
            self.add(key, RawDelta({name: value for name, value in delta.items() if name != "type"}))

    def _message_delta(self, fields: Fields) -> None:
        fields.value("type")
        self._stopped(fields.fields("delta"))
        if usage := fields.mapping("usage"):
            self._merge(usage)
            self.usage(read_usage(self._usage))
        self._extras |= {name: value for name, value in fields.rest().items() if value is not None}

    def _stopped(self, fields: Fields) -> None:
        word = fields.text("stop_reason")
        sequence = fields.text("stop_sequence")
        details = fields.mapping("stop_details") or {}
        if word:
            self._stop = Stop(_STOPS.get(word, "other"), sequence, word, details)
        self._extras |= {name: value for name, value in fields.rest().items() if value is not None}

    def _merge(self, usage: JsonObject | None) -> None:
        self._usage |= {name: value for name, value in (usage or {}).items() if value is not None}

    def _end(self) -> None:
        self.end(self._stop or Stop("end"), self._extras)


def _key(index: object) -> int:
    """The index of a block; a stream that does not say it means the one that is open."""
    return index if type(index) is int else 0


class AnthropicEncoder(BaseEncoder):
    """Events become frames for an Anthropic client."""

    speaks = (Text, Thinking, ToolCall, Refusal, ServerTool, Opaque)

    def __init__(self, context: Context) -> None:
        super().__init__(context, NAME)
        self._refused = False
        #: Whether the open call has said the first character of its arguments.
        self._arguing = False

    def keepalive(self) -> list[Frame]:
        """Anthropic's own keep-alive event."""
        return [Frame({"type": "ping"}, "ping")]

    def on_start(self, event: Start) -> list[Frame]:
        message = {
            "id": event.id or f"msg_{self.context.new_id()}",
            "type": "message",
            "role": "assistant",
            "model": self.context.model or event.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": write_usage(event.usage, self.source),
            **dialect_extras(event.extras, self.source),
        }
        return [_frame("message_start", message=message)]

    def on_part_start(self, part: Part) -> list[Frame]:
        before: list[Frame] = []
        self._arguing = False
        match part:
            case ToolCall():
                if part.signature is not None:
                    before = self._carrier(part.signature)
                block: JsonObject = {"type": "tool_use", "id": part.id, "name": part.name, "input": {}}
                block |= dialect_extras(part.extras, self.source)
            case Thinking():
                block = self._thinking(part)
            case ServerTool():
                block = write_server_tool(part)
            case Opaque():
                block = part.raw
            case Text():
                block = {"type": "text", "text": "", **dialect_extras(part.extras, self.source)}
            case _:
                self._refused = True
                block = {"type": "text", "text": ""}
        return [*before, _frame("content_block_start", index=self.parts, content_block=block)]

    def on_text(self, text: str) -> list[Frame]:
        return [self._delta({"type": "text_delta", "text": text})]

    def on_thinking(self, text: str) -> list[Frame]:
        return [self._delta({"type": "thinking_delta", "thinking": text})]

    def on_args(self, text: str) -> list[Frame]:
        if not self._arguing:
            # White space before the JSON means nothing, and the SDK cannot parse it alone.
            text = text.lstrip()
            self._arguing = bool(text)
            if not text:
                return []
        return [self._delta({"type": "input_json_delta", "partial_json": text})]

    def on_signature(self, signature: Signature) -> list[Frame]:
        if isinstance(self.part, Thinking):
            return [self._delta({"type": "signature_delta", "signature": wrap(signature, NAME)})]
        self.context.ledger.dropped(
            f"answer.parts[{self.parts}].signature", "Anthropic's blocks have no place for it", signature.origin
        )
        return []

    def on_citation(self, event: CitationDelta) -> list[Frame]:
        citation = event.citation
        if self.source == NAME or citation.url:
            return [self._delta({"type": "citations_delta", "citation": write_citation(citation)})]
        return super().on_citation(event)

    def on_raw(self, event: RawDelta) -> list[Frame]:
        return [self._delta({"type": f"{getattr(self.part, 'type', 'raw')}_delta", **event.fields})]

    def on_part_end(self, part: Part) -> list[Frame]:
        return [_frame("content_block_stop", index=self.parts)]

    def on_end(self, event: End) -> list[Frame]:
        stop = event.stop
        reason = _REASONS[stop.reason]
        if self._refused and stop.reason == "end":
            reason = "refusal"
        if self.source == NAME and stop.reason == "other" and stop.native:
            reason = stop.native
        delta: JsonObject = {"stop_reason": reason, "stop_sequence": stop.sequence or None}
        extras = dialect_extras(event.extras, self.source)
        if self.source == NAME and stop.details:
            delta["stop_details"] = stop.details
        elif reason == "refusal" and self.source != NAME:
            explanation = f"the provider stopped the answer: {stop.native or stop.reason}"
            delta["stop_details"] = {"type": "refusal", "category": None, "explanation": explanation}
        if "container" in extras:
            delta["container"] = extras["container"]
            extras = {name: value for name, value in extras.items() if name != "container"}
        usage = write_delta_usage(self.usage, self.source)
        return [_frame("message_delta", delta=delta, usage=usage, **extras), _frame("message_stop")]

    def on_failed(self, error: ErrorInfo) -> list[Frame]:
        return [Frame(error_object(error), "error")]

    def _thinking(self, part: Thinking) -> JsonObject:
        block = write_thinking(part)
        if part.form == "redacted" and part.signature is not None:
            block["data"] = wrap(part.signature, NAME)
        if part.extras and self.source != NAME:
            block = {name: value for name, value in block.items() if name not in part.extras}
        return block

    def _carrier(self, signature: Signature) -> list[Frame]:
        """A thinking block without text that carries the signature of the tool call after it."""
        index = self.parts
        self.parts += 1
        delta = {"type": "signature_delta", "signature": wrap(signature, NAME, "next")}
        return [
            _frame(
                "content_block_start",
                index=index,
                content_block={"type": "thinking", "thinking": "", "signature": ""},
            ),
            _frame("content_block_delta", index=index, delta=delta),
            _frame("content_block_stop", index=index),
        ]

    def _delta(self, delta: JsonObject) -> Frame:
        return Frame({"type": "content_block_delta", "index": self.parts, "delta": delta}, "content_block_delta")


def _frame(kind: str, **fields: Any) -> Frame:
    return Frame({"type": kind, **fields}, kind)


def collect(frames: Sequence[Frame]) -> bytes:
    """The buffered message that the frames of one complete answer add up to."""
    message: JsonObject = {}
    blocks: list[JsonObject] = []
    inputs: dict[int, list[str]] = {}
    for frame in frames:
        event: JsonObject = frame.data
        match event["type"]:
            case "message_start":
                message = dict(event["message"])
            case "content_block_start":
                blocks.append(dict(event["content_block"]))
            case "content_block_delta":
                _apply(blocks[event["index"]], event["delta"], inputs.setdefault(event["index"], []))
            case "message_delta":
                message |= event["delta"]
                message["usage"] = message["usage"] | event["usage"]
                message |= {name: value for name, value in event.items() if name not in ("type", "delta", "usage")}
    for index, pieces in inputs.items():
        if pieces:
            blocks[index]["input"] = to_object("".join(pieces))[0]
    message["content"] = blocks
    return dumps(message)


def _apply(block: JsonObject, delta: JsonObject, pieces: list[str]) -> None:
    match delta["type"]:
        case "text_delta":
            block["text"] += delta["text"]
        case "thinking_delta":
            block["thinking"] += delta["thinking"]
        case "signature_delta":
            block["signature"] = delta["signature"]
        case "input_json_delta":
            pieces.append(delta["partial_json"])
        case "citations_delta":
            block["citations"] = [*(block.get("citations") or []), delta["citation"]]
        case _:
            block |= {name: value for name, value in delta.items() if name != "type"}
