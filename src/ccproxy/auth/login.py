"""What a login is, and what a vendor's rules say about the file it is kept in and about renewing it.

A vendor is pure: values in, values out. Reading the file, sending the request, locking and writing back are the
business of `oauth.OAuthSource`, the same for all.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from ccproxy.auth.call import TokenAnswer, TokenRequest
from ccproxy.auth.document import Document

#: Times from here on are milliseconds: as seconds they would lie beyond the year 5000.
_MILLISECONDS = 100_000_000_000
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class Login:
    """A login as its file has it.

    Attributes:
        access, refresh: the tokens, "" where there is none.
        expires: when the access token does, in seconds since the epoch; None if the file does not say.
        renew_by: when it is to be renewed whatever `expires` says, or None.
        companions: header fields that go with the access token.
        client_id: the OAuth client it belongs to, "" if the file does not say.
        scopes: what it was granted.
    """

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    expires: float | None = None
    renew_by: float | None = None
    companions: tuple[tuple[bytes, bytes], ...] = field(default=(), repr=False)
    client_id: str = ""
    scopes: tuple[str, ...] = ()

    @property
    def family(self) -> str:
        """Tells refresh tokens apart without being one."""
        return hashlib.sha256(self.refresh.encode()).hexdigest()

    def expired(self, now: float) -> bool:
        """Whether the access token can no longer be used."""
        return not self.access or (self.expires is not None and now >= self.expires)

    def due(self, now: float, headroom: float) -> bool:
        """Whether it is time to renew it."""
        times = [time - headroom for time in (self.expires,) if time is not None]
        times += [self.renew_by] if self.renew_by is not None else []
        return not self.access or any(now >= time for time in times)


class Vendor(Protocol):
    """The rules of one vendor."""

    @property
    def kind(self) -> str:
        """The word in `auth.type`."""
        ...

    @property
    def tool(self) -> str:
        """The program whose login it is, for people."""
        ...

    @property
    def sign_in(self) -> str:
        """How to log in again, for people."""
        ...

    def read(self, document: Document) -> Login:
        """The login in a file. Raises ValueError whose text completes "the login file …"."""
        ...

    def prepare(self) -> None:
        """Finds what a renewal needs beside the login. May read files. Raises CredentialError."""
        ...

    def request(self, login: Login, *, scopes: bool, timeout: float) -> TokenRequest:
        """The request for a renewal. `scopes` asks for the same grants again, where there is a choice."""
        ...

    def changes(self, document: Document, answer: Mapping[str, Any], now: float) -> dict[str, Any]:
        """What an answer changes in the file, by dotted path. Raises ValueError whose text completes "the answer …"."""
        ...

    def final(self, status: int, code: str) -> bool:
        """Whether a refusal means that this refresh token will never work again."""
        ...


def seconds(time: float | None) -> float | None:
    """A time of a file, which may be in milliseconds, in seconds since the epoch; 0 counts as unknown."""
    if not time:
        return None
    return time / 1000 if time >= _MILLISECONDS else time


def expiry(document: Document, path: str, answer: Mapping[str, Any], now: float) -> dict[str, Any]:
    """The new time of expiry, in the unit that the file has at `path` (milliseconds if it has none)."""
    lifetime = answer.get("expires_in")
    if not isinstance(lifetime, int | float) or isinstance(lifetime, bool):
        return {path: 0}
    before = document.number(path)
    in_seconds = before is not None and 0 < before < _MILLISECONDS
    return {path: int(now + lifetime) if in_seconds else int((now + lifetime) * 1000)}


def tokens(answer: Mapping[str, Any], access_path: str, refresh_path: str) -> dict[str, Any]:
    """The tokens of an answer; a refresh token that did not come is kept. Raises ValueError without an access token."""
    access = answer.get("access_token")
    if not isinstance(access, str) or not access:
        raise ValueError("holds no access token")
    refresh = answer.get("refresh_token")
    return {access_path: access} | ({refresh_path: refresh} if isinstance(refresh, str) and refresh else {})


def error_code(answer: TokenAnswer) -> str:
    """The vendor's word for what is wrong (RFC 6749 5.2 and its variants), or "". Free text is left out: it may quote
    what was sent."""
    try:
        value = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    if not isinstance(value, dict):
        return ""
    error = value.get("error")
    if isinstance(error, dict):
        error = error.get("code") or error.get("type")
    found = error if isinstance(error, str) else value.get("code")
    return found if isinstance(found, str) and _WORD.fullmatch(found) else ""


def usable(token: str, what: str) -> str:
    """`token` if it can stand in a header field. Raises ValueError."""
    if not (token.isascii() and token.isprintable()):
        raise ValueError(f"has something at {what} that is no token")
    return token
