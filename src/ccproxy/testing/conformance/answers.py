"""What must be the same of two answers: all of it within one dialect, what every dialect can say across two.

Across dialects the rule is: equal, or declared. Each aspect of an answer names the losses that excuse it; visible text,
stop reason, usage and errors have no excuse.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec

from ccproxy.lightllm.ir.losses import Loss
from ccproxy.lightllm.ir.parts import (
    Audio,
    Document,
    Image,
    Opaque,
    Part,
    Refusal,
    ServerTool,
    Signature,
    Text,
    Thinking,
    ToolCall,
)
from ccproxy.lightllm.ir.response import Response
from ccproxy.lightllm.jsontext import dumps_text
from ccproxy.lightllm.signatures import unwrap
from ccproxy.lightllm.toolargs import to_object

#: Reasons of one kind: a dialect without a word for one uses another of its kind.
KINDS = {
    "end": "complete",
    "stop_sequence": "complete",
    "tool_use": "tools",
    "max_tokens": "truncated",
    "context_window": "truncated",
    "pause": "truncated",
    "refusal": "refused",
    "content_filter": "refused",
    "other": "refused",
}


def same_answer(response: Response) -> Response:
    """`response` with the normalisation that every dialect may make: the arguments of functions as compact JSON."""
    return msgspec.structs.replace(response, parts=tuple(_part(part) for part in response.parts))


def _part(part: Part) -> Part:
    if isinstance(part, ToolCall) and part.kind == "function":
        return msgspec.structs.replace(part, args=dumps_text(to_object(part.args)[0]))
    return part


def essence(response: Response) -> dict[str, Any]:
    """What every dialect must carry of an answer: visible text (refusals too), tool calls with ids, why it stopped, what it cost."""
    calls = [(part.id, part.name, to_object(part.args)[0]) for part in response.parts if isinstance(part, ToolCall)]
    kind = KINDS[response.stop.reason] if response.stop else None
    if kind == "complete" and any(isinstance(part, Refusal) for part in response.parts):
        # What one dialect says with a part of its own, another says with its stop reason.
        kind = "refused"
    return {
        "text": "".join(part.text for part in response.parts if isinstance(part, Text | Refusal)),
        "calls": calls,
        "reason": kind,
        "input": response.usage.input if response.usage else None,
        "output": response.usage.output if response.usage else None,
        "error": response.error.kind if response.error else None,
    }


def carried(found: dict[str, Any], expected: dict[str, Any]) -> dict[str, Any]:
    """The essence `found`, without the counts that the source never gave, and without the kind of an error where both
    failed: dialects have words of their own for it."""
    found = dict(found)
    for name in ("input", "output"):
        if expected[name] is None:
            found[name] = None
    if expected["error"] is not None and found["error"] is not None:
        found |= {name: expected[name] for name in ("error", "input", "output")}
    return found


def thinking_text(response: Response) -> str:
    """All thinking of an answer."""
    return "".join(part.text for part in response.parts if isinstance(part, Thinking))


def gaps(expected: Response, found: Response, losses: Iterable[Loss]) -> list[str]:
    """What of `expected` is not in `found`, the same answer in another dialect, and not among the losses either."""
    lost = {loss.name for loss in losses}
    missing: list[str] = []
    wanted = essence(expected)
    got = carried(essence(found), wanted)
    undeclared = {call[1] for call in wanted["calls"]} - lost
    for name, value in wanted.items():
        if got[name] == value or (name in ("calls", "reason") and lost & {"tool_calls", "arguments"}):
            continue
        if name in ("calls", "reason") and wanted["calls"] and not undeclared:
            continue
        missing.append(f"{name}: {value!r} became {got[name]!r}")
    if expected.error is not None:
        if expected.error.message not in (found.error.message if found.error else ""):
            missing.append(f"the message of the error: {expected.error.message!r}")
        # What a failed answer said before it failed is text; the rest may be on its way still.
        return missing
    if _squeezed(thinking_text(expected)) != _squeezed(thinking_text(found)) and not lost & {
        "Thinking",
        "thinking",
        "reasoning_content",
    }:
        missing.append(f"thinking: {thinking_text(expected)!r} became {thinking_text(found)!r}")
    if (gone := _signatures(expected) - _signatures(found)) and not lost & {"signature", "Thinking", "thinking"}:
        missing.append(f"signatures of {', '.join(sorted({one.origin for one in gone}))}")
    for kind in (Image, Audio, Document):
        if _media(expected, kind) - _media(found, kind) and not lost & {kind.__name__, kind.__name__.lower()}:
            missing.append(f"{kind.__name__}s")
    if _citations(expected) != _citations(found) and not lost & {"citations", "annotations"}:
        missing.append(f"citations: {_citations(expected)} became {_citations(found)}")
    for part in expected.parts:
        if isinstance(part, ServerTool | Opaque) and part not in found.parts:
            names = {part.name} if isinstance(part, ServerTool) else {part.type}
            if not names & lost:
                missing.append(f"a part {names.pop()} that is no {found.dialect or 'other'} dialect's")
    return missing


def _squeezed(text: str) -> str:
    """`text` without white space: several thoughts in one field have some between them."""
    return "".join(text.split())


def _signatures(response: Response) -> Counter[Signature]:
    """Every signature, taken out of the envelope in which another dialect's travel."""
    return Counter(
        unwrap(part.signature.value, part.signature.origin)[0]
        for part in response.parts
        if isinstance(part, Text | Thinking | ToolCall) and part.signature is not None
    )


def _media(response: Response, kind: type[Image] | type[Audio] | type[Document]) -> Counter[str]:
    return Counter(part.source.data for part in response.parts if isinstance(part, kind) and part.source is not None)


def _citations(response: Response) -> int:
    return sum(len(part.citations) for part in response.parts if isinstance(part, Text))
