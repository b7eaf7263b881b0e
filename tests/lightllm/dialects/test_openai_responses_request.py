"""Requests of other dialects written for OpenAI Responses, and its own read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ccproxy.errors import BadRequest, Untranslatable
from ccproxy.lightllm.dialect import Target
from ccproxy.lightllm.dialects.openai_responses.dialect import CAPABILITIES, CODEX_CAPABILITIES
from ccproxy.lightllm.ir.parts import (
    Audio,
    CacheMark,
    Document,
    Image,
    Part,
    Refusal,
    ServerTool,
    Signature,
    Source,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from ccproxy.lightllm.ir.request import FunctionTool, Message, Output, Reasoning, Request, Sampling, State
from ccproxy.lightllm.signatures import wrap

from ..kit import REGISTRY

RESPONSES = REGISTRY.get("openai_responses")
ANTHROPIC = REGISTRY.get("anthropic")
USER = Message("user", (Text("hi"),))
PLAIN = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}


def write(target: Target | None = None, /, **fields: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """The body for a request of another dialect, and its losses: path → kind."""
    request = Request(**{"model": "m", "messages": (USER,), "dialect": "other", **fields})
    encoded = RESPONSES.encode_request(request, target or Target())
    return json.loads(encoded.body), {loss.path: loss.word or loss.kind for loss in encoded.losses}


def items(*given: Message, **fields: Any) -> list[dict[str, Any]]:
    written: list[dict[str, Any]] = write(messages=given, **fields)[0]["input"]
    return written


def read(**fields: Any) -> Request:
    return RESPONSES.decode_request(json.dumps({"model": "m", **fields}).encode())


def test_a_plain_request() -> None:
    body, losses = write(
        system=(Text("Be brief."), Text("Be kind.")),
        stream=True,
        sampling=Sampling(0.5, 0.9),
        max_tokens=100,
        user="u",
        metadata={"a": "b"},
        cache_key="k",
        state=State(store=False),
    )
    assert body == {
        "model": "m",
        "stream": True,
        "max_output_tokens": 100,
        "temperature": 0.5,
        "top_p": 0.9,
        "user": "u",
        "metadata": {"a": "b"},
        "prompt_cache_key": "k",
        "store": False,
        "instructions": "Be brief.\n\nBe kind.",
        "input": [PLAIN],
    }
    assert losses == {}
    encoded = RESPONSES.encode_request(Request("m", (USER,)), Target())
    assert encoded.path == "/v1/responses"
    assert dict(encoded.headers) == {"content-type": "application/json"}


def test_input_stands_last_so_that_conversations_share_their_beginning() -> None:
    longer = (USER, Message("assistant", (Text("a"),)), USER)
    first = json.dumps(write(tools=(FunctionTool("f"),))[0])
    second = json.dumps(write(messages=longer, tools=(FunctionTool("f"),))[0])
    assert second.startswith(first.removesuffix("]}"))


def test_a_converted_request_is_never_stored_and_the_clients_own_is_left_alone() -> None:
    assert write()[0]["store"] is False
    own = json.loads(RESPONSES.encode_request(read(input="hi"), Target()).body)
    assert own == {"model": "m", "input": [PLAIN]}


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"conversation": {"id": "conv_1"}}, "conversation"),
        ({"background": True}, "background"),
        ({"store": True}, "store"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
    ],
)
def test_what_only_openai_keeps_is_refused_by_name(fields: dict[str, Any], word: str) -> None:
    request = read(input="hi", **fields)
    with pytest.raises(Untranslatable, match=word):
        ANTHROPIC.encode_request(request, Target())


def test_turns_become_items_and_items_turns() -> None:
    turns = (
        Message("developer", (Text("d"),)),
        USER,
        Message("assistant", (Text("let me"), ToolCall("a", "f", '{"x":1}'), ToolCall("b", "g", "raw", "custom"))),
        Message("user", (ToolResult("a", (Text("r"),)), ToolResult("b", (Text("s"),), kind="custom"), Text("so?"))),
    )
    written = items(*turns)
    assert written == [
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "d"}]},
        PLAIN,
        {"type": "message", "role": "assistant", "content": "let me"},
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": '{"x":1}'},
        {"type": "custom_tool_call", "call_id": "b", "name": "g", "input": "raw"},
        {"type": "function_call_output", "call_id": "a", "output": "r"},
        {"type": "custom_tool_call_output", "call_id": "b", "output": "s"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "so?"}]},
    ]
    again = read(input=written).messages
    assert again == (*turns[:3], Message("user", turns[3].parts[:2]), Message("user", turns[3].parts[2:]))


def test_empty_turns_and_names_are_recorded() -> None:
    body, losses = write(messages=(Message("user", (Text("x"),), name="ann"), Message("assistant", ()), USER))
    assert len(body["input"]) == 2
    assert losses == {"messages[0].name": "dropped", "messages[1]": "repaired"}


@pytest.mark.parametrize(
    ("part", "written", "losses"),
    [
        (Image(Source("base64", "iVBORw0KGgoA")), [{"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,iVBORw0KGgoA"}], []),
        (Image(Source("base64", "????")), [{"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,????"}], []),
        (Image(Source("url", "http://x/a.png"), "low"), [{"type": "input_image", "detail": "low", "image_url": "http://x/a.png"}], []),
        (Document(Source("url", "http://x/a.pdf"), name="a.pdf"), [{"type": "input_file", "filename": "a.pdf", "file_url": "http://x/a.pdf"}], []),
        (Document(Source("base64", "JVBERi0=", "application/pdf"), title="t"), [{"type": "input_file", "filename": "t", "file_data": "data:application/pdf;base64,JVBERi0="}], []),
        (Document(Source("base64", "JVBERi0=", "application/pdf"), title="t", name="n.pdf"), [{"type": "input_file", "filename": "n.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}], ["title"]),
        (Document(Source("text", "Grüße"), citations=True), [{"type": "input_file", "filename": "document.txt", "file_data": "data:text/plain;base64,R3LDvMOfZQ=="}], ["citations"]),
        (
            Document(Source("base64", "e30=", "application/json"), context="Note."),
            [{"type": "input_text", "text": "Note."}, {"type": "input_file", "filename": "document.json", "file_data": "data:application/json;base64,e30="}],
            ["context"],
        ),
        (
            Document(parts=(Text("a"), Image(Source("url", "http://x"))), title="T", url="http://t"),
            [{"type": "input_text", "text": "T http://t"}, {"type": "input_text", "text": "a"}, {"type": "input_image", "detail": "auto", "image_url": "http://x"}],
            ["document"],
        ),
        (Refusal("no"), [{"type": "input_text", "text": "no"}], ["refusal"]),
    ],
)  # fmt: skip
def test_parts_as_content(part: Part, written: list[dict[str, Any]], losses: list[str]) -> None:
    """In a turn of the user as inside of a tool's result."""
    text = {"type": "input_text", "text": "y"}
    body, lost = write(messages=(Message("user", (part, Text("y"))),))
    assert body["input"][0]["content"] == [*written, text]
    assert [path.rpartition(".")[2] for path in lost] == losses
    body, lost = write(messages=(Message("user", (ToolResult("i", (part, Text("y"))),)),))
    assert body["input"][0]["output"] == [*written, text]
    assert [path.rpartition(".")[2] for path in lost] == losses


