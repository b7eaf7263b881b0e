from __future__ import annotations

from pathlib import Path

import pytest

from ccproxy.auth.build import build_source
from ccproxy.auth.config import AnthropicOAuth, Auth, CodexOAuth, Command, File, GoogleOAuth
from ccproxy.util.clock import FakeClock


async def test_each_kind_has_its_source(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from-file")
    (tmp_path / "key").chmod(0o600)
    cases: list[tuple[Auth | str, str, str]] = [
        ("printf from-string", "command", "from-string"),
        (Command(command="printf from-command"), "command", "from-command"),
        (File(file=f"{tmp_path}/key"), f"file {tmp_path}/key", "from-file"),
    ]
    for auth, label, value in cases:
        source = build_source(auth, clock=FakeClock(), provider="x")

        assert source is not None
        assert source.label == label
        assert (await source.get()).value == value


def test_no_credential_is_no_source() -> None:
    assert build_source(None, clock=FakeClock(), provider="x") is None


@pytest.mark.parametrize("auth", [AnthropicOAuth(), GoogleOAuth(), CodexOAuth()])
def test_a_login_is_accepted_and_says_later_that_it_cannot_be_used(auth: Auth) -> None:
    source = build_source(auth, clock=FakeClock(), provider="x")

    assert source is not None
    assert "not available in this version" in source.label
