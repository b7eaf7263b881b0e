"""The login of Codex with ChatGPT: `auth.json`, and the renewal at OpenAI's token endpoint.

When the access token expires stands in the token itself, a JWT; like Codex, a login that was not renewed for eight days
is renewed as well. The account that requests are made for goes along in header fields.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from ccproxy.auth.call import TokenRequest
from ccproxy.auth.config import CodexOAuth
from ccproxy.auth.document import Document
from ccproxy.auth.login import Login, usable

ENDPOINT = "https://auth.openai.com/oauth/token"
#: The public client of Codex.
CLIENT_ID = "app_EMoamEEZ73f0CkXaXp7hrann"

_CLAIMS = "https://api.openai.com/auth"
_LONGEST_UNRENEWED = 8 * 86400.0
_FINAL = frozenset({"refresh_token_expired", "refresh_token_reused", "refresh_token_invalidated", "invalid_grant"})


class CodexVendor:
    """The rules for `type: codex_oauth`."""

    kind = "codex_oauth"
    tool = "Codex"
    sign_in = "log in again with `codex login`"

    def __init__(self, config: CodexOAuth) -> None:
        self._config = config

    def read(self, document: Document) -> Login:
        access = document.get("tokens.access_token")
        if not isinstance(access, str):
            if document.text("OPENAI_API_KEY"):
                raise ValueError("holds an API key and no ChatGPT login")
            raise ValueError("has no access token at tokens.access_token")
        claims = [claims_of(document.text("tokens.id_token")), claims_of(access)]
        renewed = _time(document.text("last_refresh"))
        return Login(
            access=usable(access, "tokens.access_token"),
            refresh=document.text("tokens.refresh_token"),
            expires=_number(claims[1].get("exp")),
            renew_by=renewed + _LONGEST_UNRENEWED if renewed is not None else None,
            companions=_companions(document.text("tokens.account_id"), claims),
        )

    def prepare(self) -> None:
        """Nothing more is needed."""

    def request(self, login: Login, *, scopes: bool, timeout: float) -> TokenRequest:
        body = {
            "client_id": self._config.client_id or CLIENT_ID,
            "grant_type": "refresh_token",
            "refresh_token": login.refresh,
        }
        return TokenRequest(self._config.endpoint or ENDPOINT, "application/json", msgspec.json.encode(body), timeout)

    def changes(self, document: Document, answer: Mapping[str, Any], now: float) -> dict[str, Any]:
        # Every token is optional in the answer: what did not come stays.
        found: dict[str, Any] = {
            f"tokens.{name}": value
            for name in ("id_token", "access_token", "refresh_token")
            if isinstance(value := answer.get(name), str) and value
        }
        if not found:
            raise ValueError("holds no token")
        moment = datetime.fromtimestamp(now, UTC).isoformat(timespec="microseconds")
        return {**found, "last_refresh": moment.replace("+00:00", "Z")}

    def final(self, status: int, code: str) -> bool:
        return status == 401 or code in _FINAL


def claims_of(token: str) -> Mapping[str, Any]:
    """The claims of a JWT, unverified: they are only used to fill in fields of our own requests. Empty if it is none."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        value = msgspec.json.decode(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _companions(account: str, claims: list[Mapping[str, Any]]) -> tuple[tuple[bytes, bytes], ...]:
    own = [claim for each in claims if isinstance(claim := each.get(_CLAIMS), dict)]
    ids = [account, *(each.get("chatgpt_account_id") for each in own)]
    found = next((each for each in ids if isinstance(each, str) and each), "")
    fields = []
    if found.isascii() and found.isprintable() and found:
        fields.append((b"ChatGPT-Account-ID", found.encode()))
    if any(each.get("chatgpt_account_is_fedramp") is True for each in own):
        fields.append((b"X-OpenAI-Fedramp", b"true"))
    return tuple(fields)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _time(text: str) -> float | None:
    """Seconds since the epoch of an RFC 3339 time, or None."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
