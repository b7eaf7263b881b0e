"""YAML text to a tree: what is understood, what is refused, with the line."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccproxy.config.locate import DEEPEST, MOST_NODES, read_file, read_value
from ccproxy.config.problems import Place, Problems
from ccproxy.config.tree import Items, Scalar, Table, place_of, plain


def read(text: str) -> tuple[object, list[str]]:
    found = Problems()
    tree = read_file(text, "F", found)
    return plain(tree), found.error().message.split("\n") if found else []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", {}),
        ("# nothing\n", {}),
        ("---\n...\n", {}),
        ("null\n", {}),
        ("ccproxy:\n", {}),
        ("ccproxy: {}\n", {}),
        ("ccproxy:\n  port: 4000\n", {"port": 4000}),
        ("ccproxy: {a: [1, 'two', \"t\\nh\"], b: ~}", {"a": [1, "two", "t\nh"], "b": None}),
        ("ccproxy:\r\n  port: 1\r\n", {"port": 1}),
        ("%YAML 1.2\n---\nccproxy: {a: yes}\n", {"a": "yes"}),
        ("ccproxy:\n  a: !!str 12\n  b: ! 12\n", {"a": "12", "b": "12"}),
        ("ccproxy:\n  a: |\n    x\n    y\n", {"a": "x\ny\n"}),
        # Keys are text, whatever they look like.
        ("ccproxy:\n  1: a\n  true: b\n  ~: c\n", {"1": "a", "true": "b", "~": "c"}),
    ],
)
def test_what_is_understood(text: str, value: object) -> None:
    assert read(text) == (value, [])


def test_every_value_knows_its_line() -> None:
    tree = read_file("# head\nccproxy:\n  a:\n    - x\n    - b: 1\n      c: 2\n", "F", Problems())

    assert str(place_of(tree, ("a",))) == "F:3"
    assert str(place_of(tree, ("a", 0))) == "F:4"
    assert str(place_of(tree, ("a", 1, "c"))) == "F:6"


def test_aliases_and_merge_keys() -> None:
    text = """\
ccproxy:
  base: &base {a: 1, b: 2}
  more: &more {b: 3, c: 4}
  one: {<<: *base, b: 9}
  two: {<<: [*base, *more]}
  same: *base
