"""The credentials of one provider: which of them a request takes.

A conversation keeps to one credential, because a provider's prompt cache belongs to an account; different
conversations are spread over them. One that is refused or over its limit rests for a while, and its conversations move
to another and stay there. When all rest, the one that is rested first is used all the same: the provider knows best.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Collection, Sequence
from typing import Literal

from ccproxy.auth.base import CredentialSource
from ccproxy.util.clock import Clock

#: Seconds of rest after a limit was met without word of when it ends, and after a refused credential.
LIMITED = 60.0
REFUSED = 300.0
_MOST_SESSIONS = 10_000


class Member:
    """One credential of a pool. `number` is its place in the configuration, from 0."""

    __slots__ = ("number", "rested_at", "source")

    def __init__(self, number: int, source: CredentialSource) -> None:
        self.number = number
        self.source = source
        self.rested_at = float("-inf")


class CredentialPool:
    """The credentials of one provider, in the order of the configuration; at least one."""

    def __init__(self, sources: Sequence[CredentialSource], *, clock: Clock) -> None:
        self._clock = clock
        self.members = tuple(Member(number, source) for number, source in enumerate(sources))
        self._kept: OrderedDict[str, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self.members)

    @property
    def label(self) -> str:
        """What they are, for people."""
        return ", ".join(member.source.label for member in self.members)

    def choose(self, session: str, tried: Collection[Member] = ()) -> Member | None:
        """The credential for a request, or None if all have been tried.

        Args:
            session: tells conversations apart; "" is a request of none.
            tried: those that the request has already been refused with.
        """
        if len(self.members) == 1:
            return None if tried else self.members[0]
        left = [member for member in self.members if member not in tried]
        if not left:
            return None
        now = self._clock.mono()
        rested = [member for member in left if member.rested_at <= now]
        if not rested:
            return None if tried else min(left, key=lambda member: member.rested_at)
        kept = self._kept.get(session, -1)
        chosen = next((member for member in rested if member.number == kept), None) or max(
            rested, key=lambda member: _weight(session, member)
        )
        self._keep(session, chosen)
        return chosen

    def rest(self, member: Member, seconds: float) -> None:
        """Lets a credential rest."""
        member.rested_at = max(member.rested_at, self._clock.mono() + seconds)

    def retire(self, member: Member, why: Literal["refused", "limited"], seconds: float | None) -> None:
        """Lets a credential rest that was refused or is over its limit, if there is another: for `seconds` if that is
        known."""
        if len(self.members) > 1:
            default = REFUSED if why == "refused" else LIMITED
            self.rest(member, seconds if seconds is not None else default)

    def resting(self, member: Member) -> float:
        """How many seconds of its rest are left."""
        return max(0.0, member.rested_at - self._clock.mono())

    async def close(self) -> None:
        """Lets renewals under way come to their end."""
        for member in self.members:
            await member.source.close()

    def _keep(self, session: str, member: Member) -> None:
        if not session:
            return
        self._kept[session] = member.number
        self._kept.move_to_end(session)
        if len(self._kept) > _MOST_SESSIONS:
            self._kept.popitem(last=False)


def _weight(session: str, member: Member) -> tuple[int, bytes]:
    """The highest wins: the first for requests of no conversation, else spread evenly, and a credential more or less
    moves only the conversations that must."""
    if not session:
        return -member.number, b""
    return 0, hashlib.blake2b(f"{session}\0{member.number}".encode(), digest_size=8).digest()


def credential_report(pool: CredentialPool | None, clock: Clock) -> list[dict[str, object]]:
    """What can be told of a provider's credentials, without secrets: `source`, `expires_in` (seconds, None where they
    do not expire or nobody knows), `renews`, `resting` (seconds) and `problem` of each."""
    found: list[dict[str, object]] = []
    for member in pool.members if pool is not None else ():
        status = member.source.status()
        found.append(
            {
                "source": member.source.label,
                "expires_in": round(status.expires - clock.wall()) if status.expires is not None else None,
                "renews": status.renews,
                "resting": round(pool.resting(member)) if pool is not None else 0,
                "problem": status.problem,
            }
        )
    return found
