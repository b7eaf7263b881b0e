"""A whole proxy with its inspector in front of a FakeProvider, and an agent's day in it."""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import struct
import subprocess
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ccproxy.cli.launch import launch
from ccproxy.inspector.access import ticket
from ccproxy.testing import (
    FakeProvider,
    Gate,
    Pause,
    Received,
    Reply,
    Script,
    Text,
    Thinking,
    ThreadedProvider,
    ToolCall,
    Usage,
    native_error,
    sse,
)

PATIENCE = 20.0
KEY = "sk-ant-oat-ccproxy-anthropic"
EVIL = "<script>document.title='owned';alert(1)</script><img src=x onerror=alert(2)>"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(condition: Callable[[], object]) -> None:
    """Waits for what another process does; fails if it does not come."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        os.sched_yield()


def png(width: int = 48, height: int = 32) -> bytes:
    """A picture."""
    rows = b"".join(b"\0" + bytes((60 + 3 * x) % 256 for x in range(width) for _ in "rgb") for _ in range(height))

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@dataclass
class World:
    """A running proxy. `port` is its own, `web` the inspector's."""

    folder: Path
    process: subprocess.Popen[bytes]
    port: int
    web: int
    provider: ThreadedProvider
    cookie: str = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.web}"

    def login_url(self) -> str:
        """What `ccproxy inspector` prints."""
        return f"{self.url}/#login={self.ticket()}"

    def ticket(self) -> str:
        return ticket((self.folder / "state" / "inspector.key").read_bytes(), time.time())

    def request(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """One request to the inspector: status, header fields, body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.web, timeout=PATIENCE)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def login(self) -> str:
        """Logs in once, and keeps the cookie."""
        if not self.cookie:
            status, headers, body = self.request("POST", "/api/login", json.dumps({"ticket": self.ticket()}).encode())
            assert status == 200, body
            self.cookie = headers["set-cookie"].partition(";")[0]
        return self.cookie

    def api(self, path: str) -> Any:
        """What the page gets, as JSON."""
        status, _, body = self.request("GET", f"/api/{path}", Cookie=self.login())
        assert status == 200, body
        return json.loads(body)

    def ask(self, body: dict[str, Any], path: str = "/v1/messages", **headers: str) -> tuple[int, str, bytes]:
        """One request through the proxy: status, flow, answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        named = {"x-api-key": KEY, "content-type": "application/json", "user-agent": "claude-cli/2.1 (external, cli)"}
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request("POST", path, json.dumps(body), named)
            answer = connection.getresponse()
            return answer.status, answer.headers["x-ccproxy-flow"], answer.read()
        finally:
            connection.close()

    def stored(self, flow: str) -> None:
        """Waits until a flow is in the store."""

        def there() -> bool:
            return self.request("GET", f"/api/flows/{flow}/body/request", Cookie=self.login())[0] == 200

        eventually(there)


@contextmanager
def world(folder: Path, extra: str = "", *, web: int = 0) -> Iterator[World]:
    """A proxy whose providers are `anthropic` and `google`, both a FakeProvider."""
    port, web = free_port(), web or free_port()
    with FakeProvider.in_thread() as provider:
        (folder / "ccproxy.yaml").write_text(
            f"ccproxy:\n  port: {port}\n  inspector:\n    port: {web}\n{extra}"
            f"  providers:\n    anthropic:\n      type: anthropic\n      base_url: {provider.url}\n"
            "      auth: {type: command, command: 'echo key-of-the-provider-0123456789', header: x-api-key}\n"
            f"    google:\n      type: gemini\n      base_url: {provider.url}\n"
            "      auth: {type: command, command: 'echo key-of-the-provider-0123456789'}\n"
        )
        env = {"HOME": str(folder), "CCPROXY_CONFIG_DIR": str(folder), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
        process, _ = launch(["start"], env)
        try:
            yield World(folder, process, port, web, provider)
        finally:
            process.terminate()
            process.wait(PATIENCE)


TOOLS: list[dict[str, Any]] = [
    {
        "name": "Bash",
        "description": "Runs a command in a shell and gives its output.",
        "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]},
    },
    {
        "name": "Read",
        "description": "Reads a file from the disk.",
        "input_schema": {"type": "object", "properties": {"file_path": {"type": "string"}}},
    },
    {
        "name": "Edit",
        "description": "Replaces text in a file.",
        "input_schema": {
            "type": "object",
            "properties": {
                "file_path": {"type": "string"},
                "old_string": {"type": "string"},
                "new_string": {"type": "string"},
            },
        },
        "cache_control": {"type": "ephemeral"},
    },
]
SYSTEM = [
    {
        "type": "text",
        "text": "You are a careful engineer who works in a terminal.\nRead before you write. Run the tests. " * 20,
        "cache_control": {"type": "ephemeral", "ttl": "1h"},
    }
]
SESSION = "0b9c2a66-5c1f-4a7e-9d35-0a51f3a6d7c1"


def an_agents_day(world: World) -> dict[str, str]:
    """A session with tools, a subagent, an image, an error and a conversion. Flows by what they show."""
    flows: dict[str, str] = {}
    session = {"x_claude_code_session_id": SESSION}
    say = world.provider.reply
    picture = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(png()).decode()}
    messages: list[dict[str, Any]] = [
        {
            "role": "user",
            "content": [
                {
                    "type": "text",
                    "text": "The retry test fails on Mondays. Here is what the dashboard shows; find out why.",
                },
                {"type": "image", "source": picture},
            ],
        }
    ]
    steps: list[tuple[str, str, dict[str, str], str]] = [
        ("I begin with the failing test.", "Bash", {"command": "pytest tests/test_retry.py -x -q"}, OUTPUT),
        ("The clock is read twice. I look at the code that does it.", "Read", {"file_path": "/src/retry.py"}, SOURCE),
        (
            "The week's first day is computed in local time, the deadline in UTC.",
            "Edit",
            {
                "file_path": "/src/retry.py",
                "old_string": "    begin = datetime.now()\n",
                "new_string": "    begin = datetime.now(UTC)\n",
            },
            "The file was changed.",
        ),
    ]
    prompt, before = 9_200, 0
    for number, (words, tool, args, result) in enumerate(steps):
        parts = [Thinking("The failure depends on the day, so time is involved. " * 3), Text(words)]
        usage = Usage(input=prompt, output=180 + 40 * number, cache_read=before, cache_write=prompt - before - 12)
        say(
            Script(
                "claude-sonnet-4-5",
                [*parts, ToolCall(tool, json.dumps(args), f"toolu_{number:02d}")],
                usage,
                stop="tool_use",
            )
        )
        body = {
            "model": "claude-sonnet-4-5",
            "max_tokens": 32_000,
            "stream": True,
            "system": SYSTEM,
            "tools": TOOLS,
            "thinking": {"type": "enabled", "budget_tokens": 8_000},
            "messages": messages,
            "metadata": {"user_id": f"user_x_account__session_{SESSION}"},
        }
        _, flows[f"turn {number}"], _ = world.ask(body, **session)
        before, prompt = prompt - 12, prompt + 1_400
        messages = [
            *messages,
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": words},
                    {"type": "tool_use", "id": f"toolu_{number:02d}", "name": tool, "input": args},
                ],
            },
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": f"toolu_{number:02d}", "content": result}],
            },
        ]
    subagent = session | {"x_claude_code_agent_id": "agent-7f3a", "x_claude_code_parent_agent_id": ""}
    say(
        Script("claude-haiku-4-5", [Text("There are three callers, all in `src/jobs`.")], Usage(input=2_100, output=64))
    )
    _, flows["subagent"], _ = world.ask(
        {
            "model": "claude-haiku-4-5",
            "max_tokens": 4_000,
            "stream": True,
            "system": "You are a subagent that searches code.",
            "messages": [{"role": "user", "content": "Find all callers of retry()."}],
        },
        **subagent,
    )
    say(native_error("anthropic", 400))
    _, flows["error"], _ = world.ask(
        {"model": "claude-sonnet-4-5", "max_tokens": 0, "messages": [{"role": "user", "content": "hi"}]}, **session
    )
    last = (
        "Done. The test failed on Mondays because `week_begin` mixed two clocks:\n\n```python\nbegin = datetime.now(UTC)\n"
        "deadline = begin + timedelta(days=7)\n```\n\nAll 41 tests pass now, also with the date set to a Monday."
    )
    say(
        Script("claude-sonnet-4-5", [Text(last)], Usage(input=prompt, output=122, cache_read=before, cache_write=1_380))
    )
    _, flows["last"], _ = world.ask(body | {"messages": messages}, **session)
    say(Script("gemini-2.5-flash", [Text("It is a proxy that can be looked into.")], Usage(input=420, output=12)))
    _, flows["converted"], _ = world.ask(
        {
            "model": "gemini-2.5-flash",
            "messages": [
                {"role": "system", "content": "Answer in one sentence."},
                {"role": "user", "content": "What is ccproxy?"},
            ],
            "logit_bias": {"50256": -100},
            "temperature": 0.2,
        },
        "/v1/chat/completions",
        x_api_key="",
        authorization="Bearer sk-ant-oat-ccproxy-google",
        user_agent="OpenAI/Python 2.9",
    )
    say(
        Script(
            "claude-sonnet-4-5", [Text(f"You said {EVIL}"), ToolCall(f"Run{EVIL}"[:60], json.dumps({"command": EVIL}))]
        )
    )
    _, flows["evil"], _ = world.ask(
        {
            "model": f"claude{EVIL}",
            "max_tokens": 100,
            "system": EVIL,
            "tools": [{"name": EVIL, "description": EVIL, "input_schema": {"type": "object"}}],
            "messages": [
                {"role": "user", "content": EVIL},
                {
                    "role": "assistant",
                    "content": [{"type": "tool_use", "id": EVIL, "name": EVIL, "input": {EVIL: EVIL}}],
                },
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": EVIL, "content": EVIL}]},
            ],
        },
        user_agent="evil/1.0",
    )
    for flow in flows.values():
        world.stored(flow)
    return flows


