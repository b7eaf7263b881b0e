"""The page of `flows cache`."""

from __future__ import annotations

from ccproxy.exchange.hooks import HookResult
from ccproxy.flows.cache import blame
from ccproxy.flows.cache_page import render

from .conversations import Talk


def page(talk: Talk) -> list[str]:
    return render(blame(talk.flows), "Session s1", heading=str.upper).splitlines()


def test_a_culprit_stands_below_the_request_it_cost() -> None:
    talk = Talk()
    for number in range(2):
        forwarded = talk.request()
        forwarded["system"].insert(0, {"type": "text", "text": f"\x1b[31mNow\n08:0{number}"})
        talk.send(forwarded, hooks=[HookResult("clock", "outbound", 1, changed=["body.system"])])
        talk.say()
    title, summary, broken, blank, first, second, cause, before, after = page(talk)
    assert title == "SESSION S1"
    assert summary.startswith("  2 requests, 4.1k prompt tokens, 0% of them from the cache; 1.9k lost for $0.01")
    assert broken.startswith("  broken by a hook: once, 1.9k tokens for $0.01")
    assert blank == ""
    assert first.endswith("0% cached  the first")
    assert "lost 1.9k of 1.9k for $0.01" in second
    assert cause == "      hook clock (outbound): a time in the system text changed (at body.system.0)"
    assert before == "        - \\x1b[31mNow\\n08:00"
    assert after == "        + \\x1b[31mNow\\n08:01"


def test_what_is_not_known_is_said() -> None:
    talk = Talk(model="claude-of-tomorrow")
    talk.send()
    talk.body["tools"].reverse()
    talk.send()
    talk.send().usage = None
    lines = page(talk)
    assert lines[1].endswith("lost for $0, 1 of them of unknown price")
    assert lines[-2].endswith("? in     ? cached  not known")
    assert lines[-1] == "      the answer reports no tokens"


def test_nothing_lost() -> None:
    talk = Talk()
    talk.send()
    talk.send(kind="subagent", conversation="c2")
    lines = page(talk)
    assert lines[1].endswith("; nothing lost")
    assert lines[-1].endswith(", subagent")


def test_what_was_never_cached_was_not_broken() -> None:
    talk = Talk(least=100_000)
    talk.body["tools"], talk.body["system"] = [], []
    talk.body["messages"][0]["content"][0]["text"] = "Hi."
    talk.send()
    talk.send()
    assert page(talk)[2] == "  not cached, because of a short prompt: once"
