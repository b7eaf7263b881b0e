"""What a target cannot say: left out and recorded, put another way and recorded, or refused by name."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ccproxy.errors import Untranslatable
from ccproxy.lightllm.adapt import Adapted, adapt
from ccproxy.lightllm.dialect import Capabilities, Target
from ccproxy.lightllm.ir.losses import LossLedger
from ccproxy.lightllm.ir.parts import (
    CacheMark,
    Image,
    Opaque,
    Source,
    Text,
    ToolCall,
    ToolResult,
)
from ccproxy.lightllm.ir.request import (
    CustomTool,
    FunctionTool,
    HostedTool,
    Message,
    Reasoning,
    Request,
    Sampling,
    State,
    ToolChoice,
)
from ccproxy.lightllm.schema_rules import GEMINI_JSON, OPENAI_STRICT
from ccproxy.lightllm.toolnames import Original

USER = Message("user", (Text("hi"),))


def run(
    capabilities: Capabilities | None = None, target: Target | None = None, /, **fields: Any
) -> tuple[Adapted, dict[str, str]]:
    """The request with these fields for a target of the dialect `there`, and its losses: path → word."""
    ledger = LossLedger()
    request = Request(**{"model": "m", "messages": (USER,), "dialect": "here", **fields})
    adapted = adapt(request, "there", target or Target(), capabilities or Capabilities(), ledger)
    return adapted, {loss.path: loss.word or loss.kind for loss in ledger}


def test_a_plain_request_passes_without_a_loss() -> None:
    adapted, losses = run(max_tokens=5, stop=("a",), sampling=Sampling(1, 0.5), tools=(FunctionTool("f"),))
    assert losses == {}
    assert adapted.request.messages == (USER,)
    assert adapted.request.messages[0] is USER
    assert adapted.stop == ()


def test_model_and_stream_are_the_targets() -> None:
    adapted, _ = run(None, Target(model="other", stream=True))
    assert (adapted.request.model, adapted.request.stream, adapted.request.dialect) == ("other", True, "there")


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (State(previous_response="r"), "previous_response_id"),
        (State(conversation="c"), "conversation"),
        (State(background=True), "background"),
        (State(store=True), "store"),
        (State(thread=True), "thread"),
        (State(prompt="p"), "prompt"),
    ],
)
def test_state_of_another_provider_is_refused(state: State, word: str) -> None:
    with pytest.raises(Untranslatable, match=f"^{word} refers") as raised:
        run(state=state)
    assert raised.value.param == word
    assert run(state=State(store=False))[1] == {}


def test_several_candidates_are_refused() -> None:
    with pytest.raises(Untranslatable, match="3 candidates"):
        run(candidates=3)
    run(candidates=1)


def test_extras_of_every_place_are_dropped_and_named() -> None:
    adapted, losses = run(
        extras={"service_tier": "auto", "unset": None},
        messages=(
            Message(
                "user",
                (Text("a", extras={"x": 1}), ToolResult("i", (Text("r", extras={"z": 1}),))),
                extras={"id": "m1"},
            ),
        ),
        tools=(FunctionTool("f", extras={"defer_loading": True}),),
        reasoning=Reasoning("on", extras={"display": "updates"}),
        tool_choice=ToolChoice("auto", extras={"q": 1}),
    )
    assert set(losses) == {
        "service_tier",
        "messages[0].parts[0].x",
        "messages[0].parts[1].content[0].z",
        "messages[0].id",
        "tools[0].defer_loading",
        "reasoning.display",
        "tool_choice.q",
    }
    assert set(losses.values()) == {"dropped"}
    text = msgspec.json.encode(adapted.request).decode()
    assert "extras" not in text


def test_the_same_dialect_keeps_everything() -> None:
    ledger = LossLedger()
    request = Request("m", (USER,), "there", extras={"x": 1}, candidates=4, state=State(store=True))
    assert adapt(request, "there", Target(), Capabilities(), ledger).request == request
    assert len(ledger) == 0


def test_media_of_results_follow_in_one_user_message() -> None:
    picture, other = Image(Source("base64", "a", "image/png")), Image(Source("base64", "b", "image/png"))
    turn = Message(
        "user",
        (
            ToolResult("1", (Text("see"), picture)),
            ToolResult("2", (other,), is_error=True),
            ToolResult("3", (Text("x"),)),
            Text("and?"),
        ),
    )
    adapted, losses = run(Capabilities(result_media=False), messages=(turn,))
    results, media = adapted.request.messages
    note = Text("The result is in the message after the tool results.")
    assert results.parts == (
        ToolResult("1", (Text("see"),)),
        ToolResult("2", (note,), is_error=True),
        ToolResult("3", (Text("x"),)),
    )
    assert media.parts == (
        Text("From the result of tool call 1:"),
        picture,
        Text("From the result of tool call 2:"),
        other,
        Text("and?"),
    )
    assert losses == {"messages[0].parts[0].content": "approximated", "messages[0].parts[1].content": "approximated"}
    assert run(messages=(turn,))[0].request.messages == (turn,)


def test_instructions_in_mid_conversation() -> None:
    messages = (Message("developer", (Text("a"),)), USER, Message("system", (Text("b"),)))
    assert run(messages=messages)[0].request.messages == messages
    adapted, losses = run(Capabilities(system_anywhere=False), messages=messages)
    assert adapted.request.messages == (*messages[:2], Message("user", (Text("<system>\nb\n</system>"),)))
    assert losses == {"messages[2].role": "approximated"}


TOOLS = (
    FunctionTool("f.x", namespace="g", cache=CacheMark()),
    CustomTool("patch", "Edits.", "lark", "start: x"),
    HostedTool("here", "web_search", "web_search", {"type": "ws"}),
    HostedTool("here", "computer", "computer", {"type": "c"}),
)


def test_tools_of_other_kinds_and_names() -> None:
    adapted, losses = run(
        Capabilities(hosted_tools=frozenset({"web_search"})),
        tools=TOOLS,
        tool_choice=ToolChoice("tool", "patch"),
        messages=(
            Message("assistant", (ToolCall("1", "f.x", "{}", namespace="g"), ToolCall("2", "patch", "text", "custom"))),
            Message("user", (ToolResult("1", name="f.x"), ToolResult("2", kind="custom"))),
        ),
    )
    first, second, third = adapted.request.tools
    assert first == FunctionTool("g__f_x")
    assert isinstance(second, FunctionTool)
    assert second.name == "patch"
    assert second.schema is not None
    assert second.schema["required"] == ["input"]
    assert "start: x" in second.description
    assert third == TOOLS[2]
    assert losses == {
        "tools[0].cache_control": "dropped",
        "tools[1].format": "approximated",
        "tools[3].computer": "dropped",
    }
    assert adapted.request.tool_choice == ToolChoice("tool", "patch")
    assert adapted.request.messages[0].parts == (
        ToolCall("1", "g__f_x", "{}"),
        ToolCall("2", "patch", '{"input":"text"}'),
    )
    assert adapted.names.renamed() == {
        ("", "g__f_x"): Original("g", "f.x", "function"),
        ("", "patch"): Original("", "patch", "custom"),
    }


def test_a_choice_of_a_tool_that_is_gone() -> None:
    adapted, losses = run(tools=TOOLS[3:], tool_choice=ToolChoice("required"))
    assert adapted.request.tool_choice is None
    assert losses["tool_choice"] == "dropped"
    adapted, losses = run(tools=(FunctionTool("f"), TOOLS[3]), tool_choice=ToolChoice("tool", "computer"))
    assert adapted.request.tool_choice == ToolChoice("auto")
    assert losses["tool_choice.name"] == "approximated"
    adapted, losses = run(tools=(FunctionTool("f"),), tool_choice=ToolChoice("auto", allowed=("f",)))
    assert adapted.request.tool_choice == ToolChoice("auto")
    assert losses == {"tool_choice.allowed": "approximated"}
    adapted, _ = run(
        Capabilities(allowed_tools=True), tools=(FunctionTool("f x"),), tool_choice=ToolChoice("auto", allowed=("f x",))
    )
    assert adapted.request.tool_choice == ToolChoice("auto", allowed=("f_x",))


def test_repair_only_where_it_is_asked_for() -> None:
    broken = (Message("user", (ToolResult("9"),)),)
    assert run(messages=broken)[0].request.messages == broken
    adapted, losses = run(None, Target(repair=True), messages=broken)
    assert adapted.request.messages != broken
    assert set(losses.values()) == {"repaired"}


def test_consecutive_requests_stay_prefixes_of_each_other() -> None:
    history = [
        Message("system", (Text("s"),)),
        USER,
        Message("assistant", (ToolCall("a:1", "f.x"),)),
        Message("user", (ToolResult("a:1", (Text("r"), Image(Source("base64", "a", "image/png")))),)),
        Message("assistant", (Text("done"),)),
        USER,
    ]
    capabilities = Capabilities(result_media=False, system_anywhere=False)
    seen: tuple[Message, ...] = ()
    for length in range(2, len(history) + 1):
        messages = run(capabilities, messages=tuple(history[:length]), tools=(FunctionTool("f.x"),))[0].request.messages
        assert messages[: len(seen)] == seen
        seen = messages


def test_a_part_for_the_clients_provider_is_left_out() -> None:
    part = Opaque("here", "billing_header", {}, for_provider=True)
    adapted, losses = run(system=(part, Text("s")))
    assert adapted.request.system == (Text("s"),)
    assert losses == {"system[0].billing_header": "dropped"}


def test_what_is_said_about_a_group_of_tools_is_recorded() -> None:
    tools = (FunctionTool("f", namespace="g"),)
    adapted, losses = run(tools=tools, namespaces={"g": "Tools of g.", "empty": ""})
    assert adapted.request.namespaces == {}
    assert losses == {"namespaces.g": "dropped"}
    adapted, losses = run(Capabilities(namespaces=True), tools=tools, namespaces={"g": "Tools of g."})
    assert adapted.request.namespaces == {"g": "Tools of g."}
    assert losses == {}


def test_schemas_of_tools_are_brought_within_the_rules_of_another_dialect() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "minLength": 1}}}
    narrow = Capabilities(schema=GEMINI_JSON)
    adapted, losses = run(narrow, tools=(FunctionTool("f", schema),))
    assert losses == {"tools[0].schema.properties.a.minLength": "approximated"}
    (tool,) = adapted.request.tools
    assert isinstance(tool, FunctionTool)
    assert tool.schema != schema
    # Its own dialect takes them as they are.
    adapted, losses = run(narrow, tools=(FunctionTool("f", schema),), dialect="there")
    assert adapted.request.tools == (FunctionTool("f", schema),)
    assert losses == {}


def test_a_tool_that_cannot_be_bound_to_its_schema_is_not() -> None:
    loose = {"type": "object", "properties": {"a": {"type": "string"}}}
    bound = {**loose, "required": ["a"], "additionalProperties": False}
    for schema, kept in ((loose, False), (bound, True)):
        adapted, losses = run(
            Capabilities(strict_schema=OPENAI_STRICT), tools=(FunctionTool("f", schema, strict=True),)
        )
        (tool,) = adapted.request.tools
        assert isinstance(tool, FunctionTool)
        assert (tool.strict, tool.schema) == (kept, schema)
        assert set(losses) == (set() if kept else {"tools[0].strict"})


PICTURE = Image(Source("base64", "a", "image/png"))


def test_results_of_one_turn_stand_together() -> None:
    given = (
        Message("assistant", (ToolCall("1", "f"), ToolCall("2", "f"))),
        Message("user", (ToolResult("1", (PICTURE,)),)),
        Message("user", (Text("and"), ToolResult("2"))),
        Message("user", (Text("so?"),)),
    )
    assert run(messages=given)[0].request.messages == (
        given[0],
        Message("user", (ToolResult("1", (PICTURE,)), Text("and"), ToolResult("2"))),
        given[3],
    )
    results, others = run(Capabilities(result_media=False), messages=given)[0].request.messages[1:3]
    assert [part.call_id for part in results.parts if isinstance(part, ToolResult)] == ["1", "2"]
    assert PICTURE in others.parts
    # The same dialect has them as they came; speakers with names are not mixed.
    assert run(messages=given, dialect="there")[0].request.messages == given
    apart = (Message("user", (Text("a"),), name="ann"), Message("user", (ToolResult("1"),)))
    assert run(messages=apart)[0].request.messages == apart


def test_nothing_of_an_instruction_in_mid_conversation_is_lost() -> None:
    marked = Message("developer", (Text("a"), Text("b", cache=CacheMark("1h"))))
    seen = Message("developer", (Text("look"), PICTURE))
    can = Capabilities(system_anywhere=False, cache_marks=True)
    assert run(can, messages=(USER, marked, seen))[0].request.messages[1:] == (
        Message("user", (Text("<system>\na\n\nb\n</system>", cache=CacheMark("1h")),)),
        Message("user", (Text("<system>"), Text("look"), PICTURE, Text("</system>"))),
    )


def test_media_in_an_answer_of_the_history_are_refused_by_name() -> None:
    answer = Message("assistant", (Text("see"), PICTURE))
    assert run(messages=(answer,))[0].request.messages == (answer,)
    can = Capabilities(answer_media=False)
    with pytest.raises(Untranslatable, match=r"^messages\[0\]\.parts\[1\]: an image in an answer of the history"):
        run(can, messages=(answer,))
    assert run(can, messages=(answer,), dialect="there")[0].request.messages == (answer,)


def test_a_target_that_cannot_be_made_to_call_a_tool() -> None:
    can = Capabilities(forced_calls=False)
    for choice in (ToolChoice("required"), ToolChoice("tool", "f")):
        adapted, losses = run(can, tools=(FunctionTool("f"),), tool_choice=choice)
        assert adapted.request.tool_choice == ToolChoice("auto")
        assert losses == {"tool_choice": "approximated"}
    assert run(can, tools=(FunctionTool("f"),), tool_choice=ToolChoice("none"))[1] == {}
