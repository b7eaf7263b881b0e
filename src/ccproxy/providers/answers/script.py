"""What a native answer says, apart from how a dialect writes it.

A `Script` is the whole answer of a model as a plain value; the modules beside this one write it down exactly as
their provider would, buffered or as stream frames. They share nothing with `ccproxy.lightllm` on purpose: what they
write can judge what that package reads.
"""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

#: Why the model stopped. `refusal` is the model's own refusal (its text is the refusal where the dialect has a place
#: for one), `content_filter` the provider's filter.
Stop = Literal["end", "max_tokens", "tool_use", "stop_sequence", "refusal", "content_filter"]

#: A signature that says whose it is, in the alphabet every dialect takes (standard base64).
SIGNATURE = base64.b64encode(b"a signature made by a stand-in provider").decode()

_WORD = re.compile(r"\s*\S+|\s+")


@dataclass(frozen=True, slots=True)
class Text:
    """Visible text."""

    text: str


@dataclass(frozen=True, slots=True)
class Thinking:
    """Reasoning text with the signature (standard base64) that the provider wants back; "" leaves it out."""

    text: str
    signature: str = SIGNATURE


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a client's tool. `arguments` is JSON text of an object; `id` "" lets the dialect invent one."""

    name: str
    arguments: str = "{}"
    id: str = ""


Part = Text | Thinking | ToolCall


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens in one arithmetic: `input` counts every prompt token, `cache_read` and `cache_write` being parts of it;
    `output` counts every generated token, `reasoning` being a part of it."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int = 0


def new_id() -> str:
    """24 random hexadecimal digits, the middle of an answer's id."""
    return secrets.token_hex(12)


@dataclass(frozen=True, slots=True)
class Script:
    """An answer.

    Attributes:
        model: the model that is said to have answered.
        parts: what it said, in order.
        usage: tokens used.
        stop: why it stopped.
        stop_sequence: the sequence it stopped at, with `stop="stop_sequence"`.
        id: letters and digits; the dialect puts its prefix before them.
        created: seconds since the epoch.
    """

    model: str
    parts: Sequence[Part] = ()
    usage: Usage = Usage()
    stop: Stop = "end"
    stop_sequence: str = ""
    id: str = field(default_factory=new_id)
    created: int = 1_700_000_000

    def call_id(self, index: int, prefix: str) -> str:
        """The id of the tool call that is part number `index`."""
        part = self.parts[index]
        given = part.id if isinstance(part, ToolCall) else ""
        return given or f"{prefix}{self.id}{index:02d}"


def words(text: str) -> list[str]:
    """`text` cut before each word, as the pieces of a stream: joined they are the text again."""
    return _WORD.findall(text)


def slices(text: str, size: int = 12) -> list[str]:
    """`text` in pieces of `size` characters: how argument JSON arrives."""
    return [text[start : start + size] for start in range(0, len(text), size)]


def estimate_tokens(size: int) -> int:
    """A plausible number of tokens for `size` bytes of request."""
    return max(1, (size + 3) // 4)
