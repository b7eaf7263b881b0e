"""Requests, hooks and runs made from plain values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ccproxy.exchange.exchange import Client, Exchange, Timings
from ccproxy.exchange.http import Headers, Snapshot
from ccproxy.lightllm.registry import Registry
from ccproxy.pipeline.draft import Draft, Form
from ccproxy.pipeline.hook import Hook, Stage, hook
from ccproxy.pipeline.runner import Configured, Pipeline, Run, begin
from ccproxy.pipeline.services import Services
from ccproxy.util.clock import Clock, FakeClock

BODY: dict[str, Any] = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]}


def draft(
    body: object = None,
    *,
    dialect: str = "anthropic",
    headers: Sequence[tuple[str, str]] = (),
    form: Form = "generate",
    target: bytes = b"/v1/messages",
    **more: Any,
) -> Draft:
    content = body if isinstance(body, bytes) else json.dumps(BODY if body is None else body).encode()
    return Draft(
        method="POST",
        target=target,
        headers=Headers([(name.encode(), value.encode()) for name, value in headers]),
        content=content,
        dialect=dialect,
        dialects=Registry(),
        form=form,
        **more,
    )


def exchange() -> Exchange:
    request = Snapshot("POST", "http", "127.0.0.1", 4000, b"/v1/messages", "1.1")
    return Exchange("f1", Client("127.0.0.1", 5), request, Timings())


def run(clock: Clock | None = None) -> Run:
    return begin(exchange(), Services(), clock or FakeClock())


def pipeline(*hooks: Hook, stage: Stage = "inbound") -> Pipeline:
    return Pipeline(stage, [Configured(one, one.name) for one in hooks])


def named(name: str, *, reads: Sequence[str] = (), writes: Sequence[str] = (), log: list[str] | None = None) -> Hook:
    """A hook that does nothing but say that it ran."""

    def function(ctx: object) -> None:
        if log is not None:
            log.append(name)

    return hook(name=name, reads=reads, writes=writes)(function)
