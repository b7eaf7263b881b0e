"""The login of Claude Code: its file, and the renewal at Anthropic's token endpoint.

The file keeps times in milliseconds. The refresh token changes with each renewal; `""` in its place means logged out.
Claude Code locks renewals with folders, which `lock_folders` names.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec

from ccproxy.auth.call import TokenRequest
from ccproxy.auth.config import AnthropicOAuth
from ccproxy.auth.document import Document
from ccproxy.auth.login import Login, expiry, seconds, tokens, usable

ENDPOINT = "https://platform.claude.com/v1/oauth/token"
#: The public client of Claude Code; a login that another client made says so.
CLIENT_ID = "9d1c250a-e61b-44d9-88ed-5944d1962f5e"


class AnthropicVendor:
    """The rules for `type: anthropic_oauth`."""

    kind = "anthropic_oauth"
    tool = "Claude Code"
    sign_in = "log in again with /login in Claude Code"

    def __init__(self, config: AnthropicOAuth) -> None:
        self._config = config
        parent = config.access_path.rpartition(".")[0]
        self._siblings = f"{parent}." if parent else ""

    def read(self, document: Document) -> Login:
        config = self._config
        access = document.get(config.access_path)
        if not isinstance(access, str):
            raise ValueError(f"has no access token at {config.access_path}")
        scopes = document.get(f"{self._siblings}scopes")
        return Login(
            access=usable(access, config.access_path),
            refresh=document.text(config.refresh_path),
            expires=seconds(document.number(config.expiry_path)),
            client_id=document.text(f"{self._siblings}clientId"),
            scopes=tuple(scope for scope in scopes if isinstance(scope, str)) if isinstance(scopes, list) else (),
        )

    def prepare(self) -> None:
        """Nothing more is needed."""

    def request(self, login: Login, *, scopes: bool, timeout: float) -> TokenRequest:
        config = self._config
        fields = {
            "grant_type": "refresh_token",
            "refresh_token": login.refresh,
            "client_id": config.client_id or login.client_id or CLIENT_ID,
        }
        if config.client_secret:
            fields["client_secret"] = config.client_secret
        if scopes and login.scopes:
            fields["scope"] = " ".join(login.scopes)
        url = config.endpoint or ENDPOINT
        if config.encoding == "form":
            return TokenRequest(url, "application/x-www-form-urlencoded", urlencode(fields).encode(), timeout)
        return TokenRequest(url, "application/json", msgspec.json.encode(fields), timeout)

    def changes(self, document: Document, answer: Mapping[str, Any], now: float) -> dict[str, Any]:
        config = self._config
        found = tokens(answer, config.access_path, config.refresh_path)
        found |= expiry(document, config.expiry_path, answer, now)
        lifetime = answer.get("refresh_token_expires_in")
        if isinstance(lifetime, int | float) and self._siblings:
            found[f"{self._siblings}refreshTokenExpiresAt"] = int((now + lifetime) * 1000)
        scope = answer.get("scope")
        if isinstance(scope, str) and isinstance(document.get(f"{self._siblings}scopes"), list):
            found[f"{self._siblings}scopes"] = scope.split()
        return found

    def final(self, status: int, code: str) -> bool:
        return status in {400, 401, 403} and code != "invalid_scope"


def lock_folders(path: Path) -> tuple[Path, ...]:
    """The lock folders of Claude Code around a renewal of the login at `path`, in the order in which it takes them."""
    folder = path.parent
    return folder / ".oauth_refresh.lock", folder.with_name(f"{folder.name}.lock")


#: Seconds after which Claude Code takes such a folder for one that a dead process left.
LOCK_STALE = 60.0
