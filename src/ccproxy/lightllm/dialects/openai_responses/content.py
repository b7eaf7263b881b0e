"""The content of messages and tool results: `input_text`, `input_image`, `input_file`, `output_text`, ... both ways.

Reading is the same for requests and answers. What only this dialect says about a content part is kept under `content`
in the part's extras; the fields of the item around it are `read.py`'s matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ccproxy.errors import Untranslatable
from ccproxy.lightllm.fields import Fields, ShapeError, as_list, as_object, as_text
from ccproxy.lightllm.ir.losses import LossLedger
from ccproxy.lightllm.ir.parts import (
    Audio,
    CacheMark,
    Citation,
    Document,
    Image,
    JsonObject,
    Opaque,
    Part,
    Refusal,
    Source,
    Text,
)
from ccproxy.lightllm.media import base64_of_text, source_of_url, type_of, url_of_source

NAME = "openai_responses"

_TEXTS = ("input_text", "output_text", "text", "summary_text", "reasoning_text")

#: File names for documents that have none: the API tells a file's type by its name.
_NAMES = {"application/pdf": "document.pdf", "application/json": "document.json", "text/html": "document.html"}

#: How long a cache entry lives at least, for the words of other dialects.
_TTL = {"": "", "30m": "30m", "12h": "12h", "5m": "30m", "1h": "12h", "24h": "12h"}


def read_content(value: object, path: str, item: str = "") -> tuple[Part, ...]:
    """A string, or content parts. `item` is the id of the item around them; only texts and refusals can carry it."""
    if type(value) is str:
        return (Text(value, item=item),)
    if value is None:
        return ()
    parts: list[Part] = []
    for index, part in enumerate(as_list(value, path)):
        # By far the most parts are plain texts.
        if type(part) is dict and len(part) == 2 and part.get("type") == "input_text" and type(part.get("text")) is str:
            parts.append(Text(part["text"], item=item))
        else:
            parts.append(read_part(part, f"{path}[{index}]", item))
    return tuple(parts)


def read_part(value: object, path: str, item: str = "") -> Part:
    """One content part. Raises ShapeError."""
    raw = as_object(value, path)
    kind = as_text(raw.get("type"), f"{path}.type")
    fields = Fields(raw, path)
    fields.value("type")
    if kind in _TEXTS:
        return _text(fields, item)
    if kind == "refusal":
        return Refusal(fields.required_text("refusal"), item, _extras(fields))
    reader = _READERS.get(kind)
    return reader(fields) if reader is not None else Opaque(NAME, kind, raw)


def read_citation(value: object, path: str) -> Citation:
    """An annotation of any kind, kept whole."""
    raw = as_object(value, path)
    fields = Fields(raw, path)
    return Citation(
        url=fields.text("url"),
        title=fields.text("title") or fields.text("filename"),
        start=fields.integer("start_index"),
        end=fields.integer("end_index"),
        raw=raw,
    )


def _extras(fields: Fields) -> JsonObject:
    rest = {name: value for name, value in fields.rest().items() if value is not None}
    return {"content": rest} if rest else {}


def _text(fields: Fields, item: str) -> Text:
    citations = tuple(
        read_citation(annotation, fields.where(f"annotations[{i}]"))
        for i, annotation in enumerate(fields.items("annotations"))
    )
    if logprobs := fields.items("logprobs"):
        fields.put_back("logprobs", logprobs)
    return Text(fields.required_text("text"), citations, cache=_cache(fields), item=item, extras=_extras(fields))


def _cache(fields: Fields) -> CacheMark | None:
    mark = fields.mapping("prompt_cache_breakpoint")
    if mark is None:
        return None
    inner = Fields(mark, fields.where("prompt_cache_breakpoint"))
    if (mode := inner.text("mode", "explicit")) != "explicit":
        inner.put_back("mode", mode)
    return CacheMark(inner.text("ttl"), inner.rest())


def _image(fields: Fields) -> Image:
    detail = fields.text("detail")
    url, file_id = fields.text("image_url"), fields.text("file_id")
    if not url and not file_id:
        raise ShapeError(f"{fields.where('image_url')}: is missing")
    source = source_of_url(url) if url else Source("file", file_id)
    return Image(source, "" if detail == "auto" else detail, _cache(fields), _extras(fields))


def _file(fields: Fields) -> Document:
    name = fields.text("filename")
    data, url, file_id = fields.text("file_data"), fields.text("file_url"), fields.text("file_id")
    if data:
        source = source_of_url(data) if data.startswith("data:") else Source("base64", data)
    elif url or file_id:
        source = Source("url", url) if url else Source("file", file_id)
    else:
        raise ShapeError(f"{fields.where('file_data')}: is missing")
    return Document(source, name=name, cache=_cache(fields), extras=_extras(fields))


def _audio(fields: Fields) -> Audio:
    inner = fields.fields("input_audio")
    source = Source("base64", inner.required_text("data"), f"audio/{inner.text('format', 'wav')}")
    return Audio(source, extras=_extras(fields))


_READERS: dict[str, Callable[[Fields], Part]] = {"input_image": _image, "input_file": _file, "input_audio": _audio}


# Writing


def write_content(parts: Iterable[Part], path: str, ledger: LossLedger) -> list[JsonObject]:
    """Content parts of a user's or developer's message, or of a tool result. Raises Untranslatable."""
    written: list[JsonObject] = []
    for index, part in enumerate(parts):
        if type(part) is Text and part.cache is None and not part.extras:
            written.append({"type": "input_text", "text": part.text})
        else:
            written += _write(part, f"{path}[{index}]", ledger)
    return written


def _write(part: Part, path: str, ledger: LossLedger) -> list[JsonObject]:
    match part:
        case Text():
            written: list[JsonObject] = [{"type": "input_text", "text": part.text}]
        case Refusal():
            ledger.approximated(f"{path}.refusal", "only the model's messages have refusals", "refusal", "text")
            return [{"type": "input_text", "text": part.text}]
        case Image():
            image = {"file_id": part.source.data} if part.source.kind == "file" else {"image_url": url(part.source)}
            written = [{"type": "input_image", "detail": part.detail or "auto", **image}]
        case Document():
            written = _write_document(part, path, ledger)
        case Audio():
            form = part.source.media_type.rpartition("/")[2] or "wav"
            if part.source.kind != "base64":
                raise Untranslatable(f"{path}: a recording that is not given inline")
            written = [{"type": "input_audio", "input_audio": {"data": part.source.data, "format": form}}]
        case Opaque():
            return [part.raw]
        case _:
            raise Untranslatable(
                f"{path}: a {type(part).__name__.lower()} part, which the openai_responses dialect has no place for here"
            )
    if part.cache is not None:
        written[-1]["prompt_cache_breakpoint"] = _write_cache(part.cache, path, ledger)
    written[-1] |= part.extras.get("content", {})
    return written


def url(source: Source) -> str:
    """The source as a URL. A picture whose type nobody said is called a PNG, which every decoder looks past."""
    if source.kind == "base64" and not type_of(source):
        return f"data:image/png;base64,{source.data}"
    return url_of_source(source)


def _write_cache(mark: CacheMark, path: str, ledger: LossLedger) -> JsonObject:
    ttl = _TTL.get(mark.ttl, "")
    if ttl != mark.ttl:
        ledger.approximated(f"{path}.cache_control.ttl", "OpenAI caches for 30m or 12h", mark.ttl, ttl or "30m")
    return {"mode": "explicit", **({"ttl": ttl} if ttl else {}), **mark.extras}


def _write_document(part: Document, path: str, ledger: LossLedger) -> list[JsonObject]:
    if part.citations:
        ledger.dropped(f"{path}.citations", "citing cannot be asked for", True)
    before: list[JsonObject] = []
    if part.context:
        ledger.approximated(f"{path}.context", "files have no notes about them", None, "a text before it")
        before.append({"type": "input_text", "text": part.context})
    source = part.source
    if source is None:
        heading = " ".join(word for word in (part.title, part.url) if word)
        ledger.approximated(f"{path}.document", "files hold bytes; this one is made of parts", heading or None, "text")
        if heading:
            before.append({"type": "input_text", "text": heading})
        return [*before, *write_content(part.parts, f"{path}.parts", ledger)] or [{"type": "input_text", "text": ""}]
    written: JsonObject = {"type": "input_file"}
    name = part.name or part.title
    if part.name and part.title and part.title != part.name:
        ledger.dropped(f"{path}.title", "files have one name", part.title)
    if source.kind in ("base64", "text"):
        media_type = type_of(source) or ("text/plain" if source.kind == "text" else "application/pdf")
        data = base64_of_text(source.data) if source.kind == "text" else source.data
        written["filename"] = name or _NAMES.get(media_type, "document.txt")
        written["file_data"] = f"data:{media_type};base64,{data}"
    else:
        if name:
            written["filename"] = name
        written["file_url" if source.kind == "url" else "file_id"] = source.data
    return [*before, written]


def write_citation(citation: Citation, length: int) -> JsonObject | None:
    """An annotation in the form it came in; another dialect's with a URL as `url_citation` of the whole text of
    `length` characters unless it says where; None where this dialect has no such citation."""
    if citation.raw.get("type") in _ANNOTATIONS and ("index" in citation.raw or "start_index" in citation.raw):
        return citation.raw
    if not citation.url:
        return None
    return {
        "type": "url_citation",
        "url": citation.url,
        "title": citation.title,
        "start_index": citation.start or 0,
        "end_index": length if citation.end is None else citation.end,
    }


_ANNOTATIONS = ("file_citation", "url_citation", "container_file_citation", "file_path")


def output_text(text: str, annotations: list[JsonObject], further: dict[str, Any] | None = None) -> JsonObject:
    """A text the model said."""
    return {"type": "output_text", "text": text, "annotations": annotations, **(further or {})}
