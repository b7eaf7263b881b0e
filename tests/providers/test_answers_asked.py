import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ccproxy.providers.answers.asked import Asked, Tool, read

SCHEMA = {"type": "object"}

#: The same conversation in each dialect: a question, a tool call, its result.
ANSWERED = {
    "anthropic": {
        "model": "m",
        "max_tokens": 7,
        "stop_sequences": ["END"],
        "tools": [{"name": "look", "input_schema": SCHEMA}, {"type": "web_search_20250305", "name": "web_search"}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Where?"}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "look", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "here"}]},
        ],
    },
    "openai": {
        "model": "m",
        "max_completion_tokens": 7,
        "stop": "END",
        "tools": [{"type": "function", "function": {"name": "look", "parameters": SCHEMA}}],
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Where?"},
            {"role": "assistant", "tool_calls": [{"id": "t", "function": {"name": "look", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "t", "content": "here"},
        ],
    },
    "openai_responses": {
        "model": "m",
        "max_output_tokens": 7,
        "tools": [{"type": "function", "name": "look", "parameters": SCHEMA}, {"type": "web_search"}],
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "Where?"}]},
            {"type": "function_call", "call_id": "t", "name": "look", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "t", "output": "here"},
        ],
    },
    "gemini": {
        "model": "models/m",
        "generationConfig": {"maxOutputTokens": 7, "stopSequences": ["END"]},
        "tools": [{"functionDeclarations": [{"name": "look", "parametersJsonSchema": SCHEMA}]}, {"googleSearch": {}}],
        "contents": [
            {"role": "user", "parts": [{"text": "Where?"}]},
            {"role": "model", "parts": [{"functionCall": {"name": "look", "args": {}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "look", "response": {"output": "here"}}}]},
        ],
    },
}


@pytest.mark.parametrize("dialect", ANSWERED)
def test_every_dialect_says_the_same(dialect: str) -> None:
    asked = read(dialect, ANSWERED[dialect], model="m" if dialect == "gemini" else "")

    assert asked.model == "m"
    assert asked.tools == (Tool("look", SCHEMA),)
    assert len(asked.results) == 1
    assert "here" in asked.results[0]
    assert asked.has_results
    assert asked.max_tokens == 7
    assert asked.stop == (() if dialect == "openai_responses" else ("END",))
    assert not asked.stream


#: How each dialect says that the assistant spoke and the user asked again.
SPOKE = {
    "anthropic": (
        "messages",
        [{"role": "assistant", "content": "It is here."}, {"role": "user", "content": "And now?"}],
    ),
    "openai": ("messages", [{"role": "assistant", "content": "It is here."}, {"role": "user", "content": "And now?"}]),
    "openai_responses": (
        "input",
        [
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "It is here."}]},
            {"role": "user", "content": "And now?"},
        ],
    ),
    "gemini": (
        "contents",
        [{"role": "model", "parts": [{"text": "It is here."}]}, {"role": "user", "parts": [{"text": "And now?"}]}],
    ),
}


@pytest.mark.parametrize("dialect", ANSWERED)
def test_a_later_question_leaves_the_results_behind(dialect: str) -> None:
    body = dict(ANSWERED[dialect])
    key, turns = SPOKE[dialect]
    body[key] = [*body[key], *turns]

    asked = read(dialect, body)

    assert (asked.text, asked.results, asked.has_results) == ("And now?", (), True)


@pytest.mark.parametrize("dialect", ANSWERED)
def test_a_reminder_after_the_results_does_not(dialect: str) -> None:
    body = dict(ANSWERED[dialect])
    key, turns = SPOKE[dialect]
    body[key] = [*body[key], turns[-1]]

    assert len(read(dialect, body).results) == 1


@pytest.mark.parametrize(
    ("dialect", "choice", "expected"),
    [
        ("anthropic", {"tool_choice": {"type": "any"}}, "required"),
        ("anthropic", {"tool_choice": {"type": "none"}}, "none"),
        ("anthropic", {"tool_choice": {"type": "tool", "name": "look"}}, "look"),
        ("anthropic", {"tool_choice": {"type": "auto"}}, "auto"),
        ("openai", {"tool_choice": "none"}, "none"),
        ("openai", {"tool_choice": "required"}, "required"),
        ("openai", {"tool_choice": {"type": "function", "function": {"name": "look"}}}, "look"),
        ("openai_responses", {"tool_choice": {"type": "function", "name": "look"}}, "look"),
        ("gemini", {"toolConfig": {"functionCallingConfig": {"mode": "NONE"}}}, "none"),
        ("gemini", {"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}}, "required"),
        (
            "gemini",
            {"toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["look"]}}},
            "look",
        ),
        ("gemini", {}, "auto"),
    ],
)
def test_tool_choice(dialect: str, choice: dict, expected: str) -> None:
    assert read(dialect, choice).choice == expected


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        ("anthropic", {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}),
        ("anthropic", {"output_format": {"type": "json_schema", "schema": SCHEMA}}),
        ("openai", {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}}),
        ("openai_responses", {"text": {"format": {"type": "json_schema", "name": "x", "schema": SCHEMA}}}),
        ("gemini", {"generationConfig": {"responseJsonSchema": SCHEMA}}),
        ("gemini", {"generationConfig": {"responseSchema": SCHEMA}}),
    ],
)
def test_a_schema_for_the_answer(dialect: str, body: dict) -> None:
    assert read(dialect, body).schema == SCHEMA


def test_streaming_is_in_the_body_or_in_the_path() -> None:
    assert read("openai", {"stream": True, "stream_options": {"include_usage": True}}) == Asked(
        model="", stream=True, include_usage=True
    )
    assert read("gemini", {}, model="g", stream=True).stream


def test_gemini_takes_snake_case_too() -> None:
    asked = read(
        "gemini",
        {
            "tools": [{"function_declarations": [{"name": "look", "parameters_json_schema": SCHEMA}]}],
            "generation_config": {"max_output_tokens": 7, "stop_sequences": ["END"], "response_schema": SCHEMA},
            "tool_config": {"function_calling_config": {"mode": "any", "allowed_function_names": ["look"]}},
            "contents": [{"role": "user", "parts": [{"function_response": {"name": "look", "response": {}}}]}],
        },
    )

    assert (asked.tools, asked.max_tokens, asked.stop) == ((Tool("look", SCHEMA),), 7, ("END",))
    assert (asked.schema, asked.choice, asked.has_results) == (SCHEMA, "look", True)


def test_code_assist_wraps_the_request() -> None:
    asked = read("gemini", {"model": "g", "request": {"contents": [{"parts": [{"text": "Hi"}]}]}})

    assert (asked.model, asked.text) == ("g", "Hi")


def test_responses_take_a_plain_string() -> None:
    assert read("openai_responses", {"input": "Hi"}).text == "Hi"


FIELDS = ["messages", "input", "contents", "tools", "tool_choice", "stop", "text", "generationConfig", "max_tokens"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "parts", "text", "type", "name", "function"]), inner, max_size=3
        )
    ),
    max_leaves=12,
)


@given(st.sampled_from(sorted(ANSWERED)), st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=5))
@example("openai_responses", {"input": [{"type": []}]})
@example("anthropic", {"tools": [{"type": [], "name": "x"}]})
@example("gemini", {"contents": [{"role": []}]})
@example("anthropic", {"tools": [{"name": "x", "input_schema": {"anyOf": [{"type": []}]}}]})
def test_no_shape_is_too_odd(dialect: str, body: dict) -> None:
    assert isinstance(read(dialect, body), Asked)
