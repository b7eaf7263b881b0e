"""What a recorded answer says: its text, the tools it calls, and where in the body its content begins and ends. Pure; any
bytes in, never an exception out.

Whole documents, JSON arrays and Server-Sent Events, of any of the dialects: the shape of an event tells which. A
stream's events are decoded many at once, as one array, because one by one they cost several times as much. Only what a
person would search for is taken: text, thinking, and the arguments of tool calls.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import batched
from typing import Any

import msgspec
from msgspec import Struct, field

#: Most text that is taken, in characters, and most names of tools.
MOST_TEXT = 32 * 1024
_MOST_TOOLS = 64
_LONGEST_NAME = 200
_TOGETHER = 256
_DATA = re.compile(rb"^data:[ \t]*(\{[^\n]*)", re.MULTILINE)
_GARBAGE = (msgspec.MsgspecError, ValueError, TypeError, RecursionError)


class Said(Struct):
    """What was found.

    Attributes:
        text: the words, thinking and tool arguments, in the order they came.
        tools: the names of the tools that are called, each once.
        first, last: where in the body the events end that bring the first and the last piece of content; -1 if it is
            no stream or has none.
    """

    text: str = ""
    tools: list[str] = field(default_factory=list)
    first: int = -1
    last: int = -1


class _Event(Struct):
    """The members of an event, or of a whole answer, in which content stands."""

    type: Any = None
    delta: Any = None
    index: Any = None
    output_index: Any = None
    content_block: Any = None
    content: Any = None
    item: Any = None
    output: Any = None
    choices: Any = None
    candidates: Any = None
    response: msgspec.Raw = msgspec.Raw()


_decode_event = msgspec.json.Decoder(_Event).decode
_decode_events = msgspec.json.Decoder(list[_Event]).decode


class _Reading:
    """What has been read so far."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._left = MOST_TEXT
        self._place: object = None
        self.tools: dict[str, None] = {}

    @property
    def text(self) -> str:
        return "".join(self._pieces)

    def add(self, event: _Event) -> bool:
        """Takes what an event brings. Returns whether it brings content."""
        if isinstance(event.choices, list):
            return self._add_choices(event.choices)
        if isinstance(event.candidates, list):
            return self._add_candidates(event.candidates)
        kind = event.type
        if not isinstance(kind, str):
            # Code Assist wraps what Gemini says.
            inner = _read_event(bytes(event.response)) if event.response else None
            return isinstance(inner, _Event) and isinstance(inner.candidates, list) and self.add(inner)
        if kind.startswith("content_block_"):
            return self._add_block(event)
        if kind.startswith("response."):
            return self._add_item_event(kind, event)
        if kind == "message":
            for place, block in enumerate(_list(event.content)):
                self._add_content(block, place)
        return False

    def add_document(self, document: _Event) -> None:
        """Takes a whole answer."""
        for place, item in enumerate(_list(document.output)):
            self._add_item(item, place)
        self.add(document)

    def _say(self, text: object, place: object) -> bool:
        if not isinstance(text, str) or not text:
            return False
        if self._left > 0:
            if place != self._place and self._pieces:
                self._pieces.append("\n")
            self._place = place
            self._pieces.append(text[: self._left])
            self._left -= len(text)
        return True

    def _call(self, name: object, place: object) -> bool:
        if not isinstance(name, str) or not name:
            return False
        if len(self.tools) < _MOST_TOOLS:
            self.tools[name[:_LONGEST_NAME]] = None
        self._say(f"{name} ", place)
        return True

    def _add_choices(self, choices: list[Any]) -> bool:
        """OpenAI's Chat Completions: a piece of a choice or a whole one."""
        found = False
        for choice in choices:
            if not isinstance(choice, dict):
                continue
            said = choice.get("delta") or choice.get("message") or choice
            if not isinstance(said, dict):
                continue
            place = choice.get("index")
            for name in ("reasoning_content", "reasoning", "content", "refusal", "text"):
                value = said.get(name)
                for text in [value] if isinstance(value, str) else _texts(value):
                    found |= self._say(text, (place, name == "content" or name))
            for call in _list(said.get("tool_calls")):
                if isinstance(call, dict):
                    function = call.get("function") or call.get("custom")
                    found |= self._add_function(function, (place, "call", call.get("index")))
            found |= self._add_function(said.get("function_call"), (place, "call"))
        return found

    def _add_function(self, function: Any, place: object) -> bool:
        if not isinstance(function, dict):
            return False
        named = self._call(function.get("name"), place)
        return self._say(function.get("arguments") or function.get("input"), place) or named

    def _add_candidates(self, candidates: list[Any]) -> bool:
        """Gemini."""
        found = False
        for candidate in candidates:
            content = candidate.get("content") if isinstance(candidate, dict) else None
            for part in _list(content.get("parts")) if isinstance(content, dict) else ():
                if not isinstance(part, dict):
                    continue
                found |= self._say(part.get("text"), ("text", part.get("thought")))
                call = part.get("functionCall")
                if isinstance(call, dict):
                    found |= self._call(call.get("name"), object())
                    self._say(_json(call.get("args")), self._place)
                code = part.get("executableCode")
                found |= self._say(code.get("code"), object()) if isinstance(code, dict) else "inlineData" in part
        return found

    def _add_block(self, event: _Event) -> bool:
        """Anthropic's stream."""
        block, delta = event.content_block, event.delta
        if isinstance(block, dict):
            return self._add_content(block, event.index)
        if isinstance(delta, dict):
            text = delta.get("text") or delta.get("thinking") or delta.get("partial_json")
            return self._say(text, event.index)
        return False

    def _add_content(self, block: Any, place: object) -> bool:
        """A content block of Anthropic."""
        if not isinstance(block, dict):
            return False
        found = self._say(block.get("text") or block.get("thinking"), place)
        if isinstance(kind := block.get("type"), str) and kind.endswith("tool_use"):
            found = self._call(block.get("name"), place)
            self._say(_json(block.get("input")), place)
        return found

    def _add_item_event(self, kind: str, event: _Event) -> bool:
        """OpenAI's Responses: events of a stream."""
        if kind.endswith(".delta"):
            return self._say(event.delta, event.output_index)
        if kind == "response.output_item.added" and isinstance(event.item, dict):
            return self._add_call(event.item, event.output_index)
        return False

    def _add_item(self, item: Any, place: object) -> None:
        """A whole item of the Responses dialect."""
        if not isinstance(item, dict):
            return
        for text in (*_texts(item.get("summary")), *_texts(item.get("content"))):
            self._say(text, place)
        self._add_call(item, place)
        self._say(item.get("arguments") or item.get("input"), place)

    def _add_call(self, item: dict[str, Any], place: object) -> bool:
        kind = item.get("type")
        if not isinstance(kind, str) or not kind.endswith("_call"):
            return False
        return self._call(item.get("name") or kind.removesuffix("_call"), place)


