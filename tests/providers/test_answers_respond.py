import json

import pytest

from ccproxy.providers.answers.asked import Asked
from ccproxy.providers.answers.respond import Answer, error, respond
from ccproxy.providers.answers.script import Script, Text


def ask(method: str, target: bytes, body: object = None, headers: dict[str, str] | None = None) -> Answer:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return respond(
        method,
        target,
        headers or {},
        data,
        script=lambda asked: Script(asked.model, [Text("Hello there")]),
        models=["demo-1"],
    )


GENERATIONS = {
    "anthropic": (b"/v1/messages", b"/v1/messages"),
    "openai": (b"/v1/chat/completions", b"/v1/chat/completions"),
    "openai_responses": (b"/v1/responses", b"/v1/responses"),
    "gemini": (b"/v1/models/m:generateContent", b"/v1/models/m:streamGenerateContent?alt=sse"),
}


@pytest.mark.parametrize("dialect", GENERATIONS)
def test_a_generation_is_answered_whole_or_streamed(dialect: str) -> None:
    whole, streamed = GENERATIONS[dialect]

    document = ask("POST", whole, {"model": "m"})
    stream = ask("POST", streamed, {"model": "m", "stream": True})

    assert (document.status, document.streamed) == (200, False)
    assert (b"content-type", b"application/json") in document.headers
    assert b"Hello there" in document.body
    assert (stream.status, stream.streamed) == (200, True)
    assert (b"content-type", b"text/event-stream") in stream.headers
    assert len(stream.frames) > 1
    assert b"Hello" in stream.body


def test_the_script_is_told_what_was_asked() -> None:
    heard: list[Asked] = []

    def script(asked: Asked) -> Script:
        heard.append(asked)
        return Script("m")

    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "Hi"}]}).encode()
    respond("POST", b"/v1/chat/completions", {}, body, script=script, models=[])

    assert [(asked.model, asked.text) for asked in heard] == [("m", "Hi")]


def test_gemini_without_sse_streams_a_json_array() -> None:
    answer = ask("POST", b"/v1beta/models/m:streamGenerateContent", {})

    assert (b"content-type", b"application/json") in answer.headers
    assert isinstance(json.loads(answer.body), list)


def test_chat_usage_is_streamed_when_asked() -> None:
    body = {"model": "m", "stream": True, "stream_options": {"include_usage": True}}

    assert b'"prompt_tokens"' in ask("POST", b"/v1/chat/completions", body).body
    assert b'"prompt_tokens"' not in ask("POST", b"/v1/chat/completions", {"model": "m", "stream": True}).body


@pytest.mark.parametrize(
    ("target", "key"),
    [
        (b"/v1/messages/count_tokens", "input_tokens"),
        (b"/v1/responses/input_tokens", "input_tokens"),
        (b"/v1beta/models/m:countTokens", "totalTokens"),
        (b"/v1internal:countTokens", "totalTokens"),
    ],
)
def test_tokens_are_counted_by_the_size_of_the_request(target: bytes, key: str) -> None:
    small, large = (json.loads(ask("POST", target, {"x": "y" * size}).body)[key] for size in (10, 1000))

    assert 0 < small < large


def test_code_assist_sets_itself_up() -> None:
    load = json.loads(ask("POST", b"/v1internal:loadCodeAssist", {}).body)
    onboard = json.loads(ask("POST", b"/v1internal:onboardUser", {}).body)
    answer = json.loads(ask("POST", b"/v1internal:generateContent", {"model": "m", "request": {}}).body)

    assert load["currentTier"]["id"]
    assert onboard["done"] is True
    assert "candidates" in answer["response"]


def test_model_lists() -> None:
    openai = json.loads(ask("GET", b"/v1/models", headers={"authorization": "Bearer x"}).body)
    anthropic = json.loads(ask("GET", b"/v1/models", headers={"anthropic-version": "2023-06-01"}).body)
    gemini = json.loads(ask("GET", b"/v1beta/models").body)
    one = json.loads(ask("GET", b"/v1/models/any").body)

    assert openai["object"] == "list"
    assert anthropic["data"][0]["type"] == "model"
    assert gemini["models"][0]["name"] == "models/demo-1"
    assert one["id"] == "any"


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"7", b"\xff\xfe"])
@pytest.mark.parametrize("target", [GENERATIONS[dialect][0] for dialect in GENERATIONS])
def test_what_is_no_json_object_is_a_native_400(target: bytes, body: bytes) -> None:
    answer = ask("POST", target, body)

    assert answer.status == 400
    assert "JSON" in json.loads(answer.body)["error"]["message"]


@pytest.mark.parametrize(
    ("target", "headers", "where"),
    [
        (b"/v1/messages/batches", {}, ("error", "type", "not_found_error")),
        (b"/v1/embeddings", {}, ("error", "code", "model_not_found")),
        (b"/v1beta/models/m:embedContent", {}, ("error", "status", "NOT_FOUND")),
    ],
)
def test_unknown_paths_are_a_native_404(target: bytes, headers: dict[str, str], where: tuple[str, str, str]) -> None:
    answer = ask("POST", target, {}, headers)

    assert answer.status == 404
    outer, key, value = where
    assert json.loads(answer.body)[outer][key] == value


def test_the_request_id_of_an_error_is_in_header_and_body() -> None:
    answer = error("anthropic", 529)

    assert dict(answer.headers)[b"request-id"].decode() == json.loads(answer.body)["request_id"]
