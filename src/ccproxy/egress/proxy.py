"""The proxy that everything goes out through, from `egress.proxy`.

https destinations are reached by CONNECT, http ones by an absolute request target. The variables HTTP_PROXY and
HTTPS_PROXY are not read: clients set them to reach ccproxy, not for ccproxy itself.
"""

from __future__ import annotations

import base64
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
