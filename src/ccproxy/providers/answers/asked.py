"""What a request asks for, read from its body as far as a stand-in needs to know.

Each dialect has one reader. They are lenient: a field of the wrong shape counts as absent, because passing judgement
on requests is not their business.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool the client offers, with the JSON Schema of its arguments."""

    name: str
    schema: object = None


@dataclass(frozen=True, slots=True)
class Asked:
    """The gist of a request.

    Attributes:
        text: the text of the last user turn.
        tools: the client's function tools, in order.
        choice: `auto`, `none`, `required`, or the name of the tool that must be used.
        results: texts of the tool results since the assistant last spoke.
        has_results: whether any turn holds a tool result.
        max_tokens: the limit the client set, or None.
        stop: its stop sequences.
        schema: the JSON Schema the answer must fit, or None.
        include_usage: whether a Chat stream shall end with a usage chunk.
    """

    model: str
    stream: bool = False
    text: str = ""
    tools: tuple[Tool, ...] = ()
    choice: str = "auto"
    results: tuple[str, ...] = ()
    has_results: bool = False
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    schema: object = None
    include_usage: bool = False


def read(dialect: str, body: Json, *, model: str = "", stream: bool | None = None) -> Asked:
    """Reads a generation request of `dialect`. `model` and `stream` are what the path says, if it does."""
    reader = {
        "anthropic": _anthropic,
        "openai": _chat,
        "openai_responses": _responses,
        "gemini": _gemini,
    }[dialect]
    return reader(body, model or _text(body.get("model")), bool(body.get("stream")) if stream is None else stream)


def _anthropic(body: Json, model: str, stream: bool) -> Asked:
    turns = _objects(body.get("messages"))
    last = next((turn for turn in reversed(turns) if turn.get("role") == "user"), {})
    choice = _object(body.get("tool_choice"))
    named = {"any": "required", "none": "none", "tool": _text(choice.get("name"))}
    output = _object(_object(body.get("output_config")).get("format") or body.get("output_format"))
    return Asked(
        model=model,
        stream=stream,
        text=_joined(last.get("content")),
        tools=tuple(
            Tool(_text(tool.get("name")), tool.get("input_schema"))
            for tool in _objects(body.get("tools"))
            if tool.get("type") in (None, "custom") and tool.get("name")
        ),
        choice=named.get(_text(choice.get("type")), "auto"),
        results=_results(_since(turns, _is_assistant), "tool_result"),
        has_results=bool(_results(turns, "tool_result")),
        max_tokens=_limit(body.get("max_tokens")),
        stop=_strings(body.get("stop_sequences")),
        schema=output.get("schema"),
    )


def _chat(body: Json, model: str, stream: bool) -> Asked:
    turns = _objects(body.get("messages"))
    last = next((turn for turn in reversed(turns) if turn.get("role") == "user"), {})
    results = [_joined(turn.get("content")) for turn in _since(turns, _is_assistant) if turn.get("role") == "tool"]
    stop = body.get("stop")
    tools = [_object(tool.get("function")) for tool in _objects(body.get("tools"))]
    return Asked(
        model=model,
        stream=stream,
        text=_joined(last.get("content")),
        tools=tuple(Tool(_text(tool.get("name")), tool.get("parameters")) for tool in tools if tool.get("name")),
        choice=_openai_choice(body.get("tool_choice")),
        results=tuple(results),
        has_results=any(turn.get("role") == "tool" for turn in turns),
        max_tokens=_limit(body.get("max_completion_tokens")) or _limit(body.get("max_tokens")),
        stop=(stop,) if isinstance(stop, str) else _strings(stop),
        schema=_object(_object(body.get("response_format")).get("json_schema")).get("schema"),
        include_usage=bool(_object(body.get("stream_options")).get("include_usage")),
    )


