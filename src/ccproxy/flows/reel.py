"""What a tape holds of one body: its beginning, up to a bound of its own and one over all that runs."""

from __future__ import annotations

from dataclasses import dataclass

#: Most bytes held by all open tapes together.
MAX_HELD_BYTES = 128 * 1024 * 1024


@dataclass(slots=True)
class Account:
    """Bytes held by open tapes."""

    limit: int
    held: int = 0


class Reel:
    """The beginning of one body, and its whole size."""

    __slots__ = ("_account", "_limit", "held", "pieces", "size", "truncated")

    def __init__(self, account: Account, limit: int) -> None:
        self._account = account
        self._limit = limit
        self.pieces: list[bytes] = []
        self.held = 0
        self.size = 0
        self.truncated = False

    def add(self, data: bytes) -> bytes:
        """Counts `data` and returns as much of it as is kept."""
        size = len(data)
        self.size += size
        if self.truncated:
            return b""
        account = self._account
        if self.held + size > self._limit or account.held + size > account.limit:
            self.truncated = True
            size = max(0, min(self._limit - self.held, account.limit - account.held))
            data = data[:size]
        self.held += size
        account.held += size
        self.pieces.append(data)
        return data

    def take(self) -> bytes:
        """What was kept, in one piece. The account is settled."""
        self._account.held -= self.held
        self.held = 0
        pieces, self.pieces = self.pieces, []
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def copy(self) -> Reel:
        """A reel with what there is so far, on an account of its own."""
        copy = Reel(Account(0), self._limit)
        copy.pieces, copy.held, copy.size, copy.truncated = self.pieces[:], self.held, self.size, self.truncated
        return copy
