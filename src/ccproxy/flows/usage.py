"""The tokens that a recorded answer reports, and the model it names. Pure; any bytes in, never an exception out.

Buffered documents are decoded only at the few members that matter. Streams are not parsed: the events that hold a
usage object are found by a search for its name, and those few are decoded. The dialect is read off the object's own
member names, because the answer may be in another dialect than the request; the dialect given only decides where the
names leave it open (`input_tokens` stands in two of them).

Arithmetic of the providers, brought to that of `model.Usage`:
Anthropic counts cached input apart; OpenAI inside `prompt_tokens`/`input_tokens`; Gemini counts tool-use prompts and
thoughts apart. Anthropic and Gemini repeat a running total in the stream, the others report once at the end.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from ccproxy.flows.model import Usage
from ccproxy.flows.terms import Terms

_NAME = b'"usage'
#: What follows the name of a member that holds a usage object.
_OBJECT = re.compile(rb'(?:Metadata)?"\s*:\s*(?=\{)')
_MAX_EVENTS = 4096
_GARBAGE = (msgspec.MsgspecError, ValueError, RecursionError)


class _Document(msgspec.Struct):
    """The members of an answer, or of an event, under which usage and model stand in the four dialects."""

    model: msgspec.Raw = msgspec.Raw()
    modelVersion: msgspec.Raw = msgspec.Raw()  # noqa: N815 - Gemini's name
    usage: msgspec.Raw = msgspec.Raw()
    usageMetadata: msgspec.Raw = msgspec.Raw()  # noqa: N815 - Gemini's name
    message: msgspec.Raw = msgspec.Raw()
    response: msgspec.Raw = msgspec.Raw()
    x_groq: msgspec.Raw = msgspec.Raw()
    service_tier: msgspec.Raw = msgspec.Raw()


_decode_document = msgspec.json.Decoder(_Document).decode
_decode_array = msgspec.json.Decoder(list[_Document]).decode
_decode_any = msgspec.json.Decoder().decode


class _Reading:
    """What has been found so far; later reports add to earlier ones."""

    def __init__(self, dialect: str, terms: Terms | None = None) -> None:
        self._dialect = dialect
        self._terms = terms
        self._anthropic: dict[str, int] = {}
        self._other: Usage | None = None
        self.model: str | None = None

    def add_document(self, document: _Document, depth: int = 0) -> None:
        for raw in (document.modelVersion, document.model):
            if (name := _value(raw)) and isinstance(name, str):
                self.model = name
        for raw in (document.usage, document.usageMetadata):
            self.add_usage(_value(raw))
        if self._terms is not None and document.service_tier:
            self._terms.serve("service_tier", _value(document.service_tier))
        if depth < 2:
            for raw in (document.message, document.response, document.x_groq):
                if inner := _document(bytes(raw)):
                    self.add_document(inner, depth + 1)

    def add_usage(self, usage: Any) -> None:
        if not isinstance(usage, dict):
            return
        if self._terms is not None:
            self._terms.add(usage)
        if self._is_anthropic(usage):
            self._add_anthropic(usage)
        else:
            self._add_other(_gemini(usage) or _chat(usage) or _responses(usage))

    def _is_anthropic(self, usage: dict[str, Any]) -> bool:
        if "cache_read_input_tokens" in usage or "cache_creation_input_tokens" in usage:
            return True
        if "input_tokens_details" in usage or "total_tokens" in usage:
            return False
        return bool(usage.keys() & {"input_tokens", "output_tokens"}) and (
            bool(self._anthropic) or self._dialect in {"anthropic", ""}
        )

    def _add_anthropic(self, usage: dict[str, Any]) -> None:
        found = {
            "input": _count(usage.get("input_tokens")),
            "output": _count(usage.get("output_tokens")),
            "cache_read": _count(usage.get("cache_read_input_tokens")),
            "cache_write": _count(usage.get("cache_creation_input_tokens")),
            "reasoning": _detail(usage, "output_tokens_details", "thinking_tokens"),
        }
        for name, count in found.items():
            if count is not None:
                # Running totals: a fork that repeats a member as 0 at the end takes nothing back.
                self._anthropic[name] = max(count, self._anthropic.get(name, 0))

    def _add_other(self, usage: Usage) -> None:
        before = self._other
        if before is not None:
            for name in ("input", "output", "cache_read", "cache_write", "reasoning"):
                if getattr(usage, name) is None:
                    setattr(usage, name, getattr(before, name))
        if usage != Usage():
            self._other = usage

    def usage(self) -> Usage | None:
        counts = self._anthropic
        if not counts:
            return self._other
        parts = [counts[name] for name in ("input", "cache_read", "cache_write") if name in counts]
        return Usage(
            input=sum(parts) if parts else None,
            output=counts.get("output"),
            cache_read=counts.get("cache_read"),
            cache_write=counts.get("cache_write"),
            reasoning=counts.get("reasoning"),
        )


def _gemini(usage: dict[str, Any]) -> Usage | None:
    if not usage.keys() & {"promptTokenCount", "candidatesTokenCount", "totalTokenCount", "responseTokenCount"}:
        return None
    thoughts = _count(usage.get("thoughtsTokenCount"))
    generated = _count(usage.get("candidatesTokenCount"))
    if generated is None:
        generated = _count(usage.get("responseTokenCount"))
    return Usage(
        input=_sum(_count(usage.get("promptTokenCount")), _count(usage.get("toolUsePromptTokenCount"))),
        output=_sum(generated, thoughts),
        cache_read=_count(usage.get("cachedContentTokenCount")),
        reasoning=thoughts,
    )


def _chat(usage: dict[str, Any]) -> Usage | None:
    if not usage.keys() & {"prompt_tokens", "completion_tokens"}:
        return None
    prompt, completion = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
    total, reasoning = (
        _count(usage.get("total_tokens")),
        _detail(usage, "completion_tokens_details", "reasoning_tokens"),
    )
    if reasoning and completion is not None and total == (prompt or 0) + completion + reasoning:
        completion += reasoning  # xAI counts them apart
    cached = _detail(usage, "prompt_tokens_details", "cached_tokens")
    return Usage(
        input=prompt,
        output=completion,
        cache_read=cached if cached is not None else _count(usage.get("prompt_cache_hit_tokens")),  # DeepSeek's name
        cache_write=_detail(usage, "prompt_tokens_details", "cache_write_tokens"),
        reasoning=reasoning,
    )


def _responses(usage: dict[str, Any]) -> Usage:
    return Usage(
        input=_count(usage.get("input_tokens")),
        output=_count(usage.get("output_tokens")),
        cache_read=_detail(usage, "input_tokens_details", "cached_tokens"),
        cache_write=_detail(usage, "input_tokens_details", "cache_write_tokens"),
        reasoning=_detail(usage, "output_tokens_details", "reasoning_tokens"),
    )


def _count(value: Any) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else None


def _detail(usage: dict[str, Any], member: str, name: str) -> int | None:
    details = usage.get(member)
    return _count(details.get(name)) if isinstance(details, dict) else None


def _sum(first: int | None, second: int | None) -> int | None:
    return second if first is None else first + (second or 0)


def _value(raw: msgspec.Raw) -> Any:
    """A member's value; None if it is absent or garbage."""
    if not raw:
        return None
    try:
        return _decode_any(raw)
    except _GARBAGE:
        return None


