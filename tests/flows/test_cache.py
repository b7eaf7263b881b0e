"""Who broke the cache: conversations with one known culprit each."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from ccproxy.exchange.exchange import Step
from ccproxy.exchange.hooks import HookResult
from ccproxy.flows.cache import Turn, blame
from ccproxy.flows.model import Usage, WebSocketRecord

from .conversations import Talk, tool

FORTY_PARTS = [{"type": "text", "text": f"part {n} " * 20} for n in range(40)]


def last(talk: Talk) -> Turn:
    """What is said of the last request."""
    return blame(talk.flows).turns[-1]


def accused(talk: Talk) -> tuple[str, str, str]:
    """Kind, path and words of the last request's cause."""
    turn = last(talk)
    assert turn.verdict == "miss", turn
    assert turn.cause is not None
    return turn.cause.kind, turn.cause.path, turn.cause.what


@pytest.fixture
def talk() -> Talk:
    """Two requests, the second served from what the first left."""
    talk = Talk()
    talk.send()
    talk.say()
    talk.send()
    talk.say()
    return talk


def test_a_conversation_that_only_grows_is_served_from_the_cache(talk: Talk) -> None:
    talk.send()
    found = blame(talk.flows)
    assert [turn.verdict for turn in found.turns] == ["first", "hit", "hit"]
    first, second, third = found.turns
    assert second.previous == first.id
    assert second.read == second.reusable == first.written
    assert third.cause is None
    assert (found.lost, found.dollars, found.causes) == (0, 0.0, {})
    assert found.read == (second.read or 0) + (third.read or 0)


class TestTheClient:
    def test_a_time_in_the_system_prompt(self) -> None:
        talk = Talk()
        for minute in range(3):
            talk.body["system"][0]["text"] = f"It is 2026-11-24 08:{minute:02}. " + "You are careful. " * 200
            talk.send()
            talk.say()
        turn = last(talk)
        assert accused(talk) == ("client", "body.system.0", "a time in the system text changed")
        assert turn.cause is not None
        assert (turn.cause.who, turn.cause.client_path, turn.cause.part) == ("client", "body.system.0", "system text")
        assert "08:01" in turn.cause.before
        assert "08:02" in turn.cause.after

    def test_tools_in_another_order(self, talk: Talk) -> None:
        talk.body["tools"].reverse()
        talk.send()
        assert accused(talk) == ("client", "body.tools.0", "the same tools come in another order")

    @pytest.mark.parametrize(
        ("names", "what"),
        [
            (("Read", "Write", "Bash", "Grep"), "tool Grep came"),
            (("Read", "Bash"), "tool Write went"),
            (("Read", "Edit", "Glob", "Bash"), "tools Edit, Glob came and tool Write went"),
        ],
    )
    def test_tools_that_come_and_go(self, talk: Talk, names: tuple[str, ...], what: str) -> None:
        talk.body["tools"] = [tool(name) for name in names]
        talk.send()
        assert accused(talk)[0::2] == ("client", what)

    def test_a_tool_described_otherwise(self, talk: Talk) -> None:
        talk.body["tools"][1]["description"] += " Be careful."
        talk.send()
        assert accused(talk) == ("client", "body.tools.1", "the definition of tool Write changed")

    def test_an_edited_message(self, talk: Talk) -> None:
        talk.body["messages"][0]["content"][0]["text"] = "Fix another bug. " * 100
        talk.send()
        assert accused(talk) == ("client", "body.messages.0.content.0", "the user text changed")

    def test_a_message_put_in(self, talk: Talk) -> None:
        talk.body["messages"][0]["content"].insert(0, {"type": "text", "text": "<system-reminder>"})
        talk.send()
        assert accused(talk) == ("client", "body.messages.0.content.0", "the user text was put in")

    def test_dropped_thinking(self, talk: Talk) -> None:
        answer = talk.body["messages"][-2]["content"]
        answer.insert(0, {"type": "thinking", "thinking": "Hm. " * 100, "signature": "s"})
        talk.send()
        talk.say()
        del answer[0]
        talk.send()
        assert accused(talk)[0::2] == ("client", "the assistant thinking is gone")

    def test_a_dropped_image(self) -> None:
        talk = Talk()
        image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 4000}}
        talk.body["messages"][0]["content"].insert(0, image)
        talk.send()
        talk.say()
        talk.body["messages"][0]["content"][0] = {"type": "text", "text": "[image]"}
        talk.send()
        assert accused(talk)[0::2] == ("client", "the user image became the user text")

    def test_compaction(self, talk: Talk) -> None:
        for _ in range(4):
            talk.send()
            talk.say()
        asked = talk.request()
        asked["messages"][-1]["content"].insert(0, {"type": "text", "text": "Summarize the conversation."})
        talk.send(client=asked, kind="compaction")
        talk.body["messages"] = [{"role": "user", "content": [{"type": "text", "text": "We spoke of a bug. " * 300}]}]
        flow = talk.send(conversation="c2")
        assert flow.conversation == "c2"
        assert accused(talk)[0] == "client"
        assert accused(talk)[2].startswith("the history was compacted: ")

    def test_another_conversation_of_the_session_is_no_compaction(self, talk: Talk) -> None:
        talk.body["messages"] = [{"role": "user", "content": [{"type": "text", "text": "Something else. " * 300}]}]
        talk.send(conversation="c2")
        assert (last(talk).verdict, last(talk).note) == ("first", "another conversation of the session")

    def test_thinking_that_is_turned_on(self, talk: Talk) -> None:
        talk.body["thinking"] = {"type": "enabled", "budget_tokens": 1024}
        talk.send()
        assert accused(talk) == ("client", "body.thinking", "the setting thinking came")

    def test_another_model(self, talk: Talk) -> None:
        talk.body["model"] = "claude-sonnet-5"
        talk.send()
        assert accused(talk) == ("model", "body.model", "the model changed from claude-opus-5 to claude-sonnet-5")
        assert last(talk).cause.who == "client"  # type: ignore[union-attr]

    def test_a_missing_breakpoint(self, talk: Talk) -> None:
        talk.marked = False
        talk.send()
        assert accused(talk)[0::2] == (
            "breakpoints",
            "the request has no cache_control, so the cache was not looked into",
        )
        assert last(talk).cause.who == "client"  # type: ignore[union-attr]

    def test_no_breakpoint_ever(self) -> None:
        talk = Talk()
        talk.marked = False
        for _ in range(2):
            talk.send()
            talk.say()
        assert accused(talk)[0] == "breakpoints"
        assert last(talk).lost == last(talk).shared > 0

    def test_breakpoints_too_far_apart(self, talk: Talk) -> None:
        talk.say(*FORTY_PARTS)
        talk.send()
        kind, _, what = accused(talk)
        assert kind == "breakpoints"
        assert "within 20 blocks" in what

    def test_a_request_before_the_answer_to_the_last_one_began(self, talk: Talk) -> None:
        talk.cache.entries.clear()  # as it was when the request came
        talk.send(gap=0.1)
        assert accused(talk)[0] == "in_flight"


