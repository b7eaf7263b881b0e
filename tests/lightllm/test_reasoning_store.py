"""Thinking and signatures for clients that do not send them back, against upstreams that refuse a request without."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from ccproxy.lightllm.dialect import Capabilities, Dialect, Target
from ccproxy.lightllm.ir.events import ArgsDelta, End, Event, Failed, PartEnd, PartStart, Start, Stop, ThinkingDelta
from ccproxy.lightllm.ir.parts import Part, Signature, Text, Thinking, ToolCall, ToolResult
from ccproxy.lightllm.ir.request import Message, Request
from ccproxy.lightllm.ir.response import Response, unfold
from ccproxy.lightllm.reasoning_store import ReasoningStore
from ccproxy.lightllm.translate import DocumentTranslator, filters_of
from ccproxy.util.clock import FakeClock

from .kit import REGISTRY, context

ANTHROPIC, OPENAI, GEMINI = REGISTRY.get("anthropic"), REGISTRY.get("openai"), REGISTRY.get("gemini")
DEEPSEEK = msgspec.structs.replace(OPENAI.capabilities, thinking="any", demands_thinking=True, thinking_switch=True)
GOOGLE = msgspec.structs.replace(OPENAI.capabilities, thinking="signed")


class Refused(Exception):
    """The upstream answered 400."""


def sse(*chunks: Any, name: bool = False) -> bytes:
    return b"".join(
        (f"event: {chunk['type']}\n" if name else "").encode() + b"data: " + json.dumps(chunk).encode() + b"\n\n"
        for chunk in chunks
    )


class StrictAnthropic:
    """Signs its thinking, and takes a tool call back only with the thinking that it signed for it."""

    def __init__(self, key: str = "a", until: int = 10) -> None:
        self.key = key
        self.until = until
        self.signed: dict[str, tuple[str, str]] = {}
        self.signatures: set[str] = set()

    def __call__(self, body: bytes) -> bytes:
        request = json.loads(body)
        for message in request["messages"]:
            if message["role"] != "assistant" or isinstance(message["content"], str):
                continue
            thoughts = [block for block in message["content"] if block["type"] == "thinking"]
            for thought in thoughts:
                if thought["signature"] not in self.signatures:
                    raise Refused("Invalid `signature` in `thinking` block")
            calls = [block["id"] for block in message["content"] if block["type"] == "tool_use"]
            if calls and message["content"][0]["type"] != "thinking":
                raise Refused("Expected `thinking`, but found `text`")
            if calls and (thoughts[0]["thinking"], thoughts[0]["signature"]) != self.signed[calls[0]]:
                raise Refused("the thinking is another call's")
        return self.answer(len(self.signed))

    def answer(self, turn: int) -> bytes:
        thought, signature, call = f"thought {turn}", f"{self.key}-{turn}+/=", f"toolu_{self.key}{turn}"
        self.signatures.add(signature)
        blocks: list[tuple[dict[str, Any], list[dict[str, Any]]]] = [
            (
                {"type": "thinking", "thinking": "", "signature": ""},
                [{"type": "thinking_delta", "thinking": thought}, {"type": "signature_delta", "signature": signature}],
            ),
            ({"type": "text", "text": ""}, [{"type": "text_delta", "text": "Let me look."}]),
        ]
        if turn < self.until:
            self.signed[call] = thought, signature
            use = {"type": "tool_use", "id": call, "name": "look", "input": {}}
            blocks.append((use, [{"type": "input_json_delta", "partial_json": f'{{"n": {turn}}}'}]))
        return sse(
            {"type": "message_start", "message": {"id": f"msg_{turn}", "model": "m", "usage": {}}},
            *(
                event
                for index, (block, deltas) in enumerate(blocks)
                for event in (
                    {"type": "content_block_start", "index": index, "content_block": block},
                    *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
                    {"type": "content_block_stop", "index": index},
                )
            ),
            {"type": "message_delta", "delta": {"stop_reason": "tool_use" if turn < self.until else "end_turn"}},
            {"type": "message_stop"},
            name=True,
        )


class StrictDeepSeek:
    """Takes a tool call back only with its `reasoning_content`, and an answer after results too."""

    def __init__(self, until: int = 10) -> None:
        self.until = until
        self.said: dict[str, str] = {}

    def __call__(self, body: bytes) -> bytes:
        request = json.loads(body)
        for number, message in enumerate(request["messages"]):
            for call in message.get("tool_calls", ()):
                if message.get("reasoning_content") != self.said[call["id"]]:
                    raise Refused(f"Missing `reasoning_content` field in the assistant message at index {number}")
        turn = len(self.said)
        thought, call_id = f"thought {turn}", f"call_{turn}"
        last: list[dict[str, Any]] = [{"delta": {"content": "Done."}}, {"delta": {}, "finish_reason": "stop"}]
        if turn < self.until:
            self.said[call_id] = thought
            function = {"name": "look", "arguments": f'{{"n": {turn}}}'}
            call = {"index": 0, "id": call_id, "type": "function", "function": function}
            last = [{"delta": {"tool_calls": [call]}}, {"delta": {}, "finish_reason": "tool_calls"}]
        deltas = [{"delta": {"role": "assistant", "reasoning_content": thought}}, *last]
        chunks = [{"id": "x", "model": "m", "choices": [{"index": 0, **delta}]} for delta in deltas]
        return sse(*chunks) + b"data: [DONE]\n\n"


class StrictGoogle:
    """Signs its calls, in this dialect's place for it."""

    def __init__(self, until: int = 10) -> None:
        self.until = until
        self.signed: dict[str, str] = {}

    def __call__(self, body: bytes) -> bytes:
        for message in json.loads(body)["messages"]:
            for call in message.get("tool_calls", ()):
                found = call.get("extra_content", {}).get("google", {}).get("thought_signature")
                if found != self.signed[call["id"]]:
                    raise Refused("Function call is missing a thought_signature")
        turn = len(self.signed)
        if turn == self.until:
            delta: dict[str, Any] = {"content": "Done."}
        else:
            call = {
                "index": 0,
                "id": f"call_{turn}",
                "type": "function",
                "function": {"name": "look", "arguments": "{}"},
            }
            self.signed[f"call_{turn}"] = f"sig{turn}=="
            delta = {"tool_calls": [call | {"extra_content": {"google": {"thought_signature": f"sig{turn}=="}}}]}
        choice = {"index": 0, "delta": delta, "finish_reason": "stop"}
        return sse({"id": "x", "model": "m", "choices": [choice]}) + b"data: [DONE]\n\n"


