"""Images that a request gives by URL, for a caller that fetches them. Pure: which there are, and the request with what was
fetched in their place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from ccproxy.lightllm.ir.parts import Document, Image, Part, Source, ToolResult
from ccproxy.lightllm.ir.request import Request

_replace = msgspec.structs.replace


def remote_images(request: Request) -> list[str]:
    """The `http` and `https` URLs of its images, each once, in their order; those in tool results and documents too."""
    urls = (
        part.source.data
        for parts in (request.system, *(message.parts for message in request.messages))
        for part in _images(parts)
        if part.source.kind == "url" and part.source.data.lower().startswith(("http://", "https://"))
    )
    return list(dict.fromkeys(urls))


def with_images(request: Request, fetched: Mapping[str, Source]) -> Request:
    """`request` with the images of these URLs inline. What has none stays the same object, and so do its parts."""
    messages = tuple(
        message if (parts := _filled(message.parts, fetched)) is message.parts else _replace(message, parts=parts)
        for message in request.messages
    )
    return _replace(request, system=_filled(request.system, fetched), messages=messages)


def _images(parts: tuple[Part, ...]) -> Iterator[Image]:
    for part in parts:
        match part:
            case Image():
                yield part
            case ToolResult():
                yield from _images(part.content)
            case Document():
                yield from _images(part.parts)


def _filled(parts: tuple[Part, ...], fetched: Mapping[str, Source]) -> tuple[Part, ...]:
    filled = tuple(_fill(part, fetched) for part in parts)
    return parts if all(new is old for new, old in zip(filled, parts, strict=True)) else filled


def _fill(part: Part, fetched: Mapping[str, Source]) -> Part:
    match part:
        case Image(source=Source(kind="url", data=url)) if url in fetched:
            return _replace(part, source=fetched[url])
        case ToolResult() if (content := _filled(part.content, fetched)) is not part.content:
            return _replace(part, content=content)
        case Document() if (inner := _filled(part.parts, fetched)) is not part.parts:
            return _replace(part, parts=inner)
        case _:
            return part
