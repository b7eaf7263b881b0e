"""The part of `adapt` that looks at message parts: media, signatures, tool calls, cache marks, and what has no words.

Parts that can stay are returned as they are, so an unchanged history costs one look at each.
"""

from __future__ import annotations

import msgspec

from ccproxy.errors import Untranslatable
from ccproxy.lightllm.dialect import Capabilities
from ccproxy.lightllm.documents import tagged, text_of_document
from ccproxy.lightllm.ir.losses import LossLedger
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
    described,
)
from ccproxy.lightllm.ir.request import Message
from ccproxy.lightllm.toolargs import wrap_custom
from ccproxy.lightllm.toolnames import ToolNames

replace = msgspec.structs.replace


class PartAdapter:
    """Adapts the parts of one request.

    Args:
        dialect: the target's.
        crossing: whether the request is in another one.
        origin: whose signatures may go to the target.
        capabilities: the target's.
        names: of the request's tools.
        ledger: where losses go.
    """

    def __init__(
        self,
        dialect: str,
        crossing: bool,
        origin: str,
        capabilities: Capabilities,
        names: ToolNames,
        ledger: LossLedger,
    ) -> None:
        self._dialect = dialect
        self._crossing = crossing
        self._origin = origin
        self._can = capabilities
        self._names = names
        self._ledger = ledger
        #: What the calls seen so far are called in the target, by id.
        self._called: dict[str, str] = {}

    def message(self, message: Message, path: str) -> Message:
        """The message with its parts adapted. Raises Untranslatable."""
        if self._crossing and message.role == "assistant" and not self._can.answer_media:
            for index, part in enumerate(message.parts):
                if isinstance(part, Image | Document | Audio):
                    raise Untranslatable(
                        f"{path}.parts[{index}]: {described(part)} in an answer of the history, which the target cannot take"
                    )
        parts = self.all(message.parts, f"{path}.parts")
        if self._crossing and message.extras:
            self._drop(message.extras, path)
            return replace(message, parts=parts, extras={})
        return message if parts is message.parts else replace(message, parts=parts)

    def all(self, parts: tuple[Part, ...], path: str) -> tuple[Part, ...]:
        """The parts adapted; the same object if nothing changed. Raises Untranslatable."""
        adapted: list[Part] = []
        changed = False
        for index, part in enumerate(parts):
            new = self._one(part, path, index)
            changed = changed or new is not part
            if new is not None:
                adapted.append(new)
        return tuple(adapted) if changed else parts

    def _one(self, part: Part, base: str, index: int) -> Part | None:
        if type(part) is Text and part.cache is None and not part.citations and not part.extras and not part.signature:
            return part
        path = f"{base}[{index}]"
        match part:
            case Text():
                return self._text(part, path)
            case ToolCall():
                return self._call(part, path)
            case ToolResult():
                content = self.all(part.content, f"{path}.content")
                name = self._called.get(part.call_id, part.name) if part.name else ""
                kind = part.kind if self._can.custom_tools else "function"
                if content is not part.content or name != part.name or kind != part.kind:
                    part = replace(part, content=content, name=name, kind=kind)
            case Thinking():
                return self._thinking(part, path)
            case Image():
                self._media(part.source, path, "an image", self._can.image_types, self._can.image_urls)
                if part.detail and self._crossing and not self._can.image_detail:
                    self._ledger.dropped(f"{path}.detail", "the target has no such setting", part.detail)
                    part = replace(part, detail="")
            case Document():
                if (text := self._spelled_out(part, path)) is not None:
                    return text
                part = self._document(part, path)
            case Audio():
                self._media(part.source, path, "a recording", self._can.audio_types, False)
            case Refusal():
                pass
            case ServerTool() | Opaque():
                return self._foreign(part, path)
        return self._common(part, path)

    def _common(self, part: Part, path: str) -> Part:
        """Extras and cache marks, which any part may have."""
        extras = getattr(part, "extras", None)
        if extras and self._crossing:
            self._drop(extras, path)
            part = replace(part, extras={})
        mark = getattr(part, "cache", None)
        if mark is not None:
            if not self._can.cache_marks and self._crossing:
                self._ledger.dropped(f"{path}.cache_control", "the target has no cache marks", mark.ttl or None)
                part = replace(part, cache=None)
            elif self._crossing and mark.extras:
                self._drop(mark.extras, f"{path}.cache_control")
                part = replace(part, cache=replace(mark, extras={}))
        return part

    def _drop(self, extras: dict[str, object], path: str) -> None:
        for name, value in extras.items():
            if value is not None:
                self._ledger.dropped(f"{path}.{name}", "only the client's dialect knows it", value)

    def _text(self, part: Text, path: str) -> Part:
        if part.citations and self._crossing:
            self._ledger.dropped(f"{path}.citations", "citations of earlier answers stay behind", len(part.citations))
            part = replace(part, citations=())
        if part.signature is not None and part.signature.origin != self._origin:
            self._ledger.dropped(f"{path}.signature", "it is another provider's", part.signature.origin)
            part = replace(part, signature=None)
        return self._common(part, path)

    def _call(self, part: ToolCall, path: str) -> Part:
        name = self._called[part.id] = self._names.target(part.name, part.namespace, part.kind)
        namespace = part.namespace if self._can.namespaces else ""
        if part.kind == "custom" and not self._can.custom_tools:
            part = replace(part, kind="function", args=wrap_custom(part.args))
        if name != part.name or namespace != part.namespace:
            part = replace(part, name=name, namespace=namespace)
        if part.signature is not None and part.signature.origin != self._origin:
            self._ledger.dropped(f"{path}.signature", "it is another provider's", part.signature.origin)
            part = replace(part, signature=None)
        return self._common(part, path)

    def _thinking(self, part: Thinking, path: str) -> Part | None:
        signature = part.signature
        if signature is None and part.item and part.text and not self._crossing:
            # Its own provider may know the item by its id.
            return part
        if signature is not None and signature.origin != self._origin:
            self._ledger.dropped(f"{path}.signature", "it is another provider's", signature.origin)
            part, signature = replace(part, signature=None), None
        if signature is None and not part.text:
            return None
        none = self._can.thinking == "none" and self._crossing
        if none or (self._can.thinking == "signed" and signature is None):
            self._ledger.dropped(
                f"{path}.thinking",
                "the target takes back only thinking that it signed"
                if self._can.thinking == "signed"
                else "the target takes no thinking back",
            )
            return None
        return self._common(part, path)

    def _spelled_out(self, part: Document, path: str) -> Part | None:
        """A document of text as text, for a target that takes no documents; None where it stays one."""
        if not self._crossing or self._can.document_types or (text := text_of_document(part)) is None:
            return None
        self._ledger.approximated(f"{path}.document", "the target takes no documents", "document", "text")
        if part.citations:
            self._ledger.dropped(f"{path}.citations", "a text cannot be cited", True)
        return self._common(Text(tagged(part, text), cache=part.cache, extras=part.extras), path)

    def _document(self, part: Document, path: str) -> Document:
        if part.source is not None:
            if part.source.kind == "text":
                return part
            self._media(part.source, path, "a document", self._can.document_types, self._can.document_urls)
            return part
        parts = self.all(part.parts, f"{path}.parts")
        return part if parts is part.parts else replace(part, parts=parts)

    def _media(self, source: Source, path: str, what: str, types: frozenset[str], urls: bool) -> None:
        """Refuses media that the target cannot take. Another dialect's media type that is not said passes."""
        if not self._crossing:
            return
        if source.kind == "file":
            raise Untranslatable(f"{path}: {what} by file id, which only its own provider has", hint="send it inline")
        if not types:
            raise Untranslatable(f"{path}: {what}, which the target cannot take")
        if source.media_type and source.media_type not in types and not _matches(source.media_type, types):
            raise Untranslatable(f"{path}: {what} of type {source.media_type}, which the target cannot take")
        if source.kind == "url" and not urls:
            raise Untranslatable(
                f"{path}: {what} by URL, which the target does not fetch",
                hint="send it inline, or turn lightllm.fetch_images on" if what == "an image" else "send it inline",
            )

    def _foreign(self, part: ServerTool | Opaque, path: str) -> Part | None:
        if part.dialect == self._dialect:
            return part
        if isinstance(part, Opaque):
            if part.moved:
                reason = "what it brings is told at the beginning of the request"
                self._ledger.approximated(f"{path}.{part.type}", reason, word="moved")
                return None
            if part.for_provider:
                self._ledger.dropped(f"{path}.{part.type}", "it speaks to the client's own provider")
                return None
            raise Untranslatable(f"{path}: a part of type {part.type}, which only the {part.dialect} dialect has")
        raise Untranslatable(
            f"{path}: the tool {part.name} that the provider of the {part.dialect} dialect ran",
            hint="go on with a provider of that dialect, or begin anew",
        )


def _matches(media_type: str, types: frozenset[str]) -> bool:
    """Whether a pattern like `image/*` covers the type."""
    return f"{media_type.partition('/')[0]}/*" in types
