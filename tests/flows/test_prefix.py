"""Prompts as caches see them: one prompt in each dialect, cut into the same blocks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ccproxy.flows.prefix import Prompt, common, read, weight

SCHEMA = {"type": "object"}
ANTHROPIC: dict[str, Any] = {
    "model": "m",
    "messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "t", "signature": "s"},
            {"type": "tool_use", "id": "c1", "name": "Read", "input": {}},
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "c1", "content": [
                {"type": "text", "text": "r", "cache_control": {"type": "ephemeral"}}]},
            {"type": "image", "source": {}, "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        ]},
    ],
    "system": "be careful",
    "thinking": {"type": "enabled"},
    "tools": [{"name": "Read", "input_schema": SCHEMA, "cache_control": {"type": "ephemeral"}}],
}  # fmt: skip
CHAT: dict[str, Any] = {
    "messages": [
        {"role": "system", "content": "be careful"},
        {"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "image_url", "image_url": {"url": "x"}}]},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "c1"}], "reasoning_content": "t"},
        {"role": "tool", "tool_call_id": "c1", "content": "r"},
    ],
    "response_format": {"type": "json_object"},
    "tools": [{"type": "function", "function": {"name": "Read", "parameters": SCHEMA}}],
    "prompt_cache_key": "k",
    "prompt_cache_retention": "24h",
}
RESPONSES: dict[str, Any] = {
    "instructions": "be careful",
    "input": [
        {"role": "developer", "content": "more"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]},
        {"type": "reasoning", "summary": []},
        {"type": "function_call", "name": "Read"},
        {"type": "function_call_output", "output": "r"},
    ],
    "tools": [{"type": "function", "name": "Read"}, {"type": "web_search"}],
}
GEMINI: dict[str, Any] = {
    "contents": [
        {"role": "user", "parts": [{"text": "hi"}, {"inlineData": {}}]},
        {"role": "model", "parts": [{"text": "t", "thought": True}, {"functionCall": {"name": "Read"}}]},
        {"role": "user", "parts": [{"functionResponse": {}}]},
    ],
    "tools": [{"functionDeclarations": [{"name": "Read"}]}, {"googleSearch": {}}],
    "systemInstruction": {"parts": [{"text": "be careful"}]},
}


def prompt(body: object, dialect: str) -> Prompt:
    found = read(json.dumps(body).encode(), dialect)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("body", "dialect", "blocks"),
    [
        (
            ANTHROPIC,
            "anthropic",
            {
                "body.tools.0": "tool Read",
                "body.system": "system text",
                "body.thinking": "setting thinking",
                "body.messages.0.content": "user text",
                "body.messages.1.content.0": "assistant thinking",
                "body.messages.1.content.1": "assistant tool call",
                "body.messages.2.content.0": "user tool result",
                "body.messages.2.content.1": "user image",
            },
        ),
        (
            CHAT,
            "openai",
            {
                "body.response_format": "setting response_format",
                "body.tools.0": "tool Read",
                "body.messages.0.content": "system text",
                "body.messages.1.content.0": "user text",
                "body.messages.1.content.1": "user image",
                "body.messages.2.tool_calls": "assistant tool call",
                "body.messages.2.reasoning_content": "assistant thinking",
                "body.messages.3.content": "tool text",
            },
        ),
        (
            RESPONSES,
            "openai_responses",
            {
                "body.tools.0": "tool Read",
                "body.tools.1": "tool web_search",
                "body.instructions": "system text",
                "body.input.0.content": "system text",
                "body.input.1.content.0": "user text",
                "body.input.2": "thinking",
                "body.input.3": "tool call",
                "body.input.4": "tool result",
            },
        ),
        (
            GEMINI,
            "gemini",
            {
                "body.systemInstruction.parts.0": "system text",
                "body.tools.0.functionDeclarations.0": "tool Read",
                "body.tools.1": "tool googleSearch",
                "body.contents.0.parts.0": "user text",
                "body.contents.0.parts.1": "user image",
                "body.contents.1.parts.0": "model thinking",
                "body.contents.1.parts.1": "model tool call",
                "body.contents.2.parts.0": "user tool result",
            },
        ),
    ],
)
def test_each_dialect_is_cut_in_the_order_of_its_cache(body: object, dialect: str, blocks: dict[str, str]) -> None:
    found = prompt(body, dialect)
    assert {block.path: block.label for block in found.blocks} == blocks
    assert [block.path for block in found.blocks] == list(blocks)


def test_code_assist_has_its_prompt_in_an_envelope() -> None:
    found = prompt({"model": "m", "request": GEMINI}, "gemini")
    assert found.model == "m"
    assert found.blocks[0].path == "body.request.systemInstruction.parts.0"


def test_marks_are_no_part_of_what_is_compared() -> None:
    bare = json.loads(json.dumps(ANTHROPIC).replace(', "cache_control": {"type": "ephemeral"}', ""))
    marked, plain = prompt(ANTHROPIC, "anthropic"), prompt(bare, "anthropic")
    assert common(marked.blocks, plain.blocks) == 8
    assert marked.marks == (0, 7)
    assert marked.ttls == {"5m", "1h"}
    assert plain.marks == (7,)
    automatic = prompt({**bare, "cache_control": {"type": "ephemeral"}}, "anthropic")
    assert (automatic.marks, automatic.ttls) == ((7, 7), {"5m", "1h"})


def test_a_text_is_a_list_of_one_text() -> None:
    listed = {**ANTHROPIC, "system": [{"type": "text", "text": "be careful"}]}
    assert common(prompt(listed, "anthropic").blocks, prompt(ANTHROPIC, "anthropic").blocks) == 8


def test_the_order_of_keys_counts_and_the_role_does() -> None:
    one = prompt({"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}]}, "anthropic")
    two = prompt({"messages": [{"role": "user", "content": [{"text": "a", "type": "text"}]}]}, "anthropic")
    three = prompt({"messages": [{"role": "assistant", "content": [{"type": "text", "text": "a"}]}]}, "anthropic")
    assert common(one.blocks, two.blocks) == common(one.blocks, three.blocks) == 0


def test_what_openai_groups_by_is_read() -> None:
    found = prompt(CHAT, "openai")
    assert (found.cache_key, found.retention, found.kept) == ("k", "24h", "")
    assert prompt({"previous_response_id": "r1", "input": "hi"}, "openai_responses").kept == "previous_response_id"


def test_pictures_weigh_the_same_whatever_their_data() -> None:
    small, large = (
        {"messages": [{"role": "user", "content": [{"type": "image", "data": "A" * n}]}]} for n in (9, 9000)
    )
    assert weight(prompt(small, "anthropic").blocks) == weight(prompt(large, "anthropic").blocks)


@pytest.mark.parametrize(
    ("body", "dialect"), [(b"{", "anthropic"), (b"[]", "anthropic"), (b"\xff", "gemini"), (b"{}", "perplexity")]
)
def test_what_is_no_request_has_no_prompt(body: bytes, dialect: str) -> None:
    assert read(body, dialect) is None


@pytest.mark.parametrize("dialect", ["anthropic", "openai", "openai_responses", "gemini"])
@pytest.mark.parametrize(
    "value", [None, 3, "x", [], [1, "x", None], {"a": 1}, [{"content": 7}], [{"role": 3, "parts": {}}]]
)
def test_garbage_is_passed_over(dialect: str, value: object) -> None:
    names = ("messages", "input", "contents", "tools", "system", "systemInstruction", "request", "cache_control")
    assert read(json.dumps(dict.fromkeys(names, value)).encode(), dialect) is not None
