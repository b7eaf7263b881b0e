"""Tells conversations apart by what clients say of them: in a header field, else in the body."""

from __future__ import annotations

import msgspec

from ccproxy.exchange.http import Headers

#: The fields in which clients name a conversation, those first that name it most exactly.
_FIELDS = (b"x-claude-code-session-id", b"session-id", b"session_id", b"thread-id", b"conversation_id", b"x-session-id")


class _Inner(msgspec.Struct):
    session_id: object = None


class _Metadata(msgspec.Struct):
    user_id: object = None


class _Body(msgspec.Struct):
    """The fields of the four dialects that name a conversation."""

    metadata: object = None
    prompt_cache_key: object = None
    session_id: object = None
    request: object = None


def session_of(headers: Headers, body: bytes | None) -> str:
    """The name of the conversation that a request belongs to, or ""."""
    for name in _FIELDS:
        if value := headers.text(name):
            return value
    if not body:
        return ""
    try:
        found = msgspec.json.decode(body, type=_Body)
        if isinstance(found.metadata, dict):
            user = msgspec.convert(found.metadata, _Metadata).user_id
            if isinstance(user, str) and user:
                return user
        if isinstance(found.request, dict):
            found.session_id = msgspec.convert(found.request, _Inner).session_id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    return next((each for each in (found.prompt_cache_key, found.session_id) if isinstance(each, str)), "")