class StrictGemini:
    """Signs its calls, which have no ids, in its own dialect."""

    def __init__(self, until: int = 10) -> None:
        self.until = until
        self.signed: list[str] = []

    def __call__(self, body: bytes) -> bytes:
        contents = json.loads(body)["contents"]
        calls = [part for content in contents for part in content["parts"] if "functionCall" in part]
        if [call.get("thoughtSignature") for call in calls] != self.signed:
            raise Refused("Function call is missing a thought_signature in functionCall parts")
        if len(self.signed) == self.until:
            part: dict[str, Any] = {"text": "Done."}
        else:
            self.signed.append(f"c2ln{len(self.signed)}+/==")
            part = {"functionCall": {"name": "look", "args": {}}, "thoughtSignature": self.signed[-1]}
        content = {"role": "model", "parts": [part]}
        return sse({"candidates": [{"content": content, "finishReason": "STOP"}], "modelVersion": "m"})


Upstream = Callable[[bytes], bytes]


class Chat:
    """A Chat client that keeps text and calls of its history, and nothing else."""

    def __init__(self, store: ReasoningStore | None, first: str = "Look around.", scope: str = "") -> None:
        self.store = store
        self.scope = scope
        self.messages: list[dict[str, Any]] = [{"role": "user", "content": first}]
        self.ids = itertools.count(1)

    def ask(self, dialect: Dialect, upstream: Upstream, capabilities: Capabilities, origin: str) -> dict[str, Any]:
        """One request and its answer; tools are run at once."""
        tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
        body = {"model": "m", "messages": self.messages, "tools": [tool], "reasoning_effort": "low"}
        request = OPENAI.decode_request(json.dumps(body).encode())
        sent = request
        filters: list[Any] = []
        if self.store is not None:
            sent = self.store.restored(request, origin, capabilities, self.scope)
            filters = [self.store.recorder(request, self.scope)]
        target = Target(model="m", stream=True, origin=origin, capabilities=capabilities)
        encoded = dialect.encode_request(sent, target)
        translator = DocumentTranslator(
            dialect,
            OPENAI,
            context(request, origin=origin),
            filters=[*filters_of(encoded), *filters],
            upstream_form="sse",
        )
        translator.feed(upstream(encoded.body))
        answer = translator.answer()
        assert answer.status == 200
        message: dict[str, Any] = json.loads(answer.body)["choices"][0]["message"]
        calls = message.get("tool_calls", [])
        plain = [{name: call[name] for name in ("id", "type", "function")} for call in calls]
        kept = {"role": "assistant", "content": message["content"]} | ({"tool_calls": plain} if calls else {})
        self.messages.append(kept)
        for call in calls:
            self.messages.append({"role": "tool", "tool_call_id": call["id"], "content": f"saw {next(self.ids)}"})
        return message

    def loop(self, dialect: Dialect, upstream: Upstream, capabilities: Capabilities, origin: str) -> int:
        """Asks until there is no call; the number of calls."""
        for number in range(50):
            if "tool_calls" not in self.ask(dialect, upstream, capabilities, origin):
                return number
        raise AssertionError("it never ends")


