"""Parts as content blocks, for requests and for what an answer's stream begins a block with. `read.py` is the way in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ccproxy.errors import Untranslatable
from ccproxy.lightllm.dialects.anthropic.read import NAME
from ccproxy.lightllm.ir.losses import LossLedger
from ccproxy.lightllm.ir.parts import (
    CacheMark,
    Citation,
    Document,
    Image,
    JsonObject,
    Opaque,
    Part,
    Refusal,
    ServerTool,
    Source,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    described,
)
from ccproxy.lightllm.media import text_of_base64, type_of
from ccproxy.lightllm.toolargs import to_object
from ccproxy.lightllm.toolids import safe

#: What other dialects call how long a cache entry lives.
_TTL = {"": "", "5m": "5m", "1h": "1h", "30m": "1h", "12h": "1h", "24h": "1h"}


def write_content(parts: Iterable[Part], path: str, ledger: LossLedger) -> list[JsonObject]:
    """The blocks of `parts`. Texts without a character are left out: the API takes none and they say nothing. It takes
    none of white space alone either."""
    blocks: list[JsonObject] = []
    for index, part in enumerate(parts):
        if type(part) is Text and part.text.isspace():
            ledger.repaired(f"{path}[{index}].text", "white space alone, which Anthropic does not take", part.text)
            continue
        if type(part) is Text and not part.cache and not part.citations and not part.extras:
            if part.text:
                blocks.append({"type": "text", "text": part.text})
            continue
        block = write_block(part, f"{path}[{index}]", ledger)
        if block is not None:
            blocks.append(block)
    return blocks


def short(blocks: list[JsonObject]) -> str | list[JsonObject]:
    """The short form of content that is one plain text."""
    if len(blocks) == 1 and len(blocks[0]) == 2 and "text" in blocks[0]:
        text: str = blocks[0]["text"]
        return text
    return blocks


def write_block(part: Part, path: str, ledger: LossLedger) -> JsonObject | None:
    """The block of one part, or None if there is nothing to say. Raises Untranslatable."""
    match part:
        case Text():
            if not part.text:
                return None
            block: JsonObject = {"type": "text", "text": part.text}
            if part.citations:
                block["citations"] = [write_citation(citation) for citation in part.citations]
        case Thinking():
            return write_thinking(part)
        case Image():
            block = {"type": "image", "source": _source(part.source)}
        case Document():
            block = _document(part, path, ledger)
        case ToolCall():
            arguments, is_object = to_object(part.args)
            if not is_object:
                ledger.approximated(f"{path}.arguments", "the arguments are no JSON object", part.args, "an object")
            block = {"type": "tool_use", "id": safe(part.id), "name": part.name, "input": arguments}
        case ToolResult():
            block = {"type": "tool_result", "tool_use_id": safe(part.call_id)}
            if len(part.content) == 1 and type(only := part.content[0]) is Text and only.text.isspace():
                # A string is taken whatever it holds.
                block["content"] = only.text
            elif content := write_content(part.content, f"{path}.content", ledger):
                block["content"] = short(content)
            if part.is_error:
                block["is_error"] = True
        case Refusal():
            if not part.text:
                return None
            ledger.approximated(f"{path}.refusal", "the dialect has no refusal part", "refusal", "text")
            block = {"type": "text", "text": part.text}
        case ServerTool():
            return write_server_tool(part)
        case Opaque():
            return part.raw
        case _:
            raise Untranslatable(f"{path}: {described(part)}, which the anthropic dialect has no block for")
    if not isinstance(part, Refusal) and part.cache is not None:
        block["cache_control"] = write_cache(part.cache, path, ledger)
    return block | part.extras if part.extras else block


def write_thinking(part: Thinking) -> JsonObject:
    """A thinking block; its signature as it came (`adapt` let only this upstream's own pass)."""
    value = part.signature.value if part.signature else ""
    if part.form == "redacted":
        return {"type": "redacted_thinking", "data": value, **part.extras}
    return {"type": "thinking", "thinking": part.text, "signature": value, **part.extras}


def write_server_tool(part: ServerTool) -> JsonObject:
    """The block of a tool that Anthropic ran."""
    if str(part.raw.get("type", "")).endswith("tool_use"):
        return {**part.raw, "input": to_object(part.args)[0]}
    return part.raw


def write_cache(mark: CacheMark, path: str, ledger: LossLedger) -> JsonObject:
    """A `cache_control` object."""
    if mark.extras.get("type"):
        return mark.extras
    ttl = _TTL.get(mark.ttl, "")
    if ttl != mark.ttl:
        ledger.approximated(f"{path}.cache_control.ttl", "Anthropic caches for 5m or 1h", mark.ttl, ttl or "5m")
    return {"type": "ephemeral", **({"ttl": ttl} if ttl else {}), **mark.extras}


def write_citation(citation: Citation) -> JsonObject:
    """A citation in the form it came in; one from another dialect as a search result's location."""
    if "type" in citation.raw and "cited_text" in citation.raw:
        return citation.raw
    return {
        "type": "web_search_result_location",
        "url": citation.url,
        "title": citation.title or None,
        "cited_text": citation.cited,
        "encrypted_index": "",
    }


def _source(source: Source) -> JsonObject:
    match source.kind:
        case "url":
            return {"type": "url", "url": source.data}
        case "file":
            return {"type": "file", "file_id": source.data}
        case "text":
            return {"type": "text", "media_type": source.media_type or "text/plain", "data": source.data}
        case "base64":
            return {"type": "base64", "media_type": type_of(source), "data": source.data}


def _document(part: Document, path: str, ledger: LossLedger) -> JsonObject:
    settings: JsonObject = {} if part.citations is None else {"citations": {"enabled": part.citations}}
    if part.source is None and part.url:
        content = write_content(part.parts, f"{path}.content", ledger)
        return {"type": "search_result", "source": part.url, "title": part.title, "content": content, **settings}
    block: JsonObject = {"type": "document", "source": _document_source(part, path, ledger)}
    if title := part.title or part.name:
        block["title"] = title
    if part.context:
        block["context"] = part.context
    return block | settings


def _document_source(part: Document, path: str, ledger: LossLedger) -> JsonObject:
    source = part.source
    if source is None:
        return {"type": "content", "content": write_content(part.parts, f"{path}.content", ledger)}
    if source.kind == "base64" and source.media_type.startswith("text/"):
        text = text_of_base64(source.data)
        if text is None:
            raise Untranslatable(f"{path}: a document of type {source.media_type} that is not UTF-8 text")
        return {"type": "text", "media_type": "text/plain", "data": text}
    return _source(source)


def dialect_extras(extras: dict[str, Any], dialect: str) -> JsonObject:
    """The extras of an answer that was Anthropic's own; another dialect's stay behind."""
    return extras if dialect == NAME else {}
