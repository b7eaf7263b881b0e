"""What families of providers accept, and which family a provider is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ccproxy.errors import Untranslatable
from ccproxy.lightllm.dialect import Capabilities, Dialect, Target
from ccproxy.lightllm.dialects.openai.dialect import COMPATIBLE
from ccproxy.lightllm.families import FAMILIES, MESSAGES, capabilities, family_of
from ccproxy.lightllm.ir.parts import CacheMark, Document, Image, Source, Text, Thinking, ToolCall, ToolResult
from ccproxy.lightllm.ir.request import FunctionTool, Message, Output, Reasoning, Request, ToolChoice
from ccproxy.providers.registry import provider_types

from .kit import REGISTRY, Case, cases
from .test_cases import ids, request_of

EVERY = [(family, dialect) for family, spoken in FAMILIES.items() for dialect in spoken]
USER = Message("user", (Text("hi"),))


def to(dialect: str, family: str, request: Request) -> tuple[dict[str, Any], dict[str, str]]:
    """The body that a provider gets, and the losses."""
    target = Target(capabilities=capabilities(dialect, family))
    encoded = REGISTRY.get(dialect).encode_request(request, target)
    return json.loads(encoded.body), {loss.path: loss.word or loss.kind for loss in encoded.losses}


def asked(**fields: Any) -> Request:
    return Request(**{"model": "m", "messages": (USER,), "dialect": "elsewhere", "max_tokens": 9000, **fields})


@pytest.mark.parametrize(("family", "dialect"), EVERY)
@pytest.mark.parametrize("case", cases("request.json"), ids=ids)
def test_what_is_written_for_a_family_is_within_what_it_takes(family: str, dialect: str, case: Case) -> None:
    if case.dialect.name == dialect:
        return
    there: Dialect = REGISTRY.get(dialect)
    target = Target(model="m", capabilities=capabilities(dialect, family))
    try:
        encoded = there.encode_request(request_of(case), target)
    except Untranslatable as problem:
        assert problem.message
        return
    again = there.decode_request(encoded.body, model="m", stream=encoded.request.stream)
    assert there.encode_request(again, target).body == encoded.body


def test_the_dialects_own_providers_have_the_dialects_own_capabilities() -> None:
    for family, dialect in (
        ("anthropic", "anthropic"),
        ("openai", "openai"),
        ("openai", "openai_responses"),
        ("gemini", "gemini"),
    ):
        assert capabilities(dialect, family) == REGISTRY.get(dialect).capabilities


def test_what_nobody_knows_is_what_anyone_takes() -> None:
    assert capabilities("openai", "somewhere") == capabilities("openai") == COMPATIBLE
    assert capabilities("anthropic", "openai") == MESSAGES
    assert capabilities("openai_responses", "") != REGISTRY.get("openai_responses").capabilities
    assert capabilities("toy", "openai") is None


def test_deepseek_gets_its_thinking_back_and_nothing_it_cannot_read() -> None:
    request = asked(
        reasoning=Reasoning("on", "medium"),
        messages=(
            USER,
            Message("assistant", (Thinking("why"), ToolCall("1", "f"))),
            Message("user", (ToolResult("1", (Document(Source("text", "found")),)),)),
        ),
        output=Output("schema", {"type": "object"}),
    )
    body, losses = to("openai", "deepseek", request)
    assert (body["thinking"], body["reasoning_effort"]) == ({"type": "enabled"}, "low")
    assert body["messages"][2]["reasoning_content"] == "why"
    assert body["response_format"] == {"type": "json_object"}
    assert "json" in body["messages"][0]["content"].lower()
    assert losses["output.schema"] == "approximated"
    body, losses = to("anthropic", "deepseek", request)
    assert body["thinking"] == {"type": "enabled"}
    assert body["output_config"] == {"effort": "low"}
    assert body["messages"][1]["content"][0] == {"type": "thinking", "thinking": "why", "signature": ""}
    assert body["messages"][2]["content"][0]["content"] == "<document>\nfound\n</document>"


def test_marks_reach_those_who_cache_by_them() -> None:
    request = asked(messages=(Message("user", (Text("a", cache=CacheMark("5m")),)),))
    for family, marked in (("dashscope", True), ("openrouter", True), ("deepseek", False), ("openai", False)):
        body, losses = to("openai", family, request)
        assert ("cache_control" in json.dumps(body)) == marked
        assert (losses == {}) == marked


@pytest.mark.parametrize(
    ("family", "reasoning", "written"),
    [
        ("zai", Reasoning("off"), {"thinking": {"type": "disabled"}}),
        ("moonshot", Reasoning("on", "high"), {"thinking": {"type": "enabled"}}),
        ("dashscope", Reasoning("on", "low"), {"enable_thinking": True, "thinking_budget": 2048}),
        ("dashscope", Reasoning("off"), {"enable_thinking": False}),
        ("openrouter", Reasoning("on", "xhigh"), {"reasoning_effort": "xhigh"}),
        ("ollama", Reasoning("off"), {"reasoning_effort": "none"}),
        ("", Reasoning("off"), {}),
        ("", Reasoning("on", "xhigh"), {"reasoning_effort": "high"}),
    ],
)
def test_each_is_asked_to_think_in_its_own_words(family: str, reasoning: Reasoning, written: dict[str, Any]) -> None:
    body, _ = to("openai", family, asked(reasoning=reasoning))
    assert {
        name: body[name]
        for name in ("thinking", "reasoning_effort", "enable_thinking", "thinking_budget")
        if name in body
    } == written


def test_zai_is_not_made_to_call_a_tool() -> None:
    body, losses = to("openai", "zai", asked(tools=(FunctionTool("f"),), tool_choice=ToolChoice("required")))
    assert body["tool_choice"] == "auto"
    assert losses == {"tool_choice": "approximated"}


def test_forks_of_anthropics_dialect_get_instructions_at_the_beginning_only() -> None:
    request = asked(messages=(USER, Message("assistant", (Text("a"),)), Message("system", (Text("s"),)), USER))
    body, losses = to("anthropic", "moonshot", request)
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]
    assert losses == {"messages[2].role": "approximated"}


def test_pdfs_and_pictures_go_where_they_are_read() -> None:
    pdf = asked(messages=(Message("user", (Document(Source("base64", "JVBERi0=", "application/pdf")),)),))
    assert to("openai", "openrouter", pdf)[1] == {}
    for family in ("vllm", "ollama", "deepseek", ""):
        with pytest.raises(Untranslatable, match="application/pdf"):
            to("openai", family, pdf)
    picture = asked(messages=(Message("user", (Image(Source("url", "https://e.com/a.png")),)),))
    assert to("openai", "vllm", picture)[1] == {}
    with pytest.raises(Untranslatable, match="an image by URL"):
        to("openai", "lmstudio", picture)


def test_the_backends_of_codex_and_code_assist() -> None:
    codex = capabilities("openai_responses", "codex")
    assert codex is not None
    assert not codex.max_tokens
    body, _ = to("gemini", "code_assist", asked())
    assert "contents" in body["request"]


@pytest.mark.parametrize(
    ("kind", "host", "family"),
    [
        ("openai", "", "openai"),
        ("openai", "api.openai.com", "openai"),
        ("openai", "api.openai.com:443", "openai"),
        ("openai", "API.DeepSeek.com", "deepseek"),
        ("openai", "localhost:8000", ""),
        ("openai", "[::1]:8000", ""),
        ("openai", "my-company.openai.azure.com", "azure"),
        ("openai_responses", "chatgpt.com", "codex"),
        ("openai_responses", "", "openai"),
        ("anthropic", "", "anthropic"),
        ("anthropic", "api.moonshot.ai", "moonshot"),
        ("anthropic", "127.0.0.1:4001", ""),
        ("deepseek", "127.0.0.1:4001", "deepseek"),
        ("zai", "open.bigmodel.cn", "zai"),
        ("google", "", "gemini"),
        ("gemini", "cloudcode-pa.googleapis.com", "code_assist"),
        ("vertex_ai", "europe-west4-aiplatform.googleapis.com", "vertex_ai"),
        ("vertex_ai", "aiplatform.eu.rep.googleapis.com", "vertex_ai"),
        ("openai", "evil-api.openai.com.example.org", ""),
        ("demo", "", ""),
    ],
)
def test_whose_provider_it_is(kind: str, host: str, family: str) -> None:
    assert family_of(kind, host) == family


def test_every_provider_type_that_has_a_host_is_a_family_that_speaks_its_dialects() -> None:
    for provider in provider_types().values():
        if provider.host and not provider.in_process:
            family = family_of(provider.name, provider.host)
            assert set(provider.dialects) <= set(FAMILIES[family]), provider.name


def test_every_family_is_one_of_capabilities() -> None:
    for spoken in FAMILIES.values():
        assert spoken
        for dialect, found in spoken.items():
            assert isinstance(found, Capabilities)
            assert dialect in REGISTRY.names()
