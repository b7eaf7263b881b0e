"""`ccproxy flows` as a user runs it: on a terminal, in a pipe, with filters, while something else writes."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import os
import pty
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ccproxy.flows.config import FlowsConfig
from ccproxy.flows.model import Flow, RequestRecord, ResponseRecord
from ccproxy.flows.sqlite import SqliteStore
from ccproxy.util.clock import SystemClock

if TYPE_CHECKING:
    from conftest import Sandbox

STREAM = b'event: message_start\ndata: {"type":"message_start","message":{"model":"claude-x-2","usage":{"input_tokens":7}}}\n\n'


def make_flow(
    number: int, *, status: int = 200, path: str = "/v1/messages", body: bytes = b'{"model":"claude-x"}'
) -> Flow:
    now = time.time() - 42 + number / 1_000
    request = RequestRecord(
        headers=[("Host", "localhost:4000"), ("Content-Type", "application/json")],
        body=body,
        size=len(body),
        method="POST",
        scheme="http",
        host="localhost",
        port=4000,
        target=path,
        timestamp_start=now,
        timestamp_end=now,
    )
    forwarded = RequestRecord(
        headers=[("x-api-key", "…abcd")],
        body=body,
        size=len(body),
        method="POST",
        scheme="https",
        host="api.anthropic.com",
        port=443,
        target=path,
        timestamp_start=now,
        timestamp_end=now,
    )
    answer = gzip.compress(STREAM)
    response = ResponseRecord(
        headers=[("content-type", "text/event-stream"), ("content-encoding", "gzip")],
        body=answer,
        size=len(answer),
        timestamp_start=now,
        timestamp_end=now,
        status=status,
        reason="OK",
    )
    return Flow(
        id=f"{number:012x}",
        started=now,
        duration=1.25,
        door="gateway",
        client_address="127.0.0.1",
        client_port=50_000,
        client_key="",
        user_agent="claude-cli/2.1 (external)",
        dialect="anthropic",
        operation="messages",
        model="claude-x",
        provider="anthropic",
        action="redirect",
        reason="sentinel",
        credential="command",
        outcome="complete",
        error_kind="",
        error="",
        streaming=True,
        ttfb=0.5,
        request=request,
        forwarded=forwarded,
        response=response,
    )


def record(path: Path, *flows: Flow) -> None:
    """Records flows as a proxy would."""

    async def run() -> None:
        store = SqliteStore(path, clock=SystemClock(), config=FlowsConfig())
        store.start()
        assert all(await asyncio.gather(*(store.put(flow) for flow in flows)))
        await asyncio.to_thread(store.close)

    asyncio.run(run())


@pytest.fixture
def store(sandbox: Sandbox) -> Path:
    """A store with three flows, the second of them a failure on another path."""
    path = sandbox.state / "flows.db"
    record(path, make_flow(0x10), make_flow(0x11, status=529, path="/v1/models"), make_flow(0x20))
    return path


def on_terminal(sandbox: Sandbox, *args: str, columns: int = 140, **env: str) -> str:
    """What a command writes to a terminal."""
    main, sub = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "ccproxy", *args],
        env=sandbox.env(COLUMNS=str(columns), TERM="xterm", **env),
        stdin=sub,
        stdout=sub,
        stderr=sub,
        close_fds=True,
    )
    os.close(sub)
    shown = b""
    try:
        while piece := os.read(main, 65_536):
            shown += piece
    except OSError:  # the other side is closed
        pass
    os.close(main)
    process.wait()
    return shown.decode().replace("\r\n", "\n")


def test_list_for_a_pipe(sandbox: Sandbox, store: Path) -> None:
    done = sandbox.ccproxy("flows", "list")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert [line[0] for line in lines] == [f"{n:012x}" for n in (0x10, 0x11, 0x20)]
    assert lines[0][1:8] == ["POST", "200", "api.anthropic.com", "/v1/messages", "claude-x-2", "7 → ?", "1.25 s"]
    assert lines[0][9] == "claude-cli/2.1 (external)"


def test_list_on_a_terminal(sandbox: Sandbox, store: Path) -> None:
    shown = on_terminal(sandbox, "flows", "list", NO_COLOR="1")
    assert "Model" in shown
    assert shown.count("42 seconds ago") + shown.count("43 seconds ago") + shown.count("41 seconds ago") == 3
    narrow = on_terminal(sandbox, "flows", "list", columns=80)
    assert "Model" not in narrow
    assert "\x1b[31m" in narrow, "a failure is red"


def test_list_on_a_terminal_stops_at_fifty_and_says_so(sandbox: Sandbox) -> None:
    record(sandbox.state / "flows.db", *(make_flow(n) for n in range(60)))
    shown = on_terminal(sandbox, "flows", "list")
    assert shown.count("POST") == 50
    assert "The 50 newest of 60 flows; -n 0 shows all." in shown
    assert on_terminal(sandbox, "flows", "list", "-n", "0").count("POST") == 60
    assert len(sandbox.ccproxy("flows", "list").stdout.splitlines()) == 60


def test_list_as_json(sandbox: Sandbox, store: Path) -> None:
    items = json.loads(sandbox.ccproxy("flows", "list", "--json", "-n", "2").stdout)
    assert [item["id"] for item in items] == [f"{n:012x}" for n in (0x11, 0x20)]
    assert items[1]["request"]["pretty_host"] == "api.anthropic.com"
    assert items[1]["ccproxy"]["client_request"]["url"] == "http://localhost:4000/v1/messages"


def test_list_with_filters(sandbox: Sandbox, store: Path) -> None:
    done = sandbox.ccproxy(
        "flows",
        "list",
        "--jq",
        'map(select(.request.path | startswith("/v1/messages")))',
        "--jq",
        "map(select(.response.status_code == 200))",
        "-n",
        "1",
    )
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == [f"{0x20:012x}"]
    done = sandbox.ccproxy("flows", "list", "--json", "--jq", "map(.id)", "--jq", "[length]")
    assert json.loads(done.stdout) == [3]


def test_default_filters_come_first(sandbox: Sandbox, store: Path) -> None:
    sandbox.write_config("ccproxy: {flows: {default_jq_filters: ['map(select(.response.status_code >= 400))']}}\n")
    done = sandbox.ccproxy("flows", "list")
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == [f"{0x11:012x}"]
    done = sandbox.ccproxy("flows", "list", "--jq", 'map(select(.request.path == "/v1/messages"))')
    assert (done.stdout, done.stderr) == ("", "the filters leave no flow\n")


@pytest.mark.parametrize("filter_text", ["map(", "length", ".[]", "map(.a.b.c.d.e)|map(.[0])"])
def test_a_wrong_filter_is_one_line(sandbox: Sandbox, store: Path, filter_text: str) -> None:
    done = sandbox.ccproxy("flows", "list", "--jq", filter_text)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("ccproxy: ")
    assert done.stderr.count("\n") == 1


def test_an_empty_store_says_how_to_get_flows(sandbox: Sandbox) -> None:
    done = sandbox.ccproxy("flows", "list")
    assert (done.returncode, done.stdout) == (0, "")
    assert "ccproxy start" in done.stderr
    assert not (sandbox.state / "flows.db").exists()
    assert json.loads(sandbox.ccproxy("flows", "list", "--json").stdout) == []
    done = sandbox.ccproxy("flows", "show", "last")
    assert done.returncode == 1
    assert "ccproxy start" in done.stderr
    assert sandbox.ccproxy("flows", "clear", "--all").stdout == "Cleared 0 flow(s).\n"


@pytest.mark.parametrize(
    ("name", "number"), [("last", 0x20), ("00000000001", None), (f"{0x11:012x}", 0x11), ("00000000002", 0x20)]
)
def test_show_finds_a_flow(sandbox: Sandbox, store: Path, name: str, number: int | None) -> None:
    done = sandbox.ccproxy("flows", "show", name)
    if number is None:
        assert done.returncode == 1
        assert f"{0x10:012x}, {0x11:012x}" in done.stderr
    else:
        assert done.stdout.startswith(f"Flow {number:012x}\n")


def test_show_tells_all(sandbox: Sandbox, store: Path) -> None:
    text = sandbox.ccproxy("flows", "show", "last").stdout
    for words in (
        "sent to  https://api.anthropic.com/v1/messages",
        "answered by claude-x-2",
        "usage    7 tokens in",
        "[1] message_start",
        "x-api-key: …abcd",
    ):
        assert words in text


def test_show_as_json(sandbox: Sandbox, store: Path) -> None:
    record(store, make_flow(0x30, body=b"\xff\x1b\x9b"))
    item = json.loads(sandbox.ccproxy("flows", "show", "--json", "last").stdout)
    assert item["response"]["content"] == STREAM.decode()
    mine = item["ccproxy"]["client_request"]
    assert (mine["content_encoding"], base64.b64decode(mine["content"])) == ("base64", b"\xff\x1b\x9b")


@pytest.mark.parametrize("name", ["ffff", "nonsense", "", "%", "_"])
def test_show_of_what_is_not_there(sandbox: Sandbox, store: Path, name: str) -> None:
    done = sandbox.ccproxy("flows", "show", name)
    assert (done.returncode, done.stdout) == (1, "")
    assert "flows list" in done.stderr


def test_show_of_a_set_is_its_newest(sandbox: Sandbox, store: Path) -> None:
    chosen = 'map(select(.request.path | startswith("/v1/messages")))'
    newest = json.loads(sandbox.ccproxy("flows", "list", "--jq", chosen, "--json").stdout)[-1]["id"]
    assert json.loads(sandbox.ccproxy("flows", "show", "--jq", chosen, "--json").stdout)["id"] == newest
    done = sandbox.ccproxy("flows", "show", "--jq", "map(select(false))")
    assert (done.returncode, done.stderr) == (1, "ccproxy: the filters leave no flow\n")


def test_compare_tells_changes_and_causes(sandbox: Sandbox, store: Path) -> None:
    text = sandbox.ccproxy("flows", "compare", "last").stdout
    assert text.startswith(f"Flow {0x20:012x}: client and forwarded request\n")
    assert "url changed  (route: sentinel)" in text
    assert "+ https://api.anthropic.com/v1/messages" in text
    assert "headers.x-api-key added  (credential)" in text


def test_compare_on_a_terminal(sandbox: Sandbox, store: Path) -> None:
    page = on_terminal(sandbox, "flows", "compare", "last", NO_COLOR="1")
    for words in (
        f" URL change — {0x20:012x} ",
        "│ + https://api.anthropic.com/v1/messages",
        "headers.x-api-key added  (credential)",
        f"{0x20:012x}: request bodies are identical.",
    ):
        assert words in page


def test_compare_of_a_set_and_as_json(sandbox: Sandbox, store: Path) -> None:
    models = 'map(select(.request.path == "/v1/messages"))'
    both = json.loads(sandbox.ccproxy("flows", "compare", "--json", "--jq", models).stdout)
    assert [item["id"] for item in both] == [f"{0x10:012x}", f"{0x20:012x}"]
    assert both[0]["changes"][0]["path"] == "url"
    one = json.loads(sandbox.ccproxy("flows", "compare", "--json", "-n", "1").stdout)
    assert [item["id"] for item in one] == [f"{0x20:012x}"]


def test_compare_of_what_went_nowhere(sandbox: Sandbox, store: Path) -> None:
    refused = make_flow(0x40)
    refused.forwarded = None
    record(store, refused)
    done = sandbox.ccproxy("flows", "compare", "last")
    assert (done.returncode, done.stdout) == (1, "")
    assert "nothing of this went to a provider" in done.stderr
    assert sandbox.ccproxy("flows", "compare", "last", "--jq", ".").returncode == 2


def test_clear_asks_for_a_choice(sandbox: Sandbox, store: Path) -> None:
    done = sandbox.ccproxy("flows", "clear")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--all" in done.stderr
    assert "--jq" in done.stderr
    assert sandbox.ccproxy("flows", "clear", "--all", "--jq", ".").returncode == 2
    assert len(sandbox.ccproxy("flows", "list").stdout.splitlines()) == 3


def test_clear_a_part(sandbox: Sandbox, store: Path) -> None:
    done = sandbox.ccproxy("flows", "clear", "--jq", 'map(select(.request.path | startswith("/v1/messages")))')
    assert done.stdout == "Cleared 2 flow(s).\n"
    assert sandbox.ccproxy("flows", "list").stdout.startswith(f"{0x11:012x}\t")


def test_clear_as_json(sandbox: Sandbox, store: Path) -> None:
    assert json.loads(sandbox.ccproxy("flows", "clear", "--all", "--json").stdout) == {"cleared": 3}


def test_clear_follows_the_default_filters_but_all_is_all(sandbox: Sandbox, store: Path) -> None:
    sandbox.write_config("ccproxy: {flows: {default_jq_filters: ['map(select(.response.status_code >= 400))']}}\n")
    assert sandbox.ccproxy("flows", "clear").stdout == "Cleared 1 flow(s).\n"
    assert sandbox.ccproxy("flows", "clear", "--all").stdout == "Cleared 2 flow(s).\n"


def test_clear_takes_nothing_that_has_no_id(sandbox: Sandbox, store: Path) -> None:
    done = sandbox.ccproxy("flows", "clear", "--jq", "map({name: .id})")
    assert done.returncode == 1
    assert "nothing was done" in done.stderr


def test_clear_while_the_store_is_open_and_written_to(sandbox: Sandbox, store: Path) -> None:
    async def run() -> None:
        proxy = SqliteStore(store, clock=SystemClock(), config=FlowsConfig())
        proxy.start()
        assert await proxy.put(make_flow(0x40))
        done = await asyncio.to_thread(sandbox.ccproxy, "flows", "clear", "--all")
        assert done.stdout == "Cleared 4 flow(s).\n"
        assert await proxy.put(make_flow(0x41))
        assert proxy.problem == ""
        await asyncio.to_thread(proxy.close)

    asyncio.run(run())
    assert sandbox.ccproxy("flows", "list").stdout.startswith(f"{0x41:012x}\t")


def test_a_store_of_another_version_is_one_line(sandbox: Sandbox, store: Path) -> None:
    connection = sqlite3.connect(store)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    for args in (["list"], ["show", "last"], ["clear", "--all"]):
        done = sandbox.ccproxy("flows", *args)
        assert done.returncode == 1
        assert "newer ccproxy" in done.stderr
        assert done.stderr.count("\n") == 1


def test_a_configured_store(sandbox: Sandbox, tmp_path: Path) -> None:
    record(tmp_path / "elsewhere.db", make_flow(1))
    sandbox.write_config(f"ccproxy: {{flows: {{path: {tmp_path / 'elsewhere.db'}}}}}\n")
    assert sandbox.ccproxy("flows", "list").stdout.startswith(f"{1:012x}\t")


def test_a_pipe_costs_no_import_of_what_it_does_not_need(sandbox: Sandbox, store: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-X", "importtime", "-m", "ccproxy", "flows", "list"],
        env=sandbox.env(),
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "sqlite3" in loaded
    assert not loaded & {"rich", "asyncio", "aiohttp", "uvicorn", "zstandard", "jq", "cryptography"}
