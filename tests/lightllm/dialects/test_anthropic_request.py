"""Requests of other dialects written for Anthropic, and Anthropic's own read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ccproxy.errors import BadRequest, Untranslatable
from ccproxy.lightllm.dialect import Target
from ccproxy.lightllm.ir.parts import (
    CacheMark,
    Document,
    Image,
    Part,
    Refusal,
    Signature,
    Source,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from ccproxy.lightllm.ir.request import (
    CustomTool,
    FunctionTool,
    HostedTool,
    Message,
    Output,
    Reasoning,
    Request,
    Sampling,
    ToolChoice,
)
from ccproxy.lightllm.signatures import wrap

from ..kit import REGISTRY

ANTHROPIC = REGISTRY.get("anthropic")
USER = Message("user", (Text("hi"),))


def write(target: Target | None = None, /, **fields: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """The body for a request of another dialect, and its losses: path → kind."""
    request = Request(**{"model": "m", "messages": (USER,), "dialect": "other", "max_tokens": 100_000, **fields})
    encoded = ANTHROPIC.encode_request(request, target or Target())
    return json.loads(encoded.body), {loss.path: loss.word or loss.kind for loss in encoded.losses}


def messages(*given: Message, **fields: Any) -> list[dict[str, Any]]:
    written: list[dict[str, Any]] = write(messages=given, **fields)[0]["messages"]
    return written


def test_a_plain_request() -> None:
    body, losses = write(stream=True, sampling=Sampling(0.5, 0.9, 40), stop=("END",), user="u")
    assert body == {
        "model": "m",
        "max_tokens": 100_000,
        "stop_sequences": ["END"],
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 40,
        "stream": True,
        "metadata": {"user_id": "u"},
        "messages": [{"role": "user", "content": "hi"}],
    }
    assert losses == {}
    encoded = ANTHROPIC.encode_request(Request("m", (USER,)), Target())
    assert dict(encoded.headers)["anthropic-version"] == "2023-06-01"
    assert encoded.path == "/v1/messages"


def test_messages_stand_last_so_that_conversations_share_their_beginning() -> None:
    longer = (USER, Message("assistant", (Text("a"),)), USER)
    first = json.dumps(write(tools=(FunctionTool("f"),))[0])
    second = json.dumps(write(messages=longer, tools=(FunctionTool("f"),))[0])
    assert second.startswith(first.removesuffix("]}"))


def test_system_and_developer_messages_keep_their_order() -> None:
    body, losses = write(
        system=(Text("one"),),
        messages=(
            Message("developer", (Text("two", cache=CacheMark("1h")),)),
            USER,
            Message("system", (Text("three"),)),
            USER,
        ),
    )
    assert body["system"] == [
        {"type": "text", "text": "one"},
        {"type": "text", "text": "two", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
    ]
    assert [message["role"] for message in body["messages"]] == ["user", "system", "user"]
    assert losses == {}
    with pytest.raises(Untranslatable, match="an image in a system message"):
        write(messages=(Message("system", (Image(Source("url", "u")),)),))


def test_instructions_behind_an_answer_follow_what_the_user_says_next() -> None:
    body, losses = write(
        messages=(
            USER,
            Message("assistant", (ToolCall("1", "f"),)),
            Message("system", (Text("mind"),)),
            Message("user", (ToolResult("1"),)),
            Message("assistant", (Text("done"),)),
            Message("developer", (Text("last"),)),
        )
    )
    assert [(message["role"], message["content"]) for message in body["messages"][2:]] == [
        ("user", [{"type": "tool_result", "tool_use_id": "1"}]),
        ("system", "mind"),
        ("assistant", "done"),
        ("system", "last"),
    ]
    assert losses == {"messages[2].place": "approximated", "messages[5].place": "approximated"}


def test_white_space_alone_is_left_out_where_the_api_takes_none() -> None:
    body, losses = write(
        messages=(
            USER,
            Message("assistant", (Text("\n\n"), ToolCall("1", "f"), ToolCall("2", "f"))),
            Message("user", (ToolResult("1", (Text(" \n"),)), ToolResult("2", (Text(" "), Text("x"))))),
        )
    )
    assert [block["type"] for block in body["messages"][1]["content"]] == ["tool_use", "tool_use"]
    assert [block["content"] for block in body["messages"][2]["content"]] == [" \n", "x"]
    assert losses == {
        "messages[1].content[0].text": "repaired",
        "messages[2].content[1].content[0].text": "repaired",
    }


@pytest.mark.parametrize(
    "part",
    [
        Image(Source("base64", "iVBORw0KGgoA", "image/png")),
        Document(Source("base64", "JVBERi0=", "application/pdf")),
    ],
)
def test_media_in_an_answer_of_the_history_are_refused_and_its_own_are_kept(part: Part) -> None:
    with pytest.raises(Untranslatable, match=r"^messages\[1\]\.parts\[1\]: an? (image|document) in an answer"):
        messages(USER, Message("assistant", (Text("see"), part)))
    own = Request("m", (USER, Message("assistant", (part,))), "anthropic", max_tokens=9)
    assert len(json.loads(ANTHROPIC.encode_request(own, Target()).body)["messages"]) == 2


def test_neighbours_of_one_role_become_one_turn_with_results_first() -> None:
    written = messages(
        USER,
        Message("assistant", (Text("let me"),)),
        Message("assistant", (ToolCall("a.1", "f", '{"x": 1}'), ToolCall("b", "f"))),
        Message("user", (ToolResult("a.1", (Text("r"),)),)),
        Message("user", (Text("so?"), ToolResult("b", (), is_error=True))),
    )
    assert written[1]["content"] == [
        {"type": "text", "text": "let me"},
        {"type": "tool_use", "id": "a_2e1", "name": "f", "input": {"x": 1}},
        {"type": "tool_use", "id": "b", "name": "f", "input": {}},
    ]
    assert written[2]["content"] == [
        {"type": "tool_result", "tool_use_id": "a_2e1", "content": "r"},
        {"type": "tool_result", "tool_use_id": "b", "is_error": True},
        {"type": "text", "text": "so?"},
    ]


def test_empty_turns_and_names_are_recorded() -> None:
    body, losses = write(messages=(Message("user", (Text("x"),), name="ann"), Message("assistant", (Text(""),)), USER))
    assert body["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "text", "text": "hi"}]}
    ]
    assert losses == {"messages[0].name": "dropped", "messages[1]": "repaired"}


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (Image(Source("base64", "iVBORw0KGgoA")), {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgoA"}}),
        (Image(Source("url", "http://x/a.png")), {"type": "image", "source": {"type": "url", "url": "http://x/a.png"}}),
        (
            Document(Source("base64", "R3LDvMOfZQ==", "text/plain"), name="a.txt"),
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Grüße"}, "title": "a.txt"},
        ),
        (
            Document(Source("base64", "JVBERi0=", "application/pdf"), title="t", citations=True),
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}, "title": "t", "citations": {"enabled": True}},
        ),
        (Refusal("no"), {"type": "text", "text": "no"}),
    ],
)  # fmt: skip
def test_parts_as_blocks(part: Part, block: dict[str, Any]) -> None:
    for holder in (part, ToolResult("i", (part, Text("x")))):
        (written,) = messages(Message("user", (holder, Text("y"))))
        found = written["content"][0]
        assert (found["content"][0] if holder is not part else found) == block


def test_a_text_document_that_is_no_text_is_refused() -> None:
    with pytest.raises(Untranslatable, match="not UTF-8 text"):
        messages(Message("user", (Document(Source("base64", "/w==", "text/plain")),)))


def test_arguments_that_are_no_object_are_not_lost() -> None:
    body, losses = write(messages=(Message("assistant", (ToolCall("i", "f", '{"x":'),)),))
    assert body["messages"][0]["content"][0]["input"] == {"_raw_arguments": '{"x":'}
    assert losses == {"messages[0].content[0].arguments": "approximated"}
    again = ANTHROPIC.decode_request(json.dumps(body).encode())
    assert again.messages[0].parts == (ToolCall("i", "f", '{"x":'),)


def test_tools_and_choice() -> None:
    body, losses = write(
        tools=(
            FunctionTool("a.b", {"properties": {}}, "Does.", strict=True),
            FunctionTool("c"),
            CustomTool("patch"),
            HostedTool("other", "web_search", "web_search", {"type": "web_search", "filters": {}}),
            HostedTool("other", "image_generation", "", {"type": "image_generation"}),
        ),
        tool_choice=ToolChoice("required"),
        parallel_tools=False,
    )
    assert [tool["name"] for tool in body["tools"]] == ["a_b", "c", "patch", "web_search"]
    assert body["tools"][0] == {
        "name": "a_b",
        "description": "Does.",
        "input_schema": {"type": "object", "properties": {}, "additionalProperties": False},
        "strict": True,
    }
    assert body["tools"][1]["input_schema"] == {"type": "object", "properties": {}}
    assert body["tools"][2]["input_schema"]["required"] == ["input"]
    assert body["tools"][3] == {"type": "web_search_20250305", "name": "web_search"}
    assert body["tool_choice"] == {"type": "any", "disable_parallel_tool_use": True}
    assert losses == {
        "tools[0].schema.additionalProperties": "approximated",
        "tools[3].settings": "dropped",
        "tools[4].image_generation": "dropped",
    }
    assert write(tools=(FunctionTool("f"),), parallel_tools=True)[0]["tool_choice"] == {
        "type": "auto",
        "disable_parallel_tool_use": False,
    }
    assert write(tools=(FunctionTool("f"),), tool_choice=ToolChoice("none"))[0]["tool_choice"] == {"type": "none"}


def test_names_of_tools_are_unique() -> None:
    search = HostedTool("other", "web_search", "web_search", {"type": "web_search"})
    body, losses = write(tools=(search, search))
    assert [tool["name"] for tool in body["tools"]] == ["web_search"]
    assert losses == {"tools[1].web_search": "dropped"}
    body, losses = write(tools=(search, FunctionTool("web_search")))
    assert [tool.get("type") for tool in body["tools"]] == [None]
    assert losses == {"tools[0].web_search": "dropped"}


def test_structured_output() -> None:
    body, losses = write(output=Output("schema", {"type": "object"}, "answer", "An answer.", strict=False))
    assert body["output_config"] == {
        "format": {
            "type": "json_schema",
            "schema": {
                "type": "object",
                "additionalProperties": False,
                "title": "answer",
                "description": "An answer.",
            },
        }
    }
    assert losses == {"output.strict": "approximated", "output.schema.additionalProperties": "approximated"}
    assert write(output=Output("json"))[1] == {"output.form": "dropped"}


def test_a_schema_binds_the_answer_and_other_dialects_are_told_so() -> None:
    schema = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    body = {"messages": [], "output_config": {"format": {"type": "json_schema", "schema": schema}}}
    request = ANTHROPIC.decode_request(json.dumps(body).encode())
    chat = REGISTRY.get("openai").encode_request(request, Target())
    assert json.loads(chat.body)["response_format"]["json_schema"]["strict"] is True
    assert list(chat.losses) == []
    schema["properties"] = {"maybe": {"type": "string"}}
    chat = REGISTRY.get("openai").encode_request(ANTHROPIC.decode_request(json.dumps(body).encode()), Target())
    assert [(loss.path, loss.kind) for loss in chat.losses] == [("output.strict", "approximated")]


def test_a_limit_is_demanded() -> None:
    body, losses = write(Target(default_max_tokens=1000), max_tokens=None)
    assert body["max_tokens"] == 1000
    assert losses == {"max_tokens": "defaulted"}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the body is not JSON"),
        (b"[]", "expected an object, found an array"),
        (b"{}", "messages: is missing"),
        (b'{"messages": {}}', "messages: expected an array"),
        (b'{"messages": [1]}', r"messages\[0\]: expected an object"),
        (b'{"messages": [{"role": "tool", "content": ""}]}', r"messages\[0\].role: expected user, assistant or system"),
        (b'{"messages": [{"role": "user", "content": 1}]}', r"messages\[0\].content: expected an array"),
        (b'{"messages": [{"role": "user", "content": [{}]}]}', r"content\[0\].type: expected a string, found null"),
        (b'{"messages": [{"role": "user", "content": [{"type": "text"}]}]}', r"content\[0\].text: is missing"),
        (b'{"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "ftp"}}]}]}', "'ftp' is no kind of source"),
        (b'{"messages": [], "max_tokens": "5"}', "max_tokens: expected a number, found a string"),
        (b'{"messages": [], "thinking": {"type": "hard"}}', "thinking.type: 'hard' is not known"),
        (b'{"messages": [], "tool_choice": {"type": "some"}}', "tool_choice.type: 'some' is not known"),
        (b'{"messages": [], "output_config": {"format": {"type": "xml"}}}', "'xml' is not known"),
        (b'{"messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
    ],
)  # fmt: skip
def test_a_request_that_cannot_be_read_names_the_field(body: bytes, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        ANTHROPIC.decode_request(body)


def test_the_path_may_say_model_and_stream() -> None:
    request = ANTHROPIC.decode_request(b'{"messages":[],"stream":false}', model="from-path", stream=True)
    assert (request.model, request.stream) == ("from-path", True)


def test_a_foreign_signature_finds_its_call_again() -> None:
    signature = Signature("AbC+/=", "gemini")
    carrier = {"type": "thinking", "thinking": "", "signature": wrap(signature, "anthropic", "next")}
    own = {"type": "thinking", "thinking": "t", "signature": wrap(Signature("s", "gemini"), "anthropic")}
    call = {"type": "tool_use", "id": "i", "name": "f", "input": {}}
    body = {"messages": [{"role": "assistant", "content": [own, carrier, call]}]}
    request = ANTHROPIC.decode_request(json.dumps(body).encode())
    assert request.messages[0].parts == (
        Thinking("t", Signature("s", "gemini")),
        ToolCall("i", "f", signature=signature),
    )
    # Towards Anthropic they are another provider's and stay behind.
    encoded = ANTHROPIC.encode_request(request, Target())
    assert json.loads(encoded.body)["messages"] == [{"role": "assistant", "content": [call]}]
    assert [loss.name for loss in encoded.losses] == ["signature", "thinking", "signature", "max_tokens"]


def test_a_count_has_what_counts_and_nothing_else() -> None:
    request = Request(
        "m", (USER,), "anthropic", (Text("s"),), (FunctionTool("f"),), stream=True, user="u", sampling=Sampling(1)
    )
    encoded = ANTHROPIC.encode_request(request, Target(), operation="count_tokens")
    assert encoded.path == "/v1/messages/count_tokens"
    assert set(json.loads(encoded.body)) == {"model", "system", "tools", "messages"}
    assert len(encoded.losses) == 0
    assert Reasoning() == request.reasoning
