"""How many tokens a request has, roughly: for upstreams that have no way to count. Always marked as an estimate.

Text is weighed by kinds of characters. The weights are a fit to two tokenizers (o200k_base of OpenAI, Anthropic's public
one) over prose, Markdown, Python, JSON and texts in other scripts; no tokenizer runs here.

Error bound (against the mean of the two; `test_estimate.py` keeps it): 25 % for English, code and JSON; a factor of 1.7
for other languages; a factor of 2.5 for random text such as base64. Images count by their size in pixels as Anthropic
does (one token per 750, 1,600 at most), PDFs 1,800 a page, recordings by their length: within a factor of 2 of what
providers charge, whose rules differ by as much. The estimate of a part never depends on what stands beside it.
"""

from __future__ import annotations

import base64
import binascii
import re
import string
from collections.abc import Iterable

from ccproxy.lightllm.ir.parts import (
    Audio,
    Document,
    Image,
    Opaque,
    Part,
    Refusal,
    ServerTool,
    Source,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from ccproxy.lightllm.ir.request import CustomTool, FunctionTool, Request, Tool
from ccproxy.lightllm.jsontext import JsonError, dumps_text

_LETTERS = string.ascii_letters.encode()
_DIGITS = string.digits.encode()
_NARROW = bytes(range(0xC2, 0xE0))
_WIDE = bytes(range(0xE0, 0xF5))
_FOLLOWING = bytes(range(0x80, 0xC0))

#: Tokens for each letter, digit, other ASCII character, space, line break, character of two bytes, of three or four.
_LETTER, _DIGIT, _SIGN, _SPACE, _BREAK, _TWO_BYTES, _MORE_BYTES = 0.25, 0.53, 0.55, 0.013, 0.29, 0.45, 0.83

#: What stands around a message, a tool call or result, and a tool's definition.
_PER_MESSAGE, _PER_CALL, _PER_TOOL = 4, 8, 12

_IMAGE, _SMALLEST_IMAGE, _LARGEST_IMAGE, _PIXELS = 1100, 85, 1600, 750
_PAGE = 1800
#: Bytes of a page where the pages cannot be counted, and of a recording for each token (32 a second).
_BYTES_OF_PAGE, _BYTES_OF_SOUND = 50_000, {"audio/wav": 1000, "audio/x-wav": 1000, "audio/pcm": 1000}
_PAGES = re.compile(rb"/Type\s*/Page\b")


def estimate(request: Request) -> int:
    """Tokens of the prompt: instructions, messages, tools and the schema of the answer. Never negative, never raises."""
    total = float(_parts(request.system))
    for message in request.messages:
        total += _PER_MESSAGE + text_tokens(message.name) + _parts(message.parts)
    for tool in request.tools:
        total += _tool(tool)
    if request.output.schema is not None:
        total += _json(request.output.schema)
    return max(1, round(total))


def text_tokens(text: str) -> float:
    """Tokens of a text."""
    if not text:
        return 0.0
    raw = text.encode("utf-8", "replace")
    size = len(raw)

    def count(kind: bytes) -> int:
        return size - len(raw.translate(None, kind))

    letters, digits = count(_LETTERS), count(_DIGITS)
    spaces, breaks = raw.count(b" "), raw.count(b"\n")
    narrow = wide = following = 0
    if not text.isascii():
        narrow, wide, following = count(_NARROW), count(_WIDE), count(_FOLLOWING)
    signs = size - letters - digits - spaces - breaks - narrow - wide - following
    return (
        letters * _LETTER
        + digits * _DIGIT
        + signs * _SIGN
        + spaces * _SPACE
        + breaks * _BREAK
        + narrow * _TWO_BYTES
        + wide * _MORE_BYTES
    )


def _json(value: object) -> float:
    try:
        return text_tokens(dumps_text(value))
    except JsonError:
        return 0.0


def _tool(tool: Tool) -> float:
    match tool:
        case FunctionTool():
            schema = 0.0 if tool.schema is None else _json(tool.schema)
            return _PER_TOOL + text_tokens(tool.name) + text_tokens(tool.description) + schema
        case CustomTool():
            return _PER_TOOL + sum(map(text_tokens, (tool.name, tool.description, tool.grammar)))
        case _:
            return _PER_TOOL + _json(tool.raw)


def _parts(parts: Iterable[Part]) -> float:
    return sum(map(_part, parts))


def _part(part: Part) -> float:
    match part:
        case Text() | Thinking() | Refusal():
            return text_tokens(part.text)
        case ToolCall():
            return _PER_CALL + text_tokens(part.name) + text_tokens(part.args)
        case ToolResult():
            return _PER_CALL + _parts(part.content)
        case Image():
            return _image(part.source)
        case Document():
            about = sum(map(text_tokens, (part.title, part.name, part.context, part.url)))
            return about + _parts(part.parts) + (_document(part.source) if part.source else 0.0)
        case Audio():
            size = len(part.source.data) * 3 / 4
            return max(32.0, size / _BYTES_OF_SOUND.get(part.source.media_type, 500))
        case ServerTool():
            return text_tokens(part.args) + _json(part.raw)
        case Opaque():
            return 0.0 if part.for_provider else _json(part.raw)


def _image(source: Source) -> float:
    size = _size_of_image(_bytes(source.data, 64 * 1024)) if source.kind == "base64" else None
    if size is None:
        return _IMAGE
    return min(max(size[0] * size[1] / _PIXELS, _SMALLEST_IMAGE), _LARGEST_IMAGE)


def _document(source: Source) -> float:
    if source.kind == "text":
        return text_tokens(source.data)
    if source.kind != "base64":
        return 2 * _PAGE
    raw = _bytes(source.data, None)
    if source.media_type.startswith("text/"):
        return text_tokens(raw.decode("utf-8", "replace"))
    pages = len(_PAGES.findall(raw)) or len(raw) // _BYTES_OF_PAGE
    return max(1, pages) * _PAGE


def _bytes(data: str, most: int | None) -> bytes:
    """What base64 holds, or its beginning; b"" for what is none."""
    if most is not None:
        data = data[: most // 3 * 4]
    try:
        return base64.b64decode(data.encode("ascii", "ignore") + b"==")
    except (binascii.Error, ValueError):
        return b""


def _size_of_image(raw: bytes) -> tuple[int, int] | None:
    """Width and height in pixels, for PNG, GIF and JPEG; None where they cannot be told."""
    if raw.startswith(b"\x89PNG") and len(raw) >= 24:
        return int.from_bytes(raw[16:20]), int.from_bytes(raw[20:24])
    if raw.startswith(b"GIF8") and len(raw) >= 10:
        return int.from_bytes(raw[6:8], "little"), int.from_bytes(raw[8:10], "little")
    if not raw.startswith(b"\xff\xd8"):
        return None
    at = 2
    while at + 9 <= len(raw) and raw[at] == 0xFF:
        marker = raw[at + 1]
        # A start of frame holds the size; the other markers of that range are tables.
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(raw[at + 7 : at + 9]), int.from_bytes(raw[at + 5 : at + 7])
        at += 2 + int.from_bytes(raw[at + 2 : at + 4])
    return None
