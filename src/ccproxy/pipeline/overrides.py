"""`x-ccproxy-hooks: +a,-b`: hooks switched on and off for one request.

Only who may use ccproxy as a person at the machine may say so: a client on loopback, or one with a client key; never a
web page. `+name` has a configured hook run whatever its own condition says, and adds a built-in one that is not
configured. `-name` takes a hook out, unless it is one that keeps secrets in.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from ccproxy.errors import BadRequest, Forbidden
from ccproxy.exchange.exchange import Client
from ccproxy.exchange.http import Headers

FIELD = b"x-ccproxy-hooks"

_WORD = re.compile(r"([+-])([A-Za-z_][\w-]{0,63})", re.ASCII)
_MOST = 32


@dataclass(frozen=True, slots=True)
class Overrides:
    """Names of hooks to run and not to run, each sorted."""

    on: tuple[str, ...] = ()
    off: tuple[str, ...] = ()


def wanted(headers: Headers, client: Client) -> Overrides | None:
    """What a request asks for, or None. Raises BadRequest for what cannot be read, Forbidden for who may not ask."""
    values = headers.all(FIELD)
    if not values:
        return None
    if not may(client):
        raise Forbidden(
            "x-ccproxy-hooks is for clients on this machine and for those with a client key",
            hint="leave the header out, or present a key of gateway.client_keys in x-ccproxy-key",
        )
    return parse(b",".join(values).decode("latin-1"))


def parse(text: str) -> Overrides | None:
    """The header's value. Raises BadRequest."""
    on: set[str] = set()
    off: set[str] = set()
    words = [word.strip() for word in text.split(",") if word.strip()]
    if len(words) > _MOST:
        raise BadRequest(f"x-ccproxy-hooks names more than {_MOST} hooks")
    for word in words:
        found = _WORD.fullmatch(word)
        if found is None:
            raise BadRequest(f"x-ccproxy-hooks: {word[:60]!r} is not +NAME or -NAME")
        (on if found[1] == "+" else off).add(found[2].replace("-", "_"))
    if both := on & off:
        raise BadRequest(f"x-ccproxy-hooks: {min(both)} is switched both on and off")
    return Overrides(tuple(sorted(on)), tuple(sorted(off))) if words else None


def may(client: Client) -> bool:
    """Whether a client may choose hooks."""
    if client.origin:
        return False
    if client.key:
        return True
    try:
        return ipaddress.ip_address(client.address).is_loopback
    except ValueError:
        return False
