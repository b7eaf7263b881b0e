"""Which conversation a request belongs to, and what part it plays in it. Pure: head and body in, a value out.

A *session* is what a person started: one run of an agent. The client's own id is taken where there is one, from header
fields first, then from the body; else one is derived from how the conversation begins. A *conversation* is a thread in it:
the requests that repeat and extend one another, which begin with the same words of the user. Subagents and side calls
(titles, compaction, token counts) share a session with the main thread and are told apart by what clients say about them,
else by what they ask.

Nothing here is proof: a client may say anything, and two sessions that begin alike and have no ids are one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import msgspec

#: Operations whose answer a model generates.
_GENERATES = frozenset({"messages", "chat", "responses", "generate"})
#: What of a list of messages is looked at, and how many of its messages.
_LOOKED_AT = 64 * 1024
_MOST_MESSAGES = 8
_MOST_TEXT = 4096
#: The end of the messages, where the last one stands.
_TAIL = 16 * 1024
_LONGEST_ID = 200

_SESSION_HEADERS = ("x-claude-code-session-id", "session-id", "x-session-id", "session_id", "conversation_id")
_PARENT_HEADERS = ("x-claude-code-parent-agent-id", "x-parent-session-id")
_CLASS_HEADERS = ("x-claude-code-request-class", "x-claude-1p-request-class")
_USED_HEADERS = frozenset(
    {*_SESSION_HEADERS, *_PARENT_HEADERS, *_CLASS_HEADERS, "x-claude-code-agent-id", "thread-id", "user-agent"}
)
#: What clients put before the words of the user; it changes from turn to turn.
_PREFACE = re.compile(r"\s*<(?:system-reminder|environment_context|user_instructions|session_context|AGENTS)")
_OLD_USER_ID = re.compile(r"_session_([0-9a-fA-F-]{36})$")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|ses_\w+", re.IGNORECASE)
#: How side calls ask, in lower case.
_TITLE = re.compile(
    r"\b(?:generate|create|write|give)\b[^.\n]{0,40}\btitle\b|\btitle generator\b|\bconversation title\b"
)
_NEW_TOPIC = "isnewtopic"
_COMPACTION = (
    b"detailed summary of the conversation",
    b"detailed summary of our conversation",
    b"detailed summary of this conversation",
    b"context checkpoint compaction",
    b"summarize the conversation",
    b"summarize our conversation",
    b"prompt for continuing our conversation",
)
_SUBAGENT = ("you are an agent for", "subagent", "sub-agent")

_scan = json.JSONDecoder().raw_decode
_SPACE = " \t\r\n"


@dataclass(frozen=True, slots=True)
class Conversation:
    """Where a request belongs.

    Attributes:
        session: the client's id of the session; `~` and 16 hexadecimal digits if it was derived; "" if there is none.
        conversation: 16 hexadecimal digits, or the client's id of the thread.
        parent: the session or agent it was started from, or "".
        kind: `main`, `subagent`, `title`, `compaction`, `count_tokens`, `side` (another call without tools of a client
            that otherwise has them), or "" for what is no part of a conversation.
    """

    session: str = ""
    conversation: str = ""
    parent: str = ""
    kind: str = ""


class RequestBody(msgspec.Struct):
    """The members of a request that matter, in the four dialects and in Code Assist's envelope."""

    messages: msgspec.Raw = msgspec.Raw()
    input: msgspec.Raw = msgspec.Raw()
    contents: msgspec.Raw = msgspec.Raw()
    request: msgspec.Raw = msgspec.Raw()
    system: msgspec.Raw = msgspec.Raw()
    instructions: msgspec.Raw = msgspec.Raw()
    tools: msgspec.Raw = msgspec.Raw()
    metadata: msgspec.Raw = msgspec.Raw()
    client_metadata: msgspec.Raw = msgspec.Raw()
    prompt_cache_key: msgspec.Raw = msgspec.Raw()
    session_id: msgspec.Raw = msgspec.Raw()
    max_tokens: msgspec.Raw = msgspec.Raw()


_decode_body = msgspec.json.Decoder(RequestBody).decode
_decode_any = msgspec.json.Decoder().decode
_GARBAGE = (msgspec.MsgspecError, ValueError, RecursionError)


def identify(
    operation: str, headers: Iterable[tuple[str, str]], body: bytes | RequestBody, *, client: str = ""
) -> Conversation:
    """The place of a request.

    Args:
        operation: what it asks for, as in `Flow.operation`.
        headers: its header fields.
        body: its body without content coding, whole or cut, or what `parse` read of that.
        client: what else tells clients apart that name no session: address, name of the key.
    """
    named = {name: value for key, value in headers if (name := key.lower()) in _USED_HEADERS}
    counts = "count" in operation
    if operation not in _GENERATES and not counts:
        return Conversation(session=_first(named, _SESSION_HEADERS))
    document = parse(body) if isinstance(body, bytes) else body
    messages = document.messages or document.input or document.contents
    text = _first_text(messages)
    own = _first(named, _SESSION_HEADERS) or _named_in(document)
    parent, thread = _parent(named, own)
    session = own
    if not session and text:
        session = f"~{_digest(named.get('user-agent', ''), client, text)}"
    elif parent and "x-parent-session-id" in named:
        session = parent
    return Conversation(
        session=session,
        conversation=thread or (_digest(session, text) if text else ""),
        parent=parent,
        kind="count_tokens" if counts else _kind(named, document, messages, text, parent=parent, own=own),
    )


