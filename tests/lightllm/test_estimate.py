"""Estimated token counts, against counts that tokenizers gave."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.lightllm.estimate import estimate, text_tokens
from ccproxy.lightllm.ir.parts import Audio, Document, Image, Opaque, Part, Source, Text, ToolCall, ToolResult
from ccproxy.lightllm.ir.request import CustomTool, FunctionTool, HostedTool, Message, Output, Request

from .test_cases import cases, ids, request_of

COUNTED: list[dict[str, Any]] = json.loads((Path(__file__).parent / "data" / "token_counts.json").read_text())
#: How far an estimate may be off, by kind of text.
BOUNDS = {**dict.fromkeys(("md", "py", "json", "prose", "numbers"), 1.25), **dict.fromkeys(("base64", "hex"), 2.5)}


@pytest.mark.parametrize("sample", COUNTED, ids=lambda sample: sample["kind"])
def test_text_is_within_the_bound_of_what_tokenizers_count(sample: dict[str, Any]) -> None:
    counted = (sample["o200k"] + sample["claude"]) / 2
    bound = BOUNDS.get(sample["kind"], 1.7)
    assert counted / bound <= text_tokens(sample["text"]) <= counted * bound


def of(*parts: Part, **fields: Any) -> int:
    return estimate(Request("m", (Message("user", parts),), **fields))


def test_everything_counts() -> None:
    nothing = of()
    schema = {"type": "object", "properties": {"path": {"type": "string", "description": "Where the file is."}}}
    assert of(Text("Hello there, how are you?")) > nothing
    assert of(tools=(FunctionTool("read", schema, "Reads a file."),)) > of(tools=(FunctionTool("read"),)) > nothing
    assert of(tools=(CustomTool("run", "Runs."),)) > nothing
    assert of(tools=(HostedTool("x", "web_search", "s", {"type": "web_search"}),)) > nothing
    assert of(output=Output("schema", schema)) > nothing
    assert of(ToolCall("i", "read", '{"path": "/etc/hosts"}')) > nothing
    assert of(ToolResult("i", (Text("x" * 400),))) > of(ToolResult("i")) > nothing
    assert of(system=(Text("You are helpful."),)) > nothing
    assert of(Opaque("a", "billing", {"text": "x" * 400}, for_provider=True)) == nothing


def png(width: int, height: int) -> Source:
    head = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + width.to_bytes(4) + height.to_bytes(4)
    return Source("base64", base64.b64encode(head).decode(), "image/png")


def test_images_count_by_their_size() -> None:
    nothing = of()
    assert of(Image(png(750, 200))) - nothing == 200
    assert of(Image(png(1, 1))) - nothing == 85
    assert of(Image(png(9000, 9000))) - nothing == 1600
    jpeg = b"\xff\xd8\xff\xe0\0\x04ab\xff\xc0\0\x11\x08" + (300).to_bytes(2) + (750).to_bytes(2)
    assert of(Image(Source("base64", base64.b64encode(jpeg).decode()))) - nothing == 300
    gif = b"GIF89a" + (750).to_bytes(2, "little") + (100).to_bytes(2, "little")
    assert of(Image(Source("base64", base64.b64encode(gif).decode()))) - nothing == 100
    assert of(Image(Source("url", "https://e.com/a.png"))) - nothing == 1100
    assert of(Image(Source("base64", "not base64!"))) - nothing == 1100


def test_documents_and_recordings() -> None:
    nothing = of()
    pdf = base64.b64encode(b"%PDF-1.4 /Type /Pages /Type /Page /Type/Page").decode()
    assert of(Document(Source("base64", pdf, "application/pdf"))) - nothing == 3600
    words = "Some words of a text. " * 20
    text = Document(Source("base64", base64.b64encode(words.encode()).decode(), "text/plain"))
    assert of(text) == of(Document(Source("text", words))) == of(Text(words))
    assert of(Document(Source("url", "https://e.com/a.pdf"))) > nothing
    assert of(Document(parts=(Text(words),))) == of(Text(words))
    assert of(Audio(Source("base64", "A" * 80_000, "audio/wav"))) - nothing == 60


@given(st.text(), st.text())
def test_any_text_has_an_estimate_and_parts_add_up(one: str, two: str) -> None:
    assert text_tokens(one) >= 0
    assert text_tokens(one + two) == pytest.approx(text_tokens(one) + text_tokens(two))


@pytest.mark.parametrize("case", cases("request.json"), ids=ids)
def test_every_golden_request_has_an_estimate(case: Any) -> None:
    assert estimate(request_of(case)) >= 1