def test_what_has_no_place_is_refused_by_name() -> None:
    with pytest.raises(Untranslatable, match="a recording, which the target cannot take"):
        items(Message("user", (Audio(Source("base64", "x", "audio/wav")),)))
    with pytest.raises(Untranslatable, match=r"parts\[0\]: a image in an answer of the history"):
        items(Message("assistant", (Image(Source("base64", "x", "image/png")),)))
    with pytest.raises(Untranslatable, match=r"system\[0\]: a image in the instructions"):
        write(system=(Image(Source("url", "u")),))
    with pytest.raises(Untranslatable, match="web_search_call"):
        ANTHROPIC.encode_request(
            read(input=[{"type": "web_search_call", "id": "ws", "status": "completed", "action": {}}]), Target()
        )
    with pytest.raises(Untranslatable, match="item_reference"):
        ANTHROPIC.encode_request(read(input=[{"id": "rs_1"}]), Target())
    with pytest.raises(Untranslatable, match="input_video"):
        ANTHROPIC.encode_request(read(input=[{"role": "user", "content": [{"type": "input_video"}]}]), Target())


def test_recordings_where_a_server_takes_them() -> None:
    import msgspec

    capabilities = msgspec.structs.replace(CAPABILITIES, audio_types=frozenset({"audio/*"}))
    part = {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}
    request = Request("m", (Message("user", (Audio(Source("base64", "UklGRg==", "audio/wav")),)),), "other")
    body = json.loads(RESPONSES.encode_request(request, Target(capabilities=capabilities)).body)
    assert body["input"][0]["content"] == [part]
    assert read(input=[{"role": "user", "content": [part]}]).messages == request.messages


