"""Small facts about inline media: data URLs, and what kind of file base64 text holds."""

from __future__ import annotations

import base64
import binascii

from ccproxy.lightllm.ir.parts import Source

#: How the base64 of a file of that type begins.
_BEGINNINGS = {
    "/9j/": "image/jpeg",
    "iVBORw0KGgo": "image/png",
    "R0lGODdh": "image/gif",
    "R0lGODlh": "image/gif",
    "UklGR": "image/webp",
    "JVBERi0": "application/pdf",
}


def source_of_url(url: str) -> Source:
    """A `data:` URL with base64 as inline bytes; any other URL as a URL."""
    if not url.startswith("data:"):
        return Source("url", url)
    head, comma, data = url[5:].partition(",")
    if not comma or not head.endswith(";base64"):
        return Source("url", url)
    return Source("base64", data, head.removesuffix(";base64").partition(";")[0])


def url_of_source(source: Source) -> str:
    """The URL of a source by URL, or inline bytes as a `data:` URL."""
    if source.kind == "base64":
        return f"data:{type_of(source) or 'application/octet-stream'};base64,{source.data}"
    return source.data


def type_of(source: Source) -> str:
    """The media type as said, else by how inline bytes begin, else ""."""
    if source.media_type:
        return source.media_type
    if source.kind == "base64":
        for beginning, media_type in _BEGINNINGS.items():
            if source.data.startswith(beginning):
                return media_type
    return ""


def text_of_base64(data: str) -> str | None:
    """The text that base64 holds, or None if it is not base64 of UTF-8."""
    try:
        return base64.b64decode(data, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None


def base64_of_text(text: str) -> str:
    """`text` as base64 of its UTF-8; lone surrogates become `?`."""
    return base64.b64encode(text.encode("utf-8", "replace")).decode("ascii")
