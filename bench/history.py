"""A large store: how long the commands and the inspector's first page take when much has been recorded."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from itertools import batched
from pathlib import Path

from bench import bodies, start
from bench.world import Row, World
from ccproxy.flows import insert, retention, rows, schema
from ccproxy.flows.bodies import Packer
from ccproxy.flows.config import FlowsConfig
from ccproxy.flows.model import Flow, RequestRecord, ResponseRecord
from ccproxy.flows.query import Query
from ccproxy.flows.reader import Reader

_START = 1_700_000_000.0
_TURNS = 40
_BATCH = 200
_TOOLS = ("Bash", "Read", "Edit", "Grep", "Write", "TodoWrite", "WebFetch", "Task")
_MODELS = (("claude-sonnet-4-5", "anthropic"), ("claude-haiku-4-5", "anthropic"), ("gpt-5-codex", "codex"))
#: How one in 2,000 prompts ends: what is searched for.
_RARE = "kaleidoscope error"


def history(world: World) -> list[Row]:
    """Looking into a store of many flows, and taking flows out of it."""
    count = world.size.history
    home = world.base / "history"
    path = home / "state" / "flows.db"
    make(path, count)
    (home / "ccproxy.yaml").write_text("{}\n")
    extra = {"CCPROXY_CONFIG_DIR": str(home)}

    def command(figure: str, limit: float | None, *arguments: str) -> Row:
        command = start.command("flows", *arguments)
        seconds = [start.timed(command, home, extra) for _ in range(world.size.starts + 1)][1:]
        return start.row(f"flows {figure}, {count} flows", seconds, limit)

    def call(figure: str, limit: float, ask: Callable[[Reader], object]) -> Row:
        seconds = []
        for _ in range(world.size.starts):
            with Reader(path) as reader:
                before = time.perf_counter()
                ask(reader)
                seconds.append(time.perf_counter() - before)
        return start.row(f"{figure}, {count} flows", seconds, limit)

    return [
        command("list -n 50", 0.4, "list", "-n", "50"),
        command("list --model", 0.4, "list", "-n", "50", "--model", "gpt-5-codex"),
        command("list --status error", 0.4, "list", "-n", "50", "--status", "error"),
        command("list --json", None, "list", "--json"),
        command("search", 0.5, "search", *_RARE.split()),
        command("search, a frequent word", 0.5, "search", _TOOLS[0]),
        call("first page", 0.5, lambda reader: reader.select(limit=100)),
        call("first page of a tool and words", 0.5, lambda reader: reader.select(_ASKED, limit=100)),
        call("facets", 0.5, lambda reader: reader.facets()),
        _retention(path, count),
        _clear(path, count),
    ]


_ASKED = Query(tool="Bash", text=_RARE)


def _retention(path: Path, count: int) -> Row:
    """The CPU that retention takes for each flow that goes, in the steps in which they go while others come."""
    connection = schema.open_for_writing(path)
    before = time.process_time()
    keep = FlowsConfig(keep_days=0, keep_flows=count - count // 20, keep_bytes=0)
    deleted = retention.enforce(connection, keep, _START)
    used = time.process_time() - before
    connection.close()
    return start.row(f"retention, for each 100 of {deleted} flows that go", [used / max(1, deleted) * 100], 0.1)


def _clear(path: Path, count: int) -> Row:
    before = time.perf_counter()
    retention.clear(path, None)
    return start.row(f"flows clear, {count} flows", [time.perf_counter() - before], None)


def make(path: Path, count: int) -> None:
    """A store of `count` flows: sessions of an agent that grow from 2 to 80 KB, with streamed answers."""
    connection = schema.open_for_writing(path)
    packer = Packer()
    for some in batched(_flows(count), _BATCH, strict=False):
        insert.store(connection, packer, [(flow, rows.write(flow)) for flow in some])
    connection.close()


def _flows(count: int) -> Iterator[Flow]:
    source = random.Random(7)
    words = bodies.text(400_000, 3).split()
    for number in range(count):
        session, turn = divmod(number, _TURNS)
        if not turn:
            messages: list[str] = []
            model, provider = source.choice(_MODELS)
        at = source.randrange(len(words) - 1000)
        prompt = " ".join(words[at : at + source.randint(20, 500)])
        if number % 2000 == 100:
            prompt = f"{prompt} {_RARE}"
        messages.append(json.dumps({"role": "user", "content": f"{number} {prompt}"}))
        body = b'{"model":"%s","stream":true,"messages":[%s]}' % (model.encode(), ",".join(messages).encode())
        said = " ".join(words[at + 500 : at + 500 + source.randint(5, 120)])
        messages.append(json.dumps({"role": "assistant", "content": said}))
        yield _flow(number, session, model, provider, body, _answer(said.split(), source.choice(_TOOLS)), source)


def _answer(words: list[str], tool: str) -> bytes:
    events = [
        {"type": "message_start", "message": {"model": "m", "usage": {"input_tokens": 5, "output_tokens": 1}}},
        *({"type": "content_block_delta", "index": 0, "delta": {"text": f"{word} "}} for word in words),
        {"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "name": tool}},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": len(words)}},
    ]
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events).encode()


def _flow(
    number: int, session: int, model: str, provider: str, body: bytes, answer: bytes, source: random.Random
) -> Flow:
    started = _START + number * 3
    fields = [("host", "localhost"), *bodies.HEADERS.items(), ("x-claude-code-session-id", f"session-{session:06}")]
    status = 200 if source.random() > 0.03 else source.choice((429, 500, 529))
    request = {
        "headers": fields,
        "size": len(body),
        "method": "POST",
        "scheme": "https",
        "port": 443,
        "target": "/v1/messages?beta=true",
        "timestamp_start": started,
        "timestamp_end": started + 0.01,
    }
    response = ResponseRecord(
        [*((f"x-header-{n}", "some value of a header") for n in range(12)), ("content-type", "text/event-stream")],
        answer,
        len(answer),
        timestamp_start=started + 0.8,
        timestamp_end=started + 2,
        status=status,
        reason="OK",
    )
    return Flow(
        f"{source.getrandbits(48):012x}",
        started,
        2.0,
        "gateway",
        "127.0.0.1",
        50_000,
        "",
        "claude-cli/2.1 (external, cli)",
        "anthropic",
        "messages",
        model,
        provider,
        "redirect",
        "sentinel",
        "command",
        "complete" if status == 200 else "upstream_error",
        "",
        "",
        True,
        0.8,
        RequestRecord(body=body, host="localhost", **request),
        RequestRecord(body=body, host="api.anthropic.com", **request),
        response,
        arrivals=[(at, 0.8 + at / 10_000) for at in range(0, len(answer), 120)],
    )