def _parent(named: dict[str, str], own: str) -> tuple[str, str]:
    """Who started this thread, and the thread's own id, as far as the client says so."""
    if agent := named.get("x-claude-code-agent-id", ""):
        return named.get("x-claude-code-parent-agent-id", "") or own, agent[:_LONGEST_ID]
    if (thread := named.get("thread-id", "")) and own:
        return (own if thread != own else ""), thread[:_LONGEST_ID]
    if parent := named.get("x-parent-session-id", ""):
        return parent[:_LONGEST_ID], own
    return "", ""


def _kind(
    named: dict[str, str], document: RequestBody, messages: msgspec.Raw, text: str, *, parent: str, own: str
) -> str:
    said = _first(named, _CLASS_HEADERS).lower()
    if said in {"main", "subagent", "compaction"}:
        return said
    if not messages:
        return ""
    tools = len(document.tools) > 2
    system = _text_of(_value(document.system) or _value(document.instructions))[:2000].lower()
    if not tools and (_asks_title(text[:500].lower()) or _asks_title(system)):
        return "title"
    if _asks_compaction(messages):
        return "compaction"
    if said or bytes(document.max_tokens) == b"1":
        return "side"
    if parent or any(phrase in system for phrase in _SUBAGENT):
        return "subagent"
    return "main" if tools or not own else "side"


def _asks_compaction(messages: msgspec.Raw) -> bool:
    with memoryview(messages) as view:
        end = bytes(view[-_TAIL:])
    if b"onversation" not in end and b"COMPACTION" not in end:
        return False
    end = end.lower()
    return any(phrase in end for phrase in _COMPACTION)


def _asks_title(text: str) -> bool:
    return ("title" in text and _TITLE.search(text) is not None) or _NEW_TOPIC in text


def _first(named: dict[str, str], names: Iterable[str]) -> str:
    return next((named[name][:_LONGEST_ID] for name in names if named.get(name)), "")


def _named_in(document: RequestBody) -> str:
    """The session that the body names."""
    metadata = _value(document.metadata)
    user = metadata.get("user_id") if isinstance(metadata, dict) else None
    if isinstance(user, str):
        if user.startswith("{") and isinstance(inner := _value(user.encode()), dict):
            user = inner.get("session_id")
        else:
            found = _OLD_USER_ID.search(user)
            user = found[1] if found else None
    client = _value(document.client_metadata)
    candidates = (
        user,
        _value(document.session_id),
        client.get("session_id") if isinstance(client, dict) else None,
        client.get("thread_id") if isinstance(client, dict) else None,
    )
    for candidate in candidates:
        if isinstance(candidate, str) and candidate:
            return candidate[:_LONGEST_ID]
    key = _value(document.prompt_cache_key)  # many use one for everything: only what looks like an id is one
    return key[:_LONGEST_ID] if isinstance(key, str) and _UUID.fullmatch(key) else ""


def parse(body: bytes) -> RequestBody:
    """The members that matter of a request's body without content coding; those of what is inside an envelope. Empty if
    it is no JSON object."""
    try:
        document = _decode_body(body)
    except _GARBAGE:
        return RequestBody()
    try:
        return _decode_body(document.request) if document.request else document
    except _GARBAGE:
        return document


def _value(raw: msgspec.Raw | bytes) -> Any:
    if not raw:
        return None
    try:
        return _decode_any(raw)
    except _GARBAGE:
        return None


def _first_text(messages: msgspec.Raw) -> str:
    """The words with which the user begins."""
    with memoryview(messages) as view:
        data = bytes(view[:_LOOKED_AT]).decode("utf-8", "replace")
    if data.startswith('"'):
        return str(_value(messages) or "")[:_MOST_TEXT]  # Responses: a string instead of messages
    fallback = ""
    for message in _messages(data):
        if message.get("role", "user") != "user":
            continue
        content = message.get("content", message.get("parts"))
        texts = [text for text in _texts(content) if text.strip()]
        said = [text for text in texts if not _PREFACE.match(text)]
        if said:
            return "\n".join(said)[:_MOST_TEXT]
        fallback = fallback or "\n".join(texts)[:_MOST_TEXT]
    return fallback or (data[:_MOST_TEXT] if len(data) >= _LOOKED_AT else "")


def _messages(data: str) -> Iterator[dict[str, Any]]:
    """The first messages of an array, one after the other: the array may be cut."""
    position = 1
    for _ in range(_MOST_MESSAGES):
        while position < len(data) and data[position] in _SPACE + ",":
            position += 1
        try:
            value, position = _scan(data, position)
        except (ValueError, RecursionError):
            return
        if isinstance(value, dict):
            yield value


def _texts(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for part in content:
            if isinstance(part, dict) and isinstance(text := part.get("text"), str):
                yield text
            elif isinstance(part, str):
                yield part


def _text_of(content: Any) -> str:
    if isinstance(content, dict):
        content = content.get("parts")
    return "\n".join(_texts(content))


def _digest(*parts: str) -> str:
    return blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
