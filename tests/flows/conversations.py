"""Conversations with a provider whose prompt cache is simulated, to blame somebody in.

`Cache` follows Anthropic's rules: what stands before a `cache_control` is kept if it is long enough, for its time to live
from its last use, apart for each model and key, and found from a breakpoint at most 20 blocks before it. It is written
against the provider's page and not against the code that it tests.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from typing import Any

from ccproxy.exchange.hooks import HookResult
from ccproxy.flows.model import Flow
from ccproxy.flows.prepare import read_bodies

from .support import make_flow

Json = dict[str, Any]
BEGIN = 1_795_521_600.0
SECONDS = {"5m": 300.0, "1h": 3600.0}


def pieces(body: Json) -> list[tuple[str, str]]:
    """The blocks of a prompt in Anthropic's order, each with the time to live that it asks for, or ""."""
    system = body.get("system", [])
    parts = [*body.get("tools", []), *([{"text": system}] if isinstance(system, str) else system)]
    parts += [{"choice": body[name]} for name in ("tool_choice", "thinking") if name in body]
    for message in body["messages"]:
        content = message["content"]
        parts += [{"role": message["role"], "text": content}] if isinstance(content, str) else content
    found = []
    for part in parts:
        mark = part.get("cache_control")
        plain = {name: value for name, value in part.items() if name != "cache_control"}
        found.append((json.dumps(plain), mark.get("ttl", "5m") if mark else ""))
    return found


@dataclass
class Cache:
    """A provider's cache."""

    least: int = 512
    entries: dict[tuple[str, ...], tuple[float, float]] = field(default_factory=dict)

    def ask(self, body: Json, at: float, key: str) -> Json:
        """The usage of a request at a moment."""
        blocks = pieces(body)
        texts = [text for text, _ in blocks]
        prefixes = [(key, body["model"], *texts[: place + 1]) for place in range(len(texts))]
        sizes = [sum(map(len, texts[: place + 1])) // 4 for place in range(len(texts))]
        read = written = 0
        marks = [place for place, (_, mark) in enumerate(blocks) if mark]
        for mark in marks:
            for place in range(mark, max(-1, mark - 21), -1):
                until, ttl = self.entries.get(prefixes[place], (0.0, 0.0))
                if until >= at:
                    read = max(read, sizes[place])
                    self.entries[prefixes[place]] = (at + ttl, ttl)
                    break
        for mark in marks:
            if sizes[mark] >= self.least:
                ttl = SECONDS[blocks[mark][1]]
                self.entries[prefixes[mark]] = (at + ttl, ttl)
                written = max(written, sizes[mark] - read)
        total = sizes[-1]
        return {
            "input_tokens": total - read - written,
            "cache_read_input_tokens": read,
            "cache_creation_input_tokens": written,
            "output_tokens": 20,
        }


class Talk:
    """A client's conversation, and the flows it makes."""

    def __init__(self, model: str = "claude-opus-5", **cache: int) -> None:
        self.cache = Cache(**cache)
        self.flows: list[Flow] = []
        self.now = BEGIN
        self.marked = True
        self.body: Json = {
            "model": model,
            "tools": [tool(name) for name in ("Read", "Write", "Bash")],
            "system": [{"type": "text", "text": "You are careful. " * 200}],
            "messages": [{"role": "user", "content": [{"type": "text", "text": "Fix the bug. " * 100}]}],
        }

    def say(self, *parts: Json) -> None:
        """The model's answer and the client's next words go into the history."""
        number = len(self.body["messages"])
        answer = [{"type": "text", "text": f"Answer {number}. " * 60}]
        self.body["messages"] += [
            {"role": "assistant", "content": answer},
            {"role": "user", "content": [*parts] or [{"type": "text", "text": f"And {number}? " * 60}]},
        ]

    def request(self) -> Json:
        """The client's next request: its last block has a breakpoint."""
        body = copy.deepcopy(self.body)
        if self.marked:
            body["messages"][-1]["content"][-1]["cache_control"] = {"type": "ephemeral"}
        return body

    def send(
        self,
        forwarded: Json | None = None,
        *,
        client: Json | None = None,
        gap: float = 20.0,
        key: str = "",
        hooks: list[HookResult] | None = None,
        **changes: Any,
    ) -> Flow:
        """Sends the next request."""
        self.now += gap
        client = client or self.request()
        sent = forwarded or client
        usage = self.cache.ask(sent, self.now, f"{changes.get('provider', 'anthropic')} {key}")
        facts = {"session": "s1", "conversation": "c1", "kind": "main", "credential": key or "command"} | changes
        flow = make_flow(len(self.flows) + 1, started=self.now, model=client["model"], hooks=hooks or [], **facts)
        assert flow.forwarded is not None
        assert flow.response is not None
        flow.request.body = json.dumps(client).encode()
        flow.forwarded.body = flow.request.body if forwarded is None else json.dumps(sent).encode()
        flow.response.body = json.dumps({"type": "message", "model": sent["model"], "usage": usage}).encode()
        read_bodies(flow)
        self.flows.append(flow)
        return flow


def tool(name: str) -> Json:
    """A tool with a long description."""
    return {"name": name, "description": f"{name} does it. " * 60, "input_schema": {"type": "object"}}
