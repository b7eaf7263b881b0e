"""Requests to Gemini from other dialects, and what is special to reading its own."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from ccproxy.errors import BadRequest, Untranslatable
from ccproxy.lightllm.dialect import Capabilities, Target
from ccproxy.lightllm.dialects.gemini.dialect import CAPABILITIES
from ccproxy.lightllm.dialects.gemini.openapi import from_openapi, to_openapi
from ccproxy.lightllm.dialects.gemini.spelling import camel
from ccproxy.lightllm.ir.parts import (
    Audio,
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
from ccproxy.lightllm.ir.request import (
    FunctionTool,
    HostedTool,
    Message,
    Output,
    Reasoning,
    Request,
    Sampling,
    State,
    ToolChoice,
)
from ccproxy.lightllm.schema_rules import GEMINI_OPENAPI

from ..kit import REGISTRY

GEMINI = REGISTRY.get("gemini")
OPENAPI = msgspec.structs.replace(CAPABILITIES, schema=GEMINI_OPENAPI, output_schema=GEMINI_OPENAPI)
LEVELS = msgspec.structs.replace(CAPABILITIES, budgets=False, efforts=("minimal", "low", "medium", "high"))


def write(*messages: Message, caps: Capabilities | None = None, **fields: Any) -> tuple[Any, dict[str, str]]:
    """Body and losses of a request of another dialect."""
    given = messages or (Message("user", (Text("hi"),)),)
    request = Request(fields.pop("model", "m"), given, **{"dialect": "other", **fields})
    encoded = GEMINI.encode_request(request, Target(capabilities=caps))
    return json.loads(encoded.body), {loss.path: loss.kind for loss in encoded.losses}


def parts(*given: Part, caps: Capabilities | None = None, role: Any = "user") -> tuple[list[Any], dict[str, str]]:
    body, losses = write(Message(role, given), caps=caps)
    return [part for content in body["contents"] for part in content["parts"]], losses


def read(body: Any, **path: Any) -> Request:
    return GEMINI.decode_request(json.dumps(body).encode(), **path)


# Reading


def test_model_and_stream_are_in_the_path_or_the_body() -> None:
    body = {"contents": "hi", "model": "models/in-body"}
    assert read(body).model == "in-body"
    request = read(body, model="models/in-path", stream=True)
    assert (request.model, request.stream) == ("in-path", True)
    assert request.messages == (Message("user", (Text("hi"),)),)


def test_both_spellings_are_one_field() -> None:
    snake = {
        "contents": [{"parts": {"inline_data": {"mime_type": "image/png", "data": "x"}}}],
        "system_instruction": {"parts": {"text": "s"}},
        "generation_config": {"max_output_tokens": 5, "thinking_config": {"thinking_budget": 0}},
        "tool_config": {"function_calling_config": {"mode": "any", "allowed_function_names": ["f"]}},
        "tools": [{"function_declarations": [{"name": "f", "parameters_json_schema": {"type": "object"}}]}],
        "cached_content": "c",
    }
    request = read(snake)
    assert request.messages[0].parts == (Image(Source("base64", "x", "image/png")),)
    assert request.system == (Text("s"),)
    assert request.max_tokens == 5
    assert request.reasoning.mode == "off"
    assert request.tool_choice == ToolChoice("tool", "f")
    assert request.tools == (FunctionTool("f", {"type": "object"}),)
    assert request.state.prompt == "c"
    assert camel({"a_b": 1, "aB": 2, "c": 3}, "x") == {"aB": 2, "c": 3}


def test_arguments_and_results_are_not_respelled() -> None:
    request = read(
        {
            "contents": [
                {"role": "model", "parts": [{"function_call": {"name": "f", "args": {"file_path": "a"}}}]},
                {"role": "user", "parts": [{"function_response": {"name": "f", "response": {"exit_code": 1}}}]},
            ]
        }
    )
    call, result = request.messages[0].parts[0], request.messages[1].parts[0]
    assert isinstance(call, ToolCall)
    assert isinstance(result, ToolResult)
    assert call.args == '{"file_path":"a"}'
    assert result.content == (Text('{"exit_code":1}'),)


def test_calls_without_ids_get_the_same_ones_each_time_and_lose_them_again() -> None:
    call = {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}} for _ in range(2)]}
    answer = {
        "role": "user",
        "parts": [{"functionResponse": {"name": "f", "response": {"output": "x"}}} for _ in range(2)],
    }
    short = read({"contents": [call, answer]})
    longer = read({"contents": [call, answer, call, answer]})
    assert longer.messages[: len(short.messages)] == short.messages
    ids = [part.id for message in longer.messages for part in message.parts if isinstance(part, ToolCall)]
    assert len(set(ids)) == 4
    results = [part.call_id for message in longer.messages for part in message.parts if isinstance(part, ToolResult)]
    assert results == ids
    written = json.loads(GEMINI.encode_request(longer, Target()).body)
    assert written["contents"] == [call, answer, call, answer]
    other = json.loads(REGISTRY.get("anthropic").encode_request(longer, Target(model="m")).body)
    assert other["messages"][0]["content"][0]["id"] == ids[0]


def test_a_signature_in_its_envelope_is_unwrapped() -> None:
    from ccproxy.lightllm.signatures import wrap

    foreign = Signature("c2ln", "anthropic")
    request = read(
        {
            "contents": [
                {
                    "role": "model",
                    "parts": [
                        {"text": "t", "thought": True, "thoughtSignature": wrap(foreign, "gemini")},
                        {"text": "", "thought": True, "thoughtSignature": wrap(foreign, "gemini", "whole")},
                        {"functionCall": {"id": "1", "name": "f"}, "thoughtSignature": "b3du"},
                    ],
                }
            ]
        }
    )
    assert request.messages[0].parts == (
        Thinking("t", foreign, "summary"),
        Thinking("", foreign, "redacted"),
        ToolCall("1", "f", signature=Signature("b3du", "gemini")),
    )
    body, losses = json.loads(GEMINI.encode_request(request, Target()).body), None
    assert body["contents"][0]["parts"] == [
        {"text": "t", "thought": True},
        {"functionCall": {"name": "f", "args": {}, "id": "1"}, "thoughtSignature": "b3du"},
    ]
    assert losses is None


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not JSON"),
        (b"[]", "expected an object"),
        (b"{}", "contents: is missing"),
        (b'{"contents": 5}', "contents: expected an array"),
        (b'{"contents": [{"role": "critic", "parts": []}]}', "expected user or model"),
        (b'{"contents": [{"parts": [{"text": 5}]}]}', r"parts\[0\].text: expected a string"),
        (b'{"contents": [], "toolConfig": {"functionCallingConfig": {"mode": "MAYBE"}}}', "'MAYBE' is not known"),
        (b'{"contents": [], "generationConfig": {"topP": "x"}}', "topP: expected a number"),
        (b'{"request": {"contents": [{"parts": 1}]}}', "parts: expected an array"),
        (b'{"contents": [{"role":"model","parts": [{"functionCall": {"name":"f","willContinue":true}}]}]}', "in pieces"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named(body: bytes, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        GEMINI.decode_request(body)


def test_deep_nesting_is_refused() -> None:
    deep = b'{"contents": [], "tools": [{"functionDeclarations": [{"name": "f", "parameters": '
    deep += b'{"items":' * 5000 + b"{}" + b"}" * 5000 + b"}]}]}"
    with pytest.raises(BadRequest, match="nested too deeply"):
        GEMINI.decode_request(deep)


# The envelope of Code Assist


def test_the_envelope_goes_where_it_is_wanted() -> None:
    inner = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}], "session_id": "s"}
    enveloped = {"model": "g", "project": "p", "user_prompt_id": "u", "request": inner}
    request = read(enveloped, stream=True)
    assert json.loads(GEMINI.encode_request(request, Target()).body) == {
        "model": "g", "project": "p", "user_prompt_id": "u",
        "request": {"session_id": "s", "contents": inner["contents"]},
    }  # fmt: skip
    plain = GEMINI.encode_request(request, Target(capabilities=msgspec.structs.replace(CAPABILITIES, envelope=False)))
    assert json.loads(plain.body) == {"contents": inner["contents"]}
    assert [loss.name for loss in plain.losses] == ["envelope"] * 3
    body, losses = write(caps=msgspec.structs.replace(CAPABILITIES, envelope=True, cache_key=True), cache_key="k")
    assert body == {"model": "m", "request": {"session_id": "k", "contents": inner["contents"]}}
    assert losses == {}
    count = GEMINI.encode_request(request, Target(), operation="count_tokens")
    assert json.loads(count.body) == {"request": {"model": "models/g", "contents": inner["contents"]}}


def test_a_count_has_what_counts() -> None:
    request = read(
        {
            "contents": [{"role": "model", "parts": [{"text": "t", "thought": True}, {"text": "x"}]}],
            "systemInstruction": {"parts": [{"text": "s"}]},
            "generationConfig": {"temperature": 1},
        },
        model="g",
    )
    encoded = GEMINI.encode_request(request, Target(), operation="count_tokens")
    assert encoded.path == "/v1beta/models/g:countTokens"
    assert json.loads(encoded.body) == {
        "generateContentRequest": {
            "model": "models/g",
            "systemInstruction": {"parts": [{"text": "s"}]},
            "contents": [{"role": "model", "parts": [{"text": "x"}]}],
        }
    }
    assert GEMINI.decode_request(encoded.body).system == (Text("s"),)


# Writing


def test_paths() -> None:
    request = Request("gemini-x", (Message("user", (Text("hi"),)),), dialect="other")
    assert GEMINI.encode_request(request, Target()).path == "/v1beta/models/gemini-x:generateContent"
    streaming = GEMINI.encode_request(request, Target(stream=True))
    assert streaming.path == "/v1beta/models/gemini-x:streamGenerateContent?alt=sse"


@pytest.mark.parametrize(
    ("path", "operation"),
    [
        ("/v1beta/models/g:generateContent", "generate"),
        ("/v1/models/g:streamGenerateContent", "generate"),
        ("/v1beta/models/g:countTokens", "count_tokens"),
        ("/v1internal:streamGenerateContent", "generate"),
        ("/v1internal:countTokens", "count_tokens"),
        ("/v1internal:loadCodeAssist", ""),
        ("/v1beta/models/g:embedContent", ""),
        ("/v1/messages", ""),
    ],
)
def test_which_paths_are_its_own(path: str, operation: str) -> None:
    assert GEMINI.match(path) == operation


def test_instructions() -> None:
    body, losses = write(
        Message("system", (Text("b"),)),
        Message("user", (Text("hi"),)),
        Message("developer", (Text("late"),)),
        system=(Text("a"),),
    )
    assert body["systemInstruction"] == {"parts": [{"text": "a"}, {"text": "b"}]}
    assert body["contents"] == [
        {"role": "user", "parts": [{"text": "hi"}, {"text": "<system>\nlate\n</system>"}]},
    ]
    assert losses == {"messages[2].role": "approximated"}
    with pytest.raises(Untranslatable, match="image in a system message"):
        write(Message("system", (Image(Source("base64", "x", "image/png")),)))


def test_turns() -> None:
    body, losses = write(
        Message("user", (Text("a"),), name="ann"),
        Message("user", (Text(""),)),
        Message("assistant", (Refusal("no"), ToolCall("c1", "f", "[1]"), ToolCall("c2", "g"))),
        Message("user", (Text("and"), ToolResult("c1", (Text("x"), Text("y"))), ToolResult("c2", is_error=True))),
        Message("user", (ToolResult("ghost", (Text("z"),)),)),
    )
    user, model, results = body["contents"]
    assert user == {"role": "user", "parts": [{"text": "a"}]}
    assert model["parts"] == [
        {"text": "no"},
        {"functionCall": {"name": "f", "args": {"_raw_arguments": "[1]"}, "id": "c1"}},
        {"functionCall": {"name": "g", "args": {}, "id": "c2"}},
    ]
    assert results["parts"] == [
        {"functionResponse": {"name": "f", "response": {"output": "x\ny"}, "id": "c1"}},
        {"functionResponse": {"name": "g", "response": {"error": ""}, "id": "c2"}},
        {"functionResponse": {"name": "unknown_tool", "response": {"output": "z"}, "id": "ghost"}},
        {"text": "and"},
    ]
    assert losses == {
        "messages[0].name": "dropped",
        "messages[1]": "repaired",
        "messages[2].parts[0].refusal": "approximated",
        "messages[2].parts[1].arguments": "approximated",
        "messages[3].parts": "approximated",
        "messages[3].parts[2].name": "approximated",
    }


def test_media() -> None:
    written, losses = parts(
        Image(Source("base64", "iVBORw0KGgo=")),
        Image(Source("base64", "AAAA")),
        Image(Source("url", "https://e.com/a.JPG?x=1")),
        Audio(Source("base64", "x", "audio/wav")),
        Document(Source("base64", "JVBERi0=", "application/pdf"), title="T", context="c", citations=True),
        Document(Source("text", "words")),
        Document(parts=(Text("found"),), url="https://e.com", title="S"),
        Document(Source("url", "https://e.com/doc")),
    )
    assert written == [
        {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}},
        {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
        {"fileData": {"fileUri": "https://e.com/a.JPG?x=1", "mimeType": "image/jpeg"}},
        {"inlineData": {"mimeType": "audio/wav", "data": "x"}},
        {"text": "Document: T\nc"},
        {"inlineData": {"mimeType": "application/pdf", "data": "JVBERi0="}},
        {"inlineData": {"mimeType": "text/plain", "data": "d29yZHM="}},
        {"text": "Document: S\nhttps://e.com"},
        {"text": "found"},
        {"fileData": {"fileUri": "https://e.com/doc", "mimeType": "application/pdf"}},
    ]
    assert losses == {
        "messages[0].parts[4].citations": "dropped",
        "messages[0].parts[4].title": "approximated",
        "messages[0].parts[6].title": "approximated",
    }
    with pytest.raises(Untranslatable, match="image/gif"):
        parts(Image(Source("base64", "x", "image/gif")))
    with pytest.raises(Untranslatable, match="file id"):
        parts(Document(Source("file", "file-1")))


def test_media_of_results() -> None:
    shot = ToolResult("c", (Text("see"), Image(Source("base64", "x", "image/png"))))
    history = (Message("assistant", (ToolCall("c", "shot"),)), Message("user", (shot,)))
    body, losses = write(*history)
    assert body["contents"][1]["parts"] == [
        {"functionResponse": {"name": "shot", "response": {"output": "see"}, "id": "c"}},
        {"text": "From the result of tool call c:"},
        {"inlineData": {"mimeType": "image/png", "data": "x"}},
    ]
    assert losses == {"messages[1].parts[0].content": "approximated"}
    body, losses = write(*history, caps=msgspec.structs.replace(CAPABILITIES, result_media=True))
    (part,) = body["contents"][1]["parts"]
    assert part["functionResponse"]["parts"] == [{"inlineData": {"mimeType": "image/png", "data": "x"}}]
    assert losses == {}


def test_tools() -> None:
    body, losses = write(
        tools=(
            FunctionTool("a/b", {"type": "object", "properties": {"x": {"type": "string", "minLength": 2}}}, "Does."),
            FunctionTool("c", strict=True),
            HostedTool("other", "web_search", "web_search", {"type": "web_search", "filters": {}}),
            FunctionTool("d"),
            HostedTool("other", "image_generation", "", {}),
        ),
        tool_choice=ToolChoice("auto", allowed=("c", "d")),
        parallel_tools=False,
    )
    assert body["tools"] == [
        {
            "functionDeclarations": [
                {
                    "name": "a_b",
                    "description": "Does.",
                    "parametersJsonSchema": {
                        "type": "object",
                        "properties": {
                            "x": {"type": "string", "description": 'Must also match this JSON Schema: {"minLength":2}'}
                        },
                    },
                },
                {"name": "c"},
            ]
        },
        {"googleSearch": {}},
        {"functionDeclarations": [{"name": "d"}]},
    ]
    assert body["toolConfig"] == {"functionCallingConfig": {"mode": "VALIDATED", "allowedFunctionNames": ["c", "d"]}}
    assert losses == {
        "tools[0].schema.properties.x.minLength": "approximated",
        "tools[1].strict": "dropped",
        "tools[2].settings": "dropped",
        "tools[4].image_generation": "dropped",
        "parallel_tool_calls": "dropped",
    }


@pytest.mark.parametrize(
    ("choice", "config"),
    [
        (ToolChoice("auto"), {"mode": "AUTO"}),
        (ToolChoice("required"), {"mode": "ANY"}),
        (ToolChoice("none"), {"mode": "NONE"}),
        (ToolChoice("tool", "f"), {"mode": "ANY", "allowedFunctionNames": ["f"]}),
        (ToolChoice("required", allowed=("f", "g")), {"mode": "ANY", "allowedFunctionNames": ["f", "g"]}),
    ],
)
def test_choices(choice: ToolChoice, config: dict[str, Any]) -> None:
    body, _ = write(tools=(FunctionTool("f"), FunctionTool("g")), tool_choice=choice)
    assert body["toolConfig"] == {"functionCallingConfig": config}
    again = read(body)
    assert again.tool_choice == choice


SEARCH = HostedTool("other", "web_search", "web_search", {"type": "web_search"})


@pytest.mark.parametrize(
    ("tools", "choice", "config", "losses"),
    [
        ((), ToolChoice("required"), None, {"tool_choice": "dropped"}),
        ((SEARCH,), ToolChoice("auto"), None, {}),
        ((SEARCH,), ToolChoice("tool", "web_search"), None, {"tool_choice": "dropped"}),
        ((SEARCH, FunctionTool("f")), ToolChoice("tool", "web_search"), {"mode": "AUTO"}, {"tool_choice.name": "approximated"}),
        (
            (SEARCH, FunctionTool("f")),
            ToolChoice("required", allowed=("web_search", "f")),
            {"mode": "ANY", "allowedFunctionNames": ["f"]},
            {"tool_choice.name": "approximated"},
        ),
    ],
)  # fmt: skip
def test_only_functions_can_be_chosen(tools: Any, choice: ToolChoice, config: Any, losses: dict[str, str]) -> None:
    body, found = write(tools=tools, tool_choice=choice)
    assert body.get("toolConfig") == (config and {"functionCallingConfig": config})
    assert found == losses


def test_no_tools_at_all_means_those_of_google_too() -> None:
    body, losses = write(tools=(SEARCH, FunctionTool("f")), tool_choice=ToolChoice("none"))
    assert body["tools"] == [{"functionDeclarations": [{"name": "f"}]}]
    assert losses == {}
    assert "tools" not in write(tools=(SEARCH,), tool_choice=ToolChoice("none"))[0]


def test_an_upstream_that_takes_openapi_schemas() -> None:
    schema = {"type": "object", "properties": {"a": {"type": ["string", "null"]}}, "additionalProperties": False}
    body, losses = write(
        tools=(FunctionTool("f", schema), FunctionTool("g", {"type": "object", "properties": {}})),
        output=Output("schema", schema),
        caps=OPENAPI,
    )
    note = 'Must also match this JSON Schema: {"additionalProperties":false}'
    spelled = {
        "type": "OBJECT",
        "properties": {"a": {"type": "STRING", "nullable": True}},
        "description": note,
    }
    assert body["tools"][0]["functionDeclarations"] == [{"name": "f", "parameters": spelled}, {"name": "g"}]
    assert body["generationConfig"] == {"responseMimeType": "application/json", "responseSchema": spelled}
    assert set(losses.values()) == {"approximated"}


def test_openapi_there_and_back() -> None:
    given = {
        "type": "OBJECT",
        "properties": {
            "any_of": {"anyOf": [{"type": "STRING"}, {"type": "ARRAY", "items": {"type": "NUMBER"}}], "nullable": True},
            "n": {"type": "INTEGER", "format": "int32", "nullable": True, "enum": ["1"]},
        },
        "maxProperties": 3,
        "propertyOrdering": ["n", "any_of"],
    }
    meant = from_openapi(given)
    assert meant["properties"]["any_of"]["anyOf"][-1] == {"type": "null"}
    assert meant["properties"]["n"]["type"] == ["integer", "null"]
    assert to_openapi(meant) == given
    assert from_openapi({"min_items": "3", "type": "TYPE_UNSPECIFIED", "any_of": [7]}) == {"minItems": 3, "anyOf": [7]}


@pytest.mark.parametrize(
    ("reasoning", "config", "losses"),
    [
        (Reasoning(), None, {}),
        (Reasoning("off"), {"thinkingBudget": 0}, {}),
        (Reasoning("adaptive"), {"thinkingBudget": -1, "includeThoughts": True}, {}),
        (Reasoning("on", budget=3000), {"thinkingBudget": 3000, "includeThoughts": True}, {}),
        (Reasoning("on", "high"), {"thinkingBudget": 16384, "includeThoughts": True}, {}),
        (Reasoning("on", "low", summary="none"), {"thinkingBudget": 2048, "includeThoughts": False}, {}),
        (Reasoning(summary="auto"), {"includeThoughts": True}, {}),
        (Reasoning(summary="detailed"), {"includeThoughts": True}, {"reasoning.summary": "approximated"}),
        (
            Reasoning("on", "max"),
            {"thinkingBudget": 32768, "includeThoughts": True},
            {"reasoning.budget": "approximated"},
        ),
        (
            Reasoning("between_tools", "low"),
            {"thinkingBudget": -1, "includeThoughts": True},
            {"reasoning.mode": "approximated", "reasoning.effort": "approximated"},
        ),
    ],
)
def test_thinking_by_budget(reasoning: Reasoning, config: Any, losses: dict[str, str]) -> None:
    body, found = write(reasoning=reasoning)
    assert body.get("generationConfig", {}).get("thinkingConfig") == config
    assert found == losses


@pytest.mark.parametrize(
    ("reasoning", "config", "losses"),
    [
        (Reasoning("off"), {"thinkingLevel": "MINIMAL"}, {"reasoning.mode": "approximated"}),
        (Reasoning("on", "high"), {"thinkingLevel": "HIGH", "includeThoughts": True}, {}),
        (
            Reasoning("on", "xhigh"),
            {"thinkingLevel": "HIGH", "includeThoughts": True},
            {"reasoning.effort": "approximated"},
        ),
        (
            Reasoning("on", budget=9000),
            {"thinkingLevel": "MEDIUM", "includeThoughts": True},
            {"reasoning.budget": "approximated"},
        ),
    ],
)
def test_thinking_by_level(reasoning: Reasoning, config: Any, losses: dict[str, str]) -> None:
    body, found = write(reasoning=reasoning, caps=LEVELS)
    assert body["generationConfig"]["thinkingConfig"] == config
    assert found == losses


def test_knobs() -> None:
    body, losses = write(
        max_tokens=10,
        sampling=Sampling(3.0, 0.5, 40, 0.1, 0.2, 7),
        stop=("a", "b", "c", "d", "e", "f"),
        output=Output("schema", {"type": "object"}, "answer", "An answer.", strict=False),
    )
    assert body["generationConfig"] == {
        "maxOutputTokens": 10,
        "temperature": 2.0,
        "topP": 0.5,
        "topK": 40,
        "frequencyPenalty": 0.1,
        "presencePenalty": 0.2,
        "seed": 7,
        "stopSequences": ["a", "b", "c", "d", "e"],
        "responseMimeType": "application/json",
        "responseJsonSchema": {"type": "object", "title": "answer", "description": "An answer."},
    }
    assert losses == {"sampling.temperature": "approximated", "output.strict": "approximated"}
    assert write(output=Output("json"))[0]["generationConfig"] == {"responseMimeType": "application/json"}


def test_what_is_kept_at_google_is_never_converted() -> None:
    anthropic = REGISTRY.get("anthropic")
    for body in ({"cachedContent": "c"}, {"continuationToken": "t"}, {"store": True}):
        request = read({"contents": "hi", **body}, model="g")
        with pytest.raises(Untranslatable, match="keeps"):
            anthropic.encode_request(request, Target(model="m"))
        assert json.loads(GEMINI.encode_request(request, Target()).body)[next(iter(body))]
    assert read({"contents": "hi"}).state == State()
    video = read({"contents": [{"parts": [{"inlineData": {"mimeType": "video/mp4", "data": "x"}}]}]}, model="g")
    assert isinstance(video.messages[0].parts[0], Opaque)
    with pytest.raises(Untranslatable, match="inlineData"):
        anthropic.encode_request(video, Target(model="m"))


def test_consecutive_requests_share_their_beginning() -> None:
    first = Message("user", (Text("hi"),))
    history = (first, Message("assistant", (ToolCall("c", "f"),)), Message("user", (ToolResult("c", (Text("x"),)),)))
    tools = (FunctionTool("f", {"type": "object", "$schema": "x", "properties": {"a": {"minLength": 1}}}),)
    one = GEMINI.encode_request(Request("m", (first,), "other", tools=tools), Target()).body
    two = GEMINI.encode_request(Request("m", history, "other", tools=tools), Target()).body
    assert two.startswith(one.removesuffix(b"]}"))
