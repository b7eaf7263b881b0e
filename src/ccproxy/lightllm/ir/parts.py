"""The parts a message is made of, in a request as in an answer.

Each is a frozen value, equal when its content is. What every dialect can say has a field; what only one can say is in
`extras`, verbatim, and is written back to that dialect alone (`Request.dialect` and `Start.dialect` tell whose extras
they are). `item` is the id of the item a part came in, for dialects that group parts by item (Responses).
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

type JsonObject = dict[str, Any]


class Signature(msgspec.Struct, frozen=True, gc=False):
    """A provider's proof that it made a part.

    Attributes:
        value: byte for byte as received; nothing in this package makes one up.
        origin: who made it, and so the only one to whom it may go back: `Target.origin` of the route it came by.
    """

    value: str
    origin: str


class CacheMark(msgspec.Struct, frozen=True, omit_defaults=True):
    """Up to here the prompt should be cached. `ttl` is the provider's own word (`5m`, `1h`, `30m`), or ""."""

    ttl: str = ""
    extras: JsonObject = {}


class Source(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Where the bytes of an image, document or recording are.

    `data` is base64 as received, a URL, a provider's file id, or for `text` the text itself. `media_type` may be "".
    """

    kind: Literal["base64", "url", "file", "text"]
    data: str
    media_type: str = ""


class Citation(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a text took its knowledge from.

    Attributes:
        url, title: the cited page or document; "" when not known.
        cited: the words cited.
        start, end: which characters of the citing text it supports, or None.
        raw: the citation in the words of the dialect it came from; what the fields above cannot say is only there.
    """

    url: str = ""
    title: str = ""
    cited: str = ""
    start: int | None = None
    end: int | None = None
    raw: JsonObject = {}


class Text(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="part", tag="text"):
    """Visible text."""

    text: str
    citations: tuple[Citation, ...] = ()
    signature: Signature | None = None
    cache: CacheMark | None = None
    item: str = ""
    extras: JsonObject = {}


class Thinking(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="part", tag="thinking"):
    """Reasoning, or the sealed proof of it.

    `form`: "" not said, `summary` (of the reasoning), `full` (its own words), `redacted` (no text, the signature holds
    everything). Several parts with one `item` are one reasoning item.
    """

    text: str
    signature: Signature | None = None
    form: Literal["", "summary", "full", "redacted"] = ""
    item: str = ""
    extras: JsonObject = {}


class Image(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="part", tag="image"):
    """A picture. `detail` is OpenAI's word for how closely to look (`auto`, `low`, `high`), or ""."""

    source: Source
    detail: str = ""
    cache: CacheMark | None = None
    extras: JsonObject = {}


class Document(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="part", tag="document"):
    """A PDF, a text, or (with `parts` and no source) a document given as text and image parts.

    `name` is a file name, `title` what it is called, `context` a note about it, `url` where it is from when `parts` hold
    the content (a search result). `citations` asks the model to cite it.
    """

    source: Source | None = None
    parts: tuple[Part, ...] = ()
    name: str = ""
    title: str = ""
    context: str = ""
    url: str = ""
    citations: bool | None = None
    cache: CacheMark | None = None
    extras: JsonObject = {}


class Audio(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="part", tag="audio"):
    """A recording. `transcript` is what is said in it, if told."""

    source: Source
    transcript: str = ""
    cache: CacheMark | None = None
    extras: JsonObject = {}


class ToolCall(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="part", tag="tool_call"):
    """The model calls a tool that the client runs.

    Attributes:
        id: as the provider gave it; made by `toolids` where it gives none.
        args: JSON text as received (the compact JSON of it where the dialect carries an object). "" means {}. For
            `custom` (freeform) tools the text itself.
        namespace: the group the tool's name is in (Responses), or "".
    """

    id: str
    name: str
    args: str = ""
    kind: Literal["function", "custom"] = "function"
    namespace: str = ""
    signature: Signature | None = None
    item: str = ""
    cache: CacheMark | None = None
    extras: JsonObject = {}


class ToolResult(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="part", tag="tool_result"):
    """What a tool gave back. `name` is the tool's, where the dialect repeats it."""

    call_id: str
    content: tuple[Part, ...] = ()
    is_error: bool = False
    name: str = ""
    kind: Literal["function", "custom"] = "function"
    item: str = ""
    cache: CacheMark | None = None
    extras: JsonObject = {}


class ServerTool(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="part", tag="server_tool"):
    """A tool that the provider itself ran: the call, or its result. Only its own dialect can say it again.

    `raw` is the whole object without the call's input, which is `args` (JSON text) because it arrives in pieces.
    """

    dialect: str
    name: str
    raw: JsonObject
    args: str = ""


class Refusal(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="part", tag="refusal"):
    """The model's words when it declines, in dialects that keep them apart from text."""

    text: str
    item: str = ""
    extras: JsonObject = {}


class Opaque(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="part", tag="opaque"):
    """A part of a type that only its own dialect knows. Never converted: towards another dialect it is refused by name.

    `for_provider`: it speaks to the provider, not to the model, and may be left out (with a loss) for another one.
    `moved`: what it brings is in the request, too, so that only its place is lost.
    """

    dialect: str
    type: str
    raw: JsonObject
    for_provider: bool = False
    moved: bool = False


type Part = Text | Thinking | Image | Document | Audio | ToolCall | ToolResult | ServerTool | Refusal | Opaque

#: Parts that may carry a cache mark.
type Markable = Text | Image | Document | Audio | ToolCall | ToolResult


def empty(part: Part) -> Part:
    """`part` without what its deltas bring: how it starts. A call's signature and a redacted part's stand at the
    start, because dialects that have no place for them inside need them first."""
    match part:
        case Text():
            return msgspec.structs.replace(part, text="", citations=(), signature=None)
        case Thinking() if part.form != "redacted":
            return msgspec.structs.replace(part, text="", signature=None)
        case ToolCall():
            return msgspec.structs.replace(part, args="")
        case Refusal():
            return msgspec.structs.replace(part, text="")
        case ServerTool():
            return msgspec.structs.replace(part, args="")
        case _:
            return part


def text_of(parts: tuple[Part, ...], separator: str = "") -> str:
    """The visible text of `parts`, joined."""
    return separator.join(part.text for part in parts if isinstance(part, Text))


_WORDS: dict[type[Part], str] = {
    Text: "text",
    Thinking: "thinking",
    Image: "an image",
    Document: "a document",
    Audio: "a recording",
    ToolCall: "a tool call",
    ToolResult: "a tool result",
    ServerTool: "a tool that the provider ran",
    Refusal: "a refusal",
    Opaque: "a part of another dialect",
}


def described(part: Part) -> str:
    """What a message for a person calls `part`."""
    return _WORDS[type(part)]
