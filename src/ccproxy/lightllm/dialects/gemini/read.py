"""Parts of a content as parts of the IR: the same reading for requests, buffered answers and chunks of a stream.

`write.py` is the way back.
"""

from __future__ import annotations

from typing import Literal

from ccproxy.lightllm.dialects.gemini.spelling import NAME, camel, fields_of
from ccproxy.lightllm.fields import Fields, ShapeError, as_object, as_text
from ccproxy.lightllm.ir.parts import (
    Audio,
    Document,
    Image,
    JsonObject,
    Opaque,
    Part,
    ServerTool,
    Signature,
    Source,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from ccproxy.lightllm.jsontext import dumps_text
from ccproxy.lightllm.signatures import unwrap
from ccproxy.lightllm.toolargs import to_text

#: Parts that tell of tools which Google ran.
_SERVER = {
    "executableCode": "code_execution",
    "codeExecutionResult": "code_execution",
    "toolCall": "tool",
    "toolResponse": "tool",
}
#: Fields of a response object that hold the whole result; `output` is the documented one.
OUTPUTS = ("output", "result", "content", "return_value")
#: Media types by the end of a URL's path.
_ENDS = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "gif": "image/gif",
    "heic": "image/heic",
    "heif": "image/heif",
    "pdf": "application/pdf",
    "txt": "text/plain",
    "mp3": "audio/mp3",
    "wav": "audio/wav",
}


def read_part(value: object, path: str, origin: str = NAME) -> Part:
    """One part. `origin` is whose the bare signatures are. Raises ShapeError."""
    raw = camel(value, path)
    fields = Fields(raw, path)
    signature, place = _signature(fields, origin)
    if fields.has("functionCall"):
        return _call(fields, signature)
    if fields.has("functionResponse"):
        return _result(fields, origin)
    if fields.has("inlineData") or fields.has("fileData"):
        if fields.flag("thought"):
            # A sketch on the way to a picture: no part of what the model says.
            return Opaque(NAME, "thought", raw, for_provider=True)
        media = _media(fields)
        if media is not None:
            return media
    for name, kind in _SERVER.items():
        if fields.has(name):
            return ServerTool(NAME, kind, raw)
    if "text" in raw or fields.has("thought"):
        text, thought = fields.text("text"), fields.flag("thought")
        if thought:
            form: Literal["redacted", "summary"] = "redacted" if place == "whole" else "summary"
            return Thinking(text, signature, form, extras=fields.rest())
        return Text(text, signature=signature, extras=fields.rest())
    if signature is not None and not fields.rest():
        return Text("", signature=signature)
    kind = next((name for name in raw if name not in ("thought", "thoughtSignature")), "empty")
    return Opaque(NAME, kind, raw)


def _signature(fields: Fields, origin: str) -> tuple[Signature | None, str]:
    text = fields.text("thoughtSignature")
    return unwrap(text, origin) if text else (None, "here")


def _call(fields: Fields, signature: Signature | None) -> ToolCall:
    call = fields_of(fields.value("functionCall"), fields.where("functionCall"))
    fields.value("thought")
    if call.has("partialArgs") or call.flag("willContinue"):
        raise ShapeError(f"{call.where('partialArgs')}: arguments in pieces cannot be read")
    arguments = call.mapping("args") or {}
    extras = {f"functionCall.{name}": value for name, value in call.rest().items() if name not in ("id", "name")}
    return ToolCall(
        call.text("id"),
        call.required_text("name"),
        to_text(arguments) if arguments else "",
        signature=signature,
        extras=extras | fields.rest(),
    )


def _result(fields: Fields, origin: str) -> ToolResult:
    given = fields_of(fields.value("functionResponse"), fields.where("functionResponse"))
    response = given.mapping("response") or {}
    content, is_error, mark = read_response(response)
    for index, item in enumerate(given.items("parts")):
        content = (*content, read_part(item, f"{given.where('parts')}[{index}]", origin))
    call_id, name = given.text("id"), given.text("name")
    extras = {f"functionResponse.{key}": value for key, value in given.rest().items()}
    return ToolResult(call_id, content, is_error, name, extras=mark | extras | fields.rest())


def read_response(response: JsonObject) -> tuple[tuple[Part, ...], bool, JsonObject]:
    """What a response object says: its one text, or else the object as JSON; whether it is an error; how it was put."""
    if not response:
        return (), False, {}
    if len(response) == 1:
        ((name, value),) = response.items()
        if type(value) is str and name in (*OUTPUTS, "error"):
            return (Text(value),), name == "error", {} if name in ("output", "error") else {f"response.{name}": None}
    return (Text(dumps_text(response)),), bool(response.get("error")), {"response": None}


def _media(fields: Fields) -> Part | None:
    """An image, document or recording; None for what the IR has no part for (videos), which stays as it is."""
    inline = fields.has("inlineData")
    name = "inlineData" if inline else "fileData"
    given = fields_of(as_object(fields.value(name), fields.where(name)), fields.where(name))
    kind = given.text("mimeType")
    title = given.text("displayName")
    if inline:
        source = Source("base64", given.text("data"), kind)
    else:
        uri = as_text(given.value("fileUri"), given.where("fileUri"))
        source = Source("file" if _is_file(uri) else "url", uri, kind)
        kind = kind or type_of_url(uri)
    extras = {f"{name}.{key}": value for key, value in given.rest().items()} | fields.rest()
    if title:
        extras[f"{name}.displayName"] = title
    beginning = kind.partition("/")[0]
    if beginning == "image":
        return Image(source, extras=extras)
    if beginning == "audio":
        return Audio(source, extras=extras)
    if beginning == "video" or (source.kind == "url" and not kind):
        return None
    return Document(source, extras=extras)


def _is_file(uri: str) -> bool:
    """Whether it is a file that only Google has."""
    return uri.startswith(("gs://", "files/")) or "generativelanguage.googleapis.com/" in uri


def type_of_url(url: str) -> str:
    """The media type that the end of a URL's path tells, or ""."""
    path = url.partition("?")[0].partition("#")[0]
    return _ENDS.get(path.rpartition("/")[2].rpartition(".")[2].lower(), "")
