"""From configuration to source."""

from __future__ import annotations

import pytest

from ccproxy.auth.build import build_source
from ccproxy.auth.command import CommandSource
from ccproxy.auth.config import AnthropicOAuth, Auth, CodexOAuth, Command, File, GoogleOAuth
from ccproxy.auth.file import FileSource
from ccproxy.auth.unavailable import UnavailableSource
from ccproxy.util.clock import FakeClock


@pytest.mark.parametrize(
    ("auth", "kind"),
    [
        ("echo x", CommandSource),
        (Command(command="echo x"), CommandSource),
        (File(file="/x"), FileSource),
        (AnthropicOAuth(), UnavailableSource),
        (GoogleOAuth(), UnavailableSource),
        (CodexOAuth(), UnavailableSource),
    ],
)
def test_every_kind(auth: Auth | str, kind: type) -> None:
    assert type(build_source(auth, clock=FakeClock(), provider="p")) is kind


def test_no_credential_at_all() -> None:
    assert build_source(None, clock=FakeClock(), provider="p") is None


async def test_a_bare_string_is_a_command() -> None:
    source = build_source("echo key-from-a-bare-string", clock=FakeClock(), provider="p")
    assert source is not None
    assert (await source.get()).value == "key-from-a-bare-string"