def store(clock: FakeClock | None = None, **bounds: Any) -> ReasoningStore:
    return ReasoningStore((clock or FakeClock()).mono, **bounds)


STRICT: list[tuple[Dialect, Callable[[], Upstream], Capabilities, str]] = [
    (ANTHROPIC, StrictAnthropic, ANTHROPIC.capabilities, "anthropic"),
    (OPENAI, StrictDeepSeek, DEEPSEEK, "deepseek"),
    (OPENAI, StrictGoogle, GOOGLE, "google"),
    (GEMINI, StrictGemini, GEMINI.capabilities, "gemini"),
]
strict = pytest.mark.parametrize(("dialect", "upstream", "can", "origin"), STRICT, ids=[s[3] for s in STRICT])


@strict
def test_ten_turns_of_tool_calls(
    dialect: Dialect, upstream: Callable[[], Upstream], can: Capabilities, origin: str
) -> None:
    assert Chat(store()).loop(dialect, upstream(), can, origin) == 10


@strict
def test_without_the_store_the_second_turn_is_refused(
    dialect: Dialect, upstream: Callable[[], Upstream], can: Capabilities, origin: str
) -> None:
    fake, client = upstream(), Chat(None)
    client.ask(dialect, fake, can, origin)
    with pytest.raises(Refused):
        client.ask(dialect, fake, can, origin)


def test_another_provider_never_sees_a_foreign_signature() -> None:
    client = Chat(store())
    first, second = StrictAnthropic("a"), StrictAnthropic("b")
    for _ in range(3):
        client.ask(ANTHROPIC, first, ANTHROPIC.capabilities, "first")
    # The second refuses tool calls without its own thinking; it must not be given the first's.
    with pytest.raises(Refused, match="Expected `thinking`"):
        client.ask(ANTHROPIC, second, ANTHROPIC.capabilities, "second")
    client.ask(ANTHROPIC, first, ANTHROPIC.capabilities, "first")


def test_foreign_thinking_goes_without_its_signature_where_thinking_is_demanded() -> None:
    client = Chat(store())
    client.ask(ANTHROPIC, StrictAnthropic(), ANTHROPIC.capabilities, "anthropic")
    seen: list[dict[str, Any]] = []

    def upstream(body: bytes) -> bytes:
        seen.append(json.loads(body))
        return StrictDeepSeek()(b'{"messages": []}')

    client.ask(OPENAI, upstream, DEEPSEEK, "deepseek")
    (assistant,) = (message for message in seen[0]["messages"] if message["role"] == "assistant")
    assert assistant["reasoning_content"] == "thought 0"
    assert "reasoning_details" not in assistant


def test_an_upstream_that_takes_no_thinking_gets_none() -> None:
    kept = store()
    client = Chat(kept)
    client.ask(OPENAI, StrictDeepSeek(), DEEPSEEK, "deepseek")
    request = OPENAI.decode_request(json.dumps({"messages": client.messages}).encode())
    assert kept.restored(request, "openai", OPENAI.capabilities) is request


def test_an_answer_after_results_gets_its_thinking_back_too() -> None:
    kept = store()
    client = Chat(kept)
    client.loop(OPENAI, StrictDeepSeek(until=1), DEEPSEEK, "deepseek")
    client.messages.append({"role": "user", "content": "And now?"})
    request = OPENAI.decode_request(json.dumps({"messages": client.messages}).encode())
    restored = kept.restored(request, "deepseek", DEEPSEEK)
    answers = [message.parts for message in restored.messages if message.role == "assistant"]
    assert answers[0][0] == Thinking("thought 0")
    assert answers[1] == (Thinking("thought 1"), Text("Done."))


# Whose is whose

USER = Message("user", (Text("Hello"),))
CALL = ToolCall("call_1", "f", '{"a": 1, "b": [2]}')
OWN = Signature("s", "here")
HERE = Capabilities(thinking="signed")


def remember(kept: ReasoningStore, *parts: Part, first: Message = USER, scope: str = "") -> None:
    recorder = kept.recorder(Request("m", (first,)), scope)
    events = list(unfold(Response("i", "m", parts, Stop("tool_use"))))
    assert [passed for event in events for passed in recorder.feed(event)] == events


def restored(kept: ReasoningStore, *parts: Part, first: Message = USER, scope: str = "") -> tuple[Part, ...]:
    request = Request("m", (first, Message("assistant", parts)))
    return kept.restored(request, "here", HERE, scope).messages[1].parts


def test_the_same_call_however_its_arguments_are_written() -> None:
    kept = store()
    remember(kept, Thinking("t", OWN), CALL)
    assert restored(kept, ToolCall("call_1", "f", '{"b":[2],"a":1}')) == (
        Thinking("t", OWN),
        ToolCall("call_1", "f", '{"b":[2],"a":1}'),
    )


