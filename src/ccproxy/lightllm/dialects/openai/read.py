"""Content and messages read into the IR: `messages` of a request, and the pieces that answers share with them.

`write.py` is the way back. Tool messages that follow each other are the results of one turn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ccproxy.lightllm.dialects.openai.spelling import NAME
from ccproxy.lightllm.dialects.openai.thinking import read_history_thinking
from ccproxy.lightllm.fields import Fields, ShapeError, as_list, as_object, as_text
from ccproxy.lightllm.ir.parts import (
    Audio,
    CacheMark,
    Citation,
    Document,
    Image,
    Opaque,
    Part,
    Refusal,
    Signature,
    Source,
    Text,
    ToolCall,
    ToolResult,
)
from ccproxy.lightllm.ir.request import Message, Role
from ccproxy.lightllm.jsontext import dumps_text
from ccproxy.lightllm.media import source_of_url
from ccproxy.lightllm.signatures import unwrap
from ccproxy.lightllm.toolids import ToolIds

_ROLES: dict[str, Role] = {"system": "system", "developer": "developer", "user": "user"}

#: Words for formats of recordings whose media type has another one.
_AUDIO_TYPES = {"mp3": "audio/mpeg", "pcm16": "audio/L16"}

#: Where Google's servers that speak Chat Completions put the signature of a call.
_EXTRA_CONTENT = "extra_content"


def read_content(value: object, path: str) -> tuple[Part, ...]:
    """`content` of a message: a string, or parts."""
    if type(value) is str:
        return (Text(value),)
    if value is None:
        return ()
    parts: list[Part] = []
    for index, item in enumerate(as_list(value, path)):
        # By far the most parts are plain texts.
        if type(item) is dict and len(item) == 2 and item.get("type") == "text" and type(item.get("text")) is str:
            parts.append(Text(item["text"]))
        else:
            parts.append(_part(item, f"{path}[{index}]"))
    return tuple(parts)


def _part(value: object, path: str) -> Part:
    raw = as_object(value, path)
    kind = as_text(raw.get("type"), f"{path}.type")
    reader = _READERS.get(kind)
    if reader is None:
        return Opaque(NAME, kind, raw)
    fields = Fields(raw, path)
    fields.value("type")
    return reader(fields)


def read_cache(fields: Fields) -> CacheMark | None:
    """OpenAI's `prompt_cache_breakpoint`, or `cache_control` of servers that took that over."""
    given = fields.fields("prompt_cache_breakpoint")
    if mode := given.text("mode"):
        if mode != "explicit":
            given.put_back("mode", mode)
        return CacheMark(given.text("ttl"), {**given.rest(), "prompt_cache_breakpoint": None})
    mark = fields.mapping("cache_control")
    if mark is None:
        return None
    given = Fields(mark, fields.where("cache_control"))
    kind = given.text("type", "ephemeral")
    if kind != "ephemeral":
        given.put_back("type", kind)
    return CacheMark(given.text("ttl"), given.rest())


def _text(fields: Fields) -> Text:
    return Text(fields.required_text("text"), cache=read_cache(fields), extras=fields.rest())


def _refusal(fields: Fields) -> Refusal:
    return Refusal(fields.required_text("refusal"), extras=fields.rest())


def read_image(fields: Fields) -> Image:
    """An `image_url` part; the object inside may be the URL alone."""
    given = fields.value("image_url")
    inner = Fields({"url": given} if type(given) is str else given, fields.where("image_url"))
    source = source_of_url(inner.required_text("url"))
    detail = inner.text("detail")
    cache = read_cache(fields)
    extras = fields.rest()
    if rest := inner.rest():
        extras["image_url"] = rest
    return Image(source, detail, cache, extras)


def read_answer_image(value: object, path: str) -> Image:
    """One of `images` of an answer, as servers give it that make images in this dialect."""
    fields = Fields(value, path)
    fields.value("type")
    fields.value("index")
    return read_image(fields)


def _audio(fields: Fields) -> Audio:
    given = fields.fields("input_audio")
    data, word = given.required_text("data"), given.text("format")
    media_type = _AUDIO_TYPES.get(word, f"audio/{word}") if word else ""
    source = Source("base64", data, media_type)
    if data.startswith("data:"):
        source = source_of_url(data)
        source = msgspec.structs.replace(source, media_type=media_type or source.media_type)
    cache = read_cache(fields)
    extras = fields.rest()
    if rest := given.rest():
        extras["input_audio"] = rest
    return Audio(source, cache=cache, extras=extras)


def _file(fields: Fields) -> Document:
    given = fields.fields("file")
    name, data, file_id = given.text("filename"), given.text("file_data"), given.text("file_id")
    if file_id:
        source = Source("file", file_id)
    elif data.startswith(("data:", "http://", "https://")):
        source = source_of_url(data)
    elif data:
        source = Source("base64", data)
    else:
        raise ShapeError(f"{given.where('file_data')}: is missing")
    cache = read_cache(fields)
    extras = fields.rest()
    if rest := given.rest():
        extras["file"] = rest
    return Document(source, name=name, cache=cache, extras=extras)


_READERS: dict[str, Callable[[Fields], Part]] = {
    "text": _text,
    "refusal": _refusal,
    "image_url": read_image,
    "input_audio": _audio,
    "file": _file,
}


def read_annotation(value: object, path: str) -> Citation:
    """One of `annotations`. A type that is not known keeps its words in `raw`."""
    raw = as_object(value, path)
    given = Fields(raw, path).fields("url_citation")
    return Citation(
        url=given.text("url"),
        title=given.text("title"),
        cited=given.text("content"),
        start=given.integer("start_index"),
        end=given.integer("end_index"),
        raw=raw,
    )


