"""Parts of the IR as parts of a content, for requests. `read.py` is the way in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ccproxy.errors import Untranslatable
from ccproxy.lightllm.dialects.gemini.read import OUTPUTS, type_of_url
from ccproxy.lightllm.dialects.gemini.spelling import said
from ccproxy.lightllm.fields import as_object
from ccproxy.lightllm.ir.losses import LossLedger
from ccproxy.lightllm.ir.parts import (
    Audio,
    Document,
    Image,
    JsonObject,
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
from ccproxy.lightllm.jsontext import JsonError, loads
from ccproxy.lightllm.media import base64_of_text, type_of
from ccproxy.lightllm.toolargs import to_object
from ccproxy.lightllm.toolids import is_made

#: What a result is called whose call is not in the conversation.
UNKNOWN_TOOL = "unknown_tool"


def write_parts(
    parts: Iterable[Part], path: str, ledger: LossLedger, names: Mapping[str, str] | None = None
) -> list[JsonObject]:
    """The parts of a content. Texts without a character are left out unless they carry a signature. `names` are the
    tools of the calls so far, by id."""
    written: list[JsonObject] = []
    for index, part in enumerate(parts):
        if type(part) is Text and part.signature is None and not part.extras:
            if part.text:
                written.append({"text": part.text})
            continue
        written += _part(part, f"{path}[{index}]", ledger, names or {})
    return written


def _part(part: Part, path: str, ledger: LossLedger, names: Mapping[str, str]) -> list[JsonObject]:
    match part:
        case Text():
            if not part.text and part.signature is None:
                return []
            return [_signed({"text": part.text}, part) | said(part.extras)]
        case Thinking():
            return [_signed({"text": part.text, "thought": True}, part) | said(part.extras)]
        case Refusal():
            if not part.text:
                return []
            ledger.approximated(f"{path}.refusal", "the dialect has no refusal part", "refusal", "text")
            return [{"text": part.text}]
        case ToolCall():
            return [_call(part, path, ledger)]
        case ToolResult():
            return [_result(part, path, ledger, names)]
        case Image():
            return [media_part(typed(part.source, "image/png"), part.extras)]
        case Audio():
            return [media_part(typed(part.source, "audio/wav"), part.extras)]
        case Document():
            return _document(part, path, ledger)
        case ServerTool() | Opaque():
            return [part.raw]
    raise Untranslatable(f"{path}: a {type(part).__name__.lower()} part, which the gemini dialect has no part for")


def _signed(written: JsonObject, part: Text | Thinking | ToolCall) -> JsonObject:
    """With its signature as it came (`adapt` let only this upstream's own pass)."""
    if part.signature is not None:
        written["thoughtSignature"] = part.signature.value
    return written


def _call(part: ToolCall, path: str, ledger: LossLedger) -> JsonObject:
    arguments, is_object = to_object(part.args)
    if not is_object:
        ledger.approximated(f"{path}.arguments", "the arguments are no JSON object", part.args, "an object")
    call: JsonObject = {"name": part.name, "args": arguments}
    if part.id and not is_made(part.id):
        call["id"] = part.id
    outer = _spread(part.extras, {"functionCall": call})
    return _signed({"functionCall": call}, part) | outer


def _result(part: ToolResult, path: str, ledger: LossLedger, names: Mapping[str, str]) -> JsonObject:
    name = part.name or names.get(part.call_id, "")
    if not name:
        ledger.approximated(f"{path}.name", "the call of this result is not known", part.call_id, UNKNOWN_TOOL)
        name = UNKNOWN_TOOL
    texts = [inner.text for inner in part.content if isinstance(inner, Text)]
    response: JsonObject = {"name": name, "response": _response(part, "\n".join(texts))}
    if part.call_id and not is_made(part.call_id):
        response["id"] = part.call_id
    media = [inner for inner in part.content if not isinstance(inner, Text)]
    if media:
        response["parts"] = write_parts(media, f"{path}.content", ledger)
    outer = _spread(part.extras, {"functionResponse": response})
    return {"functionResponse": response} | outer


def _response(part: ToolResult, text: str) -> JsonObject:
    """The response object, put as it came where it came in this dialect."""
    if "response" in part.extras:
        try:
            return as_object(loads(text), "response")
        except (JsonError, ValueError):
            pass
    for name in OUTPUTS:
        if f"response.{name}" in part.extras:
            return {name: text}
    if part.is_error:
        return {"error": text}
    return {"output": text} if any(isinstance(inner, Text) for inner in part.content) else {}


def _spread(extras: JsonObject, holders: dict[str, JsonObject]) -> JsonObject:
    """Puts extras called `holder.name` into their holder; returns those of the part itself."""
    outer: JsonObject = {}
    for name, value in extras.items():
        if value is None:
            continue
        holder, dot, inner = name.partition(".")
        if dot and holder in holders:
            holders[holder][inner] = value
        else:
            outer[name] = value
    return outer


def media_part(source: Source, extras: JsonObject) -> JsonObject:
    """An `inlineData` or `fileData` part."""
    if source.kind == "base64":
        inline: JsonObject = {"mimeType": type_of(source), "data": source.data}
        return {"inlineData": inline} | _spread(extras, {"inlineData": inline})
    file: JsonObject = {"fileUri": source.data}
    if kind := source.media_type or (type_of_url(source.data) if source.kind == "url" else ""):
        file["mimeType"] = kind
    return {"fileData": file} | _spread(extras, {"fileData": file})


def typed(source: Source, media_type: str) -> Source:
    """The source with that type if nobody said one: inline media must have one, and it is the likeliest."""
    if source.kind != "base64" or type_of(source):
        return source
    return Source("base64", source.data, media_type)


def _document(part: Document, path: str, ledger: LossLedger) -> list[JsonObject]:
    if part.citations:
        ledger.dropped(f"{path}.citations", "Gemini cannot be asked to cite a document", True)
    title = part.title or part.name
    about = "\n".join(filter(None, (f"Document: {title}" if title else "", part.url, part.context)))
    if about:
        ledger.approximated(f"{path}.title", "Gemini's documents have no title; it is a text before it", title or None)
    before: list[JsonObject] = [{"text": about}] if about else []
    source = part.source
    if source is None:
        return before + write_parts(part.parts, f"{path}.parts", ledger)
    if source.kind == "text":
        source = Source("base64", base64_of_text(source.data), source.media_type or "text/plain")
    elif source.kind == "base64":
        source = typed(source, "application/pdf")
    elif source.kind == "url" and not source.media_type and not type_of_url(source.data):
        source = Source("url", source.data, "application/pdf")
    return [*before, media_part(source, part.extras)]
