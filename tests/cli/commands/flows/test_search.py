"""`ccproxy flows search` as a user runs it: what was said, for people and for programs."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from ccproxy.flows.config import FlowsConfig
from ccproxy.flows.model import Flow, RequestRecord
from ccproxy.flows.sqlite import SqliteStore
from ccproxy.util.clock import SystemClock

if TYPE_CHECKING:
    from conftest import Sandbox

TEXT_FIELDS = (
    "door client_address client_key user_agent dialect model provider action reason credential outcome error_kind error"
)


def said(number: int, prompt: str) -> Flow:
    """A flow whose prompt is this."""
    body = json.dumps({"messages": [{"role": "user", "content": prompt}]}).encode()
    return Flow(
        **dict.fromkeys(TEXT_FIELDS.split(), ""),
        id=f"{number:012x}",
        started=SystemClock().wall(),
        duration=1.0,
        client_port=7,
        operation="messages",
        streaming=False,
        ttfb=None,
        request=RequestRecord(headers=[], body=body, size=len(body)),
        forwarded=None,
        response=None,
    )


@pytest.fixture
def box(sandbox: Sandbox) -> Sandbox:
    """A user's machine with a store in which things were said."""
    prompts = ("find the bug", "the bug is \x1b[31mred", "天気は良い", "nothing", "a bug again")

    async def record() -> None:
        store = SqliteStore(sandbox.state / "flows.db", clock=SystemClock(), config=FlowsConfig())
        store.start()
        await asyncio.gather(*(store.put(said(number, prompt)) for number, prompt in enumerate(prompts, 1)))
        await asyncio.to_thread(store.close)

    asyncio.run(record())
    return sandbox


def test_it_finds_what_was_said_the_newest_last(box: Sandbox) -> None:
    result = box.ccproxy("flows", "search", "bug")
    assert [line.split("\t") for line in result.stdout.splitlines()] == [
        ["000000000001", "prompt", "find the bug"],
        ["000000000002", "prompt", "the bug is \\x1b[31mred"],
        ["000000000005", "prompt", "a bug again"],
    ]
    assert "天気は良い" in box.ccproxy("flows", "search", "天気").stdout
    assert box.ccproxy("flows", "search", "-n", "1", "bug").stdout.startswith("000000000005")
    assert box.ccproxy("flows", "search", '"the bug"', "find").stdout.split()[0] == "000000000001"


def test_it_gives_flows_to_filters_and_programs(box: Sandbox) -> None:
    items = json.loads(box.ccproxy("flows", "search", "bug", "--json").stdout)
    assert [item["id"][-1] for item in items] == ["1", "2", "5"]
    assert items[0]["ccproxy"]["match"] == {"role": "prompt", "snippet": "find the bug", "marks": [[9, 12]]}
    chosen = 'map(select(.ccproxy.match.snippet | startswith("find")))'
    assert box.ccproxy("flows", "search", "bug", "--jq", chosen).stdout.split()[0] == "000000000001"
    shaped = box.ccproxy("flows", "search", "bug", "--json", "-n", "2", "--jq", "map(.id)")
    assert json.loads(shaped.stdout) == ["000000000002", "000000000005"]


def test_nothing_found_is_said(box: Sandbox) -> None:
    for typed in ("absent", "***", "NEAR("):
        result = box.ccproxy("flows", "search", typed)
        assert (result.returncode, result.stdout) == (0, "")
        assert f"Nothing with '{typed}' was said." in result.stderr
    assert box.ccproxy("flows", "search", "absent", "--json").stdout == "[]\n"
    assert box.ccproxy("flows", "search").returncode == 2