def test_a_failed_tool_says_so_in_its_text() -> None:
    body, losses = write(
        messages=(
            Message(
                "user",
                (
                    ToolResult("1", (Text("boom"),), is_error=True),
                    ToolResult("2", is_error=True),
                    ToolResult("3", (Image(Source("url", "http://x")),), is_error=True),
                ),
            ),
        )
    )
    outputs = [item["output"] for item in body["input"]]
    assert outputs[:2] == ["The tool reported an error:\nboom", "The tool reported an error:"]
    assert outputs[2][0] == {"type": "input_text", "text": "The tool reported an error:"}
    assert set(losses) == {f"messages[0].parts[{n}].is_error" for n in range(3)}


def test_ids_within_the_apis_length() -> None:
    long = "toolu_" + "x" * 90
    call, result = items(Message("assistant", (ToolCall(long, "f"),)), Message("user", (ToolResult(long),)))
    assert call["call_id"] == result["call_id"]
    assert len(call["call_id"]) == 64
    body, losses = write(user="u" * 65, cache_key="k" * 65, max_tokens=1)
    assert len(body["user"]) == len(body["prompt_cache_key"]) == 32
    assert body["max_output_tokens"] == 16
    assert losses == {"user": "hashed", "prompt_cache_key": "hashed", "max_tokens": "raised"}


def test_reasoning_goes_back_sealed_and_without_an_id_that_we_made() -> None:
    mine, yours = Signature("c2VhbGVk", "openai_responses"), Signature("x", "anthropic")
    body, losses = write(messages=(Message("assistant", (Thinking("a", mine), Thinking("b", yours), Text("t"))),))
    assert body["input"][0] == {
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "a"}],
        "encrypted_content": "c2VhbGVk",
    }
    assert [item["type"] for item in body["input"]] == ["reasoning", "message"]
    assert losses == {"messages[0].parts[1].signature": "dropped", "messages[0].parts[1].thinking": "dropped"}


def test_signatures_of_other_providers_come_back_through_the_client() -> None:
    def item(value: str, place: Any = "here", summary: tuple[str, ...] = (), origin: str = "anthropic") -> Any:
        texts = [{"type": "summary_text", "text": text} for text in summary]
        sealed = wrap(Signature(value, origin), "openai_responses", place)
        return {"type": "reasoning", "id": f"rs_{value}", "summary": texts, "encrypted_content": sealed}

    request = read(
        input=[
            {"role": "user", "content": "go"},
            item("one", summary=("Let me see.",)),
            item("two", "whole"),
            item("three"),
            item("four", "next", origin="gemini"),
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        ]
    )
    assert request.messages[1].parts == (
        Thinking("Let me see.", Signature("one", "anthropic"), "summary", "rs_one"),
        Thinking("", Signature("two", "anthropic"), "redacted", "rs_two"),
        Thinking("", Signature("three", "anthropic"), "", "rs_three"),
        ToolCall("c", "f", "{}", signature=Signature("four", "gemini")),
    )
    body = json.loads(ANTHROPIC.encode_request(request, Target()).body)
    assert body["messages"][1]["content"][:3] == [
        {"type": "thinking", "thinking": "Let me see.", "signature": "one"},
        {"type": "redacted_thinking", "data": "two"},
        {"type": "thinking", "thinking": "", "signature": "three"},
    ]