@pytest.mark.parametrize(
    ("call", "first", "scope"),
    [
        (ToolCall("call_2", "f", CALL.args), USER, ""),
        (ToolCall("call_1", "g", CALL.args), USER, ""),
        (ToolCall("call_1", "f", "{}"), USER, ""),
        (CALL, Message("user", (Text("Hello!"),)), ""),
        (CALL, USER, "somebody else"),
    ],
)
def test_another_call_or_conversation_or_client_gets_nothing(call: ToolCall, first: Message, scope: str) -> None:
    kept = store()
    remember(kept, Thinking("t", OWN), CALL)
    assert restored(kept, call, first=first, scope=scope) == (call,)


def test_conversations_with_the_same_ids_do_not_mix() -> None:
    kept = store()
    one, two = Message("user", (Text("one"),)), Message("user", (Text("two"),))
    remember(kept, Thinking("t1", Signature("s1", "here")), CALL, first=one)
    remember(kept, Thinking("t2", Signature("s2", "here")), CALL, first=two)
    assert restored(kept, CALL, first=one)[0] == Thinking("t1", Signature("s1", "here"))
    assert restored(kept, CALL, first=two)[0] == Thinking("t2", Signature("s2", "here"))


def test_thinking_stands_where_it_stood() -> None:
    kept = store()
    other = ToolCall("call_2", "g", "", signature=OWN)
    remember(kept, Thinking("a", OWN), Text("x"), CALL, Thinking("b", OWN), other)
    assert restored(kept, Text("x"), CALL, ToolCall("call_2", "g")) == (
        Thinking("a", OWN),
        Text("x"),
        CALL,
        Thinking("b", OWN),
        other,
    )


def test_what_the_client_sends_itself_stays() -> None:
    kept = store()
    remember(kept, Thinking("a b", OWN), CALL)
    mine = Thinking("a b", Signature("mine", "here"))
    assert restored(kept, mine, CALL) == (mine, CALL)
    assert restored(kept, Thinking("changed"), CALL) == (Thinking("changed"), CALL)
    # The same text without its signature is what Chat clients send.
    assert restored(kept, Thinking("a\n\nb"), CALL) == (Thinking("a b", OWN), CALL)


def test_nothing_to_add_is_the_same_request() -> None:
    kept = store()
    request = Request("m", (USER, Message("assistant", (CALL,)), Message("user", (ToolResult("call_1"),))))
    assert kept.restored(request, "here", HERE) is request
    remember(kept, Thinking("t", Signature("s", "there")), CALL)
    assert kept.restored(request, "here", HERE) is request


def test_a_failed_answer_is_not_kept() -> None:
    kept = store()
    recorder = kept.recorder(Request("m", (USER,)))
    from ccproxy.lightllm.errors import cut

    events: Sequence[Event] = [
        Start("i", "m"),
        PartStart(0, Thinking("")),
        ThinkingDelta("t"),
        PartEnd(),
        PartStart(1, ToolCall("call_1", "f")),
        ArgsDelta("{}"),
        PartEnd(),
        Failed(cut()),
        End(Stop("end")),
    ]
    for event in events:
        recorder.feed(event)
    assert len(kept) == 0


# Bounds


def test_what_is_not_used_is_forgotten_and_use_keeps_it() -> None:
    clock = FakeClock()
    kept = store(clock, lifetime=100.0)
    remember(kept, Thinking("t", OWN), CALL)
    for _ in range(5):
        clock.advance(90)
        assert len(restored(kept, CALL)) == 2
    clock.advance(101)
    assert restored(kept, CALL) == (CALL,)
    assert (len(kept), kept.size) == (0, 0)


def test_the_oldest_go_when_there_are_too_many() -> None:
    kept = store(most=3)
    calls = [ToolCall(f"call_{n}", "f") for n in range(5)]
    for call in calls[:3]:
        remember(kept, Thinking("t", OWN), call)
    assert len(restored(kept, calls[0])) == 2
    for call in calls[3:]:
        remember(kept, Thinking("t", OWN), call)
    assert [len(restored(kept, call)) for call in calls] == [2, 1, 1, 2, 2]


def test_the_oldest_go_when_they_are_too_large() -> None:
    kept = store(room=5000)
    calls = [ToolCall(f"call_{n}", "f") for n in range(4)]
    for call in calls:
        remember(kept, Thinking("t" * 1500, OWN), call)
    assert [len(restored(kept, call)) for call in calls] == [1, 1, 2, 2]
    assert kept.size <= 5000
    remember(kept, Thinking("t" * 6000, OWN), CALL)
    assert (len(kept), kept.size) == (0, 0)


def test_an_answer_without_thinking_takes_no_room() -> None:
    kept = store()
    remember(kept, Text("x"), CALL)
    assert len(kept) == 0
