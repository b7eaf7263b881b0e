"""gemini-cli's name, for other clients of Code Assist."""

from __future__ import annotations

import pytest

from ccproxy.hooks.gemini_cli import gemini_cli
from ccproxy.testing import TrackingContext

ASSIST = "/v1internal:generateContent"
BODY = {"model": "gemini-x\r\nä", "request": {"contents": []}}
OTHER = {"User-Agent": "google-genai-sdk/3.4", "x-goog-api-client": "google-genai-sdk/3.4"}


def context(path: str = ASSIST, headers: dict[str, str] = OTHER, **params: str) -> TrackingContext:
    return TrackingContext(gemini_cli, BODY, dialect="gemini", path=path, headers=headers, params=params)


async def test_another_client_gets_its_name() -> None:
    ctx = context()
    await ctx.run()
    assert ctx.headers["user-agent"].startswith("GeminiCLI-tui/0.61.0/gemini-x (")
    assert ctx.headers["x-goog-api-client"] == "gl-node/24.21.0"
    assert [name for name, _ in ctx.headers.items()] == ["User-Agent", "x-goog-api-client"]


async def test_the_name_is_the_configurations() -> None:
    ctx = context(user_agent="Mine/{model}", api_client="x")
    await ctx.run()
    assert ctx.headers.items() == [("User-Agent", "Mine/gemini-x"), ("x-goog-api-client", "x")]


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        (ASSIST, {"user-agent": "GeminiCLI-tui/9.9/gemini-x (linux; x64)"}),
        ("/v1beta/models/g:generateContent", OTHER),
        ("/v1/messages", OTHER),
    ],
)
async def test_gemini_cli_itself_and_other_providers_are_left_alone(path: str, headers: dict[str, str]) -> None:
    ctx = context(path, headers)
    await ctx.run()
    assert dict(ctx.headers.items()) == headers
    assert ctx.result.changed == []
