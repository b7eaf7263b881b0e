"""What users of such proxies complain of: tool calls and thinking over several turns."""

from __future__ import annotations

import json

import msgspec
import pytest

from ccproxy.lightllm.dialect import Capabilities, Dialect, Target
from ccproxy.lightllm.families import capabilities
from ccproxy.lightllm.ir.parts import Part, Signature, Text, Thinking, ToolCall, ToolResult
from ccproxy.lightllm.ir.request import Message, Output, Reasoning, Request
from ccproxy.lightllm.ir.response import unfold
from ccproxy.lightllm.reasoning_store import ReasoningStore
from ccproxy.lightllm.signatures import wrap
from ccproxy.lightllm.toolargs import to_object
from ccproxy.lightllm.translate import DocumentTranslator, filters_of
from ccproxy.util.clock import FakeClock

from .demands import (
    DIALECTS,
    answer,
    buffered,
    conversation,
    convert,
    every,
    pairs,
    strings,
    translated,
    translator,
)
from .kit import (
    checked,
    collected,
    context,
    decode_document,
    decode_stream,
    essence,
)


class Test17DuplicateIds:
    @pytest.mark.parametrize("client", DIALECTS)
    def test_a_server_that_repeats_ids_gives_every_client_unique_ones(self, client: str) -> None:
        call = {"index": 0, "id": "call_0", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        chunks = [
            {"id": "x", "model": "m", "choices": [{"index": 0, "delta": {"role": "assistant", "tool_calls": [call]}}]},
            {"id": "x", "model": "m", "choices": [{"index": 0, "delta": {"tool_calls": [{**call, "index": 1}]}}]},
            {"id": "x", "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},
        ]
        raw = b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"
        used = Message("assistant", (ToolCall("call_0", "f", "{}"),))
        request = Request("m", (Message("user", (Text("x"),)), used, Message("user", (ToolResult("call_0"),))), client)
        live = translator("openai", client, request)
        read = checked(decode_stream(DIALECTS[client], [live.feed(raw) + live.eof()]))
        found = [part.id for part in read.parts if isinstance(part, ToolCall)]
        assert len({"call_0", *found}) == 3

    @pairs
    def test_ids_that_do_not_collide_come_back_as_they_were(self, client: str, upstream: str) -> None:
        for call_id in ("toolu_01A09q90qw90lq917835lq9", "call_abc", "functions.read:0"):
            read = checked(
                decode_stream(DIALECTS[client], [translated(upstream, client, ToolCall(call_id, "f", "{}"))])
            )
            assert [part.id for part in read.parts if isinstance(part, ToolCall)] == [call_id]
            history = (
                Message("assistant", (ToolCall(call_id, "f", "{}"),)),
                Message("user", (ToolResult(call_id, (Text("r"),)),)),
            )
            body = DIALECTS[upstream].encode_request(Request("m", history, client, max_tokens=9), Target()).body
            again = DIALECTS[upstream].decode_request(body, model="m")
            calls = [part.id for message in again.messages for part in message.parts if isinstance(part, ToolCall)]
            results = [
                part.call_id for message in again.messages for part in message.parts if isinstance(part, ToolResult)
            ]
            assert calls == results


class Test18BrokenHistories:
    BROKEN = (
        Message("user", (Text("x"),)),
        Message("assistant", (ToolCall("a", "f", "{}"), ToolCall("a", "f", "{}"))),
        Message("user", (ToolResult("a", (Text("1"),)), ToolResult("ghost", (Text("2"),)))),
        Message("user", (Text("and?"),)),
    )

    @every
    def test_they_are_repaired_only_when_asked_and_in_sight(self, dialect: Dialect) -> None:
        request = Request("m", self.BROKEN, "elsewhere", max_tokens=9)
        repaired = dialect.encode_request(request, Target(repair=True))
        again = dialect.decode_request(repaired.body, model="m")
        calls = [part.id for message in again.messages for part in message.parts if isinstance(part, ToolCall)]
        results = [part.call_id for message in again.messages for part in message.parts if isinstance(part, ToolResult)]
        assert sorted(calls) == sorted(results)
        assert len(set(calls)) == 2
        assert any(loss.kind == "repaired" for loss in repaired.losses)
        assert b"ghost" in dialect.encode_request(request, Target()).body

    @every
    def test_a_healthy_history_is_the_same_bytes_with_repair_on(self, dialect: Dialect) -> None:
        healthy = dialect.decode_request(json.dumps(conversation(dialect.name, None, "")).encode(), model="m")
        for there in DIALECTS.values():
            plain, repaired = (there.encode_request(healthy, Target(repair=repair)) for repair in (False, True))
            assert plain.body == repaired.body
            assert plain.losses.header() == repaired.losses.header()


class Test19Arguments:
    @pairs
    @pytest.mark.parametrize("args", ["", "{}", " ", '{"a": {"b": []}}'])
    def test_arguments_of_a_call_arrive_in_both_directions(self, client: str, upstream: str, args: str) -> None:
        expected = to_object(args)[0]
        for stream in (True, False):
            raw = (
                translated(upstream, client, ToolCall("t1", "f", args))
                if stream
                else buffered(upstream, client, ToolCall("t1", "f", args))
            )
            read = checked(decode_stream(DIALECTS[client], [raw]) if stream else decode_document(DIALECTS[client], raw))
            assert essence(read)["calls"] == [("t1", "f", expected)]
            assert essence(read)["reason"] == "tools"
        history = (Message("assistant", (ToolCall("t1", "f", args),)), Message("user", (ToolResult("t1"),)))
        body = DIALECTS[upstream].encode_request(Request("m", history, client, max_tokens=9), Target()).body
        (call,) = (
            part
            for part in DIALECTS[upstream].decode_request(body, model="m").messages[0].parts
            if isinstance(part, ToolCall)
        )
        assert to_object(call.args)[0] == expected

    @pairs
    def test_arguments_that_are_no_json_are_not_lost(self, client: str, upstream: str) -> None:
        history = (Message("assistant", (ToolCall("t1", "f", '{"a": tru'),)), Message("user", (ToolResult("t1"),)))
        encoded = DIALECTS[upstream].encode_request(Request("m", history, client, max_tokens=9), Target())
        assert any("tru" in text for text in strings(json.loads(encoded.body)))
        raw = buffered(upstream, client, ToolCall("t1", "f", '{"a": tru'))
        assert any("tru" in text for text in strings(json.loads(raw)))


#: Signatures are base64 of anything; these are not, so that none can be made by chance.
SIGNED = "sIg+/=nature_of_"


class Test20SignaturesTouched:
    def test_the_same_provider_gets_its_blocks_byte_for_byte(self) -> None:
        blocks = [
            {"type": "thinking", "thinking": "why\u2028", "signature": f"{SIGNED}1=="},
            {"type": "redacted_thinking", "data": f"{SIGNED}2"},
            {"type": "tool_use", "id": "t1", "name": "f", "input": {}},
        ]
        body = {
            "max_tokens": 9,
            "messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": blocks}],
        }
        assert convert("anthropic", "anthropic", body)[0]["messages"][1]["content"] == blocks

    @pairs
    def test_no_way_writes_a_signature_that_was_not_received(self, client: str, upstream: str) -> None:
        made, history = there_and_back(client, upstream)
        held = {part.signature for part in history if isinstance(part, Thinking | ToolCall | Text) and part.signature}
        assert held <= {made}
        # Chat has no place for them: the reasoning store keeps those of calls.
        assert bool(held) == ("openai" not in (client, upstream))

    @pairs
    def test_a_request_without_signatures_gets_none(self, client: str, upstream: str) -> None:
        history = (
            Message("assistant", (Thinking("why"), Text("x"), ToolCall("t1", "f", "{}"))),
            Message("user", (ToolResult("t1"),)),
        )
        encoded = DIALECTS[upstream].encode_request(Request("m", history, client, max_tokens=9), Target())
        for message in DIALECTS[upstream].decode_request(encoded.body, model="m").messages:
            for part in message.parts:
                found = getattr(part, "signature", None)
                # Google documents one word for a call that another model made.
                assert found is None or (upstream == "gemini" and "skip" in found.value)


