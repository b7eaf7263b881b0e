"""Answers of Gemini upstreams: chunks of a stream, or one of them as a whole answer, as events.

A chunk holds whole parts; neighbouring texts (and neighbouring thoughts) are pieces of one part until one of them is
signed. There is no last word: an answer is complete when it has a finish reason and the stream has ended. Usage is
reported with the first chunk and at the end. Code Assist's `{"response": {...}}` is looked into.
"""

from __future__ import annotations

from typing import Any

from ccproxy.lightllm.dialect import Context
from ccproxy.lightllm.dialects.gemini.citations import citations_of
from ccproxy.lightllm.dialects.gemini.errors import decode_error, error_of, info_of_object
from ccproxy.lightllm.dialects.gemini.read import read_part
from ccproxy.lightllm.dialects.gemini.spelling import NAME, camel
from ccproxy.lightllm.dialects.gemini.stops import FAILURES, STOPS
from ccproxy.lightllm.dialects.gemini.usage import read_usage
from ccproxy.lightllm.errors import ErrorInfo, malformed
from ccproxy.lightllm.fields import ShapeError, as_list, as_object, as_text
from ccproxy.lightllm.ir.events import CitationDelta, SignatureDelta, Stop, TextDelta, ThinkingDelta
from ccproxy.lightllm.ir.parts import JsonObject, Text, Thinking
from ccproxy.lightllm.jsontext import loads
from ccproxy.lightllm.machine import BaseDecoder

#: Fields of a chunk and of a candidate that are read here; others are extras.
_READ = frozenset({"candidates", "usageMetadata", "modelVersion", "responseId", "promptFeedback"})
_READ_OF_CANDIDATE = frozenset({"content", "finishReason", "finishMessage", "index", "tokenCount"})
_PLAIN = frozenset({"text", "thought"})


