"""Real clients through a real `ccproxy start`, in front of FakeProvider, on loopback with dummy keys.

Each client gets one task that needs a tool: read a file whose content only the tool can tell. FakeProvider answers the
first request with a call of that client's own reading tool and the next with what the tool found. A case holds if the
client ends well and says the file's content, if every flow is recorded as complete, and if neither sentinel nor foreign
key reached the provider. Then the provider fails in three ways, and the client must not take any for a success.

Run: `make clients` once, then `make e2e`. Prints a table; ends with 1 if a case failed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ccproxy.cli.launch import launch
from ccproxy.flows.reader import Reader
from ccproxy.providers.answers import anthropic as anthropic_answers
from ccproxy.providers.answers import gemini as gemini_answers
from ccproxy.providers.answers import openai_responses
from ccproxy.testing import (
    Cut,
    FakeProvider,
    Received,
    Reply,
    Script,
    Send,
    Socket,
    SocketSession,
    Text,
    ThreadedProvider,
    ToolCall,
    native_error,
)

BIN = Path(__file__).parent / "node_modules" / ".bin"
NEEDLE = "NEEDLE-7c1f9b"
TASK = "Use a tool to read the file needle.txt in the current directory and tell me its exact content. Do nothing else."
SECONDS = 120
EVENTS: dict[str, Callable[[Script], list[bytes]]] = {
    "anthropic": anthropic_answers.events,
    "openai_responses": openai_responses.events,
    "gemini": gemini_answers.events,
}
OWN = "sk-dummy-key-of-the-client-0123"
THEIRS = "sk-dummy-key-of-the-provider-0123"


@dataclass(frozen=True)
class Case:
    """One way of running one client. `dialect` names what it speaks; `answer` plays the model."""

    client: str
    mode: str
    dialect: str
    answer: Callable[[Received, Path], Script]
    argv: list[str]
    env: dict[str, str] = field(default_factory=dict)
    websocket: bool = False
    sentinel: bool = False


def anthropic(request: Received, project: Path) -> Script:
    body = request.json()
    results = [part for part in _parts(body["messages"]) if part.get("type") == "tool_result"]
    if results:
        return Script(body["model"], [Text(f"It says {_needle(results[-1])}.")])
    if any(tool["name"] == "Read" for tool in body.get("tools", [])):
        call = ToolCall("Read", json.dumps({"file_path": str(project / "needle.txt")}), "toolu_1")
        return Script(body["model"], [call], stop="tool_use")
    return Script(body["model"], [Text("A title")])


def responses(body: dict[str, Any], project: Path) -> Script:
    items = body["input"] if isinstance(body["input"], list) else []
    results = [item for item in items if item.get("type") == "function_call_output"]
    if results:
        return Script(body["model"], [Text(f"It says {_needle(results[-1])}.")])
    call = ToolCall("exec_command", json.dumps({"cmd": f"cat {project / 'needle.txt'}"}), "call_1")
    return Script(body["model"], [call], stop="tool_use")


def gemini(request: Received, project: Path) -> Script:
    body = request.json()
    model = request.path.rpartition("/")[2].partition(":")[0]
    results = [part for part in _parts(body["contents"], "parts") if "functionResponse" in part]
    if results:
        return Script(model, [Text(f"It says {_needle(results[-1])}.")])
    names = [each["name"] for tool in body.get("tools", []) for each in tool.get("functionDeclarations", [])]
    if "read_file" in names:
        return Script(
            model, [ToolCall("read_file", json.dumps({"file_path": str(project / "needle.txt")}))], stop="tool_use"
        )
    return Script(model, [Text("{}")])


def cases(url: str) -> list[Case]:
    codex = [
        *("codex", "exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"),
        *("-c", f'chatgpt_base_url="{url}/backend-api"'),
        TASK,
    ]
    claude = ["claude", "-p", TASK, "--model", "claude-sonnet-4-5-20250929", "--allowedTools", "Read"]
    google = ["gemini", "-m", "gemini-2.5-flash", "--approval-mode", "yolo", "--skip-trust", "-p", TASK]

    def http(request: Received, project: Path) -> Script:
        return responses(request.json(), project)

    return [
        Case("claude", "own key", "anthropic", anthropic, claude, {"ANTHROPIC_API_KEY": OWN}),
        Case("claude", "sentinel", "anthropic", anthropic, claude, {"ANTHROPIC_AUTH_TOKEN": "sk-ant-oat-ccproxy-claude"}, sentinel=True),
        Case("codex", "HTTP after 426", "openai_responses", http, codex, {"CODEX_API_KEY": OWN, "OPENAI_API_KEY": OWN}),
        Case("codex", "WebSocket", "openai_responses", http, codex, {"CODEX_API_KEY": OWN, "OPENAI_API_KEY": OWN}, websocket=True),
        Case("codex", "sentinel", "openai_responses", http, codex, {"CODEX_API_KEY": "sk-ant-oat-ccproxy-codex", "OPENAI_API_KEY": "sk-ant-oat-ccproxy-codex"}, sentinel=True),
        Case("gemini", "own key", "gemini", gemini, google, {"GEMINI_API_KEY": OWN}),
        Case("gemini", "sentinel", "gemini", gemini, google, {"GEMINI_API_KEY": "sk-ant-oat-ccproxy-gemini"}, sentinel=True),
    ]  # fmt: skip


def failures(dialect: str) -> dict[str, Reply]:
    """The provider's three ways to fail: every attempt of the client meets the same."""
    frames = EVENTS[dialect](Script("some-model", [Text("the first half of an answer that never gets to its end")]))
    half = [Send(frame) for frame in frames[: len(frames) // 2]]
    return {
        "error 500": native_error(dialect, 500, "the-provider-broke"),
        "error 400": native_error(dialect, 400, "the-provider-refused"),
        "cut stream": Reply(headers=[("content-type", "text/event-stream")], body=[*half, Cut()]),
    }


def main() -> int:
    rows: list[tuple[str, ...]] = []
    failed = 0
    with tempfile.TemporaryDirectory(prefix="ccproxy-e2e-") as folder, FakeProvider.in_thread() as provider:
        home = Path(folder)
        project = home / "project"
        project.mkdir()
        (project / "needle.txt").write_text(f"{NEEDLE}\n")
        # Without a stored kind of login gemini-cli 0.61 refuses any base URL when it has no terminal.
        (home / ".gemini").mkdir()
        (home / ".gemini" / "settings.json").write_text('{"security":{"auth":{"selectedType":"gemini-api-key"}}}')
        env = _environment(home)
        process, urls = launch(["start"], _configure(home, env, provider.url))
        try:
            for case in cases(urls[0]):
                if not (BIN / case.client).exists():
                    rows.append((case.client, "-", case.mode, "-", "not installed (make clients)"))
                    continue
                version = _version(case.client, env)
                before = len(provider.requests)
                problem = _tool_turn(case, provider, project, env, home)
                rows.append((case.client, version, case.mode, str(len(provider.requests) - before), problem or "ok"))
                failed += bool(problem)
                if case.sentinel:
                    for name, reply in failures(case.dialect).items():
                        problem = _failure(case, provider, reply, project, env)
                        rows.append((case.client, version, f"{case.mode}, {name}", "", problem or "seen as a failure"))
                        failed += bool(problem)
        finally:
            process.terminate()
            process.wait()
        with Reader(home / "ccproxy" / "state" / "flows.db") as flows:
            stored = b"".join(path.read_bytes() for path in (home / "ccproxy" / "state").iterdir() if path.is_file())
            print(f"{flows.count()} flows recorded")
        for key in (OWN, THEIRS):
            if key.encode() in stored:
                print(f"SECRET in the state directory: {key}")
                failed += 1
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 1 if failed else 0


def _tool_turn(case: Case, provider: ThreadedProvider, project: Path, env: dict[str, str], home: Path) -> str:
    """Runs one case. Returns what is wrong, or ""."""
    provider.on(".*", lambda request: _play(case, request, project))
    before = len(provider.requests)
    with Reader(home / "ccproxy" / "state" / "flows.db") as flows:
        recorded = flows.count()
    done = _run(case, project, env)
    if done.returncode or NEEDLE not in done.stdout:
        return f"exit {done.returncode}: {(done.stdout + done.stderr)[-300:]!r}"
    seen = provider.requests[before:]
    if any(b"ccproxy" in request.head for request in seen):
        return "a sentinel reached the provider"
    expected = THEIRS if case.sentinel else OWN
    if not all(expected.encode() in request.head for request in seen):
        return "the wrong credential reached the provider"
    with Reader(home / "ccproxy" / "state" / "flows.db") as flows:
        new = list(flows.summaries())[recorded:]
    # Codex leaves its WebSocket without a closing handshake.
    ends = {"complete", "client_gone"} if case.websocket else {"complete"}
    if not new or any(flow.outcome not in ends for flow in new):
        return f"flows: {[(flow.outcome) for flow in new]}"
    return ""


def _failure(case: Case, provider: ThreadedProvider, reply: Reply, project: Path, env: dict[str, str]) -> str:
    provider.on(".*", reply)
    done = _run(case, project, env)
    if done.returncode == 0:
        return f"exit 0: {(done.stdout + done.stderr)[-300:]!r}"
    return ""


def _play(case: Case, request: Received, project: Path) -> Any:
    """The provider: the case's model for model requests, and a bland answer for what clients ask besides."""
    if request.upgrade:
        if not case.websocket:
            return native_error(case.dialect, 426, "use HTTP")
        return Socket(lambda session: _converse(session, project))
    if request.method != "POST" or not any(
        word in request.path for word in ("messages", "responses", "enerateContent")
    ):
        return Reply(status=404, headers=[("content-type", "application/json")], body=b"{}")
    return case.answer(request, project)


async def _converse(session: SocketSession, project: Path) -> None:
    """Responses over a WebSocket: every `response.create` gets the events that SSE would bring."""
    while (message := await session.receive()) is not None:
        asked = json.loads(message)
        script = Script(asked["model"], []) if asked.get("generate") is False else responses(asked, project)
        for payload in openai_responses.payloads(script):
            await session.send(payload if isinstance(payload, str) else json.dumps(payload))


def _run(case: Case, project: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "ccproxy", "run", "--", *case.argv]
    try:
        return subprocess.run(
            line, env=env | case.env, cwd=project, capture_output=True, text=True, timeout=SECONDS, stdin=subprocess.DEVNULL, check=False
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(line, 124, "", f"did not end within {SECONDS} seconds")


def _environment(home: Path) -> dict[str, str]:
    return {
        "HOME": str(home),
        "CCPROXY_CONFIG_DIR": str(home / "ccproxy"),
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "NO_COLOR": "1",
        "CI": "1",
        "DO_NOT_TRACK": "1",
        "DISABLE_TELEMETRY": "1",
        "DISABLE_AUTOUPDATER": "1",
        "DISABLE_ERROR_REPORTING": "1",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_MAX_RETRIES": "1",
    }


def _configure(home: Path, env: dict[str, str], upstream: str) -> dict[str, str]:
    (home / "ccproxy").mkdir(mode=0o700)
    auth = f"{{type: command, command: 'echo {THEIRS}'}}"
    (home / "ccproxy" / "ccproxy.yaml").write_text(
        f"""ccproxy:
  port: {_free_port()}
  gateway:
    default_upstreams:
      {{anthropic: '{upstream}', openai: '{upstream}', gemini: '{upstream}', codex: '{upstream}', code_assist: '{upstream}'}}
  providers:
    claude: {{type: anthropic, base_url: '{upstream}', auth: {auth}}}
    codex: {{type: openai_responses, base_url: '{upstream}', auth: {auth}}}
    gemini: {{type: gemini, base_url: '{upstream}', auth: {auth}}}
"""
    )
    return env


def _free_port() -> int:
    import socket

    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def _version(client: str, env: dict[str, str]) -> str:
    done = subprocess.run([BIN / client, "--version"], env=env, capture_output=True, text=True, timeout=60, check=False)
    return next((word for word in done.stdout.split() if word[:1].isdigit()), "?")


def _parts(messages: list[dict[str, Any]], key: str = "content") -> list[dict[str, Any]]:
    return [part for message in messages if isinstance(message.get(key), list) for part in message[key]]


def _needle(result: dict[str, Any]) -> str:
    return NEEDLE if NEEDLE in json.dumps(result) else f"nothing useful: {result}"


if __name__ == "__main__":
    sys.exit(main())
