"""`ccproxy flows export` as a user runs it: every format, and no secret in any of them."""

from __future__ import annotations

import gzip
import io
import json
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from mitmproxy.http import HTTPFlow
from mitmproxy.io import FlowReader
from recorded_flows import flow, record, tcp

from ccproxy.exchange.hooks import HookResult
from ccproxy.flows.model import Flow, WebSocketMessage, WebSocketRecord
from ccproxy.lightllm.ir.losses import Loss

if TYPE_CHECKING:
    from conftest import Sandbox


@pytest.fixture
def box(sandbox: Sandbox) -> Sandbox:
    """A user's machine with two flows, and a TCP connection."""
    record(sandbox.state / "flows.db", flow(1), flow(2, path="/v1/models"), tcp(3))
    return sandbox


def test_mflow(box: Sandbox, tmp_path: Path) -> None:
    file = tmp_path / "all.mflow"
    result = box.ccproxy("flows", "export", "--mflow", str(file))
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("Wrote 3 flows to ")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with file.open("rb") as opened:
        read = list(FlowReader(opened).stream())
    assert [isinstance(one, HTTPFlow) for one in read] == [True, True, False]
    assert read[0].request.pretty_host == "api.anthropic.com"


def test_mflow_of_one_from_the_clients_side_to_stdout(box: Sandbox) -> None:
    result = box.spawn("flows", "export", "last", "--client", "--mflow", "-")
    stdout, stderr = result.communicate(timeout=30)
    assert (result.returncode, stderr) == (0, b"")
    assert len(list(FlowReader(io.BytesIO(stdout)).stream())) == 1


def test_har(box: Sandbox, tmp_path: Path) -> None:
    file = tmp_path / "all.har"
    result = box.ccproxy("flows", "export", "--har", str(file), "--json")
    assert json.loads(result.stdout) == {"format": "har", "file": str(file), "flows": 2, "left_out": 1}
    assert "1 flow left out" in result.stderr
    assert len(json.loads(file.read_text())["log"]["pages"]) == 2


def test_json_lines(box: Sandbox) -> None:
    result = box.ccproxy("flows", "export", "--jsonl", "-", "--jq", 'map(select(.type == "http"))')
    flows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [one["id"] for one in flows] == ["000000000001", "000000000002"]
    assert json.loads(flows[0]["request"]["content"])["model"] == "claude-x"


def test_curl(box: Sandbox) -> None:
    result = box.ccproxy("flows", "export", "--curl", "000000000001")
    assert result.returncode == 0
    assert "curl -sS https://api.anthropic.com/v1/messages" in result.stdout
    assert '"${ANTHROPIC_API_KEY:?}"' in result.stdout


def test_curl_as_json(box: Sandbox) -> None:
    told = json.loads(box.ccproxy("flows", "export", "000000000001", "--curl", "--json").stdout)
    assert told["id"] == "000000000001"
    assert told["curl"].startswith("# Secrets are not recorded")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ([], "one of --mflow FILE"),
        (["--mflow", "a", "--har", "b"], "one of --mflow FILE"),
        (["--curl"], "--curl needs an ID"),
        (["--curl", "00000000000"], "several flows begin with"),
        (["--curl", "last"], "which curl cannot send"),
        (["--jsonl", "-", "--jq", "map(select(false))"], "the filters leave no flow"),
        (["--jsonl", "-", "--jq", "map(.nonsense"], "line 1, column"),
        (["--jsonl", "-", "--jq", "length"], "gives a number instead of an array"),
        (["--mflow", "/nonexistent/all.mflow"], "/nonexistent"),
    ],
)
def test_what_is_wrong_is_one_line(box: Sandbox, args: list[str], words: str) -> None:
    result = box.ccproxy("flows", "export", *args)
    assert result.returncode in {1, 2}
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert words in result.stderr


def test_a_file_that_is_not_finished_is_not_there(box: Sandbox, tmp_path: Path) -> None:
    file = tmp_path / "all.mflow"
    file.write_text("before")
    (box.state / "flows.db").write_bytes(b"damaged" * 1000)
    assert box.ccproxy("flows", "export", "--mflow", str(file)).returncode == 1
    assert file.read_text() == "before"
    assert list(tmp_path.glob(".all*")) == []


CANARY = "cAnArY-0123456789-abcdefghij"


