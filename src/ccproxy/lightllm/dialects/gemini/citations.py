"""`groundingMetadata` and `citationMetadata` as citations, and citations of other dialects as grounding.

Places are counted in bytes of UTF-8 there and in characters here. The words of a segment are the answer's; which words of
the source it rests on, Google does not say.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ccproxy.lightllm.dialects.gemini.spelling import camel
from ccproxy.lightllm.ir.parts import Citation, JsonObject


def citations_of(candidate: JsonObject, text: str) -> list[Citation]:
    """The citations that a candidate's metadata tell about `text`. Metadata of a strange form tell none."""
    found: list[Citation] = []
    encoded: bytes | None = None

    def place(index: object) -> int | None:
        nonlocal encoded
        if type(index) is not int or index < 0:
            return None
        encoded = text.encode("utf-8", "replace") if encoded is None else encoded
        return len(encoded[:index].decode("utf-8", "ignore")) if index <= len(encoded) else None

    grounding = _object(candidate.get("groundingMetadata"))
    chunks = [_source(chunk) for chunk in _list(grounding.get("groundingChunks"))]
    cited: set[int] = set()
    for item in _list(grounding.get("groundingSupports")):
        support = _object(item)
        segment = _object(support.get("segment"))
        for index in _list(support.get("groundingChunkIndices")):
            if type(index) is not int or not 0 <= index < len(chunks) or not chunks[index][0]:
                continue
            cited.add(index)
            end = place(segment.get("endIndex"))
            start = place(segment.get("startIndex", 0)) if end is not None else None
            found.append(Citation(*chunks[index], "", start, end))
    for index, (url, title) in enumerate(chunks):
        if url and index not in cited:
            found.append(Citation(url, title))
    metadata = _object(candidate.get("citationMetadata"))
    for item in _list(metadata.get("citations")) + _list(metadata.get("citationSources")):
        source = _object(item)
        link, name = source.get("uri"), source.get("title")
        if type(link) is str and link:
            end = place(source.get("endIndex"))
            start = place(source.get("startIndex", 0)) if end is not None else None
            found.append(Citation(link, name if type(name) is str else "", "", start, end))
    return found


def segment_of(citation: Citation, text: str, before: int) -> JsonObject:
    """Which words of `text` a citation supports: all, unless it says. `before` is how many bytes of text there are
    before it."""
    end = len(text) if citation.end is None else citation.end
    words = text[citation.start or 0 : end]
    start = before + _size(text[: citation.start or 0])
    return {"startIndex": start, "endIndex": start + _size(words), "text": words}


def grounding_of(citations: Sequence[tuple[Citation, JsonObject]]) -> JsonObject:
    """The `groundingMetadata` that says citations, each with its segment. Where one segment has several sources, they
    are one support."""
    sources = list(dict.fromkeys((citation.url, citation.title) for citation, _ in citations))
    chunks = [{"web": {"uri": url, **({"title": title} if title else {})}} for url, title in sources]
    supports: list[JsonObject] = []
    for citation, segment in citations:
        index = sources.index((citation.url, citation.title))
        if supports and supports[-1]["segment"] == segment:
            supports[-1]["groundingChunkIndices"].append(index)
        else:
            supports.append({"segment": segment, "groundingChunkIndices": [index]})
    return {"groundingChunks": chunks, "groundingSupports": supports}


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def _source(value: object) -> tuple[str, str]:
    """URL and title of a grounding chunk of any kind."""
    for kind in _object(value).values():
        inner = _object(kind)
        url, title = inner.get("uri") or inner.get("sourceUri"), inner.get("title")
        if type(url) is str:
            return url, title if type(title) is str else ""
    return "", ""


def _object(value: object) -> JsonObject:
    return camel(value, "") if type(value) is dict else {}


def _list(value: object) -> list[Any]:
    return value if type(value) is list else []
