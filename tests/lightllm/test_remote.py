"""Images by URL are found wherever they stand, and replaced there."""

from __future__ import annotations

from ccproxy.lightllm.ir.parts import Document, Image, Source, Text, ToolResult
from ccproxy.lightllm.ir.request import Message, Request
from ccproxy.lightllm.remote import remote_images, with_images

ONE, TWO, THREE = (f"https://h.example/{name}.png" for name in ("one", "two", "three"))
INLINE = Image(Source("base64", "aGk=", "image/png"))


def image(url: str) -> Image:
    return Image(Source("url", url), detail="low")


REQUEST = Request(
    model="m",
    dialect="openai",
    messages=(
        Message("user", (Text("look"), image(ONE), INLINE)),
        Message("user", (ToolResult("c", (image(TWO), Text("t"))), Document(parts=(image(THREE), image(ONE))))),
        Message("user", (image("gs://bucket/x"), Text("end"))),
    ),
)


def test_each_is_found_once() -> None:
    assert remote_images(REQUEST) == [ONE, TWO, THREE]


def test_they_are_replaced_where_they_stand_and_all_else_stays() -> None:
    fetched = {url: Source("base64", url[-7:-4], "image/png") for url in (ONE, TWO, THREE)}
    filled = with_images(REQUEST, fetched)
    assert remote_images(filled) == []
    first = filled.messages[0].parts[1]
    assert first == Image(Source("base64", "one", "image/png"), detail="low")
    assert filled.messages[0].parts[2] is INLINE
    assert filled.messages[2] is REQUEST.messages[2]
    assert "three" in repr(filled.messages[1]) or "ree" in repr(filled.messages[1])


def test_nothing_to_replace() -> None:
    assert with_images(REQUEST, {}) == REQUEST
