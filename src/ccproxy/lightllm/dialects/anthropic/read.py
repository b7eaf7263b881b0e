"""Content blocks as parts: the same reading for requests, buffered answers and the start of a streamed block.

`write.py` is the way back.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ccproxy.lightllm.fields import Fields, ShapeError, as_list, as_object, as_text
from ccproxy.lightllm.ir.parts import (
    CacheMark,
    Citation,
    Document,
    Image,
    JsonObject,
    Opaque,
    Part,
    ServerTool,
    Signature,
    Source,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from ccproxy.lightllm.signatures import unwrap
from ccproxy.lightllm.toolargs import to_text

NAME = "anthropic"

#: The text with which Claude Code tells Anthropic what to bill; no model should see it.
BILLING_PREFIX = "x-anthropic-billing-header:"


def read_content(value: object, path: str, origin: str = NAME) -> tuple[Part, ...]:
    """`content` of a message or tool result: a string, or blocks. `origin` is whose the bare signatures are."""
    if type(value) is str:
        return (Text(value),)
    if value is None:
        return ()
    parts: list[Part] = []
    pending: Signature | None = None
    for index, block in enumerate(as_list(value, path)):
        # By far the most blocks are plain texts.
        if type(block) is dict and len(block) == 2 and block.get("type") == "text" and type(block.get("text")) is str:
            part: Part = Text(block["text"])
        else:
            part = read_block(block, f"{path}[{index}]", origin)
        if type(part) is Thinking and (held := _belongs_to_next(part)) is not None:
            pending = held
            continue
        if pending is not None and isinstance(part, ToolCall):
            part = msgspec.structs.replace(part, signature=pending)
            pending = None
        parts.append(part)
    return tuple(parts)


def _belongs_to_next(part: Thinking) -> Signature | None:
    """The signature that our encoder put in front of a tool call, because the call has no place for it."""
    if part.signature is None or part.text or part.form == "redacted":
        return None
    signature, place = unwrap(part.signature.value, part.signature.origin)
    return signature if place == "next" else None


def read_block(value: object, path: str, origin: str = NAME) -> Part:
    """One block. Raises ShapeError."""
    block = as_object(value, path)
    kind = as_text(block.get("type"), f"{path}.type")
    reader = _READERS.get(kind)
    if reader is not None:
        fields = Fields(block, path)
        fields.value("type")
        return reader(fields, origin)
    if kind.endswith(("tool_use", "tool_result")):
        raw = dict(block)
        args = raw.pop("input", None)
        name = block.get("name")
        return ServerTool(NAME, name if isinstance(name, str) else kind, raw, _arguments(args, path) if args else "")
    return Opaque(NAME, kind, block)


def _arguments(value: object, path: str) -> str:
    """A call's input as JSON text; {} is "", which is what a stream begins with."""
    return to_text(value) if (value := as_object(value, f"{path}.input")) else ""


def _cache(fields: Fields) -> CacheMark | None:
    mark = fields.mapping("cache_control")
    return None if mark is None else read_cache(mark, fields.where("cache_control"))


def read_cache(mark: JsonObject, path: str) -> CacheMark:
    """A `cache_control` object."""
    fields = Fields(mark, path)
    if fields.text("type", "ephemeral") != "ephemeral":
        return CacheMark(extras=mark)
    return CacheMark(fields.text("ttl"), fields.rest())


def _text(fields: Fields, origin: str) -> Text:
    citations = tuple(
        read_citation(item, fields.where(f"citations[{i}]")) for i, item in enumerate(fields.items("citations"))
    )
    return Text(fields.required_text("text"), citations, cache=_cache(fields), extras=fields.rest())


def read_citation(value: object, path: str) -> Citation:
    """A citation of any kind; where it cites from is kept whole."""
    raw = as_object(value, path)
    fields = Fields(raw, path)
    return Citation(
        url=fields.text("url") or fields.text("source"),
        title=fields.text("title") or fields.text("document_title"),
        cited=fields.text("cited_text"),
        raw=raw,
    )


def _thinking(fields: Fields, origin: str) -> Thinking:
    text = fields.text("thinking")
    return Thinking(text, _signature(fields.text("signature"), origin), extras=fields.rest())


def _redacted(fields: Fields, origin: str) -> Thinking:
    return Thinking("", _signature(fields.required_text("data"), origin), "redacted", extras=fields.rest())


def _signature(text: str, origin: str) -> Signature | None:
    if not text:
        return None
    signature, place = unwrap(text, origin)
    # One that belongs to the next block keeps its envelope until that block is read.
    return signature if place == "here" else Signature(text, origin)


def _source(kind: str, fields: Fields) -> Source:
    match kind:
        case "base64" | "text":
            return Source(kind, fields.required_text("data"), fields.text("media_type"))
        case "url":
            return Source("url", fields.required_text("url"))
        case "file":
            return Source("file", fields.required_text("file_id"))
    raise ShapeError(f"{fields.where('type')}: {kind[:40]!r} is no kind of source")


def _image(fields: Fields, origin: str) -> Image:
    given = fields.fields("source")
    source = _source(given.required_text("type"), given)
    return Image(source, cache=_cache(fields), extras=fields.rest())


def _document(fields: Fields, origin: str) -> Document:
    given = fields.fields("source")
    kind = given.required_text("type")
    source: Source | None = None
    parts: tuple[Part, ...] = ()
    if kind == "content":
        parts = read_content(given.value("content"), given.where("content"), origin)
    else:
        source = _source(kind, given)
    return Document(
        source,
        parts,
        title=fields.text("title"),
        context=fields.text("context"),
        citations=fields.fields("citations").flag("enabled"),
        cache=_cache(fields),
        extras=fields.rest(),
    )


def _search_result(fields: Fields, origin: str) -> Document:
    return Document(
        parts=read_content(fields.value("content"), fields.where("content"), origin),
        url=fields.required_text("source"),
        title=fields.required_text("title"),
        citations=fields.fields("citations").flag("enabled"),
        cache=_cache(fields),
        extras=fields.rest(),
    )


def _tool_use(fields: Fields, origin: str) -> ToolCall:
    arguments = fields.mapping("input") or {}
    return ToolCall(
        fields.required_text("id"),
        fields.required_text("name"),
        to_text(arguments) if arguments else "",
        cache=_cache(fields),
        extras=fields.rest(),
    )


def _tool_result(fields: Fields, origin: str) -> ToolResult:
    return ToolResult(
        fields.required_text("tool_use_id"),
        read_content(fields.value("content"), fields.where("content"), origin),
        is_error=bool(fields.flag("is_error")),
        cache=_cache(fields),
        extras=fields.rest(),
    )


_READERS: dict[str, Callable[[Fields, str], Part]] = {
    "text": _text,
    "thinking": _thinking,
    "redacted_thinking": _redacted,
    "image": _image,
    "document": _document,
    "search_result": _search_result,
    "tool_use": _tool_use,
    "tool_result": _tool_result,
}
