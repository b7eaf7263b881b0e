"""Who changed this: the client's request against the one that went out."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from ccproxy.exchange.hooks import HookResult
from ccproxy.flows.compare import Change, cause_lines, compare, render
from ccproxy.flows.model import Flow
from ccproxy.lightllm.ir.losses import Loss

from .support import make_flow


def flow(before: Any, after: Any, *, headers: Any = (), sent: Any = (), **fields: Any) -> Flow:
    """A flow whose client sent the body `before` and whose provider got `after`."""
    made = make_flow(**fields)
    made.request.body = before if isinstance(before, bytes) else json.dumps(before).encode()
    made.request.headers = [("Host", "localhost"), ("Content-Type", "application/json"), *headers]
    forwarded = msgspec.structs.replace(made.request)
    forwarded.body = after if isinstance(after, bytes) else json.dumps(after).encode()
    forwarded.headers = [("Host", "api"), ("Content-Type", "application/json"), ("Content-Length", "9"), *sent]
    made.forwarded = forwarded
    return made


def changes(given: Flow) -> list[Change]:
    made = compare(given)
    assert made is not None
    return list(made.changes)


def test_nothing_went_out() -> None:
    made = make_flow()
    made.forwarded = None
    assert compare(made) is None


def test_what_went_out_as_it_came_has_no_change() -> None:
    made = compare(flow({"a": 1}, {"a": 1}))
    assert made is not None
    assert (made.changes, made.text) == ((), "")
    assert "the request went out as it came" in render(made)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"a": 1}, {"a": 2}, [("body.a", "changed", "1", "2")]),
        ({"a": 1}, {"a": True}, [("body.a", "changed", "1", "true")]),
        ({}, {"a": None}, [("body.a", "added", "", "null")]),
        ({"a": {"b": []}}, {"a": {}}, [("body.a.b", "removed", "[]", "")]),
        ({"m": [1, 2, 3]}, {"m": [1, 3]}, [("body.m.1", "removed", "2", "")]),
        ({"m": [{"x": 1}]}, {"m": [{"y": 0}, {"x": 1}]}, [("body.m.0", "added", "", '{"y":0}')]),
        ({"m": [{"x": 1}, 5]}, {"m": [{"x": 2}, 5]}, [("body.m.0.x", "changed", "1", "2")]),
        ([1], {"a": 1}, [("body", "changed", "[1]", '{"a":1}')]),
        (b"no json", b"no json!", [("body", "changed", "7 bytes", "8 bytes")]),
    ],
)
def test_bodies_are_compared_by_their_structure(before: Any, after: Any, expected: list[Any]) -> None:
    found = changes(flow(before, after))
    assert [(change.path, change.kind, change.before, change.after) for change in found] == expected


def test_every_change_is_put_down_to_what_caused_it() -> None:
    hooks = [
        HookResult("set_model", "inbound", 1, changed=["body.model"]),
        HookResult("note", "outbound", 1, changed=["body.system", "headers.x-team"]),
    ]
    given = flow(
        {"model": "a", "system": [{"text": "x"}]},
        {"model": "b", "system": [{"text": "y"}], "store": False},
        headers=[("X-Api-Key", "[redacted]")],
        sent=[("x-api-key", "[other]"), ("x-team", "blue")],
        hooks=hooks,
        losses=[Loss("store", "defaulted", target="false", reason="the backend wants it")],
    )
    assert {change.path: change.causes for change in changes(given)} == {
        "headers.x-api-key": ("credential",),
        "headers.x-team": ("hook note (outbound)",),
        "body.model": ("hook set_model (inbound)",),
        "body.system.0.text": ("hook note (outbound)",),
        "body.store": ("the backend wants it",),
    }


def test_a_rule_that_sends_elsewhere_and_asks_for_another_model() -> None:
    given = flow({"model": "a"}, {"model": "b"}, reason="rule 2")
    assert given.forwarded is not None
    given.forwarded.host = "api.example.com"
    found = {change.path: change.causes for change in changes(given)}
    assert found == {"url": ("route: rule 2",), "body.model": ("route: rule 2",)}


def test_a_conversion_is_one_change_with_its_losses_and_a_text_diff() -> None:
    given = flow(
        {"system": "s", "max_tokens": 3},
        {"messages": [{"role": "system", "content": "s"}]},
        upstream_dialect="openai",
        losses=[Loss("sampling.top_k", "dropped", "3", "", "the target does not take it")],
    )
    made = compare(given)
    assert made is not None
    assert [(change.path, change.causes) for change in made.changes] == [
        ("body", ("conversion from anthropic to openai",))
    ]
    page = render(made)
    assert "sampling.top_k: dropped; the target does not take it" in page
    assert '-  "system": "s"' in page
    assert '+  "messages": [' in page


def test_raw_is_a_text_diff_and_the_page_is_safe_for_a_terminal() -> None:
    made = compare(flow({"a": "x\x1b[2J"}, {"a": "y\x1b[2J" * 400}))
    assert made is not None
    page, raw = render(made), render(made, raw=True)
    assert "\x1b" not in page + raw
    assert "body.a changed" in page
    assert "characters)" in page
    assert "body.a changed" not in raw
    assert "--- client:" in raw


def test_bodies_that_nothing_changed_are_said_to_be_identical() -> None:
    made = compare(flow({"a": 1}, {"a": 1}))
    assert made is not None
    assert made.identical
    assert render(made).endswith(f"\n{made.id}: request bodies are identical.\n")


def test_the_causes_alone() -> None:
    made = compare(flow({"a": 1}, {"a": 2, "b": 3}))
    assert made is not None
    assert cause_lines(made) == ["  body.a changed", "    - 1", "    + 2", "  body.b added", "    + 3"]
    assert cause_lines(made, raw=True) == []
