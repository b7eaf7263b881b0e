"""Who may look: tickets that are good once, and the cookie that a browser gets for one.

Both are HMACs of a key in a file that only its owner can read, so that a command can make a ticket without asking the
proxy, and a browser stays logged in over a restart. A ticket is refused when it was used, is older than five minutes,
or is older than the process that is shown it (which cannot know whether it was used).
"""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from ccproxy.util.fs import atomic_write
from ccproxy.util.paths import state_dir

TICKET_SECONDS = 300.0
SESSION_SECONDS = 14 * 86_400.0
_KEY_BYTES = 32
#: How far in the future a ticket may have been made: two readings of one clock.
_SKEW_SECONDS = 2.0
_MOST_USED = 10_000


def key_path() -> Path:
    """Where the key is."""
    return state_dir() / "inspector.key"


def read_key(path: Path) -> bytes:
    """The key in the file at `path`, made anew where there is none or none that is whole. Raises OSError."""
    for _ in range(2):
        try:
            key = path.read_bytes()
        except FileNotFoundError:
            key = b""
        if len(key) == _KEY_BYTES:
            if path.stat().st_mode & 0o077:
                path.chmod(0o600)
            return key
        atomic_write(path, secrets.token_bytes(_KEY_BYTES))
    return path.read_bytes()


def ticket(key: bytes, now: float) -> str:
    """A ticket, made at `now` (seconds since the epoch)."""
    return _signed(key, "ticket", now)


def login_url(url: str, key: bytes, now: float) -> str:
    """The address that logs a browser in. The ticket stands behind the `#`, which browsers send to nobody."""
    return f"{url}/#login={ticket(key, now)}"


class Access:
    """Lets browsers in.

    Args:
        key: the content of the key file.
        wall: gives the time in seconds since the epoch.
    """

    def __init__(self, key: bytes, wall: Callable[[], float]) -> None:
        self._key = key
        self._wall = wall
        self._since = wall()
        self._used: dict[str, float] = {}

    def login(self, given: str) -> str | None:
        """The value of a cookie in exchange for a ticket; None if the ticket is not good (any more)."""
        now = self._wall()
        made = _opened(self._key, "ticket", given)
        if made is None or not max(self._since, now - TICKET_SECONDS) - _SKEW_SECONDS <= made <= now + _SKEW_SECONDS:
            return None
        self._used = {used: at for used, at in self._used.items() if now - at <= TICKET_SECONDS + _SKEW_SECONDS}
        if given in self._used or len(self._used) >= _MOST_USED:
            return None
        self._used[given] = made
        return _signed(self._key, "session", now)

    def knows(self, cookie: str) -> bool:
        """Whether the value of a cookie is one that was given, and still good."""
        made = _opened(self._key, "session", cookie)
        return made is not None and -_SKEW_SECONDS <= self._wall() - made <= SESSION_SECONDS


def _signed(key: bytes, purpose: str, now: float) -> str:
    text = f"{int(now * 1000):x}.{os.urandom(12).hex()}"
    return f"{text}.{_mac(key, purpose, text)}"


def _opened(key: bytes, purpose: str, given: str) -> float | None:
    """When `given` was made; None if it was not made with this key for this purpose."""
    text, _, mac = given.rpartition(".")
    if (
        len(given) > 200
        or not given.isascii()
        or not hmac.compare_digest(mac.encode(), _mac(key, purpose, text).encode())
    ):
        return None
    return int(text.partition(".")[0], 16) / 1000


def _mac(key: bytes, purpose: str, text: str) -> str:
    return hmac.new(key, f"{purpose}:{text}".encode(), sha256).hexdigest()
