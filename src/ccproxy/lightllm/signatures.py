"""Signatures travel through clients that have one opaque place for them, and come back knowing whose they are.

A signature of another provider is put into the client's own field as base64 of `ccproxy:1`, a JSON list with its
origin, its place and its value. One without that envelope is the client dialect's own. The value inside is never
changed, and nothing here makes a signature that was not received.

`place` is `here` for the part that carries it; `next` where the part it belongs to (a tool call, a text) has no room
for one in the client's dialect: then a thinking part without text carries it in front; `whole` where it is all there is
of the part (redacted thinking) and the client's dialect would not tell that from thinking without text.
"""

from __future__ import annotations

import base64
import binascii
from typing import Literal

import msgspec

from ccproxy.lightllm.errors import ErrorInfo
from ccproxy.lightllm.ir.parts import Part, Signature, Thinking, ToolCall
from ccproxy.lightllm.ir.request import Message, Request
from ccproxy.lightllm.jsontext import JsonError, dumps, loads

type Place = Literal["here", "next", "whole"]

_MAGIC = b"ccproxy:1"
_PREFIX = base64.b64encode(_MAGIC).decode("ascii")


def wrap(signature: Signature, native: str, place: Place = "here") -> str:
    """What stands in the client's signature field. `native` is the origin whose signatures need no envelope there."""
    if signature.origin == native and place == "here":
        return signature.value
    return base64.b64encode(_MAGIC + dumps([signature.origin, place, signature.value])).decode("ascii")


def unwrap(text: str, native: str) -> tuple[Signature, Place]:
    """The signature that `wrap` put into `text`; anything else is one of `native`'s own, untouched."""
    if text.startswith(_PREFIX):
        try:
            padded = text.translate(str.maketrans("-_", "+/")) + "=" * (-len(text) % 4)
            origin, place, value = loads(base64.b64decode(padded, validate=True)[len(_MAGIC) :])
        except (binascii.Error, JsonError, ValueError, TypeError):
            return Signature(text, native), "here"
        if isinstance(origin, str) and isinstance(value, str) and place in ("here", "next", "whole"):
            return Signature(value, origin), place
    return Signature(text, native), "here"


def is_refused_signature(error: ErrorInfo) -> bool:
    """Whether a provider says that it does not accept a signature of the history: it is another provider's, or old, or was
    changed. There is no code for it: the words are Anthropic's, Google's and OpenAI's."""
    words = error.message.lower()
    return error.kind == "invalid_request" and any(
        word in words for word in ("signature", "encrypted content", "encrypted_content")
    )


def without_signatures(request: Request) -> Request:
    """`request` without what is signed: thinking, and the signatures of calls. The same object if there is nothing."""
    messages = tuple(_unsigned(message) for message in request.messages)
    if all(new is old for new, old in zip(messages, request.messages, strict=True)):
        return request
    return msgspec.structs.replace(request, messages=messages)


def _unsigned(message: Message) -> Message:
    parts: list[Part] = []
    for part in message.parts:
        if isinstance(part, Thinking) and part.signature is not None:
            continue
        if isinstance(part, ToolCall) and part.signature is not None:
            part = msgspec.structs.replace(part, signature=None)
        parts.append(part)
    if len(parts) == len(message.parts) and all(new is old for new, old in zip(parts, message.parts, strict=True)):
        return message
    return msgspec.structs.replace(message, parts=tuple(parts))