class Test21ForeignSignatures:
    @pairs
    def test_another_providers_signature_stays_behind_in_sight(self, client: str, upstream: str) -> None:
        """The gateway's part: a refused signature leads to one stripped retry on the same account."""
        foreign = Signature(f"{SIGNED}foreign", "somebody")
        history = (
            Message("user", (Text("x"),)),
            Message("assistant", (Thinking("why", foreign), Text("y"), ToolCall("t1", "f", "{}", signature=foreign))),
            Message("user", (ToolResult("t1"),)),
        )
        encoded = DIALECTS[upstream].encode_request(Request("m", history, client, max_tokens=9), Target())
        assert SIGNED not in encoded.body.decode()
        assert any(loss.name == "signature" for loss in encoded.losses)

    @pytest.mark.parametrize("client", ["anthropic", "openai_responses", "gemini"])
    @pytest.mark.parametrize("upstream", ["anthropic", "openai_responses", "gemini"])
    def test_a_signature_finds_its_maker_again_through_a_client_of_another_dialect(
        self, client: str, upstream: str
    ) -> None:
        made, history = there_and_back(client, upstream)
        turns = (
            Message("user", (Text("q"),)),
            Message("assistant", history),
            Message("user", (ToolResult("t1", (Text("r"),)),)),
        )
        request = Request("m", turns, client, max_tokens=9)
        assert made.value in set(strings(json.loads(DIALECTS[upstream].encode_request(request, Target()).body)))
        elsewhere = DIALECTS[upstream].encode_request(request, Target(origin="somebody else"))
        assert SIGNED not in elsewhere.body.decode()