class TestClaudeCodesBillingLine:
    """It is another one in every request, and Anthropic takes it out before it looks into its cache."""

    def send(self, provider: str, host: str) -> Talk:
        talk = Talk()
        for number in range(2):
            line = f"x-anthropic-billing-header: cc_version=2.1.330; cch={number}a3f;"
            client = talk.request()
            client["system"].insert(0, {"type": "text", "text": line})
            flow = talk.send(talk.request(), client=client)
            for record in (flow.request, flow.forwarded):
                assert record is not None
                record.body = json.dumps(client).encode()
            assert flow.forwarded is not None
            flow.provider, flow.forwarded.host = provider, host
            talk.say()
        return talk

    def test_it_is_no_part_of_what_anthropic_caches(self) -> None:
        talk = self.send("anthropic", "api.anthropic.com")
        assert last(talk).verdict == "hit"
        talk.flows[-1].usage = Usage(input=3000, output=1, cache_read=0, cache_write=3000)
        assert accused(talk)[0] == "unexplained"

    def test_elsewhere_it_is_to_blame(self) -> None:
        talk = self.send("zai", "api.z.ai")
        talk.flows[-1].usage = Usage(input=3000, output=1, cache_read=0)
        kind, path, what = accused(talk)
        assert (kind, path) == ("client", "body.system.0")
        assert what == "the system text changed: it begins with Claude Code's billing line"