def _document(data: bytes) -> _Document | None:
    if not data.startswith(b"{"):
        return None
    try:
        return _decode_document(data)
    except _GARBAGE:
        return None


def read(body: bytes, dialect: str, terms: Terms | None = None) -> tuple[Usage | None, str | None]:
    """Usage and model of an answer without content coding: a JSON document, a JSON array, or Server-Sent Events.

    Args:
        body: the answer, whole or cut.
        dialect: `anthropic`, `openai`, `openai_responses`, `gemini`, or "" if unknown.
        terms: where to note what else decides what it cost.
    """
    reading = _Reading(dialect, terms)
    start = body[:64].lstrip(b" \t\r\n\xef\xbb\xbf")[:1]
    if start in {b"{", b"["}:
        _read_document(reading, body, start)
    else:
        _read_stream(reading, body)
    return reading.usage(), reading.model


def read_messages(
    messages: Iterable[bytes], dialect: str, answers: list[tuple[Usage, Terms]] | None = None
) -> tuple[Usage | None, str | None]:
    """Usage of the answers in a WebSocket's messages from the server, summed, and the last model named.

    Each message is an event of the Responses dialect; only the ones that end an answer report usage.

    Args:
        answers: where to note the usage and the terms of each answer.
    """
    total: Usage | None = None
    model: str | None = None
    for message in messages:
        if _find_object(message, 0) is None:
            continue
        terms = Terms()
        usage, name = read(message, dialect, terms)
        model = name or model
        if usage is not None:
            if answers is not None:
                answers.append((usage, terms))
            total = usage if total is None else _added(total, usage)
    return total, model


