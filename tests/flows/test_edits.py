"""What became of a prompt, in words. Most edits are told in the conversations of `test_cache`; here are their edges."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.flows.edits import Edit, first_edit, text_of
from ccproxy.flows.prefix import common, read


def edit(old: dict[str, Any], new: dict[str, Any]) -> Edit | None:
    blocks = []
    for body in (old, new):
        prompt = read(json.dumps(body).encode(), "anthropic")
        assert prompt is not None
        blocks.append(prompt.blocks)
    return first_edit(blocks[0], blocks[1], common(blocks[0], blocks[1]))


def said(*texts: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": text} for text in texts]}]}


def test_a_prompt_that_goes_on_has_no_edit() -> None:
    assert edit(said("a"), said("a", "b")) is None
    assert edit(said("a"), said("a")) is None


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (said("a", "b", "c"), said("a"), "the prompt ends 2 parts earlier"),
        (said("a", "b"), said("b"), "the user text is gone"),
        (said("b"), said("a", "b"), "the user text was put in"),
        (said("a"), said("b"), "the user text changed"),
        (said("at 8:01"), said("at 8:02"), "a time in the user text changed"),
        (said("on Mon, 2026-11-24"), said("on Tue, 2026-11-25"), "a time in the user text changed"),
        (said("turn 7"), said("turn 8"), "a number in the user text changed"),
        ({"tool_choice": {"type": "any"}}, {"tool_choice": {"type": "auto"}}, "the setting tool_choice changed"),
        ({"tool_choice": {"type": "any"}, **said("a")}, said("a"), "the setting tool_choice went"),
        (said("a"), {"thinking": {"type": "enabled"}, **said("a")}, "the setting thinking came"),
        ({"tools": [{"name": "A"}]}, {"tools": [{"name": "A"}, {"name": "B"}], **said("a")}, None),
        (
            {"tools": [{"name": "A"}], **said("a")},
            {"tools": [{"name": "A"}, {"name": "B"}], **said("a")},
            "tool B came",
        ),
        ({"tools": [{"name": "A"}, {"name": "B"}]}, {"tools": [{"name": "A"}]}, "tool B went"),
        ({"tools": [{"name": "A"}], **said("a")}, said("a"), "tool A went"),
    ],
)
def test_edits_in_words(old: dict[str, Any], new: dict[str, Any], what: str | None) -> None:
    found = edit(old, new)
    assert (found.what if found is not None else None) == what


def test_tools_that_are_moved_and_changed() -> None:
    old = {"tools": [{"name": "A"}, {"name": "B"}]}
    new = {"tools": [{"name": "B", "description": "b"}, {"name": "A"}]}
    found = edit(old, new)
    assert found is not None
    assert found.what == "the tools come in another order, and some have changed"
    assert (found.before, found.after) == ("A, B", "B, A")


def test_what_stands_around_the_difference_is_shown() -> None:
    found = edit(said("x" * 100 + "old" + "y" * 100), said("x" * 100 + "new" + "y" * 100))
    assert found is not None
    assert found.before == f"…{'x' * 24}old{'y' * 45}"
    assert found.after == f"…{'x' * 24}new{'y' * 45}"


def test_the_words_of_parts() -> None:
    content = [{"type": "text", "text": "t"}, {"type": "thinking", "thinking": "h"}, {"type": "image", "source": {}}]
    prompt = read(json.dumps({"messages": [{"role": "user", "content": content}]}).encode(), "anthropic")
    assert prompt is not None
    assert [text_of(block) for block in prompt.blocks] == ["t", "h", '{"type":"image","source":{}}']


bodies = st.builds(
    lambda texts, names: {"tools": [{"name": name} for name in names], **said(*texts)},
    st.lists(st.sampled_from("abc12"), max_size=6),
    st.lists(st.sampled_from("ABC"), max_size=3),
)


@given(bodies, bodies)
def test_any_two_prompts_can_be_compared(old: dict[str, Any], new: dict[str, Any]) -> None:
    found = edit(old, new)
    assert found is None or found.what
