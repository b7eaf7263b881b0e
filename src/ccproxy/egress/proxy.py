"""The proxy that everything goes out through, from `egress.proxy`.

https destinations are reached by CONNECT, http ones by an absolute request target. The variables HTTP_PROXY and
HTTPS_PROXY are not read: clients set them to reach ccproxy, not for ccproxy itself.
"""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from ccproxy.errors import ConfigError

_FORM = "http://[user:pass@]host:port"


@dataclass(frozen=True, slots=True)
class EgressProxy:
    """An HTTP proxy.

    Attributes:
        host, port: where it listens.
        authorization: the value for Proxy-Authorization, or "".
    """

    host: str
    port: int
    authorization: str = field(repr=False)

    @property
    def name(self) -> str:
        """`host:port`, for messages."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def origin(self) -> str:
        """The URL without credentials."""
        return f"http://{self.name}"


class Direct:
    """The hosts that are reached without the proxy: loopback, and those of `egress.no_proxy`.

    Names are compared as they are written, an address also with the networks in the list; no name is looked up.
    Raises ConfigError for an entry that is neither name nor network.
    """

    def __init__(self, entries: Sequence[str]) -> None:
        self._names: set[str] = set()
        self._endings: tuple[str, ...] = ()
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        for entry in entries:
            text = entry.strip().lower().removeprefix("*").strip("[]")
            try:
                self._networks.append(ipaddress.ip_network(text, strict=False))
            except ValueError:
                if not text or not text.isascii() or set(text) & set("/:@ *"):
                    raise ConfigError(
                        f"egress.no_proxy: {entry!r} is neither a host name nor a network",
                        hint="for example localhost, .internal.example.com, 10.0.0.0/8",
                    ) from None
                if text.startswith("."):
                    self._endings += (text,)
                self._names.add(text.lstrip("."))

    def __contains__(self, host: str) -> bool:
        name = host.lower().rstrip(".")
        try:
            address = ipaddress.ip_address(name.partition("%")[0])
        except ValueError:
            return name == "localhost" or name in self._names or name.endswith((".localhost", *self._endings))
        return address.is_loopback or any(address in network for network in self._networks)


def parse_proxy(value: str) -> EgressProxy | None:
    """The proxy that `egress.proxy` names, or None if it is empty. Raises ConfigError; the value, which may hold a
    password, is not in its message."""
    if not value:
        return None
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ConfigError("egress.proxy is not a URL", hint=f"the form is {_FORM}") from None
    if parts.scheme != "http":
        raise ConfigError(f"egress.proxy: {parts.scheme}:// proxies are not supported", hint=f"the form is {_FORM}")
    if not host or parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ConfigError("egress.proxy needs a host and port and nothing more", hint=f"the form is {_FORM}")
    authorization = ""
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = "Basic " + base64.b64encode(pair.encode()).decode("ascii")
    return EgressProxy(host, port or 80, authorization)