def canaries(number: int) -> Flow:
    """A flow with a secret in every place that may hold one, as if nothing had been removed before it was stored."""
    key = f"sk-ant-api03-{CANARY}"
    body = {
        "model": "claude-x",
        "n": number,
        "api_key": CANARY,
        "mcp_servers": [
            {"url": f"https://user:{CANARY}@example.com/?access_token={CANARY}", "authorization_token": CANARY}
        ],
        "messages": [
            {"role": "user", "content": f"run DEMO_TOKEN={CANARY} curl -H 'x-api-key: {CANARY}' with {key}"},
            {"role": "assistant", "tool_calls": [{"arguments": json.dumps({"password": CANARY})}]},
        ],
    }
    one = flow(number, body=body, path=f"/v1/messages?key={CANARY}&beta=true")
    headers = [
        ("Authorization", f"Bearer {CANARY}"),
        ("Proxy-Authorization", f"Basic {CANARY}"),
        ("x-api-key", CANARY),
        ("Cookie", f"session={CANARY}; other={CANARY}"),
        ("Sec-WebSocket-Protocol", f"openai-insecure-api-key.{key}"),
        ("x-unheard-of", key),
        ("Referer", f"https://example.com/?token={CANARY}"),
    ]
    assert one.forwarded is not None
    assert one.response is not None
    for request in (one.request, one.forwarded):
        request.headers = [*request.headers[:1], *headers]
    answer = gzip.compress(json.dumps({"access_token": CANARY, "text": f"the key is {key}"}).encode())
    one.response.headers = [("Set-Cookie", f"id={CANARY}; Path=/"), ("content-encoding", "gzip")]
    one.response.body, one.response.size = answer, len(answer)
    one.answer = msgspec.structs.replace(one.response)
    one.error = f"refused: api_key={CANARY}"
    one.losses = [Loss("metadata", "dropped", json.dumps({"secret": CANARY}))]
    one.hooks = [HookResult("mine", "inbound", 1, notes=[f"Authorization: Bearer {CANARY}"])]
    return one


def first_message(number: int) -> Flow:
    """A WebSocket that begins with a secret."""
    text = json.dumps({"type": "auth", "token": CANARY}).encode()
    message = WebSocketMessage(True, True, text, len(text), 1_790_000_000.0)
    return flow(number, websocket=WebSocketRecord([message], count=1, size=len(text)))


def everything(value: Any) -> str:
    """All text in what was exported, compressed bodies too."""
    match value:
        case bytes():
            decoded = gzip.decompress(value) if value.startswith(b"\x1f\x8b") else value
            return decoded.decode("latin-1")
        case dict():
            return "\n".join(everything(part) for pair in value.items() for part in pair)
        case list() | tuple():
            return "\n".join(map(everything, value))
        case _:
            return str(value)


@pytest.mark.parametrize(
    "args",
    [
        ("export", "--mflow"),
        ("export", "--client", "--mflow"),
        ("export", "--har"),
        ("export", "--jsonl"),
        ("dump",),
        ("diff", "-n", "0"),
        ("diff", "-n", "0", "--raw", "--client"),
        ("diff", "-n", "0", "--json"),
        ("diff", "-n", "0", "--summary"),
        ("export", "000000000001", "--curl"),
        ("export", "000000000001", "--curl", "--client"),
        ("tail", "--json"),
        ("tail",),
    ],
    ids=" ".join,
)
def test_no_secret_leaves(sandbox: Sandbox, args: tuple[str, ...]) -> None:
    flows = [canaries(1), canaries(2), first_message(3)]
    record(sandbox.state / "flows.db", *flows)
    words = ["flows", *args, *(["-"] if args[-1] in {"--mflow", "--har", "--jsonl"} else [])]
    process = sandbox.spawn(*words)
    assert process.stdout is not None
    if args[0] == "tail":
        content = b"".join(process.stdout.readline() for _ in flows)
        process.terminate()
    else:
        content, stderr = process.communicate(timeout=30)
        assert process.returncode == 0, stderr
        assert CANARY.encode() not in stderr
    text = content.decode("latin-1")
    if "--mflow" in args:
        text = "\n".join(everything(one.get_state()) for one in FlowReader(io.BytesIO(content)).stream())
        assert "access_token" in text  # the compressed body was looked into
    assert "000000000001" in text or "claude-x" in text
    assert CANARY not in text
    assert CANARY[:-4] not in text