class TestOurselves:
    def test_a_hook_that_writes_a_time(self) -> None:
        talk = Talk()
        for minute in range(3):
            forwarded = talk.request()
            forwarded["system"].insert(0, {"type": "text", "text": f"Now: 08:0{minute}"})
            talk.send(forwarded, hooks=[HookResult("clock", "outbound", 1, changed=["body.system"])])
            talk.say()
        assert accused(talk) == ("hook", "body.system.0", "a time in the system text changed")
        cause = last(talk).cause
        assert cause is not None
        assert (cause.who, cause.client_path, cause.after) == ("hook clock (outbound)", "", "Now: 08:02")

    def test_a_hook_is_innocent_where_the_client_changed_something_before_it(self, talk: Talk) -> None:
        hooks = [HookResult("trim", "inbound", 1, changed=["body.messages.0.content"])]
        talk.body["tools"].reverse()
        forwarded = talk.request()
        forwarded["messages"][0]["content"] = [{"type": "text", "text": "Fix it. " * 100}]
        talk.send(forwarded, hooks=hooks)
        assert accused(talk)[0:2] == ("client", "body.tools.0")

    def test_a_hook_that_adds_the_same_each_time_breaks_nothing(self) -> None:
        talk = Talk()
        for _ in range(3):
            forwarded = talk.request()
            forwarded["system"].insert(0, {"type": "text", "text": "Be brief."})
            talk.send(forwarded, hooks=[HookResult("brief", "inbound", 1, changed=["body.system"])])
            talk.say()
        assert [turn.verdict for turn in blame(talk.flows).turns] == ["first", "hit", "hit"]

    def test_a_hook_that_takes_the_breakpoints_away(self, talk: Talk) -> None:
        forwarded = copy.deepcopy(talk.body)
        hooks = [HookResult("plain", "outbound", 1, changed=["body.messages"])]
        talk.send(forwarded, hooks=hooks)
        cause = last(talk).cause
        assert cause is not None
        assert (cause.kind, cause.who) == ("breakpoints", "hook plain (outbound)")

    def test_a_hook_that_changes_the_model(self, talk: Talk) -> None:
        forwarded = talk.request() | {"model": "claude-sonnet-5"}
        talk.send(forwarded, hooks=[HookResult("set_model", "inbound", 1, changed=["body.model"])])
        cause = last(talk).cause
        assert cause is not None
        assert (cause.kind, cause.who) == ("model", "hook set_model (inbound)")

    def test_a_conversion(self) -> None:
        talk = Talk()
        for number in range(2):
            client = {
                "model": "gpt-5",
                "messages": [
                    {"role": "system", "content": "You are careful. " * 200},
                    *({"role": m["role"], "content": m["content"][0]["text"]} for m in talk.body["messages"]),
                ],
            }
            forwarded = talk.request()
            forwarded["messages"][0]["content"][0]["text"] += f" (call_{number})"
            talk.send(forwarded, client=client, dialect="openai", operation="chat", upstream_dialect="anthropic")
            talk.say()
        assert accused(talk)[0:2] == ("conversion", "body.messages.0.content.0")
        assert last(talk).cause.who == "conversion from openai to anthropic"  # type: ignore[union-attr]

    def test_something_else_of_ours(self, talk: Talk) -> None:
        forwarded = talk.request()
        forwarded["system"][0]["text"] += "x"
        talk.send(forwarded)
        assert accused(talk)[0] == "proxy"

    def test_another_credential(self, talk: Talk) -> None:
        talk.send(key="second")
        assert accused(talk)[0::2] == ("credential", "the credential changed from command to second")

    def test_another_key_under_the_same_name(self, talk: Talk) -> None:
        flow = talk.send()
        assert flow.forwarded is not None
        assert flow.usage is not None
        flow.forwarded.headers = [("x-api-key", "…efgh")]
        flow.usage.cache_read = 0
        assert accused(talk)[0::2] == ("credential", "the key changed from …abcd to …efgh (command)")

    def test_the_renewed_token_of_a_login_is_no_other_credential(self, talk: Talk) -> None:
        for flow, end in zip(talk.flows, ("…aaaa", "…bbbb"), strict=True):
            assert flow.forwarded is not None
            assert flow.usage is not None
            flow.forwarded.headers = [("Authorization", f"Bearer {end}")]
            flow.credential = "anthropic_oauth (~/.claude/.credentials.json)"
            flow.usage.cache_read = 0
        assert accused(talk)[0] == "unexplained"

    def test_a_fallback_to_another_provider(self, talk: Talk) -> None:
        story = [Step("anthropic", "command", 529, then="went on to zai"), Step("zai", "command", 200)]
        talk.send(provider="zai", story=story)
        cause = last(talk).cause
        assert cause is not None
        assert (cause.kind, cause.who) == ("provider", "fallback after status 529")


class TestTheProvider:
    @pytest.mark.parametrize(("gap", "verdict"), [(290.0, "hit"), (320.0, "miss")])
    def test_an_entry_lives_five_minutes(self, talk: Talk, gap: float, verdict: str) -> None:
        talk.send(gap=gap)
        assert last(talk).verdict == verdict
        if verdict == "miss":
            assert accused(talk)[0::2] == ("expired", "the last use was 5.33 min ago, and the entry lives for 5 min")

    @pytest.mark.parametrize(("gap", "verdict"), [(3000.0, "hit"), (4000.0, "miss")])
    def test_or_an_hour_if_asked_for(self, gap: float, verdict: str) -> None:
        talk = Talk()
        for wait in (20.0, gap):
            client = talk.request()
            client["messages"][-1]["content"][-1]["cache_control"]["ttl"] = "1h"
            talk.send(client=client, gap=wait)
            talk.say()
        assert last(talk).verdict == verdict

    def test_a_short_prompt_is_not_cached(self) -> None:
        talk = Talk(least=100_000)
        for _ in range(2):
            talk.body["tools"], talk.body["system"] = [], []
            talk.body["messages"][0]["content"][0]["text"] = "Hi."
            talk.send()
            talk.say()
        assert accused(talk)[0] == "too_short"
        assert last(talk).lost == 0

    def test_an_entry_that_is_gone_for_no_reason(self, talk: Talk) -> None:
        talk.cache.entries.clear()
        talk.send()
        assert accused(talk)[0] == "unexplained"


