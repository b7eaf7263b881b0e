"""A whole stand-in provider without a network: a request in, its native answer out, in all dialects.

The caller says what the model says (`compose`); everything else, from the path to the shape of an error for broken
JSON, is done here as the providers do it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

import msgspec

from ccproxy.providers.answers import anthropic, gemini, openai, openai_responses
from ccproxy.providers.answers.asked import Asked, read
from ccproxy.providers.answers.paths import Call, dialect_for, recognise
from ccproxy.providers.answers.script import Script, estimate_tokens, new_id

Field = tuple[bytes, bytes]

JSON: Field = (b"content-type", b"application/json")
SSE: Field = (b"content-type", b"text/event-stream")


class Writer(Protocol):
    """What every dialect module of this package offers beside its own `document` and `events`."""

    def error(self, status: int, kind: str = "", message: str = "") -> bytes: ...

    def error_event(self, status: int, kind: str = "", message: str = "") -> bytes: ...

    def models(self, names: Sequence[str]) -> bytes: ...

    def model(self, name: str) -> bytes: ...


WRITERS: Mapping[str, Writer] = MappingProxyType(
    {"anthropic": anthropic, "openai": openai, "openai_responses": openai_responses, "gemini": gemini}
)


@dataclass(frozen=True, slots=True)
class Answer:
    """A native answer. `frames` are the pieces in which a stream is sent; a document is one piece."""

    status: int
    headers: tuple[Field, ...]
    frames: tuple[bytes, ...]
    streamed: bool = False

    @property
    def body(self) -> bytes:
        """All of it."""
        return b"".join(self.frames)


def respond(
    method: str,
    target: bytes,
    headers: Mapping[str, str],
    body: bytes,
    *,
    script: Callable[[Asked], Script],
    models: Sequence[str],
) -> Answer:
    """Answers one request.

    Args:
        target: path and query as on the wire.
        headers: with lower-case names.
        body: with its content-encoding removed.
        script: what the model says to a generation request.
        models: the names in the model lists; any name is accepted in requests.
    """
    call = recognise(method, target, headers)
    if call is None:
        path = target.partition(b"?")[0].decode("latin-1")
        return error(dialect_for(target, headers), 404, message=f"There is no {method} {path} here.")
    match call.operation:
        case "models":
            return document(call.dialect, WRITERS[call.dialect].models(models))
        case "model":
            return document(call.dialect, WRITERS[call.dialect].model(call.model))
    try:
        asked_for = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        return error(call.dialect, 400, message=f"The request body is not valid JSON: {problem}")
    if not isinstance(asked_for, dict):
        return error(call.dialect, 400, message="The request body must be a JSON object.")
    match call.operation:
        case "generate":
            asked = read(call.dialect, asked_for, model=call.model, stream=call.stream)
            return render(call, asked, script(asked))
        case "count_tokens":
            return document(call.dialect, _count(call.dialect, estimate_tokens(len(body))))
        case _:
            return document(call.dialect, msgspec.json.encode(_code_assist(call.operation)))


def render(call: Call, asked: Asked, script: Script) -> Answer:
    """`script` as the answer to `call`, streamed if the request asked for it."""
    match call.dialect:
        case "anthropic":
            frames = anthropic.events(script) if asked.stream else [anthropic.document(script)]
        case "openai":
            streamed = openai.events(script, include_usage=asked.include_usage) if asked.stream else []
            frames = streamed or [openai.document(script)]
        case "openai_responses":
            frames = openai_responses.events(script) if asked.stream else [openai_responses.document(script)]
        case _:
            if asked.stream:
                frames = gemini.events(script, sse=call.sse, envelope=call.envelope)
            else:
                frames = [gemini.document(script, envelope=call.envelope)]
    if not asked.stream:
        return document(call.dialect, frames[0])
    kind = SSE if call.sse else JSON
    return Answer(200, (kind, (b"cache-control", b"no-cache"), *_identity(call.dialect)), tuple(frames), streamed=True)


def document(dialect: str, body: bytes) -> Answer:
    """A buffered 200."""
    return Answer(200, (JSON, *_identity(dialect)), (body,))


def error(dialect: str, status: int, kind: str = "", message: str = "") -> Answer:
    """An error answer in the native shape."""
    identity = _identity(dialect)
    writer = WRITERS[dialect]
    if dialect == "anthropic":
        body = anthropic.error(status, kind, message, request_id=identity[0][1].decode())
    else:
        body = writer.error(status, kind, message)
    return Answer(status, (JSON, *identity), (body,))


def _identity(dialect: str) -> tuple[Field, ...]:
    """The header that names the request, as the dialect's provider calls it."""
    match dialect:
        case "anthropic":
            return ((b"request-id", f"req_{new_id()}".encode()),)
        case "openai" | "openai_responses":
            return ((b"x-request-id", f"req_{new_id()}".encode()),)
        case _:
            return ()


def _count(dialect: str, tokens: int) -> bytes:
    match dialect:
        case "anthropic":
            return anthropic.token_count(tokens)
        case "gemini":
            return gemini.token_count(tokens)
        case _:
            return openai_responses.token_count(tokens)


def _code_assist(operation: str) -> dict[str, Any]:
    tier = {"id": "standard-tier", "name": "Gemini Code Assist"}
    if operation == "load":
        return {
            "currentTier": tier,
            "allowedTiers": [tier | {"isDefault": True}],
            "cloudaicompanionProject": "demo-project",
            "gcpManaged": False,
        }
    project = {"id": "demo-project", "name": "demo-project"}
    return {"name": "operations/onboard", "done": True, "response": {"cloudaicompanionProject": project}}
