"""Random input for properties over all dialects (needs hypothesis): answers and conversations that every dialect can say,
cuttings, and damaged JSON.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from ccproxy.lightllm.ir.events import Stop, StopReason
from ccproxy.lightllm.ir.parts import Image, Part, Source, Text, Thinking, ToolCall, ToolResult
from ccproxy.lightllm.ir.request import FunctionTool, Message, Request, Sampling, ToolChoice
from ccproxy.lightllm.ir.response import Response
from ccproxy.lightllm.ir.usage import Usage

words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
names = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=10)
arguments = st.dictionaries(names, st.integers(-9, 9) | words | st.lists(words, max_size=2), max_size=3)

PLAIN_STOPS: tuple[StopReason, ...] = ("end", "max_tokens")

#: The smallest PNG there is, one transparent pixel.
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="


@st.composite
def responses(draw: st.DrawFn, *, thinking: bool = False) -> Response:
    """A complete answer: text, then calls with ids of their own, a stop that fits, usage; with `thinking`, perhaps
    thinking before them."""
    parts: list[Part] = [Thinking(draw(words))] if thinking and draw(st.booleans()) else []
    if draw(st.booleans()):
        parts.append(Text(draw(words)))
    calls = draw(st.lists(st.tuples(names, arguments), max_size=3))
    for number, (name, given) in enumerate(calls):
        parts.append(ToolCall(f"call_{number}", name, json.dumps(given)))
    if not any(isinstance(part, Text | ToolCall) for part in parts):
        parts.append(Text(draw(words)))
    reason: StopReason = "tool_use" if calls else draw(st.sampled_from(PLAIN_STOPS))
    usage = Usage(draw(st.integers(1, 1000)), draw(st.integers(1, 1000)))
    return Response("id_1", "model-1", tuple(parts), Stop(reason), usage=usage)


@st.composite
def requests(draw: st.DrawFn, *, images: bool = True) -> Request:
    """A conversation of no dialect, as an agent has it: instructions, tools, turns that call them, results, settings; with
    `images`, perhaps pictures among what the user says."""
    said = words.filter(lambda text: not text.isspace())
    tools = draw(st.lists(names, min_size=1, max_size=3, unique=True))
    messages: list[Message] = []
    for turn in range(draw(st.integers(1, 3))):
        asked: list[Part] = [Text(draw(said))]
        if images and draw(st.booleans()):
            asked.append(Image(Source("base64", PIXEL, "image/png")))
        messages.append(Message("user", tuple(asked)))
        calls = [
            ToolCall(f"call_{turn}_{number}", draw(st.sampled_from(tools)), json.dumps(draw(arguments)))
            for number in range(draw(st.integers(0, 2)))
        ]
        if calls:
            messages.append(Message("assistant", (Text(draw(said)), *calls)))
            results = [ToolResult(call.id, (Text(draw(said)),), name=call.name) for call in calls]
            messages.append(Message("user", tuple(results)))
        messages.append(Message("assistant", (Text(draw(said)),)))
    messages.append(Message("user", (Text(draw(said)),)))
    return Request(
        "model-1",
        tuple(messages),
        system=tuple(Text(text) for text in draw(st.lists(said, max_size=2))),
        tools=tuple(FunctionTool(name, _schema(draw(names)), draw(words)) for name in tools),
        tool_choice=draw(st.sampled_from((None, ToolChoice("auto"), ToolChoice("required"), ToolChoice("none")))),
        parallel_tools=draw(st.sampled_from((None, False))),
        max_tokens=draw(st.none() | st.integers(16, 4000)),
        sampling=Sampling(
            temperature=draw(st.none() | st.sampled_from((0.0, 0.5, 1.0, 1.5))), top_p=draw(st.none() | st.just(0.9))
        ),
        stop=tuple(draw(st.lists(names, max_size=5, unique=True))),
        stream=draw(st.booleans()),
    )


def _schema(name: str) -> dict[str, Any]:
    return {"type": "object", "properties": {name: {"type": "string"}}, "required": [name]}


@st.composite
def cut(draw: st.DrawFn, raw: bytes) -> list[bytes]:
    """`raw` cut at drawn points."""
    points = sorted(draw(st.lists(st.integers(0, len(raw)), max_size=6)))
    return [raw[a:b] for a, b in zip([0, *points], [*points, len(raw)], strict=True)]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def broken(draw: st.DrawFn, value: Any) -> Any:
    """`value` with one thing in it replaced, removed or added."""
    if isinstance(value, dict) and value and draw(st.integers(0, 3)):
        key = draw(st.sampled_from(sorted(value)))
        if draw(st.integers(0, 5)) == 0:
            return {name: inner for name, inner in value.items() if name != key}
        return {**value, key: draw(broken(value[key]))}
    if isinstance(value, list) and value and draw(st.integers(0, 3)):
        index = draw(st.integers(0, len(value) - 1))
        return [*value[:index], draw(broken(value[index])), *value[index + 1 :]]
    return draw(json_values)


@st.composite
def damaged(draw: st.DrawFn, raw: bytes) -> bytes:
    """A stream with some bytes replaced, or with one of its frames' values broken."""
    lines = raw.split(b"\n")
    numbers = [number for number, line in enumerate(lines) if b"{" in line]
    if not numbers or draw(st.booleans()):
        at = draw(st.integers(0, len(raw)))
        return raw[:at] + draw(st.binary(max_size=6)) + raw[at + draw(st.integers(0, 40)) :]
    number = draw(st.sampled_from(numbers))
    head, brace, rest = lines[number].partition(b"{")
    try:
        value = json.loads((brace + rest).strip().rstrip(b","))
    except ValueError:
        value = None
    lines[number] = head + json.dumps(draw(broken(value))).encode()
    return b"\n".join(lines)