@pytest.mark.parametrize(
    ("reasoning", "written", "losses"),
    [
        (Reasoning(), None, {}),
        (Reasoning("off"), {"effort": "none"}, {}),
        (Reasoning("on", "low"), {"effort": "low"}, {}),
        (Reasoning("on", "high", summary="detailed"), {"effort": "high", "summary": "detailed"}, {}),
        (Reasoning("on", budget=8192), {"effort": "medium", "summary": "auto"}, {}),
        (Reasoning("on", budget=10_000), {"effort": "medium", "summary": "auto"}, {"reasoning.budget": "approximated"}),
        (Reasoning("adaptive"), {"summary": "auto"}, {}),
        (Reasoning("adaptive", "max", summary="none"), {"effort": "max"}, {}),
        (Reasoning("", "xhigh"), {"effort": "xhigh"}, {}),
        (Reasoning("between_tools"), {"summary": "auto"}, {"reasoning.mode": "approximated"}),
        (Reasoning("on", "ultra"), {"effort": "medium"}, {"reasoning.effort": "approximated"}),
    ],
)
def test_how_to_think(reasoning: Reasoning, written: Any, losses: dict[str, str]) -> None:
    body, lost = write(reasoning=reasoning)
    assert body.get("reasoning") == written
    assert lost == losses
    thinks = written is not None and written.get("effort") != "none"
    assert body.get("include") == (["reasoning.encrypted_content"] if thinks else None)


def test_reading_how_to_think() -> None:
    assert read(reasoning={"effort": "none", "summary": "auto"}).reasoning == Reasoning("off", summary="auto")
    assert read(reasoning={"effort": "low", "generate_summary": "concise"}).reasoning == Reasoning(
        "on", "low", summary="concise"
    )
    assert read(reasoning={"summary": None}).reasoning == Reasoning()
    assert read(reasoning={"summary": "long"}).reasoning == Reasoning(summary="auto", extras={"summary": "long"})


STRICT = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
LOOSE = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}


@pytest.mark.parametrize(
    ("output", "form", "losses"),
    [
        (Output("json"), {"type": "json_object"}, {"output.form": "approximated"}),
        (Output("schema", STRICT), {"type": "json_schema", "name": "answer", "strict": True, "schema": STRICT}, {}),
        (Output("schema", STRICT, "who", "D", strict=False), {"type": "json_schema", "name": "who", "description": "D", "strict": False, "schema": STRICT}, {}),
        (Output("schema", LOOSE, "w o"), {"type": "json_schema", "name": "w_o", "strict": False, "schema": LOOSE}, {"output.name": "approximated", "output.strict": "approximated"}),
        (Output("schema", {**STRICT, "title": "A person"}), {"type": "json_schema", "name": "A_person", "strict": True, "schema": {**STRICT, "title": "A person"}}, {}),
    ],
)  # fmt: skip
def test_structured_output(output: Output, form: Any, losses: dict[str, str]) -> None:
    body, lost = write(output=output)
    assert body["text"]["format"] == form
    assert lost == losses
    assert write(output=Output(verbosity="low"))[0]["text"] == {"verbosity": "low"}


def test_the_codex_backend_takes_less() -> None:
    body, losses = write(
        Target(capabilities=CODEX_CAPABILITIES, stream=True),
        max_tokens=100,
        sampling=Sampling(0.5, 0.9),
        user="u",
        metadata={"a": "b"},
        cache_key="k",
    )
    assert body == {"model": "m", "stream": True, "prompt_cache_key": "k", "store": False, "input": [PLAIN]}
    assert losses == {
        "max_tokens": "dropped",
        "sampling.temperature": "dropped",
        "sampling.top_p": "dropped",
        "user": "dropped",
        "metadata": "dropped",
    }


def test_cache_marks_where_the_model_has_them() -> None:
    import msgspec

    marked = (Message("user", (Text("a", cache=CacheMark("1h")), Text("b", cache=CacheMark()))),)
    assert write(messages=marked)[1] == {
        "messages[0].parts[0].cache_control": "dropped",
        "messages[0].parts[1].cache_control": "dropped",
    }
    capabilities = msgspec.structs.replace(CAPABILITIES, cache_marks=True)
    body, losses = write(Target(capabilities=capabilities), messages=marked, system=(Text("s", cache=CacheMark("5m")),))
    assert [part["prompt_cache_breakpoint"] for part in body["input"][0]["content"]] == [
        {"mode": "explicit", "ttl": "12h"},
        {"mode": "explicit"},
    ]
    assert losses == {
        "system[0].cache_control": "dropped",
        "messages[0].content[0].cache_control.ttl": "approximated",
    }