"""
    value, found = read(text)

    assert found == []
    assert isinstance(value, dict)
    assert value["one"] == {"a": 1, "b": 9}
    assert value["two"] == {"a": 1, "b": 2, "c": 4}
    assert value["same"] == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("port: 4000\n", 'F:1: unknown key "port" at the top; settings go below "ccproxy:"'),
        ("ccproxi:\n  port: 1\n", '"ccproxi" at the top; settings go below "ccproxy:"; did you mean "ccproxy"?'),
        ("ccproxy: {}\nother: 1\n", 'F:2: unknown key "other" at the top; settings go below "ccproxy:"'),
        ("[1]\n", 'F:1: expected a mapping with the one key "ccproxy:" at the top of the file'),
        ("hello\n", 'F:1: expected a mapping with the one key "ccproxy:" at the top of the file'),
        ("ccproxy: 3\n", "F:1: ccproxy: expected a mapping of settings"),
        ("ccproxy:\n  - a\n", "F:2: ccproxy: expected a mapping of settings"),
        ("ccproxy:\n\tport: 1\n", "F:2: broken YAML: a tab in the indentation; use spaces"),
        ("ccproxy:\n  a: 1\n \tb: 1\n", "F:3: broken YAML: a tab in the indentation; use spaces"),
        ("ccproxy:\n  a: b: c\n", 'F:2: broken YAML: a ":" that does not belong here'),
        ("ccproxy:\n  a: @x\n", "F:2: broken YAML: a value cannot begin with this character; put it in quotes"),
        ("ccproxy:\n  a: 'x\n\n", "broken YAML: a quote is opened and not closed (begun on line 2)"),
        ("ccproxy:\n  a: [1, 2\n  b: 3\n", "broken YAML: a bracket is opened and not closed"),
        ('ccproxy:\n  a: "\\q"\n', "F:2: broken YAML: unknown escape after a backslash"),
        ("ccproxy:\n  a: 1\n   b: 2\n", "F:3: broken YAML"),
        ("ccproxy:\n  a: \x07\n", "F:2: character U+0007 is not allowed in YAML"),
        ("ccproxy: {}\n---\nccproxy: {}\n", "F:2: a second document begins; a file holds one"),
        ("ccproxy:\n  a: {b: 1,\n    b: 2}\n", 'F:3: ccproxy.a: key "b" is given twice (first on line 2)'),
        ("ccproxy:\n  a: *nowhere\n", 'F:2: ccproxy.a: refers to nothing; put a value that begins with "*" in quotes'),
        ("ccproxy:\n  a: &a [*a]\n", "F:2: ccproxy.a[0]: refers to nothing"),
        ("ccproxy:\n  a: !env HOME\n", 'F:2: ccproxy.a: tags are not supported; put a value that begins with "!"'),
        ("ccproxy:\n  a: !!python/object/apply:os.system [x]\n", "F:2: ccproxy.a: tags are not supported"),
        ("ccproxy:\n  a: !!int 3\n", "F:2: ccproxy.a: tags are not supported"),
        ("ccproxy:\n  !x a: 3\n", "F:2: ccproxy: tags are not supported"),
        ("ccproxy:\n  ? [a]\n  : 1\n", "F:2: ccproxy: a key must be plain text"),
        ("ccproxy:\n  a: {<<: 3}\n", 'F:2: ccproxy.a: "<<" takes a mapping, or a list of mappings'),
    ],
)
def test_what_is_refused(text: str, line: str) -> None:
    _, found = read(text)

    assert len(found) == 1
    assert line in found[0]


def test_what_follows_a_problem_is_still_read() -> None:
    value, found = read("ccproxy:\n  a: !x 1\n  a: 2\n  b: *c\n  d: 4\n")

    assert [line.split(":")[1] for line in found] == ["2", "3", "4"]
    assert isinstance(value, dict)
    assert value["d"] == 4


def test_broken_yaml_quotes_nothing_of_the_file() -> None:
    for end in ("'", '"', ": x: y", "\t- z", " *b", "\n\t x"):
        _, found = read(f"ccproxy:\n  key: [{'s3cr3t'}{end}\n")

        assert found
        assert "s3cr3t" not in "".join(found)


@pytest.mark.parametrize("bracket", ["[", "{a: ", "- ", "? "])
def test_deep_nesting_is_refused_while_reading(bracket: str) -> None:
    # Far more than the parser could nest in reasonable time: reading stops at the limit.
    _, found = read("ccproxy:\n  " + bracket * 200_000)

    assert found == [f"F:2: nested more than {DEEPEST} deep"]


def test_aliases_do_not_multiply() -> None:
    text = "ccproxy:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    for level in range(1, 20):
        text += f"  a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n"

    _, found = read(text)

    assert found == [f"F:6: more than {MOST_NODES} values once aliases are filled in"]


@given(st.text())
@settings(max_examples=300, deadline=None)
def test_any_text_is_read_or_refused(text: str) -> None:
    read(text)
    read(f"ccproxy:\n  a: {text}\n")


@given(st.text(alphabet="ab:-[]{}&*!?|>'\"%@#,<\n\t 1", max_size=60))
@settings(max_examples=500, deadline=None)
def test_any_punctuation_is_read_or_refused(text: str) -> None:
    read(text)


PLACE = Place("V", rank=1)


def test_a_flow_value_has_one_place_everywhere() -> None:
    node = read_value("{a: [1, {b: x}]}", PLACE)

    assert isinstance(node, Table)
    assert plain(node) == {"a": [1, {"b": "x"}]}
    assert place_of(node, ("a", 1, "b")) == PLACE
    assert isinstance(read_value("[1]", PLACE), Items)
    assert read_value("'12'", PLACE) == Scalar("12", PLACE)


@pytest.mark.parametrize("text", ["plain", "[a", "[a] b", "{a: 1, a: 2}", "[*x]", "[!t x]", "[\x00]", "'a' b", ""])
def test_what_is_no_flow_value(text: str) -> None:
    assert read_value(text, PLACE) is None
