"""What a credential is and what every source of one promises.

A source is asked at each request; caching, expiry and refresh are its own business. `Credential.value` is a secret:
it is never logged, stored or put into an error.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Credential:
    """A secret and how to send it.

    `header` is the configured header name (lower case) or "" for the provider type's own choice. `companions` are
    header fields that belong to the same account (for example an account id).
    """

    value: str = field(repr=False)
    header: str = ""
    companions: tuple[tuple[bytes, bytes], ...] = field(default=(), repr=False)


class CredentialSource(Protocol):
    """A place to get a credential from."""

    @property
    def label(self) -> str:
        """What it is, in a few words without a secret, for errors and status: "command", "file ~/.key"."""
        ...

    async def get(self) -> Credential:
        """The current credential. Raises CredentialError with the cause."""
        ...

    async def refresh(self) -> Credential:
        """A credential that is newer than anything `get` has returned, for use after a 401. Sources that cannot
        force a renewal read their source again. Raises CredentialError."""
        ...


@dataclass(frozen=True, slots=True)
class StaticSource:
    """A fixed credential, for the demo provider and for tests."""

    credential: Credential
    label: str = "fixed"

    async def get(self) -> Credential:
        return self.credential

    async def refresh(self) -> Credential:
        return self.credential