def test_a_count_has_what_counts_and_nothing_else() -> None:
    request = read(
        input="hi",
        instructions="s",
        tools=[{"type": "function", "name": "f", "parameters": {}}],
        stream=True,
        user="u",
        max_output_tokens=100,
        store=False,
        include=["reasoning.encrypted_content"],
        truncation="auto",
        previous_response_id="resp_1",
        reasoning={"effort": "low"},
    )
    encoded = RESPONSES.encode_request(request, Target(), operation="count_tokens")
    assert encoded.path == "/v1/responses/input_tokens"
    assert set(json.loads(encoded.body)) == {
        "model",
        "instructions",
        "tools",
        "input",
        "truncation",
        "previous_response_id",
        "reasoning",
    }


def test_unknown_fields_are_recorded_and_known_silence_is_not() -> None:
    request = read(
        input=[{"role": "user", "content": "x"}],
        include=["reasoning.encrypted_content"],
        client_metadata={"a": 1},
        truncation="auto",
        max_output_tokens=10,
    )
    losses = ANTHROPIC.encode_request(request, Target()).losses
    assert {loss.path for loss in losses} == {"truncation", "client_metadata"}
    searching = read(input="x", include=["web_search_call.results"], max_output_tokens=10)
    assert [loss.path for loss in ANTHROPIC.encode_request(searching, Target()).losses] == ["include"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the body is not JSON"),
        (b"[]", "expected an object, found an array"),
        (b'{"input": {}}', "input: expected an array"),
        (b'{"input": [1]}', r"input\[0\]: expected an object"),
        (b'{"input": [{"type": 5}]}', r"input\[0\].type: expected a string"),
        (b'{"input": [{"role": "tool", "content": ""}]}', r"input\[0\].role: expected user, assistant, system or developer"),
        (b'{"input": [{"role": "user", "content": 1}]}', r"input\[0\].content: expected an array"),
        (b'{"input": [{"role": "user", "content": [{}]}]}', r"content\[0\].type: expected a string, found null"),
        (b'{"input": [{"role": "user", "content": [{"type": "input_text"}]}]}', r"content\[0\].text: is missing"),
        (b'{"input": [{"role": "user", "content": [{"type": "input_image"}]}]}', "image_url: is missing"),
        (b'{"input": [{"role": "user", "content": [{"type": "input_file"}]}]}', "file_data: is missing"),
        (b'{"input": [{"type": "function_call", "call_id": "c"}]}', r"input\[0\].name: is missing"),
        (b'{"input": [{"type": "function_call_output", "output": 5}]}', r"input\[0\].output: expected an array"),
        (b'{"input": [{"type": "reasoning", "summary": [5]}]}', r"summary\[0\]: expected an object"),
        (b'{"max_output_tokens": "5"}', "max_output_tokens: expected a number, found a string"),
        (b'{"text": {"format": {"type": "xml"}}}', "text.format.type: 'xml' is not known"),
        (b'{"tool_choice": "any"}', "tool_choice: 'any' is not known"),
        (b'{"tool_choice": {"type": "allowed_tools", "mode": "none"}}', "tool_choice.mode: 'none' is not known"),
        (b'{"tools": [{"type": "custom", "name": "c", "format": {"type": "xml"}}]}', r"tools\[0\].format.type: 'xml' is not known"),
        (b'{"tools": [{"name": "f"}]}', r"tools\[0\].type: expected a string"),
        (b'{"include": [1]}', r"include\[0\]: expected a string"),
        (b'{"conversation": 5}', "conversation: expected a string"),
        (b'{"input":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
    ],
)  # fmt: skip
def test_a_request_that_cannot_be_read_names_the_field(body: bytes, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        RESPONSES.decode_request(body)


def test_the_path_may_say_model_and_stream() -> None:
    request = RESPONSES.decode_request(b'{"stream":false}', model="from-path", stream=True)
    assert (request.model, request.stream, request.messages) == ("from-path", True, ())


def test_a_server_tool_of_another_provider_is_refused() -> None:
    with pytest.raises(Untranslatable, match="web_search"):
        items(Message("assistant", (ServerTool("anthropic", "web_search", {}),)))


@pytest.mark.parametrize(
    ("path", "operation"),
    [
        ("/v1/responses", "generate"),
        ("/responses", "generate"),
        ("/backend-api/codex/responses", "generate"),
        ("/v1/responses/input_tokens", "count_tokens"),
        ("/v1/responses/compact", ""),
        ("/v1/responses/resp_1", ""),
        ("/v1/chat/completions", ""),
    ],
)
def test_paths(path: str, operation: str) -> None:
    assert RESPONSES.match(path) == operation
