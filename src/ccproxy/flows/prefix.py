"""A prompt as a provider's cache sees it: a list of blocks in the order in which they are matched. Pure.

A cache serves the longest beginning of a prompt that it has seen before. What the beginning is made of differs: Anthropic
takes tools, then the system prompt, then the messages, and settings that change how messages are read before these;
OpenAI the schema of the answer, tools, instructions, messages; of Gemini no order is documented, instructions are taken
first. Blocks are compared as JSON without their `cache_control`, which is no part of what is matched.

Sources, as read in November 2026: docs of Anthropic (Prompt caching), OpenAI (Prompt caching), Google (Context caching).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import msgspec

type Section = Literal["tools", "system", "settings", "messages"]

#: How the sections follow one another in a dialect's prompts.
ORDER: Mapping[str, tuple[Section, ...]] = {
    "anthropic": ("tools", "system", "settings", "messages"),
    "openai": ("settings", "tools", "system", "messages"),
    "openai_responses": ("settings", "tools", "system", "messages"),
    "gemini": ("system", "tools", "settings", "messages"),
}
#: What parts are called in our words, by the dialects' types and members.
_KINDS: Mapping[str, str] = {
    "text": "text",
    "input_text": "text",
    "output_text": "text",
    "refusal": "text",
    "image": "image",
    "image_url": "image",
    "input_image": "image",
    "inlineData": "image",
    "inline_data": "image",
    "fileData": "image",
    "document": "document",
    "file": "document",
    "input_file": "document",
    "input_audio": "audio",
    "thinking": "thinking",
    "redacted_thinking": "thinking",
    "reasoning": "thinking",
    "thought": "thinking",
    "tool_use": "tool call",
    "tool_calls": "tool call",
    "function_call": "tool call",
    "custom_tool_call": "tool call",
    "functionCall": "tool call",
    "tool_result": "tool result",
    "function_call_output": "tool result",
    "custom_tool_call_output": "tool result",
    "functionResponse": "tool result",
}
#: Characters of JSON for a token, and tokens of a picture or page, whose data says nothing about them.
_CHARACTERS, _MEDIA = 4, 1100
_SYSTEM = frozenset({"system", "developer"})

_encode = msgspec.json.Encoder().encode
type Json = dict[str, Any]


class Block(NamedTuple):
    """A piece of a prompt.

    Attributes:
        path: where it is in the body: `body.messages.3.content.0`.
        kind: what it is in our words: `tool`, `text`, `image`, `document`, `thinking`, `tool call`, `tool result`,
            `setting`, or the dialect's own word.
        name: of a tool or a setting; of a part the role of its message.
        key: what is compared.
        weight: tokens, roughly.
        mark: the time to live that a `cache_control` on it asks for (`5m`, `1h`), or "".
    """

    section: Section
    path: str
    kind: str
    name: str
    key: bytes
    weight: float
    mark: str = ""

    @property
    def label(self) -> str:
        """For people: `tool Read`, `system text`, `user tool result`."""
        if self.section == "messages":
            return f"{self.name} {self.kind}".strip()
        return f"system {self.kind}" if self.section == "system" else f"{self.kind} {self.name}".strip()


class Prompt(NamedTuple):
    """A request's prompt.

    Attributes:
        model: the model that the body names, or "".
        cache_key: OpenAI's `prompt_cache_key`, or "".
        automatic: the time to live of a `cache_control` that stands for the end of the prompt, or "".
        kept: what the provider is said to keep of the prompt itself (`previous_response_id`, ...), or "".
        retention: OpenAI's `prompt_cache_retention`, or "".
    """

    blocks: tuple[Block, ...]
    model: str = ""
    cache_key: str = ""
    automatic: str = ""
    kept: str = ""
    retention: str = ""

    def ordered(self, dialect: str) -> Prompt:
        """With the sections in the order in which `dialect` has them."""
        ranks = {section: rank for rank, section in enumerate(ORDER.get(dialect, ()))}
        return self._replace(blocks=tuple(sorted(self.blocks, key=lambda block: ranks.get(block.section, 9))))

    @property
    def marks(self) -> tuple[int, ...]:
        """The places of the blocks with a mark."""
        found = tuple(place for place, block in enumerate(self.blocks) if block.mark)
        return (*found, len(self.blocks) - 1) if self.automatic and self.blocks else found

    @property
    def ttls(self) -> frozenset[str]:
        """The times to live that marks ask for."""
        found = {block.mark for block in self.blocks if block.mark}
        return frozenset(found | {self.automatic} if self.automatic else found)


def read(body: bytes, dialect: str) -> Prompt | None:
    """The prompt of a request's body without content coding; None if it cannot be read or the dialect is not known."""
    reader = _READERS.get(dialect)
    if reader is None:
        return None
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    root = "body"
    if isinstance(document, dict) and isinstance(inner := document.get("request"), dict) and dialect == "gemini":
        document, root = {"model": document.get("model"), **inner}, "body.request"
    if not isinstance(document, dict):
        return None
    kept = next((name for name in ("previous_response_id", "conversation", "cachedContent") if document.get(name)), "")
    return Prompt(
        tuple(reader(document, root)),
        model=_text(document.get("model")),
        cache_key=_text(document.get("prompt_cache_key")),
        automatic=_mark(document) if dialect == "anthropic" else "",
        kept=kept,
        retention=_text(document.get("prompt_cache_retention")),
    ).ordered(dialect)


def common(one: Sequence[Block], other: Sequence[Block]) -> int:
    """How many blocks at the beginning are the same."""
    for place, (a, b) in enumerate(zip(one, other, strict=False)):
        if a.key != b.key or a.section != b.section:
            return place
    return min(len(one), len(other))


