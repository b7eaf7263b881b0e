"""What `ccproxy auth` does, without the command line around it; tests/cli/commands/test_auth.py has that."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ccproxy.auth.config import Auth, File
from ccproxy.cli.credentials import Credentials
from ccproxy.config.settings import Settings
from ccproxy.errors import CommandError
from ccproxy.providers.config import ProviderConfig
from ccproxy.testing import FakeProvider, native_error


@asynccontextmanager
async def credentials(url: str, *auth: Auth | str, kind: str = "openai") -> AsyncIterator[Credentials]:
    made = Credentials(Settings(providers={"x": ProviderConfig(type=kind, base_url=url, auth=list(auth) or None)}))
    try:
        yield made
    finally:
        await made.close()


async def test_each_credential_is_tried_on_its_own(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk-second")
    (tmp_path / "key").chmod(0o600)
    async with FakeProvider() as provider:
        provider.on(
            "/models",
            lambda request: (
                native_error("openai", 401) if "first" in request.header("authorization") else provider.answer(request)
            ),
        )
        async with credentials(provider.url, "echo sk-first", File(file=f"{tmp_path}/key"), "exit 3") as mine:
            outcomes = await mine.test("x")

    assert [(outcome.source, outcome.good) for outcome in outcomes] == [
        ("command", False),
        (f"file {tmp_path}/key", True),
        ("command", False),
    ]
    assert "refused" in outcomes[0].words
    assert "status 3" in outcomes[2].words
    assert not any("sk-" in outcome.words for outcome in outcomes)


@pytest.mark.parametrize(
    ("kind", "base", "target"),
    [
        ("openai", "/v1?v=2", b"/v1/models?v=2"),
        ("anthropic", "", b"/v1/models"),
        ("gemini", "", b"/v1beta/models"),
        ("code_assist", "", b"/v1internal:loadCodeAssist"),
        ("codex", "/backend-api/codex", b"/backend-api/codex/models?client_version=0.0.0"),
    ],
)
async def test_models_are_asked_for_where_the_provider_has_them(kind: str, base: str, target: bytes) -> None:
    async with FakeProvider() as provider, credentials(provider.url + base, "echo key", kind=kind) as mine:
        await mine.test("x")

        assert [request.target for request in provider.requests] == [target]


async def test_reports_and_renewals() -> None:
    async with credentials("http://127.0.0.1:1", "echo key") as mine:
        [entry] = await mine.report(None)
        assert (entry["provider"], entry["source"], entry["problem"]) == ("x", "command", "")
        assert await mine.report("x") == [entry]
        [outcome] = await mine.refresh("x")
        assert (outcome.good, outcome.words, outcome.expires_in) == (True, "read again", None)


async def test_what_is_not_there() -> None:
    async with credentials("http://127.0.0.1:1") as mine:
        assert await mine.report(None) == []
        for act in (mine.refresh, mine.test):
            with pytest.raises(CommandError, match="no credential"):
                await act("x")
            with pytest.raises(CommandError, match="no provider 'y'"):
                await act("y")
