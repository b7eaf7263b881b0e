"""Requests of other dialects written for Chat, and Chat's own read."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from ccproxy.errors import BadRequest, Untranslatable
from ccproxy.lightllm.dialect import Dialect, Target
from ccproxy.lightllm.dialects.openai.dialect import COMPATIBLE
from ccproxy.lightllm.ir.parts import (
    Audio,
    CacheMark,
    Document,
    Image,
    Opaque,
    Part,
    Refusal,
    Signature,
    Source,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from ccproxy.lightllm.ir.request import FunctionTool, Message, Output, Request, Sampling, State
from ccproxy.lightllm.jsontext import dumps_text

from ..kit import NAMES, REGISTRY, Case, cases
from ..test_cases import ids, request_of

OPENAI = REGISTRY.get("openai")
USER = Message("user", (Text("hi"),))
PNG = Source("base64", "iVBORw0KGgoA", "image/png")
PDF = Source("base64", "JVBERi0=", "application/pdf")


def write(target: Target | None = None, /, **fields: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """The body for a request of another dialect, and its losses: path → kind."""
    request = Request(**{"model": "m", "messages": (USER,), "dialect": "other", **fields})
    encoded = OPENAI.encode_request(request, target or Target())
    return json.loads(encoded.body), {loss.path: loss.word or loss.kind for loss in encoded.losses}


def messages(*given: Message, **fields: Any) -> list[dict[str, Any]]:
    written: list[dict[str, Any]] = write(messages=given, **fields)[0]["messages"]
    return written


def to(**capabilities: Any) -> Target:
    return Target(capabilities=msgspec.structs.replace(OPENAI.capabilities, **capabilities))


def read(**fields: Any) -> Request:
    return OPENAI.decode_request(json.dumps({"model": "m", "messages": [], **fields}).encode())


def test_a_plain_request() -> None:
    body, losses = write(
        stream=True, max_tokens=50, sampling=Sampling(0.5, 0.9, None, 0.1, 0.2, 3), stop=("END",), user="u"
    )
    assert body == {
        "model": "m",
        "max_completion_tokens": 50,
        "temperature": 0.5,
        "top_p": 0.9,
        "frequency_penalty": 0.1,
        "presence_penalty": 0.2,
        "seed": 3,
        "stop": ["END"],
        "user": "u",
        "stream": True,
        "stream_options": {"include_usage": True},
        "messages": [{"role": "user", "content": "hi"}],
    }
    assert losses == {}
    encoded = OPENAI.encode_request(Request("m", (USER,)), Target())
    assert encoded.path == "/v1/chat/completions"


def test_messages_stand_last_so_that_conversations_share_their_beginning() -> None:
    longer = (USER, Message("assistant", (Text("a"),)), USER)
    first = json.dumps(write(tools=(FunctionTool("f"),), system=(Text("s"),))[0])
    second = json.dumps(write(messages=longer, tools=(FunctionTool("f"),), system=(Text("s"),))[0])
    assert second.startswith(first.removesuffix("]}"))


def test_a_long_conversation_extends_the_same_prefix() -> None:
    history: tuple[Message, ...] = (USER,)
    before = b""
    for turn in range(5):
        call = ToolCall(f"call_{turn}", "f", '{"a": 1}')
        body = OPENAI.encode_request(Request("m", history, "other", (Text("s"),)), Target()).body
        assert body.startswith(before.removesuffix(b"]}"))
        before = body
        history += (
            Message("assistant", (Text("t"), call)),
            Message("user", (ToolResult(call.id, (Image(PNG),), is_error=True), Text("go on"))),
        )


def test_system_and_developer_messages_keep_their_order() -> None:
    given = (Message("developer", (Text("b"),)), USER, Message("system", (Text("c"), Text("d"))), USER)
    assert [(message["role"], message["content"]) for message in messages(*given, system=(Text("a"),))] == [
        ("system", "a"),
        ("developer", "b"),
        ("user", "hi"),
        ("system", [{"type": "text", "text": "c"}, {"type": "text", "text": "d"}]),
        ("user", "hi"),
    ]
    body, losses = write(Target(capabilities=COMPATIBLE), messages=given)
    assert [(message["role"], message["content"]) for message in body["messages"]] == [
        ("system", "b"),
        ("user", "hi"),
        ("system", "c\n\nd"),
        ("user", "hi"),
    ]
    assert losses == {}
    with pytest.raises(Untranslatable, match="an image in a system message"):
        messages(Message("system", (Image(PNG),)))


def test_a_turn_with_results_becomes_tool_messages_first() -> None:
    body, losses = write(
        messages=(
            USER,
            Message("assistant", (Text("let me"), ToolCall("a", "f", '{"x": 1}'), ToolCall("b", "f"))),
            Message("user", (Text("so?"), ToolResult("a", (Text("r1"), Text("r2"))), ToolResult("b", is_error=True))),
        )
    )
    assert body["messages"][1:] == [
        {
            "role": "assistant",
            "content": "let me",
            "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}},
                {"id": "b", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            ],
        },
        {
            "role": "tool",
            "content": [{"type": "text", "text": "r1"}, {"type": "text", "text": "r2"}],
            "tool_call_id": "a",
        },
        {"role": "tool", "content": "Error: ", "tool_call_id": "b"},
        {"role": "user", "content": "so?"},
    ]
    assert losses == {"messages[2].parts": "approximated", "messages[2].is_error": "approximated"}


def test_images_and_documents_of_results_follow_in_one_message() -> None:
    body, losses = write(
        messages=(
            Message("assistant", (ToolCall("a", "f"), ToolCall("b", "f"))),
            Message(
                "user",
                (
                    ToolResult("a", (Text("see"), Image(PNG))),
                    ToolResult("b", (Document(PDF, name="x.pdf"),)),
                    Text("and?"),
                ),
            ),
        )
    )
    assert [message["role"] for message in body["messages"]] == ["assistant", "tool", "tool", "user"]
    assert body["messages"][1]["content"] == "see"
    content = body["messages"][3]["content"]
    assert [part["type"] for part in content] == ["text", "image_url", "text", "file", "text"]
    assert "call a" in content[0]["text"]
    assert "call b" in content[2]["text"]
    assert content[1]["image_url"]["url"] == "data:image/png;base64,iVBORw0KGgoA"
    assert set(losses.values()) == {"approximated"}


def test_ids_are_kept_and_only_too_long_ones_are_shortened_alike() -> None:
    for call_id in ("toolu_01A09q90qw90lq917835lq9", "functions.f:0", "x" * 40):
        call, result = messages(
            Message("assistant", (ToolCall(call_id, "f"),)), Message("user", (ToolResult(call_id),))
        )
        assert call["tool_calls"][0]["id"] == result["tool_call_id"] == call_id
    long = "chatcmpl-tool-" + "a1" * 20
    call, result = messages(Message("assistant", (ToolCall(long, "f"),)), Message("user", (ToolResult(long),)))
    assert call["tool_calls"][0]["id"] == result["tool_call_id"]
    assert len(result["tool_call_id"]) == 40


@pytest.mark.parametrize(
    ("part", "written"),
    [
        (Image(PNG, "high"), [{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgoA", "detail": "high"}}]),
        (Image(Source("url", "http://x/a.png")), [{"type": "image_url", "image_url": {"url": "http://x/a.png"}}]),
        (Audio(Source("base64", "UklGR", "audio/x-wav")), [{"type": "input_audio", "input_audio": {"data": "UklGR", "format": "wav"}}]),
        (Audio(Source("base64", "SUQz", "audio/mpeg")), [{"type": "input_audio", "input_audio": {"data": "SUQz", "format": "mp3"}}]),
        (Document(PDF, name="a.pdf"), [{"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}}]),
        (Document(Source("base64", "JVBERi0=")), [{"type": "file", "file": {"filename": "document.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}}]),
        (Document(Source("text", "plain"), title='T "1"'), [{"type": "text", "text": '<document title="T &quot;1&quot;">\nplain\n</document>'}]),
        (Document(Source("base64", "R3LDvMOfZQ==", "text/plain"), context="c"), [{"type": "text", "text": "<document>\n<context>c</context>\nGrüße\n</document>"}]),
        (
            Document(parts=(Text("found"), Image(PNG)), url="https://e.com", title="E"),
            [
                {"type": "text", "text": '<document title="E" source="https://e.com">'},
                {"type": "text", "text": "found"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgoA"}},
                {"type": "text", "text": "</document>"},
            ],
        ),
        (Refusal("no"), [{"type": "text", "text": "no"}]),
    ],
)  # fmt: skip
def test_parts_in_content(part: Part, written: list[dict[str, Any]]) -> None:
    (message,) = messages(Message("user", (part, Text("y"))))
    assert message["content"] == [*written, {"type": "text", "text": "y"}]


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        (Message("user", (Document(Source("url", "http://x/a.pdf")),)), "a document by URL"),
        (Message("user", (Image(Source("file", "file-1")),)), "an image by file id"),
        (Message("user", (Audio(Source("base64", "x", "audio/ogg")),)), "a recording of type audio/ogg"),
        (Message("user", (Document(Source("base64", "/w==", "text/plain")),)), "not UTF-8 text"),
        (Message("user", (Opaque("other", "video", {}),)), "a part of type video"),
        (Message("assistant", (Image(PNG),)), "an image in an answer"),
        (Message("user", (ToolCall("i", "f"),)), "a tool call"),
    ],
)
def test_what_cannot_be_said_is_refused_by_name(message: Message, problem: str) -> None:
    with pytest.raises(Untranslatable, match=problem):
        messages(message)


def test_what_a_file_cannot_say_is_recorded() -> None:
    part = Document(PDF, name="a.pdf", title="A", context="c", citations=True)
    assert write(messages=(Message("user", (part,)),))[1] == {
        "messages[0].parts[0].citations": "dropped",
        "messages[0].parts[0].title": "dropped",
        "messages[0].parts[0].context": "dropped",
    }


def test_an_answer_of_the_history() -> None:
    parts = (Text("a"), Text("b"), Refusal("no"), ToolCall("i", "f", "x y", "custom"), Text("late"))
    body, losses = write(messages=(Message("assistant", parts),), tools=())
    assert body["messages"] == [
        {
            "role": "assistant",
            "content": [{"type": "text", "text": text} for text in ("a", "b", "late")],
            "refusal": "no",
            "tool_calls": [{"id": "i", "type": "custom", "custom": {"name": "f", "input": "x y"}}],
        }
    ]
    assert losses == {"messages[0].parts": "approximated"}
    body, _ = write(Target(capabilities=COMPATIBLE), messages=(Message("assistant", (Text("a"), Text("b"))),))
    assert body["messages"] == [{"role": "assistant", "content": "ab"}]
    assert messages(Message("assistant", ())) == [{"role": "assistant", "content": ""}]
    assert messages(Message("user", ())) == [{"role": "user", "content": ""}]


def test_marks_stay_behind_unless_the_server_takes_them() -> None:
    marked = Message("user", (Text("a", cache=CacheMark("1h")), Image(PNG, cache=CacheMark())))
    body, losses = write(messages=(marked,))
    assert "cache_control" not in json.dumps(body)
    assert list(losses.values()) == ["dropped", "dropped"]
    tools = (FunctionTool("f", cache=CacheMark()),)
    body, losses = write(to(cache_marks=True), messages=(marked,), tools=tools, cache=CacheMark("5m"))
    assert body["cache_control"] == {"type": "ephemeral", "ttl": "5m"}
    assert read(cache_control={"type": "ephemeral"}).cache == CacheMark()
    assert [part["cache_control"] for part in body["messages"][0]["content"]] == [
        {"type": "ephemeral", "ttl": "1h"},
        {"type": "ephemeral"},
    ]
    assert body["tools"][0]["cache_control"] == {"type": "ephemeral"}
    assert losses == {}


def test_marks_of_chat_clients_reach_other_dialects() -> None:
    for mark in ({"cache_control": {"type": "ephemeral"}}, {"prompt_cache_breakpoint": {"mode": "explicit"}}):
        request = read(messages=[{"role": "user", "content": [{"type": "text", "text": "a", **mark}]}], max_tokens=9)
        encoded = REGISTRY.get("anthropic").encode_request(request, Target())
        assert json.loads(encoded.body)["messages"][0]["content"] == [
            {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}
        ]
        assert list(encoded.losses) == []


def test_limits_and_options_have_the_servers_names() -> None:
    body, _ = write(Target(capabilities=COMPATIBLE), max_tokens=5)
    assert (body.get("max_tokens"), "max_completion_tokens" in body) == (5, False)
    body, _ = write(to(stream_usage=False), stream=True)
    assert "stream_options" not in body
    body, losses = write(user="u" * 65)
    assert len(body["user"]) == 64
    assert losses == {"user": "digest"}
    assert write(user="u" * 65)[0]["user"] == body["user"]


def test_surplus_stop_sequences_are_ours_to_watch() -> None:
    encoded = OPENAI.encode_request(Request("m", (USER,), stop=tuple("abcdef")), Target())
    assert json.loads(encoded.body)["stop"] == list("abcd")
    assert encoded.stop == ("e", "f")


def test_structured_output() -> None:
    schema = {"type": "object", "title": "Person"}
    body, losses = write(output=Output("schema", schema))
    assert body["response_format"] == {"type": "json_schema", "json_schema": {"name": "Person", "schema": schema}}
    body, _ = write(output=Output("schema", {"title": "A person"}, "", "d", True))
    assert body["response_format"]["json_schema"]["name"] == "answer"
    assert body["response_format"]["json_schema"]["strict"] is True
    assert write(output=Output("json"))[0]["response_format"] == {"type": "json_object"}
    # An absent strict is false, as other dialects are told.
    given = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    request = read(response_format=given, max_tokens=9)
    assert request.output == Output("schema", schema, "a", strict=False)
    assert json.loads(OPENAI.encode_request(request, Target()).body)["response_format"] == given
    converted = REGISTRY.get("anthropic").encode_request(request, Target())
    assert "output.strict" in [loss.path for loss in converted.losses]
    responses = REGISTRY.get("openai_responses").encode_request(request, Target())
    assert json.loads(responses.body)["text"]["format"]["strict"] is False
    assert losses == {}


# Reading


def test_who_wants_usage() -> None:
    assert read().include_usage is None
    assert read(stream_options={"include_usage": True}).include_usage is None
    assert read(stream=True).include_usage is False
    assert read(stream=True, stream_options={"include_usage": True}).include_usage is True
    assert read(stream=True, stream_options={"include_usage": False}).include_usage is False


def test_both_limits() -> None:
    assert read(max_tokens=5).max_tokens == 5
    request = read(max_completion_tokens=7, max_tokens=5)
    assert request.max_tokens == 7
    body = json.loads(OPENAI.encode_request(request, Target()).body)
    assert (body["max_completion_tokens"], body["max_tokens"]) == (7, 5)


def test_state_and_candidates_are_not_converted() -> None:
    anthropic = REGISTRY.get("anthropic")
    with pytest.raises(Untranslatable, match="2 candidates"):
        anthropic.encode_request(read(n=2), Target())
    with pytest.raises(Untranslatable, match="store"):
        anthropic.encode_request(read(store=True), Target())
    assert read(store=False).state == State(store=False)
    assert anthropic.encode_request(read(n=1, store=False, max_tokens=5), Target()).losses.header() == ""
    assert json.loads(OPENAI.encode_request(read(n=2), Target()).body)["n"] == 2


def test_results_that_follow_each_other_are_one_turn() -> None:
    request = read(
        messages=[
            {"role": "tool", "tool_call_id": "a", "content": "1"},
            {"role": "tool", "tool_call_id": "b", "content": [{"type": "text", "text": "2"}], "name": "g"},
            {"role": "user", "content": "x"},
            {"role": "tool", "tool_call_id": "c", "content": None},
        ]
    )
    assert [message.parts for message in request.messages] == [
        (ToolResult("a", (Text("1"),)), ToolResult("b", (Text("2"),), name="g", extras={"name": None})),
        (Text("x"),),
        (ToolResult("c"),),
    ]


def test_forms_that_clients_take_the_liberty_of() -> None:
    request = read(
        messages=[
            {"role": "user", "content": [{"type": "image_url", "image_url": "https://e.com/a.png"}]},
            {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "data:;base64,UklGR", "format": "wav"}}]},
            {"role": "user", "content": [{"type": "file", "file": {"file_data": "JVBERi0=", "filename": "a.pdf"}}]},
            {"role": "assistant", "tool_calls": [{"index": 0, "id": "i", "function": {"name": "f", "arguments": {"a": 1}}}]},
            {"role": "assistant", "content": "x", "refusal": None, "audio": None, "function_call": None, "tool_calls": [], "annotations": []},
        ],
        tools=[{"function": {"name": "f"}}],
        tool_choice="any",
        stop="x",
    )  # fmt: skip
    assert [message.parts for message in request.messages] == [
        (Image(Source("url", "https://e.com/a.png")),),
        (Audio(Source("base64", "UklGR", "audio/wav")),),
        (Document(Source("base64", "JVBERi0="), name="a.pdf"),),
        (ToolCall("i", "f", '{"a":1}'),),
        (Text("x"),),
    ]
    assert request.messages[4].extras == {}
    assert request.stop == ("x",)
    assert request.tool_choice is not None
    assert request.tool_choice.mode == "required"


def test_images_of_an_earlier_answer_are_not_lost() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgoA"}, "index": 0}
    answer = {"role": "assistant", "content": "see", "images": [image]}
    request = read(messages=[{"role": "user", "content": "draw"}, answer])
    assert request.messages[1].parts == (Text("see"), Image(PNG))
    assert json.loads(OPENAI.encode_request(request, Target()).body)["messages"][1] == answer
    assert b"iVBORw0KGgoA" in REGISTRY.get("gemini").encode_request(request, Target()).body
    with pytest.raises(Untranslatable, match=r"messages\[1\]\.parts\[1\]: an image in an answer of the history"):
        REGISTRY.get("anthropic").encode_request(request, Target())


def test_results_of_one_turn_follow_each_other_whatever_the_client_did() -> None:
    written = messages(
        Message("assistant", (ToolCall("a", "f"), ToolCall("b", "f", " "))),
        Message("user", (ToolResult("a", (Image(PNG),)), Text("and"))),
        Message("user", (ToolResult("b"),)),
    )
    assert [(message["role"], message.get("tool_call_id")) for message in written] == [
        ("assistant", None), ("tool", "a"), ("tool", "b"), ("user", None),
    ]  # fmt: skip
    assert written[0]["tool_calls"][1]["function"]["arguments"] == "{}"


def test_files_are_openais_own() -> None:
    pdf = Message("user", (Document(PDF),))
    with pytest.raises(Untranslatable, match="a document of type application/pdf"):
        write(Target(capabilities=COMPATIBLE), messages=(pdf,))
    body, _ = write(Target(capabilities=COMPATIBLE), messages=(Message("user", (Document(Source("text", "x")),)),))
    assert body["messages"][0]["content"] == "<document>\nx\n</document>"


def test_unknown_parts_are_chats_own_and_refused_elsewhere() -> None:
    part = {"type": "video_url", "video_url": {"url": "https://e.com/a.mp4"}}
    request = read(messages=[{"role": "user", "content": [part]}])
    assert json.loads(OPENAI.encode_request(request, Target()).body)["messages"][0]["content"] == [part]
    with pytest.raises(Untranslatable, match="video_url"):
        REGISTRY.get("anthropic").encode_request(request, Target())


def test_extras_inside_of_parts_come_back() -> None:
    content = [
        {"type": "text", "text": "a", "x": 1},
        {"type": "image_url", "image_url": {"url": "https://e.com/a.png", "y": 2}, "z": 3},
    ]
    request = read(messages=[{"role": "user", "content": content, "w": 4}], new_field={"a": 1})
    body = json.loads(OPENAI.encode_request(request, Target()).body)
    assert body["messages"] == [{"role": "user", "content": content, "w": 4}]
    assert body["new_field"] == {"a": 1}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the body is not JSON"),
        (b"[]", "expected an object, found an array"),
        (b"{}", "messages: is missing"),
        (b'{"messages": {}}', "messages: expected an array"),
        (b'{"messages": [1]}', r"messages\[0\]: expected an object"),
        (b'{"messages": [{"role": "robot"}]}', r"messages\[0\].role: expected system, developer, user, assistant or tool"),
        (b'{"messages": [{"role": "tool", "content": ""}]}', r"messages\[0\].tool_call_id: is missing"),
        (b'{"messages": [{"role": "user", "content": 1}]}', r"messages\[0\].content: expected an array"),
        (b'{"messages": [{"role": "user", "content": [{}]}]}', r"content\[0\].type: expected a string, found null"),
        (b'{"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}', r"image_url: expected an object"),
        (b'{"messages": [{"role": "user", "content": [{"type": "file", "file": {}}]}]}', "file_data: is missing"),
        (b'{"messages": [{"role": "assistant", "tool_calls": [{"type": "x"}]}]}', "'x' is not known"),
        (b'{"messages": [{"role": "assistant", "tool_calls": [{"function": {}}]}]}', "function.name: is missing"),
        (b'{"messages": [], "max_tokens": "5"}', "max_tokens: expected a number, found a string"),
        (b'{"messages": [], "thinking": {"type": "hard"}}', "thinking.type: 'hard' is not known"),
        (b'{"messages": [], "tool_choice": "some"}', "tool_choice: 'some' is not known"),
        (b'{"messages": [], "tool_choice": {"type": "some"}}', "tool_choice.type: 'some' is not known"),
        (b'{"messages": [], "response_format": {"type": "xml"}}', "response_format.type: 'xml' is not known"),
        (b'{"messages": [], "tools": [{"type": "function"}]}', "tools.0..function.name: is missing"),
        (b'{"messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
    ],
)  # fmt: skip
def test_a_request_that_cannot_be_read_names_the_field(body: bytes, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        OPENAI.decode_request(body)


# Nothing is lost in silence


def said(parts: tuple[Part, ...]) -> list[str]:
    """Every word and file in `parts`."""
    found: list[str] = []
    for part in parts:
        match part:
            case Text(text=text) | Refusal(text=text):
                found.append(text)
            case Image(source=Source(data=data)) | Audio(source=Source(data=data)) | Document(source=Source(data=data)):
                found.append(data)
            case ToolCall():
                found += [part.name, part.args] if part.kind == "custom" else [part.name]
            case ToolResult():
                found += said(part.content)
            case _:
                pass
    return found


@pytest.mark.parametrize("case", [case for case in cases("request.json") if case.dialect is OPENAI], ids=ids)
@pytest.mark.parametrize("target", [REGISTRY.get(name) for name in NAMES], ids=NAMES)
def test_every_word_of_a_clients_request_arrives(case: Case, target: Dialect) -> None:
    request = request_of(case)
    try:
        encoded = target.encode_request(request, Target(model="m"))
    except Untranslatable as problem:
        assert problem.message
        return
    body = encoded.body.decode()
    words = [word for message in request.messages for word in said(message.parts)]
    words += [tool.name for tool in request.tools if isinstance(tool, FunctionTool)]
    words += [tool.description for tool in request.tools if isinstance(tool, FunctionTool)]
    for word in words:
        assert dumps_text(word)[1:-1] in body, word


def test_signatures_of_others_never_reach_a_server() -> None:
    parts = (
        Thinking("t", Signature("SECRET", "anthropic")),
        ToolCall("i", "f", signature=Signature("SECRET", "gemini")),
    )
    for target in (to(), to(thinking="any"), to(thinking="signed")):
        body = write(target, messages=(Message("assistant", parts),))[0]
        assert "SECRET" not in json.dumps(body)
