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


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """What can be told of a source without asking anybody.

    Attributes:
        expires: when its credential expires, in seconds since the epoch; None if it does not or nobody knows.
        problem: why the last attempt to get a credential failed, "" if it did not.
        renews: it can get a new credential by itself when the one it has expires.
    """

    expires: float | None = None
    problem: str = ""
    renews: bool = False


class CredentialSource(Protocol):
    """A place to get a credential from."""

    @property
    def label(self) -> str:
        """What it is, in a few words without a secret, for errors and status: "command", "file ~/.key"."""
        ...

    async def get(self) -> Credential:
        """The current credential. Raises CredentialError with the cause."""
        ...

    async def refresh(self, rejected: Credential | None = None) -> Credential:
        """A newer credential, for use after a 401. Raises CredentialError.

        Args:
            rejected: the one that the provider refused. If the source has another by now, that is the answer, so
                that many requests refused together cause one renewal. None renews in any case.

        A source that cannot renew reads its source again; where that gives the refused credential once more, there
        is no newer one.
        """
        ...

    async def look(self) -> None:
        """Brings `status` up to date as far as that goes without asking anybody or running anything. Never raises."""
        ...

    def status(self) -> SourceStatus:
        """What is known of it now. Never waits for anything."""
        ...

    async def close(self) -> None:
        """Lets a renewal under way come to its end, so that nothing is lost with the process."""
        ...


@dataclass(frozen=True, slots=True)
class StaticSource:
    """A fixed credential, for the demo provider and for tests."""

    credential: Credential
    label: str = "fixed"

    async def get(self) -> Credential:
        return self.credential

    async def refresh(self, rejected: Credential | None = None) -> Credential:
        return self.credential

    async def look(self) -> None:
        """There is nothing to look at."""

    def status(self) -> SourceStatus:
        return SourceStatus()

    async def close(self) -> None:
        """Nothing is under way."""
