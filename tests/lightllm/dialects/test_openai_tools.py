"""Tool definitions and choices."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ccproxy.lightllm.dialect import Target
from ccproxy.lightllm.dialects.openai.dialect import COMPATIBLE
from ccproxy.lightllm.ir.parts import Text
from ccproxy.lightllm.ir.request import CustomTool, FunctionTool, HostedTool, Message, Request, Tool, ToolChoice

from ..kit import REGISTRY

OPENAI = REGISTRY.get("openai")
USER = Message("user", (Text("hi"),))
F = FunctionTool("f", {"type": "object", "properties": {}})


def write(
    *tools: Tool, target: Target | None = None, dialect: str = "other", **fields: Any
) -> tuple[dict[str, Any], dict[str, str]]:
    encoded = OPENAI.encode_request(Request("m", (USER,), dialect, tools=tools, **fields), target or Target())
    body = json.loads(encoded.body)
    return body, {loss.path: loss.word or loss.kind for loss in encoded.losses}


def read(**fields: Any) -> Request:
    return OPENAI.decode_request(json.dumps({"model": "m", "messages": [], **fields}).encode())


def test_definitions() -> None:
    body, losses = write(
        FunctionTool("a.b", {"type": "object", "properties": {}, "additionalProperties": False}, "Does.", strict=True),
        FunctionTool("c"),
        CustomTool("patch", "Patches.", "lark", "start: x"),
        HostedTool("other", "web_search", "web_search", {"type": "web_search"}),
        parallel_tools=False,
    )
    assert body["tools"] == [
        {
            "type": "function",
            "function": {
                "name": "a_b",
                "description": "Does.",
                "parameters": {"type": "object", "properties": {}, "additionalProperties": False},
                "strict": True,
            },
        },
        {"type": "function", "function": {"name": "c"}},
        {
            "type": "custom",
            "custom": {
                "name": "patch",
                "description": "Patches.",
                "format": {"type": "grammar", "grammar": {"definition": "start: x", "syntax": "lark"}},
            },
        },
    ]
    assert body["parallel_tool_calls"] is False
    assert losses == {"tools[3].web_search": "dropped"}


def test_a_server_without_freeform_tools_gets_functions() -> None:
    body, losses = write(CustomTool("patch", "Patches."), target=Target(capabilities=COMPATIBLE))
    (tool,) = body["tools"]
    assert tool["type"] == "function"
    assert tool["function"]["parameters"]["required"] == ["input"]
    assert losses == {}


def test_another_dialects_search_where_the_model_has_one() -> None:
    import msgspec

    can = msgspec.structs.replace(OPENAI.capabilities, hosted_tools=frozenset({"web_search"}))
    search = HostedTool("other", "web_search", "web_search", {"type": "web_search", "max_uses": 3})
    body, losses = write(search, target=Target(capabilities=can))
    assert body["web_search_options"] == {}
    assert losses == {"tools[0].settings": "dropped"}


def test_search_options_and_unknown_tools_are_read_as_tools() -> None:
    request = read(web_search_options={"search_context_size": "low"}, tools=[{"type": "x_search", "x": 1}])
    assert [(tool.kind, tool.name) for tool in request.tools if isinstance(tool, HostedTool)] == [
        ("x_search", "x_search"),
        ("web_search", "web_search"),
    ]
    body = json.loads(OPENAI.encode_request(request, Target()).body)
    assert body["web_search_options"] == {"search_context_size": "low"}
    assert body["tools"] == [{"type": "x_search", "x": 1}]
    encoded = REGISTRY.get("anthropic").encode_request(request, Target())
    assert [tool["name"] for tool in json.loads(encoded.body)["tools"]] == ["web_search"]


@pytest.mark.parametrize(
    ("choice", "written"),
    [
        (ToolChoice("auto"), "auto"),
        (ToolChoice("required"), "required"),
        (ToolChoice("none"), "none"),
        (ToolChoice("tool", "f"), {"type": "function", "function": {"name": "f"}}),
        (ToolChoice("tool", "p"), {"type": "custom", "custom": {"name": "p"}}),
        (
            ToolChoice("required", allowed=("f", "p")),
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "required",
                    "tools": [
                        {"type": "function", "function": {"name": "f"}},
                        {"type": "custom", "custom": {"name": "p"}},
                    ],
                },
            },
        ),
    ],
)
def test_choices_there_and_back(choice: ToolChoice, written: Any) -> None:
    body, losses = write(F, CustomTool("p"), tool_choice=choice)
    assert body["tool_choice"] == written
    assert losses == {}
    assert read(tools=body["tools"], tool_choice=written).tool_choice == choice


def test_a_choice_without_tools() -> None:
    body, losses = write(tool_choice=ToolChoice("auto"), parallel_tools=False)
    assert "tool_choice" not in body
    assert "parallel_tool_calls" not in body
    assert losses == {}
    assert write(tool_choice=ToolChoice("required"))[1] == {"tool_choice": "dropped"}


def test_the_old_form() -> None:
    for choice, mode in (("auto", "auto"), ("none", "none"), ({"name": "f"}, "tool")):
        request = read(functions=[{"name": "f", "parameters": {"type": "object"}}], function_call=choice)
        assert request.tool_choice is not None
        assert request.tool_choice.mode == mode
        assert request.tools == (FunctionTool("f", {"type": "object"}),)
        body = json.loads(OPENAI.encode_request(request, Target()).body)
        assert (body["functions"], body["function_call"]) == ([{"name": "f", "parameters": {"type": "object"}}], choice)
        assert "tools" not in body
        encoded = REGISTRY.get("anthropic").encode_request(request, Target())
        assert [loss.path for loss in encoded.losses] == ["max_tokens"]


def test_a_schema_is_brought_within_what_openai_takes() -> None:
    branches = [{"properties": {"a": {"type": "string"}}, "required": ["a"]}, {"properties": {"b": {}}}]
    body, losses = write(FunctionTool("f", {"anyOf": branches}), FunctionTool("g", {"$ref": "#/x", "type": "object"}))
    parameters = body["tools"][0]["function"]["parameters"]
    assert (parameters["type"], set(parameters["properties"])) == ("object", {"a", "b"})
    assert set(losses.values()) == {"approximated"}
    # Strict schemas are narrower: one that is not within them binds no longer.
    body, losses = write(FunctionTool("f", {"type": "object", "properties": {"a": {}}}, strict=True))
    assert body["tools"][0]["function"]["strict"] is False
    assert losses == {"tools[0].strict": "approximated"}
    # The same dialect's own stay as they are.
    body, losses = write(FunctionTool("f", {"anyOf": branches}, strict=True), dialect="openai")
    assert body["tools"][0]["function"] == {"name": "f", "parameters": {"anyOf": branches}, "strict": True}
    assert losses == {}


def test_extras_of_definitions_come_back() -> None:
    tools = [
        {"type": "function", "function": {"name": "f", "x": 1}, "y": 2, "cache_control": {"type": "ephemeral"}},
        {"type": "custom", "custom": {"name": "p", "format": {"type": "text"}}},
    ]
    body = json.loads(OPENAI.encode_request(read(tools=tools), Target()).body)
    assert body["tools"] == [tools[0], {"type": "custom", "custom": {"name": "p"}}]
    encoded = REGISTRY.get("anthropic").encode_request(read(tools=tools, max_tokens=9), Target())
    assert json.loads(encoded.body)["tools"][0]["cache_control"] == {"type": "ephemeral"}
    assert [loss.path for loss in encoded.losses] == ["tools[0].y", "tools[0].function.x"]