def _added(one: Usage, other: Usage) -> Usage:
    return Usage(
        input=_sum(one.input, other.input),
        output=_sum(one.output, other.output),
        cache_read=_sum(one.cache_read, other.cache_read),
        cache_write=_sum(one.cache_write, other.cache_write),
        reasoning=_sum(one.reasoning, other.reasoning),
    )


def _read_document(reading: _Reading, body: bytes, start: bytes) -> None:
    try:
        documents = _decode_array(body) if start == b"[" else [_decode_document(body)]
    except _GARBAGE:
        _salvage(reading, body)
        return
    for document in documents:
        reading.add_document(document)


def _salvage(reading: _Reading, body: bytes) -> None:
    """The last usage object of a document that is cut or no JSON as a whole."""
    last: int | None = None
    end = 0
    for _ in range(_MAX_EVENTS):
        found = _find_object(body, end)
        if found is None:
            break
        end = last = found[1]
    if last is None:
        return
    try:
        text = body[last : last + 16384].decode("utf-8", "replace")
        reading.add_usage(json.JSONDecoder().raw_decode(text)[0])
    except _GARBAGE:
        return


def _find_object(body: bytes, start: int) -> tuple[int, int] | None:
    """Where from `start` on the next member begins whose value is a usage object, and where the object begins.

    A plain search, because a regular expression over a whole stream costs ten times as much. A name inside a JSON
    string has a backslash before its quote.
    """
    position = body.find(_NAME, start)
    while position >= 0:
        after = position + len(_NAME)
        if (match := _OBJECT.match(body, after)) and body[position - 1 : position] != b"\\":
            return position, match.end()
        position = body.find(_NAME, after)
    return None


def _read_stream(reading: _Reading, body: bytes) -> None:
    if b"\r" in body:
        body = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    found = False
    for data in _events_with_usage(body):
        if document := _document(data):
            reading.add_document(document)
            found = True
    if not found and (first := _first_data(body)) and (document := _document(first)):
        reading.add_document(document)


def _events_with_usage(body: bytes) -> Iterator[bytes]:
    """The data of the events in which a usage object stands."""
    done = 0
    for _ in range(_MAX_EVENTS):
        found = _find_object(body, done)
        if found is None:
            return
        blank = body.rfind(b"\n\n", done, found[0])
        begin = done if blank < 0 else blank + 2
        end = body.find(b"\n\n", found[1])
        done = len(body) if end < 0 else end
        yield _data(body[begin:done])


def _first_data(body: bytes) -> bytes:
    start = body.find(b"data:")
    if start < 0:
        return b""
    end = body.find(b"\n\n", start)
    return _data(body[start : end if end >= 0 else len(body)])


def _data(event: bytes) -> bytes:
    return b"\n".join(line[5:].lstrip(b" ") for line in event.split(b"\n") if line.startswith(b"data:"))
