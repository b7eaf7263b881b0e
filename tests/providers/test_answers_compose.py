import json

import pytest

from ccproxy.providers.answers.asked import Asked, Tool
from ccproxy.providers.answers.compose import choose_tool, compose, wants_tool
from ccproxy.providers.answers.script import Script, Text, ToolCall, words


def said(script: Script) -> str:
    return "".join(part.text for part in script.parts if isinstance(part, Text))


def test_a_text_is_said_with_its_usage() -> None:
    script = compose(Asked("m"), "one two three", size=400)

    assert (said(script), script.stop) == ("one two three", "end")
    assert (script.usage.input, script.usage.output) == (100, 3)


def test_max_tokens_cuts_and_says_so() -> None:
    script = compose(Asked("m", max_tokens=2), "one two three", size=4)

    assert (said(script), script.stop, script.usage.output) == ("one two", "max_tokens", 2)


def test_max_tokens_that_suffice_change_nothing() -> None:
    assert compose(Asked("m", max_tokens=3), "one two three", size=4).stop == "end"


def test_no_tokens_at_all_is_an_empty_answer() -> None:
    script = compose(Asked("m", max_tokens=0), "one", size=4)

    assert (list(script.parts), script.stop) == ([], "max_tokens")


@pytest.mark.parametrize(
    ("stops", "limit", "text", "stop", "sequence"),
    [
        (("three",), None, "one two ", "stop_sequence", "three"),
        (("three", "two"), None, "one ", "stop_sequence", "two"),
        (("three",), 1, "one", "max_tokens", ""),
        (("nine",), None, "one two three", "end", ""),
    ],
)
def test_the_first_stop_sequence_ends_the_text(
    stops: tuple[str, ...], limit: int | None, text: str, stop: str, sequence: str
) -> None:
    script = compose(Asked("m", stop=stops, max_tokens=limit), "one two three", size=4)

    assert (said(script), script.stop, script.stop_sequence) == (text, stop, sequence)
    assert script.usage.output == len(words(text))


def test_a_tool_is_called_with_arguments_that_fit() -> None:
    tool = Tool("look", {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]})

    script = compose(Asked("m", tools=(tool,)), "unused", size=4, tool=tool)

    assert script.stop == "tool_use"
    assert isinstance(script.parts[0], ToolCall)
    assert (script.parts[0].name, json.loads(script.parts[0].arguments)) == ("look", {"n": 1})


def test_structured_output_gets_json_that_fits() -> None:
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}

    assert json.loads(said(compose(Asked("m", schema=schema), "unused", size=4))) == {"ok": False}


@pytest.mark.parametrize(
    ("names", "choice", "text", "expected"),
    [
        (["delete", "look"], "auto", "", "look"),
        (["delete", "Bash"], "auto", "", "Bash"),
        (["delete", "write"], "auto", "", "delete"),
        (["delete", "look", "write"], "auto", "please use Write now", "write"),
        (["delete", "look"], "delete", "", "delete"),
        (["delete", "look"], "required", "", "look"),
    ],
)
def test_which_tool(names: list[str], choice: str, text: str, expected: str) -> None:
    tool = choose_tool(Asked("m", tools=tuple(Tool(name) for name in names), choice=choice, text=text))

    assert tool is not None
    assert tool.name == expected


def test_no_tool_without_tools_or_leave() -> None:
    assert choose_tool(Asked("m")) is None
    assert choose_tool(Asked("m", tools=(Tool("look"),), choice="none")) is None


def test_a_result_in_the_last_turn_asks_for_text_and_an_older_one_only_once() -> None:
    fresh, answered, later = Asked("m"), Asked("m", results=("x",), has_results=True), Asked("m", has_results=True)

    assert [wants_tool(each, once=False) for each in (fresh, answered, later)] == [True, False, True]
    assert [wants_tool(each, once=True) for each in (fresh, answered, later)] == [True, False, False]