def there_and_back(client: str, upstream: str) -> tuple[Signature, tuple[Part, ...]]:
    """A signature that the upstream made, and its answer as the client sends it back in the next request."""
    made = Signature(f"{SIGNED}{upstream}", upstream)
    signed = upstream == "gemini"
    call = ToolCall("t1", "f", "{}", signature=made if signed else None)
    out = translated(upstream, client, Thinking("why", None if signed else made), Text("x"), call)
    said = checked(decode_stream(DIALECTS[client], [out])).parts
    # A client repeats what it was told, letter for letter.
    said = tuple(
        msgspec.structs.replace(part, signature=Signature(wrap(part.signature, client), client))
        if isinstance(part, Thinking | Text | ToolCall) and part.signature
        else part
        for part in said
    )
    told_again = Request("m", (Message("assistant", said),), client, max_tokens=9)
    body = DIALECTS[client].encode_request(told_again, Target()).body
    return made, DIALECTS[client].decode_request(body, model="m").messages[0].parts


class StrictDeepSeek:
    """Refuses a request in which a call of an earlier turn has lost its thinking."""

    def __init__(self, dialect: str) -> None:
        self.dialect = dialect
        self.turns = 0

    def __call__(self, body: bytes) -> bytes:
        request = json.loads(body)
        for message in request["messages"]:
            if message["role"] != "assistant":
                continue
            if self.dialect == "openai":
                if message.get("tool_calls") and not message.get("reasoning_content"):
                    raise AssertionError("400: reasoning_content must be passed back")
            elif any(block["type"] == "tool_use" for block in message["content"]):
                assert message["content"][0]["type"] == "thinking"
                assert message["content"][0]["thinking"]
        self.turns += 1
        number = self.turns
        parts = (Thinking(f"thought {number}"), ToolCall(f"call_{number}", "f", json.dumps({"n": number})))
        return collected(DIALECTS[self.dialect], list(unfold(answer(self.dialect, *parts))))


class Test22ThinkingDemandedBack:
    @pytest.mark.parametrize("client", ["openai", "anthropic"])
    @pytest.mark.parametrize("upstream", ["openai", "anthropic"])
    def test_ten_turns_of_tools_with_a_client_that_forgets(self, client: str, upstream: str) -> None:
        can = capabilities(upstream, "deepseek")
        assert isinstance(can, Capabilities)
        store = ReasoningStore(FakeClock().mono)
        provider = StrictDeepSeek(upstream)
        history: tuple[Message, ...] = (Message("user", (Text("go"),)),)
        for _ in range(10):
            request = Request("m", history, client, reasoning=Reasoning("on", "high"), max_tokens=99, output=Output())
            restored = store.restored(request, "deepseek", can)
            encoded = DIALECTS[upstream].encode_request(restored, Target(origin="deepseek", capabilities=can))
            whole = DocumentTranslator(
                DIALECTS[upstream], DIALECTS[client], context(request, origin="deepseek"),
                filters=[*filters_of(encoded), store.recorder(request)],
            )  # fmt: skip
            said = checked(decode_document(DIALECTS[client], whole.translate(provider(encoded.body)).body))
            # The client keeps what it understands, and forgets the thinking.
            kept = tuple(part for part in said.parts if not isinstance(part, Thinking))
            (call,) = (part for part in kept if isinstance(part, ToolCall))
            history += (Message("assistant", kept), Message("user", (ToolResult(call.id, (Text("ok"),)),)))
        assert provider.turns == 10
