"""A token endpoint for `FakeProvider`: it gives out logins, renews them, and can do what goes wrong in the world.

    logins = TokenEndpoint(provider)
    login = logins.sign_in()              # tokens to put into a login's file
    logins.protect("^/v1/messages")       # 401 for every token but the current one
    logins.revoke()                       # from now on the refresh token is refused

Refresh tokens rotate unless told otherwise. Using up an old one ends the login, as vendors do.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from ccproxy.testing.recorded import Received
from ccproxy.testing.reply import Reply, Waitable, json_reply, native_error

if TYPE_CHECKING:
    from ccproxy.testing.fake_provider import FakeProvider
    from ccproxy.testing.threaded import ThreadedProvider


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a login consists of. `lifetime` is in seconds."""

    access: str
    refresh: str
    lifetime: int


class TokenEndpoint:
    """The endpoint, at a path of a `FakeProvider`.

    Args:
        provider: where it is served.
        path: its path.
        rotate: whether each renewal brings another refresh token.
        lifetime: what it says of access tokens, in seconds.
        prefix: what access tokens begin with.
        jwt: makes access tokens JWTs that hold `claims`.
        claims: the claims of such tokens; `exp` among them.

    Attributes:
        renewals: the fields of every request for a renewal, in order.
        down: a status to answer every renewal with, or None.
        error: what a refusal says: the whole body of a 4xx answer.
        gate: what an answer waits for, after the tokens are used up.
    """

    def __init__(
        self,
        provider: FakeProvider | ThreadedProvider,
        *,
        path: str = "/oauth/token",
        rotate: bool = True,
        lifetime: int = 3600,
        prefix: str = "sk-ant-oat01-access-",
        jwt: bool = False,
        claims: Mapping[str, Any] | None = None,
    ) -> None:
        self._provider = provider
        self._path = path
        self._rotate = rotate
        self._lifetime = lifetime
        self._prefix = prefix
        self._jwt = jwt
        self.claims = dict(claims or {})
        self._count = 0
        self._spent: set[str] = set()
        self.current: Tokens | None = None
        self.renewals: list[dict[str, str]] = []
        self.down: int | None = None
        self.error: object = {"error": "invalid_grant", "error_description": "Refresh token not found or invalid"}
        self.gate: Waitable | None = None
        provider.on(f"^{path}$", self._renew, method="POST")

    @property
    def url(self) -> str:
        """Its address."""
        return f"{self._provider.url}{self._path}"

    def sign_in(self) -> Tokens:
        """A new login; the one before is over."""
        self.current = self._make(f"refresh-canary-{self._count:04d}-abcdefghijklmnop")
        return self.current

    def revoke(self) -> None:
        """Ends the login."""
        self.current = None

    def expire(self) -> None:
        """Makes the access token refused while its login goes on, whatever was said of its lifetime."""
        if self.current is not None:
            self._count += 1
            self.current = Tokens(f"{self._prefix}not-given-out-{self._count}", self.current.refresh, self._lifetime)

    def protect(self, pattern: str, *, dialect: str = "anthropic") -> None:
        """Answers requests to `pattern` with 401, in `dialect`, unless they carry the current access token."""

        def guard(request: Received) -> Reply:
            return (
                self._provider.answer(request)
                if self.accepts(request)
                else native_error(dialect, 401, "OAuth token has expired.")
            )

        self._provider.on(pattern, guard)

    def accepts(self, request: Received) -> bool:
        """Whether a request carries the current access token."""
        return self.current is not None and request.header("authorization") == f"Bearer {self.current.access}"

    async def _renew(self, request: Received) -> Reply:
        fields = _fields(request)
        self.renewals.append(fields)
        if self.down is not None:
            return Reply(self.down, {"content-type": "text/plain"}, "upstream connect error")
        used = fields.get("refresh_token", "")
        if used in self._spent:
            self.revoke()
        if self.current is None or used != self.current.refresh:
            return json_reply(self.error, status=400)
        refresh = used
        if self._rotate:
            self._spent.add(used)
            refresh = f"refresh-canary-{self._count:04d}-rotated-abcdefgh"
        self.current = self._make(refresh)
        if self.gate is not None:
            await self.gate.wait()
        answer: dict[str, object] = {"access_token": self.current.access, "token_type": "Bearer"}
        if not self._jwt:
            answer["expires_in"] = self._lifetime
        if self._rotate:
            answer["refresh_token"] = refresh
        return json_reply(answer)

    def _make(self, refresh: str) -> Tokens:
        self._count += 1
        access = f"{self._prefix}{self._count:04d}-canary-abcdefghijklmnop"
        if self._jwt:
            access = jwt({**self.claims, "jti": access})
        return Tokens(access, refresh, self._lifetime)


def jwt(claims: Mapping[str, Any]) -> str:
    """A JSON Web Token with these claims and a signature that proves nothing."""
    parts = [json.dumps(part).encode() for part in ({"alg": "none"}, dict(claims))] + [b"signature"]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def _fields(request: Received) -> dict[str, str]:
    if "json" in request.header("content-type"):
        return {name: str(value) for name, value in request.json().items()}
    return {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
