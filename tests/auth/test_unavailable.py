from __future__ import annotations

import pytest

from ccproxy.auth.config import AnthropicOAuth, CodexOAuth, GoogleOAuth, OAuth
from ccproxy.auth.unavailable import UnavailableSource
from ccproxy.errors import CredentialError


@pytest.mark.parametrize(
    ("config", "kind"),
    [(AnthropicOAuth(), "anthropic_oauth"), (GoogleOAuth(), "google_oauth"), (CodexOAuth(), "codex_oauth")],
)
async def test_says_what_is_missing_and_what_to_use(config: OAuth, kind: str) -> None:
    source = UnavailableSource(config, provider="mine")

    for ask in (source.get, source.refresh):
        with pytest.raises(CredentialError) as caught:
            await ask()

        assert caught.value.status == 501
        assert caught.value.kind == "credential_error"
        assert kind in caught.value.message
        assert "'mine'" in caught.value.message
        assert "type: command" in caught.value.hint
        assert config.file_path in caught.value.hint
