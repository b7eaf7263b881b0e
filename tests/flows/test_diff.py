"""From one request to the next, in a line and in full."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ccproxy.flows.diff import diff, side
from ccproxy.flows.model import Flow

from .support import make_flow

HELLO = {"role": "user", "content": [{"type": "text", "text": "hello"}]}
ANSWER = {"role": "assistant", "content": "hi"}


def asking(number: int, document: Any, **changes: Any) -> Flow:
    """A flow with this body on both sides."""
    flow = make_flow(number, **changes)
    for request in (flow.request, flow.forwarded):
        assert request is not None
        request.body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return flow


@pytest.mark.parametrize(
    ("old", "new", "summary"),
    [
        ({"messages": [HELLO]}, {"messages": [HELLO]}, "request bodies are identical"),
        (b'{"a":1}', b'{"a": 1}', "the same JSON, written differently"),
        (b"not json", b"at all", "8 bytes became 6"),
        (
            {"messages": [HELLO]},
            {"messages": [HELLO, ANSWER, HELLO]},
            "messages: 2 added (1 assistant, 2 user)",
        ),
        ({"messages": [HELLO, ANSWER]}, {"messages": [HELLO]}, "messages: 1 removed (1 assistant)"),
        (
            {"messages": [HELLO, ANSWER]},
            {"messages": [HELLO, {"role": "assistant", "content": "no"}, HELLO]},
            "messages: 1 added (2 user), 1 changed (1.content)",
        ),
        ({"max_tokens": 1}, {"max_tokens": 2, "stream": True}, "max_tokens: 1 -> 2; stream: added"),
        ({"tools": [{"name": "Bash"}]}, {"tools": [{"name": "Bash"}, {"name": "Read"}]}, "tools: 1 added (1 Read)"),
        (
            {"tools": [{"type": "function", "function": {"name": "f"}, "name": 1}]},
            {"tools": []},
            "tools: 1 removed (0 function)",
        ),
        (
            {"messages": [{**HELLO, "cache_control": {"type": "ephemeral"}}]},
            {"messages": [HELLO]},
            "messages: 1 changed (0.cache_control removed)",
        ),
        ({"n": list(range(9))}, {"n": []}, "n: 9 removed (0, 1, 2 and 6 more)"),
        ([1], {"a": 1}, "changed"),
    ],
)
def test_the_summary(old: Any, new: Any, summary: str) -> None:
    assert diff(side(asking(1, old)), side(asking(2, new))).summary == summary


def test_every_change_has_its_place() -> None:
    pair = diff(side(asking(1, {"messages": [HELLO]})), side(asking(2, {"messages": [HELLO, ANSWER], "stream": True})))
    assert [(change.path, change.kind) for change in pair.changes] == [("messages.1", "added"), ("stream", "added")]
    assert (pair.old, pair.new) == ("000000000001", "000000000002")
    assert pair.text.splitlines()[:2] == ["--- flow:000000000001", "+++ flow:000000000002"]


def test_without_the_text() -> None:
    assert diff(side(asking(1, {"a": 1})), side(asking(2, {"a": 2})), text=False).text == ""


def test_the_forwarded_request_is_compared_unless_the_clients_is_wanted() -> None:
    flow = asking(1, {"a": 1})
    flow.request.body = b'{"a":"client"}'
    assert side(flow).document == {"a": 1}
    assert side(flow, client=True).document == {"a": "client"}


def test_secrets_in_bodies_are_overwritten() -> None:
    one = side(asking(1, {"api_key": "first-secret"}))
    pair = diff(one, side(asking(2, {"api_key": "second-secret"})))
    assert "first-secret" not in str(pair)
    assert "second-secret" not in str(pair)