class TestPrices:
    def test_a_miss_has_its_price(self, talk: Talk) -> None:
        talk.body["tools"].reverse()
        flow = talk.send()
        turn = last(talk)
        assert turn.read == 0
        assert turn.lost == turn.reusable == blame(talk.flows).lost
        assert flow.usage is not None
        # opus 5: 6.25 to write, 0.50 to read, per million tokens
        assert turn.dollars == pytest.approx(turn.lost * (6.25 - 0.5) / 1e6)
        assert blame(talk.flows).causes == {"client": (1, turn.lost, turn.dollars)}

    def test_a_model_without_a_price_has_none(self) -> None:
        talk = Talk(model="claude-of-tomorrow", least=512)
        talk.send()
        talk.say()
        talk.body["tools"].reverse()
        talk.send()
        assert last(talk).dollars is None
        assert blame(talk.flows).unpriced == 1


class TestWhatCannotBeTold:
    def test_requests_that_are_no_part_of_a_conversation_are_left_out(self, talk: Talk) -> None:
        talk.send(operation="models")
        talk.send(kind="count_tokens")
        assert len(blame(talk.flows).turns) == 2

    @pytest.mark.parametrize(
        ("spoil", "note"),
        [
            (lambda flow: setattr(flow.forwarded, "truncated", True), "only the beginning"),
            (lambda flow: setattr(flow, "websocket", WebSocketRecord()), "a WebSocket"),
            (lambda flow: setattr(flow.forwarded, "body", b"{"), "cannot be read"),
            (lambda flow: setattr(flow.forwarded, "body", b'{"messages":[]}'), "cannot be read"),
            (lambda flow: setattr(flow, "usage", None), "reports no tokens"),
        ],
    )
    def test_it_is_said_why(self, talk: Talk, spoil: Any, note: str) -> None:
        spoil(talk.send())
        turn = last(talk)
        assert turn.verdict == "unknown"
        assert note in turn.note

    def test_a_failed_request_is_not_what_the_next_one_is_held_against(self, talk: Talk) -> None:
        talk.send().usage = None
        talk.say()
        talk.send()
        assert last(talk).previous == talk.flows[1].id

    def test_other_threads_are_not_what_a_request_is_held_against(self, talk: Talk) -> None:
        other = Talk()
        other.body["system"][0]["text"] = "You are an agent for searching. " * 100
        talk.flows.append(other.send(conversation="c9", kind="subagent"))
        talk.send()
        turns = blame(talk.flows).turns
        assert [turn.verdict for turn in turns] == ["first", "hit", "first", "hit"]


class TestAutomaticCaches:
    def send(self, talk: Talk, cached: int | None, *, change: str = "") -> None:
        body = {
            "model": "gpt-5",
            "messages": [
                {"role": "system", "content": f"You are careful{change}. " * 400},
                {"role": "user", "content": "Hello. " * 200},
                *({"role": m["role"], "content": m["content"][0]["text"]} for m in talk.body["messages"][1:]),
            ],
        }
        flow = talk.send(client=body, dialect="openai", operation="chat", provider="openai")
        assert flow.forwarded is not None
        flow.forwarded.host = "api.openai.com"
        flow.usage = Usage(input=2000 + 200 * len(talk.flows), output=5, cache_read=cached)
        talk.say()

    def test_whole_steps_are_expected(self) -> None:
        talk = Talk()
        self.send(talk, 0)
        self.send(talk, 2176)
        assert [turn.verdict for turn in blame(talk.flows).turns] == ["first", "hit"]
        assert last(talk).reusable == 2176

    def test_an_edit_breaks_them_too(self) -> None:
        talk = Talk()
        self.send(talk, 0)
        self.send(talk, 0, change=" today")
        assert accused(talk) == ("client", "body.messages.0.content", "the system text changed")

    def test_a_provider_that_says_nothing_of_its_cache(self) -> None:
        talk = Talk()
        self.send(talk, None)
        self.send(talk, None, change=" today")
        turn = last(talk)
        assert (turn.verdict, turn.lost, turn.note) == (
            "unknown",
            0,
            "the provider does not report what came from its cache",
        )
        assert turn.cause is not None
        assert turn.cause.kind == "client"
