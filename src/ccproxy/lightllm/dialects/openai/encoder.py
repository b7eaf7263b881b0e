"""Events become an answer for a client: chunks, the usage chunk if it asked, `[DONE]`; and the buffered answer, the fold
of its own chunks.

Declared normalisations: null is absent but for `content` and `refusal`; text and thinking that came in several pieces
are one; annotations and log probabilities come with the last chunk; padding (`obfuscation`) is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from ccproxy.lightllm.dialect import Context, Frame
from ccproxy.lightllm.dialects.openai.errors import error_object
from ccproxy.lightllm.dialects.openai.spelling import NAME, said, spelled
from ccproxy.lightllm.dialects.openai.thinking import SUMMARY_DETAIL, TEXT_DETAIL, detail_of
from ccproxy.lightllm.dialects.openai.usage import write_usage
from ccproxy.lightllm.dialects.openai.write import image_part, write_annotation, write_call
from ccproxy.lightllm.errors import ErrorInfo
from ccproxy.lightllm.ir.events import CitationDelta, End, Start, StopReason
from ccproxy.lightllm.ir.parts import (
    Audio,
    Image,
    JsonObject,
    Part,
    Refusal,
    Signature,
    Text,
    Thinking,
    ToolCall,
)
from ccproxy.lightllm.jsontext import dumps
from ccproxy.lightllm.machine import BaseEncoder
from ccproxy.lightllm.signatures import wrap

replace = msgspec.structs.replace

DONE = Frame(b"[DONE]")

#: Our reasons in OpenAI's words. What another provider broke off or declined is `content_filter`: never a normal end.
_REASONS: dict[StopReason, str] = {
    "end": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "context_window": "length",
    "pause": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
    "content_filter": "content_filter",
    "other": "content_filter",
}

_MESSAGE = "choices[0].message."
_CHOICE = "choices[0]."


class OpenAIEncoder(BaseEncoder):
    """See the module."""

    speaks = (Text, Thinking, ToolCall, Refusal, Audio, Image)

    def __init__(self, context: Context) -> None:
        super().__init__(context, NAME)
        request = context.request
        asked = None if request is None else request.include_usage
        self._say_usage = asked is not False
        self._null_usage = bool(asked)
        #: Whether the client knows only the old `function_call`.
        self._old = request is not None and request.dialect == NAME and spelled(request.extras, "functions")
        self._head: JsonObject = {}
        self._opened = False
        self._calls = 0
        self._thought = False
        self._gap = ""
        self._details = 0
        self._images = 0
        self._length = 0
        self._annotations: list[JsonObject] = []
        self._field = "reasoning_content"

    def on_start(self, event: Start) -> list[Frame]:
        created = self.context.now() if event.created is None else event.created
        self._head = {
            "id": event.id or f"chatcmpl-{self.context.new_id()}",
            "object": "chat.completion.chunk",
            "created": created,
            "model": self.context.model or event.model,
        }
        if self.source == NAME:
            self._head |= said(event.extras)
        if self._null_usage:
            self._head["usage"] = None
        return []

    def on_part_start(self, part: Part) -> list[Frame]:
        frames = self._open("" if isinstance(part, Text) else None)
        match part:
            case ToolCall():
                frames += self._call(part)
            case Thinking():
                frames += self._think(part)
            case Audio():
                frames.append(self._delta({"audio": self._sound(part)}))
            case Image():
                frames.append(self._delta({"images": [image_part(part, self._images)]}))
                self._images += 1
            case _:
                pass
        return frames

    def on_text(self, text: str) -> list[Frame]:
        if type(self.part) is Text:
            self._length += len(text)
            return [self._delta({"content": text})]
        return [self._delta({"refusal": text})]

    def on_thinking(self, text: str) -> list[Frame]:
        part = self.part
        if isinstance(part, Thinking) and self._in_details(part):
            name = "summary" if part.form == "summary" else "text"
            return [self._detail({name: text})]
        text, self._gap, self._thought = self._gap + text, "", True
        return [self._delta({self._field: text})]

    def on_args(self, text: str) -> list[Frame]:
        if self._old:
            return [self._delta({"function_call": {"arguments": text}})] if self._calls == 1 else []
        entry: JsonObject = {"index": self._calls - 1}
        if isinstance(self.part, ToolCall) and self.part.kind == "custom":
            entry["custom"] = {"input": text}
        else:
            entry["function"] = {"arguments": text}
        return [self._delta({"tool_calls": [entry]})]

    def on_signature(self, signature: Signature) -> list[Frame]:
        part = self.part
        if isinstance(part, Thinking) and self._in_details(part):
            return [self._detail({"signature": wrap(signature, NAME)})]
        self._no_place(signature)
        return []

    def on_citation(self, event: CitationDelta) -> list[Frame]:
        citation = event.citation
        if self.source == NAME or citation.url:
            self._annotations.append(write_annotation(citation, self._length))
            return []
        return super().on_citation(event)

    def on_part_end(self, part: Part) -> list[Frame]:
        if isinstance(part, Thinking) and self._in_details(part) and part.form != "redacted":
            self._details += 1
        return []

    def on_end(self, event: End) -> list[Frame]:
        stop = event.stop
        frames = self._open(None)
        own = self.source == NAME
        extras = said(event.extras) if own else {}
        last: JsonObject = {"annotations": self._annotations} if self._annotations else {}
        if stop.details and not own:
            self.context.ledger.dropped(
                "answer.stop_details", "Chat has no words for why an answer was refused", stop.details
            )
        last |= {name.removeprefix(_MESSAGE): value for name, value in extras.items() if name.startswith(_MESSAGE)}
        if last:
            frames.append(self._delta(last))
        reason = _REASONS[stop.reason]
        if own and stop.reason == "other" and stop.native:
            reason = stop.native
        if self._old and reason == "tool_calls":
            reason = "function_call"
        choice: JsonObject = {"index": 0, "delta": {}, "finish_reason": reason}
        if stop.sequence:
            # Where vLLM and its like say it; OpenAI has no field for it.
            choice["stop_reason"] = stop.sequence
        choice |= {
            name.removeprefix(_CHOICE): value
            for name, value in extras.items()
            if name.startswith(_CHOICE) and not name.startswith(_MESSAGE)
        }
        head = self._head | {name: value for name, value in extras.items() if not name.startswith(_CHOICE)}
        frames.append(Frame({**head, "choices": [choice]}))
        if self._say_usage and self.usage is not None:
            frames.append(Frame({**head, "choices": [], "usage": write_usage(self.usage, self.source)}))
        return [*frames, DONE]

    def on_failed(self, error: ErrorInfo) -> list[Frame]:
        return [Frame(error_object(error))]

    def _open(self, content: str | None) -> list[Frame]:
        """The first chunk, which says who speaks."""
        if self._opened:
            return []
        self._opened = True
        return [self._delta({"role": "assistant", "content": content})]

    def _delta(self, delta: JsonObject) -> Frame:
        return Frame({**self._head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})

    def _call(self, part: ToolCall) -> list[Frame]:
        if part.signature is not None and self.source != NAME:
            self._no_place(part.signature)
        self._calls += 1
        if self._old:
            if self._calls > 1:
                self.context.ledger.dropped("answer.tool_calls", "the client knows one function call", part.name)
                return []
            return [self._delta({"function_call": {"name": part.name, "arguments": ""}})]
        if self.source != NAME:
            part = ToolCall(part.id, part.name, kind=part.kind)
        elif part.signature is not None:
            part = replace(part, signature=Signature(wrap(part.signature, NAME), NAME))
        entry = write_call(part, self._calls - 1)
        return [self._delta({"tool_calls": [entry]})]

    def _think(self, part: Thinking) -> list[Frame]:
        own = self.source == NAME
        self._field = "reasoning" if own and spelled(part.extras, "reasoning") else "reasoning_content"
        # Each of another dialect's thoughts is a paragraph.
        self._gap = "\n\n" if self._thought and not own else ""
        if part.form != "redacted":
            return []
        if own:
            self._details += 1
            sealed = {**detail_of(part), "data": wrap(part.signature, NAME) if part.signature else ""}
            return [self._delta({"reasoning_details": [{**sealed, "index": self._details - 1}]})]
        if part.signature is not None:
            self._no_place(part.signature)
        return []

    def _in_details(self, part: Thinking) -> bool:
        """Whether a provider gave this thinking in `reasoning_details`."""
        return self.source == NAME and spelled(part.extras, "reasoning_details")

    def _detail(self, fields: JsonObject) -> Frame:
        part = self.part
        assert isinstance(part, Thinking)
        kind = SUMMARY_DETAIL if part.form == "summary" else TEXT_DETAIL
        entry = {"type": kind, **fields, **said(part.extras), "index": self._details}
        return self._delta({"reasoning_details": [entry]})

    def _sound(self, part: Audio) -> JsonObject:
        known = {"id": f"audio_{self.context.new_id()}", "expires_at": 0} | (part.extras if self.source == NAME else {})
        return {**known, "data": part.source.data, "transcript": part.transcript}

    def _no_place(self, signature: Signature) -> None:
        self.context.ledger.dropped(
            "answer.signature",
            "Chat has no place for it; the reasoning store keeps those of tool calls",
            signature.origin,
        )


# The buffered answer


def collect(frames: Sequence[Frame]) -> bytes:
    """The buffered answer that the chunks of one complete answer add up to."""
    answer: JsonObject = {}
    message: JsonObject = {}
    choice: JsonObject = {}
    texts: dict[str, list[str]] = {}
    for frame in frames:
        chunk = frame.data
        if type(chunk) is not dict:
            continue
        answer |= {name: value for name, value in chunk.items() if value is not None or name not in answer}
        for given in chunk["choices"]:
            _add(message, texts, given["delta"])
            choice |= {name: value for name, value in given.items() if name != "delta"}
    for name, pieces in texts.items():
        message[name] = "".join(pieces)
    message["content"] = message.get("content") or None
    message.setdefault("refusal", None)
    choice["message"] = {"role": "assistant", **message}
    answer |= {"object": "chat.completion", "choices": [choice]}
    if answer.get("usage") is None:
        answer.pop("usage", None)
    return dumps(answer)


def _add(message: JsonObject, texts: dict[str, list[str]], delta: JsonObject) -> None:
    """One delta of a message: texts in pieces, lists by index, the rest as it is."""
    for name, value in delta.items():
        if name == "role" or value is None:
            continue
        if type(value) is str:
            texts.setdefault(name, []).append(value)
        elif name == "function_call":
            message[name] = _joined(message.get(name, {}), value)
        elif type(value) is list and value and type(value[0]) is dict and "index" in value[0]:
            _merge(message.setdefault(name, []), value, keep_index=name == "reasoning_details")
        else:
            message[name] = value


def _merge(entries: list[JsonObject], pieces: list[JsonObject], *, keep_index: bool) -> None:
    """Adds pieces of a list's entries; `index` is where they belong, and mostly no part of the result."""
    for piece in pieces:
        index = piece["index"]
        rest = piece if keep_index else {name: value for name, value in piece.items() if name != "index"}
        while len(entries) <= index:
            entries.append({})
        entries[index] = _joined(entries[index], rest)


def _joined(before: JsonObject, piece: JsonObject) -> JsonObject:
    """An entry with a piece of it added: what it says in pieces is put together."""
    joined = dict(before)
    for name, value in piece.items():
        old: Any = joined.get(name)
        if type(old) is dict and type(value) is dict:
            joined[name] = _joined(old, value)
        elif type(old) is str and type(value) is str and name in ("arguments", "input", "text", "summary"):
            joined[name] = old + value
        else:
            joined[name] = value
    return joined
