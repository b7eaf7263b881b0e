"""Where each client says which conversation it is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ccproxy.hooks.extract_session_id import extract_session_id
from ccproxy.testing import TrackingContext

USER = json.dumps({"device_id": "d", "account_uuid": "", "session_id": "s-1"})


@pytest.mark.parametrize(
    ("dialect", "headers", "body", "session"),
    [
        ("anthropic", {"X-Claude-Code-Session-Id": "s-1"}, {"metadata": {"user_id": "user_a_session_other"}}, "s-1"),
        ("anthropic", {}, {"metadata": {"user_id": USER}}, "s-1"),
        ("anthropic", {}, {"metadata": {"user_id": "user_0a_account__session_s-1"}}, "s-1"),
        ("openai_responses", {"session-id": "s-1", "thread-id": "t"}, {}, "s-1"),
        ("openai_responses", {"session_id": "s-1"}, {}, "s-1"),
        ("openai_responses", {}, {"client_metadata": {"session_id": "s-1"}, "prompt_cache_key": "k"}, "s-1"),
        ("openai_responses", {}, {"prompt_cache_key": "s-1"}, "s-1"),
        ("openai", {"x-session-id": "s-1", "x-session-affinity": "a"}, {}, "s-1"),
        ("openai", {"x-session-affinity": "s-1"}, {}, "s-1"),
        ("openai", {}, {"prompt_cache_key": "s-1"}, "s-1"),
        ("gemini", {}, {"request": {"session_id": "s-1"}}, "s-1"),
        # Nobody says, or says what is none.
        ("anthropic", {}, {"metadata": {"user_id": "somebody"}}, ""),
        ("anthropic", {}, {"metadata": {"user_id": "{not json"}}, ""),
        ("anthropic", {}, {"metadata": {"user_id": 5}}, ""),
        ("anthropic", {}, {"metadata": "text"}, ""),
        ("anthropic", {}, {"prompt_cache_key": "s-1"}, ""),
        ("openai", {}, {"prompt_cache_key": 5}, ""),
        ("openai", {"x-session-id": "a" * 300}, {}, ""),
        ("gemini", {}, {}, ""),
    ],
)
async def test_clients(dialect: str, headers: dict[str, str], body: dict[str, Any], session: str) -> None:
    ctx = TrackingContext(extract_session_id, body, dialect=dialect, headers=headers)
    content = ctx.content
    await ctx.run()
    assert ctx.session == session
    assert ctx.content == content
