"""The conversation as `messages`. `read.py` is the way in.

A turn of the IR may become several messages: tool results first, each a message of its own. What Chat has no part for
is refused by name, or said as text where that is what the model would see.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ccproxy.errors import Untranslatable
from ccproxy.lightllm.dialect import Capabilities
from ccproxy.lightllm.dialects.openai.read import audio_format
from ccproxy.lightllm.dialects.openai.spelling import said, spelled
from ccproxy.lightllm.dialects.openai.thinking import write_history_thinking
from ccproxy.lightllm.dialects.openai.tools import write_cache
from ccproxy.lightllm.documents import CLOSING, opening, tagged, text_of_document
from ccproxy.lightllm.ir.losses import LossLedger
from ccproxy.lightllm.ir.parts import (
    Audio,
    Citation,
    Document,
    Image,
    JsonObject,
    Opaque,
    Part,
    Refusal,
    Signature,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    described,
)
from ccproxy.lightllm.ir.request import Message, Request
from ccproxy.lightllm.media import type_of, url_of_source
from ccproxy.lightllm.toolids import safe

#: The longest id of a tool call that OpenAI takes.
_LONGEST_ID = 40


class MessageWriter:
    """Writes the messages of one request.

    Args:
        capabilities: the target's.
        ledger: where losses go.
    """

    def __init__(self, capabilities: Capabilities, ledger: LossLedger) -> None:
        self._can = capabilities
        self._ledger = ledger
        self.messages: list[JsonObject] = []

    def write(self, request: Request) -> list[JsonObject]:
        """All messages, the top-level instruction first. Raises Untranslatable."""
        if request.system:
            self._instruct("system", request.system, "system", {})
        for index, message in enumerate(request.messages):
            path = f"messages[{index}]"
            named: JsonObject = {"name": message.name} if message.name else {}
            rest = named | message.extras
            match message.role:
                case "assistant":
                    self._assistant(message, path, rest)
                case "user":
                    self._user(message, path, rest)
                case "developer" if self._can.developer_role:
                    self._instruct("developer", message.parts, path, rest)
                case _:
                    self._instruct("system", message.parts, path, rest)
        return self.messages

    def _add(self, role: str, content: object, rest: JsonObject) -> None:
        self.messages.append({"role": role, "content": content, **rest})

    def _instruct(self, role: str, parts: Sequence[Part], path: str, rest: JsonObject) -> None:
        for part in parts:
            if not isinstance(part, Text | Opaque):
                raise Untranslatable(f"{path}: {described(part)} in a {role} message; OpenAI takes text there")
        self._add(role, self._joined(self._parts(parts, path), "\n\n"), rest)

    def _user(self, message: Message, path: str, rest: JsonObject) -> None:
        results = [part for part in message.parts if isinstance(part, ToolResult)]
        others = [part for part in message.parts if not isinstance(part, ToolResult)]
        if results and list(message.parts[: len(results)]) != results:
            self._ledger.approximated(f"{path}.parts", "tool results are messages of their own", "in between", "first")
        for result in results:
            self._result(result, path)
        if others or not results:
            self._add("user", short(self._parts(others, path)), rest)

    def _result(self, part: ToolResult, path: str) -> None:
        for inner in part.content:
            if not isinstance(inner, Text | Opaque):
                raise Untranslatable(f"{path}: {described(inner)} in a tool result; Chat takes text there")
        content = self._joined(self._parts(part.content, path), "\n")
        if part.is_error:
            self._ledger.approximated(
                f"{path}.is_error", "Chat has no failed results; the text says it", True, "Error:"
            )
            prefix = {"type": "text", "text": "Error:"}
            content = f"Error: {content}" if type(content) is str else [prefix, *content]
        if spelled(part.extras, "function"):
            self._add("function", content, {"name": part.name, **said(part.extras)})
            return
        named: JsonObject = {"name": part.name} if spelled(part.extras, "name") else {}
        marked = write_cache(part.cache) if part.cache is not None else {}
        self._add("tool", content, {"tool_call_id": call_id(part.call_id), **named, **marked, **said(part.extras)})

    def _assistant(self, message: Message, path: str, rest: JsonObject) -> None:
        texts: list[Part] = []
        written: JsonObject = {}
        calls: list[JsonObject] = []
        thinking: list[Thinking] = []
        citations: list[Citation] = []
        images: list[JsonObject] = []
        for index, part in enumerate(message.parts):
            where = f"{path}.parts[{index}]"
            match part:
                case Text() | Opaque():
                    if calls and isinstance(part, Text) and part.text:
                        self._ledger.approximated(f"{path}.parts", "text stands before tool calls", "after", "before")
                    texts.append(part)
                    citations += part.citations if isinstance(part, Text) else ()
                case Thinking():
                    thinking.append(part)
                case Refusal():
                    written["refusal"] = written.get("refusal", "") + part.text
                case ToolCall() if spelled(part.extras, "function_call"):
                    written["function_call"] = {"name": part.name, "arguments": part.args or "{}", **said(part.extras)}
                case ToolCall():
                    calls.append(write_call(part))
                case Image():
                    images.append(image_part(part, len(images)))
                case Audio() if part.source.kind == "file":
                    written["audio"] = {"id": part.source.data, **part.extras}
                case _:
                    raise Untranslatable(f"{where}: {described(part)} in an answer, which Chat cannot repeat")
        content = self._joined(self._parts(texts, path), "")
        if not texts:
            content = None if calls or written else ""
        if calls:
            written["tool_calls"] = calls
        if images:
            written["images"] = images
        if citations:
            written["annotations"] = [write_annotation(citation, 0) for citation in citations]
        said_before = write_history_thinking(thinking)
        if calls and not said_before and self._can.demands_thinking:
            self._ledger.repaired(
                f"{path}.reasoning_content", "the target demands the thinking before a call, which is gone"
            )
            said_before = {"reasoning_content": ""}
        self._add("assistant", content, {**said_before, **written, **rest})

    def _joined(self, parts: list[JsonObject], separator: str) -> Any:
        """Texts as the target takes them outside of user messages."""
        if len(parts) > 1 and not self._can.text_parts and all(len(part) == 2 and "text" in part for part in parts):
            return separator.join(part["text"] for part in parts)
        return short(parts)

    def _parts(self, parts: Sequence[Part], path: str) -> list[JsonObject]:
        written: list[JsonObject] = []
        for index, part in enumerate(parts):
            if type(part) is Text and part.cache is None and not part.extras:
                written.append({"type": "text", "text": part.text})
            else:
                self._part(part, f"{path}.parts[{index}]", written)
        return written

    def _part(self, part: Part, path: str, into: list[JsonObject]) -> None:
        match part:
            case Text():
                block: JsonObject = {"type": "text", "text": part.text}
            case Image():
                detail = {"detail": part.detail} if part.detail else {}
                inner: JsonObject = {"url": url_of_source(part.source), **detail}
                block = {"type": "image_url", "image_url": inner}
            case Audio():
                inner = {"data": part.source.data, "format": audio_format(part.source.media_type) or "wav"}
                block = {"type": "input_audio", "input_audio": inner}
            case Document():
                found = self._document(part, path, into)
                if found is None:
                    return
                inner, block = found["file"], found
            case Opaque():
                into.append(part.raw)
                return
            case Refusal():
                self._ledger.approximated(
                    f"{path}.refusal", "a refusal outside of an answer is text", "refusal", "text"
                )
                into.append({"type": "text", "text": part.text})
                return
            case _:
                raise Untranslatable(f"{path}: {described(part)}, which Chat has no content part for")
        if part.cache is not None:
            block |= write_cache(part.cache)
        extras = dict(part.extras)
        if extras:
            deeper = extras.pop(block["type"], None)
            if type(deeper) is dict:
                inner |= deeper
        into.append(block | extras)

    def _document(self, part: Document, path: str, into: list[JsonObject]) -> JsonObject | None:
        """The `file` part of a PDF; any other document as text between tags, its images in place."""
        source = part.source
        text = text_of_document(part)
        if text is None and source is not None:
            if source.kind == "file":
                return {"type": "file", "file": {"file_id": source.data}}
            if (kind := type_of(source)).startswith("text/"):
                raise Untranslatable(f"{path}: a document of type {kind} that is not UTF-8 text")
            name = part.name or part.title or "document.pdf"
            self._about(part, path)
            return {"type": "file", "file": {"filename": name, "file_data": url_of_source(source)}}
        self._ledger.approximated(
            f"{path}.document", "Chat has files for PDFs only; the rest is text", "document", "text"
        )
        if part.citations:
            self._ledger.dropped(f"{path}.citations", "Chat cannot ask for citations", True)
        if source is not None and text is not None:
            into.append({"type": "text", "text": tagged(part, text)})
            return None
        into.append({"type": "text", "text": opening(part)})
        into += self._parts(part.parts, path)
        into.append({"type": "text", "text": CLOSING})
        return None

    def _about(self, part: Document, path: str) -> None:
        """Records what a file cannot say about itself."""
        if part.citations:
            self._ledger.dropped(f"{path}.citations", "Chat cannot ask for citations", True)
        if part.title and part.name and part.title != part.name:
            self._ledger.dropped(f"{path}.title", "Chat's files have a name and no title", part.title)
        if part.context:
            self._ledger.dropped(f"{path}.context", "Chat's files have no notes", part.context)


def write_call(part: ToolCall, index: int | None = None) -> JsonObject:
    """One of `tool_calls`; with its index as a stream begins it."""
    place: JsonObject = {} if index is None else {"index": index}
    written: JsonObject = {**place, "id": call_id(part.id) if index is None else part.id, "type": part.kind}
    if part.kind == "custom":
        written["custom"] = {"name": part.name, "input": part.args}
    else:
        args = "" if part.args.isspace() else part.args
        written["function"] = {"name": part.name, "arguments": args or ("{}" if index is None else "")}
    if part.signature is not None:
        written |= write_signature(part.signature)
    if part.cache is not None:
        written |= write_cache(part.cache)
    return written | said(part.extras)


def write_signature(signature: Signature) -> JsonObject:
    """The signature of a call, where a provider has it in this dialect."""
    return {"extra_content": {"google": {"thought_signature": signature.value}}}


def write_annotation(citation: Citation, end: int) -> JsonObject:
    """One of `annotations`, as it came, or of another dialect's citation of a page. `end` is where the text ends that
    it supports when the citation does not say."""
    if "type" in citation.raw and "url_citation" in citation.raw:
        return citation.raw
    where = {"start_index": citation.start or 0, "end_index": end if citation.end is None else citation.end}
    return {"type": "url_citation", "url_citation": {**where, "title": citation.title, "url": citation.url}}


def call_id(given: str) -> str:
    """An id that is not too long; the same for a call and its result."""
    return given if len(given) <= _LONGEST_ID else safe(given, _LONGEST_ID)


def short(parts: list[JsonObject]) -> Any:
    """The short form of content that is one plain text, or nothing."""
    if not parts:
        return ""
    if len(parts) == 1 and len(parts[0]) == 2 and parts[0].get("type") == "text":
        return parts[0]["text"]
    return parts


def image_part(part: Image, index: int) -> JsonObject:
    """An image of an answer, as servers give it that make images in this dialect."""
    return {"type": "image_url", "image_url": {"url": url_of_source(part.source)}, "index": index, **said(part.extras)}
