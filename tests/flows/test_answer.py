"""What an answer says, in every dialect, streamed and whole, cut anywhere."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.flows import answer

Json = dict[str, Any]


def sse(*events: Json, end: str = "\n") -> bytes:
    """Server-Sent Events with names where the event has a type."""
    lines = []
    for event in events:
        name = f"event: {event['type']}{end}" if "type" in event else ""
        lines.append(f"{name}data: {msgspec.json.encode(event).decode()}{end}{end}")
    return "".join(lines).encode()


def block(index: int, **delta: str) -> Json:
    return {"type": "content_block_delta", "index": index, "delta": delta}


ANTHROPIC = [
    {"type": "message_start", "message": {"role": "assistant", "content": []}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
    {"type": "ping"},
    block(0, type="thinking_delta", thinking="Let me "),
    block(0, type="thinking_delta", thinking="see."),
    block(0, type="signature_delta", signature="c2ln"),
    {"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": "t", "name": "Bash"}},
    block(1, type="input_json_delta", partial_json='{"command":'),
    block(1, type="input_json_delta", partial_json='"ls"}'),
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 5}},
    {"type": "message_stop"},
]


def chunk(**delta: Any) -> Json:
    return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta}]}


CHAT = [
    chunk(role="assistant", content=""),
    chunk(reasoning_content="Let me see."),
    chunk(tool_calls=[{"index": 0, "id": "c", "function": {"name": "Bash", "arguments": ""}}]),
    chunk(tool_calls=[{"index": 0, "function": {"arguments": '{"command":'}}]),
    chunk(tool_calls=[{"index": 0, "function": {"arguments": '"ls"}'}}]),
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},
    {"choices": [], "usage": {"prompt_tokens": 1}},
]
RESPONSES = [
    {"type": "response.created", "response": {"output": []}},
    {"type": "response.output_item.added", "output_index": 0, "item": {"type": "reasoning"}},
    {"type": "response.reasoning_summary_text.delta", "output_index": 0, "delta": "Let me see."},
    {"type": "response.output_item.added", "output_index": 1, "item": {"type": "function_call", "name": "Bash"}},
    {"type": "response.function_call_arguments.delta", "output_index": 1, "delta": '{"command":'},
    {"type": "response.function_call_arguments.delta", "output_index": 1, "delta": '"ls"}'},
    {"type": "response.function_call_arguments.done", "output_index": 1, "arguments": '{"command":"ls"}'},
    {"type": "response.completed", "response": {"output": [{"type": "function_call", "name": "Bash"}]}},
]


def parts(*some: Json) -> Json:
    return {"candidates": [{"content": {"role": "model", "parts": list(some)}}]}


GEMINI = [
    parts({"text": "Let me ", "thought": True}),
    parts({"text": "see.", "thought": True}),
    parts({"functionCall": {"name": "Bash", "args": {"command": "ls"}}}),
    {"candidates": [{"finishReason": "STOP"}], "usageMetadata": {"promptTokenCount": 1}},
]
CODE_ASSIST = [{"response": event, "traceId": "t"} for event in GEMINI]
#: Events, and which of them bring the first and the last piece of content.
STREAMS = {
    "anthropic": (ANTHROPIC, 3, 8),
    "chat": (CHAT, 1, 4),
    "responses": (RESPONSES, 2, 5),
    "gemini": (GEMINI, 0, 2),
    "code assist": (CODE_ASSIST, 0, 2),
}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("name", STREAMS)
def test_a_stream(name: str, end: str) -> None:
    events, first, last = STREAMS[name]
    body = sse(*events, end=end) + (f"data: [DONE]{end}{end}".encode() if name == "chat" else b"")
    said = answer.read(body)
    assert said.text == 'Let me see.\nBash {"command":"ls"}'
    assert said.tools == ["Bash"]
    if end == "\n":
        assert [len(sse(*events[: place + 1])) - 2 for place in (first, last)] == [said.first, said.last]


WHOLE = {
    "anthropic": {
        "type": "message",
        "content": [
            {"type": "thinking", "thinking": "Let me see.", "signature": "x"},
            {"type": "tool_use", "name": "Bash", "input": {"command": "ls"}},
        ],
    },
    "chat": {
        "choices": [
            {
                "message": {
                    "reasoning": "Let me see.",
                    "content": None,
                    "tool_calls": [{"index": 0, "function": {"name": "Bash", "arguments": '{"command":"ls"}'}}],
                }
            }
        ]
    },
    "responses": {
        "object": "response",
        "output": [
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Let me see."}]},
            {"type": "function_call", "name": "Bash", "arguments": '{"command":"ls"}'},
        ],
    },
    "gemini": parts({"text": "Let me see."}, {"functionCall": {"name": "Bash", "args": {"command": "ls"}}}),
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_answer(name: str) -> None:
    said = answer.read(msgspec.json.encode(WHOLE[name]))
    assert said == answer.Said('Let me see.\nBash {"command":"ls"}', ["Bash"])


def test_an_array_of_pieces() -> None:
    assert answer.read(msgspec.json.encode(GEMINI)).text == 'Let me see.\nBash {"command":"ls"}'


def test_text_beside_a_refusal_and_several_calls_of_one_tool() -> None:
    events = [
        {"type": "response.output_text.delta", "output_index": 0, "delta": "Hello"},
        {"type": "response.refusal.delta", "output_index": 1, "delta": "No."},
        {"type": "response.output_item.added", "output_index": 2, "item": {"type": "local_shell_call"}},
        {"type": "response.output_item.added", "output_index": 3, "item": {"type": "local_shell_call"}},
    ]
    said = answer.read(sse(*events))
    assert said.text.split() == ["Hello", "No.", "local_shell", "local_shell"]
    assert said.tools == ["local_shell"]


def test_messages_of_a_websocket() -> None:
    said = answer.read_messages([msgspec.json.encode(event) for event in RESPONSES] + [b"no json"])
    assert (said.text, said.tools) == ('Let me see.\nBash {"command":"ls"}', ["Bash"])


def test_an_event_that_is_none_does_not_hide_the_others() -> None:
    body = sse(ANTHROPIC[3]) + b"data: {broken\n\n" + sse(ANTHROPIC[4])
    assert answer.read(body).text == "Let me see."


def test_what_is_taken_is_bounded() -> None:
    said = answer.read(sse(*(block(0, text="word " * 1000) for _ in range(100))))
    assert len(said.text) == answer.MOST_TEXT


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_that_is_cut_anywhere_says_what_had_come(name: str) -> None:
    body = sse(*STREAMS[name][0])
    before = ""
    for size in range(len(body)):
        said = answer.read(body[:size])
        assert said.text.startswith(before)
        assert said.last <= size
        before = said.text


odd = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "delta",
                    "index",
                    "content_block",
                    "content",
                    "item",
                    "output",
                    "choices",
                    "candidates",
                    "response",
                    "message",
                    "tool_calls",
                    "function",
                    "name",
                    "text",
                    "parts",
                    "functionCall",
                    "args",
                    "input",
                    "function_call",
                    "summary",
                    "executableCode",
                ]
            ),
            inner | st.sampled_from(["message", "content_block_start", "response.output_item.added", "x_call"]),
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(odd)
def test_any_json_is_read_without_an_error(value: object) -> None:
    text = msgspec.json.encode(value)
    answer.read(text)
    answer.read(b"data: " + text)
    answer.read_messages([text])


@given(st.binary(max_size=100))
def test_any_bytes_are_read_without_an_error(body: bytes) -> None:
    answer.read(body)
    answer.read(b"data: {" + body)
