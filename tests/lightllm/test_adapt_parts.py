"""Parts that a target cannot take, one by one."""

from __future__ import annotations

from typing import Any

import pytest

from ccproxy.errors import Untranslatable
from ccproxy.lightllm.adapt_parts import PartAdapter
from ccproxy.lightllm.dialect import Capabilities
from ccproxy.lightllm.ir.losses import LossLedger
from ccproxy.lightllm.ir.parts import (
    Audio,
    CacheMark,
    Citation,
    Document,
    Image,
    Opaque,
    Part,
    Refusal,
    ServerTool,
    Signature,
    Source,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from ccproxy.lightllm.toolnames import ToolNames

OWN, FOREIGN = Signature("s", "there"), Signature("s", "elsewhere")
PNG = Source("base64", "a", "image/png")


def run(part: Part, *, crossing: bool = True, **capabilities: Any) -> tuple[tuple[Part, ...], list[str]]:
    ledger = LossLedger()
    can = Capabilities(**capabilities)
    names = ToolNames(can.tool_name, namespaces=can.namespaces, custom=can.custom_tools)
    adapter = PartAdapter("there", crossing, "there", can, names, ledger)
    return adapter.all((part,), "p"), [loss.path for loss in ledger]


@pytest.mark.parametrize(
    "part",
    [
        Text("a"),
        Text("a", signature=OWN),
        Thinking("t", OWN),
        Thinking("t"),
        Image(PNG),
        Image(Source("url", "u")),
        Document(Source("base64", "a", "application/pdf")),
        Document(Source("text", "a")),
        ToolCall("i", "f", "{}", signature=OWN),
        ToolResult("i", (Text("r"), Image(PNG))),
        Refusal("no"),
        ServerTool("there", "web_search", {}),
        Opaque("there", "t", {}),
    ],
)
def test_what_can_be_said_is_the_same_object(part: Part) -> None:
    parts = (part,)
    ledger = LossLedger()
    adapter = PartAdapter("there", True, "there", Capabilities(), ToolNames(), ledger)
    assert adapter.all(parts, "p") is parts
    assert len(ledger) == 0


@pytest.mark.parametrize(
    ("part", "what"),
    [
        (Image(Source("file", "f")), r"p\[0\]: an image by file id"),
        (Image(Source("base64", "a", "image/tiff")), "an image of type image/tiff"),
        (Image(Source("url", "u")), "an image by URL, which the target does not fetch"),
        (Document(Source("base64", "a", "application/zip")), "a document of type application/zip"),
        (Document(parts=(Image(Source("file", "f")),)), r"p\[0\].parts\[0\]: an image by file id"),
        (ToolResult("i", (Image(Source("url", "u")),)), r"p\[0\].content\[0\]: an image by URL"),
        (Audio(Source("base64", "a", "audio/wav")), "a recording, which the target cannot take"),
        (Opaque("here", "compaction", {}), "a part of type compaction, which only the here dialect has"),
        (ServerTool("here", "web_search", {}), "the tool web_search that the provider of the here dialect ran"),
    ],
)
def test_content_without_words_is_refused_by_name(part: Part, what: str) -> None:
    with pytest.raises(Untranslatable, match=what):
        run(part, image_urls=False)


def test_a_pattern_of_types_covers_its_members() -> None:
    part = Document(Source("base64", "a", "text/csv"))
    assert run(part, document_types=frozenset({"text/*"})) == ((part,), [])


def test_foreign_signatures_stay_behind() -> None:
    assert run(Text("a", signature=FOREIGN)) == ((Text("a"),), ["p[0].signature"])
    assert run(ToolCall("i", "f", signature=FOREIGN)) == ((ToolCall("i", "f"),), ["p[0].signature"])
    assert run(Thinking("t", FOREIGN)) == ((Thinking("t"),), ["p[0].signature"])
    assert run(Thinking("t", FOREIGN), thinking="signed") == ((), ["p[0].signature", "p[0].thinking"])
    assert run(Thinking("", FOREIGN, "redacted")) == ((), ["p[0].signature"])
    assert run(Thinking("t", OWN), thinking="none") == ((), ["p[0].thinking"])
    assert run(Thinking("t"), crossing=False, thinking="none") == ((Thinking("t"),), [])
    # A null among the extras is how a dialect remembers a spelling: no loss.
    assert run(Thinking("t", extras={"x": None})) == ((Thinking("t"),), [])
    # The same dialect, another provider of it.
    assert run(Thinking("t", FOREIGN), crossing=False, thinking="signed") == ((), ["p[0].signature", "p[0].thinking"])
    # Its own provider may know an item without a signature by its id.
    known = Thinking("t", item="rs_1")
    assert run(known, crossing=False, thinking="signed") == ((known,), [])
    assert run(known, thinking="signed") == ((), ["p[0].thinking"])


def test_marks_details_citations() -> None:
    marked = Text("a", cache=CacheMark("1h", {"scope": "global"}))
    assert run(marked) == ((Text("a"),), ["p[0].cache_control"])
    assert run(marked, cache_marks=True) == ((Text("a", cache=CacheMark("1h")),), ["p[0].cache_control.scope"])
    assert run(marked, crossing=False, cache_marks=True) == ((marked,), [])
    # Within one dialect what a client spelled is its own affair.
    assert run(marked, crossing=False) == ((marked,), [])
    assert run(Text("a", (Citation("u"),))) == ((Text("a"),), ["p[0].citations"])
    assert run(Image(PNG, "high")) == ((Image(PNG),), ["p[0].detail"])
    assert run(Image(PNG, "high"), image_detail=True) == ((Image(PNG, "high"),), [])


def test_calls_and_results_of_freeform_tools() -> None:
    call, result = ToolCall("i", "f x", "text", "custom"), ToolResult("i", name="f x", kind="custom")
    assert run(call) == ((ToolCall("i", "f_x", '{"input":"text"}'),), [])
    assert run(result) == ((ToolResult("i", name="f x"),), [])
    assert run(call, custom_tools=True) == ((ToolCall("i", "f_x", "text", "custom"),), [])


def test_a_result_names_the_tool_as_its_call_does() -> None:
    names = ToolNames(Capabilities().tool_name, namespaces=False)
    adapter = PartAdapter("there", True, "there", Capabilities(), names, LossLedger())
    adapter.all((ToolCall("1", "f.x", namespace="g"),), "p")
    assert adapter.all((ToolResult("1", name="f.x"), ToolResult("9", name="f.x")), "p") == (
        ToolResult("1", name="g__f_x"),
        ToolResult("9", name="f.x"),
    )


def test_documents_of_text_are_text_where_there_are_none() -> None:
    none: dict[str, Any] = {"document_types": frozenset()}
    written = Document(Source("text", "words"), title="T", citations=True, cache=CacheMark())
    assert run(written, **none) == (
        (Text('<document title="T">\nwords\n</document>'),),
        ["p[0].document", "p[0].citations", "p[0].cache_control"],
    )
    found = Document(parts=(Text("a"), Text("b")), url="https://e.com", title="E")
    assert run(found, **none)[0] == (Text('<document title="E" source="https://e.com">\na\nb\n</document>'),)
    assert run(ToolResult("i", (written,)), **none)[0] != (ToolResult("i", (written,)),)
    with pytest.raises(Untranslatable, match="a document, which the target cannot take"):
        run(Document(Source("base64", "JVBERi0=", "application/pdf")), **none)
    assert run(written, crossing=False, **none) == ((written,), [])
