"""The examples of docs/how-to/write-a-hook.md do what the page says of them, with the configurations it gives."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from rig import Raw, Rig, rig

from ccproxy.pipeline.config import HooksConfig
from ccproxy.pipeline.loader import Loader
from ccproxy.testing import Script, Text, ToolCall

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "write-a-hook.md").read_text(encoding="utf-8")
SOURCES = dict(re.findall(r"```python\n# hooks/(\w+\.py)\n(.*?)```", PAGE, re.DOTALL))
CONFIGS = [yaml.safe_load(text)["ccproxy"]["hooks"] for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The configuration's directory, with the page's files."""
    (tmp_path / "hooks").mkdir()
    for name, source in SOURCES.items():
        (tmp_path / "hooks" / name).write_text(source)
    return tmp_path


def config(name: str) -> HooksConfig:
    """The page's configuration for an example."""
    [found] = [one for one in CONFIGS if f"./hooks/{name}.py" in json.dumps(one)]
    return msgspec.convert(found, HooksConfig)


async def ask(r: Rig, text: str, key: str = "anthropic", *, stream: bool = False) -> Raw:
    body = {
        "model": "claude-x",
        "max_tokens": 9,
        "stream": stream,
        "system": "Be kind.",
        "messages": [{"role": "user", "content": text}],
    }
    return await r.request(
        "POST", "/v1/messages", json.dumps(body).encode(), {"x-api-key": f"sk-ant-oat-ccproxy-{key}"}
    )


def test_every_example_has_its_configuration() -> None:
    assert set(SOURCES) == {"route_by_size.py", "system_note.py", "log_tool_calls.py", "test_route_by_size.py"}
    assert len(CONFIGS) == 3


@pytest.mark.parametrize(
    ("words", "path"), [(3, "/v1/messages"), (9000, "/v1beta/models/gemini-2.5-pro:generateContent")]
)
async def test_long_prompts_go_to_another_provider(folder: Path, words: int, path: str) -> None:
    async with rig(hooks=config("route_by_size"), hook_base=folder) as r:
        answer = await ask(r, "word " * words)
        assert answer.status == 200, answer.body
        assert json.loads(answer.body)["type"] == "message"
        assert r.provider.requests[0].path == path


@pytest.mark.parametrize("key", ["anthropic", "openai", "responses", "gemini"])
async def test_every_model_is_told_something(folder: Path, key: str) -> None:
    async with rig(hooks=config("system_note"), hook_base=folder) as r:
        assert (await ask(r, "colour", key)).status == 200
        sent = r.provider.requests[0].body.decode()
        assert sent.count("Answer in British English.") == 1
        assert sent.index("Be kind.") < sent.index("Answer in British English.")


@pytest.mark.parametrize("key", ["anthropic", "openai"])
@pytest.mark.parametrize("stream", [False, True])
async def test_every_tool_call_is_written_down(folder: Path, key: str, stream: bool) -> None:
    log = folder / "tool-calls.jsonl"
    hooks = config("log_tool_calls")
    entry: Any = msgspec.structs.replace(hooks.outbound[0], params={"file": str(log)})
    async with rig(hooks=msgspec.structs.replace(hooks, outbound=[entry]), hook_base=folder) as r:
        r.provider.reply(
            Script("m", [Text("Let me see."), ToolCall("read_file", '{"path": "a.txt"}')], stop="tool_use")
        )
        assert (await ask(r, "look", key, stream=stream)).status == 200
        flow = await r.flow()
        [line] = [json.loads(line) for line in log.read_text().splitlines()]
        assert (line["flow"], line["tool"], json.loads(line["arguments"])) == (flow.id, "read_file", {"path": "a.txt"})


def test_the_test_of_the_page_passes(folder: Path) -> None:
    options = ["-q", "-W", "error", "-p", "no:cacheprovider", "-o", "asyncio_default_fixture_loop_scope=function"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "hooks/test_route_by_size.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["route_by_size.py", "system_note.py", "log_tool_calls.py"])
def test_each_can_be_loaded_by_its_file(folder: Path, name: str) -> None:
    assert Loader(folder).load(f"./hooks/{name}").hook.summary.endswith(".")
