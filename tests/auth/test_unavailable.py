"""Credential types that are known and not available yet."""

from __future__ import annotations

import pytest

from ccproxy.auth.config import AnthropicOAuth
from ccproxy.auth.unavailable import UnavailableSource
from ccproxy.errors import CredentialError


async def test_it_says_so_and_what_to_use_instead() -> None:
    source = UnavailableSource(AnthropicOAuth(), provider="p")
    assert "anthropic_oauth" in source.label
    for call in (source.get, source.refresh):
        with pytest.raises(CredentialError, match="not part of this version") as refused:
            await call()
        assert refused.value.status == 501
        assert "type: command" in refused.value.hint
