"""Renaming of tools, and its undoing."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from ccproxy.lightllm.ir.events import ArgsDelta, Event, PartEnd, PartStart, TextDelta
from ccproxy.lightllm.ir.parts import Text, ToolCall
from ccproxy.lightllm.toolnames import Original, ToolNames

PATTERN = r"[a-zA-Z_][a-zA-Z0-9_-]{0,15}"

originals = st.lists(
    st.builds(
        Original, st.sampled_from(["", "g", "h.i"]), st.text(max_size=20), st.sampled_from(["function", "custom"])
    )
)


@given(originals, st.booleans(), st.booleans())
def test_names_are_legal_distinct_and_come_back(tools: list[Original], namespaces: bool, custom: bool) -> None:
    names = ToolNames(PATTERN, namespaces=namespaces, custom=custom)
    names.learn(tools)
    restorer = names.restorer()
    seen: dict[tuple[str, str], Original] = {}
    for tool in tools:
        name = names.target(tool.name, tool.namespace, tool.kind)
        assert re.fullmatch(PATTERN, name)
        namespace = tool.namespace if namespaces else ""
        assert seen.setdefault((namespace, name), tool) == tool
        kind = tool.kind if custom else "function"
        event: Event = PartStart(0, ToolCall("i", name, namespace=namespace, kind=kind))
        (restored,) = restorer.feed(event) if restorer else [event]
        assert restored == PartStart(0, ToolCall("i", tool.name, namespace=tool.namespace, kind=tool.kind))
        if restorer:
            restorer.feed(PartEnd())


def test_a_name_that_fits_never_changes() -> None:
    names = ToolNames(PATTERN, namespaces=False)
    names.learn(
        [
            Original("g", "f", "function"),
            Original("", "g__f", "function"),
            Original("", "a.b", "function"),
            Original("", "a_b", "function"),
        ]
    )
    assert names.target("g__f") == "g__f"
    assert names.target("f", "g") == "g__f_2"
    assert names.target("a_b") == "a_b"
    assert names.target("a.b") == "a_b_2"
    assert ToolNames().restorer() is None


def test_freeform_text_is_taken_out_of_its_json_however_it_arrives() -> None:
    names = ToolNames(PATTERN, custom=False)
    names.learn([Original("", "patch", "custom")])
    restorer = names.restorer()
    assert restorer is not None
    events: list[Event] = [
        PartStart(0, Text("")),
        TextDelta("x"),
        PartEnd(),
        PartStart(1, ToolCall("i", "patch")),
        ArgsDelta('{"inp'),
        ArgsDelta('ut": "a\\'),
        ArgsDelta('nb"}'),
        PartEnd(),
        PartStart(2, ToolCall("j", "other")),
        ArgsDelta("{}"),
        PartEnd(),
    ]
    assert [new for event in events for new in restorer.feed(event)] == [
        *events[:3],
        PartStart(1, ToolCall("i", "patch", kind="custom")),
        ArgsDelta("a\nb"),
        PartEnd(),
        *events[8:],
    ]
