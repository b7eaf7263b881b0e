"""Data URLs and media types."""

from __future__ import annotations

import pytest

from ccproxy.lightllm.ir.parts import Source
from ccproxy.lightllm.media import base64_of_text, source_of_url, text_of_base64, type_of, url_of_source


@pytest.mark.parametrize(
    ("url", "source"),
    [
        ("https://example.com/a.png", Source("url", "https://example.com/a.png")),
        ("data:image/png;base64,AAAA", Source("base64", "AAAA", "image/png")),
        ("data:image/png;charset=x;base64,AAAA", Source("base64", "AAAA", "image/png")),
        ("data:,plain", Source("url", "data:,plain")),
        ("data:image/png;base64", Source("url", "data:image/png;base64")),
    ],
)
def test_urls_become_sources(url: str, source: Source) -> None:
    assert source_of_url(url) == source
    if source.kind == "url" or "charset" not in url:
        assert url_of_source(source) == url


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        (Source("base64", "iVBORw0KGgoAAA", "image/x"), "image/x"),
        (Source("base64", "iVBORw0KGgoAAA"), "image/png"),
        (Source("base64", "/9j/4AAQ"), "image/jpeg"),
        (Source("base64", "JVBERi0xLjQ="), "application/pdf"),
        (Source("base64", "AAAA"), ""),
        (Source("url", "iVBORw0KGgo"), ""),
    ],
)
def test_types_are_said_or_seen(source: Source, kind: str) -> None:
    assert type_of(source) == kind


def test_text_in_base64() -> None:
    assert text_of_base64(base64_of_text("Grüße")) == "Grüße"
    assert text_of_base64("/w==") is None
    assert text_of_base64("no base64!") is None
    assert base64_of_text("\ud83d") == base64_of_text("?")