def read_signature(fields: Fields, origin: str) -> Signature | None:
    """The signature of a call, where a provider gives one in this dialect."""
    extra = fields.mapping(_EXTRA_CONTENT)
    if extra is None:
        return None
    match extra:
        case {"google": {"thought_signature": str(value), **other}, **others} if not other and not others:
            return unwrap(value, origin)[0]
    fields.put_back(_EXTRA_CONTENT, extra)
    return None


def arguments_of(value: object, path: str) -> str:
    """Arguments as JSON text; some servers send the object itself."""
    if value is None:
        return ""
    return dumps_text(value) if type(value) is dict else as_text(value, path)


# Messages


class MessageReader:
    """Reads the messages of one request, in order; what it has read is in `messages`."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._results = False
        numbers = iter(range(1, 1_000_000_000))
        self._ids = ToolIds((), lambda: str(next(numbers)))
        #: Freeform tools' calls, whose results look like all others.
        self._custom: set[str] = set()
        #: The old form's call without a result: its made id, by the function's name.
        self._called: dict[str, str] = {}

    def read(self, value: object, path: str) -> None:
        """One message. Raises ShapeError."""
        fields = Fields(value, path)
        role = fields.required_text("role")
        if role in ("tool", "function"):
            self._result(self._tool(fields) if role == "tool" else self._function(fields))
            return
        self._results = False
        if role == "assistant":
            parts = self._assistant(fields)
        elif role in _ROLES:
            parts = read_content(fields.value("content"), fields.where("content"))
        else:
            raise ShapeError(f"{fields.where('role')}: expected system, developer, user, assistant or tool")
        name = fields.text("name")
        self.messages.append(Message("assistant" if role == "assistant" else _ROLES[role], parts, name, fields.rest()))

    def _result(self, result: ToolResult) -> None:
        if self._results:
            last = self.messages[-1]
            self.messages[-1] = msgspec.structs.replace(last, parts=(*last.parts, result))
        else:
            self.messages.append(Message("user", (result,)))
            self._results = True

    def _tool(self, fields: Fields) -> ToolResult:
        call_id = fields.required_text("tool_call_id")
        content = read_content(fields.value("content"), fields.where("content"))
        name = fields.text("name")
        cache = read_cache(fields)
        kind: Any = "custom" if call_id in self._custom else "function"
        extras = fields.rest() | ({"name": None} if name else {})
        return ToolResult(call_id, content, name=name, kind=kind, cache=cache, extras=extras)

    def _function(self, fields: Fields) -> ToolResult:
        name = fields.required_text("name")
        content = read_content(fields.value("content"), fields.where("content"))
        call_id = self._called.pop(name, "") or self._ids.claim("")
        return ToolResult(call_id, content, name=name, extras={**fields.rest(), "function": None})

    def _assistant(self, fields: Fields) -> tuple[Part, ...]:
        parts: list[Part] = [*read_history_thinking(fields)]
        content = [*read_content(fields.value("content"), fields.where("content"))]
        annotations = [
            read_annotation(item, f"{fields.where('annotations')}[{i}]")
            for i, item in enumerate(fields.items("annotations"))
        ]
        if annotations and content and type(content[-1]) is Text:
            content[-1] = msgspec.structs.replace(content[-1], citations=tuple(annotations))
        parts += content
        if refusal := fields.text("refusal"):
            parts.append(Refusal(refusal))
        audio = fields.fields("audio")
        parts += [
            read_answer_image(item, f"{fields.where('images')}[{i}]") for i, item in enumerate(fields.items("images"))
        ]
        if audio_id := audio.text("id"):
            parts.append(Audio(Source("file", audio_id), extras=audio.rest()))
        elif rest := audio.rest():
            fields.put_back("audio", rest)
        for index, item in enumerate(fields.items("tool_calls")):
            parts.append(self._call(Fields(item, f"{fields.where('tool_calls')}[{index}]")))
        old = fields.fields("function_call")
        if name := old.text("name"):
            self._called[name] = call_id = self._ids.claim("")
            arguments = arguments_of(old.value("arguments"), old.where("arguments"))
            parts.append(ToolCall(call_id, name, arguments, extras={**old.rest(), "function_call": None}))
        elif rest := old.rest():
            fields.put_back("function_call", rest)
        return tuple(parts)

    def _call(self, fields: Fields) -> ToolCall:
        fields.value("index")
        call_id, kind = fields.text("id") or self._ids.claim(""), fields.text("type", "function")
        signature = read_signature(fields, NAME)
        cache = read_cache(fields)
        if kind == "custom":
            given = fields.fields("custom")
            self._custom.add(call_id)
            name, text = given.required_text("name"), given.text("input")
            return ToolCall(call_id, name, text, "custom", "", signature, cache=cache, extras=fields.rest())
        if kind != "function":
            raise ShapeError(f"{fields.where('type')}: {kind[:40]!r} is not known")
        given = fields.fields("function")
        name = given.required_text("name")
        arguments = arguments_of(given.value("arguments"), given.where("arguments"))
        return ToolCall(call_id, name, arguments, signature=signature, cache=cache, extras=fields.rest())


def read_messages(value: object) -> tuple[Message, ...]:
    """`messages` of a request. Raises ShapeError."""
    if value is None:
        raise ShapeError("messages: is missing")
    reader = MessageReader()
    for index, item in enumerate(as_list(value, "messages")):
        reader.read(item, f"messages[{index}]")
    return tuple(reader.messages)


def audio_format(media_type: str) -> str:
    """Chat's word for the format of a recording."""
    word = media_type.partition("/")[2]
    return {"mpeg": "mp3", "x-wav": "wav", "wave": "wav", "L16": "pcm16"}.get(word, word)
