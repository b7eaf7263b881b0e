"""An upstream's answer becomes events: the chunks of a stream, and the buffered answer, which is one chunk whose `delta`
is called `message`.

A stream is complete with `[DONE]`, or when it ends after a finish reason and the usage that was asked for. What only
this dialect knows goes to the extras of the answer, under its path (`choices[0].logprobs`).
"""

from __future__ import annotations

from typing import Any

from ccproxy.lightllm.dialect import Context
from ccproxy.lightllm.dialects.openai.calls import CallReader
from ccproxy.lightllm.dialects.openai.errors import decode_error, info_of_object, is_error
from ccproxy.lightllm.dialects.openai.read import read_annotation, read_answer_image
from ccproxy.lightllm.dialects.openai.spelling import NAME
from ccproxy.lightllm.dialects.openai.thinking import read_detail
from ccproxy.lightllm.dialects.openai.usage import read_usage
from ccproxy.lightllm.errors import ErrorInfo, ErrorKind, malformed
from ccproxy.lightllm.fields import Fields, as_list, as_object, as_text
from ccproxy.lightllm.ir.events import CitationDelta, SignatureDelta, Stop, StopReason, TextDelta, ThinkingDelta
from ccproxy.lightllm.ir.parts import Audio, JsonObject, Part, Refusal, Source, Text, Thinking
from ccproxy.lightllm.jsontext import loads
from ccproxy.lightllm.machine import BaseDecoder

#: Reasons of OpenAI, then those of servers that speak its dialect.
STOPS: dict[str, StopReason] = {
    "stop": "end",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "content_filter",
    "eos": "end",
    "eos_token": "end",
    "end_turn": "end",
    "stop_sequence": "stop_sequence",
    "max_tokens": "max_tokens",
    "model_length": "context_window",
    "model_context_window_exceeded": "context_window",
    "tool_use": "tool_use",
    "refusal": "refusal",
    "sensitive": "content_filter",
}

#: Reasons that say that the answer broke off.
_BROKEN: dict[str, ErrorKind] = {
    "error": "api",
    "network_error": "api",
    "abort": "api",
    "insufficient_system_resource": "overloaded",
}

_CHUNK = frozenset({"id", "object", "created", "model", "choices", "usage", "obfuscation"})
_CHOICE = frozenset({"index", "delta", "message", "finish_reason", "usage", "error", "stop_reason"})
_DELTA = frozenset(
    {
        "role",
        "content",
        "refusal",
        "annotations",
        "audio",
        "images",
        "tool_calls",
        "function_call",
        "reasoning",
        "reasoning_content",
        "reasoning_details",
    }
)


