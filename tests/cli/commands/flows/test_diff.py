"""`ccproxy flows diff` as a user runs it: the README's shape, summaries, and large sessions quickly."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from recorded_flows import flow, record

if TYPE_CHECKING:
    from conftest import Sandbox


def asking(*texts: str, **more: Any) -> Any:
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": text}]} for text in texts], **more}


@pytest.fixture
def box(sandbox: Sandbox) -> Sandbox:
    """A user's machine with a conversation of three turns."""
    bodies = [asking("what's 2+2"), asking("what's 3+3"), asking("what's 3+3", "and 4?", max_tokens=9)]
    record(sandbox.state / "flows.db", *(flow(number, body=body) for number, body in enumerate(bodies)))
    return sandbox


def test_each_two_that_follow_each_other(box: Sandbox) -> None:
    lines = box.ccproxy("flows", "diff").stdout.splitlines()
    assert lines[:3] == [
        "# flow:000000000000 -> flow:000000000001: messages: 1 changed (0.content.0.text)",
        "--- flow:000000000000",
        "+++ flow:000000000001",
    ]
    assert lines[3].startswith("@@ -")
    assert '-          "text": "what\'s 2+2"' in lines
    assert '+          "text": "what\'s 3+3"' in lines
    assert "# flow:000000000001 -> flow:000000000002: messages: 1 added (1 user); max_tokens: added" in lines


def test_the_newest(box: Sandbox) -> None:
    lines = box.ccproxy("flows", "diff", "-n", "2", "--summary").stdout.splitlines()
    assert lines == ["# flow:000000000001 -> flow:000000000002: messages: 1 added (1 user); max_tokens: added"]


def test_two_flows_by_name(box: Sandbox) -> None:
    lines = box.ccproxy("flows", "diff", "last", "000000000000").stdout.splitlines()
    assert lines[1:3] == ["--- flow:000000000002", "+++ flow:000000000000"]


def test_raw_is_the_body_as_it_is(box: Sandbox) -> None:
    lines = box.ccproxy("flows", "diff", "-n", "2", "--raw").stdout.splitlines()
    assert [json.loads(line[1:]) for line in lines[4:]] == [
        asking("what's 3+3"),
        asking("what's 3+3", "and 4?", max_tokens=9),
    ]


def test_as_json(box: Sandbox) -> None:
    pairs = json.loads(box.ccproxy("flows", "diff", "--json").stdout)
    assert [(pair["old"][-1], pair["new"][-1]) for pair in pairs] == [("0", "1"), ("1", "2")]
    assert pairs[0]["changes"] == [
        {
            "path": "messages.0.content.0.text",
            "kind": "changed",
            "before": '"what\'s 2+2"',
            "after": '"what\'s 3+3"',
        }
    ]


def test_what_clients_sent(sandbox: Sandbox) -> None:
    flows = [flow(number) for number in (1, 2)]
    for one in flows:
        assert one.forwarded is not None
        one.forwarded.body = b"{}"
    record(sandbox.state / "flows.db", *flows)
    assert sandbox.ccproxy("flows", "diff", "--summary").stdout.endswith("request bodies are identical\n")
    assert sandbox.ccproxy("flows", "diff", "--summary", "--client").stdout.endswith("n: 1 -> 2\n")


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["--jq", 'map(select(.id | endswith("1")))'], 1, "needs two flows"),
        (["last"], 2, "two IDs"),
        (["last", "last", "--jq", "."], 2, "two IDs"),
        (["-n", "1"], 1, "needs two flows"),
        (["last", "nonsense"], 1, "there is no flow 'nonsense'"),
    ],
)
def test_what_is_wrong_is_one_line(box: Sandbox, args: list[str], code: int, words: str) -> None:
    result = box.ccproxy("flows", "diff", *args)
    assert (result.returncode, result.stdout) == (code, "")
    assert len(result.stderr.splitlines()) == 1
    assert words in result.stderr


def test_text_that_could_drive_a_terminal_cannot(sandbox: Sandbox) -> None:
    record(sandbox.state / "flows.db", flow(1, body={"a": "1"}), flow(2, body={"a": "\x9b31m\x1b[2J"}))
    for args in ([], ["--raw"], ["--json"], ["--summary"]):
        shown = sandbox.ccproxy("flows", "diff", *args).stdout
        assert not set(shown) & {"\x1b", "\x9b"}
