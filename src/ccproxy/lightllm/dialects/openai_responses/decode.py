"""Answers in: the events of `response.created` ... `response.completed`, and the buffered response.

A buffered response is read item by item through the handlers of a stream. The text of a part may come in deltas, in its
`done` events, in its item, in the final response, or in several of them: what was said already is remembered, and a
later, longer wording of the same text adds what is missing (an empty or differing one adds nothing).

Fields of a response that only repeat the request are not read, nor is the status of an item. On a WebSocket each
message is a frame without a name.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ccproxy.lightllm.dialect import Context
from ccproxy.lightllm.dialects.openai_responses.content import NAME, read_citation, read_part
from ccproxy.lightllm.dialects.openai_responses.errors import info_of_object
from ccproxy.lightllm.dialects.openai_responses.read import SERVER_ITEMS, read_item
from ccproxy.lightllm.dialects.openai_responses.under_way import (
    LATER,
    Growing,
    Key,
    OpenItem,
    OpenPart,
    besides,
    call_key,
    content_key,
    index_of,
    list_of,
    names_of,
    summary_key,
)
from ccproxy.lightllm.dialects.openai_responses.usage import read_usage
from ccproxy.lightllm.errors import ErrorInfo, malformed
from ccproxy.lightllm.fields import Fields, as_object, as_text
from ccproxy.lightllm.ir.events import CitationDelta, RawDelta, SignatureDelta, Stop, StopReason
from ccproxy.lightllm.ir.parts import JsonObject, Opaque, Refusal, ServerTool, Text, Thinking, ToolCall, empty
from ccproxy.lightllm.jsontext import loads
from ccproxy.lightllm.machine import BaseDecoder

_STOPS: dict[str, StopReason] = {
    "max_output_tokens": "max_tokens",
    "max_tokens": "max_tokens",
    "max_messages": "pause",
    "steered": "pause",
    "content_filter": "content_filter",
}

# What a part begins as, for events that do not say more.
_TEXT = Text("")
_REFUSAL = Refusal("")
_SUMMARY = Thinking("", form="summary")
_FULL = Thinking("", form="full")
_CALL = ToolCall("", "")


class ResponsesDecoder(BaseDecoder):
    """An upstream's answer becomes events."""

    def __init__(self, context: Context) -> None:
        super().__init__(context, NAME)
        self._parts: dict[Key, OpenPart] = {}
        self._items: dict[int, OpenItem] = {}
        #: Ids of items and calls that came.
        self._seen: set[str] = set()
        self._refused = False
        self._logprobs = False
        self._audio = False
        self._handlers: dict[object, Callable[[JsonObject], None]] = {
            "response.created": self._begun_response,
            "response.in_progress": self._begun_response,
            "response.queued": self._begun_response,
            "response.output_item.added": self._item_added,
            "response.output_item.done": lambda event: self._item(index_of(event), event.get("item")),
            "response.content_part.added": self._part_added,
            "response.content_part.done": self._part_done,
            "response.output_text.done": lambda event: self._whole(content_key(event), event, event.get("text"), _TEXT),
            "response.output_text.annotation.added": self._annotation,
            "response.refusal.delta": lambda event: self._more(content_key(event), event, _REFUSAL),
            "response.refusal.done": lambda event: self._whole(content_key(event), event, event.get("refusal"), _REFUSAL),
            "response.reasoning_summary_part.added": lambda event: self._begin_part(summary_key(event), _SUMMARY),
            "response.reasoning_summary_text.delta": lambda event: self._more(summary_key(event), event, _SUMMARY),
            "response.reasoning_summary_text.done": lambda event: self._whole(summary_key(event), event, event.get("text"), _SUMMARY),
            "response.reasoning_summary_part.done": self._summary_done,
            "response.reasoning_text.delta": lambda event: self._more(content_key(event), event, _FULL),
            "response.reasoning_text.done": lambda event: self._whole(content_key(event), event, event.get("text"), _FULL),
            "response.function_call_arguments.delta": self._arguments,
            "response.function_call_arguments.done": lambda event: self._settle(call_key(event), event.get("arguments")),
            "response.custom_tool_call_input.delta": self._arguments,
            "response.custom_tool_call_input.done": lambda event: self._settle(call_key(event), event.get("input")),
            "response.completed": self._finished,
            "response.incomplete": self._finished,
            "response.failed": self._finished,
            "response.cancelled": self._finished,
            "response.done": self._finished,
            "error": self._failed,
        }  # fmt: skip

    def _frame(self, name: str | None, data: bytes) -> None:
        if data == b"[DONE]":
            return
        event = as_object(loads(data), "event")
        kind = event.get("type") or name
        if kind == "response.output_text.delta":
            self._more(content_key(event), event, _TEXT)
            return
        handler = self._handlers.get(kind) if isinstance(kind, str) else None
        if handler is not None:
            handler(event)
        elif isinstance(event.get("error"), dict):
            self._failed(event)
        elif isinstance(kind, str) and kind.startswith("response.audio."):
            self._saw_audio()
        else:
            # Progress of tools that OpenAI runs, rate limits, keep-alives, what is new.
            self.ping()

    def _document(self, body: bytes) -> None:
        response = as_object(loads(body), "response")
        if type(response.get("output")) is list:
            self._finished({"response": response})
        elif isinstance(response.get("error"), dict):
            self.error(info_of_object(response["error"]))
        else:
            self.error(malformed("it has no output"))

    # The response

    def _begun_response(self, event: JsonObject) -> None:
        self._start(as_object(event.get("response"), "response"))

    def _start(self, response: JsonObject) -> None:
        fields = Fields(response, "response")
        created = fields.number("created_at")
        self.start(fields.text("id"), fields.text("model"), created=None if created is None else int(created))

    def _finished(self, event: JsonObject) -> None:
        response = as_object(event.get("response"), "response")
        self._start(response)
        streamed = dict(self._items)
        for index, item in enumerate(list_of(response, "output")):
            state = streamed.get(index)
            if state is not None and not state.done and state.id in ("", item.get("id")):
                self._item(index, item)
            elif not self._knows(streamed, index, as_object(item, f"response.output[{index}]")):
                self._item(index + LATER if streamed else index, item)
        fields = Fields(response, "response")
        self._count(fields)
        if error := fields.mapping("error"):
            self.error(info_of_object(error))
            return
        status = fields.text("status") or str(event.get("type") or "").rpartition(".")[2]
        details = fields.fields("incomplete_details")
        if status in ("completed", "done"):
            self.end(Stop("refusal" if self._refused else "end"), besides(fields))
        elif status == "incomplete":
            reason = details.text("reason")
            self.end(Stop(_STOPS.get(reason, "other"), native=reason, details=details.rest()), besides(fields))
        else:
            why = "without saying why" if status == "failed" else f"with the status {status[:40]!r}"
            self.error(ErrorInfo("api", f"the provider ended the answer {why}", dialect=NAME))

    def _count(self, fields: Fields) -> None:
        counts = fields.mapping("usage")
        if counts is None:
            return
        usage = read_usage(counts)
        if tools := fields.mapping("tool_usage"):
            usage.extras["tool_usage"] = tools
        self.usage(usage)

    def _knows(self, streamed: dict[int, OpenItem], index: int, item: JsonObject) -> bool:
        """Whether the item came in the stream. Indexes of a stream may have gaps, so ids decide where there are any."""
        names = names_of(item)
        if not names:
            return bool(streamed)
        return any(name in self._seen for name in names) or (index in streamed and not streamed[index].id)

    def _failed(self, event: JsonObject) -> None:
        error = event.get("error")
        status = event.get("status")
        if not isinstance(error, dict):
            error = {name: value for name, value in event.items() if name not in ("type", "sequence_number", "status")}
        self.error(info_of_object(error, status if type(status) is int and 400 <= status < 600 else 0))

    # Items

    def _item_added(self, event: JsonObject) -> None:
        index, item = index_of(event), event.get("item")
        if item is None:
            return
        kind = self._note(index, as_object(item, "item"))
        if kind in ("function_call", "custom_tool_call"):
            if item.get("name") and item.get("call_id"):
                self._begin_call(index, kind, item)
        elif kind in SERVER_ITEMS:
            self.begin((index, "item", 0), ServerTool(NAME, kind, item))

    def _note(self, index: int, item: JsonObject) -> str:
        """Remembers an item; a new one at the place of a complete one (some servers do not count) ends that."""
        known = self._items.get(index)
        if known is None or (known.done and known.id != item.get("id")):
            self._items[index] = OpenItem(item)
            for key in [key for key in self._parts if key[0] == index]:
                del self._parts[key]
        self._seen.update(names_of(item))
        return as_text(item.get("type"), "item.type")

    def _item(self, index: int, value: object) -> None:
        """A complete item: what the stream did not say of it is said now."""
        item = as_object(value, "item")
        kind = self._note(index, item)
        state = self._items[index]
        if state.done:
            return
        if kind == "message":
            self._message(index, item)
        elif kind == "reasoning":
            self._reasoning(index, item)
        elif kind in ("function_call", "custom_tool_call"):
            call = self._begin_call(index, kind, item)
            self._settle((index, "call", 0), call.args)
        elif kind in SERVER_ITEMS:
            key = (index, "item", 0)
            if not self.has(key):
                self.begin(key, ServerTool(NAME, kind, item))
            elif changed := {name: value for name, value in item.items() if state.raw.get(name) != value}:
                self.add(key, RawDelta(changed))
            self.finish(key)
        else:
            fields = Fields({name: value for name, value in item.items() if name not in ("type", "status")}, "item")
            self.whole(read_item(kind, fields, item) or Opaque(NAME, kind, item))
        for key in [key for key in self._parts if key[0] == index]:
            self._complete(key)
        state.done = True

    def _message(self, index: int, item: JsonObject) -> None:
        for position, value in enumerate(list_of(item, "content")):
            self._content_part((index, "part", position), value)

    def _content_part(self, key: Key, value: object) -> None:
        """A part of a message or of a reasoning item, complete."""
        part = read_part(value, "part")
        if not isinstance(part, Text | Refusal):
            self.whole(part)
            return
        if isinstance(part, Text) and part.extras.get("content", {}).pop("logprobs", None):
            self._saw_logprobs()
        self._begin_part(key, part)
        self._settle(key, part.text)
        begun = self._parts[key]
        if isinstance(part, Text) and not begun.done:
            for citation in part.citations[begun.citations :]:
                self._cite(key, citation.raw)

    def _reasoning(self, index: int, item: JsonObject) -> None:
        for name, place, kind in (("summary", "summary", _SUMMARY), ("content", "part", _FULL)):
            for position, value in enumerate(list_of(item, name)):
                text = as_object(value, f"item.{name}[{position}]").get("text")
                self._begin_part((index, place, position), kind)
                self._settle((index, place, position), text)
        sealed = Fields(item, "item").text("encrypted_content")
        state = self._items[index]
        texts = [key for key, part in self._parts.items() if key[0] == index and not part.done]
        if sealed and texts:
            self.add(texts[-1], SignatureDelta(self.signature(sealed)))
        elif sealed:
            self.whole(Thinking("", self.signature(sealed), "redacted", state.id, state.extras))
        elif not texts:
            self.whole(Opaque(NAME, "reasoning", item, for_provider=True))

    def _begin_call(self, index: int, kind: str, item: JsonObject) -> ToolCall:
        """The call of an item; it begins unless it has."""
        fields = Fields({name: value for name, value in item.items() if name not in ("type", "status")}, "item")
        call = read_item(kind, fields, item)
        if not isinstance(call, ToolCall):
            raise AssertionError("an item of a call is a call")
        key = (index, "call", 0)
        if key not in self._parts:
            self._parts[key] = OpenPart(call)
            self.begin(key, empty(call))
        return call

    # Parts

    def _part_added(self, event: JsonObject) -> None:
        part = read_part(event.get("part"), "part")
        if isinstance(part, Text | Refusal):
            kind: Growing = _FULL if event["part"]["type"] == "reasoning_text" else part
            self._begin_part(content_key(event), kind)

    def _part_done(self, event: JsonObject) -> None:
        key = content_key(event)
        part = as_object(event.get("part"), "part")
        if part.get("type") == "reasoning_text":
            self._whole(key, event, part.get("text"), _FULL)
            return
        self._content_part(key, part)
        self._complete(key)

    def _summary_done(self, event: JsonObject) -> None:
        self._whole(summary_key(event), event, as_object(event.get("part"), "part").get("text"), _SUMMARY)

    def _begin_part(self, key: Key, kind: Growing) -> None:
        """A part of the kind of `kind` begins, unless it has."""
        if key in self._parts:
            return
        item = self._items.get(key[0])
        if isinstance(kind, Thinking):
            # A reasoning item's last part stays open for the signature, which comes with the end of the item.
            for other, part in self._parts.items():
                if other[0] == key[0] and not part.done:
                    self._complete(other)
        elif isinstance(kind, Refusal):
            self._refused = True
        extras = {name: value for name, value in kind.extras.items() if value}
        if item is not None:
            extras |= item.extras
            item.extras = {}
        begun = msgspec.structs.replace(empty(kind), item=item.id if item is not None else "", extras=extras)
        self._parts[key] = OpenPart(kind)
        self.begin(key, begun)

    def _more(self, key: Key, event: JsonObject, kind: Growing) -> None:
        part = self._parts.get(key)
        if part is None:
            self._begin_late(key, event, kind)
            part = self._parts[key]
        text = as_text(event.get("delta"), "delta")
        if text:
            part.pieces.append(text)
            self.add(key, part.delta(text))
        if event.get("logprobs"):
            self._saw_logprobs()

    def _whole(self, key: Key, event: JsonObject, text: object, kind: Growing) -> None:
        """The whole text of a part."""
        if text:
            self._begin_late(key, event, kind)
            self._settle(key, text)

    def _begin_late(self, key: Key, event: JsonObject, kind: Growing) -> None:
        """Text of a part whose beginning, or whose item's, the server left out."""
        if key[0] not in self._items:
            self._items[key[0]] = OpenItem({"id": event.get("item_id")})
            self._seen.update(names_of({"id": event.get("item_id")}))
        self._begin_part(key, kind)

    def _arguments(self, event: JsonObject) -> None:
        key = call_key(event)
        # Without the beginning of its item a call has no name: all of it comes with the item's end.
        if key in self._parts:
            self._more(key, event, _CALL)

    def _settle(self, key: Key, text: object) -> None:
        """Adds what is missing of a part's text."""
        part = self._parts.get(key)
        if not text or part is None or part.done:
            return
        whole, so_far = as_text(text, "text"), "".join(part.pieces)
        if len(whole) > len(so_far) and whole.startswith(so_far):
            rest = whole[len(so_far) :]
            part.pieces.append(rest)
            self.add(key, part.delta(rest))

    def _annotation(self, event: JsonObject) -> None:
        key = content_key(event)
        part = self._parts.get(key)
        if part is not None and not part.done and event.get("annotation") is not None:
            self._cite(key, as_object(event["annotation"], "annotation"))

    def _cite(self, key: Key, annotation: JsonObject) -> None:
        self._parts[key].citations += 1
        self.add(key, CitationDelta(read_citation(annotation, "annotation")))

    def _complete(self, key: Key) -> None:
        part = self._parts.get(key)
        if part is not None and not part.done:
            part.done = True
            self.finish(key)

    def _saw_audio(self) -> None:
        if not self._audio:
            self._audio = True
            self.context.ledger.dropped("answer.audio", "converted answers carry no sound of this dialect")

    def _saw_logprobs(self) -> None:
        if not self._logprobs:
            self._logprobs = True
            self.context.ledger.dropped("answer.logprobs", "converted answers carry no probabilities")
