"""What holds for every built-in hook: it keeps to what it declares, and passes over what is not its business."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ccproxy.pipeline.loader import Loader, built_in
from ccproxy.testing import TrackingContext

CHAT = {"model": "gpt-x", "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}]}
BODIES: dict[str, dict[str, Any]] = {
    "anthropic": {"model": "claude-x", "max_tokens": 5, "system": "s", "messages": [{"role": "user", "content": "q"}]},
    "openai": CHAT,
    "openai_responses": {"model": "gpt-x", "input": "q", "prompt_cache_key": "k"},
    "gemini": {"contents": [{"role": "user", "parts": [{"text": "q"}]}]},
}
#: For hooks that do nothing without any.
PARAMS: dict[str, list[dict[str, Any]]] = {
    "set_model": [{"model": "other"}, {"model": "other", "match": "^claude"}],
    "set_param": [
        {"set": {"temperature": 0}, "default": {"max_tokens": 9}, "remove": ["metadata.user_id"], "match_model": "x"}
    ],
    "set_header": [{"set": {"X-A": "1"}, "default": {"x-b": "2"}, "remove": ["x-c"]}],
    "redact_secrets": [{}, {"mode": "audit"}, {"ignore": ["jwt"]}],
}
HEADERS = {"anthropic-beta": "redact-thinking-2026-02-12", "x-c": "1", "session-id": "s1"}


@pytest.mark.parametrize("dialect", BODIES)
@pytest.mark.parametrize("name", built_in())
async def test_each_touches_only_what_it_declares(name: str, dialect: str) -> None:
    hook = Loader(Path()).load(name).hook
    for params in PARAMS.get(name, [{}]):
        for body in (BODIES[dialect], {**BODIES[dialect], "note": "AKIA" + "IOSFODNN7EXAMPLE"}):
            await TrackingContext(hook, body, dialect=dialect, headers=HEADERS, params=params).run()


@pytest.mark.parametrize("body", [b"", b"plain", b"[1]", b'{"model": 5}'])
@pytest.mark.parametrize("name", built_in())
async def test_each_bears_a_body_that_is_none_of_its_business(name: str, body: bytes) -> None:
    hook = Loader(Path()).load(name).hook
    for params in PARAMS.get(name, [{}]):
        ctx = TrackingContext(hook, body, headers=HEADERS, params=params, dialect="anthropic")
        await ctx.run()
        if name != "set_param":
            assert ctx.content == body


@pytest.mark.parametrize("name", built_in())
async def test_each_bears_a_request_of_no_dialect(name: str) -> None:
    hook = Loader(Path()).load(name).hook
    if hook.every:
        for params in PARAMS.get(name, [{}]):
            await TrackingContext(hook, b"", dialect="", params=params).run()