def weight(blocks: Sequence[Block]) -> float:
    """The tokens of blocks, roughly."""
    return sum(block.weight for block in blocks)


def _anthropic(body: Json, root: str) -> Iterator[Block]:
    yield from _tools(body.get("tools"), f"{root}.tools")
    yield from _contents(body.get("system"), "system", f"{root}.system", "")
    yield from _settings(body, root, ("tool_choice", "thinking"))
    for number, message in enumerate(_list(body.get("messages"))):
        role = _text(message.get("role"))
        yield from _contents(message.get("content"), "messages", f"{root}.messages.{number}.content", role)


def _openai(body: Json, root: str) -> Iterator[Block]:
    yield from _settings(body, root, ("response_format",))
    yield from _tools(body.get("tools"), f"{root}.tools")
    leading = True
    for number, message in enumerate(_list(body.get("messages"))):
        role, path = _text(message.get("role")), f"{root}.messages.{number}"
        leading = leading and role in _SYSTEM
        section: Section = "system" if leading else "messages"
        yield from _contents(message.get("content"), section, f"{path}.content", "" if leading else role)
        rest = {name: value for name, value in message.items() if name not in {"role", "content"} and value is not None}
        if role == "tool":
            continue
        for name, value in rest.items():
            kind = _KINDS.get(name, name if name != "reasoning_content" else "thinking")
            yield _block(section, f"{path}.{name}", kind, role, value)


def _responses(body: Json, root: str) -> Iterator[Block]:
    yield from _settings(body, root, ("text",))
    yield from _tools(body.get("tools"), f"{root}.tools")
    yield from _contents(body.get("instructions"), "system", f"{root}.instructions", "")
    items = body.get("input")
    if isinstance(items, str):
        yield from _contents(items, "messages", f"{root}.input", "user")
        return
    leading = True
    for number, item in enumerate(_list(items)):
        kind, role, path = _text(item.get("type")), _text(item.get("role")), f"{root}.input.{number}"
        leading = leading and role in _SYSTEM
        if role:
            name = "" if leading else role
            yield from _contents(item.get("content"), "system" if leading else "messages", f"{path}.content", name)
        else:
            yield _block("messages", path, _KINDS.get(kind, kind), "", item)


def _gemini(body: Json, root: str) -> Iterator[Block]:
    system = body.get("systemInstruction", body.get("system_instruction"))
    if isinstance(system, dict):
        yield from _contents(system.get("parts"), "system", f"{root}.systemInstruction.parts", "")
    for number, tool in enumerate(_list(body.get("tools"))):
        path = f"{root}.tools.{number}"
        declared = tool.get("functionDeclarations", tool.get("function_declarations"))
        if isinstance(declared, list):
            yield from _tools(declared, f"{path}.functionDeclarations")
        else:
            yield _block("tools", path, "tool", next(iter(tool), ""), tool)
    yield from _settings(body, root, ("toolConfig",))
    for number, content in enumerate(_list(body.get("contents"))):
        role = _text(content.get("role"))
        yield from _contents(content.get("parts"), "messages", f"{root}.contents.{number}.parts", role)


_READERS: Mapping[str, Callable[[Json, str], Iterator[Block]]] = {
    "anthropic": _anthropic,
    "openai": _openai,
    "openai_responses": _responses,
    "gemini": _gemini,
}


def _tools(tools: Any, path: str) -> Iterator[Block]:
    for number, tool in enumerate(_list(tools)):
        function = tool.get("function")
        name = _text(tool.get("name")) or (_text(function.get("name")) if isinstance(function, dict) else "")
        yield _block("tools", f"{path}.{number}", "tool", name or _text(tool.get("type")), tool)


def _settings(body: Json, root: str, names: Sequence[str]) -> Iterator[Block]:
    for name in names:
        if body.get(name) is not None:
            yield _block("settings", f"{root}.{name}", "setting", name, body[name])


def _contents(content: Any, section: Section, path: str, name: str) -> Iterator[Block]:
    """The parts of a message; a text alone is the same as a list of one."""
    if isinstance(content, str):
        yield _block(section, path, "text", name, {"type": "text", "text": content})
        return
    for number, part in enumerate(content if isinstance(content, list) else []):
        if isinstance(part, str):
            yield _block(section, f"{path}.{number}", "text", name, {"type": "text", "text": part})
        elif isinstance(part, dict):
            yield _block(section, f"{path}.{number}", _kind(part), name, part)


def _kind(part: Json) -> str:
    if kind := _text(part.get("type")):
        return _KINDS.get(kind, kind)
    if part.get("thought"):
        return "thinking"
    return next((_KINDS[name] for name in part if name in _KINDS), "part")


def _block(section: Section, path: str, kind: str, name: str, value: Any) -> Block:
    mark = _mark(value) if isinstance(value, dict) else ""
    key = _encode(_unmarked(value)) if section != "messages" else _encode([name, _unmarked(value)])
    tokens = _MEDIA if kind in {"image", "document", "audio"} else len(key) / _CHARACTERS
    return Block(section, path, kind, name, key, tokens, mark)


def _unmarked(value: Any) -> Any:
    """Without `cache_control`, in itself and in the content of a tool result."""
    if not isinstance(value, dict):
        return value
    if "cache_control" in value:
        value = {name: inner for name, inner in value.items() if name != "cache_control"}
    if isinstance(content := value.get("content"), list):
        value = {**value, "content": [_unmarked(part) for part in content]}
    return value


def _mark(value: Json) -> str:
    control = value.get("cache_control")
    return (_text(control.get("ttl")) or "5m") if isinstance(control, dict) else ""


def _list(value: Any) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
