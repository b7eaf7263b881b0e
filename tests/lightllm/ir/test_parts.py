"""Parts are values."""

from __future__ import annotations

import pytest

from ccproxy.lightllm.ir.parts import (
    Document,
    Image,
    Part,
    Signature,
    Source,
    Text,
    Thinking,
    ToolCall,
    described,
    empty,
    text_of,
)


def test_parts_are_equal_by_content_and_frozen() -> None:
    assert Text("a", extras={"x": [1]}) == Text("a", extras={"x": [1]})
    assert Text("a") != Thinking("a")
    with pytest.raises(AttributeError):
        Text("a").text = "b"  # type: ignore[misc]


def test_the_text_of_parts_is_what_is_visible() -> None:
    assert text_of((Text("a"), Thinking("b"), Text("c")), " ") == "a c"


def test_a_part_begins_without_what_its_deltas_bring() -> None:
    signature = Signature("s", "o")
    assert empty(Text("a", signature=signature, item="i")) == Text("", item="i")
    assert empty(Thinking("a", signature)) == Thinking("")
    assert empty(Thinking("", signature, "redacted")) == Thinking("", signature, "redacted")
    assert empty(ToolCall("i", "n", "{}", signature=signature)) == ToolCall("i", "n", signature=signature)
    image = Image(Source("url", "u"))
    assert empty(image) is image


def test_every_part_has_words_for_a_person() -> None:
    from ccproxy.lightllm.ir import parts

    kinds = Part.__value__.__args__
    assert set(parts._WORDS) == set(kinds)
    assert described(Image(Source("url", "u"))) == "an image"
    assert described(Document()) == "a document"