def read(body: bytes) -> Said:
    """What an answer without content coding says.

    Args:
        body: the answer, whole or cut.
    """
    reading = _Reading()
    first = last = -1
    start = body[:64].lstrip(b" \t\r\n\xef\xbb\xbf")[:1]
    if start == b"{":
        if (whole := _read_event(body)) is not None:
            reading.add_document(whole)
    elif start == b"[":
        for document in _read_events([body.strip()[1:-1]]):
            reading.add_document(document)
    else:
        if b"\r" in body:
            body = body.replace(b"\r\n", b" \n").replace(b"\r", b"\n")
        for some in batched(_DATA.finditer(body), _TOGETHER, strict=False):
            for match, event in zip(some, _read_each([match[1] for match in some]), strict=True):
                if event is not None and reading.add(event):
                    last = match.end()
                    first = last if first < 0 else first
    return Said(reading.text, list(reading.tools), first, last)


def read_messages(messages: Iterable[bytes]) -> Said:
    """The same for the messages that a WebSocket's server sent: each is an event."""
    reading = _Reading()
    for some in batched(messages, _TOGETHER, strict=False):
        for event in _read_each(some):
            if event is not None:
                reading.add(event)
    return Said(reading.text, list(reading.tools))


def _read_each(texts: Sequence[bytes]) -> list[_Event | None]:
    """The events that these texts are; None for what is none."""
    events: list[_Event | None] = list(_read_events(texts))
    return events if len(events) == len(texts) else [_read_event(text) for text in texts]


def _read_events(texts: Sequence[bytes]) -> list[_Event]:
    try:
        return _decode_events(b"[" + b",".join(texts) + b"]")
    except _GARBAGE:
        return []


def _read_event(text: bytes) -> _Event | None:
    try:
        return _decode_event(text)
    except _GARBAGE:
        return None


def _texts(content: Any) -> Iterator[str]:
    for part in _list(content):
        if isinstance(part, dict) and isinstance(text := part.get("text") or part.get("refusal"), str):
            yield text


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode() if value else ""