class Slow:
    """A streamed request whose answer stands still in its middle until `end` is called."""

    def __init__(self, world: World, text: str) -> None:
        self._gate = Gate()

        def half(request: Received) -> Reply:
            frames = world.provider.write(
                request, Script("claude-slow-1", [Text(text)], Usage(input=30, output=9))
            ).pieces
            middle = len(frames) // 2
            return sse([*frames[:middle], Pause(self._gate), *frames[middle:]])

        world.provider.reply(half)
        body = {
            "model": "claude-slow-1",
            "max_tokens": 99,
            "stream": True,
            "messages": [{"role": "user", "content": "Say it slowly."}],
        }
        self._thread = threading.Thread(target=world.ask, args=(body,))
        self._thread.start()

    def end(self) -> None:
        """Lets the rest of the answer go."""
        self._gate.open()
        self._thread.join(PATIENCE)


OUTPUT = """F
=================================== FAILURES ===================================
______________________________ test_deadline_is_a_week ______________________________

    def test_deadline_is_a_week():
>       assert deadline() - begin() == timedelta(days=7)
E       AssertionError: assert datetime.timedelta(days=6, seconds=82800) == datetime.timedelta(days=7)

tests/test_retry.py:41: AssertionError
1 failed in 0.31s
"""
SOURCE = """from datetime import UTC, datetime, timedelta


def week_begin():
    begin = datetime.now()
    return begin - timedelta(days=begin.weekday())


def deadline():
    return datetime.now(UTC) + timedelta(days=7)
"""
