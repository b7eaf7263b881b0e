"""Documents between tags."""

from __future__ import annotations

import pytest

from ccproxy.lightllm.documents import opening, tagged, text_of_document
from ccproxy.lightllm.ir.parts import Document, Image, Source, Text


@pytest.mark.parametrize(
    ("part", "tag"),
    [
        (Document(), "<document>"),
        (Document(name="a.txt"), '<document title="a.txt">'),
        (Document(title='"<&', name="a"), '<document title="&quot;&lt;&amp;">'),
        (Document(url="https://e.com"), '<document title="https://e.com">'),
        (Document(url="u", title="t", context="c"), '<document title="t" source="u">\n<context>c</context>'),
    ],
)
def test_the_tag_says_what_is_known(part: Document, tag: str) -> None:
    assert opening(part) == tag
    assert tagged(part, "x") == f"{tag}\nx\n</document>"


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (Document(Source("text", "a")), "a"),
        (Document(Source("base64", "R3LDvMOfZQ==", "text/csv")), "Grüße"),
        (Document(parts=(Text("a"), Text("b"))), "a\nb"),
        (Document(Source("base64", "/w==", "text/plain")), None),
        (Document(Source("base64", "JVBERi0=")), None),
        (Document(Source("url", "u")), None),
        (Document(parts=(Text("a"), Image(Source("url", "u")))), None),
    ],
)
def test_what_is_text(part: Document, text: str | None) -> None:
    assert text_of_document(part) == text
