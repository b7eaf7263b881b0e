"""Documents as text, for targets that take no such documents: what the model reads stands between tags that say what
it is. One spelling for every dialect, so that a conversation reads the same wherever it goes.
"""

from __future__ import annotations

from ccproxy.lightllm.ir.parts import Document, Text
from ccproxy.lightllm.media import text_of_base64, type_of

CLOSING = "</document>"


def opening(part: Document) -> str:
    """The tag that begins a document, and its note."""
    title = part.title or part.name or part.url
    source = f' source="{_attribute(part.url)}"' if part.url and part.url != title else ""
    tag = f'<document title="{_attribute(title)}"{source}>' if title else "<document>"
    return f"{tag}\n<context>{part.context}</context>" if part.context else tag


def tagged(part: Document, text: str) -> str:
    """`text`, which is the document's, between its tags."""
    return f"{opening(part)}\n{text}\n{CLOSING}"


def text_of_document(part: Document) -> str | None:
    """The text that the document consists of, or None if it is no text, or more than text."""
    source = part.source
    if source is None:
        if all(isinstance(inner, Text) for inner in part.parts):
            return "\n".join(inner.text for inner in part.parts if isinstance(inner, Text))
        return None
    if source.kind == "text":
        return source.data
    if source.kind == "base64" and type_of(source).startswith("text/"):
        return text_of_base64(source.data)
    return None


def _attribute(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
