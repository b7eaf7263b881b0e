"""Code Assist's envelope, put around and taken off bodies of the same dialect: bytes in, bytes out, nothing rewritten.

    request   {"contents": …}              <-> {"model", "request": {"contents": …}, "project", "user_prompt_id"}
    answer    {"candidates": …}            <-> {"response": {"candidates": …}, "traceId"}
    count     {"contents": …}               -> {"request": {"model": "models/M", "contents": …}}

What stands inside keeps its bytes. Streams are done chunk by chunk, as server-sent events or as a JSON array, whichever
the upstream sends and whichever the client wants. Errors have no envelope and pass as they are.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from ccproxy.errors import UpstreamCut
from ccproxy.lightllm.body import JsonBody
from ccproxy.lightllm.dialect import Frame, StreamForm
from ccproxy.lightllm.ir.losses import LossLedger
from ccproxy.lightllm.jsontext import dumps, loads_or_none
from ccproxy.lightllm.translate import ArrayReader, ArrayWriter, Reader, SseReader, SseWriter

#: What a token count of the public API may hold, of which Code Assist counts the contents alone.
_UNCOUNTED = frozenset({"systemInstruction", "system_instruction", "tools", "toolConfig", "tool_config"})
_NESTED_COUNT = ("generateContentRequest", "generate_content_request")
_BOM = b"\xef\xbb\xbf"


def wrap_request(body: bytes, model: str) -> bytes:
    """A generation request inside of the envelope. Raises BadRequest if it is no JSON object."""
    inner = JsonBody(body)
    inner.delete("model")  # some clients say it in the body too, where the envelope's inside has no such field
    return b'{"model":%b,"request":%b}' % (dumps(model), inner.raw.removeprefix(_BOM).strip())


def wrap_count(body: bytes, model: str, ledger: LossLedger) -> bytes:
    """A token count in Code Assist's form, which takes contents and nothing else. Raises BadRequest."""
    asked = JsonBody(body)
    for name in _NESTED_COUNT:
        if (nested := asked.get_raw(name)) is not None:
            asked = JsonBody(nested)
    for name in asked:
        if name in _UNCOUNTED:
            ledger.dropped(f"count.{name}", "Code Assist counts the contents alone")
    contents = asked.get_raw("contents") or b"[]"
    return b'{"request":{"model":%b,"contents":%b}}' % (dumps(f"models/{model.removeprefix('models/')}"), contents)


def flat_count(body: bytes) -> bytes:
    """A token count as Vertex AI takes it: what the public API takes inside of a request stands at the top."""
    asked = JsonBody(body)
    for name in _NESTED_COUNT:
        if (nested := asked.get_raw(name)) is not None:
            flat = JsonBody(nested)
            for other in ("model", "toolConfig", "tool_config"):
                flat.delete(other)
            return flat.raw
    return body


def complete(body: bytes, *, prompt: str, session: str) -> bytes:
    """An enveloped request with the ids that gemini-cli sends, where it has none.

    Args:
        prompt: the id of this request.
        session: the id of the conversation, by which Code Assist finds what it has cached; "" for none.
    """
    outer = JsonBody(body)
    if "user_prompt_id" not in outer:
        outer["user_prompt_id"] = prompt
    held = outer.get_raw("request")
    if session and held is not None:
        inner = JsonBody(held)
        if inner.is_object and "session_id" not in inner and "sessionId" not in inner:
            inner["session_id"] = session
            outer.set_raw("request", inner.raw)
    return outer.raw


def unwrap_request(body: bytes) -> tuple[str, bytes]:
    """The model and the request of an envelope; ("", the body) where it is none."""
    outer = JsonBody(body)
    held = outer.get_raw("request")
    if held is None:
        return "", body
    inner = JsonBody(held)
    model = outer.get("model") or (inner.get("model") if inner.is_object else "")
    for name in ("session_id", "sessionId", "model"):
        if name in inner:
            inner.delete(name)
    return (model if isinstance(model, str) else "").removeprefix("models/"), inner.raw


def unwrapped(answer: bytes) -> bytes:
    """What one answer, or one chunk of a stream, holds; the answer itself where it has no envelope."""
    held = JsonBody(answer).get_raw("response")
    return answer if held is None else held


def wrapped(answer: bytes) -> bytes:
    """One answer or chunk inside of an envelope; an error as it is."""
    body = JsonBody(answer)
    return answer if "error" in body or not body.is_object else b'{"response":%b}' % answer.strip()


class AnswerRewriter:
    """Takes the envelope off an answer, or puts it around one, as it passes.

    Args:
        way: what to do with each object.
        kind: the upstream's content type, which tells a stream from a document.
        form: how a client that asked for a stream wants it; None for one that did not.
    """

    def __init__(self, way: Literal["wrap", "unwrap"], kind: str, form: StreamForm | None) -> None:
        self._turn = wrapped if way == "wrap" else unwrapped
        self._form = form
        self._events = kind == "text/event-stream"
        self._reader: Reader | None = SseReader() if self._events else None
        self._writer = ArrayWriter() if form == "json_array" else SseWriter()
        self._document = bytearray()

    @property
    def content_type(self) -> str:
        """Of what comes out."""
        return "text/event-stream" if self._events and self._form == "sse" else "application/json"

    @property
    def held(self) -> int:
        """How many bytes wait for the end of a document."""
        return len(self._document)

    def feed(self, chunk: bytes) -> bytes:
        """The client's bytes for a chunk of the upstream's, its content coding removed. Raises UpstreamError where the
        stream cannot be cut into frames."""
        if self._reader is None:
            self._document += chunk
            return b""
        return self._write([data for _, data in self._reader.feed(chunk) if data is not None])

    def eof(self) -> bytes:
        """The rest, when the upstream's answer is complete. Raises UpstreamCut where it ends within an event."""
        if self._reader is not None:
            rest = [data for _, data in self._reader.eof() if data is not None]
            if any(loads_or_none(data) is None for data in rest):
                raise UpstreamCut("the provider's stream ended in the middle of an event")
            return self._write(rest) + self._writer.close()
        return self._whole(bytes(self._document))

    def _whole(self, document: bytes) -> bytes:
        if document.lstrip()[:1] != b"[":
            return self._turn(document)
        # A stream in the form of an array.
        array, writer = ArrayReader(), ArrayWriter()
        elements = [data for _, data in (*array.feed(document), *array.eof()) if data is not None]
        return writer.write(Frame(self._turn(data)) for data in elements) + writer.close()

    def _write(self, frames: list[bytes]) -> bytes:
        return self._writer.write(Frame(_flat(self._turn(data))) for data in frames)


def _flat(data: bytes) -> bytes:
    """A frame in one line: there are clients that read no further."""
    if b"\n" not in data:
        return data
    try:
        return msgspec.json.format(data, indent=-1)
    except msgspec.DecodeError:
        return data
