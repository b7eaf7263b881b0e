"""URLs that a configuration gives for a place to send requests to, taken apart for use on the wire."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_UNUSABLE = "not a usable address"


@dataclass(frozen=True, slots=True)
class Address:
    """A place: `path` without its final slash ("" for none), `query` without its question mark."""

    scheme: str
    host: str
    port: int
    path: str
    query: bytes

    @property
    def origin(self) -> str:
        """`https://api.example.com`, with the port only where it is not the scheme's own."""
        return origin(self.scheme, self.host, self.port)


def origin(scheme: str, host: str, port: int) -> str:
    """Scheme, host and port for people: an IPv6 address in brackets, the port only where it is not the scheme's own."""
    name = f"[{host}]" if ":" in host else host
    return f"{scheme}://{name}" if port == _PORTS.get(scheme) else f"{scheme}://{name}:{port}"


def parse_address(url: str) -> Address:
    """Takes an http or https URL apart.

    Raises ValueError, with a reason that does not quote the URL (which may hold a password), if it is none, has a user
    name or a fragment, or holds characters that cannot stand in a request.
    """
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("write spaces and characters beyond ASCII as %XX")
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        raise ValueError(_UNUSABLE) from None
    if parts.scheme not in {"http", "https"} or not host or "@" in parts.netloc or parts.fragment:
        raise ValueError(_UNUSABLE)
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise ValueError("the port is not a number from 1 to 65535")
    path = parts.path.rstrip("/")
    return Address(parts.scheme, host, port or _PORTS[parts.scheme], path, parts.query.encode("ascii"))
