"""Keeps the thinking and the signatures of tool calls for clients that do not send them back.

Some providers demand, when a conversation goes on after a tool call, what they said before that call: Anthropic and
Gemini their signatures, DeepSeek its `reasoning_content`. Chat clients have no place for signatures and mostly drop
`reasoning_content`. So what an answer with tool calls held is kept, by the ids of its calls, and put into later
requests where it is missing. The answer that follows the results of calls is kept by the last of their ids.

Safe across conversations: an entry is found only by the same client (`scope`), in a conversation that began with the
same words, for a call with the same id, name and arguments. Nothing is made up: what comes back is what came, and a
signature goes only to the provider that made it. Bounded in number and size (the oldest go first), and forgotten after
a time without use. Pure: the time is given by the caller.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from ccproxy.lightllm.dialect import Capabilities
from ccproxy.lightllm.ir.events import (
    ArgsDelta,
    End,
    Event,
    Failed,
    PartEnd,
    PartStart,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
)
from ccproxy.lightllm.ir.parts import (
    Audio,
    Document,
    Image,
    Part,
    Signature,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from ccproxy.lightllm.ir.request import Message, Request
from ccproxy.lightllm.toolargs import to_object

replace = msgspec.structs.replace

#: What an entry costs beside its texts, in characters.
_OVERHEAD = 400


class _Key(msgspec.Struct, frozen=True, gc=False):
    """`place` is `before` the call with this id, or `after` the result of it."""

    scope: str
    conversation: bytes
    place: Literal["before", "after"]
    call_id: str


class _Kept(msgspec.Struct):
    """What was said before a call (or after a result), and the call's own signature. `call` is the digest of its name
    and arguments."""

    thinking: tuple[Thinking, ...]
    signature: Signature | None
    call: bytes
    size: int
    used: float


class ReasoningStore:
    """The thinking of recent answers.

    Args:
        now: gives the time in seconds, of a clock that only goes forward.
        lifetime: seconds that an entry is kept after its last use.
        most: the most entries.
        room: the most characters in all.
    """

    __slots__ = ("_kept", "_lifetime", "_most", "_now", "_room", "size")

    def __init__(
        self,
        now: Callable[[], float],
        *,
        lifetime: float = 24 * 3600.0,
        most: int = 20_000,
        room: int = 64 * 1024 * 1024,
    ) -> None:
        self._now = now
        self._lifetime = lifetime
        self._most = most
        self._room = room
        #: In the order of their last use.
        self._kept: dict[_Key, _Kept] = {}
        self.size = 0

    def __len__(self) -> int:
        return len(self._kept)

    def recorder(self, request: Request, scope: str = "") -> Recorder:
        """A filter that keeps what the answer to `request` (as the client sent it) says. It changes nothing; let it be
        the last filter, so that it sees names and ids as the client does. `scope` tells clients apart that must not
        share anything."""
        return Recorder(self, request, scope)

    def restored(self, request: Request, origin: str, capabilities: Capabilities, scope: str = "") -> Request:
        """`request` (as the client sent it) with what is missing from its history, as far as the upstream takes it
        back: signatures that `origin` made, and thinking without them where it is demanded. The same object if there
        is nothing to add."""
        if not self._kept or capabilities.thinking == "none":
            return request
        conversation = _conversation(request)
        messages: list[Message] = []
        changed = False
        for index, message in enumerate(request.messages):
            new = message
            if message.role == "assistant":
                before = request.messages[index - 1] if index else None
                new = self._message(message, before, scope, conversation, origin, capabilities)
            changed = changed or new is not message
            messages.append(new)
        return replace(request, messages=tuple(messages)) if changed else request

    def keep(
        self,
        scope: str,
        conversation: bytes,
        place: Literal["before", "after"],
        call: ToolCall,
        thinking: Sequence[Thinking],
    ) -> None:
        """Keeps `thinking`, and the signature of `call`."""
        if not thinking and call.signature is None:
            return
        key = _Key(scope, conversation, place, call.id)
        self._forget(key)
        size = _OVERHEAD + sum(map(_size, thinking)) + (len(call.signature.value) if call.signature else 0)
        self._kept[key] = _Kept(tuple(thinking), call.signature, _digest(call), size, self._now())
        self.size += size
        self._tidy()

    def _tidy(self) -> None:
        """Forgets what is too old, and the oldest of what is too much."""
        oldest = self._now() - self._lifetime
        while self._kept:
            key, kept = next(iter(self._kept.items()))
            if kept.used >= oldest and len(self._kept) <= self._most and self.size <= self._room:
                return
            self._forget(key)

    def _forget(self, key: _Key) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self.size -= kept.size

    def _find(self, key: _Key, call: ToolCall) -> _Kept | None:
        kept = self._kept.get(key)
        if kept is None:
            return None
        if kept.used < self._now() - self._lifetime:
            self._forget(key)
            return None
        if kept.call != _digest(call):
            return None
        del self._kept[key]
        kept.used = self._now()
        self._kept[key] = kept
        return kept

    def _message(
        self,
        message: Message,
        before: Message | None,
        scope: str,
        conversation: bytes,
        origin: str,
        capabilities: Capabilities,
    ) -> Message:
        """One message of an assistant, with what belongs to it."""
        calls = [(at, part) for at, part in enumerate(message.parts) if isinstance(part, ToolCall)]
        found: dict[int, _Kept] = {}
        for at, call in calls:
            if (kept := self._find(_Key(scope, conversation, "before", call.id), call)) is not None:
                found[at] = kept
        if not calls and (result := _last_result(before)) is not None:
            answer = ToolCall(result.call_id, "")
            if (kept := self._find(_Key(scope, conversation, "after", answer.id), answer)) is not None:
                found[0] = kept
        if not found:
            return message
        # What was said before the first call was said before the text in front of it, too.
        first = calls[0][0] if calls else 0
        thinking = {
            0 if at == first else at: _usable(kept.thinking, origin, capabilities) for at, kept in found.items()
        }
        if not _replaces(message, [part for at in sorted(thinking) for part in thinking[at]]):
            thinking = {}
        parts: list[Part] = [*thinking.get(0, ())]
        for at, part in enumerate(message.parts):
            if isinstance(part, Thinking) and thinking:
                continue
            if isinstance(part, ToolCall) and at in found:
                signature = found[at].signature
                if part.signature is None and signature is not None and signature.origin == origin:
                    part = replace(part, signature=signature)
                parts += thinking.get(at, ()) if at else ()
            parts.append(part)
        return message if tuple(parts) == message.parts else replace(message, parts=tuple(parts))


class Recorder:
    """Keeps what one answer says before its tool calls. See `ReasoningStore.recorder`."""

    __slots__ = ("_calls", "_part", "_pieces", "_request", "_scope", "_signature", "_store", "_thinking")

    def __init__(self, store: ReasoningStore, request: Request, scope: str) -> None:
        self._store = store
        self._request = request
        self._scope = scope
        self._part: Thinking | ToolCall | None = None
        self._pieces: list[str] = []
        self._signature: Signature | None = None
        #: Thinking since the last call.
        self._thinking: list[Thinking] = []
        self._calls: list[tuple[ToolCall, list[Thinking]]] = []

    def feed(self, event: Event) -> list[Event]:
        """Takes note of `event` and gives it back."""
        kind = type(event)
        if kind is TextDelta:
            return [event]
        match event:
            case ThinkingDelta(text=text) | ArgsDelta(text=text):
                if self._part is not None:
                    self._pieces.append(text)
            case PartStart(part=part):
                self._part = part if isinstance(part, Thinking | ToolCall) else None
                self._pieces = []
                self._signature = None
            case SignatureDelta(signature=signature):
                self._signature = signature
            case PartEnd():
                self._ended()
            case End():
                self._keep()
            case Failed():
                self._calls, self._thinking = [], []
            case _:
                pass
        return [event]

    def _ended(self) -> None:
        text = "".join(self._pieces)
        match self._part:
            case Thinking() as part:
                whole = replace(part, text=part.text + text, signature=self._signature or part.signature)
                self._thinking.append(whole)
            case ToolCall() as part:
                call = replace(part, args=part.args + text, signature=self._signature or part.signature)
                self._calls.append((call, self._thinking))
                self._thinking = []
        self._part = None

    def _keep(self) -> None:
        if not self._calls and not self._thinking:
            return
        conversation = _conversation(self._request)
        for call, thinking in self._calls:
            self._store.keep(self._scope, conversation, "before", call, thinking)
        last = self._request.messages[-1] if self._request.messages else None
        if not self._calls and (result := _last_result(last)) is not None:
            self._store.keep(self._scope, conversation, "after", ToolCall(result.call_id, ""), self._thinking)


def _last_result(message: Message | None) -> ToolResult | None:
    """The last tool result of a message."""
    if message is None:
        return None
    return next((part for part in reversed(message.parts) if isinstance(part, ToolResult)), None)


def _usable(thinking: Sequence[Thinking], origin: str, capabilities: Capabilities) -> list[Thinking]:
    """What of `thinking` the upstream takes back."""
    usable: list[Thinking] = []
    for part in thinking:
        if part.signature is not None and part.signature.origin == origin:
            usable.append(part)
        elif capabilities.demands_thinking and part.text:
            usable.append(part if part.signature is None else replace(part, signature=None))
    return usable


def _replaces(message: Message, stored: Sequence[Thinking]) -> bool:
    """Whether the thinking that was kept takes the place of the message's own: it has none, or the same without the
    signatures. Another text is the client's own will."""
    given = [part for part in message.parts if isinstance(part, Thinking)]
    if not stored or not given:
        return bool(stored)
    if any(part.signature for part in given) or not any(part.signature for part in stored):
        return False
    return _text(given) == _text(stored)


def _text(parts: Sequence[Thinking]) -> str:
    """The text of `parts` however it is cut into parts and lines."""
    return "".join("".join(part.text for part in parts).split())


def _size(part: Thinking) -> int:
    return len(part.text) + (len(part.signature.value) if part.signature else 0)


def _conversation(request: Request) -> bytes:
    """A digest of the words a conversation began with: the first user message, which every later request repeats."""
    digest = hashlib.blake2b(digest_size=16)
    for message in request.messages:
        if message.role == "user":
            for part in message.parts:
                digest.update(_words(part).encode("utf-8", "surrogatepass"))
                digest.update(b"\0")
            break
    return digest.digest()


def _words(part: Part) -> str:
    match part:
        case Text():
            return part.text
        case Image() | Audio() | Document():
            return part.source.data if part.source is not None else ""
        case ToolResult():
            return part.call_id
        case _:
            return ""


def _digest(call: ToolCall) -> bytes:
    """A digest of a call's name and arguments, however the JSON is written."""
    args = call.args if call.kind == "custom" else json.dumps(to_object(call.args)[0], sort_keys=True)
    text = f"{call.namespace}\0{call.name}\0{args}"
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
