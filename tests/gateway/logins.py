"""A login in a file that a token endpoint renews, for tests of the gateway."""

from __future__ import annotations

import json
from pathlib import Path

from ccproxy.auth.anthropic import AnthropicVendor
from ccproxy.auth.config import AnthropicOAuth
from ccproxy.auth.oauth import OAuthSource
from ccproxy.auth.pool import CredentialPool
from ccproxy.auth.store import FileStore
from ccproxy.egress.config import EgressConfig
from ccproxy.egress.pooled import PooledTransport
from ccproxy.egress.tokens import TokenPost
from ccproxy.testing import TokenEndpoint
from ccproxy.util.clock import SystemClock


def login_file(folder: Path, logins: TokenEndpoint) -> Path:
    tokens = logins.sign_in()
    path = folder / ".credentials.json"
    login = {"accessToken": tokens.access, "refreshToken": tokens.refresh, "expiresAt": 9_999_999_999_000}
    path.write_text(json.dumps({"claudeAiOauth": login}))
    path.chmod(0o600)
    return path


class logged_in:  # noqa: N801 - a context manager
    """Credentials from a login's file, with a transport of their own."""

    def __init__(self, path: Path, logins: TokenEndpoint) -> None:
        self._transport = PooledTransport(EgressConfig())
        config = AnthropicOAuth(file_path=str(path), endpoint=logins.url)
        clock = SystemClock()
        source = OAuthSource(
            AnthropicVendor(config),
            FileStore(str(path)),
            post=TokenPost(lambda: self._transport),
            clock=clock,
            provider="one",
        )
        self._pool = CredentialPool([source], clock=clock)

    async def __aenter__(self) -> CredentialPool:
        return self._pool

    async def __aexit__(self, *_: object) -> None:
        await self._pool.close()
        await self._transport.close()
