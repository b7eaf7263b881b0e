"""The login of gemini-cli: its file, and the renewal at Google's token endpoint.

A token can only be renewed by the OAuth client that issued it. That is gemini-cli's own, whose id and secret are not
part of ccproxy: they come from the configuration, or are read from the gemini-cli that is installed. The refresh token
normally stays the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from ccproxy.auth.call import TokenRequest
from ccproxy.auth.config import GoogleOAuth
from ccproxy.auth.discover import OAuthClient
from ccproxy.auth.document import Document
from ccproxy.auth.login import Login, expiry, seconds, tokens, usable
from ccproxy.errors import CredentialError

ENDPOINT = "https://oauth2.googleapis.com/token"


class GoogleVendor:
    """The rules for `type: google_oauth`.

    Args:
        discover: finds the OAuth client of an installed gemini-cli; may read files.
        provider: the provider's name, for errors.
    """

    kind = "google_oauth"
    tool = "gemini-cli"
    sign_in = "log in again with /auth in gemini-cli"

    def __init__(self, config: GoogleOAuth, *, discover: Callable[[], OAuthClient | None], provider: str) -> None:
        self._config = config
        self._discover = discover
        self._provider = provider
        self._client: OAuthClient | None = None
        if config.client_id:
            self._client = OAuthClient(config.client_id, config.client_secret)

    def read(self, document: Document) -> Login:
        config = self._config
        access = document.get(config.access_path)
        if not isinstance(access, str):
            raise ValueError(f"has no access token at {config.access_path}")
        return Login(
            access=usable(access, config.access_path),
            refresh=document.text(config.refresh_path),
            expires=seconds(document.number(config.expiry_path)),
        )

    def prepare(self) -> None:
        if self._client is None:
            self._client = self._discover()
        if self._client is None:
            raise CredentialError(
                f"provider {self._provider!r}: no OAuth client to renew the gemini-cli login with, and no installed "
                "gemini-cli to read it from",
                hint=f"set providers.{self._provider}.auth.client_id and client_secret, or install gemini-cli",
            )

    def request(self, login: Login, *, scopes: bool, timeout: float) -> TokenRequest:
        assert self._client is not None, "prepare comes first"
        fields = {
            "grant_type": "refresh_token",
            "refresh_token": login.refresh,
            "client_id": self._client.id,
            "client_secret": self._client.secret,
        }
        body = urlencode({name: value for name, value in fields.items() if value}).encode()
        return TokenRequest(self._config.endpoint or ENDPOINT, "application/x-www-form-urlencoded", body, timeout)

    def changes(self, document: Document, answer: Mapping[str, Any], now: float) -> dict[str, Any]:
        config = self._config
        found = tokens(answer, config.access_path, config.refresh_path)
        found |= expiry(document, config.expiry_path, answer, now)
        parent = config.access_path.rpartition(".")[0]
        for name in ("id_token", "scope", "token_type"):
            if isinstance(value := answer.get(name), str) and value:
                found[f"{parent}.{name}" if parent else name] = value
        return found

    def final(self, status: int, code: str) -> bool:
        return status in {400, 401, 403}
