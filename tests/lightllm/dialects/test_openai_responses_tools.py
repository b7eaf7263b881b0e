"""Tools: every type that a Codex request may have, to another dialect and back."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import pytest

from ccproxy.errors import BadRequest
from ccproxy.lightllm.dialect import Context, Target
from ccproxy.lightllm.ir.parts import Text, ToolCall, ToolResult
from ccproxy.lightllm.ir.request import CustomTool, FunctionTool, HostedTool, Message, Request, ToolChoice
from ccproxy.lightllm.translate import DocumentTranslator, filters_of

from ..kit import CASES, REGISTRY

RESPONSES = REGISTRY.get("openai_responses")
ANTHROPIC = REGISTRY.get("anthropic")
USER = Message("user", (Text("hi"),))

EVERY_TOOL = (CASES / "openai_responses" / "request-builtin-tools" / "request.json").read_bytes()


def write(*tools: Any, **fields: Any) -> tuple[dict[str, Any], dict[str, str]]:
    request = Request(**{"model": "m", "messages": (USER,), "dialect": "other", "tools": tools, **fields})
    encoded = RESPONSES.encode_request(request, Target())
    return json.loads(encoded.body), {loss.path: loss.kind for loss in encoded.losses}


def read(**fields: Any) -> Request:
    return RESPONSES.decode_request(json.dumps({"model": "m", "input": "hi", **fields}).encode())


# Every builtin tool of a Codex request to Messages and back


def test_every_builtin_tool_goes_to_anthropic_by_name_or_into_the_ledger() -> None:
    encoded = ANTHROPIC.encode_request(RESPONSES.decode_request(EVERY_TOOL), Target())
    tools = json.loads(encoded.body)["tools"]
    assert [tool["name"] for tool in tools] == [
        "read_file",
        "apply_edit",
        "note",
        "crm__find",
        "crm__query",
        "web_search",
        "local_shell",
        "shell",
        "apply_patch",
    ]
    assert all(tool.get("input_schema") or tool["type"].startswith("web_search") for tool in tools)
    assert tools[1]["input_schema"]["required"] == ["input"]
    assert "*** Begin Patch" in tools[1]["description"]
    dropped = {loss.path for loss in encoded.losses if loss.kind == "dropped"}
    assert {
        "tools[5].settings",
        "tools[6].web_search",
        "tools[7].file_search",
        "tools[8].code_execution",
        "tools[9].image_generation",
        "tools[10].mcp",
        "tools[11].computer",
        "tools[12].computer",
        "tools[13].type",
        "tools[14].type",
        "tools[14].environment",
        "tools[15].type",
        "tools[16].tool_search",
        "tools[17].programmatic_tool_calling",
        "tools[3].defer_loading",
        "namespaces.crm",
    } <= dropped


def answered(*blocks: dict[str, Any]) -> list[dict[str, Any]]:
    """The items a Codex client gets when the Anthropic model calls these tools."""
    request = RESPONSES.decode_request(EVERY_TOOL)
    encoded = ANTHROPIC.encode_request(request, Target())
    translator = DocumentTranslator(ANTHROPIC, RESPONSES, Context(request), filters=filters_of(encoded))
    body = {"id": "msg_1", "model": "c", "content": list(blocks), "stop_reason": "tool_use", "usage": {}}
    answer = translator.translate(json.dumps(body).encode())
    assert answer.status == 200
    output: list[dict[str, Any]] = json.loads(answer.body)["output"]
    return output


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": f"toolu_{name}", "name": name, "input": arguments}


def test_the_calls_come_back_as_the_items_codex_knows() -> None:
    items = answered(
        call("read_file", path="a"),
        call("apply_edit", input="*** Begin Patch\n*** End Patch\n"),
        call("crm__find", path="b"),
        call("crm__query", input="select 1"),
        call("local_shell", command=["ls"], timeout_ms=5),
        call("shell", commands=["ls"]),
        call("apply_patch", type="delete_file", path="a.py"),
    )
    for item in items:
        assert item.pop("id")
        assert item.pop("status") == "completed"
    assert items == [
        {"type": "function_call", "call_id": "toolu_read_file", "name": "read_file", "arguments": '{"path":"a"}'},
        {
            "type": "custom_tool_call",
            "call_id": "toolu_apply_edit",
            "name": "apply_edit",
            "input": "*** Begin Patch\n*** End Patch\n",
        },
        {
            "type": "function_call",
            "call_id": "toolu_crm__find",
            "name": "find",
            "namespace": "crm",
            "arguments": '{"path":"b"}',
        },
        {
            "type": "custom_tool_call",
            "call_id": "toolu_crm__query",
            "name": "query",
            "namespace": "crm",
            "input": "select 1",
        },
        {
            "type": "local_shell_call",
            "call_id": "toolu_local_shell",
            "action": {"type": "exec", "command": ["ls"], "env": {}, "timeout_ms": 5},
        },
        {"type": "shell_call", "call_id": "toolu_shell", "action": {"commands": ["ls"]}},
        {
            "type": "apply_patch_call",
            "call_id": "toolu_apply_patch",
            "operation": {"type": "delete_file", "path": "a.py"},
        },
    ]


def test_calls_with_missing_or_broken_arguments_are_calls_still() -> None:
    items = answered(call("local_shell"), call("shell"), call("apply_patch", path="a"))
    assert items[0]["action"] == {"type": "exec", "command": [], "env": {}}
    assert items[1]["action"] == {"commands": []}
    assert items[2]["operation"] == {"type": "update_file", "path": "a", "diff": ""}


def test_the_clients_own_calls_and_results_go_to_anthropic_as_functions() -> None:
    history = (CASES / "openai_responses" / "request-builtin-history" / "request.json").read_bytes()
    body = json.loads(ANTHROPIC.encode_request(RESPONSES.decode_request(history), Target()).body)
    assert [tool["name"] for tool in body["tools"]] == ["local_shell", "shell", "apply_patch"]
    assert body["tool_choice"] == {"type": "tool", "name": "apply_patch"}
    calls = [block for message in body["messages"] for block in message["content"] if "input" in block]
    results = [block for message in body["messages"] for block in message["content"] if "tool_use_id" in block]
    assert [(block["id"], block["name"]) for block in calls] == [
        ("call_1", "local_shell"),
        ("call_2", "shell"),
        ("call_3", "apply_patch"),
    ]
    assert calls[0]["input"] == {"command": ["ls", "-la"], "timeout_ms": 1000, "working_directory": "/w"}
    assert [block["tool_use_id"] for block in results] == ["call_1", "call_2", "call_3"]
    assert results[0]["content"] == "a.py\n"
    assert json.loads(results[1]["content"])[0]["stdout"] == "x = 1\n"
    assert (results[2]["content"], results[2]["is_error"]) == ("no such line", True)


def test_results_of_these_tools_that_are_no_list_or_have_two_ids() -> None:
    request = read(
        tools=[{"type": "shell"}],
        input=[
            {"type": "shell_call_output", "call_id": "c", "output": "plain"},
            {"type": "local_shell_call_output", "id": "o", "call_id": "d", "output": "x"},
            {"type": "apply_patch_call_output", "call_id": "e", "status": "completed"},
        ],
    )
    written = json.loads(RESPONSES.encode_request(request, Target()).body)["input"]
    assert written[0]["output"] == [{"stdout": "plain", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}]
    assert written[1] == {"type": "local_shell_call_output", "id": "o", "call_id": "d", "output": "x"}
    assert written[2] == {"type": "apply_patch_call_output", "call_id": "e", "status": "completed"}


def test_a_tool_of_the_clients_with_the_name_of_a_builtin_one_wins() -> None:
    request = read(tools=[{"type": "shell"}, {"type": "function", "name": "shell", "parameters": {}}])
    assert isinstance(request.tools[0], HostedTool)
    assert isinstance(request.tools[1], FunctionTool)


def test_a_shell_in_openais_containers_is_openais() -> None:
    request = read(tools=[{"type": "shell", "environment": {"type": "container_auto"}}])
    assert request.tools == (
        HostedTool("openai_responses", "shell", "shell", {"type": "shell", "environment": {"type": "container_auto"}}),
    )


# Definitions


def test_functions_of_other_dialects() -> None:
    strict = {"type": "object", "properties": {"a": {}}, "required": ["a"], "additionalProperties": False}
    body, losses = write(
        FunctionTool("a.b", {"properties": {"x": {"type": "string"}}}, "Does."),
        FunctionTool("c"),
        FunctionTool("d", strict, strict=True),
        FunctionTool("e", {"type": "object", "properties": {"a": {}}, "additionalProperties": True}, strict=True),
        FunctionTool("f", {"anyOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}]}),
        CustomTool("g", "Edits.", "regex", "a+", namespace="edit"),
        FunctionTool("h", namespace="edit"),
        FunctionTool("i", namespace="other"),
        HostedTool("anthropic", "web_search", "web_search", {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}),
        HostedTool("anthropic", "memory", "memory", {"type": "memory_20250818"}),
    )  # fmt: skip
    tools = body["tools"]
    assert tools[0] == {
        "type": "function",
        "name": "a_b",
        "description": "Does.",
        "parameters": {"type": "object", "properties": {"x": {"type": "string"}}},
        "strict": False,
    }
    assert tools[1]["parameters"] == {"type": "object", "properties": {}}
    assert [tool.get("strict") for tool in tools[2:5]] == [True, False, False]
    assert not {"anyOf", "oneOf"} & set(tools[4]["parameters"])
    assert [(tool["name"], [inner["name"] for inner in tool["tools"]]) for tool in tools[5:7]] == [
        ("edit", ["g", "h"]),
        ("other", ["i"]),
    ]
    assert tools[5]["description"]
    assert tools[5]["tools"][0]["format"] == {"type": "grammar", "syntax": "regex", "definition": "a+"}
    assert tools[7] == {"type": "web_search"}
    assert losses["tools[8].settings"] == "dropped"
    assert losses["tools[9].memory"] == "dropped"
    assert losses["tools[3].strict"] == "approximated"


def test_an_absent_strict_is_not_false() -> None:
    """OpenAI then tries to be strict; other dialects do not."""
    request = read(tools=[{"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}])
    (tool,) = json.loads(RESPONSES.encode_request(request, Target()).body)["tools"]
    assert tool["strict"] is None
    (tool,) = json.loads(ANTHROPIC.encode_request(request, Target()).body)["tools"]
    assert "strict" not in tool


def test_groups_keep_what_is_said_about_them() -> None:
    tools = [
        {"type": "namespace", "name": "a", "description": "A.", "tools": [], "new": 1},
        {
            "type": "namespace",
            "name": "b",
            "description": "B.",
            "tools": [{"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}, "strict": False}, {"type": "mcp", "server_label": "x"}],
        },
    ]  # fmt: skip
    request = read(tools=tools)
    assert request.namespaces == {"a": "A.", "b": "B."}
    written = json.loads(RESPONSES.encode_request(request, Target()).body)["tools"]
    assert {"type": "namespace", "name": "a", "description": "A.", "new": 1, "tools": []} in written
    assert [tool["name"] for tool in written if tool.get("description") == "B."] == ["b"]
    assert {"type": "namespace", "name": "b", "tools": [{"type": "mcp", "server_label": "x"}]} in written


# Choice


@pytest.mark.parametrize(
    ("choice", "written"),
    [
        (None, None),
        (ToolChoice("auto"), "auto"),
        (ToolChoice("required"), "required"),
        (ToolChoice("none"), "none"),
        (ToolChoice("tool", "f"), {"type": "function", "name": "f"}),
        (ToolChoice("tool", "g"), {"type": "custom", "name": "g"}),
        (ToolChoice("tool", "web_search"), {"type": "web_search"}),
        (
            ToolChoice("required", allowed=("f", "g")),
            {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "function", "name": "f"}, {"type": "custom", "name": "g"}],
            },
        ),
    ],
)
def test_choices_of_other_dialects(choice: ToolChoice | None, written: Any) -> None:
    tools = (FunctionTool("f"), CustomTool("g"), HostedTool("anthropic", "web_search", "web_search", {}))
    body, losses = write(*tools, tool_choice=choice, parallel_tools=False)
    assert body.get("tool_choice") == written
    assert body["parallel_tool_calls"] is False
    assert losses == {}


@pytest.mark.parametrize(
    "choice",
    [
        "auto",
        {"type": "function", "name": "f"},
        {"type": "mcp", "server_label": "s", "name": "ask"},
        {"type": "web_search_preview"},
        {"type": "apply_patch"},
        {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "apply_patch"}, {"type": "web_search_preview"}]},
    ],
)
def test_its_own_choices_come_back_as_they_were(choice: Any) -> None:
    request = read(
        tools=[
            {"type": "function", "name": "f", "parameters": {}},
            {"type": "mcp", "server_label": "s"},
            {"type": "web_search_preview"},
            {"type": "apply_patch"},
        ],
        tool_choice=choice,
    )
    assert json.loads(RESPONSES.encode_request(request, Target()).body)["tool_choice"] == choice


def test_a_custom_tool_of_a_chat_or_gemini_target_is_wrapped_both_ways() -> None:
    """The freeform text is the one argument of a function, in the history and in the answer."""
    request = read(
        tools=[{"type": "custom", "name": "apply_patch"}],
        input=[
            {"type": "custom_tool_call", "call_id": "c", "name": "apply_patch", "input": "text"},
            {"type": "custom_tool_call_output", "call_id": "c", "output": "ok"},
        ],
    )
    assert request.messages[0].parts == (ToolCall("c", "apply_patch", "text", "custom"),)
    assert request.messages[1].parts == (ToolResult("c", (Text("ok"),), kind="custom"),)
    body = json.loads(ANTHROPIC.encode_request(request, Target()).body)
    assert body["messages"][0]["content"][0]["input"] == {"input": "text"}


class TestAdditionalTools:
    """Codex tells its newer models the tools in an item of the conversation."""

    BODY: ClassVar[dict[str, Any]] = {
        "model": "m",
        "input": [
            {
                "type": "additional_tools",
                "id": "at_1",
                "role": "developer",
                "tools": [
                    {
                        "type": "namespace",
                        "name": "functions",
                        "description": "",
                        "tools": [{"type": "custom", "name": "exec", "description": "runs"}],
                    },
                    {
                        "type": "function",
                        "name": "late",
                        "parameters": {"type": "object", "properties": {}},
                        "strict": False,
                    },
                ],
            },
            {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "You are a coder."}]},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]},
        ],
        "tools": [
            {"type": "function", "name": "early", "parameters": {"type": "object", "properties": {}}, "strict": False}
        ],
    }

    def test_they_stay_where_they_are_within_the_dialect(self) -> None:
        request = RESPONSES.decode_request(json.dumps(self.BODY).encode())
        assert json.loads(RESPONSES.encode_request(request, Target()).body) == self.BODY

    @pytest.mark.parametrize("name", ["anthropic", "openai", "gemini"])
    def test_another_dialect_gets_them_with_the_others(self, name: str) -> None:
        request = RESPONSES.decode_request(json.dumps(self.BODY).encode())
        encoded = REGISTRY.get(name).encode_request(request, Target())
        assert [tool.name for tool in encoded.request.tools] == ["functions__exec", "late", "early"]
        assert [message.role for message in encoded.request.messages if "user" in message.role] == ["user"]
        assert ("messages[0].parts[0].additional_tools", "moved") in {(loss.path, loss.word) for loss in encoded.losses}
        assert not [loss for loss in encoded.losses if loss.path in {"additional_tools", "messages[0]"}]
        assert not [loss for loss in encoded.losses if loss.path.endswith(".role")]

    def test_of_two_with_one_name_the_later_counts(self) -> None:
        again = {**self.BODY["input"][0], "tools": [{"type": "function", "name": "late", "description": "new"}]}
        request = RESPONSES.decode_request(json.dumps({**self.BODY, "input": [*self.BODY["input"], again]}).encode())
        found = [tool for tool in request.tools if isinstance(tool, FunctionTool) and tool.name == "late"]
        assert [tool.description for tool in found] == ["new"]

    def test_what_is_no_tool_is_refused_with_its_place(self) -> None:
        broken = {**self.BODY["input"][0], "tools": [{"type": "function"}]}
        with pytest.raises(BadRequest, match=r"input\.additional_tools\[0\]\.tools\[0\]\.name"):
            RESPONSES.decode_request(json.dumps({**self.BODY, "input": [broken]}).encode())