class GeminiDecoder(BaseDecoder):
    """An upstream's answer becomes events."""

    def __init__(self, context: Context) -> None:
        super().__init__(context, NAME)
        self._stop: Stop | None = None
        self._usage: Any = None
        self._extras: JsonObject = {}
        #: The open text or thought: its number, kind, whether it is signed.
        self._part = 0
        self._kind_open: type[Text] | type[Thinking] | None = None
        self._sealed = False
        self._pieces: list[str] = []
        self._texts = 0

    def _frame(self, name: str | None, data: bytes) -> None:
        self._chunk(loads(data))

    def _document(self, body: bytes) -> None:
        value = loads(body)
        if type(value) is list and value:
            # The array form of a stream, or an error in it, that came whole.
            for item in value:
                if not self.ended:
                    self._chunk(item)
            return
        chunk = as_object(value, "answer")
        inner = chunk.get("response")
        held = inner if type(inner) is dict else chunk
        if not any(known in held for known in ("candidates", "promptFeedback", "prompt_feedback")):
            info = decode_error(0, body)
            self.error(info if error_of(chunk) else malformed(info.message))
            return
        self._chunk(chunk)

    def _eof(self) -> None:
        if self._stop is None:
            self._report()
            return
        self._report()
        self.end(self._stop, self._extras)

    def error(self, error: ErrorInfo) -> None:
        """See `BaseDecoder`; what is known of the usage is said first."""
        if not self.ended:
            self._report()
        super().error(error)

    def _report(self) -> None:
        if self._usage is not None and not self.ended:
            given, self._usage = self._usage, None
            try:
                usage = read_usage(given)
            except ShapeError:
                # It was readable so far; an answer is not lost for a count.
                return
            self.usage(usage)

    # Chunks

    def _chunk(self, value: object) -> None:
        chunk = camel(value, "chunk")
        inner = chunk.get("response")
        if type(inner) is dict:
            self._more({name: item for name, item in chunk.items() if name != "response"}, frozenset())
            chunk = camel(inner, "chunk.response")
        if "error" in chunk and (error := error_of(chunk)) is not None:
            self.error(info_of_object(error, 0))
            return
        usage = chunk.get("usageMetadata")
        if not self.started:
            self._begin(chunk, usage)
        if usage is not None:
            self._usage = as_object(usage, "usageMetadata")
        for name in chunk:
            if name not in _READ:
                self._more(chunk, _READ)
                break
        candidates = chunk.get("candidates")
        if candidates:
            self._candidates(as_list(candidates, "candidates"))
        feedback = chunk.get("promptFeedback")
        if feedback is not None:
            self._feedback(camel(feedback, "promptFeedback"))

    def _begin(self, chunk: JsonObject, usage: object) -> None:
        answer_id, model = chunk.get("responseId") or "", chunk.get("modelVersion") or ""
        self.start(
            as_text(answer_id, "responseId"),
            as_text(model, "modelVersion"),
            usage=None if usage is None else read_usage(usage),
        )

    def _more(self, given: JsonObject, known: frozenset[str]) -> None:
        """Keeps what only this dialect knows; the last word counts."""
        self._extras |= {name: value for name, value in given.items() if name not in known and value is not None}

    def _feedback(self, feedback: JsonObject) -> None:
        reason = feedback.get("blockReason")
        if not reason:
            self._extras["promptFeedback"] = feedback
            return
        word = as_text(reason, "promptFeedback.blockReason")
        self._stop = Stop("content_filter", native=word, details={"promptFeedback": feedback})

    def _candidates(self, candidates: list[Any]) -> None:
        for item in candidates:
            candidate = camel(item, "candidate")
            if candidate.get("index"):
                self.context.ledger.dropped("answer.candidates", "the client's dialect has one answer", "further ones")
                continue
            content = candidate.get("content")
            if content:
                parts = as_object(content, "content").get("parts")
                if parts:
                    for part in as_list(parts, "content.parts"):
                        self._read(part)
            for name in candidate:
                if name not in _READ_OF_CANDIDATE:
                    self._cite(candidate)
                    self._more(candidate, _READ_OF_CANDIDATE)
                    break
            reason = candidate.get("finishReason")
            if reason:
                self._finished(as_text(reason, "finishReason"), candidate.get("finishMessage"))

    def _finished(self, word: str, message: object) -> None:
        text = message if type(message) is str else ""
        if word in FAILURES:
            said = text or f"the model's answer could not be used: {word}"
            self.error(ErrorInfo(FAILURES[word], said, 0, code=word, dialect=NAME))
        elif word != "FINISH_REASON_UNSPECIFIED":
            details: JsonObject = {"finishMessage": text} if text else {}
            self._stop = Stop(STOPS.get(word, "other"), native=word, details=details)

    # Parts

    def _read(self, value: object) -> None:
        raw = camel(value, "part")
        text = raw.get("text")
        if type(text) is str and (len(raw) == 1 or raw.keys() <= _PLAIN):
            if text:
                self._add(text, Thinking if raw.get("thought") else Text, {})
            return
        part = read_part(raw, "part", self.origin)
        if isinstance(part, Text | Thinking) and not (isinstance(part, Thinking) and part.form == "redacted"):
            if not part.text and part.signature is None and not part.extras:
                return
            self._add(part.text, type(part), part.extras)
            if part.signature is not None:
                self.add(self._part, SignatureDelta(part.signature))
                self._sealed = True
            return
        self._close()
        self._texts += 1
        self.whole(part)

    def _add(self, text: str, kind: type[Text] | type[Thinking], extras: JsonObject) -> None:
        """More of the open part, or the beginning of a new one."""
        if kind is not self._kind_open or extras or self._sealed:
            self._close()
            part = Text("", extras=extras) if kind is Text else Thinking("", form="summary", extras=extras)
            self.begin(self._part, part)
            self._kind_open = kind
        if text:
            self.add(self._part, TextDelta(text) if kind is Text else ThinkingDelta(text))
            if kind is Text:
                self._pieces.append(text)

    def _close(self) -> None:
        if self._kind_open is not None:
            self.finish(self._part)
            self._part += 1
            self._kind_open, self._sealed = None, False
            self._pieces.clear()

    def _cite(self, candidate: JsonObject) -> None:
        """Citations come after the texts they are about: those of the open text belong to it."""
        found = citations_of(candidate, "".join(self._pieces))
        if self._kind_open is Text:
            for citation in found:
                self.add(self._part, CitationDelta(citation))
        elif found:
            self.context.ledger.dropped("answer.citations", "they came when their text was over", len(found))
