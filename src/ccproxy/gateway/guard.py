"""Who may use the listener: Host and Origin checks on every path, and client keys.

A loopback listener is reachable by every web page the user opens, by DNS rebinding (a foreign name that resolves to
127.0.0.1: stopped by the Host check) and by plain cross-site requests (stopped by the Origin and Sec-Fetch-Site
checks). Host names are accepted by list; IP literals always are, since rebinding needs a name.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass

from ccproxy.errors import BadRequest, Forbidden
from ccproxy.exchange.http import Headers

KEY_FIELD = b"x-ccproxy-key"

_AUTHORITY = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>\d{1,5}))?")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Guard:
    """The checks of one configuration.

    Attributes:
        hosts: accepted Host names, lower case, beside loopback names and IP literals.
        origins: accepted web origins (`https://app.example`), beside the listener's own.
        client_keys: key by name; empty = no key is asked for.
    """

    hosts: frozenset[str]
    origins: frozenset[str]
    client_keys: Mapping[str, str]

    def check_host(self, headers: Headers, http_version: str) -> None:
        """Raises BadRequest for a malformed or repeated Host, Forbidden for a name that is not ours."""
        values = headers.all(b"host")
        if not values and http_version == "1.0":
            return
        if len(values) != 1:
            raise BadRequest(f"the request has {len(values)} Host header fields instead of one")
        text = values[0].decode("latin-1")
        found = _AUTHORITY.fullmatch(text)
        if found is None:
            raise BadRequest("the Host header field is malformed")
        name = found["host"].lower().strip("[]").rstrip(".")
        if name in _LOOPBACK or name.endswith(".localhost") or name in self.hosts or _is_address(name):
            return
        raise Forbidden(f"host {name!r} is not served here", hint="if it is yours, add it to gateway.allowed_hosts")

    def check_origin(self, headers: Headers) -> str:
        """The origin of a web page that may call us, or "" for a client that is no web page. Raises Forbidden."""
        origin = headers.text(b"origin")
        if origin:
            host = headers.text(b"host").lower()
            if origin in self.origins or (host and origin.lower() in {f"http://{host}", f"https://{host}"}):
                return origin
            raise Forbidden(
                f"a web page of origin {origin[:100]!r} may not use this proxy",
                hint="if it is yours, add it to gateway.allowed_origins",
            )
        if headers.text(b"sec-fetch-site").lower() in {"cross-site", "same-site"}:
            raise Forbidden("a web page of another site may not use this proxy")
        return ""

    def check_key(self, headers: Headers, with_sentinel: str) -> str:
        """The name of the presented client key, or "" where none is asked for. Raises Forbidden (401)."""
        if not self.client_keys:
            return ""
        given = headers.text(KEY_FIELD) or with_sentinel
        name = ""
        for candidate, key in self.client_keys.items():
            # Every key is compared, in constant time, so that timing tells nothing.
            if hmac.compare_digest(given.encode("latin-1", "replace"), key.encode()):
                name = candidate
        if name:
            return name
        what = "the client key is not known" if given else "a client key is required"
        raise Forbidden(
            what,
            hint="send it in the header x-ccproxy-key, or after the sentinel: sk-ant-oat-ccproxy-NAME.KEY",
            status=401,
        )


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
