"""Answers that every dialect can say, for properties over all of them."""

from __future__ import annotations

import json

from hypothesis import strategies as st

from ccproxy.lightllm.ir.events import Stop, StopReason
from ccproxy.lightllm.ir.parts import Part, Text, ToolCall
from ccproxy.lightllm.ir.response import Response
from ccproxy.lightllm.ir.usage import Usage

words = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=12)
names = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=10)
arguments = st.dictionaries(names, st.integers(-9, 9) | words | st.lists(words, max_size=2), max_size=3)

PLAIN_STOPS: tuple[StopReason, ...] = ("end", "max_tokens")


@st.composite
def responses(draw: st.DrawFn) -> Response:
    """A complete answer: text, then calls with ids of their own, a stop that fits, usage."""
    parts: list[Part] = [Text(draw(words))] if draw(st.booleans()) else []
    calls = draw(st.lists(st.tuples(names, arguments), max_size=3))
    for number, (name, given) in enumerate(calls):
        parts.append(ToolCall(f"call_{number}", name, json.dumps(given)))
    if not parts:
        parts.append(Text(draw(words)))
    reason: StopReason = "tool_use" if calls else draw(st.sampled_from(PLAIN_STOPS))
    usage = Usage(draw(st.integers(1, 1000)), draw(st.integers(1, 1000)))
    return Response("id_1", "model-1", tuple(parts), Stop(reason), usage=usage)