class OpenAIDecoder(BaseDecoder):
    """See the module."""

    def __init__(self, context: Context) -> None:
        super().__init__(context, NAME)
        self._calls = CallReader(self)
        #: What is being said: the key of the open text, refusal or thinking, or "".
        self._saying = ""
        self._detail: object = None
        #: The number of the choice that is read; others are left out.
        self._number: object = None
        self._several = False
        self._seen = False
        self._stop: Stop | None = None
        self._counted = False
        self._head: JsonObject = {}
        self._extras: JsonObject = {}
        self._audio: JsonObject = {}

    def _frame(self, name: str | None, data: bytes) -> None:
        if data == b"[DONE]" or data.strip() == b"[DONE]":
            self._done()
            return
        event = loads(data)
        if type(event) is not dict or event.get("error") is not None or name == "error" or event.get("choices") is None:
            self._odd(name, event, data)
        else:
            self._chunk(event)

    def _document(self, body: bytes) -> None:
        answer = loads(body)
        if type(answer) is not dict or answer.get("error") is not None or not answer.get("choices"):
            info = decode_error(0, body)
            told = answer[0] if type(answer) is list and len(answer) == 1 else answer
            self.error(info if type(told) is dict and is_error(told) else malformed(info.message))
            return
        self._chunk(answer, whole=True)
        self._stop = self._stop or Stop("end")
        self._done()

    def _eof(self) -> None:
        # Everything was said with the finish reason and the usage; some servers leave `[DONE]` out.
        if self._stop is not None and self._counted:
            self._done()

    def _odd(self, name: str | None, event: object, data: bytes) -> None:
        """A frame that is no chunk: an error, the usage alone, or nothing that matters."""
        if type(event) is list and len(event) == 1:
            event = event[0]
        value = as_object(event, "chunk")
        if name == "error" or value.get("error") is not None or is_error(value):
            self.error(info_of_object(value, 0))
        elif type(value.get("detail")) is str:
            self.error(decode_error(0, data))
        elif value.get("usage") is not None:
            self._usage(value["usage"])

    def _chunk(self, event: JsonObject, whole: bool = False) -> None:
        choices = as_list(event["choices"], "choices")
        if not self.started and not choices and not event.get("id"):
            # Azure says what it found in the prompt before there is an answer.
            self._head |= {key: value for key, value in event.items() if key not in _CHUNK and value is not None}
            return
        if not self.started:
            self._begin(event)
        else:
            for key, value in event.items():
                if key not in _CHUNK and value is not None and self._head.get(key) != value:
                    self._extras[key] = value
        for position, value in enumerate(choices):
            self._choice(as_object(value, f"choices[{position}]"), whole)
        if (usage := event.get("usage")) is not None:
            self._usage(usage)

    def _begin(self, event: JsonObject) -> None:
        fields = Fields(event, "")
        answer_id, model, created = fields.text("id"), fields.text("model"), fields.number("created")
        self._head |= {key: value for key, value in event.items() if key not in _CHUNK and value is not None}
        self.start(answer_id, model, created=None if created is None else int(created), extras=self._head)

    def _usage(self, value: object) -> None:
        if usage := as_object(value, "usage"):
            self.usage(read_usage(usage))
            self._counted = self._stop is not None

    # A choice

    def _choice(self, choice: JsonObject, whole: bool) -> None:
        number = choice.get("index")
        if self._seen and number != self._number:
            if not self._several:
                self._several = True
                self.context.ledger.dropped("answer.choices", "one answer is read of the several that came")
            return
        self._seen, self._number = True, number
        delta = choice.get("delta")
        if delta is None:
            delta = choice.get("message")
        if delta is not None:
            self._delta(as_object(delta, "delta"), whole)
        for key, value in choice.items():
            if key not in _CHOICE and value is not None:
                self._keep(f"choices[0].{key}", value)
        if (problem := choice.get("error")) is not None:
            self.error(info_of_object({"error": problem}, 0))
        elif reason := choice.get("finish_reason"):
            self._finished(as_text(reason, "finish_reason"), choice.get("stop_reason"))
        if (usage := choice.get("usage")) is not None:
            self._usage(usage)

    def _finished(self, word: str, matched: object) -> None:
        if word in _BROKEN:
            self.error(ErrorInfo(_BROKEN[word], f"the provider broke off the answer: {word}", code=word, dialect=NAME))
            return
        reason = STOPS.get(word, "other")
        # vLLM and its like name the stop sequence that was met.
        sequence = matched if type(matched) is str and reason == "end" else ""
        self._stop = Stop("stop_sequence" if sequence else reason, sequence, word)

    def _delta(self, delta: JsonObject, whole: bool) -> None:
        if len(delta) == 1 and type(text := delta.get("content")) is str:
            if text:
                self._say("text", text)
            return
        self._thinking(delta)
        if (content := delta.get("content")) is not None:
            self._content(content)
        for position, value in enumerate(_list(delta, "annotations")):
            citation = read_annotation(value, f"annotations[{position}]")
            if self._saying == "text":
                self.add("text", CitationDelta(citation))
            else:
                self.context.ledger.dropped("answer.annotations", "the text they belong to is over", citation.url)
        if refusal := delta.get("refusal"):
            self._say("refusal", as_text(refusal, "refusal"))
        if audio := delta.get("audio"):
            self._sound(Fields(audio, "audio"))
        for position, value in enumerate(_list(delta, "images")):
            self._whole(read_answer_image(value, f"images[{position}]"))
        for position, value in enumerate(_list(delta, "tool_calls")):
            self._hush()
            self._calls.read(value, f"tool_calls[{position}]", whole=whole)
        if call := delta.get("function_call"):
            self._hush()
            self._calls.read_old(call)
        for key, value in delta.items():
            if key not in _DELTA and value is not None:
                self._keep(f"choices[0].message.{key}", value)

    def _content(self, content: object) -> None:
        if type(content) is str:
            if content:
                self._say("text", content)
            return
        # Mistral gives its content in pieces of several types.
        for position, value in enumerate(as_list(content, "content")):
            piece = Fields(value, f"content[{position}]")
            kind = piece.text("type")
            if kind == "text":
                self._say("text", piece.text("text"))
            elif kind == "thinking":
                for number, inner in enumerate(piece.items("thinking")):
                    self._say("thinking", Fields(inner, f"content[{position}].thinking[{number}]").text("text"))
            else:
                self.context.ledger.dropped("answer.content", f"content of the type {kind[:40]!r}")

    def _thinking(self, delta: JsonObject) -> None:
        told = False
        for position, value in enumerate(_list(delta, "reasoning_details")):
            entry = as_object(value, f"reasoning_details[{position}]")
            part = read_detail(Fields(entry, f"reasoning_details[{position}]"), self.origin)
            if part is None:
                self._keep("choices[0].message.reasoning_details", [entry])
            else:
                told = told or bool(part.text)
                self._told(part, entry.get("index"))
        if told:
            return
        if text := delta.get("reasoning_content"):
            self._say("thinking", as_text(text, "reasoning_content"))
        elif text := delta.get("reasoning"):
            self._say("thinking", as_text(text, "reasoning"), {"reasoning": None})

    def _told(self, part: Thinking, index: object) -> None:
        """One of `reasoning_details`, or a piece of one."""
        if part.form == "redacted":
            self._whole(part)
            return
        if not part.text and part.signature is None:
            return
        if self._saying != "thinking" or (index is not None and self._detail not in (None, index)):
            self._hush()
            self.begin("thinking", Thinking("", form=part.form, extras=part.extras))
            self._saying = "thinking"
        self._detail = index
        if part.text:
            self.add("thinking", ThinkingDelta(part.text))
        if part.signature is not None:
            self.add("thinking", SignatureDelta(part.signature))

    def _say(self, key: str, text: str, extras: JsonObject | None = None) -> None:
        """More of a text, a refusal or thinking."""
        if key != self._saying:
            self._hush()
            self._calls.settle()
            part: Part = Text("")
            if key == "thinking":
                part = Thinking("", extras=extras or {})
            elif key == "refusal":
                part = Refusal("")
            self.begin(key, part)
            self._saying = key
            self._detail = None
        self.add(key, ThinkingDelta(text) if key == "thinking" else TextDelta(text))

    def _hush(self) -> None:
        """What was being said is complete."""
        if self._saying:
            self.finish(self._saying)
            self._saying = ""
            self._detail = None

    def _whole(self, part: Part) -> None:
        self._hush()
        self.whole(part)

    def _sound(self, fields: Fields) -> None:
        """A piece of a recording, which is one part at the end."""
        audio = self._audio
        for name in ("data", "transcript"):
            audio[name] = audio.get(name, "") + fields.text(name)
        audio |= {name: value for name, value in fields.rest().items() if value is not None}

    def _keep(self, path: str, value: Any) -> None:
        """A field that only this dialect knows; texts and lists come in pieces."""
        before = self._extras.get(path)
        if type(value) is list:
            self._extras[path] = [*before, *value] if type(before) is list else list(value)
        elif type(value) is dict:
            merged = dict(before) if type(before) is dict else {}
            for key, inner in value.items():
                old = merged.get(key)
                merged[key] = [*old, *inner] if type(old) is list and type(inner) is list else inner
            self._extras[path] = merged
        elif type(value) is str and type(before) is str:
            self._extras[path] = before + value
        else:
            self._extras[path] = value

    def _done(self) -> None:
        """The last word."""
        if self.ended:
            return
        if not self._seen:
            self.error(malformed("it holds no choice"))
            return
        self._calls.finish()
        if audio := self._audio:
            data, transcript = audio.pop("data"), audio.pop("transcript")
            self._whole(Audio(Source("base64", data), transcript, extras=audio))
        self.end(self._stop or Stop("end"), self._extras)


def _list(delta: JsonObject, name: str) -> list[Any]:
    value = delta.get(name)
    return [] if value is None else as_list(value, name)
