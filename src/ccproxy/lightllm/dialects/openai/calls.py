"""Tool calls of an answer put together from their pieces.

A well-behaved server numbers its calls and says id and name once. Others leave out ids or numbers, repeat them in each
piece, or give every call the number 0. The rules here: a piece belongs to the call of its number; another id, or a name
when the call before is complete or has another one, begins the next. Ids are made unique by `BaseDecoder`.
"""

from __future__ import annotations

from typing import Any

from ccproxy.lightllm.dialects.openai.read import arguments_of, read_signature
from ccproxy.lightllm.fields import Fields, ShapeError, as_object, as_text
from ccproxy.lightllm.ir.events import ArgsDelta
from ccproxy.lightllm.ir.parts import JsonObject, Signature, ToolCall
from ccproxy.lightllm.jsontext import loads_or_none
from ccproxy.lightllm.machine import BaseDecoder

#: The number of the old `function_call`, which has none.
_OLD = "function_call"


class _Call:
    __slots__ = ("begun", "extras", "id", "key", "kind", "name", "pieces", "signature")

    def __init__(self, key: object) -> None:
        self.key = key
        self.id = ""
        self.name = ""
        self.kind: Any = "function"
        self.pieces: list[str] = []
        self.signature: Signature | None = None
        self.extras: JsonObject = {}
        self.begun = False

    def complete(self) -> bool:
        """Whether nothing can follow: its arguments are a whole JSON object."""
        return self.kind == "function" and type(loads_or_none("".join(self.pieces))) is dict


class CallReader:
    """The calls of one answer.

    Args:
        decoder: where their parts go.
    """

    __slots__ = ("_calls", "_decoder", "_last", "_placed")

    def __init__(self, decoder: BaseDecoder) -> None:
        self._decoder = decoder
        self._calls: list[_Call] = []
        self._placed: dict[object, _Call] = {}
        self._last: _Call | None = None

    def read(self, value: object, path: str, *, whole: bool) -> None:
        """One of `tool_calls`: a whole one of a buffered answer, or a piece of a stream's."""
        entry = as_object(value, path)
        index = entry.get("index")
        if type(index) is not int:
            index = None
        given_id = entry.get("id")
        call_id = "" if given_id is None else as_text(given_id, f"{path}.id")
        kind = entry.get("type")
        custom = kind == "custom" or "custom" in entry
        inner = entry.get("custom" if custom else "function")
        given = as_object({} if inner is None else inner, f"{path}.function")
        given_name = given.get("name")
        name = "" if given_name is None else as_text(given_name, f"{path}.function.name")
        text = arguments_of(given.get("input" if custom else "arguments"), f"{path}.function.arguments")
        call = None if whole else self._find(index, call_id, name)
        if call is None:
            call = self._new(index, "custom" if custom else "function")
        if not call.begun:
            self._describe(call, entry, call_id, name)
        self._add(call, text)

    def read_old(self, value: object) -> None:
        """The old `function_call`, whole or a piece."""
        given = as_object(value, "function_call")
        given_name = given.get("name")
        call = self._placed.get(_OLD) or self._new(_OLD, "function")
        if not call.begun and given_name:
            call.name = as_text(given_name, "function_call.name")
        self._add(call, arguments_of(given.get("arguments"), "function_call.arguments"))

    def settle(self) -> None:
        """Ends the calls that are complete, so that what follows need not wait for the end of the answer."""
        for call in self._calls:
            if call.begun and self._decoder.has(call.key) and call.complete():
                self._decoder.finish(call.key)

    def finish(self) -> None:
        """The answer is complete. Raises ShapeError for a call that was never named."""
        for number, call in enumerate(self._calls):
            if not call.begun:
                raise ShapeError(f"tool_calls[{number}].function.name: is missing")

    def _find(self, index: int | None, call_id: str, name: str) -> _Call | None:
        """The call that a piece belongs to, or None for the first piece of another."""
        if index is not None:
            call = self._placed.get(index)
        elif call_id:
            call = next((call for call in self._calls if call.id == call_id), None)
        else:
            call = self._last
        if call is None or (call_id and call.id and call_id != call.id):
            return None
        same = call_id and call_id == call.id
        if name and call.name and not same and (name != call.name or call.complete()):
            return None
        return call

    def _new(self, place: object, kind: str) -> _Call:
        self.settle()
        call = _Call(("call", len(self._calls)))
        call.kind = kind
        self._calls.append(call)
        if place is not None:
            self._placed[place] = call
        self._last = call
        return call

    def _describe(self, call: _Call, entry: JsonObject, call_id: str, name: str) -> None:
        call.id = call_id or call.id
        call.name = name or call.name
        if len(entry) > 3 or not entry.keys() <= _KNOWN:
            fields = Fields(entry, "tool_call")
            for known in _KNOWN:
                fields.value(known)
            call.signature = read_signature(fields, self._decoder.origin) or call.signature
            call.extras |= {key: value for key, value in fields.rest().items() if value is not None}

    def _add(self, call: _Call, text: str) -> None:
        if text:
            call.pieces.append(text)
        if call.begun:
            # White space after the end of a call that was given out already says nothing.
            if text and (self._decoder.has(call.key) or not text.isspace()):
                self._decoder.add(call.key, ArgsDelta(text))
        elif call.name:
            call.begun = True
            part = ToolCall(
                call.id, call.name, "".join(call.pieces), call.kind, signature=call.signature, extras=call.extras
            )
            self._decoder.begin(call.key, part)


_KNOWN = frozenset({"index", "id", "type", "function", "custom"})