def _responses(body: Json, model: str, stream: bool) -> Asked:
    given = body.get("input")
    items = _objects(given)
    last = next((item for item in reversed(items) if item.get("role") == "user"), {})
    outputs = ("function_call_output", "custom_tool_call_output")
    said = ("function_call", "custom_tool_call", "reasoning")
    new = _since(items, lambda item: _is_assistant(item) or item.get("type") in said)
    results = [_joined(item.get("output")) for item in new if item.get("type") in outputs]
    return Asked(
        model=model,
        stream=stream,
        text=given if isinstance(given, str) else _joined(last.get("content")),
        tools=tuple(
            Tool(_text(tool.get("name")), tool.get("parameters"))
            for tool in _objects(body.get("tools"))
            if tool.get("type") == "function" and tool.get("name")
        ),
        choice=_openai_choice(body.get("tool_choice")),
        results=tuple(results),
        has_results=any(item.get("type") in outputs for item in items),
        max_tokens=_limit(body.get("max_output_tokens")),
        schema=_object(_object(body.get("text")).get("format")).get("schema"),
    )


def _gemini(body: Json, model: str, stream: bool) -> Asked:
    inner = _object(body.get("request"))
    if inner:
        model = model or _text(body.get("model"))
        body = inner
    given = body.get("contents")
    turns: list[Json] = [{"parts": [{"text": given}]}] if isinstance(given, str) else _objects(given)
    last = next((turn for turn in reversed(turns) if turn.get("role") in (None, "user")), {})
    settings = _object(_either(body, "generationConfig"))
    calling = _object(_either(_object(_either(body, "toolConfig")), "functionCallingConfig"))
    allowed = _strings(_either(calling, "allowedFunctionNames"))
    mode = {"NONE": "none", "ANY": allowed[0] if allowed else "required"}.get(
        _text(calling.get("mode")).upper(), "auto"
    )
    declared = [
        declaration
        for tool in _objects(body.get("tools"))
        for declaration in _objects(_either(tool, "functionDeclarations"))
    ]
    return Asked(
        model=model.removeprefix("models/"),
        stream=stream,
        text=_joined(last.get("parts")),
        tools=tuple(
            Tool(_text(tool.get("name")), _either(tool, "parametersJsonSchema") or tool.get("parameters"))
            for tool in declared
            if tool.get("name")
        ),
        choice=mode,
        results=_function_responses(_since(turns, lambda turn: turn.get("role") == "model")),
        has_results=bool(_function_responses(turns)),
        max_tokens=_limit(_either(settings, "maxOutputTokens")),
        stop=_strings(_either(settings, "stopSequences")),
        schema=_either(settings, "responseJsonSchema") or _either(settings, "responseSchema"),
    )


def _either(value: Json, name: str) -> object:
    """A field in camel or snake case: Google's JSON reader takes both, and its SDK writes both."""
    return value.get(name, value.get(re.sub("[A-Z]", lambda found: "_" + found[0].lower(), name)))


def _openai_choice(value: object) -> str:
    if isinstance(value, str):
        return value if value in {"none", "required"} else "auto"
    choice = _object(value)
    return _text(choice.get("name")) or _text(_object(choice.get("function")).get("name")) or "auto"


def _since(turns: list[Json], spoken: Callable[[Json], bool]) -> list[Json]:
    """The turns after the last one that the assistant has spoken."""
    last = max((index for index, turn in enumerate(turns) if spoken(turn)), default=-1)
    return turns[last + 1 :]


def _is_assistant(turn: Json) -> bool:
    return turn.get("role") == "assistant"


def _results(turns: Iterable[Json], kind: str) -> tuple[str, ...]:
    return tuple(
        _joined(block.get("content"))
        for turn in turns
        for block in _objects(turn.get("content"))
        if block.get("type") == kind
    )


def _function_responses(turns: Iterable[Json]) -> tuple[str, ...]:
    found = [_object(_either(part, "functionResponse")) for turn in turns for part in _objects(turn.get("parts"))]
    return tuple(str(answer.get("response", "")) for answer in found if answer)


def _joined(content: object) -> str:
    """The text of a content value: a string, or the text parts of a list."""
    if isinstance(content, str):
        return content
    return "\n".join(text for part in _objects(content) if (text := _text(part.get("text"))))


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _objects(value: object) -> list[Json]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _strings(value: object) -> tuple[str, ...]:
    return tuple(each for each in value if isinstance(each, str) and each) if isinstance(value, list) else ()


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _limit(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
