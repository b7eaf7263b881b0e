"""Which native operation a request is, whatever stands before the provider's own path.

A base URL may put any prefix before it and may repeat or leave out the version, so the end of the path decides. Where
paths collide (`GET …/models`), the headers do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl, unquote

Operation = Literal["generate", "count_tokens", "models", "model", "load", "onboard"]


@dataclass(frozen=True, slots=True)
class Call:
    """A native operation.

    Attributes:
        model: the model in the path, or "".
        stream: whether the path decides it, and how; None leaves it to the body.
        sse: Gemini: the client asked for `alt=sse`.
        envelope: Code Assist's wrapping.
    """

    dialect: str
    operation: Operation
    model: str = ""
    stream: bool | None = None
    sse: bool = True
    envelope: bool = False


_POSTS: tuple[tuple[str, str, Operation], ...] = (
    ("/messages/count_tokens", "anthropic", "count_tokens"),
    ("/messages", "anthropic", "generate"),
    ("/chat/completions", "openai", "generate"),
    ("/responses/input_tokens", "openai_responses", "count_tokens"),
    ("/responses", "openai_responses", "generate"),
)
_MODEL_ACTION = re.compile(r"/models/(?P<model>[^:]+):(?P<action>[A-Za-z]+)$")
_CODE_ASSIST = re.compile(r"/v1internal:(?P<action>[A-Za-z]+)$")
_MODELS = re.compile(r"/models(?:/(?P<model>[^:]+))?$")


def recognise(method: str, target: bytes, headers: Mapping[str, str]) -> Call | None:
    """The operation of a request, or None if no provider has it. `headers` have lower-case names."""
    path, _, query = target.decode("latin-1").partition("?")
    fields = dict(parse_qsl(query))
    sse = fields.get("alt") == "sse"
    if method == "POST":
        for end, dialect, operation in _POSTS:
            if path.endswith(end):
                return Call(dialect, operation)
        if found := _CODE_ASSIST.search(path):
            return _code_assist(found["action"], sse)
        if found := _MODEL_ACTION.search(path):
            return _model_action(unquote(found["model"]), found["action"], sse)
    if method in {"GET", "HEAD"} and (found := _MODELS.search(path)):
        model = unquote(found["model"] or "")
        return Call(_guess(path, fields, headers), "model" if model else "models", model)
    return None


def dialect_for(target: bytes, headers: Mapping[str, str]) -> str:
    """The dialect in which any request is best answered, also one that no provider has. Never empty."""
    call = recognise("POST", target, headers)
    if call is not None:
        return call.dialect
    path, _, query = target.decode("latin-1").partition("?")
    return _guess(path, dict(parse_qsl(query)), headers)


def _guess(path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> str:
    """The dialect of a path that several providers have."""
    if "anthropic-version" in headers or "/messages" in path:
        return "anthropic"
    if "x-goog-api-key" in headers or "key" in query or "/v1beta" in path or "/v1internal" in path:
        return "gemini"
    return "anthropic" if "x-api-key" in headers else "openai"


def _code_assist(action: str, sse: bool) -> Call | None:
    match action:
        case "generateContent" | "streamGenerateContent":
            return Call("gemini", "generate", stream=action.startswith("stream"), sse=sse, envelope=True)
        case "countTokens":
            return Call("gemini", "count_tokens")
        case "loadCodeAssist":
            return Call("gemini", "load")
        case "onboardUser":
            return Call("gemini", "onboard")
        case _:
            return None


def _model_action(model: str, action: str, sse: bool) -> Call | None:
    match action:
        case "generateContent" | "streamGenerateContent":
            return Call("gemini", "generate", model, stream=action.startswith("stream"), sse=sse)
        case "countTokens":
            return Call("gemini", "count_tokens", model)
        case "rawPredict" | "streamRawPredict":  # Claude on Vertex
            counts = model.startswith("count-tokens")
            return Call("anthropic", "count_tokens" if counts else "generate", "" if counts else model)
        case _:
            return None
